"""Requests that come from outside while the engine runs: as if they had been in the workload from the start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.small import MS, colocated, disaggregated, workload

from subsecond.engine.core.config import NOT_SCHEDULED, Pipeline, Status, Submission, Workload
from subsecond.engine.core.engine import Engine
from subsecond.engine.core.results import STAGES

PIPELINES = [colocated(), disaggregated()]
IDS = ["gpu", "split"]


def outside(sessions: int, groups: int = 0) -> Workload:
    """Sessions that requests can be submitted to."""
    one = workload(sessions=sessions, requests=1)
    return replace(
        one,
        session_start_ps=np.full(sessions, NOT_SCHEDULED),
        group_tokens=np.zeros(groups, np.int64),
    )


def submission(work: Workload, request: int) -> Submission:
    return Submission(
        prompt_tokens=int(work.prompt_tokens[request]),
        output_tokens=int(work.output_tokens[request]),
        reuse_tokens=int(work.reuse_tokens[request]),
        milestone_tokens=int(work.milestone_tokens[request]),
    )


def rows_of(engine: Engine, request: int) -> list[int]:
    """All results of one request."""
    r = engine.results(np.array([request]))
    columns = (r.status, r.arrival_ps, r.first_ps, r.milestone_ps, r.finish_ps, r.emitted_tokens, r.hit_tokens)
    return [int(column[0]) for column in (*columns, *(r.stages[name] for name in STAGES))]


@pytest.mark.parametrize("compiled", [False, None])
@pytest.mark.parametrize("pipeline", PIPELINES, ids=IDS)
def test_requests_submitted_one_by_one_are_those_of_a_session(pipeline: Pipeline, compiled: bool | None) -> None:
    work = workload(sessions=5, requests=4, gap_ps=7 * MS)
    usual = Engine(pipeline, work, compiled=compiled)
    usual.run()
    engine = Engine(pipeline, outside(5), compiled=compiled)
    following = [0] * 5
    for session in range(5):
        engine.submit(session, int(work.session_start_ps[session]), submission(work, 4 * session))
    while (at := engine.next_event_ps) is not None:
        engine.run_until(at)
        columns = engine.sessions()
        for session in range(5):
            request = 4 * session + following[session]
            if following[session] == 4 or columns.is_active[session] or columns.arrive_ps[session] >= 0:
                continue
            assert rows_of(engine, session) == rows_of(usual, request)
            following[session] += 1
            if following[session] < 4:
                gap = int(work.gap_ps[request + 1])
                sent = int(engine.results(np.array([session])).finish_ps[0]) + pipeline.network_ps + gap
                engine.submit(session, sent, submission(work, request + 1))
    assert following == [4] * 5


@pytest.mark.parametrize("compiled", [False, None])
@pytest.mark.parametrize("pipeline", PIPELINES, ids=IDS)
def test_tokens_given_are_those_of_the_journal(pipeline: Pipeline, compiled: bool | None) -> None:
    work = workload(sessions=4, requests=1)
    usual = Engine(pipeline, work, compiled=compiled, keep_journal=True)
    usual.run()
    times = usual.token_times()
    engine = Engine(pipeline, work, compiled=compiled)
    sessions = np.arange(4)
    looks = sorted({int(at) + d for mine in times for at in mine for d in (-1, 0, 1)})
    for at in looks:
        engine.run_until(at)
        expected = [int(np.searchsorted(mine, at, side="right")) for mine in times]
        assert engine.given(sessions).tolist() == expected


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 40), st.booleans()), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None, derandomize=True)
@pytest.mark.parametrize("pipeline", PIPELINES, ids=IDS)
def test_any_order_of_sending_and_cancelling_leaves_nothing_behind(
    pipeline: Pipeline, steps: list[tuple[int, int, bool]]
) -> None:
    engine = Engine(pipeline, outside(3), compiled=False)
    now = 0
    for session, passed_ms, is_cancel in steps:
        now += passed_ms * MS
        engine.run_until(now)
        columns = engine.sessions()
        is_open = bool(columns.is_active[session]) or columns.arrive_ps[session] >= 0
        if is_cancel:
            engine.cancel(session, now + 1)
        elif not is_open:
            engine.submit(session, now + 1, Submission(prompt_tokens=50, output_tokens=20, reuse_tokens=10))
        before = engine.given(np.arange(3))
        engine.run_until(now + MS // 2)
        assert ((engine.given(np.arange(3)) >= before) | (before == 20) | is_cancel | ~columns.is_active).all()
    engine.run()
    results = engine.results()
    assert set(results.status.tolist()) <= {Status.UNFINISHED, Status.FINISHED, Status.CANCELLED}
    assert [load.used_units for load in engine.loads()] == [0] * len(engine.loads())
    ended = results.status > 0
    total = sum(results.stages[name] for name in STAGES)
    whole = results.finish_ps + results.network_ps - results.arrival_ps
    assert (total[ended] == whole[ended]).all()


@pytest.mark.parametrize("compiled", [False, None])
@pytest.mark.parametrize("pipeline", PIPELINES, ids=IDS)
def test_places_in_a_queue_are_those_before(pipeline: Pipeline, compiled: bool | None) -> None:
    """Prompts as long as a whole iteration: one is read at a time, on two prefill servers or on one GPU."""
    engine = Engine(pipeline, outside(9), compiled=compiled)
    for session in range(9):
        engine.submit(session, 1 + session, Submission(prompt_tokens=500, output_tokens=50))
    servers = 2 if pipeline.decode is not None else 1
    engine.run_until(2 * MS + 100)  # all have been routed, the first ones are read
    queued = [engine.queue_position(session) for session in range(9)]
    assert queued == [None] * servers + [place // servers for place in range(9 - servers)]
    engine.run()
    assert [engine.queue_position(session) for session in range(9)] == [None] * 9


def test_a_warm_group_saves_its_tokens_until_it_is_forgotten() -> None:
    engine = Engine(colocated(), outside(4, groups=1), compiled=False)
    hits = []
    for session in range(4):
        if session == 3:
            engine.forget_group(0)
        at = engine.now_ps + 1
        engine.submit(session, at, Submission(prompt_tokens=60, output_tokens=2, group=0, group_tokens=40))
        engine.run()
        hits.append(int(engine.results(np.array([session])).hit_tokens[0]))
    assert hits == [0, 40, 40, 0]


def test_throttled_requests_of_one_session_draw_on() -> None:
    """Each has a chance of its own, though they use one row."""
    from subsecond.engine.core.config import Fault, FaultKind

    half = Fault(0, FaultKind.THROTTLE, value=1 << 30)
    engine = Engine(replace(colocated(), max_attempts=0), outside(1), [half], compiled=False)
    engine.run_until(MS)
    states = []
    for _ in range(64):
        engine.submit(0, engine.now_ps + MS, Submission(prompt_tokens=10, output_tokens=1))
        engine.run()
        states.append(int(engine.results(np.array([0])).status[0]))
    assert 16 < states.count(Status.FINISHED) < 48


def test_what_cannot_be_submitted_is_refused() -> None:
    engine = Engine(colocated(), workload(sessions=2, requests=1), compiled=False)
    one = Submission(prompt_tokens=10, output_tokens=1)
    for session in (-1, 0, 2):
        with pytest.raises(ValueError, match="not one that requests can be submitted to"):
            engine.submit(session, 10 * MS, one)
    engine = Engine(colocated(), outside(2), compiled=False)
    engine.submit(0, MS, one)
    with pytest.raises(ValueError, match="under way"):
        engine.submit(0, 2 * MS, one)
    with pytest.raises(ValueError, match="group must be"):
        engine.submit(1, 2 * MS, replace(one, group=0))
    engine.run()
    with pytest.raises(ValueError, match="has passed"):
        engine.submit(1, -MS, one)
    with pytest.raises(ValueError, match="group must be"):
        engine.forget_group(0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt_tokens", 0),
        ("output_tokens", 0),
        ("reuse_tokens", 10),
        ("milestone_tokens", 6),
        ("prompt_tokens", 1 << 24),
    ],
)
def test_impossible_submissions_are_refused(field: str, value: int) -> None:
    fields = {"prompt_tokens": 10, "output_tokens": 5, field: value}
    with pytest.raises(ValueError, match="must be"):
        Submission(**fields)
