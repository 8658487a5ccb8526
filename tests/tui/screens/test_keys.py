"""Every key: what it sends, what it shows, and which keys are offered in which state."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec
import pytest
from support.feeds import playground
from textual.pilot import Pilot
from textual.widgets import Input

from subsecond.engine.commands import InjectFault, KeepRecording, Pause, Resume, SetLoad, SetSpeed, Step
from subsecond.engine.feed import Clock, TurnEnd
from subsecond.tui.app import SPEEDS, SubsecondApp
from subsecond.tui.screens.base import View
from subsecond.tui.screens.dialogs import Dialog, HelpDialog
from subsecond.tui.widgets.table import LiveTable

MESSAGES = playground()


def with_clock(**changes: object) -> list:
    """The recorded minute, and one more look at the clock."""
    last = next(m for m in reversed(MESSAGES) if isinstance(m, Clock))
    return [*MESSAGES, msgspec.structs.replace(last, **changes)]


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("1", "Race"),
        ("2", "Turn"),
        ("3", "Sessions"),
        ("4", "Pipelines"),
        ("5", "Feel"),
        ("6", "Recordings"),
        ("7", "Agents"),
        ("8", "Economics"),
    ],
)
def test_numbers_choose_screens(kit: SimpleNamespace, key: str, word: str) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, key)
        assert kit.text_of(app).startswith(f" subsecond > {word}")

    kit.run(body)


def test_commands_go_to_the_service(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "space", "plus", "minus", "r")

    assert kit.run(body).sent == [Pause(), SetSpeed(2.0), SetSpeed(0.5), KeepRecording()]


def test_a_paused_run_can_go_on_and_step(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        assert {"Resume", "Step"} <= set(kit.keys_of(app))
        assert "Pause" not in kit.keys_of(app)
        assert " PAUSED " in kit.text_of(app)
        await kit.press(app, pilot, "full_stop", "space")

    assert kit.run(body, with_clock(paused=True)).sent == [Step(), Resume()]


def test_a_running_run_does_not_step(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        assert "Step" not in kit.keys_of(app)
        await kit.press(app, pilot, "full_stop")

    assert kit.run(body).sent == []


@pytest.mark.parametrize(
    ("speed", "key", "sent"), [(100.0, "plus", None), (0.1, "minus", None), (3.0, "plus", 5.0), (3.0, "minus", 2.0)]
)
def test_speeds_end_at_both_ends(kit: SimpleNamespace, speed: float, key: str, sent: float | None) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, key)
        assert sent is not None or app._notifications, "a key that cannot act says so"

    assert kit.run(body, with_clock(speed=speed)).sent == ([] if sent is None else [SetSpeed(sent)])
    assert sent is None or sent in SPEEDS


def test_a_frozen_picture_stands_still_while_the_run_goes_on(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "f")
        assert " FROZEN " in kit.text_of(app)
        assert "Unfreeze" in kit.keys_of(app)
        frozen = app.snapshot
        turn = next(m for m in reversed(MESSAGES) if isinstance(m, TurnEnd))
        app.travel.home.take(msgspec.structs.replace(turn, turn=10**6))
        await kit.settle(app, pilot)
        assert app.snapshot is frozen
        await kit.press(app, pilot, "3")
        assert kit.text_of(app).startswith(" subsecond > Sessions")
        await kit.press(app, pilot, "f")
        assert app.snapshot is not frozen
        assert " FROZEN " not in kit.text_of(app)

    assert kit.run(body).sent == []


def test_the_other_kind_of_agents(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        assert "Mean time of a coding turn" in kit.text_of(app)
        await kit.press(app, pilot, "k")
        assert "Mean time of a voice turn" in kit.text_of(app)
        await kit.press(app, pilot, "k")
        assert "Mean time of a coding turn" in kit.text_of(app)

    kit.run(body)


def test_the_load_is_set_by_kind(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "l")
        app.screen.query_one("#load-1", Input).focus()
        await kit.press(app, pilot, "ctrl+u", "9", "0", "enter")
        assert not isinstance(app.screen, Dialog)

    assert kit.run(body).sent == [SetLoad("voice", 90)]


def test_a_load_that_is_no_number_is_not_sent(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "l", "ctrl+u", "-", "3", "enter")
        assert isinstance(app.screen, Dialog)
        await kit.press(app, pilot, "escape")
        assert isinstance(app.screen, View)

    assert kit.run(body).sent == []


def test_a_fault_is_chosen_with_its_duration(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4", "x", "d", "down", "enter")
        assert isinstance(app.screen, View)

    assert kit.run(body).sent == [InjectFault("decode_down", "trn-cs3", 0, None, 30.0)]


def test_the_worst_session_opens_its_turn_and_escape_leads_back(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "enter")
        assert kit.text_of(app).startswith(" subsecond > Race > Turn 364")
        await kit.press(app, pilot, "escape")
        assert kit.text_of(app).startswith(" subsecond > Race ")
        await kit.press(app, pilot, "3", "escape")
        assert kit.text_of(app).startswith(" subsecond > Race ")

    kit.run(body)


def test_from_all_sessions_down_to_a_turn_and_its_neighbours(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "3", "enter", "enter")
        assert "> Sessions > Session 2 > Turn 98" in kit.text_of(app)
        await kit.press(app, pilot, "left")
        assert "turn 2:" in kit.text_of(app)
        await kit.press(app, pilot, "right")
        assert "> Turn 98" in kit.text_of(app)
        await kit.press(app, pilot, "right")
        assert app._notifications, "there is no later turn"
        await kit.press(app, pilot, "n")
        assert "> Turn 404" in kit.text_of(app)

    kit.run(body)


def test_the_filter_narrows_and_escape_drops_it(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "3")
        table = app.screen.query_one(LiveTable)
        everything = len(table.shown)
        await kit.press(app, pilot, "slash", *"coding", "enter")
        assert 0 < len(table.shown) < everything
        assert all("coding" in row.cells for row in table.shown)
        await kit.press(app, pilot, "escape")
        assert len(table.shown) == everything
        assert kit.text_of(app).startswith(" subsecond > Sessions")
        await kit.press(app, pilot, "escape")
        assert kit.text_of(app).startswith(" subsecond > Race")

    kit.run(body)


@pytest.mark.parametrize("screen", ["1", "2", "3", "4", "5", "6", "7", "8"])
def test_help_is_about_the_screen_and_its_keys(kit: SimpleNamespace, screen: str) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, screen)
        view = app.view
        assert view is not None
        await kit.press(app, pilot, "question_mark")
        assert isinstance(app.screen, HelpDialog)
        text = " ".join(kit.text_of(app).replace("│", " ").split())
        assert " ".join(view.ABOUT.split()[:6]) in text
        await kit.press(app, pilot, "question_mark")
        assert app.screen is view

    kit.run(body)


def test_every_command_is_in_the_palette_with_its_key(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4")
        titles = [command.title for command in app.get_system_commands(app.screen)]
        for description in kit.keys_of(app):
            assert any(title.startswith(description) for title in titles), description
        assert "Fault  (x)" in titles
        await pilot.press("ctrl+p")
        await pilot.pause(0.3)
        assert "Faster  (+)" in kit.text_of(app)
        await pilot.press(*"Sessions")
        await pilot.pause(0.3)
        await pilot.press("enter")
        await pilot.pause(0.3)
        await kit.settle(app, pilot)
        assert kit.text_of(app).startswith(" subsecond > Sessions")

    kit.run(body)


def test_light_and_dark(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        assert app.current_theme.dark
        before = kit.text_of(app)
        await kit.press(app, pilot, "t")
        assert not app.current_theme.dark
        assert kit.text_of(app) == before
        await kit.press(app, pilot, "t")
        assert app.current_theme.dark

    kit.run(body)


def test_q_leaves(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await pilot.press("q")
        await pilot.pause()
        assert app._exit

    kit.run(body)


def test_shift_q_leaves_the_last_picture(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "3")
        picture = kit.text_of(app)
        await pilot.press("Q")
        await pilot.pause()
        assert app._exit
        lines = app.farewell()
        assert lines[: len(picture.splitlines())] == picture.splitlines()
        assert lines[len(picture.splitlines())].startswith("subsecond: playground, 1:00.0 of virtual time")

    kit.run(body)
