"""Sessions as a trace holds them, and their way into a workload: sampling, starts, time scale, order.

Readers give `Sessions`, in any order and in nanoseconds as recorded. `workload_of` puts those of all files together.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.core.config import Workload
from subsecond.engine.errors import InputError
from subsecond.engine.workload.distributions import poisson_arrivals, stream

__all__ = ["HORIZON_NS", "SESSION_RATE_PER_S", "Sessions", "chosen", "rows_of", "workload_of"]

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]
Bool = NDArray[np.bool_]

PS_PER_NS = 1000
#: Latest start and longest session: the core's picoseconds end at 2^60, a little above.
HORIZON_NS = 10**15
#: Starts of sessions whose trace has no common clock: a Poisson process with a mean gap of 10 s. Assumption: nothing
#: in those traces says how many users work at a time.
SESSION_RATE_PER_S = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Sessions:
    """Sessions of one file. Columns as in `Workload`, in nanoseconds and without an order among sessions.

    Attributes:
        start_ns: [num_sessions] on the file's clock, from 0; None: the file has none. The first request of a root is
            sent its gap later.
        parent_request: [num_sessions] -1 for a root, else a request of an earlier session.
        gap_ns: [num_requests] the client's time before a request, without the stages of `before_ns`.
        milestone_tokens, hold_ns, is_barge_in: None: the whole output, nothing, never.
        turn: None: every request is a turn.
        before_ns, after_ns: stage name -> [num_turns].
    """

    name: str
    kinds: tuple[str, ...]
    kind: Int64
    start_ns: Int64 | None
    first_request: Int64
    parent_request: Int64
    context: Int64
    num_contexts: int
    group: Int64
    group_tokens: Int64
    prompt_tokens: Int32
    reuse_tokens: Int32
    output_tokens: Int32
    gap_ns: Int64
    milestone_tokens: Int32 | None = None
    hold_ns: Int64 | None = None
    is_barge_in: Bool | None = None
    turn: Int64 | None = None
    before_ns: dict[str, Int64] = field(default_factory=dict)
    after_ns: dict[str, Int64] = field(default_factory=dict)

    @property
    def num_sessions(self) -> int:
        return len(self.parent_request)

    @property
    def num_requests(self) -> int:
        return len(self.prompt_tokens)

    @property
    def turn_ids(self) -> Int64:
        return np.arange(self.num_requests, dtype=np.int64) if self.turn is None else self.turn

    @property
    def num_turns(self) -> int:
        return self.num_requests if self.turn is None else int(self.turn[-1]) + 1


def chosen(num_roots: Sequence[int], sample: int | None, seed: int) -> list[Int64 | None]:
    """For each file the roots to keep, ascending; None: all of them.

    Args:
        num_roots: sessions of each file (requests, where a trace has no sessions).
        sample: most roots of all files together.
    """
    total = sum(num_roots)
    if sample is None or sample >= total:
        return [None] * len(num_roots)
    kept = np.sort(stream(seed, "trace.sample").choice(total, sample, replace=False, shuffle=False))
    edges = np.cumsum([0, *num_roots])
    return [kept[(kept >= a) & (kept < b)] - a for a, b in itertools.pairwise(edges)]


def workload_of(parts: Sequence[Sessions], time_scale: float, seed: int) -> Workload:
    """One workload of all parts; each keeps its own contexts and groups.

    Raises:
        InputError: a time beyond `HORIZON_NS` after scaling.
    """
    parts = _dated([part for part in parts if part.num_sessions], seed)
    for part in parts:
        _check_horizon(part, time_scale)
    whole = parts[0] if len(parts) == 1 else _joined(parts)
    assert whole.start_ns is not None
    start_ps = _scaled(whole.start_ns, time_scale)
    gap_ps = _scaled(whole.gap_ns, time_scale)
    for column in whole.before_ns.values():
        first_of_turn = np.flatnonzero(np.diff(whole.turn_ids, prepend=-1))
        gap_ps[first_of_turn] += column * PS_PER_NS
    # the core sends a root's first request at its start
    start_ps += np.where(whole.parent_request < 0, gap_ps[whole.first_request[:-1]], 0)
    return _ordered(whole, start_ps, gap_ps)


def _scaled(time_ns: Int64, scale: float) -> Int64:
    """Nanoseconds times a factor in ps; exact for 1, to a nanosecond otherwise."""
    if not np.any(time_ns):
        return np.zeros(len(time_ns), np.int64)
    if scale == 1.0:
        return time_ns * PS_PER_NS
    scaled: Int64 = np.rint(time_ns * scale).astype(np.int64) * PS_PER_NS
    return scaled


def _check_horizon(part: Sessions, scale: float) -> None:
    """That the core's clock can hold every start and every session's waiting."""
    assert part.start_ns is not None
    # floats: the sum of all gaps of a trace may exceed 63 bits
    waits = np.add.reduceat(part.gap_ns.astype(np.float64), part.first_request[:-1])
    ends = (part.start_ns + waits) * scale
    worst = int(ends.argmax())
    if float(ends[worst]) > HORIZON_NS:
        raise InputError(
            part.name,
            "time",
            f"{ends[worst] / 1e9:.6g} s to the last request of session {worst}",
            f"at most {HORIZON_NS // 10**9} s after scaling; a smaller time scale shortens it",
        )


def _dated(parts: list[Sessions], seed: int) -> list[Sessions]:
    """Parts with starts: those without a clock take theirs from one Poisson process, the first at 0."""
    undated = [part for part in parts if part.start_ns is None]
    if not undated:
        return parts
    roots = [int((part.parent_request < 0).sum()) for part in undated]
    drawn = poisson_arrivals(stream(seed, "trace.starts"), sum(roots), SESSION_RATE_PER_S)
    drawn = (drawn - drawn[0]) // PS_PER_NS
    result: list[Sessions] = []
    used = 0
    for part in parts:
        if part.start_ns is not None:
            result.append(part)
            continue
        start = np.zeros(part.num_sessions, np.int64)
        own = np.flatnonzero(part.parent_request < 0)
        start[own] = drawn[used : used + len(own)]
        used += len(own)
        result.append(replace(part, start_ns=start))
    return result


def _joined(parts: Sequence[Sessions]) -> Sessions:
    """Parts one after the other. All of them have starts."""
    kinds = tuple(dict.fromkeys(kind for part in parts for kind in part.kinds))
    sessions = _edges([part.num_sessions for part in parts])
    requests = _edges([part.num_requests for part in parts])
    turns = _edges([part.num_turns for part in parts])
    contexts = _edges([part.num_contexts for part in parts])
    groups = _edges([len(part.group_tokens) for part in parts])
    first = np.zeros(sessions[-1] + 1, np.int64)
    for part, s, r in zip(parts, sessions, requests, strict=False):
        first[s + 1 : s + 1 + part.num_sessions] = part.first_request[1:] + r
    return Sessions(
        name=parts[0].name,
        kinds=kinds,
        kind=np.concatenate([np.array([kinds.index(k) for k in p.kinds], np.int64)[p.kind] for p in parts]),
        start_ns=np.concatenate([p.start_ns for p in parts if p.start_ns is not None]),
        first_request=first,
        parent_request=np.concatenate([_shifted(p.parent_request, r) for p, r in zip(parts, requests, strict=False)]),
        context=np.concatenate([p.context + c for p, c in zip(parts, contexts, strict=False)]),
        num_contexts=contexts[-1],
        group=np.concatenate([_shifted(p.group, g) for p, g in zip(parts, groups, strict=False)]),
        group_tokens=np.concatenate([p.group_tokens for p in parts]),
        prompt_tokens=np.concatenate([p.prompt_tokens for p in parts]),
        reuse_tokens=np.concatenate([p.reuse_tokens for p in parts]),
        output_tokens=np.concatenate([p.output_tokens for p in parts]),
        gap_ns=np.concatenate([p.gap_ns for p in parts]),
        milestone_tokens=np.concatenate(
            [p.output_tokens if p.milestone_tokens is None else p.milestone_tokens for p in parts]
        ),
        hold_ns=np.concatenate([np.zeros(p.num_requests, np.int64) if p.hold_ns is None else p.hold_ns for p in parts]),
        is_barge_in=np.concatenate(
            [np.zeros(p.num_requests, bool) if p.is_barge_in is None else p.is_barge_in for p in parts]
        ),
        turn=np.concatenate([p.turn_ids + t for p, t in zip(parts, turns, strict=False)]),
        before_ns=_joined_stages([p.before_ns for p in parts], [p.num_turns for p in parts]),
        after_ns=_joined_stages([p.after_ns for p in parts], [p.num_turns for p in parts]),
    )


def _edges(sizes: Sequence[int]) -> list[int]:
    return [0, *np.cumsum(sizes).tolist()]


def _shifted(ids: Int64, by: int) -> Int64:
    """Ids in a larger numbering; -1 stays."""
    return np.where(ids < 0, -1, ids + by)


def _joined_stages(stages: Sequence[dict[str, Int64]], sizes: Sequence[int]) -> dict[str, Int64]:
    names = dict.fromkeys(name for columns in stages for name in columns)
    return {
        name: np.concatenate([c.get(name, np.zeros(n, np.int64)) for c, n in zip(stages, sizes, strict=True)])
        for name in names
    }


def _ordered(whole: Sessions, start_ps: Int64, gap_ps: Int64) -> Workload:
    """Roots by start, then children by the request they come from, generation by generation."""
    lengths = np.diff(whole.first_request)
    roots = np.flatnonzero(whole.parent_request < 0)
    order = roots[np.argsort(start_ps[roots], kind="stable")]
    if len(order) == whole.num_sessions and bool((order == np.arange(len(order))).all()):
        return _workload(whole, start_ps, gap_ps, whole.parent_request, None)
    # number of each request in the new order, known for the sessions placed so far
    renumbered = np.full(whole.num_requests, -1, np.int64)
    owner = np.repeat(np.arange(whole.num_sessions), lengths)
    placed: list[Int64] = []
    used, generation = 0, order
    while len(generation):
        placed.append(generation)
        rows = rows_of(whole.first_request, generation)
        renumbered[rows] = np.arange(used, used + len(rows))
        used += len(rows)
        is_placed = np.zeros(whole.num_sessions, bool)
        is_placed[generation] = True
        children = np.flatnonzero((whole.parent_request >= 0) & is_placed[owner[whole.parent_request]])
        generation = children[np.argsort(renumbered[whole.parent_request[children]], kind="stable")]
    order = np.concatenate(placed)
    parent = whole.parent_request[order]
    parent = np.where(parent < 0, -1, renumbered[parent])
    return _workload(whole, start_ps, gap_ps, parent, order)


def rows_of(first_request: Int64, sessions: Int64) -> Int64:
    """Requests of these sessions, session by session."""
    lengths = np.diff(first_request)[sessions]
    ends = np.cumsum(lengths)
    steps = np.arange(int(ends[-1]) if len(ends) else 0, dtype=np.int64)
    rows: Int64 = steps + np.repeat(first_request[sessions] - (ends - lengths), lengths)
    return rows


def _workload(whole: Sessions, start_ps: Int64, gap_ps: Int64, parent: Int64, order: Int64 | None) -> Workload:
    """The workload with its sessions in this order; columns that say nothing are one value, repeated."""
    sessions: Int64 | slice = slice(None)
    rows: Int64 | slice = slice(None)
    turns: Int64 | slice = slice(None)
    first, turn = whole.first_request, whole.turn_ids
    if order is not None:
        sessions, rows = order, rows_of(whole.first_request, order)
        first = np.concatenate(([0], np.cumsum(np.diff(whole.first_request)[order])))
        is_new = np.diff(turn[rows], prepend=-1) != 0
        turns = turn[rows][is_new]
        turn = np.cumsum(is_new) - 1
    count = whole.num_requests
    nothing = np.broadcast_to(np.int64(0), count)
    output = whole.output_tokens[rows]
    return Workload(
        kinds=whole.kinds,
        num_contexts=whole.num_contexts,
        session_start_ps=np.where(parent < 0, start_ps[sessions], 0),
        session_first_request=first,
        session_parent_request=parent,
        session_context=whole.context[sessions],
        session_group=whole.group[sessions],
        session_kind=whole.kind[sessions],
        prompt_tokens=whole.prompt_tokens[rows],
        reuse_tokens=whole.reuse_tokens[rows],
        output_tokens=output,
        milestone_tokens=output if whole.milestone_tokens is None else whole.milestone_tokens[rows],
        gap_ps=gap_ps[rows],
        hold_ps=nothing if whole.hold_ns is None else whole.hold_ns[rows] * PS_PER_NS,
        is_barge_in=np.broadcast_to(np.False_, count) if whole.is_barge_in is None else whole.is_barge_in[rows],
        turn=turn,
        group_tokens=whole.group_tokens,
        before_ps={name: column[turns] * PS_PER_NS for name, column in whole.before_ns.items()},
        after_ps={name: column[turns] * PS_PER_NS for name, column in whole.after_ns.items()},
    )
