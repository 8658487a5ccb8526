"""A recording once more: unchanged it gives the recorded turns to the picosecond, changed it says what differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.recorded_live import TABLES, LiveRun

from subsecond.agents.plan import plan_run
from subsecond.agents.rerun import Changes, Rerun, rerun
from subsecond.engine.core.config import Submission
from subsecond.engine.errors import InputError
from subsecond.engine.live.outside import Conversation
from subsecond.engine.recording.from_run import write_run
from subsecond.engine.recording.reader import Recording
from subsecond.engine.recording.schema import FIXED_COLUMNS
from subsecond.engine.run import run_plan
from subsecond.engine.scenario import FaultTable, parse_scenario

S, MS = 10**12, 10**9
NAMES = FIXED_COLUMNS[1:]
TURN, SESSION, INDEX = (NAMES.index(name) for name in ("turn", "session", "turn_index"))


def again(path: Path, **changes: Any) -> Rerun:
    with Recording.open(path) as recording:
        return rerun(recording, Changes(**changes))


def recorded_turns(path: Path, lane: int) -> dict[int, tuple[int, ...]]:
    """By turn, all of a recording's columns; -1 for nothing."""
    with Recording.open(path) as recording:
        turns = recording.turns(lane)
        columns = [getattr(turns, "index" if name == "turn_index" else name) for name in NAMES]
        table = np.concatenate([np.array(columns), turns.stages_ps.T, turns.met.T])
    return {int(row[TURN]): tuple(row.tolist()) for row in table.T}


def rerun_turns(found: Rerun, lane: int) -> dict[int, tuple[int, ...]]:
    table = np.where(found.tables[lane] == np.iinfo(np.int64).min, -1, found.tables[lane])
    return {int(row[TURN]): tuple(row.tolist()) for row in table.T}


def same_turns(path: Path, found: Rerun, lane: int, *, but: frozenset[int] = frozenset()) -> int:
    """How many turns there are; the recording has all that the re-run has but those that ended after the last look."""
    before = {turn: row for turn, row in recorded_turns(path, lane).items() if row[SESSION] not in but}
    after = {turn: row for turn, row in rerun_turns(found, lane).items() if row[SESSION] not in but}
    end = NAMES.index("end_ps")
    late = {turn for turn, row in after.items() if row[end] >= found.end_ps - 200 * MS}
    assert set(before) <= set(after)
    assert set(after) - set(before) <= late
    for turn, row in before.items():
        assert after[turn] == row
    return len(before)


def test_a_run_in_virtual_time_comes_out_the_same(tmp_path: Path) -> None:
    tables = TABLES | {"duration_s": 60.0, "faults": [{"kind": "gpu_down", "at_s": 20.0, "duration_s": 5.0}]}
    run = run_plan(plan_run(parse_scenario(tables, Path("small.toml"))))
    write_run(tmp_path / "run", run)
    found = again(tmp_path / "run")
    assert found.digest == run.digest
    assert found.remarks == ()
    found.write(tmp_path / "again")
    with Recording.open(tmp_path / "run") as one, Recording.open(tmp_path / "again") as other:
        assert one.metadata().digest == other.metadata().digest
        assert one.turn_ends(with_pending=True) == other.turn_ends(with_pending=True)
        assert one.faults() == other.faults()
    assert again(tmp_path / "again").digest == run.digest


def test_faults_can_be_left_out_of_a_run_in_virtual_time(tmp_path: Path) -> None:
    tables = TABLES | {"duration_s": 60.0, "faults": [{"kind": "gpu_down", "at_s": 20.0, "duration_s": 5.0}]}
    write_run(tmp_path / "run", run_plan(plan_run(parse_scenario(tables, Path("small.toml")))))
    without = {key: value for key, value in tables.items() if key != "faults"}
    expected = run_plan(plan_run(parse_scenario(without, Path("small.toml"))))
    assert again(tmp_path / "run", has_faults=False).digest == expected.digest
    assert again(tmp_path / "run", seed=6).digest != expected.digest


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sessions that begin and are retired, faults that are injected and mended, a knob."""
    path = tmp_path_factory.mktemp("recordings") / "live"
    run = LiveRun(path)
    run.go(20)
    run.driver.set_load("coding", 10)
    run.inject(FaultTable("gpu_down", 0.0, 4.0))
    run.go(10)
    run.turn("gpu", "utilisation_factor", 0.3)
    run.driver.set_load("voice", arrivals_per_s=0.5)
    run.inject(FaultTable("throttle", 0.0, 60.0, "trn-cs3", 0, 0.4))
    run.inject(FaultTable("stall", 0.0, 30.0, "trn-cs3"))
    run.go(3)
    run.mend("stall", 0)
    run.go(7)
    run.mend("throttle", 0, "trn-cs3")
    run.driver.set_load("coding", 2)
    run.turn("gpu", "utilisation_factor", 0.8)
    run.go(30)
    run.close()
    return path


def test_a_live_run_comes_out_the_same_to_the_picosecond(live: Path) -> None:
    found = again(live)
    assert found.remarks == ()
    assert found.digest is None
    assert [same_turns(live, found, lane) > 50 for lane in (0, 1)] == [True, True]
    with Recording.open(live) as recording:
        script = recording.script()
    assert any(note.is_retired for note in script.sessions)
    assert {note.lane for note in script.sessions if not note.is_retired} == {0, 1}


def test_a_re_run_is_a_recording_that_runs_again(live: Path, tmp_path: Path) -> None:
    first = again(live, settings=("gpu.replicas=2",))
    first.write(tmp_path / "again")
    second = again(tmp_path / "again")
    for lane in (0, 1):
        assert np.array_equal(first.tables[lane], second.tables[lane])


def test_faults_and_knobs_happen_again_unless_they_are_left_out(live: Path) -> None:
    unchanged = again(live)
    healthy = again(live, has_faults=False)
    unturned = again(live, has_knobs=False)
    attempts = [found.tables[0][NAMES.index("attempts")].sum() for found in (unchanged, healthy)]
    assert attempts[0] > attempts[1] == 0  # requests were throttled and came again
    assert np.array_equal(unturned.tables[0], unchanged.tables[0])
    assert not np.array_equal(unturned.tables[1], unchanged.tables[1])


def test_what_is_set_stays_so_whatever_was_turned(live: Path) -> None:
    found = again(live, settings=("gpu.utilisation_factor=0.9",))
    assert [text.partition(":")[0] for text in found.remarks] == ["gpu", "gpu"]
    assert all("stays as set" in text for text in found.remarks)
    same_turns(live, found, 0)


def test_other_pipelines_do_the_recorded_work(live: Path) -> None:
    found = again(live, pipelines=("gpu", "gpu-b200"))
    assert [lane.name for lane in found.hello.lanes] == ["gpu", "gpu-b200"]
    assert any("gpu-b200: sessions begin when they began on trn-cs3" in text for text in found.remarks)
    theirs = recorded_turns(live, 1)
    assert {turn: row[1:] for turn, row in rerun_turns(found, 0).items() if turn in theirs} == {
        turn: row[1:] for turn, row in theirs.items()
    }


def test_the_sessions_of_a_live_run_are_as_they_were(live: Path) -> None:
    with pytest.raises(InputError, match="the sessions of a live recording are as they were"):
        again(live, settings=("coding.sessions=3",))
    throttled = again(live, seed=99)
    assert not np.array_equal(throttled.tables[0], again(live).tables[0])


def test_a_fault_on_a_part_that_is_gone_is_left_out_and_said(tmp_path: Path) -> None:
    run = LiveRun(tmp_path / "run", TABLES | {"pipelines": {"trn-cs3": {"prefill_replicas": 2}}})
    run.go(5)
    run.inject(FaultTable("prefill_down", 0.0, 2.0, "trn-cs3", 1))
    run.go(5)
    run.close()
    found = again(tmp_path / "run", settings=("trn-cs3.prefill_replicas=1",))
    assert ["prefill_down 1" in text for text in found.remarks] == [True]


def talk(run: LiveRun, conversation: Conversation, lane: int, turns: int, **how: Any) -> None:
    """A conversation of so many turns, each sent a second after the reply; every other turn has a tool call in it."""
    left = [turns]

    def ask() -> None:
        number = turns - left[0]
        left[0] -= 1
        then = (lambda: run.at_s(1.0, ask)) if left[0] else None
        submission = Submission(3000 + 500 * number, 40 + number, reuse_tokens=2900 * (number > 0), **how)
        run.ask(conversation, lane, submission, then, ends_turn=number % 2 == 1, before_ps={"endpointing": 5 * MS})

    ask()


@pytest.mark.parametrize("lane", [0, 1])
def test_agents_from_outside_ask_again_what_they_asked(lane: int, tmp_path: Path) -> None:
    run = LiveRun(tmp_path / "run")
    outside = run.driver.outside
    group = len(run.driver.plan.workload.group_tokens) - 1
    run.go(3)
    for _ in range(5):
        talk(run, opened(run), lane, 6, group=group, group_tokens=1024)
        run.go(0.7)
    run.go(4)
    last = opened(run)
    outside.forget_group(group)
    ticket = run.ask(last, lane, Submission(4000, 9000, group=group, group_tokens=1024))
    run.go(2)
    outside.cancel(ticket, run.driver.now_ps)
    run.go(30)
    outside.close(last, run.driver.now_ps)
    talk(run, opened(run), lane, 2)
    run.go(10)
    run.close()
    found = again(tmp_path / "run")
    assert found.remarks == ()
    with Recording.open(tmp_path / "run") as recording:
        requests = recording.script().requests
    assert len(requests) == 5 * 6 + 1 + 2
    assert [request.cancelled_ps > S for request in requests].count(True) == 1
    assert len({request.prefix for request in requests}) == 3
    assert same_turns(tmp_path / "run", found, lane) > 50
    # a lane that shadowed them never sent before the agent did, which a lane by itself knows nothing of
    shadow = recorded_turns(tmp_path / "run", 1 - lane), rerun_turns(found, 1 - lane)
    assert set(shadow[0]) <= set(shadow[1])
    script = [NAMES.index(name) for name in ("turn", "session", "turn_index", "agent", "requests", "prompt_tokens")]
    for turn, row in shadow[0].items():
        assert [shadow[1][turn][place] for place in script] == [row[place] for place in script]


def opened(run: LiveRun) -> Conversation:
    conversation = run.driver.outside.open()
    assert conversation is not None
    return conversation


def test_a_recording_without_its_scenario_cannot_run_again(tmp_path: Path) -> None:
    from support.recordings import hello

    from subsecond.engine.recording.writer import Recorder

    Recorder(tmp_path / "run", hello()).close()
    with pytest.raises(InputError, match="the scenario it came from"):
        again(tmp_path / "run")
