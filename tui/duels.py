"""Who answers the same turn sooner: two lanes, turn by turn, in bounded memory."""

from __future__ import annotations

from array import array

import numpy as np

from subsecond.engine.feed import TurnEnd
from subsecond.engine.turns import TurnState
from subsecond.tui.snapshot import PairView

__all__ = ["Duels"]

#: Pairs whose median is the lead, and turns that wait for the other lane.
KEEP_PAIRS, MOST_WAITING = 4096, 65_536


class Duels:
    """Turns of one agent kind on two lanes; `side` is 0 for the first lane, 1 for the second."""

    def __init__(self) -> None:
        self._waiting: tuple[dict[int, int], dict[int, int]] = ({}, {})  # turn -> latency; -1: not answered
        self._wins = [0, 0]
        self._ties = 0
        self._leads_ps = array("q")

    def add(self, turn: TurnEnd, side: int) -> None:
        """A turn has ended on one of the lanes."""
        latency = turn.latency_ps if turn.state == TurnState.ANSWERED else -1
        other = self._waiting[1 - side].pop(turn.turn, None)
        if other is None:
            waiting = self._waiting[side]
            waiting[turn.turn] = latency
            if len(waiting) > MOST_WAITING:
                del waiting[next(iter(waiting))]
            return
        first, second = (latency, other) if side == 0 else (other, latency)
        if first < 0 and second < 0:
            return
        if first == second:
            self._ties += 1
        else:
            self._wins[int(first < 0 or 0 <= second < first)] += 1
        if first >= 0 and second >= 0:
            self._leads_ps.append(second - first)
            if len(self._leads_ps) >= 2 * KEEP_PAIRS:
                del self._leads_ps[:-KEEP_PAIRS]

    def view(self, first: int, second: int, agent: int) -> PairView:
        """The result by now; `first`, `second`: the lanes' numbers."""
        leads = np.array(self._leads_ps[-KEEP_PAIRS:], np.int64)
        lead = int(np.median(leads)) if len(leads) else None
        return PairView(first, second, agent, (self._wins[0], self._wins[1]), self._ties, lead)
