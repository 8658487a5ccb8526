"""What is said of a recording is what the run came to, and how it ended."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest
from support.recordings import MS, S, hello, turn

from subsecond.agents.plan import plan_run
from subsecond.engine.commands import SetKnob
from subsecond.engine.errors import InputError
from subsecond.engine.feed import Annotation, FaultNote, Notice, OutsideAgent
from subsecond.engine.recording.from_run import write_run
from subsecond.engine.recording.reader import Recording
from subsecond.engine.recording.summary import Summary, summarise
from subsecond.engine.recording.writer import Recorder
from subsecond.engine.run import run_plan
from subsecond.engine.scenario import apply_settings, load_tables, parse_scenario


def of(path: Path) -> Summary:
    with Recording.open(path) as recording:
        return summarise(recording)


@pytest.mark.parametrize("warm_up", ["0", "20"])
def test_a_run_in_virtual_time_comes_to_what_its_results_say(tmp_path: Path, warm_up: str) -> None:
    tables, path = load_tables("wafer-down")
    apply_settings(tables, ["duration_s=60", f"warm_up_s={warm_up}"])
    run = run_plan(plan_run(parse_scenario(tables, path)))
    write_run(tmp_path / "run", run)
    summary = of(tmp_path / "run")
    assert (summary.end, summary.digest, summary.settings) == ("finished", run.digest, tables)
    assert summary.size_bytes == (tmp_path / "run").stat().st_size
    assert [fault.kind for fault in summary.faults]
    for lane, built in zip(summary.lanes, run.lanes.values(), strict=True):
        for group in lane.agents:
            own = built.groups[group.agents]
            assert (group.answered, group.failed, group.pending) == (own.answered, own.failed, own.unfinished)
            assert (group.p50_ps, group.p95_ps) == (own.latency_ps.get("p50"), own.latency_ps.get("p95"))
            outcomes = [(o.budget.name, o.met, o.missed, o.attainment, o.is_kept) for o in own.budgets]
            mine = [
                (b.name, b.met, b.missed, b.attainment, b.is_kept) for b in lane.budgets if b.agents == group.agents
            ]
            assert mine == outcomes


def test_what_happened_on_the_way_is_told(tmp_path: Path) -> None:
    agent = OutsideAgent(2, "mine", "chat", "127.0.0.1", 0, 1, False, S, (3,), 5, 1)
    fault = FaultNote(S, 1, "slow", 0, 0.5, None)
    with Recorder(tmp_path / "run", hello()) as recorder:
        recorder.put(turn(0))
        for message in (fault, msgspec.structs.replace(fault, until_ps=2 * S)):
            recorder.put(message)
        recorder.put(SetKnob("lane0", "network_ms", 9.5), S)
        recorder.put(Annotation(S, "look"))
        for level in ("info", "warning", "error"):
            recorder.put(Notice(level, level))
        for turns in (1, 5):
            recorder.put(msgspec.structs.replace(agent, turns=turns))
    summary = of(tmp_path / "run")
    assert summary.faults == (msgspec.structs.replace(fault, until_ps=2 * S),)
    assert [(knob.at_ps, knob.lane, knob.key, knob.value) for knob in summary.knobs] == [
        (S, "lane0", "network_ms", 9.5)
    ]
    assert summary.annotations == (Annotation(S, "look"),)
    assert [notice.text for notice in summary.notices] == ["warning", "error"]
    assert summary.outside_agents == (agent,)
    assert msgspec.json.decode(msgspec.json.encode(summary), type=Summary) == summary


def test_cancelled_turns_count_for_no_budget(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", hello()) as recorder:
        for number, state, met in ((0, 1, 1), (2, 2, 0), (4, 3, 0)):
            recorder.put(turn(number, state=state, met=(met, -1), latency_ps=number * MS + MS))
    (budget, other) = of(tmp_path / "run").lanes[0].budgets
    assert (budget.met, budget.missed, budget.attainment, budget.is_kept) == (1, 1, 0.5, False)
    assert (other.attainment, other.is_kept) == (None, True)


def test_how_it_ended(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", hello()) as recorder:
        recorder.put(turn(0))
        assert recorder.flush()
        assert of(tmp_path / "run").end == "being written"
        copy = tmp_path / "copy"
        for beside in ("", "-wal"):
            (tmp_path / f"copy{beside}").write_bytes((tmp_path / f"run{beside}").read_bytes())
        connection = sqlite3.connect(copy)
        connection.execute("UPDATE meta SET value = 999999999 WHERE key = 'writer_pid'")
        connection.commit()
        connection.close()
        assert of(copy).end == "cut off"
    assert of(tmp_path / "run").end == "finished"


def test_a_turn_of_a_kind_that_there_is_not_is_damage(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", hello()) as recorder:
        recorder.put(turn(0, agent=7))
    with pytest.raises(InputError, match="damaged"):
        of(tmp_path / "run")
