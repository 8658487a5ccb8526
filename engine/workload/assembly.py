"""Workloads made of workloads: several united into one, one cut to its first turns.

Both keep every session as it is (its sizes, gaps, stages) and only number things anew, so that the rules of
`Workload` hold for the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.core.config import Workload

from .runs import gather, offsets, ranks

__all__ = ["REQUEST_COLUMNS", "depths", "in_order", "limit_turns", "merge"]

Int64 = NDArray[np.int64]

#: Columns that go along with a request, untouched.
REQUEST_COLUMNS = (
    "prompt_tokens",
    "reuse_tokens",
    "output_tokens",
    "milestone_tokens",
    "gap_ps",
    "hold_ps",
    "is_barge_in",
)


def merge(workloads: Sequence[Workload]) -> Workload:
    """All sessions of several workloads in one.

    Kinds of one name become one kind; contexts and prefix groups stay apart. Roots stand by start, ties in the order
    of the workloads; children behind them, by depth and parent. A stage that a workload lacks takes no time there.

    Raises:
        ValueError: no workloads.
    """
    if not workloads:
        raise ValueError("nothing to merge")
    if len(workloads) == 1:
        return workloads[0]
    return in_order(_chained(workloads))


def limit_turns(workload: Workload, turns: int) -> Workload:
    """The first turns of every session, as many for each as fit, at most `turns` (>= 1) in all.

    Turns are taken in rounds: the first of every root session, then the second of each, and so on; a child session's
    first turn counts with the turn that follows its parent's. What is left out is nobody's predecessor or parent.

    Raises:
        ValueError: `turns` is below 1.
    """
    if turns < 1:
        raise ValueError(f"turns must be >= 1, got {turns}")
    if turns >= workload.num_turns:
        return workload
    rounds = _rounds(workload)
    taken_before = np.cumsum(np.bincount(rounds))
    last = int(np.searchsorted(taken_before, turns))
    keep = rounds < last
    room = turns - (int(taken_before[last - 1]) if last else 0)
    keep[np.flatnonzero(rounds == last)[:room]] = True
    return _with_turns(workload, keep)


def _chained(workloads: Sequence[Workload]) -> Workload:
    """Sessions of the workloads one after the other, all ids made distinct: not yet in a workload's order.

    Built without the checks of a workload's constructor, which demand that order.
    """
    kinds = tuple(dict.fromkeys(kind for w in workloads for kind in w.kinds))
    requests = offsets(np.array([w.num_requests for w in workloads]))
    contexts = offsets(np.array([w.num_contexts for w in workloads]))
    groups = offsets(np.array([len(w.group_tokens) for w in workloads]))
    turns = offsets(np.array([w.num_turns for w in workloads]))
    kind_ids = [np.array([kinds.index(kind) for kind in w.kinds], np.int64) for w in workloads]

    def shifted(column: str, by: Int64) -> Int64:
        """Ids of each workload moved up; -1 (none) stays."""
        parts = [getattr(w, column) for w in workloads]
        return np.concatenate([np.where(p < 0, p, p + b) for p, b in zip(parts, by, strict=False)])

    first = np.concatenate([w.session_first_request[:-1] + b for w, b in zip(workloads, requests, strict=False)])
    columns: dict[str, object] = {
        "kinds": kinds,
        "num_contexts": int(contexts[-1]),
        "session_start_ps": np.concatenate([w.session_start_ps for w in workloads]),
        "session_first_request": np.append(first, requests[-1]),
        "session_parent_request": shifted("session_parent_request", requests),
        "session_context": shifted("session_context", contexts),
        "session_group": shifted("session_group", groups),
        "session_kind": np.concatenate([ids[w.session_kind] for w, ids in zip(workloads, kind_ids, strict=True)]),
        "turn": shifted("turn", turns),
        "group_tokens": np.concatenate([w.group_tokens for w in workloads]),
        "before_ps": _united_stages([w.before_ps for w in workloads], turns),
        "after_ps": _united_stages([w.after_ps for w in workloads], turns),
    }
    for name in REQUEST_COLUMNS:
        columns[name] = np.concatenate([getattr(w, name) for w in workloads])
    chained = object.__new__(Workload)
    for name, value in columns.items():
        object.__setattr__(chained, name, value)
    return chained


def _united_stages(stages: Sequence[dict[str, Int64]], turns: Int64) -> dict[str, Int64]:
    """Stage columns of all workloads; zeros where a workload has no such stage."""
    names = dict.fromkeys(name for columns in stages for name in columns)
    sizes = np.diff(turns)
    return {
        name: np.concatenate([c.get(name, np.zeros(n, np.int64)) for c, n in zip(stages, sizes, strict=True)])
        for name in names
    }


def in_order(chained: Workload) -> Workload:
    """The same sessions in a workload's order, everything numbered anew.

    Args:
        chained: built without the checks of the constructor: roots need not come by start, nor children by parent.
    """
    lengths = np.diff(chained.session_first_request)
    order, parents = _session_order(chained, lengths)
    at = gather(lengths, order)
    turn = chained.turn[at]
    begins = np.flatnonzero(np.diff(turn, prepend=-1))
    turn_order = turn[begins]
    new_turn = np.repeat(np.arange(len(begins), dtype=np.int64), np.diff(np.append(begins, len(turn))))
    return Workload(
        kinds=chained.kinds,
        num_contexts=chained.num_contexts,
        session_start_ps=chained.session_start_ps[order],
        session_first_request=offsets(lengths[order]),
        session_parent_request=parents,
        session_context=chained.session_context[order],
        session_group=chained.session_group[order],
        session_kind=chained.session_kind[order],
        turn=new_turn,
        group_tokens=chained.group_tokens,
        before_ps={name: column[turn_order] for name, column in chained.before_ps.items()},
        after_ps={name: column[turn_order] for name, column in chained.after_ps.items()},
        prompt_tokens=chained.prompt_tokens[at],
        reuse_tokens=chained.reuse_tokens[at],
        output_tokens=chained.output_tokens[at],
        milestone_tokens=chained.milestone_tokens[at],
        gap_ps=chained.gap_ps[at],
        hold_ps=chained.hold_ps[at],
        is_barge_in=chained.is_barge_in[at],
    )


def _session_order(chained: Workload, lengths: Int64) -> tuple[Int64, Int64]:
    """Order of the sessions, and their parent requests in the new numbers.

    Roots come by start. A child's place depends on its parent request's new number, which is known as soon as the
    parent's session has its place: so children come depth by depth, each depth by parent request.
    """
    old_parent = chained.session_parent_request
    parent_session = np.searchsorted(chained.session_first_request, old_parent, side="right") - 1
    depth = depths(parent_session)
    shift = np.zeros(len(lengths), np.int64)  # from a session's old request numbers to the new ones
    placed = 0
    order, parents = [], []
    by_depth, ends = np.argsort(depth, kind="stable"), np.cumsum(np.bincount(depth))
    for level, here in enumerate(np.split(by_depth, ends[:-1])):
        if level:
            parent = old_parent[here] + shift[parent_session[here]]
            by = np.argsort(parent, kind="stable")
            parents.append(parent[by])
        else:
            by = np.argsort(chained.session_start_ps[here], kind="stable")
            parents.append(np.full(len(here), -1, np.int64))
        here = here[by]
        order.append(here)
        begins = placed + offsets(lengths[here])
        shift[here] = begins[:-1] - chained.session_first_request[here]
        placed = int(begins[-1])
    return np.concatenate(order), np.concatenate(parents)


def depths(parent_session: Int64) -> Int64:
    """0 for a root session (parent -1), one more than its parent for a child."""
    depth = (parent_session >= 0).astype(np.int64)  # counted up to the session in `above`
    above = parent_session.copy()
    while len(open_ := np.flatnonzero(above >= 0)):  # each round counts twice as far
        depth[open_] += depth[above[open_]]
        above[open_] = above[above[open_]]
    return depth


def _rounds(workload: Workload) -> Int64:
    """The round in which each turn is taken; later than that of the turn before it and of its parent's turn."""
    first = workload.session_first_request
    first_turn = np.append(workload.turn[first[:-1]], workload.num_turns)
    lengths = np.diff(first_turn)
    parent = workload.session_parent_request
    children = np.flatnonzero(parent >= 0)
    parent_session = np.searchsorted(first, parent, side="right") - 1
    rank = ranks(lengths)
    begin = np.zeros(len(parent), np.int64)
    depth = depths(parent_session)
    for level in range(1, int(depth.max()) + 1):
        here = children[depth[children] == level]
        above = workload.turn[parent[here]]
        begin[here] = begin[parent_session[here]] + rank[above] + 1
    return rank + np.repeat(begin, lengths)


def _with_turns(workload: Workload, keep: NDArray[np.bool_]) -> Workload:
    """The workload with some turns; of each session the first ones, and no child without its parent request."""
    requests = keep[workload.turn]
    at = np.flatnonzero(requests)
    number = np.cumsum(requests) - 1
    first = workload.session_first_request
    lengths = np.add.reduceat(requests, first[:-1], dtype=np.int64)
    sessions = np.flatnonzero(lengths)
    parent = workload.session_parent_request[sessions]
    turn_number = np.cumsum(keep) - 1
    return replace(
        workload,
        session_start_ps=workload.session_start_ps[sessions],
        session_first_request=offsets(lengths[sessions]),
        session_parent_request=np.where(parent < 0, -1, number[parent]),
        session_context=workload.session_context[sessions],
        session_group=workload.session_group[sessions],
        session_kind=workload.session_kind[sessions],
        turn=turn_number[workload.turn[at]],
        before_ps={name: column[keep] for name, column in workload.before_ps.items()},
        after_ps={name: column[keep] for name, column in workload.after_ps.items()},
        **{name: getattr(workload, name)[at] for name in REQUEST_COLUMNS},
    )
