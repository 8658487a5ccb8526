"""Looking back: the dashboard of a run that goes on shows what was, from the recording, and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from support.feeds import playground
from textual.pilot import Pilot

from subsecond.engine.feed import Clock, Hello, Notice
from subsecond.engine.recording.writer import Recorder
from subsecond.tui.app import SubsecondApp
from subsecond.tui.replay import ReplaySource
from subsecond.tui.screen_picture import screen_text
from subsecond.tui.screens.seek import SeekDialog
from subsecond.tui.source import Item, ListSource

S = 10**12
DEADLINE_S = 30.0
Body = Callable[[SubsecondApp, Pilot[None]], Awaitable[None]]


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


def watched(path: Path, body: Body, size: tuple[int, int] = (120, 40)) -> None:
    """Do something with the dashboard of the recorded minute."""
    source = ListSource(recorded(path))

    async def main() -> None:
        app = SubsecondApp(source, fps=None)
        async with app.run_test(size=size) as pilot:
            await app.is_over.wait()
            app.draw()
            await body(app, pilot)

    asyncio.run(asyncio.wait_for(main(), 4 * DEADLINE_S))


def keys(text: str) -> list[str]:
    """The keys that type a text."""
    names = {".": "full_stop", ":": "colon", "-": "minus", "+": "plus", " ": "space"}
    return [names.get(letter, letter) for letter in text]


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_an_instant_is_typed(tmp_path: Path, size: tuple[int, int]) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await pilot.press("S", *keys("0:20.5"), "enter")
        await until_at(app, pilot, 41 * S // 2)
        assert isinstance(app.source, ReplaySource)
        assert screen_text(app).splitlines()[0].count("0:20.5") == 1
        await pilot.press("S", *keys("-10s"), "enter")
        await until_at(app, pilot, 21 * S // 2)
        await pilot.press("S", *keys("end"), "enter")
        assert not isinstance(app.source, ReplaySource)

    watched(tmp_path / "minute.subsecond", body, size)


@pytest.mark.parametrize("text", ["soon", "", "2h", "-5m", "99999999"])
def test_a_wrong_instant_is_answered_and_may_be_mended(tmp_path: Path, text: str) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await pilot.press("S", *keys(text), "enter")
        await pilot.pause()
        assert isinstance(app.screen, SeekDialog)
        words = " ".join(screen_text(app).replace("│", " ").split())
        assert "Try 90s, 1:30" in words or "has not come: the run goes to 1:00.0" in words
        for width, height in ((50, 10), (80, 24), (120, 40)):  # the window may change meanwhile
            await pilot.resize_terminal(width, height)
            await pilot.pause()
        await pilot.press("ctrl+u", *keys("30s"), "enter")
        await until_at(app, pilot, 30 * S)

    watched(tmp_path / "minute.subsecond", body)


def test_the_run_goes_on_while_the_past_is_shown(tmp_path: Path) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await pilot.press("left_square_bracket")
        await until_at(app, pilot, 50 * S)
        app.travel.home.take(Clock(70 * S, 0.0, 1.0, False, 0.0, 0.0))
        app.travel.home.take(Notice("warning", "the disk is slow"))
        assert app.travel.end_ps == 70 * S
        assert "1:10.0 of virtual time" in app.farewell()[0]
        await pilot.pause()
        assert any("disk" in n.message for n in app._notifications)
        await pilot.press("N")
        await until_at(app, pilot, 70 * S)

    watched(tmp_path / "minute.subsecond", body)


def test_what_the_past_holds_is_not_told_again(tmp_path: Path) -> None:
    """Notices of the run were shown when they came: a jump must not show them once more."""

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        app.clear_notifications()
        await pilot.press("left_square_bracket")
        await until_at(app, pilot, 50 * S)
        assert [n.message for n in app._notifications] == []

    path = tmp_path / "minute.subsecond"
    hello, *messages = playground()
    assert isinstance(hello, Hello)
    hello = msgspec.structs.replace(hello, recording=str(path))
    with Recorder(path, hello) as recorder:
        for message in (Notice("error", "something broke"), *messages):
            recorder.put(message)

    async def main() -> None:
        app = SubsecondApp(ListSource([hello, *messages]), fps=None)
        async with app.run_test(size=(120, 40)) as pilot:
            await app.is_over.wait()
            app.draw()
            await body(app, pilot)

    asyncio.run(asyncio.wait_for(main(), 4 * DEADLINE_S))


def test_keys_that_cannot_act_say_why(tmp_path: Path) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        for key, word in (("N", "as it goes on"), ("right_square_bracket", "This is now"), ("R", "somebody else")):
            app.clear_notifications()
            await pilot.press(key)
            await pilot.pause()
            assert [word in n.message for n in app._notifications] == [True], key
        await pilot.press("S", *keys("start"), "enter")
        await until_at(app, pilot, 0)
        for key, word in (("left_square_bracket", "start of the run"), ("l", "This is the past: its load")):
            app.clear_notifications()
            await pilot.press(key)
            await pilot.pause()
            assert [word in n.message for n in app._notifications] == [True], key

    watched(tmp_path / "minute.subsecond", body)


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
            assert app._notifications, "a key that cannot act says so"

    asyncio.run(main())
