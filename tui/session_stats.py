"""What is known of each session of a lane, kept up to date turn by turn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.turns import TurnState
from subsecond.tui.snapshot import SessionTable
from subsecond.tui.turnlog import Field, TurnTable

__all__ = ["Sessions"]

Int64 = NDArray[np.int64]


class Sessions:
    """What is known of each session of a lane."""

    #: Where the columns of `SessionTable` begin, and when the answered turn that is the latest ended.
    _START = (-1, 0, 0, 0, 0, -1, -1, -1, -1, -1)

    def __init__(self) -> None:
        self._rows: Int64 = np.empty((len(self._START), 0), np.int64)
        self._size = 0

    def add(self, table: TurnTable) -> None:
        session = table.of(Field.SESSION)
        self._grow(int(session.max()) + 1)
        agent, turns, answered, missed, total, worst, worst_turn, last, last_end, answered_end = self._rows
        state, latency, end = table.of(Field.STATE), table.of(Field.LATENCY_PS), table.end_ps
        agent[session] = table.of(Field.AGENT)
        np.add.at(turns, session, 1)
        late = (table.met == 0).any(axis=0) & (state == TurnState.ANSWERED) | (state == TurnState.FAILED)
        np.add.at(missed, session[late], 1)
        done = np.flatnonzero(state == TurnState.ANSWERED)
        own = session[done]
        np.add.at(answered, own, 1)
        np.add.at(total, own, latency[done])
        latest = done[::-1]  # of several for one session the longest is written last, of equal ones the first
        order = latest[np.argsort(latency[latest], kind="stable")]
        order = order[latency[order] > worst[session[order]]]
        worst[session[order]] = latency[order]
        worst_turn[session[order]] = table.of(Field.TURN)[order]
        order = done[np.argsort(end[done], kind="stable")]
        order = order[end[order] >= answered_end[session[order]]]
        last[session[order]] = latency[order]
        np.maximum.at(answered_end, own, end[done])
        np.maximum.at(last_end, session, end)

    def _grow(self, size: int) -> None:
        if size > self._rows.shape[1]:
            rows = np.empty((len(self._START), max(64, size + size // 2)), np.int64)
            rows[:] = np.array(self._START, np.int64)[:, None]
            rows[:, : self._rows.shape[1]] = self._rows
            self._rows = rows
        self._size = max(self._size, size)

    def table(self) -> SessionTable:
        return SessionTable(*self._rows[:-1, : self._size].copy())
