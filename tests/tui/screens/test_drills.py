"""Drills from the dashboard: chosen, scheduled, called off; not in a recording."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from support.feeds import playground
from textual.pilot import Pilot
from textual.widgets import OptionList

from subsecond.engine.commands import EndDrill, MendFault, RunDrill
from subsecond.engine.drills.catalog import shipped_drills
from subsecond.engine.feed import FaultNote, Gauges, Hello, Scheduled, ServerInfo
from subsecond.tui.app import SubsecondApp
from subsecond.tui.drills import outlooks
from subsecond.tui.replay import ReplaySource
from subsecond.tui.screens.base import View
from subsecond.tui.screens.drill_dialog import DrillDialog, outlook_lines
from subsecond.tui.screens.fault_dialogs import MendDialog
from subsecond.tui.source import ListSource
from subsecond.tui.widgets.table import LiveTable

SIZES = ((80, 24), (120, 40), (200, 60))
S = 10**12
MESSAGES = playground()
HELLO = MESSAGES[0]
assert isinstance(HELLO, Hello)
NAME = "rolling-restart"
NAMES = list(shipped_drills())
PREFILL = FaultNote(50 * S, 0, "prefill_down", 0, None, 110 * S, NAME)
GPU = FaultNote(50 * S, 1, "gpu_down", 0, None, 110 * S, NAME)
COMING = Scheduled(140 * S, "decode_down", 0, None, 200 * S, NAME)


def held() -> list[object]:
    """The recorded minute, in which a drill is under way."""
    last = next(m for m in reversed(MESSAGES) if isinstance(m, Gauges) and m.lane == 0)
    gauges = msgspec.structs.replace(last, faults=("prefill_down 0",), scheduled=(COMING,))
    return [*MESSAGES, PREFILL, GPU, gauges]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_pictures(kit: SimpleNamespace, size: tuple[int, int]) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4", "d", *["down"] * NAMES.index(NAME))
        text = kit.text_of(app)
        assert max(map(len, text.splitlines())) <= size[0]
        kit.check_golden(f"drill-{size[0]}x{size[1]}", text)
        await kit.press(app, pilot, "escape")
        kit.check_golden(f"drill-under-way-{size[0]}x{size[1]}", kit.text_of(app))

    kit.run(body, held(), size=size)


def test_enter_holds_the_chosen_drill(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4", "d", "down", "enter")
        assert isinstance(app.screen, View)

    assert kit.run(body).sent == [RunDrill(NAMES[1])]


def test_the_palette_holds_drills_from_any_screen(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        commands = {command.title: command for command in app.get_system_commands(app.screen)}
        commands["Hold a drill…"].callback()
        await kit.settle(app, pilot)
        assert isinstance(app.screen, DrillDialog)
        await kit.press(app, pilot, "enter")

    assert kit.run(body).sent == [RunDrill(NAMES[0])]


def test_what_a_drill_would_do_stands_by_lane() -> None:
    found = {outlook.drill.name: outlook for outlook in outlooks(HELLO.lanes)}
    assert list(found) == NAMES
    lines = list(outlook_lines(found[NAME], HELLO.lanes))
    assert lines[0] == "Every server is restarted in turn, a minute each."
    assert lines[1] == "trn-cs3  prefill 0 down for 60 s, at 1:30 decode 0 down for 60 s"
    assert lines[2] == "gpu      server 0 down for 60 s"
    assert lines[3] == "Everything is mended after 2:30."
    assert "left alone" in list(outlook_lines(found["gpu-lost"], HELLO.lanes))[1]
    assert "left alone" in list(outlook_lines(found["link-quarter"], HELLO.lanes))[2]


def test_a_lane_of_other_servers_is_left_to_the_service() -> None:
    lanes = [
        msgspec.structs.replace(HELLO.lanes[0], servers=servers) for servers in ((), (ServerInfo("a", "b", 1, 1),))
    ]
    for lane in lanes:
        for outlook in outlooks([lane]):
            assert list(outlook_lines(outlook, [lane]))[1].endswith("the service says what it does to it")


def test_faults_in_effect_stand_before_those_to_come(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4")
        rows = [row.cells for row in app.screen.query_one("#faults", LiveTable).shown]
        assert [(cells[0], cells[1], cells[3]) for cells in rows] == [
            ("0:50.0", "gpu", "! until 1:50.0"),
            ("0:50.0", "trn-cs3", "! until 1:50.0"),
            ("2:20.0", "trn-cs3", "scheduled, in 80 s"),
        ]
        assert all(cells[2].startswith(f"{NAME}: ") for cells in rows)

    kit.run(body, held())


def test_m_ends_the_drill_or_one_of_its_faults_or_calls_one_off(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4", "m")
        assert isinstance(app.screen, MendDialog)
        assert app.screen.query_one(OptionList).option_count == 4
        await kit.press(app, pilot, "enter", "m", "end", "enter")
        app.screen.query_one("#faults", LiveTable).focus()
        await kit.press(app, pilot, "m", "end", "m")

    assert kit.run(body, held()).sent == [
        EndDrill(NAME),
        MendFault("decode_down", "trn-cs3"),
        MendFault("gpu_down", "gpu"),
        MendFault("decode_down", "trn-cs3"),
    ]


def test_recovery_waits_for_what_is_to_come(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        assert app.snapshot is not None
        assert app.snapshot.drills == (NAME,)
        assert app.snapshot.effect is not None
        assert app.snapshot.effect.last_ps == COMING.at_ps

    kit.run(body, held())


def test_a_feed_without_the_new_keys_is_read(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4", "m")
        assert isinstance(app.screen, View)

    old = b'{"type":"fault","at_ps":50000000000000,"lane":1,"kind":"slow","target":0,"value":2.0,"until_ps":null}'
    assert kit.run(body, [*MESSAGES, msgspec.json.decode(old, type=FaultNote)]).sent == [MendFault("slow", "gpu")]


def test_a_recording_says_why_it_holds_none(kit: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "a.subsecond"
    kit.record(path)

    async def main() -> None:
        app = SubsecondApp(ReplaySource(path), fps=None)
        async with app.run_test(size=(120, 40)) as pilot:
            await kit.until(app, pilot, lambda: app.snapshot is not None)
            await kit.press(app, pilot, "4", "d")
            assert isinstance(app.screen, View)
            assert any("nothing breaks in it" in n.message for n in app._notifications)
            assert "Hold a drill…" not in {command.title for command in app.get_system_commands(app.screen)}

    asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize("key", ["x", "m", "d", "l"])
@pytest.mark.parametrize("is_past", [False, True])
def test_what_was_is_not_changed_and_no_dialog_asks(
    kit: SimpleNamespace, tmp_path: Path, key: str, is_past: bool
) -> None:
    path = tmp_path / "a.subsecond"
    items = kit.record(path, [m for m in playground() if not isinstance(m, FaultNote)])

    async def main() -> None:
        app = SubsecondApp(ListSource(items) if is_past else ReplaySource(path), fps=None)
        async with app.run_test(size=(120, 40)) as pilot:
            await kit.until(app, pilot, lambda: app.snapshot is not None)
            await kit.press(app, pilot, "4")
            assert ("Press x to break" in kit.text_of(app)) == is_past
            await kit.press(app, pilot, "left_square_bracket")
            await kit.until(app, pilot, lambda: app.travel.replay is not None and not app.travel.shown.is_jumping)
            await kit.press(app, pilot, key)
            assert isinstance(app.screen, View)
            begin = "This is the past: " if is_past else "This is a recording: "
            assert [n.message.startswith(begin) for n in app._notifications] == [True]
            assert "Press x to break" not in kit.text_of(app)

    asyncio.run(asyncio.wait_for(main(), 60))
