"""Breaking and mending parts, and changing the load: what is sent, and what the screen says before and after."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec
import pytest
from support.feeds import playground
from textual.pilot import Pilot
from textual.widgets import OptionList

from subsecond.engine.commands import InjectFault, MendFault, SetLoad
from subsecond.engine.feed import FaultNote, Gauges, Hello, Load
from subsecond.tui.app import SubsecondApp
from subsecond.tui.screens.base import View
from subsecond.tui.screens.fault_dialogs import DURATIONS_S, VALUES, FaultDialog, MendDialog, fault_choices
from subsecond.tui.screens.load_dialog import LoadDialog, LoadField
from subsecond.tui.widgets.table import LiveTable

PS_PER_S = 10**12
MESSAGES = playground()
HELLO = MESSAGES[0]
assert isinstance(HELLO, Hello)
SLOW = FaultNote(50 * PS_PER_S, 1, "slow", 0, 4.0, None)
DOWN = FaultNote(55 * PS_PER_S, 0, "decode_down", 0, None, 65 * PS_PER_S)
OVER = FaultNote(20 * PS_PER_S, 0, "throttle", 0, 0.2, 30 * PS_PER_S)
MENDED = (
    FaultNote(30 * PS_PER_S, 0, "link_degraded", 0, 0.25, None),
    FaultNote(30 * PS_PER_S, 0, "link_degraded", 0, 0.25, 33 * PS_PER_S),
)


def line_with(text: str, word: str) -> str:
    """The only line of a text with a word."""
    (line,) = (line for line in text.splitlines() if word in line)
    return line


def test_faults_say_whether_they_are_in_effect_over_or_mended(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4")
        text = kit.text_of(app)
        assert "takes 4 times as long" in line_with(text, "! for good")
        assert "decode server 0 is down" in line_with(text, "! until 1:05.0")
        table = app.screen.query_one("#faults", LiveTable)
        assert [row.cells[3] for row in table.shown] == [
            "! until 1:05.0",
            "! for good",
            "mended at 0:33.0",
            "over since 0:30.0",
        ]

    kit.run(body, [*MESSAGES, OVER, *MENDED, SLOW, DOWN], size=(120, 60))


def test_a_fault_of_the_gauges_alone_is_shown_too(kit: SimpleNamespace) -> None:
    gauges = next(m for m in reversed(MESSAGES) if isinstance(m, Gauges) and m.lane == 0)
    words = ("decode_down 0", "stall 0")

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4")
        states = [row.cells[2:] for row in app.screen.query_one("#faults", LiveTable).shown]
        assert states == [
            ("decode server 0 is down, and the KV of its sessions is lost", "! until 1:05.0"),
            ("stall 0", "! in effect"),
        ]

    kit.run(body, [*MESSAGES, DOWN, msgspec.structs.replace(gauges, faults=words)])


def test_m_mends_the_only_fault(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4", "m")
        assert isinstance(app.screen, View)

    assert kit.run(body, [*MESSAGES, OVER, SLOW]).sent == [MendFault("slow", "gpu", 0)]


def test_m_asks_which_of_several(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4", "m")
        assert isinstance(app.screen, MendDialog)
        assert app.screen.query_one(OptionList).option_count == 2
        await kit.press(app, pilot, "down", "enter")
        assert isinstance(app.screen, View)

    assert kit.run(body, [*MESSAGES, SLOW, DOWN]).sent == [MendFault("decode_down", "trn-cs3", 0)]


@pytest.mark.parametrize("key", ["m", "enter"])
def test_in_the_table_the_fault_under_the_cursor_is_mended(kit: SimpleNamespace, key: str) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4")
        app.screen.query_one("#faults", LiveTable).focus()
        await kit.press(app, pilot, "down", key)
        await kit.press(app, pilot, "end", key)
        assert any("nothing to mend" in n.message for n in app._notifications)

    assert kit.run(body, [*MESSAGES, OVER, SLOW, DOWN]).sent == [MendFault("slow", "gpu", 0)]


def test_without_a_fault_there_is_nothing_to_mend(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4", "m")
        assert [n.message for n in app._notifications] == ["Nothing is broken."]

    assert kit.run(body).sent == []
    assert kit.run(body, []).sent == []


def test_a_fault_gets_a_value_and_a_duration(kit: SimpleNamespace) -> None:
    slow = [f.kind for f in fault_choices(HELLO.lanes)].index("slow")

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4", "x", *["down"] * slow)
        assert "how bad" in kit.text_of(app)
        await kit.press(app, pilot, "right", "D", "D")
        assert "takes 10 times as long" in kit.text_of(app)
        assert "It lasts for good" in kit.text_of(app)
        await kit.press(app, pilot, "enter")

    assert kit.run(body).sent == [InjectFault("slow", "trn-cs3", 0, 10.0, None)]


def test_values_end_at_both_ends_and_durations_go_round(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4", "x", "right")
        assert any("no value" in n.message for n in app._notifications)
        await kit.press(app, pilot, "down", "down", *["left"] * 9)
        assert "takes 1.5 times as long" in kit.text_of(app)
        await kit.press(app, pilot, *["right"] * 9, *["d"] * len(DURATIONS_S), "enter")

    assert kit.run(body).sent == [InjectFault("slow", "trn-cs3", 0, VALUES["slow"][0][-1], 10.0)]


def test_a_stall_must_end(kit: SimpleNamespace) -> None:
    stall = [f.kind for f in fault_choices(HELLO.lanes)].index("stall")

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4", "x", *["down"] * stall, "D", "D", "enter")
        assert isinstance(app.screen, FaultDialog)
        assert any("for good" in n.message for n in app._notifications)
        await kit.press(app, pilot, "d", "enter")

    assert kit.run(body).sent == [InjectFault("stall", "trn-cs3", 0, None, 5.0)]


def loaded(**changes: object) -> list[object]:
    """The recorded minute, and one more look at the load."""
    load = next(m for m in reversed(MESSAGES) if isinstance(m, Load))
    return [*MESSAGES, msgspec.structs.replace(load, **changes)]


def test_the_load_says_which_of_the_two_is_in_force(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "l")
        text = kit.text_of(app)
        assert "in force: 24 kept at work" in line_with(text, "coding:")
        assert "in force: 0.5 begin per second" in line_with(text, "voice:")
        assert [field.value for field in app.screen.query(LoadField)] == ["24", "0.5"]

    kit.run(body, loaded(wanted=(24, 48), arrivals_per_s=(0.0, 0.5)))


@pytest.mark.parametrize(
    ("keys", "sent"),
    [
        (["up", "enter"], SetLoad("coding", sessions=30)),
        (["down", "down", "enter"], SetLoad("coding", sessions=15)),
        (["a", "2", "enter"], SetLoad("coding", arrivals_per_s=2.0)),
        (["a", "up", "up", "enter"], SetLoad("coding", arrivals_per_s=0.015)),
        (["tab", "up", "enter"], SetLoad("voice", arrivals_per_s=0.6)),
        (["tab", "s", "enter"], SetLoad("voice", sessions=48)),
        (["ctrl+u", "0", "down", "enter"], SetLoad("coding", sessions=0)),
    ],
)
def test_the_load_is_set_in_steps_or_by_typing(kit: SimpleNamespace, keys: list[str], sent: SetLoad) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "l", *keys)
        assert isinstance(app.screen, View)

    assert kit.run(body, loaded(wanted=(24, 48), arrivals_per_s=(0.0, 0.5))).sent == [sent]


@pytest.mark.parametrize("typed", [["2", "full_stop", "5"], ["-", "1"], [], ["1", "e", "9", "9", "9"]])
def test_what_is_no_load_is_not_sent(kit: SimpleNamespace, typed: list[str]) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "l", "ctrl+u", *typed, "enter")
        assert isinstance(app.screen, LoadDialog)
        assert app._notifications

    assert kit.run(body).sent == []
