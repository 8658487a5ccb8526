"""Workloads and pipelines of the core's benchmarks, with every feature of the core switched on.

Half of the sessions code (first prompt about 9,000 tokens, then about 600 more and 220 out per turn), half speak
(about 45 in, 70 out). Sessions have 16 turns on average and think between them; their starts are a Poisson process.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from subsecond.engine.core.config import Link, Pipeline, Policy, Pool, Role, StepCost, Workload

US, MS, S = 10**6, 10**9, 10**12

#: Turns per second that the pipelines below sustain before their queues grow without end.
CAPACITY = {"gpu": 26.0, "split": 90.0}


def step_cost(tokens: int, fixed_us: float, token_us: float, memory_us: float, kv_ps: int, pair_ps: int) -> StepCost:
    """Launch floor plus computing against weight reading, KV reading and attention."""
    k = np.arange(tokens + 1, dtype=np.float64)
    compute = np.rint((fixed_us + token_us * k) * US).astype(np.int64)
    memory = np.full(tokens + 1, round((fixed_us + memory_us) * US), np.int64)
    return StepCost(compute, memory, prefill_pair_ps=pair_ps, decode_unit_ps=kv_ps // 2, kv_unit_ps=kv_ps)


def gpu() -> Pipeline:
    """One GPU server: chunked prefill, speculation, prefix cache, preemption by recompute."""
    pool = Pool(
        Role.COLOCATED,
        step_cost(2048, 400, 20, 9000, 3000, 100),
        num_servers=1,
        capacity_units=2 * 6_000_000,
        max_seqs=256,
        token_budget=2048,
        watermark_units=2000,
        fixed_units=256,
        units_per_token=2,
        growth_units=3,
        decode_width=2,
    )
    return Pipeline(entry=pool, network_ps=20 * MS, route_ps=2 * MS, detect_ps=S, retry_ps=S)


def split() -> Pipeline:
    """Four prefill servers, links with overlap and KV return, two wafer groups, delta handoff by residency."""
    prefill = Pool(
        Role.PREFILL,
        step_cost(8192, 3000, 24, 4000, 1000, 150),
        num_servers=4,
        capacity_units=2 * 3_000_000,
        max_seqs=16,
        token_budget=8192,
        fixed_units=256,
        units_per_token=2,
        growth_units=3,
    )
    decode = Pool(
        Role.DECODE,
        step_cost(1024, 500, 4, 100, 200, 0),
        num_servers=2,
        capacity_units=2 * 700_000,
        max_seqs=256,
        fixed_units=256,
        units_per_token=2,
        growth_units=3,
        decode_width=2,
    )
    link = Link(
        unit_ps=200_000, t0_ps=MS, fill_quarters=6, layers=36, overlap=True, kv_return=True, staging_units=8_000_000
    )
    return Pipeline(
        entry=prefill,
        decode=decode,
        link=link,
        network_ps=20 * MS,
        route_ps=2 * MS,
        detect_ps=S,
        retry_ps=S,
        decode_lost=Policy.REPREFILL,
    )


def sessions(turns: int, turns_per_s: float, seed: int = 1) -> Workload:
    """About `turns` turns, offered at a rate."""
    rng = np.random.default_rng(seed)
    count = max(1, turns // 16)
    lengths = rng.geometric(1 / 16, count).astype(np.int64)
    first = np.concatenate(([0], np.cumsum(lengths)))
    total = int(first[-1])
    is_voice = np.repeat(rng.random(count) < 0.5, lengths)
    rank = np.arange(total) - np.repeat(first[:-1], lengths)
    growth = np.where(is_voice, rng.integers(20, 70, total), rng.integers(300, 900, total))
    growth[first[:-1]] = np.where(is_voice[first[:-1]], 800, rng.integers(6000, 12000, count))
    output = np.where(is_voice, rng.integers(20, 120, total), rng.integers(60, 600, total))
    added = np.where(rank == 0, growth, growth + np.roll(output, 1))
    grown = np.cumsum(added)
    prompt = np.minimum(grown - np.repeat(grown[first[:-1]] - added[first[:-1]], lengths), 120_000)
    reuse = np.where(rank == 0, 0, np.minimum(np.roll(prompt + output, 1), prompt - 1))
    starts = np.sort(rng.exponential(16 / turns_per_s, count).cumsum() * S).astype(np.int64)
    gap = (rng.exponential(np.where(is_voice, 4.0, 8.0)) * S).astype(np.int64)
    milestone = np.where(is_voice, np.minimum(output, 25), output)
    barge_in = is_voice & (rng.random(total) < 0.1)
    out = output.astype(np.int32)
    return Workload(
        kinds=("coding", "voice"),
        num_contexts=count,
        session_start_ps=starts,
        session_first_request=first,
        session_parent_request=np.full(count, -1, np.int64),
        session_context=np.arange(count, dtype=np.int64),
        session_group=np.where(is_voice[first[:-1]], 1, 0).astype(np.int64),
        session_kind=is_voice[first[:-1]].astype(np.int64),
        prompt_tokens=prompt.astype(np.int32),
        reuse_tokens=reuse.astype(np.int32),
        output_tokens=out,
        milestone_tokens=milestone.astype(np.int32),
        gap_ps=gap,
        hold_ps=np.where(is_voice, 2 * S, 0).astype(np.int64),
        is_barge_in=barge_in,
        turn=np.arange(total, dtype=np.int64),
        group_tokens=np.array([5000, 700], np.int64),
    )


def load(name: str, turns: int) -> tuple[Pipeline, Workload]:
    """A pipeline and its work: G70, GOV, GPRE, D70 or DOV.

    GPRE keeps no KV between turns and reserves none for growth, so that a full memory preempts instead of evicting.
    """
    capacity = CAPACITY["gpu" if name.startswith("G") else "split"]
    offered = {"G70": 0.7, "GOV": 3.8, "GPRE": 0.7, "D70": 0.7, "DOV": 1.9}[name] * capacity
    pipeline = split() if name.startswith("D") else gpu()
    if name == "GPRE":
        starved = replace(pipeline.entry, capacity_units=2 * 200_000, watermark_units=0, keeps_kv=False)
        pipeline = replace(pipeline, entry=starved)
    return pipeline, sessions(turns, offered)
