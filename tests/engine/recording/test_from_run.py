"""A run in virtual time as a recording: its turns exactly, and the counts that its results show."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from subsecond.agents.plan import plan_run
from subsecond.engine.errors import InputError
from subsecond.engine.feed import FaultNote, TurnEnd
from subsecond.engine.live.clock import PacedClock
from subsecond.engine.live.driver import LiveDriver
from subsecond.engine.recording.from_run import write_run
from subsecond.engine.recording.reader import Recording
from subsecond.engine.run import Lane, Run, run_plan
from subsecond.engine.scenario import parse_scenario
from subsecond.engine.turns import TurnState

S = 10**12

TABLES: dict[str, Any] = {
    "title": "Two lanes and trouble",
    "seed": 5,
    "duration_s": 40,
    "pipelines": {"trn-cs3": {}, "gpu": {}},
    "agents": [
        {"kind": "coding", "sessions": 8, "parameters": {"subagents.share": 0.5}},
        {"kind": "voice", "sessions": 8, "parameters": {"tools.share": 0.4}},
    ],
    "budgets": {
        "coding": ["agent-step"],
        "voice": ["voice-sub-second"],
        "tight": {"agents": "voice", "ttft_ms": 60, "percentile": 50},
    },
    "faults": [
        {"kind": "gpu_down", "at_s": 25.0, "duration_s": 5.0},
        {"kind": "throttle", "at_s": 5.0, "duration_s": 10.0, "value": 0.9, "pipeline": "gpu"},
        {"kind": "slow", "at_s": 20.0, "value": 30.0},
    ],
}


@pytest.fixture(scope="module")
def run() -> Run:
    return run_plan(plan_run(parse_scenario(TABLES, Path("trouble.toml"))))


@pytest.fixture(scope="module")
def path(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recordings") / "run.subsecond"
    write_run(path, run)
    return path


def expected_end(lane: Lane, number: int, run: Run, turn: int) -> TurnEnd:
    """A turn put together request by request."""
    turns, results, work = lane.turns, lane.results, lane.turns.workload
    requests = [r for r in range(work.num_requests) if work.turn[r] == turn]
    session = max(s for s in range(work.num_sessions) if work.session_first_request[s] <= requests[0])
    kind = work.kinds[int(work.session_kind[session])]
    stages = tuple(int(turns.stage_ps(name)[turn]) for name in turns.stage_names)
    return TurnEnd(
        lane=number,
        turn=turn,
        session=session,
        index=turn - int(work.turn[work.session_first_request[session]]),
        agent=work.kinds.index(kind),
        state=int(turns.state[turn]),
        start_ps=int(turns.start_ps[turn]),
        latency_ps=int(turns.latency_ps[turn]),
        ttft_ps=int(turns.ttft_ps[turn]),
        tpot_ps=int(turns.tpot_ps[turn]),
        stages_ps=stages,
        met=tuple(int(b.met(turns)[turn]) if b.agents == kind else -1 for b in run.plan.budgets),
        requests=len(requests),
        prompt_tokens=sum(int(work.prompt_tokens[r]) for r in requests),
        hit_tokens=sum(int(results.hit_tokens[r]) for r in requests),
        output_tokens=sum(int(results.emitted_tokens[r]) for r in requests),
        attempts=sum(int(results.attempts[r]) for r in requests),
    )


def test_every_turn_that_ended_is_recorded_as_it_was(run: Run, path: Path) -> None:
    with Recording.open(path) as recording:
        for number, lane in enumerate(run.lanes.values()):
            ended = np.flatnonzero((lane.turns.state != TurnState.PENDING) & (lane.turns.start_ps >= 0))
            expected = [expected_end(lane, number, run, turn) for turn in ended.tolist()]
            found = recording.turn_ends(lane=number)
            assert sorted(found, key=lambda end: end.turn) == expected
            assert [end.end_ps for end in found] == sorted(end.end_ps for end in found)
            states = {end.state for end in found}
            assert TurnState.FAILED in states or number == 0
    assert len({end.requests for end in found}) > 1  # with tools, so that sums say something


def test_a_live_run_tells_the_same_turns(run: Run, path: Path) -> None:
    """Its messages, put into a recording, are those that the run in virtual time has written at once."""
    clock = PacedClock(paused=True)
    driver = LiveDriver(run.plan, clock, keep_population=False)
    told: list[TurnEnd] = []
    for second in range(1, 41):
        clock.step_to(second * S)
        driver.advance()
        told += driver.turn_ends()
    with Recording.open(path) as recording:
        assert sorted(told, key=lambda end: (end.end_ps, end.lane, end.turn)) == recording.turn_ends()
        hello = recording.hello()
        assert driver.begun_faults() == recording.faults()
    assert driver.hello(hello.run, hello.recording) == hello


def test_open_turns_are_there_too_and_end_with_the_run(run: Run, path: Path) -> None:
    with Recording.open(path) as recording:
        assert recording.duration_ps >= 40 * S
        ends = set()
        for number, lane in enumerate(run.lanes.values()):
            pending = [e for e in recording.turn_ends(lane=number, with_pending=True) if e.state == TurnState.PENDING]
            turns = lane.turns
            assert (
                sorted(e.turn for e in pending)
                == np.flatnonzero((turns.state == TurnState.PENDING) & (turns.start_ps >= 0)).tolist()
            )
            ends |= {end.end_ps for end in pending}
        assert ends == {40 * S}
        assert not any(isinstance(m, TurnEnd) and m.state == TurnState.PENDING for m in recording.messages())


def test_sql_counts_what_the_results_count(run: Run, path: Path) -> None:
    """Attainment of every budget, and how turns ended."""
    connection = sqlite3.connect(path)
    columns = dict(connection.execute("SELECT name, turns_column FROM budgets").fetchall())
    assert len(columns) == 3
    for number, lane in enumerate(run.lanes.values()):
        for outcome in lane.whole.budgets:
            column = columns[outcome.budget.name]
            query = f"SELECT sum({column}), count({column}) - sum({column}) FROM turns WHERE lane = ?"
            assert connection.execute(query, (number,)).fetchone() == (outcome.met, outcome.missed)
        states = dict(
            connection.execute("SELECT state, count(*) FROM turns WHERE lane = ? GROUP BY state", (number,)).fetchall()
        )
        whole = lane.whole
        assert [states.get(state, 0) for state in TurnState] == [
            whole.unfinished,
            whole.answered,
            whole.failed,
            whole.cancelled,
        ]
        mean = connection.execute(
            "SELECT avg(latency_ps) FROM turns WHERE lane = ? AND state = 1", (number,)
        ).fetchone()
        assert mean[0] == pytest.approx(whole.mean_ps)
    connection.close()


def test_faults_are_told_to_the_lanes_that_they_strike(path: Path) -> None:
    with Recording.open(path) as recording:
        assert recording.faults() == [
            FaultNote(5 * S, 1, "throttle", 0, 0.9, 15 * S),
            FaultNote(20 * S, 0, "slow", 0, 30.0, None),
            FaultNote(20 * S, 1, "slow", 0, 30.0, None),
            FaultNote(25 * S, 1, "gpu_down", 0, None, 30 * S),
        ]


def test_the_run_can_be_run_again_from_its_recording(run: Run, path: Path) -> None:
    with Recording.open(path) as recording:
        meta, hello = recording.metadata(), recording.hello()
    again = run_plan(plan_run(parse_scenario(meta.tables, Path("again.toml"))))
    assert meta.digest == again.digest == run.digest
    assert (meta.driver, meta.seed, meta.is_finished) == ("virtual", 5, True)
    assert hello.stages == next(iter(run.lanes.values())).turns.stage_names
    assert [lane.name for lane in hello.lanes] == ["trn-cs3", "gpu"]
    for info, lane in zip(hello.lanes, run.lanes.values(), strict=True):
        assert [server.name for server in info.servers] == [server.name for server in lane.results.servers]


def test_the_same_run_gives_the_same_rows(run: Run, path: Path, tmp_path: Path) -> None:
    write_run(tmp_path / "again", run)

    def rows(file: Path) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(file)
        try:
            return connection.execute("SELECT * FROM turns").fetchall()
        finally:
            connection.close()

    assert rows(tmp_path / "again") == rows(path)


def test_nothing_is_left_of_a_recording_that_cannot_be_written(run: Run, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("dear diary")
    with pytest.raises(InputError, match=r"--record: got .*notes.txt.* of another program"):
        write_run(notes, run, "--record")
    assert notes.read_text() == "dear diary"
    broken = replace(run, lanes={name: replace(lane, turns=None) for name, lane in run.lanes.items()})  # type: ignore[arg-type]  # to fail on the way
    with pytest.raises(AttributeError):
        write_run(tmp_path / "run", broken)
    assert os.listdir(tmp_path) == ["notes.txt"]


def test_a_recording_replaces_an_older_one(run: Run, path: Path, tmp_path: Path) -> None:
    write_run(tmp_path / "run", run)
    (tmp_path / "run-wal").write_bytes(b"left by a killed writer")
    write_run(tmp_path / "run", run)
    with Recording.open(tmp_path / "run") as recording, Recording.open(path) as first:
        assert recording.turn_ends() == first.turn_ends()
