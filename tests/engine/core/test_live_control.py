"""What a live driver asks of an engine: the next event, sessions that start and retire on demand, a look inside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle.cases import random_case
from support.small import MS, colocated, disaggregated, workload

from subsecond.engine.core.config import NOT_SCHEDULED, Pipeline, Status, Workload
from subsecond.engine.core.engine import Engine, simulate
from subsecond.engine.core.results import STAGES, open_stage


def waiting(sessions: int = 6, scheduled: int = 2) -> Workload:
    """Sessions of which only the first few have a start."""
    work = workload(sessions=sessions)
    starts = work.session_start_ps.copy()
    starts[scheduled:] = NOT_SCHEDULED
    return replace(work, session_start_ps=starts)


@pytest.mark.parametrize("compiled", [False, None])
@pytest.mark.parametrize("pipeline", [colocated(), disaggregated()], ids=["gpu", "split"])
def test_a_session_started_by_hand_is_as_one_with_that_start(pipeline: Pipeline, compiled: bool | None) -> None:
    usual = workload(sessions=6)
    engine = Engine(pipeline, waiting(), compiled=compiled)
    for session in (5, 3, 2, 4):  # in any order
        engine.start_session(session, int(usual.session_start_ps[session]))
    engine.run()
    assert engine.results().digest() == simulate(pipeline, usual, compiled=False).digest()


def test_a_session_can_be_started_while_the_engine_runs() -> None:
    engine = Engine(colocated(), waiting(), compiled=False)
    engine.run()
    assert engine.next_event_ps is None
    at = engine.now_ps + 5 * MS
    engine.start_session(4, at)
    engine.run()
    results = engine.results()
    assert results.arrival_ps[12] == at
    assert list(results.status[12:15]) == [Status.FINISHED] * 3
    assert results.arrival_ps[9] == -1


def test_what_cannot_be_started_is_refused() -> None:
    engine = Engine(colocated(), waiting(), compiled=False)
    engine.run_until(20 * MS)
    with pytest.raises(ValueError, match="waits for its start"):
        engine.start_session(0, 30 * MS)
    with pytest.raises(ValueError, match="waits for its start"):
        engine.start_session(6, 30 * MS)
    with pytest.raises(ValueError, match="has passed"):
        engine.start_session(3, 1 * MS)
    engine.start_session(3, 30 * MS)
    with pytest.raises(ValueError, match="has been started"):
        engine.start_session(3, 31 * MS)
    engine.run()
    with pytest.raises(ValueError, match="has been started"):
        engine.start_session(3, engine.now_ps + 1)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_running_from_event_to_event_is_one_run(number: int) -> None:
    case = random_case(number)
    whole = simulate(case.pipeline, case.workload, case.faults, case.seed, compiled=False)
    engine = Engine(case.pipeline, case.workload, case.faults, seed=case.seed, compiled=False)
    before = -1
    while (at := engine.next_event_ps) is not None:
        assert at >= before
        engine.run_until(at)
        before = at
    assert engine.results().digest() == whole.digest()


def test_a_retired_session_ends_with_its_present_request() -> None:
    engine = Engine(colocated(), workload(sessions=2, gap_ps=10 * MS), compiled=False)
    engine.run_until(4 * MS)
    assert engine.sessions().is_active[0]
    engine.retire(0)
    engine.run()
    assert list(engine.results().status) == [Status.FINISHED, 0, 0, *[Status.FINISHED] * 3]


def test_a_session_retired_between_two_requests_sends_nothing_more() -> None:
    engine = Engine(colocated(), workload(sessions=1, gap_ps=1000 * MS), compiled=False)
    engine.run_until(500 * MS)
    columns = engine.sessions()
    assert not columns.is_active[0]
    assert columns.request[0] == 1
    engine.retire(0)
    engine.run()
    assert list(engine.results().status) == [Status.FINISHED, 0, 0]
    with pytest.raises(ValueError, match="session must be"):
        engine.retire(1)


def test_the_columns_say_where_a_session_is() -> None:
    engine = Engine(disaggregated(), workload(sessions=3), compiled=False)
    seen = set()
    while (at := engine.next_event_ps) is not None:
        engine.run_until(at)
        columns = engine.sessions()
        for session in np.flatnonzero(columns.is_active):
            seen.add(open_stage(int(columns.stage[session])))
            assert 0 <= columns.request[session] < columns.request_end[session]
    assert seen >= {"routing", "prefill", "handoff", "decode_rest"}
    assert seen <= set(STAGES)


def test_results_of_some_requests_are_those_of_all() -> None:
    engine = Engine(disaggregated(), workload(sessions=5), compiled=False)
    engine.run_until(15 * MS)
    pick = np.array([7, 0, 3])
    some, everything = engine.results(pick), engine.results()
    assert np.array_equal(some.arrival_ps, everything.arrival_ps[pick])
    assert np.array_equal(some.first_ps, everything.first_ps[pick])
    for stage in STAGES:
        assert np.array_equal(some.stages[stage], everything.stages[stage][pick])
