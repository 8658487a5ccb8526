"""The turns of a lane that are under way: which are open longest, where each of them is, and what it has taken."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.core.engine import Engine
from subsecond.engine.core.results import STAGES, SessionColumns, open_stage
from subsecond.engine.feed import OpenTurn
from subsecond.engine.turns import TOOLS
from subsecond.engine.workload.runs import offsets, ranks

from .turnmap import TurnMap

__all__ = ["MOST_OPEN", "open_turns"]

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

#: Open turns that a gauge describes one by one.
MOST_OPEN = 64


class _Open(NamedTuple):
    """Turns under way, [num_open] each: session, its present or next request, whether that has been sent, begin."""

    session: Int64
    request: Int64
    is_active: Bool
    start_ps: Int64


class _Taken(NamedTuple):
    """What the requests of turns have taken: [turns, STAGES], between them, when the last was back; -1: none has."""

    stages_ps: Int64
    tools_ps: Int64
    end_ps: Int64


def open_turns(
    engine: Engine, turns: TurnMap, columns: SessionColumns, outside: range, now_ps: int
) -> tuple[tuple[OpenTurn, ...], int]:
    """The `MOST_OPEN` turns open longest at the time that an engine has reached, and how many are open.

    Args:
        columns: where the sessions are at that time.
        outside: sessions that are left out.
    """
    found = _found(engine, turns, columns, outside, now_ps)
    oldest = _oldest(found)
    return _described(engine, turns, columns, oldest, now_ps), len(found.session)


def _found(engine: Engine, turns: TurnMap, columns: SessionColumns, outside: range, now_ps: int) -> _Open:
    """All turns under way, by session."""
    is_there = (columns.request < columns.request_end) & (columns.is_active | (columns.arrive_ps >= 0))
    is_there[outside.start : outside.stop] = False
    session = np.flatnonzero(is_there)
    request, active = columns.request[session], columns.is_active[session]
    turn, first = turns.workload.turn[request], turns.is_first[request]
    start = columns.arrive_ps[session] - engine.pipeline.network_ps
    begun = active | ~first
    start[begun] = engine.arrivals_ps(turns.first[turn[begun]])
    start -= turns.before_ps[turn]
    kept = np.flatnonzero(begun | ((turns.before_ps[turn] > 0) & (start <= now_ps)))
    return _Open(session[kept], request[kept], active[kept], start[kept])


def _oldest(found: _Open) -> _Open:
    """Those open longest, in order; of equals the lower session first."""
    start = found.start_ps
    chosen = np.arange(len(start))
    if len(start) > MOST_OPEN:
        latest = np.partition(start, MOST_OPEN - 1)[MOST_OPEN - 1]
        chosen = np.flatnonzero(start <= latest)
    chosen = chosen[np.argsort(start[chosen], kind="stable")[:MOST_OPEN]]
    return _Open(found.session[chosen], found.request[chosen], found.is_active[chosen], start[chosen])


def _described(
    engine: Engine, turns: TurnMap, columns: SessionColumns, found: _Open, now_ps: int
) -> tuple[OpenTurn, ...]:
    work, network = turns.workload, engine.pipeline.network_ps
    before = list(work.before_ps)
    names = [*before, *STAGES, TOOLS, *work.after_ps]
    tools, wire = names.index(TOOLS), names.index("network")
    turn, active = work.turn[found.request], found.is_active
    taken = _taken(engine, turns, turn, found.request + active)
    has_begun = taken.end_ps >= 0
    spent = np.zeros((len(turn), len(names)), np.int64)
    stage, since = np.full(len(turn), tools), taken.end_ps.copy()

    # before the first request, which tells no stages of its own
    at = found.start_ps.copy()
    is_inside = ~has_begun
    for place, name in enumerate(before):
        length = work.before_ps[name][turn]
        is_here = is_inside & ((now_ps < at + length) | (place == len(before) - 1))
        stage[is_here], since[is_here] = place, at[is_here]
        is_inside &= ~is_here
        spent[has_begun | is_inside, place] = length[has_begun | is_inside]
        at += length

    spent[:, len(before) : tools] = taken.stages_ps
    spent[:, tools] = taken.tools_ps
    # a reply on its way to the client, and the way back of what is under way, which is still to come
    is_returning = has_begun & ~active & (taken.end_ps > now_ps)
    stage[is_returning] = wire
    since[is_returning] -= network
    spent[active | is_returning, wire] -= network
    own = found.session[active]
    stage[active] = [names.index(open_stage(code)) for code in columns.stage[own].tolist()]
    since[active] = columns.mark_ps[own]
    rows = zip(
        turn.tolist(),
        found.session.tolist(),
        turns.index[turn].tolist(),
        turns.kind[turn].tolist(),
        found.start_ps.tolist(),
        stage.tolist(),
        np.minimum(since, now_ps).tolist(),
        map(tuple, spent.tolist()),
        strict=True,
    )
    return tuple([OpenTurn(*row) for row in rows])


def _taken(engine: Engine, turns: TurnMap, turn: Int64, ends: Int64) -> _Taken:
    """What each turn's requests before `ends` have taken. One look for all: it is dear."""
    first = turns.first[turn]
    lengths = ends - first
    results = engine.results(np.repeat(first, lengths) + ranks(lengths))
    places = offsets(lengths)

    def sums(rows: list[Int64]) -> Int64:
        """Of each turn's requests, [turns, rows]."""
        totals = np.zeros((len(rows), places[-1] + 1), np.int64)
        np.cumsum(np.stack(rows), axis=1, out=totals[:, 1:])
        return (totals[:, places[1:]] - totals[:, places[:-1]]).T

    back = results.finish_ps + engine.pipeline.network_ps
    between = np.zeros(places[-1], np.int64)
    between[1:] = results.arrival_ps[1:] - back[:-1]
    begins = places[:-1][lengths > 0]
    between[begins] = 0
    end = np.full(len(turn), -1)
    end[lengths > 0] = back[places[1:][lengths > 0] - 1]
    return _Taken(sums([results.stages[name] for name in STAGES]), sums([between])[:, 0], end)
