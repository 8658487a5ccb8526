"""The facade: time moves only when asked to, changes from outside come in time, results can be read on the way."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.small import MS, US, colocated, disaggregated, step_cost, workload

from subsecond.engine.core import execution
from subsecond.engine.core.config import (
    MAX_PS,
    Fault,
    FaultKind,
    Pipeline,
    Pool,
    Role,
    Status,
    StepCost,
    Workload,
)
from subsecond.engine.core.engine import Engine, simulate
from subsecond.engine.core.execution import plan_execution
from subsecond.engine.core.results import STAGES

ONE = workload(sessions=1, requests=1)
FORMS = [
    False,
    pytest.param(True, marks=pytest.mark.skipif(not importlib.util.find_spec("numba"), reason="numba is missing")),
]


def engine_of(pipeline: Pipeline, work: Workload, **options: Any) -> Engine:
    return Engine(pipeline, work, **({"compiled": False} | options))


def test_a_lone_request_takes_what_one_reckons_by_hand() -> None:
    """100 tokens of prompt take an iteration of 200 us, which gives the first token; then 19 iterations take 101 us."""
    results = simulate(colocated(), ONE, compiled=False)
    first, finish = 2 * MS + 200 * US, 2 * MS + 200 * US + 19 * 101 * US
    assert (results.arrival_ps[0], results.first_ps[0], results.finish_ps[0]) == (0, first, finish)
    taken = {name: int(results.stages[name][0]) for name in STAGES if results.stages[name][0]}
    assert taken == {"network": 2 * MS, "routing": MS, "prefill": 200 * US, "decode_rest": 19 * 101 * US}
    assert results.end_ps == finish


def test_a_lone_handoff_takes_what_one_reckons_by_hand() -> None:
    """The KV of 100 tokens takes 10 us on the link after its fixed delay; then an iteration takes 21 us."""
    results = simulate(disaggregated(), ONE, compiled=False)
    taken = {name: int(results.stages[name][0]) for name in STAGES if results.stages[name][0]}
    assert taken == {
        "network": 2 * MS,
        "routing": MS,
        "prefill": 150 * US,
        "handoff": MS + 10 * US,
        "decode_first": 21 * US,
        "decode_rest": 19 * 21 * US,
    }


@pytest.mark.parametrize("compiled", FORMS)
def test_token_times_of_a_lone_request(compiled: bool) -> None:
    engine = engine_of(colocated(), ONE, compiled=compiled, keep_journal=True)
    engine.run()
    (times,) = engine.token_times()
    assert times.tolist() == [2 * MS + 200 * US + i * 101 * US for i in range(20)]


def test_token_times_need_a_journal() -> None:
    with pytest.raises(ValueError, match="keep_journal=True"):
        engine_of(colocated(), ONE).token_times()


@pytest.mark.parametrize("compiled", FORMS)
def test_results_in_mid_run_are_those_of_the_past_alone(compiled: bool) -> None:
    work = workload(sessions=3, requests=3)
    engine = engine_of(colocated(), work, compiled=compiled, keep_journal=True)
    assert not engine.run_until(12 * MS)
    part = engine.results()
    engine.run()
    whole = engine.results()
    ended = whole.finish_ps <= 12 * MS
    assert 0 < ended.sum() < work.num_requests
    assert ((part.status != Status.UNFINISHED) == ended).all()
    for name in ("arrival_ps", "first_ps", "milestone_ps", "finish_ps", "emitted_tokens", "hit_tokens"):
        assert (getattr(part, name)[ended] == getattr(whole, name)[ended]).all()
    not_sent = whole.arrival_ps + engine.pipeline.network_ps > 12 * MS
    assert not_sent.any()
    assert (part.arrival_ps[not_sent] == -1).all()
    assert (part.first_ps[not_sent] == -1).all()


def test_results_before_the_start_are_empty() -> None:
    engine = engine_of(colocated(), ONE)
    results = engine.results()
    assert (results.status[0], results.arrival_ps[0], results.finish_ps[0], results.end_ps) == (0, -1, -1, 0)
    assert (results.events, engine.num_events, engine.now_ps) == (0, 0, 0)


def test_simulate_stops_where_it_is_told_to() -> None:
    results = simulate(colocated(), ONE, compiled=False, until_ps=2 * MS + 200 * US)
    assert (results.first_ps[0], results.finish_ps[0]) == (2 * MS + 200 * US, -1)


def test_progress_counts_up_to_all_requests() -> None:
    calls: list[tuple[int, int]] = []
    engine_of(colocated(), workload()).run(lambda ended, requests: calls.append((ended, requests)))
    assert calls[-1] == (12, 12)
    assert calls == sorted(calls)


@pytest.mark.parametrize("compiled", FORMS)
def test_cancel_ends_the_present_request_for_the_user_at_once(compiled: bool) -> None:
    engine = engine_of(colocated(), ONE, compiled=compiled, keep_journal=True)
    engine.run_until(MS)
    at = 2 * MS + 200 * US + 3 * 101 * US + 1
    engine.cancel(0, at)
    engine.run()
    results = engine.results()
    assert (results.status[0], results.finish_ps[0], results.emitted_tokens[0]) == (Status.CANCELLED, at, 4)
    assert len(engine.token_times()[0]) == 4


def test_cancel_of_a_session_between_requests_does_nothing() -> None:
    work = workload(sessions=1, requests=2)
    with_cancel, without = engine_of(colocated(), work), engine_of(colocated(), work)
    with_cancel.cancel(0, 8 * MS)
    for engine in (with_cancel, without):
        engine.run()
    assert without.results().finish_ps[0] < 8 * MS < without.results().arrival_ps[1]
    assert with_cancel.results().digest() == without.results().digest()


@pytest.mark.parametrize("compiled", FORMS)
def test_a_fault_injected_on_the_way_is_a_fault_of_the_scenario(compiled: bool) -> None:
    work = workload(sessions=4, requests=3)
    faults = [Fault(5 * MS + 500 * US, FaultKind.SERVER_DOWN, 0), Fault(30 * MS, FaultKind.SERVER_UP, 0)]
    planned = engine_of(colocated(servers=2), work, faults=faults, compiled=compiled)
    injected = engine_of(colocated(servers=2), work, can_fail=True, compiled=compiled)
    injected.run_until(5 * MS)
    for fault in faults:
        injected.inject(fault)
    for engine in (planned, injected):
        engine.run()
    assert planned.results().digest() == injected.results().digest()
    assert planned.results().attempts.tolist() == [0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0]


@pytest.mark.parametrize("compiled", FORMS)
def test_a_step_cost_set_on_the_way_holds_from_the_next_begin(compiled: bool) -> None:
    engine = engine_of(colocated(), ONE, compiled=compiled, keep_journal=True)
    first = 2 * MS + 200 * US
    engine.run_until(first)
    engine.set_step_cost(0, step_cost(512, fixed_ps=300 * US), first + 2 * 101 * US + 5)
    engine.run()
    steps = np.diff(engine.token_times()[0]) // US
    assert steps.tolist() == [101] * 3 + [301] * 16


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda e: e.cancel(1, 5 * MS), r"session must be in 0\.\.0, got 1"),
        (lambda e: e.cancel(-1, 5 * MS), r"session must be in 0\.\.0, got -1"),
        (lambda e: e.cancel(0, MS // 2), "has passed"),
        (lambda e: e.inject(Fault(MS // 2, FaultKind.THROTTLE, 0, 1)), "has passed"),
        (lambda e: e.inject(Fault(5 * MS, FaultKind.SERVER_DOWN, 1)), r"server must be in 0\.\.0, got 1"),
        (lambda e: e.set_step_cost(1, step_cost(512), 5 * MS), r"server must be in 0\.\.0, got 1"),
        (lambda e: e.set_step_cost(0, step_cost(511), 5 * MS), "cost tables need 513 entries, got 512"),
        (lambda e: e.set_step_cost(0, step_cost(512), MS // 2), "has passed"),
    ],
)
def test_what_is_asked_for_must_be_possible(act: Any, message: str) -> None:
    engine = engine_of(colocated(), ONE, can_fail=True)
    engine.run_until(MS)
    before = engine.results().digest()
    with pytest.raises(ValueError, match=message):
        act(engine)
    assert engine.results().digest() == before
    engine.run()
    assert engine.results().digest() == simulate(colocated(), ONE, compiled=False).digest()


def test_an_engine_built_without_faults_takes_none() -> None:
    with pytest.raises(ValueError, match="can_fail=True"):
        engine_of(colocated(), ONE).inject(Fault(5 * MS, FaultKind.SERVER_DOWN, 0))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(-1, FaultKind.SERVER_DOWN, 0), "time must be in"),
        (Fault(MAX_PS + 1, FaultKind.SERVER_DOWN, 0), "time must be in"),
        (Fault(0, FaultKind.SERVER_DOWN, 3), r"server must be in 0\.\.2, got 3"),
        (Fault(0, FaultKind.SERVER_UP, -1), r"server must be in 0\.\.2, got -1"),
        (Fault(0, FaultKind.SERVER_SLOW, 0, 0), "value of SERVER_SLOW must be in 1"),
        (Fault(0, FaultKind.LINK_RATE, 1, 64), "has 1 links, got link 1"),
        (Fault(0, FaultKind.LINK_RATE, 0, -1), "value of LINK_RATE must be in 0"),
        (Fault(0, FaultKind.HANDOFF_LOSS, 0, (1 << 31) + 1), "value of HANDOFF_LOSS"),
        (Fault(0, FaultKind.THROTTLE, 0, -1), "value of THROTTLE"),
        (Fault(0, FaultKind.STALL_UNTIL, 0, -1), "value of STALL_UNTIL"),
    ],
)
def test_impossible_faults_are_refused(fault: Fault, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        engine_of(disaggregated(), ONE, faults=[fault])


def test_a_pipeline_without_links_has_no_link_faults() -> None:
    with pytest.raises(ValueError, match="has 0 links, got link 0"):
        engine_of(colocated(), ONE, faults=[Fault(0, FaultKind.LINK_RATE, 0, 64)])


def test_loads_show_who_holds_what() -> None:
    engine = engine_of(disaggregated(), ONE)
    assert [load.name for load in engine.loads()] == ["prefill[0]", "prefill[1]", "decode[0]"]
    engine.run_until(2 * MS + 100 * US)
    busy = engine.loads()[0]
    assert (busy.is_busy, busy.num_requests, busy.used_units, busy.retained_units) == (True, 1, 100, 0)
    engine.run()
    after = engine.loads()
    assert (after[0].is_busy, after[0].used_units, after[0].retained_units) == (False, 0, 100)
    assert (after[2].num_requests, after[2].retained_units) == (0, 120)


def test_a_run_without_numba_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    plan = plan_execution(10)
    assert not plan.compiled
    assert "numba is not installed" in plan.notice
    assert plan_execution(10, compiled=False).notice == ""
    with pytest.raises(ValueError, match="needs numba"):
        plan_execution(10, compiled=True)


def test_small_runs_do_not_wait_for_a_compile(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    pytest.importorskip("numba", reason="numba is missing")
    monkeypatch.setenv("SUBSECOND_CACHE_DIR", str(tmp_path))
    monkeypatch.delitem(sys.modules, "subsecond.engine.core.kernel_compiled.run", raising=False)
    assert not plan_execution(100).compiled
    large = plan_execution(10**6)
    assert large.compiled
    assert "half a minute" in large.notice


@pytest.mark.parametrize("leaves", ["run.push-1.py311.nbi", "run.next_at-2.py311.nbi"])
def test_a_compile_that_was_cut_off_is_none(leaves: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("numba", reason="numba is missing")
    monkeypatch.setenv("SUBSECOND_CACHE_DIR", str(tmp_path))
    monkeypatch.delitem(sys.modules, "subsecond.engine.core.kernel_compiled.run", raising=False)
    folder = execution._cache_dir() / "kernel_1"
    folder.mkdir()
    (folder / leaves).touch()
    assert plan_execution(10**6).notice
    (folder / "run.advance-3.py311.nbi").touch()
    assert not plan_execution(10**6).notice


def test_machine_code_of_a_clone_in_another_folder_is_not_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """numba names the place of machine code by that of the sources: it would compile anew, and nobody would say so."""
    pytest.importorskip("numba", reason="numba is missing")
    monkeypatch.setenv("SUBSECOND_CACHE_DIR", str(tmp_path / "cache"))
    here = execution._cache_dir()
    shutil.copytree(execution._KERNEL, tmp_path / "clone")
    monkeypatch.setattr(execution, "_KERNEL", tmp_path / "clone")
    assert execution._cache_dir() != here


@pytest.mark.parametrize("compiled", FORMS)
def test_servers_begin_before_a_request_that_comes_out_of_a_begin(compiled: bool) -> None:
    """All iterations take 10 ps. Session 0 is cancelled at 35 ps; its next request arrives then, is put off until the
    first has left server 0 at 40 ps, and goes to server 1. That has begun an iteration at 40 ps, so it waits for 50 ps.
    """
    cost = StepCost(np.full(600, 10, np.int64), np.ones(600, np.int64))
    pool = Pool(Role.COLOCATED, cost, 2, 1000, max_seqs=16, token_budget=512, affinity=False)
    work = workload(sessions=5, requests=2, gap_ps=0)
    work = replace(
        work,
        session_start_ps=np.zeros(5, np.int64),
        output_tokens=np.array([50, 2, 50, 2, 50, 2, 1, 2, 50, 2], np.int32),
        milestone_tokens=np.ones(10, np.int32),
        hold_ps=np.array([25, 0, 0, 0, 0, 0, 1000, 0, 0, 0], np.int64),
        is_barge_in=np.arange(10) == 0,
    )
    results = simulate(Pipeline(entry=pool), work, compiled=compiled)
    assert (results.status[0], results.finish_ps[0]) == (Status.CANCELLED, 35)
    assert results.arrival_ps[1] == 35
    assert (results.stages["routing"][1], results.stages["prefill_queue"][1], results.first_ps[1]) == (5, 10, 60)


def test_a_shared_prefix_saves_computing_only() -> None:
    """The second session of a group finds the group's tokens; both hold the KV of all their tokens."""
    work = replace(workload(sessions=2, requests=1), session_group=np.zeros(2, np.int64), group_tokens=np.array([60]))
    results = simulate(colocated(), work, compiled=False)
    assert results.hit_tokens.tolist() == [0, 60]
    assert results.servers[0].prefill_tokens == 140


@pytest.mark.parametrize("routed", [False, True], ids=["far events", "near events"])
def test_either_heap_of_events_grows_alone(routed: bool) -> None:
    """Thousands of sessions that begin at once fill one heap long before the other."""
    pytest.importorskip("numba", reason="numba is missing")
    work = workload(sessions=6000, requests=2, gap_ps=100 * MS)
    together = replace(work, session_start_ps=np.zeros(6000, np.int64))
    pipeline = replace(colocated(capacity=10_000_000), route_ps=50 * MS if routed else 0)
    compiled, plain = (simulate(pipeline, together, compiled=form) for form in (True, False))
    assert compiled.digest() == plain.digest()
