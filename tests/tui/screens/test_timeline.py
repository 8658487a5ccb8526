"""The timeline under the screens: where it is shown, what it leads to, and that it gives way where there is no room."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from support.feeds import playground
from textual.pilot import Pilot

from subsecond.engine.commands import Annotate, SetKnob
from subsecond.engine.feed import Annotation, FaultNote
from subsecond.tui.app import SubsecondApp
from subsecond.tui.replay import ReplaySource
from subsecond.tui.widgets.timeline import Timeline

S = 10**12
SIZES = ((80, 24), (120, 40), (200, 60))


def bar_of(kit: SimpleNamespace, app: SubsecondApp) -> str:
    """The timeline's line on the screen: the last but one."""
    return kit.text_of(app).splitlines()[-2]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_screens_of_the_past(kit: SimpleNamespace, tmp_path: Path, size: tuple[int, int]) -> None:
    fault = FaultNote(40 * S, 0, "decode_down", 0, None, 45 * S)
    messages = kit.record(tmp_path / "run.subsecond", [*playground(), SetKnob("gpu", "network_ms", 9.0), fault])
    pictures = {}

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "S", *"30s", "enter")
        await kit.until_at(app, pilot, 30)
        for key, name in (("1", "past-race"), ("2", "past-turn"), ("3", "past-sessions")):
            await kit.press(app, pilot, key)
            pictures[name] = kit.text_of(app)
        await kit.press(app, pilot, "1", "S")
        pictures["past-seek"] = kit.text_of(app)

    kit.run(body, messages, size)
    for name, text in pictures.items():
        lines = text.splitlines()
        assert len(lines) <= size[1]
        assert max(map(len, lines)) <= size[0]
        assert " 0:00 " in lines[-2]
        kit.check_golden(f"{name}-{size[0]}x{size[1]}", text)


def test_a_live_run_has_it_where_there_is_room(kit: SimpleNamespace, tmp_path: Path) -> None:
    messages = kit.record(tmp_path / "run.subsecond")

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.until_at(app, pilot, 60)
        assert bar_of(kit, app).endswith("┃ 1:00")
        await pilot.resize_terminal(80, 24)
        await kit.settle(app, pilot)
        assert not app.screen.query_one(Timeline).display
        await kit.press(app, pilot, "left_square_bracket")
        await kit.until_at(app, pilot, 50)
        assert "┃" in bar_of(kit, app)
        await kit.press(app, pilot, "N")
        await kit.until(app, pilot, lambda: not app.screen.query_one(Timeline).display)

    kit.run(body, messages)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_hand_and_arrows_lead_through_time(kit: SimpleNamespace, tmp_path: Path, size: tuple[int, int]) -> None:
    messages = kit.record(tmp_path / "run.subsecond")

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "left_square_bracket")
        await kit.until_at(app, pilot, 50)
        bar = app.screen.query_one(Timeline)
        bar.focus()
        await kit.press(app, pilot, "left")
        await kit.until_at(app, pilot, 49)
        await kit.press(app, pilot, "shift+left")
        await kit.until_at(app, pilot, 39)
        await pilot.click(Timeline, offset=(7, 0))
        await kit.until(app, pilot, lambda: app.snapshot is not None and app.snapshot.at_ps < 2 * S)
        assert isinstance(app.source, ReplaySource)
        await pilot.click(Timeline, offset=(size[0] - 7, 0))  # the last cell is now
        assert app.travel.away is None

    kit.run(body, messages, size)


def test_what_is_seen_is_written_down_now_and_in_the_past(kit: SimpleNamespace, tmp_path: Path) -> None:
    messages = kit.record(tmp_path / "run.subsecond", [*playground(), Annotation(20 * S, "a first note")])

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.until_at(app, pilot, 60)
        assert "A" in bar_of(kit, app)
        await kit.press(app, pilot, "A", *"slow", "enter", "left_square_bracket")
        await kit.until_at(app, pilot, 50)
        await kit.press(app, pilot, "A")
        assert "About 0:50.0 of the run." in kit.text_of(app)
        await kit.press(app, pilot, *"here", "enter", "A", "enter", "A", *"no", "escape")

    assert kit.run(body, messages).sent == [Annotate("slow", 60 * S), Annotate("here", 50 * S)]


def test_nothing_is_written_into_a_recording(tmp_path: Path, kit: SimpleNamespace) -> None:
    path = tmp_path / "other.subsecond"
    hello, *rest = playground()
    kit.record(path, [msgspec.structs.replace(hello, run="another"), *rest])
    before = path.read_bytes()

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        app.travel.open(path)
        await kit.until_at(app, pilot, 60)
        await kit.press(app, pilot, "A")
        assert len(app.screen_stack) == 1
        assert "nothing can be written into it" in " ".join(note.message for note in app._notifications)

    assert kit.run(body).sent == []
    assert path.read_bytes() == before


def test_help_explains_it_where_it_is(kit: SimpleNamespace, tmp_path: Path) -> None:
    messages = kit.record(tmp_path / "run.subsecond")

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.until_at(app, pilot, 60)
        await kit.press(app, pilot, "question_mark")
        assert "line at the bottom is the whole run" in " ".join(kit.text_of(app).replace("│", " ").split())

    kit.run(body, messages)


def test_a_recording_that_goes_while_it_is_shown_takes_nothing_along(kit: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "run.subsecond"
    messages = kit.record(path)

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.until_at(app, pilot, 60)
        path.unlink()
        app.glance.look()
        await kit.until(app, pilot, lambda: not app.screen.query_one(Timeline).display)
        await kit.press(app, pilot, "left_square_bracket", "S")
        assert len(app.screen_stack) == 1
        assert app.travel.away is None

    kit.run(body, messages)
