"""A recording at a glance: counted once, and from then on only what is new."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.recordings import S, hello, turn

from subsecond.engine.commands import SetKnob
from subsecond.engine.feed import Annotation, Clock, FaultNote
from subsecond.engine.recording.overview import overview
from subsecond.engine.recording.reader import Recording
from subsecond.engine.recording.writer import Recorder
from subsecond.engine.turns import TurnState


def test_turns_are_counted_by_the_second_of_their_end(tmp_path: Path) -> None:
    turns = [turn(number, number % 2) for number in range(300)]
    with Recorder(tmp_path / "run", hello()) as recorder:
        for one in turns:
            recorder.put(one)
        recorder.put(FaultNote(S, 0, "gpu_down", 0, None, 2 * S))
        recorder.put(SetKnob("lane0", "router_ms", 2.0), 2 * S)
    with Recording.open(tmp_path / "run") as recording:
        found = overview(recording)
    ends = np.array([one.end_ps // S for one in turns])
    late = np.array([one.state == TurnState.FAILED or 0 in one.met for one in turns])
    assert found.turns.tolist() == np.bincount(ends, minlength=len(found.turns)).tolist()
    assert found.late.tolist() == np.bincount(ends[late], minlength=len(found.turns)).tolist()
    assert [fault.at_ps for fault in found.faults] == [S]
    assert [at for at, _ in found.knobs] == [2 * S]
    assert found.is_finished


def test_a_recording_that_grows_is_counted_on(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", hello()) as recorder:
        recorder.put(turn(0))
        recorder.flush()
        with Recording.open(tmp_path / "run") as recording:
            first = overview(recording)
            for number in range(1, 500):
                recorder.put(turn(number))
            recorder.put(Annotation(2 * S, "look"))
            recorder.put(Clock(900 * S, 0.0, 1.0, False, 0.0, 0.0))
            recorder.flush()
            second, fresh = overview(recording, first), overview(recording)
    assert (first.turns.sum(), second.turns.sum()) == (1, 500)
    assert second.end_ps == 900 * S
    assert second.annotations == (Annotation(2 * S, "look"),)
    assert not second.is_finished
    for name in ("turns", "late"):
        assert getattr(second, name).tolist() == getattr(fresh, name).tolist()


@pytest.mark.parametrize("budgets", [(), None])
def test_a_recording_without_turns_or_budgets(tmp_path: Path, budgets: tuple[()] | None) -> None:
    import msgspec

    first = hello() if budgets is None else msgspec.structs.replace(hello(), budgets=budgets)
    with Recorder(tmp_path / "run", first):
        pass
    with Recording.open(tmp_path / "run") as recording:
        found = overview(recording)
    assert (found.end_ps, found.turns.sum(), found.late.sum(), found.faults, found.knobs) == (0, 0, 0, (), ())
