"""Turns a pipeline and a workload into the kernel's records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .config import NOT_SCHEDULED, Link, Pipeline, Pool, StepCost, Workload
from .kernel import codes, state

__all__ = ["Memory", "cost_table", "fault_table", "lay_out", "server_names"]

Int64 = NDArray[np.int64]
Rows = NDArray[Any]


@dataclass(slots=True)
class Memory:
    """The kernel's arguments as numpy arrays, in its order, without what the facade keeps growing."""

    state: Rows
    pools: Rows
    servers: Rows
    sessions: Rows
    entries: Rows
    nodes: Rows
    heap: Rows
    rows: Int64
    warm: NDArray[np.uint8]
    cost: Int64
    starts: Int64


def _pools(pipeline: Pipeline) -> list[Pool | None]:
    return [pipeline.entry, pipeline.decode, pipeline.fallback]


def server_names(pipeline: Pipeline) -> list[str]:
    """Names of the servers in the core's order, as `decode[1]`."""
    entry = "prefill" if pipeline.decode is not None else "gpu"
    names = []
    for title, pool in zip((entry, "decode", "fallback"), _pools(pipeline), strict=True):
        names += [f"{title}[{i}]" for i in range(pool.num_servers if pool else 0)]
    return names


def cost_table(cost: StepCost) -> Int64:
    """A `StepCost` as the kernel reads it: three coefficients, then pairs (compute_ps, memory_ps) by tokens."""
    table = np.empty(3 + 2 * len(cost.compute_ps), np.int64)
    table[:3] = cost.prefill_pair_ps, cost.decode_unit_ps, cost.kv_unit_ps
    table[3::2] = cost.compute_ps
    table[4::2] = cost.memory_ps
    return table


def fault_table(faults: Sequence[tuple[int, int, int, int]]) -> Int64:
    """Faults (at_ps, kind, target, value) as the kernel reads them, one after the other."""
    return np.array(faults, np.int64).reshape(-1)


def lay_out(pipeline: Pipeline, workload: Workload, seed: int, *, can_fail: bool) -> Memory:
    """Records of a run that has not started: nothing in any queue, the first session's start not yet set."""
    pools = _pools(pipeline)
    num_servers = sum(pool.num_servers for pool in pools if pool)
    num_sessions = workload.num_sessions
    sides = 3 if pipeline.fallback else 2 if pipeline.decode else 1
    num_entries = workload.num_contexts * sides

    g = np.zeros(1, state.dtype_of(state.Global))
    _fill_global(g, pipeline.link, pipeline)
    g["num_sessions"] = num_sessions
    roots = workload.session_parent_request < 0
    g["num_roots"] = int((workload.session_start_ps[roots] < NOT_SCHEDULED).sum())
    g["num_servers"] = num_servers
    g["num_groups"] = len(workload.group_tokens)
    g["sides"] = sides
    g["seed"] = seed
    for name in ("dirty", "dirty_now", "begun_at"):
        g[name] = -1
    if can_fail:
        g["columns"] = codes.COLUMNS_ALL
    else:
        g["columns"] = codes.COLUMNS_DISAGGREGATED if pipeline.decode else codes.COLUMNS_COLOCATED
    g["decode_nodes"] = num_sessions
    g["order_nodes"] = num_sessions * (2 if pipeline.decode else 1)
    g["entry_nodes"] = g["order_nodes"] + num_sessions
    g["sentinels"] = g["entry_nodes"] + num_entries
    g["parked"] = g["sentinels"] + num_servers * codes.NUM_LISTS

    nodes = np.zeros(int(g["parked"][0]) + len(pools), state.dtype_of(state.Node))
    sentinels = np.arange(int(g["sentinels"][0]), len(nodes), dtype=np.int32)
    nodes["prev"][sentinels] = sentinels
    nodes["next"][sentinels] = sentinels

    entries = np.zeros(num_entries, state.dtype_of(state.Entry))
    entries["server"] = -1
    entries["return_due"] = -1

    pool_rows, servers, cost, heap_size = _servers(pools, num_sessions)
    return Memory(
        state=g,
        pools=pool_rows,
        servers=servers,
        sessions=_sessions(workload),
        entries=entries,
        nodes=nodes,
        heap=np.zeros(heap_size, state.dtype_of(state.HeapItem)),
        rows=_rows(workload, int(g["columns"][0])),
        warm=np.zeros(len(workload.group_tokens) * num_servers, np.uint8),
        cost=cost,
        starts=np.ascontiguousarray(workload.session_start_ps),
    )


def _fill_global(g: Rows, link: Link | None, pipeline: Pipeline) -> None:
    g["unit"] = pipeline.entry.units_per_token
    g["fixed"] = pipeline.entry.fixed_units
    g["network"] = pipeline.network_ps
    g["route"] = pipeline.route_ps
    g["detect"] = pipeline.detect_ps
    g["retry"] = pipeline.retry_ps
    g["max_attempts"] = pipeline.max_attempts
    g["prefill_lost"] = pipeline.prefill_lost
    g["decode_lost"] = pipeline.decode_lost
    g["handoff_lost"] = pipeline.handoff_lost
    g["staging_units"] = 1 << 60
    if link is not None:
        g["link_unit"] = link.unit_ps
        g["link_t0"] = link.t0_ps
        g["link_fill"] = link.fill_quarters
        g["link_max_flows"] = link.max_flows
        g["link_layers"] = link.layers
        g["overlap"] = link.overlap
        g["kv_return"] = link.kv_return
        g["staging_units"] = link.staging_units


def _servers(pools: Sequence[Pool | None], num_sessions: int) -> tuple[Rows, Rows, Int64, int]:
    """Pool and server records, the cost tables in one array, and the places that the servers' heaps need."""
    pool_rows = np.zeros(len(pools), state.dtype_of(state.Pool))
    total = sum(pool.num_servers for pool in pools if pool)
    servers = np.zeros(total, state.dtype_of(state.Server))
    tables: list[Int64] = []
    first = cost_at = heap_at = 0
    for p, pool in enumerate(pools):
        if pool is None:
            continue
        pool_rows[p] = (first, pool.num_servers, pool.affinity, pool.affinity_slack)
        places = min(pool.max_seqs, num_sessions)
        mine = servers[first : first + pool.num_servers]
        mine["pool"] = p
        mine["role"] = pool.role
        mine["up"] = 1
        mine["keeps_kv"] = pool.keeps_kv
        mine["capacity"] = mine["free"] = pool.capacity_units
        mine["watermark"] = pool.watermark_units
        mine["max_seqs"] = pool.max_seqs
        mine["token_budget"] = pool.token_budget
        mine["growth"] = pool.growth_units
        mine["width"] = pool.decode_width
        mine["cost"] = cost_at + 3
        mine["pair_now"] = pool.cost.prefill_pair_ps
        mine["decode_unit_now"] = pool.cost.decode_unit_ps
        mine["read_now"] = pool.cost.kv_unit_ps
        for i in range(pool.num_servers):
            mine["heap"][i] = heap_at
            mine["flow_heap"][i] = heap_at + places
            heap_at += 2 * places
        tables.append(cost_table(pool.cost))
        cost_at += len(tables[-1])
        first += pool.num_servers
    for name in ("partial", "end", "link_event", "link_due", "dirty_next"):
        servers[name] = -1
    servers["slow"] = servers["link_slow"] = 64
    return pool_rows, servers, np.concatenate(tables), heap_at


def _sessions(workload: Workload) -> Rows:
    sessions = np.zeros(workload.num_sessions, state.dtype_of(state.Session))
    first = workload.session_first_request
    sessions["request"] = first[:-1]
    sessions["request_end"] = first[1:]
    sessions["context"] = workload.session_context
    group = workload.session_group
    sessions["group"] = group
    if len(workload.group_tokens):
        sessions["group_tokens"] = np.where(group >= 0, workload.group_tokens[group], 0)
    parent = workload.session_parent_request
    sessions["parent_request"] = parent
    sessions["parent"] = -1
    sessions["next_child"] = workload.num_sessions
    roots = int((parent < 0).sum())
    if roots < workload.num_sessions:
        owner = np.searchsorted(first, parent[roots:], side="right") - 1
        sessions["parent"][roots:] = owner
        with_children, at = np.unique(owner, return_index=True)
        sessions["next_child"][with_children] = roots + at
    for name in ("arrive_at", "due", "cancel_due", "paused", "server", "decode_server"):
        sessions[name] = -1
    return sessions


def _rows(workload: Workload, columns: int) -> Int64:
    """Rows of results [num_requests * columns], holding what the kernel reads when a request starts."""
    rows = np.zeros((workload.num_requests, columns), np.int64)
    rows[:, codes.IN_GAP] = workload.gap_ps
    rows[:, codes.IN_HOLD] = np.where(workload.is_barge_in, -1 - workload.hold_ps, workload.hold_ps)
    np.left_shift(workload.prompt_tokens, 32, out=rows[:, codes.IN_PROMPT], dtype=np.int64)
    rows[:, codes.IN_PROMPT] |= workload.reuse_tokens
    np.left_shift(workload.output_tokens, 32, out=rows[:, codes.IN_OUTPUT], dtype=np.int64)
    rows[:, codes.IN_OUTPUT] |= workload.milestone_tokens
    return rows.reshape(-1)
