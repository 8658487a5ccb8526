"""Random small scenarios that reach every rule, with tiny durations so that events often fall on one tick."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import numpy as np

from subsecond.engine.core.config import (
    Fault,
    FaultKind,
    Link,
    Pipeline,
    Policy,
    Pool,
    Role,
    StepCost,
    Workload,
)

from .events import External
from .reference import Reference

PROBABILITY_ONE = 1 << 31


@dataclass(frozen=True)
class Case:
    """One scenario; `externals` as in `reference.Reference`."""

    number: int
    pipeline: Pipeline
    workload: Workload
    faults: tuple[Fault, ...]
    seed: int
    externals: tuple[External, ...]


def random_case(number: int) -> Case:
    """The case of a number; always the same one."""
    rng = random.Random(number)
    scale = rng.choice((1, 1, 1, 3, 10, 1000))
    pipeline = _pipeline(rng, scale)
    workload = _workload(rng, scale, pipeline)
    case = Case(number, pipeline, workload, (), rng.randrange(1000), ())
    if rng.random() < 0.4:
        return case
    times = _event_times(case)
    if rng.random() < 0.8:
        case = replace(case, faults=_faults(rng, pipeline, times))
        times = times + [f.at_ps + rng.choice((1, 5, 20, 60)) for f in case.faults if f.at_ps <= max(times)]
    if rng.random() < 0.5:
        case = replace(case, externals=_externals(rng, pipeline, workload, times))
    return case


def _event_times(case: Case) -> list[int]:
    """Times at which something happens without faults: faults at these meet other events."""
    reference = Reference(case.pipeline, case.workload, seed=case.seed)
    times: list[int] = []
    while reference.heap and len(times) < 4000:
        times.append(reference.heap[0][0])
        reference.run(until=reference.heap[0][0])
    return [t for t in times if t > 0] or [1]


def _time(rng: random.Random, times: list[int]) -> int:
    return max(1, rng.choice(times) + (rng.choice((-1, 1, 2)) if rng.random() < 0.3 else 0))


def _cost(rng: random.Random, scale: int, entries: int, *, decode_only: bool) -> StepCost:
    tokens = np.arange(entries)
    base, other = rng.randint(1, 6) * scale, rng.randint(1, 6) * scale
    return StepCost(
        compute_ps=(base + tokens * rng.choice((0, 0, 1, 2))).astype(np.int64),
        memory_ps=(other + tokens * rng.choice((0, 0, 1))).astype(np.int64),
        prefill_pair_ps=0 if decode_only else rng.choice((0, 0, 1)),
        decode_unit_ps=rng.choice((0, 0, 1)),
        kv_unit_ps=rng.choice((0, 0, 1, 2)),
    )


def _pool(rng: random.Random, scale: int, role: Role, unit: int, fixed: int) -> Pool:
    max_seqs = rng.choice((1, 2, 3, 4, 8))
    width = rng.choice((1, 1, 2))
    budget = rng.choice((4, 8, 16, 40)) + (max_seqs * width if role is Role.COLOCATED else 0)
    growth = unit if role is Role.PREFILL else rng.choice((unit, unit + 1, 2 * unit))
    return Pool(
        role=role,
        cost=_cost(rng, scale, max(budget, max_seqs * width) + 1, decode_only=role is Role.DECODE),
        num_servers=rng.choice((1, 1, 2, 3)),
        capacity_units=rng.choice((60, 90, 150, 400)) * unit + fixed,
        max_seqs=max_seqs,
        token_budget=budget,
        watermark_units=rng.choice((0, 0, 5, 20)),
        fixed_units=fixed,
        units_per_token=unit,
        growth_units=growth,
        decode_width=width,
        affinity=rng.random() < 0.8,
        affinity_slack=rng.choice((0, 1, 1 << 30)),
        keeps_kv=rng.random() < 0.9,
    )


def _pipeline(rng: random.Random, scale: int) -> Pipeline:
    unit = rng.choice((1, 1, 2, 5))
    fixed = rng.choice((0, 0, 3))
    is_disaggregated = rng.random() < 0.65
    has_fallback = rng.random() < 0.3
    small = (0, 0, 1, 2, 5)
    link = Link(
        unit_ps=rng.choice((0, 1, 1, 3, 10, 40)),
        t0_ps=rng.choice(small) * scale,
        fill_quarters=rng.choice((4, 4, 6, 8)),
        max_flows=rng.choice((0, 1, 1, 2)),
        layers=rng.choice((1, 3)),
        overlap=rng.random() < 0.4,
        kv_return=rng.random() < 0.5,
        staging_units=rng.choice((40 * unit, 100 * unit, 1 << 60)),
    )
    return Pipeline(
        entry=_pool(rng, scale, Role.PREFILL if is_disaggregated else Role.COLOCATED, unit, fixed),
        decode=_pool(rng, scale, Role.DECODE, unit, fixed) if is_disaggregated else None,
        link=link if is_disaggregated else None,
        fallback=_pool(rng, scale, Role.COLOCATED, unit, fixed) if has_fallback else None,
        network_ps=rng.choice(small) * scale,
        route_ps=rng.choice(small) * scale,
        detect_ps=rng.choice(small) * scale,
        retry_ps=rng.choice(small) * scale,
        max_attempts=rng.choice((0, 1, 3, 5)),
        prefill_lost=rng.choice(list(Policy)),
        decode_lost=rng.choice(list(Policy)),
        handoff_lost=rng.choice(list(Policy)),
    )


def _workload(rng: random.Random, scale: int, pipeline: Pipeline) -> Workload:
    num_roots = rng.randint(1, 9)
    num_groups = rng.choice((0, 1, 2))
    starts = sorted(rng.randint(0, 60) * scale for _ in range(num_roots))
    counts = [rng.randint(1, 5) for _ in range(num_roots)]
    parents = [-1] * num_roots
    if rng.random() < 0.4:
        for _ in range(rng.randint(1, 4)):
            counts.append(rng.randint(1, 3))
            parents.append(rng.randrange(sum(counts[: len(parents)])))
        children = sorted(zip(parents[num_roots:], counts[num_roots:], strict=True), key=lambda c: c[0])
        parents[num_roots:] = [p for p, _ in children]
        counts[num_roots:] = [c for _, c in children]
        # A child comes after its parent's session: keep those for which that holds in the sorted order.
        kept = num_roots
        for s in range(num_roots, len(counts)):
            if parents[s] < sum(counts[:kept]):
                parents[kept], counts[kept] = parents[s], counts[s]
                kept += 1
        del parents[kept:], counts[kept:]
    num_sessions, n = len(counts), sum(counts)
    num_contexts = num_sessions if rng.random() < 0.7 else rng.randint(1, num_sessions)
    largest = rng.choice((10, 40, 60, 80))
    prompt = [rng.randint(1, largest) for _ in range(n)]
    long_reply = rng.random() < 0.1
    output = [rng.randint(1, 600 if long_reply else 20) for _ in range(n)]
    if long_reply:
        output = [
            min(o, 25) if o > pipeline.entry.capacity_units // pipeline.entry.units_per_token else o for o in output
        ]
    barge = [rng.random() < 0.2 for _ in range(n)]
    return Workload(
        kinds=("any",),
        num_contexts=num_contexts,
        session_start_ps=np.array(starts + [0] * (num_sessions - num_roots), np.int64),
        session_first_request=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        session_parent_request=np.array(parents, np.int64),
        session_context=np.array(
            [s if num_contexts == num_sessions else rng.randrange(num_contexts) for s in range(num_sessions)], np.int64
        ),
        session_group=np.array([rng.randrange(-1, num_groups) for _ in range(num_sessions)], np.int64),
        session_kind=np.zeros(num_sessions, np.int64),
        prompt_tokens=np.array(prompt, np.int32),
        reuse_tokens=np.array([rng.randrange(0, p) if rng.random() < 0.7 else p - 1 for p in prompt], np.int32),
        output_tokens=np.array(output, np.int32),
        milestone_tokens=np.array([rng.randint(1, o) for o in output], np.int32),
        gap_ps=np.array([rng.choice((0, 0, 1, 5, 30)) * scale for _ in range(n)], np.int64),
        hold_ps=np.array([rng.choice((0, 0, 2, 10)) * scale for _ in range(n)], np.int64),
        is_barge_in=np.array(barge),
        turn=np.arange(n),
        group_tokens=np.array([rng.randint(1, 30) for _ in range(num_groups)], np.int64),
    )


def _faults(rng: random.Random, pipeline: Pipeline, times: list[int]) -> tuple[Fault, ...]:
    num_servers = sum(p.num_servers for p in (pipeline.entry, pipeline.decode, pipeline.fallback) if p)
    faults = []
    for _ in range(rng.choice((1, 2, 3, 4, 6, 12))):
        kind = rng.choice([*list(FaultKind), FaultKind.SERVER_DOWN, FaultKind.SERVER_UP])
        if kind is FaultKind.LINK_RATE and pipeline.decode is None:
            kind = FaultKind.SERVER_DOWN
        target, value = rng.randrange(num_servers), 0
        if kind is FaultKind.LINK_RATE:
            assert pipeline.decode
            target, value = rng.randrange(pipeline.decode.num_servers), rng.choice((0, 0, 64, 96, 128))
        elif kind is FaultKind.SERVER_SLOW:
            value = rng.choice((16, 64, 100, 640))
        elif kind in (FaultKind.THROTTLE, FaultKind.HANDOFF_LOSS):
            value = rng.choice((0, PROBABILITY_ONE // 2, PROBABILITY_ONE - 1))
        elif kind is FaultKind.STALL_UNTIL:
            value = _time(rng, times)
        at = _time(rng, times)
        faults.append(Fault(at, kind, target, value))
        if kind is FaultKind.SERVER_DOWN and rng.random() < 0.7:
            faults.append(Fault(at + rng.choice((0, 1, 20, 200)), FaultKind.SERVER_UP, target))
        if kind is FaultKind.LINK_RATE and value == 0 and rng.random() < 0.8:
            faults.append(Fault(at + rng.choice((0, 1, 20, 200)), kind, target, 64))
    if pipeline.decode is not None and rng.random() < 0.3:
        faults += _decode_outage(rng, pipeline, _time(rng, times))
    # What is parked for good would never end: in the end everything is up and well.
    last = max(times) * 3 + 10_000
    faults += [Fault(last, FaultKind.SERVER_UP, i) for i in range(num_servers)]
    if pipeline.decode:
        faults += [Fault(last, FaultKind.LINK_RATE, i, 64) for i in range(pipeline.decode.num_servers)]
    return tuple(faults)


def _decode_outage(rng: random.Random, pipeline: Pipeline, at: int) -> list[Fault]:
    """No decode server can be reached for a while, and a prefill server is lost meanwhile."""
    assert pipeline.decode
    first, count = pipeline.entry.num_servers, pipeline.decode.num_servers
    until = at + rng.choice((20, 100, 400))
    if rng.random() < 0.5:
        faults = [Fault(at, FaultKind.LINK_RATE, i, 0) for i in range(count)]
        faults += [Fault(until, FaultKind.LINK_RATE, i, 64) for i in range(count)]
    else:
        faults = [Fault(at, FaultKind.SERVER_DOWN, first + i) for i in range(count)]
        faults += [Fault(until, FaultKind.SERVER_UP, first + i) for i in range(count)]
    lost = rng.randrange(first)
    down = at + rng.choice((-3, -1, 1, 10, 50))
    return [*faults, Fault(max(1, down), FaultKind.SERVER_DOWN, lost), Fault(until, FaultKind.SERVER_UP, lost)]


def _externals(rng: random.Random, pipeline: Pipeline, workload: Workload, times: list[int]) -> tuple[External, ...]:
    pools = [p for p in (pipeline.entry, pipeline.decode, pipeline.fallback) if p for _ in range(p.num_servers)]
    externals: list[External] = []
    for _ in range(rng.choice((1, 2, 4, 8))):
        if rng.random() < 0.8:
            externals.append((_time(rng, times), "cancel", rng.randrange(workload.num_sessions)))
        else:
            server = rng.randrange(len(pools))
            cost = _cost(rng, 1, len(pools[server].cost.compute_ps), decode_only=pools[server].role is Role.DECODE)
            externals.append((_time(rng, times), "costs", server, cost))
    return tuple(externals)
