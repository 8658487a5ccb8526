"""Laws that hold in every run; `docs/laws.md` lists them with their reasons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from oracle.cases import Case, random_case
from oracle.compare import run_engine, slices_of
from support.small import workload

from subsecond.engine.core.config import Fault, FaultKind, Link, Pipeline, Pool, Role, Status, StepCost
from subsecond.engine.core.engine import Engine
from subsecond.engine.core.results import STAGES, Results

CASES = st.integers(0, 2**32 - 1).map(random_case)
AMPLE = 1 << 40

law = settings(
    max_examples=120,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def results_of(case: Case) -> Results:
    return run_engine(case, compiled=False).results()


def without_surprises(case: Case) -> Case:
    """The case without faults, cancels and barge-ins."""
    quiet = replace(case.workload, is_barge_in=np.zeros_like(case.workload.is_barge_in))
    return replace(case, workload=quiet, faults=(), externals=())


def with_one_server(case: Case, capacity_units: int = 0) -> Case:
    """The case with one server per pool, and that much KV memory, where it is not 0, for each."""

    def alone(pool: Pool) -> Pool:
        return replace(pool, num_servers=1, capacity_units=capacity_units or pool.capacity_units)

    p = case.pipeline
    decode, fallback = p.decode and alone(p.decode), p.fallback and alone(p.fallback)
    link = p.link and replace(p.link, staging_units=AMPLE)
    return replace(case, pipeline=replace(p, entry=alone(p.entry), decode=decode, fallback=fallback, link=link))


def stretched(case: Case, factor: int) -> Case:
    """The case with every duration and every time multiplied."""

    def cost(c: StepCost) -> StepCost:
        return StepCost(
            c.compute_ps * factor,
            c.memory_ps * factor,
            c.prefill_pair_ps * factor,
            c.decode_unit_ps * factor,
            c.kv_unit_ps * factor,
        )

    p, w = case.pipeline, case.workload
    pipeline = replace(
        p,
        entry=replace(p.entry, cost=cost(p.entry.cost)),
        fallback=p.fallback and replace(p.fallback, cost=cost(p.fallback.cost)),
        network_ps=p.network_ps * factor,
        route_ps=p.route_ps * factor,
        detect_ps=p.detect_ps * factor,
        retry_ps=p.retry_ps * factor,
    )
    work = replace(
        w,
        session_start_ps=w.session_start_ps * factor,
        gap_ps=w.gap_ps * factor,
        hold_ps=w.hold_ps * factor,
    )
    faults = tuple(
        replace(f, at_ps=f.at_ps * factor, value=f.value * (factor if f.kind is FaultKind.STALL_UNTIL else 1))
        for f in case.faults
    )
    return replace(case, pipeline=pipeline, workload=work, faults=faults, externals=())


def stopping(engine: Engine, step_ps: int) -> Iterator[int]:
    """Run to the end, and stop a few hundred times on the way, ever more rarely: cases differ widely in length."""
    until = 0
    while not engine.run_until(until):
        yield until
        until += step_ps + until // 20
    yield until


def union_ps(starts: np.ndarray, ends: np.ndarray) -> int:
    """Length of the union of intervals."""
    total, reached = 0, -1
    for start, end in sorted(zip(starts.tolist(), ends.tolist(), strict=True)):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


@law
@given(CASES)
def test_every_request_ends_once(case: Case) -> None:
    results = results_of(case)
    assert (results.status != Status.UNFINISHED).all()
    assert (results.finish_ps >= results.arrival_ps + results.network_ps).all()
    assert (results.arrival_ps >= 0).all()


@law
@given(CASES)
def test_a_request_has_all_its_tokens_exactly_if_it_finished(case: Case) -> None:
    results = results_of(case)
    output = case.workload.output_tokens
    finished = results.status == Status.FINISHED
    assert (results.emitted_tokens[finished] == output[finished]).all()
    assert (results.emitted_tokens[~finished] < output[~finished]).all()
    assert (results.hit_tokens < case.workload.prompt_tokens + results.emitted_tokens).all()


@law
@given(CASES)
def test_prompt_tokens_are_computed_or_found(case: Case) -> None:
    quiet = without_surprises(case)
    results = results_of(quiet)
    assume(not any(s.preemptions for s in results.servers))
    came = results.status == Status.FINISHED
    computed = sum(s.prefill_tokens + s.hit_tokens for s in results.servers)
    assert computed == int(quiet.workload.prompt_tokens[came].sum())


@law
@given(CASES)
def test_nothing_is_before_its_cause(case: Case) -> None:
    results = results_of(case)
    w, network = case.workload, results.network_ps
    has_first, has_milestone = results.first_ps >= 0, results.milestone_ps >= 0
    assert (results.first_ps > results.arrival_ps + network)[has_first].all()
    assert (results.milestone_ps >= results.first_ps)[has_milestone].all()
    assert (results.finish_ps >= results.first_ps).all()
    assert (results.finish_ps >= results.milestone_ps).all()
    assert (has_first >= has_milestone).all()
    follows = np.diff(np.searchsorted(w.session_first_request, np.arange(w.num_requests), side="right")) == 0
    sent, ended = results.arrival_ps[1:], results.finish_ps[:-1] + network
    assert (sent >= ended + w.gap_ps[1:])[follows].all()
    for session, parent in enumerate(w.session_parent_request.tolist()):
        if parent >= 0:
            first, last = w.session_first_request[session], w.session_first_request[session + 1] - 1
            assert results.arrival_ps[first] >= results.finish_ps[parent] + network + w.gap_ps[first]
            if parent + 1 < w.num_requests and follows[parent]:
                assert results.arrival_ps[parent + 1] >= results.finish_ps[last] + network


@law
@given(CASES)
def test_token_times_ascend_from_the_first_token_over_the_milestone_to_the_last(case: Case) -> None:
    engine = run_engine(case, compiled=False, slices=slices_of(case))
    results = engine.results()
    for r, times in enumerate(engine.token_times()):
        assert len(times) == results.emitted_tokens[r]
        if not len(times):
            assert results.first_ps[r] == -1
            continue
        assert (np.diff(times) >= 0).all()
        assert times[0] == results.first_ps[r]
        assert times[-1] <= results.finish_ps[r]
        if results.milestone_ps[r] >= 0:
            assert times[case.workload.milestone_tokens[r] - 1] == results.milestone_ps[r]
        if results.status[r] == Status.FINISHED:
            assert times[-1] == results.finish_ps[r]


@law
@given(CASES)
def test_kv_used_retained_and_free_are_the_capacity(case: Case) -> None:
    engine = Engine(case.pipeline, case.workload, case.faults, seed=case.seed, compiled=False)
    for _ in stopping(engine, step_ps=17):
        for load in engine.loads():
            assert load.used_units + load.retained_units + load.free_units == load.capacity_units
            assert min(load.used_units, load.retained_units, load.free_units) >= 0
            assert load.used_units <= load.capacity_units
    for load, counters in zip(engine.loads(), engine.results().servers, strict=True):
        assert (load.used_units, load.num_requests, load.num_decoding) == (0, 0, 0)
        assert not load.is_busy
        assert counters.peak_used_units <= load.capacity_units


@law
@given(CASES)
def test_stages_tile_every_request(case: Case) -> None:
    results = results_of(case)
    stages = np.array([results.stages[name] for name in STAGES])
    assert (stages >= 0).all()
    assert (stages.sum(axis=0) == results.finish_ps + results.network_ps - results.arrival_ps).all()


@law
@given(CASES)
def test_the_same_seed_gives_the_same_bytes(case: Case) -> None:
    first, second = (run_engine(case, compiled=False) for _ in range(2))
    assert first.results().digest() == second.results().digest()
    assert first.results().events == second.results().events
    for mine, other in zip(first.token_times(), second.token_times(), strict=True):
        assert mine.tobytes() == other.tobytes()


@law
@given(CASES, st.integers(1, 500))
def test_a_run_in_slices_is_one_run(case: Case, step_ps: int) -> None:
    engine = Engine(case.pipeline, case.workload, case.faults, seed=case.seed, compiled=False)
    for _ in stopping(engine, step_ps):
        engine.results()  # looking changes nothing
    whole = Engine(case.pipeline, case.workload, case.faults, seed=case.seed, compiled=False)
    whole.run()
    assert engine.results().digest() == whole.results().digest()


@law
@given(CASES, CASES, st.integers(1, 500))
def test_engines_in_one_process_do_not_disturb_each_other(case: Case, other: Case, step_ps: int) -> None:
    def built(c: Case) -> Engine:
        return Engine(c.pipeline, c.workload, c.faults, seed=c.seed, compiled=False)

    alone, alone_too = built(case), built(other)
    alone.run()
    alone_too.run()
    one, two = built(case), built(other)
    turns = [stopping(one, step_ps), stopping(two, step_ps)]
    while turns:
        turns = [engine for engine in turns if next(engine, None) is not None]
    assert one.results().digest() == alone.results().digest()
    assert two.results().digest() == alone_too.results().digest()


@law
@given(CASES)
def test_a_gpu_with_a_request_is_not_idle(case: Case) -> None:
    alone = with_one_server(without_surprises(case))
    assume(alone.pipeline.entry.role is Role.COLOCATED)
    results = results_of(alone)
    came = results.status == Status.FINISHED
    queued = results.arrival_ps + results.network_ps + results.stages["routing"]
    assert results.servers[0].busy_ps == union_ps(queued[came], results.finish_ps[came])


@law
@given(CASES)
def test_a_prefill_server_with_a_request_is_not_idle(case: Case) -> None:
    alone = with_one_server(without_surprises(case), AMPLE)
    assume(alone.pipeline.entry.role is Role.PREFILL)
    results = results_of(alone)
    stages = results.stages
    queued = results.arrival_ps + results.network_ps + stages["routing"]
    assert results.servers[0].busy_ps == union_ps(queued, queued + stages["prefill_queue"] + stages["prefill"])


@law
@given(CASES)
def test_a_decode_server_with_a_landed_request_is_not_idle(case: Case) -> None:
    alone = with_one_server(without_surprises(case), AMPLE)
    assume(alone.pipeline.entry.role is Role.PREFILL)
    results = results_of(alone)
    before = ("routing", "prefill_queue", "prefill", "decode_queue", "handoff_queue", "handoff")
    landed = results.arrival_ps + results.network_ps + sum(results.stages[name] for name in before)
    assert results.servers[1].busy_ps == union_ps(landed, results.finish_ps)


@law
@given(CASES, st.sampled_from(FaultKind), st.integers(0, 2000))
def test_the_past_does_not_depend_on_the_future(case: Case, kind: FaultKind, at_ps: int) -> None:
    value = 1 if kind in (FaultKind.SERVER_SLOW, FaultKind.THROTTLE, FaultKind.HANDOFF_LOSS) else 0
    assume(kind is not FaultKind.LINK_RATE or case.pipeline.decode is not None)
    with_fault, without = (
        Engine(case.pipeline, case.workload, faults, compiled=False, can_fail=True)
        for faults in ([Fault(at_ps, kind, 0, value)], [])
    )
    with_fault.cancel(0, at_ps)
    for engine in (with_fault, without):
        engine.run_until(at_ps - 1)
    assert with_fault.results().digest() == without.results().digest()


@law
@given(CASES, st.integers(2, 1000))
def test_time_has_no_unit_of_its_own(case: Case, factor: int) -> None:
    """All durations times a factor: all times times that factor. (Links and slow servers round, GPUs do not.)"""
    assume(case.pipeline.entry.role is Role.COLOCATED)
    assume(not any(fault.kind is FaultKind.SERVER_SLOW for fault in case.faults))
    once = results_of(replace(case, externals=()))
    times = results_of(stretched(case, factor))
    assert (times.status == once.status).all()
    assert (times.arrival_ps == once.arrival_ps * factor).all()
    assert (times.finish_ps == once.finish_ps * factor).all()
    for name in STAGES:
        assert (times.stages[name] == once.stages[name] * factor).all()


@pytest.mark.parametrize("prompt", range(31, 41))
def test_requests_do_not_preempt_each_other_for_ever(prompt: int) -> None:
    """Replies that outgrow a decode server together: KV reserved for one on its way cannot be preempted."""
    cost = StepCost(np.full(200, 10, np.int64), np.ones(200, np.int64))
    pipeline = Pipeline(
        entry=Pool(Role.PREFILL, cost, 1, 1000, max_seqs=4, token_budget=100),
        decode=Pool(Role.DECODE, cost, 1, 100, max_seqs=4),
        link=Link(unit_ps=20),
    )
    work = workload(sessions=3, requests=1, prompt=prompt, output=20)
    engine = Engine(pipeline, replace(work, session_start_ps=np.zeros(3, np.int64)), compiled=False)
    assert engine.run_until(1_000_000)
    results = engine.results()
    assert (results.status == Status.FINISHED).all()
    assert results.servers[1].preemptions > 0
