"""Looking back: the dashboard of a run that goes on shows what was, from the recording, and comes back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from support.feeds import playground
from textual.pilot import Pilot

from subsecond.engine.feed import Hello
from subsecond.engine.recording.writer import Recorder
from subsecond.tui.app import SubsecondApp
from subsecond.tui.replay import ReplaySource
from subsecond.tui.source import Item, ListSource

S = 10**12
DEADLINE_S = 30.0


def recorded(path: Path) -> list[Item]:
    """The recorded minute, and a recording of it where its first message says."""
    hello, *messages = playground()
    assert isinstance(hello, Hello)
    with Recorder(path, hello) as recorder:
        for message in messages:
            recorder.put(message)
    return [msgspec.structs.replace(hello, recording=str(path)), *messages]


async def until_at(app: SubsecondApp, pilot: Pilot[None], at_ps: int) -> None:
    """Wait until an instant is shown."""

    async def look() -> None:
        while app.snapshot is None or app.snapshot.at_ps != at_ps:
            await pilot.pause()
            app.draw()

    await asyncio.wait_for(look(), DEADLINE_S)


def test_the_past_is_shown_and_left_again(tmp_path: Path) -> None:
    items = recorded(tmp_path / "minute.subsecond")
    source = ListSource(items)

    async def main() -> None:
        app = SubsecondApp(source, fps=None)
        async with app.run_test(size=(120, 40)) as pilot:
            await app.is_over.wait()
            app.draw()
            assert app.snapshot is not None
            present = app.snapshot.at_ps
            turns = sum(stats.turns for lane in app.snapshot.lanes for stats in lane.whole)
            await pilot.press("left_square_bracket")
            await until_at(app, pilot, present - 10 * S)
            assert isinstance(app.source, ReplaySource)
            assert "THE PAST" in app.alert
            assert sum(stats.turns for lane in app.snapshot.lanes for stats in lane.whole) < turns
            await pilot.press("left_square_bracket")
            await until_at(app, pilot, present - 20 * S)
            await pilot.press("right_square_bracket")
            await until_at(app, pilot, present - 10 * S)
            await pilot.press("N")
            assert app.source is source
            await until_at(app, pilot, present)
            assert "THE PAST" not in app.alert

    asyncio.run(main())


@pytest.mark.parametrize("content", [None, "not a recording"])
def test_without_a_recording_there_is_no_past(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "elsewhere.subsecond"
    items = recorded(tmp_path / "minute.subsecond")
    hello = items[0]
    assert isinstance(hello, Hello)
    items[0] = msgspec.structs.replace(hello, recording=str(path))
    if content is not None:
        path.write_text(content)
    source = ListSource(items)

    async def main() -> None:
        app = SubsecondApp(source, fps=None)
        async with app.run_test(size=(120, 40)) as pilot:
            await app.is_over.wait()
            app.draw()
            await pilot.press("left_square_bracket")
            await pilot.pause()
            assert app.source is source

    asyncio.run(main())
