"""Sessions that are at work all the time: when one ends, the next begins in its place.

A run that starts all its sessions at their beginning sees young sessions, and those that end leave the pipeline to the
others. Here each place is found at a random point of a long past: in the midst of a session that is
chosen by its length, as a passer-by would find it, so that a run of minutes sees the mixture of ages that a day sees.
Only the caches are empty at first: `Scenario.warm_up_s` leaves that out of what is counted.

The point is random in the agents' own time (tools, thinking, speaking), without the replies, which no script knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.core.config import Workload

from .assembly import REQUEST_COLUMNS, depths, in_order
from .distributions import raw_bits, stream
from .runs import offsets, ranks

__all__ = ["SESSIONS_EACH", "steady_sessions"]

Int64 = NDArray[np.int64]
PS_PER_S = 10**12

#: Sessions drawn for each place; a place that has been through all of them begins again. The session that a place is
#: found in is chosen by length among so many.
SESSIONS_EACH = 8
#: Least time of a request, whatever its pipeline: bounds how many can be sent before a run stops.
_LEAST_REPLY_PS = 10**9


def steady_sessions(draw: Callable[..., Workload], places: int, duration_s: float, seed: int) -> Workload:
    """Sessions that keep a number of places busy until a time.

    Args:
        draw: takes `sessions`, and draws so many that all start at 0 (`at_once`); with more sessions, the first ones
            are the same.
        places: sessions at work at a time, >= 1. More places leave what happens in the first ones as it is.
        duration_s: nothing that cannot be sent before this time is kept.
        seed: of the points at which sessions are found.
    """
    drawn = draw(sessions=places * SESSIONS_EACH)
    draws = raw_bits(stream(seed, "steady"), places).astype(np.int64)
    script, duration_ps = _Script(drawn, _own_times(drawn)), round(duration_s * PS_PER_S)
    rank, since = _found(script.length_ps[: places * SESSIONS_EACH].reshape(places, SESSIONS_EACH), draws)
    pieces = _in_places(script, rank, since, duration_ps)
    found = np.arange(places) * SESSIONS_EACH + rank
    pieces = _joined([pieces, _under_way(script, found, since, duration_ps)])
    return in_order(_chained(drawn, _with_children(drawn, pieces)))


@dataclass(frozen=True, slots=True)
class _Times:
    """The agents' own time: `sent_ps` of each request from its session's begin, `length_ps` of each session."""

    sent_ps: Int64
    length_ps: Int64


def _own_times(w: Workload) -> _Times:
    """When requests are sent if replies take next to no time; a parent waits for its longest child."""
    begins = w.session_first_request[:-1]
    parents = w.session_parent_request
    parent_session = np.searchsorted(w.session_first_request, parents, side="right") - 1
    after = w.hold_ps + _LEAST_REPLY_PS
    depth = depths(parent_session)
    for level in range(int(depth.max()), 0, -1):
        children = np.flatnonzero(depth == level)
        waits = np.zeros(w.num_requests, np.int64)
        np.maximum.at(waits, parents[children], np.add.reduceat(w.gap_ps + after, begins)[children])
        after = after + waits
    total = np.cumsum(w.gap_ps + after)
    lengths = np.diff(np.append(0, total[w.session_first_request[1:] - 1]))
    before = np.repeat(np.append(0, np.cumsum(lengths)[:-1]), np.diff(w.session_first_request))
    return _Times(total - after - before, lengths)


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Sessions, or the part of them that is kept; each takes requests `begin` to `end` of what was drawn.

    Attributes:
        start_ps: of the pieces that start by themselves; 0 for the others.
        parent: the piece before it in its place, or that of the session that started it; -1: none.
        parent_request: the request of that piece after which it starts, as drawn; -1: none.
    """

    begin: Int64
    end: Int64
    session: Int64
    start_ps: Int64
    parent: Int64
    parent_request: Int64


class _Script:
    """What was drawn, turn by turn, and when each turn begins in its session's own time."""

    def __init__(self, w: Workload, times: _Times) -> None:
        self.workload = w
        self.request_ps = times.sent_ps
        self.begin = np.flatnonzero(np.diff(w.turn, prepend=-1))
        self.end = np.append(self.begin[1:], w.num_requests)
        self.sent_ps = times.sent_ps[self.begin]
        self.before_ps = sum(w.before_ps.values(), np.zeros(w.num_turns, np.int64))
        self.session_turn = np.append(w.turn[w.session_first_request[:-1]], w.num_turns)
        self.length_ps = times.length_ps

    def turns(self, session: Int64, from_ps: Int64, until_ps: Int64) -> tuple[Int64, Int64]:
        """The turns of each session that are sent from a time until before another, as begin and end."""
        low, high = self.session_turn[session], self.session_turn[session + 1]
        first, last = low.copy(), high.copy()  # most sessions are whole, and need no search
        late = np.flatnonzero(from_ps > 0)
        if len(late):
            first[late] = _first_from(self.sent_ps, low[late], high[late], from_ps[late])
        cut = np.flatnonzero(until_ps <= self.length_ps[session])
        if len(cut):
            last[cut] = _first_from(self.sent_ps, low[cut], high[cut], until_ps[cut])
        return first, last


def _in_places(script: _Script, rank: Int64, since: Int64, duration_ps: int) -> _Pieces:
    """Sessions place by place: the first one from where it is found, the others whole, the last one cut."""
    place = np.arange(len(rank))
    began = -since  # the session in each place, on the clock of the run
    before = np.full(len(rank), -1, np.int64)  # the piece before in each place, and its last request
    before_request = before.copy()
    parts: list[tuple[Int64, ...]] = []
    made = 0
    while len(place):
        session = place * SESSIONS_EACH + rank
        first, last = script.turns(session, np.maximum(-began, 0), np.maximum(duration_ps - began, 0))
        at = np.flatnonzero(first < last)
        first, last = first[at], last[at] - 1
        start = np.maximum(began[at] + script.sent_ps[first], script.before_ps[first])
        alone = before[at] < 0
        parts.append(
            (
                script.begin[first],
                script.end[last],
                session[at],
                np.where(alone, start, 0),
                before[at],
                before_request[at],
            )
        )
        before[at] = made + np.arange(len(at))
        before_request[at] = script.end[last] - 1
        made += len(at)
        ended = began + script.length_ps[session]
        on = np.flatnonzero(ended < duration_ps)
        place, began, rank = place[on], ended[on], (rank[on] + 1) % SESSIONS_EACH
        before, before_request = before[on], before_request[on]
    if not made:  # no workload is empty: its first turn comes when the run is over
        nothing, one = np.array([-1]), np.array([0])
        parts.append((script.begin[one], script.end[one], one, np.array([duration_ps]), nothing, nothing))
    return _Pieces(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _under_way(script: _Script, found: Int64, since: Int64, duration_ps: int) -> _Pieces:
    """What is left of children whose parents are found waiting for them; they start by themselves.

    Args:
        found: sessions that are found at work.
        since: how long each of them has been at work.
    """
    w = script.workload
    parents = w.session_parent_request
    child = np.flatnonzero(parents >= 0)
    parent = parents[child]
    session = np.searchsorted(w.session_first_request, parent, side="right") - 1
    at_work_ps = np.full(w.num_sessions, -1, np.int64)
    at_work_ps[found] = since
    began = script.request_ps[parent] + w.hold_ps[parent] + _LEAST_REPLY_PS - at_work_ps[session]
    is_open = (at_work_ps[session] >= 0) & (began < 0) & (began + script.length_ps[child] > 0)
    child, began = child[is_open], began[is_open]
    first, last = script.turns(child, -began, np.maximum(duration_ps - began, 0))
    has_any = first < last
    child, began, first, last = child[has_any], began[has_any], first[has_any], last[has_any] - 1
    start = np.maximum(began + script.sent_ps[first], script.before_ps[first])
    nothing = np.full(len(child), -1, np.int64)
    return _Pieces(script.begin[first], script.end[last], child, start, nothing, nothing)


def _joined(parts: Sequence[_Pieces]) -> _Pieces:
    return _Pieces(*(np.concatenate([getattr(part, name) for part in parts]) for name in _Pieces.__slots__))


def _found(lengths: Int64, draws: Int64) -> tuple[Int64, Int64]:
    """Which session of each place is found at a random moment of all of them, and how long it has been at work.

    Args:
        lengths: [places, sessions of each].
        draws: random bits of each place, below 2^32.
    """
    ends = np.cumsum(lengths, axis=1)
    moment = _share(ends[:, -1], draws)
    rank = (ends <= moment[:, None]).sum(axis=1)
    return rank, moment - (ends - lengths)[np.arange(len(lengths)), rank]


def _share(lengths: Int64, draws: Int64) -> Int64:
    """`lengths * draws / 2^32`, in two parts that fit into 63 bits."""
    high, low = lengths >> 32, lengths & 0xFFFFFFFF
    return high * draws + (low * (draws >> 1) >> 31)


def _first_from(values: Int64, low: Int64, high: Int64, least: Int64) -> Int64:
    """The first position in [low, high) whose value, ascending there, is at least `least`; `high` if there is none."""
    low = low.copy()
    high = high.copy()
    while (open_ := low < high).any():
        middle = (low + high) // 2
        is_below = open_ & (values[np.minimum(middle, len(values) - 1)] < least)
        low = np.where(is_below, middle + 1, low)
        high = np.where(open_ & ~is_below, middle, high)
    return low


def _with_children(w: Workload, pieces: _Pieces) -> _Pieces:
    """The pieces, and behind them the sessions that their requests start."""
    roots = int((w.session_parent_request < 0).sum())
    parents = w.session_parent_request[roots:]
    parts = [pieces]
    above, made = pieces, len(pieces.begin)
    first_piece = 0
    while len(above.begin):
        low, high = np.searchsorted(parents, above.begin), np.searchsorted(parents, above.end)
        counts = high - low
        child = roots + np.repeat(low, counts) + ranks(counts)
        below = _Pieces(
            begin=w.session_first_request[child],
            end=w.session_first_request[child + 1],
            session=child,
            start_ps=np.zeros(len(child), np.int64),
            parent=first_piece + np.repeat(np.arange(len(counts)), counts),
            parent_request=w.session_parent_request[child],
        )
        parts.append(below)
        first_piece = made
        made += len(child)
        above = below
    return _joined(parts)


def _chained(w: Workload, pieces: _Pieces) -> Workload:
    """The pieces one after the other, each with a context of its own: not yet in a workload's order."""
    lengths = pieces.end - pieces.begin
    first = offsets(lengths)
    at = np.repeat(pieces.begin, lengths) + ranks(lengths)
    turn = w.turn[at]
    is_begin = np.diff(turn, prepend=-1) != 0
    is_begin[first[:-1]] = True
    turns = turn[is_begin]
    has_parent = pieces.parent >= 0
    parent = np.where(has_parent, first[pieces.parent] + pieces.parent_request - pieces.begin[pieces.parent], -1)
    reuse = w.reuse_tokens[at]
    reuse[first[:-1]] = 0  # nothing is left of what was before
    columns: dict[str, object] = {
        "kinds": w.kinds,
        "num_contexts": len(lengths),
        "session_start_ps": pieces.start_ps,
        "session_first_request": first,
        "session_parent_request": parent,
        "session_context": np.arange(len(lengths), dtype=np.int64),
        "session_group": w.session_group[pieces.session],
        "session_kind": w.session_kind[pieces.session],
        "turn": np.cumsum(is_begin) - 1,
        "group_tokens": w.group_tokens,
        "before_ps": {name: column[turns] for name, column in w.before_ps.items()},
        "after_ps": {name: column[turns] for name, column in w.after_ps.items()},
        "reuse_tokens": reuse,
    }
    for name in REQUEST_COLUMNS:
        columns.setdefault(name, getattr(w, name)[at])
    chained = object.__new__(Workload)
    for name, value in columns.items():
        object.__setattr__(chained, name, value)
    return chained
