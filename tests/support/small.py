"""Pipelines and workloads small enough to reckon by hand; a token takes a microsecond or so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from subsecond.engine.core.config import Link, Pipeline, Pool, Role, StepCost, Workload

US = 10**6
MS = 10**9
S = 10**12


def step_cost(most_tokens: int, fixed_ps: int = 100 * US, token_ps: int = US) -> StepCost:
    """An iteration costs a fixed time and a time per token."""
    compute = fixed_ps + token_ps * np.arange(most_tokens + 1, dtype=np.int64)
    return StepCost(compute, np.ones(most_tokens + 1, np.int64))


def colocated(capacity: int = 100_000, servers: int = 1, **changes: object) -> Pipeline:
    """A GPU-like pipeline."""
    pool = Pool(Role.COLOCATED, step_cost(512), servers, capacity, max_seqs=16, token_budget=512)
    return Pipeline(entry=pool, network_ps=MS, route_ps=MS, **changes)  # type: ignore[arg-type]  # a test's own fields


def disaggregated(capacity: int = 100_000, decoders: int = 1, **changes: object) -> Pipeline:
    """A pipeline with prefill pool, links and decode pool."""
    return Pipeline(
        entry=Pool(Role.PREFILL, step_cost(512, token_ps=US // 2), 2, 100_000, max_seqs=8, token_budget=512),
        decode=Pool(Role.DECODE, step_cost(16, fixed_ps=20 * US), decoders, capacity, max_seqs=16),
        link=Link(unit_ps=US // 10, t0_ps=MS),
        network_ps=MS,
        route_ps=MS,
        **changes,  # type: ignore[arg-type]  # a test's own fields
    )


def workload(
    sessions: int = 4,
    requests: int = 3,
    prompt: int = 100,
    output: int = 20,
    gap_ps: int = 10 * MS,
    kinds: Sequence[str] = ("coding",),
) -> Workload:
    """Sessions of growing prompts; session i is of kind i modulo the number of kinds; every turn is one request."""
    n = sessions * requests
    rank = np.tile(np.arange(requests), sessions)
    prompts = (prompt + rank * (prompt // 2)).astype(np.int32)
    reuse = np.where(rank > 0, prompts - prompt // 2 - 1, 0).astype(np.int32)
    outputs = np.full(n, output, np.int32)
    return Workload(
        kinds=tuple(kinds),
        num_contexts=sessions,
        session_start_ps=np.arange(sessions, dtype=np.int64) * MS,
        session_first_request=np.arange(sessions + 1, dtype=np.int64) * requests,
        session_parent_request=np.full(sessions, -1, np.int64),
        session_context=np.arange(sessions, dtype=np.int64),
        session_group=np.full(sessions, -1, np.int64),
        session_kind=np.arange(sessions, dtype=np.int64) % len(kinds),
        prompt_tokens=prompts,
        reuse_tokens=np.maximum(reuse, 0),
        output_tokens=outputs,
        milestone_tokens=outputs,
        gap_ps=np.full(n, gap_ps, np.int64),
        hold_ps=np.zeros(n, np.int64),
        is_barge_in=np.zeros(n, np.bool_),
        turn=np.arange(n, dtype=np.int64),
        group_tokens=np.zeros(0, np.int64),
    )
