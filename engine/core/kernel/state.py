"""Records that the kernel works on.

Each class is one record: in compiled runs a row of a numpy structured array, else a slotted object. The annotations
give the width of the field. Times are ps, `units` are KV units, `step` counts iterations of a server since the start.
"""

from __future__ import annotations

from collections.abc import MutableSequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Entry",
    "Event",
    "Global",
    "HeapItem",
    "LogItem",
    "Node",
    "Pool",
    "Server",
    "Session",
    "dtype_of",
    "item_of",
    "objects_of",
]

I1 = Annotated[int, np.int8]
I4 = Annotated[int, np.int32]
I8 = Annotated[int, np.int64]
Sequence8 = Annotated[MutableSequence[int], np.uint8]
Sequence64 = Annotated[MutableSequence[int], np.int64]


@dataclass(slots=True)
class Pool:
    """Servers `first .. first + count - 1`."""

    first: I8
    count: I8
    affinity: I8
    slack: I8


@dataclass(slots=True)
class Server:
    """A server, with the link that feeds it if it is a decode server."""

    role: I8
    pool: I8
    up: I8
    keeps_kv: I8
    load: I8
    dirty: I8
    dirty_next: I8
    # Memory.
    capacity: I8
    used: I8
    retained: I8
    free: I8
    watermark: I8
    # Batch.
    max_seqs: I8
    token_budget: I8
    growth: I8
    width: I8
    num_decoding: I8
    num_prefilling: I8
    num_admitted: I8  # DECODE: reserved, in flow, landed or decoding
    kv: I8  # units of all decoding requests
    partial: I8  # the request whose prefill goes on in the next iteration, -1 for none
    open: I8  # whether a request that came now could be admitted at the next boundary
    # The segment: equal iterations, the j-th takes base + j * slope.
    busy: I8
    start: I8
    end: I8
    count: I8
    base: I8
    slope: I8
    step: I8  # iterations before this segment
    # Costs; those ending in _now have the slow factor applied.
    cost: I8  # where the server's table starts
    slow: I8
    pair: I8
    decode_unit: I8
    read: I8
    pair_now: I8
    decode_unit_now: I8
    read_now: I8
    # Requests by their next step of interest.
    heap: I8
    heap_size: I8
    # Link.
    link_slow: I8
    link_due: I8
    link_event: I8  # the earliest LINK event of this link in the heap, -1 for none
    served: I8  # service counter V
    served_at: I8
    flows: I8
    flow_heap: I8
    flow_size: I8
    # Counters.
    busy_ps: I8
    iterations: I8
    segments: I8
    sequence_steps: I8
    prefill_tokens: I8
    hit_tokens: I8
    preemptions: I8
    evictions: I8
    peak_used: I8
    peak_seqs: I8
    transferred: I8
    carried: I8  # ps of work, at the link's full rate, that its flows have done


@dataclass(slots=True)
class Session:
    """A session and its present request."""

    arrive_at: I8  # when the next request arrives, -1: not known yet or none
    due: I8  # the event that the present request waits for
    mark: I8
    hold: I8
    cancel_due: I8
    paused: I8
    late: I8
    ended_at: I8
    children_end: I8
    units: I8  # KV on the entry side
    decode_units: I8  # KV on the decode side, at the join
    work: I8  # of its flow
    prefilled_at: I8  # -1: not yet
    join_step: I8
    row: I8
    request: I4
    request_end: I4
    context: I4
    group: I4
    group_tokens: I4
    parent: I4
    parent_request: I4
    next_child: I4
    open_children: I4
    prompt: I4
    reuse: I4
    output: I4
    milestone: I4
    given: I4  # tokens given to the user (e)
    given_at_join: I4
    total: I4  # tokens to compute (x)
    position: I4  # of them computed
    chunk: I4
    hit: I4
    server: I4
    decode_server: I4
    heap_index: I4
    draws: I4
    repeat: I4  # how often its row has been used again
    place: I1
    decode_place: I1
    stage: I1
    active: I1  # its present request has arrived and not ended
    leaving: I1  # it has ended for the user and waits for the boundary
    put_off: I1  # the next request has arrived meanwhile
    barge_in: I1
    fallen: I1  # back, to the fallback pool
    attempts: I1


@dataclass(slots=True)
class Entry:
    """KV that a context left on a server, one per context and side."""

    server: I4
    padding: I4
    units: I8
    return_due: I8
    return_units: I8


@dataclass(slots=True)
class Node:
    """A node of a doubly linked list."""

    prev: I4
    next: I4


@dataclass(slots=True)
class Event:
    """An event: `key` is kind << 40 | id."""

    at: I8
    key: I8


@dataclass(slots=True)
class HeapItem:
    """A session in an indexed heap, ordered by (key, session)."""

    key: I8
    session: I8


@dataclass(slots=True)
class LogItem:
    """Either a committed segment of a server, or a request that joins a batch (`kind` 0, 1) or gets a token (2).

    Segment: server, step, start, count, base, slope. Join: server, step, request, tokens given before.
    Token: -, time, request, tokens given. Anew (3): what the request was given before does not count.
    """

    kind: I8
    server: I8
    step: I8
    a: I8
    b: I8
    c: I8
    d: I8


@dataclass(slots=True)
class Global:
    """What belongs to the pipeline as a whole; through it every kernel function reaches all other records.

    In compiled runs an array's field holds the address of its first item (`binding`).
    """

    pools: list[Pool]
    servers: list[Server]
    sessions: list[Session]
    entries: list[Entry]
    nodes: list[Node]
    events: list[Event]  # a heap; for the interpreter a list of tuples (at, key)
    later: list[Event]  # the same for ARRIVE, FAULT and CANCEL
    heap: list[HeapItem]
    journal: list[LogItem]
    rows: Sequence64
    cost: Sequence64
    starts: Sequence64  # session_start_ps
    faults: Sequence64
    warm: Sequence8  # [groups, servers]
    now: I8
    num_sessions: I8
    num_events: I8
    num_later: I8
    events_handled: I8
    log_size: I8
    log_limit: I8  # 0: no log is kept
    last_root: I8  # the root session whose start is in the heap; its start brings the next one
    num_roots: I8  # those that have a start
    dirty: I8  # first of the servers that begin next, -1 for none
    dirty_now: I8  # first of those that have yet to begin of the ones that are beginning
    begun_at: I8  # when servers began last, -1 for never
    beginning: I8  # at `begun_at` the servers up to this number have begun, or have passed up their turn
    columns: I8
    sides: I8
    decode_nodes: I8  # nodes of the decode side start here, then order, entries and sentinels
    order_nodes: I8
    entry_nodes: I8
    sentinels: I8
    parked: I8
    num_servers: I8
    num_groups: I8
    unit: I8  # KV units per token
    fixed: I8
    network: I8
    route: I8
    detect: I8
    retry: I8
    max_attempts: I8
    prefill_lost: I8
    decode_lost: I8
    handoff_lost: I8
    seed: I8
    throttle: I8
    handoff_loss: I8
    stalled_until: I8
    link_unit: I8
    link_t0: I8
    link_fill: I8
    link_max_flows: I8
    link_layers: I8
    overlap: I8
    kv_return: I8
    staging_units: I8
    staged: I8
    staging_blocked: I8


@cache
def _hints(record: type) -> dict[str, Any]:
    return get_type_hints(record, include_extras=True)


@cache
def item_of(record: type, name: str) -> np.dtype[Any] | None:
    """The dtype of the items, if the field `name` of a record is an array, else None."""
    hint = _hints(record)[name]
    if get_origin(hint) is list:
        return dtype_of(get_args(hint)[0])
    kind, width = get_args(hint)
    return None if kind is int else np.dtype(width)


@cache
def dtype_of(record: type) -> np.dtype[Any]:
    """The numpy dtype of a record class; an array's field is an address."""
    hints = _hints(record)
    widths = [
        (f.name, np.int64 if item_of(record, f.name) is not None else get_args(hints[f.name])[1])
        for f in fields(record)
    ]
    return np.dtype(widths, align=True)


def objects_of(record: type, rows: NDArray[Any]) -> list[Any]:
    """The rows of a structured array as slotted objects."""
    return [record(*row) for row in rows.tolist()]
