"""What the faults of a recording did, with and without them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.feeds import playground
from textual.widgets import Static

from subsecond.agents.plan import plan_run
from subsecond.engine.drills.course import Fate, course_of, fates
from subsecond.engine.errors import InputError
from subsecond.engine.feed import FaultNote
from subsecond.engine.recording.from_run import write_run
from subsecond.engine.run import Run, run_plan
from subsecond.engine.scenario import apply_settings, load_tables, parse_scenario
from subsecond.tui.app import SubsecondApp
from subsecond.tui.replay import ReplaySource
from subsecond.tui.screens.base import View
from subsecond.tui.screens.without_faults_dialog import WithoutFaultsDialog, impact_lines
from subsecond.tui.without_faults import without_faults

S = 10**12
FAULTS = [
    {"kind": "decode_down", "at_s": 60.0, "duration_s": 20.0},
    {"kind": "throttle", "at_s": 100.0, "duration_s": 5.0, "value": 1.0, "pipeline": "trn-cs3"},
]


def made(faults: list[dict[str, object]]) -> Run:
    tables, path = load_tables("playground")
    apply_settings(tables, ["duration_s=180", "coding.sessions=20", "voice.sessions=12"])
    return run_plan(plan_run(parse_scenario({**tables, "faults": faults}, path)))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("recordings") / "drill.subsecond"
    write_run(file, made(FAULTS))
    return file


def test_it_is_the_run_against_the_same_run_without_faults(recorded: Path) -> None:
    found = without_faults(recorded)
    assert {lane: len(faults) for lane, faults in found.faults.items()} == {"trn-cs3": 2}
    runs = [made([]), made(FAULTS)]
    assert [(one.lane, one.kind) for one in found.impacts] == [("trn-cs3", "coding"), ("trn-cs3", "voice")]
    for one in found.impacts:
        assert one.budget is not None
        courses = [course_of(run.lanes["trn-cs3"].turns) for run in runs]
        kinds = [fates(course, [one.budget])[course.of_kind(one.kind)].tolist() for course in courses]
        met = tuple(fate.count(Fate.MET) for fate in kinds)
        failed = tuple(fate.count(Fate.FAILED) for fate in kinds)
        assert (one.impact.met, one.impact.failed) == (met, failed)
        assert one.impact.broken == one.impact.broken_before + one.impact.broken_during + one.impact.broken_after
    assert sum(one.impact.broken for one in found.impacts) > 0


def test_without_a_fault_there_is_nothing_to_leave_out(tmp_path: Path) -> None:
    file = tmp_path / "whole.subsecond"
    write_run(file, made([]))
    with pytest.raises(InputError, match="something broke"):
        without_faults(file)


def test_the_screen_runs_it_again(kit: SimpleNamespace, recorded: Path) -> None:
    async def main() -> None:
        source = ReplaySource(recorded)
        app = SubsecondApp(source, fps=None)
        async with app.run_test(size=(120, 44)) as pilot:
            await kit.until(app, pilot, lambda: app.snapshot is not None and source.arrived == 0)
            await kit.press(app, pilot, "4", "W")
            assert isinstance(app.screen, WithoutFaultsDialog)

            def shown() -> str:
                return str(app.screen.query_one("#outcome", Static).render())

            await kit.until(app, pilot, lambda: "Running" not in shown())
            assert shown() == "\n".join(impact_lines(without_faults(recorded)))
            text = kit.text_of(app)
            assert "trn-cs3: 2 faults" in text
            assert "thanks to them in time" in text
        source.close()

    asyncio.run(asyncio.wait_for(main(), 120))


def test_a_live_run_says_why_not(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: object) -> None:
        await kit.press(app, pilot, "4", "W")
        assert any("no twin" in n.message for n in app._notifications)

    kit.run(body)


def test_a_recording_in_which_nothing_broke_says_so(kit: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "whole.subsecond"
    kit.record(path, [m for m in playground() if not isinstance(m, FaultNote)])

    async def main() -> None:
        app = SubsecondApp(ReplaySource(path), fps=None)
        async with app.run_test(size=(120, 40)) as pilot:
            await kit.until(app, pilot, lambda: app.snapshot is not None)
            await kit.press(app, pilot, "4", "W")
            assert isinstance(app.screen, View)
            assert [n.message for n in app._notifications] == [
                "Nothing broke in this recording: there are no faults to leave out."
            ]

    asyncio.run(asyncio.wait_for(main(), 60))
