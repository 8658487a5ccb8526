"""What would have been: a parameter of a recording, turned, shows the sessions once more beside what was."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from subsecond.agents.plan import plan_run
from subsecond.engine.commands import SetKnob
from subsecond.engine.errors import InputError
from subsecond.engine.recording.from_run import write_run
from subsecond.engine.run import run_plan
from subsecond.engine.scenario import apply_settings, load_tables, parse_scenario
from subsecond.tui.app import SubsecondApp
from subsecond.tui.replay import ReplaySource
from subsecond.tui.screens.knob_dialog import KnobDialog
from subsecond.tui.screens.parameter_palette import ParameterPalette
from subsecond.tui.screens.what_if_dialog import WhatIfDialog
from subsecond.tui.what_if import what_if
from subsecond.tui.widgets.table import LiveTable

MINUTE = ["duration_s=60", "coding.sessions=20", "voice.sessions=12"]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tables, path = load_tables("playground")
    apply_settings(tables, MINUTE)
    file = tmp_path_factory.mktemp("recordings") / "race.subsecond"
    write_run(file, run_plan(plan_run(parse_scenario(tables, path))))
    return file


def watch(kit: SimpleNamespace, path: Path, body: Callable[[SubsecondApp, Pilot[None]], Awaitable[None]]) -> None:
    """The dashboard on the end of a recording."""

    async def main() -> None:
        source = ReplaySource(path)
        app = SubsecondApp(source, fps=None)
        async with app.run_test(size=(120, 44)) as pilot:
            await kit.until(app, pilot, lambda: app.snapshot is not None and source.arrived == 0)
            await body(app, pilot)
        source.close()

    asyncio.run(asyncio.wait_for(main(), 120))


def outcome(app: SubsecondApp) -> str:
    return str(app.screen.query_one("#outcome", Static).render())


def test_a_knob_of_a_recording_shows_what_would_have_been(kit: SimpleNamespace, recorded: Path) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4", "p")
        table = app.screen.query_one("#parameters", LiveTable)
        assert table.move_cursor("router_ms")
        table.focus()
        await kit.press(app, pilot, "enter")
        assert isinstance(app.screen, KnobDialog)
        app.screen.query_one(Input).value = "500"
        await kit.settle(app, pilot)
        assert "Shows what this recording would have been with it." in kit.text_of(app)
        app.screen.set_focus(app.screen.query_one(Input))
        await kit.press(app, pilot, "enter")
        assert isinstance(app.screen, WhatIfDialog)
        await kit.until(app, pilot, lambda: "again…" not in outcome(app))
        found = what_if(recorded, SetKnob("gpu", "router_ms", 500.0))
        assert all(line in outcome(app) for line in found.lines())
        assert "What if gpu.router_ms were 500" in kit.text_of(app)
        assert "gpu with it is" in " ".join(outcome(app).split())
        assert "slower than gpu as it was at p95" in " ".join(outcome(app).split())
        await kit.press(app, pilot, "escape")
        assert not isinstance(app.screen, WhatIfDialog)

    watch(kit, recorded, body)


def test_w_in_it_compares_the_turns_of_a_window(kit: SimpleNamespace, recorded: Path) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        knob = SetKnob("gpu", "router_ms", 500.0)
        app.command(knob)
        await kit.settle(app, pilot)
        await kit.until(app, pilot, lambda: "again…" not in outcome(app))
        whole = outcome(app)
        assert "All turns of the recording" in kit.text_of(app)
        assert app.snapshot is not None
        app.screen._at_ps = 40 * 10**12  # as if that instant had been shown
        await kit.press(app, pilot, "w")
        await kit.until(app, pilot, lambda: outcome(app) != whole)
        assert "Turns that began from 0:00.0 to 0:40.0" in kit.text_of(app)
        found = what_if(recorded, knob, 0, 40 * 10**12)
        assert all(line in outcome(app) for line in found.lines())
        assert found.comparison.kinds[0].first.turns < what_if(recorded, knob).comparison.kinds[0].first.turns

    watch(kit, recorded, body)


def test_w_asks_for_a_parameter_of_a_recording(kit: SimpleNamespace, recorded: Path) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "w")
        assert isinstance(app.screen, ParameterPalette)

    watch(kit, recorded, body)


def test_of_a_live_run_w_says_where_its_parameters_are(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "w")
        assert not isinstance(app.screen, ParameterPalette)
        assert ["4 shows its parameters" in notice.message for notice in app._notifications] == [True]

    kit.run(body)


def test_what_cannot_be_is_said_in_the_dialog(kit: SimpleNamespace, recorded: Path) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        app.command(SetKnob("gpu", "replicas", "many [b]"))
        await kit.settle(app, pilot)
        await kit.until(app, pilot, lambda: "again…" not in outcome(app))
        assert "many [b]" in outcome(app)

    watch(kit, recorded, body)
    with pytest.raises(InputError, match="replicas"):
        what_if(recorded, SetKnob("gpu", "replicas", "many"))


def test_lines_say_was_would_be_and_the_change(recorded: Path) -> None:
    found = what_if(recorded, SetKnob("gpu", "router_ms", 500.0))
    lines = list(found.lines())
    assert lines[0].split() == ["was", "would", "be", "change"]
    assert lines[1] == "coding"
    (routing,) = [line for line in lines[: lines.index("voice")] if "routing" in line]
    assert routing.split() == ["routing", "14", "ms", "500", "ms", "+486", "ms"]
    same = what_if(recorded, SetKnob("gpu", "router_ms", 13.5))
    assert same.comparison.is_same
    assert "  no stage changes" in list(same.lines())
