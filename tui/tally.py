"""Turns of one agent kind on one lane, added up for a comparison: constant memory, the measures that drills have."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.drills.windows import FOREVER, QUANTILE
from subsecond.engine.histogram import Histogram
from subsecond.engine.turns import TurnState
from subsecond.tui.stats import EXACT
from subsecond.tui.turnlog import Field, TurnTable

__all__ = ["Tallied", "Tally", "took_ps"]

Int64 = NDArray[np.int64]


def took_ps(table: TurnTable) -> Int64:
    """What turns took as drills count it: for ever if they failed, [turns]."""
    took: Int64 = np.where(table.of(Field.STATE) == TurnState.FAILED, FOREVER, table.of(Field.LATENCY_PS))
    return took


@dataclass(frozen=True, slots=True)
class Tallied:
    """What turns come to.

    Attributes:
        turns: answered and failed; those that were given up do not count.
        met: those of them that kept the budget; all answered ones where there is none.
        p95_ps: `FOREVER`: one in twenty or more failed; None: no turn.
        worst_ps: the longest wait, of those that failed, too.
    """

    turns: int
    failed: int
    met: int
    p95_ps: int | None
    worst_ps: int

    @property
    def late(self) -> int:
        """Turns that were answered and missed the budget."""
        return self.turns - self.failed - self.met

    @property
    def share(self) -> float | None:
        """Share of the turns that kept the budget; None: no turn."""
        return self.met / self.turns if self.turns else None


class Tally:
    """Adds up turns.

    Args:
        budget: place of the budget that counts; None: the kind has none.
    """

    def __init__(self, budget: int | None) -> None:
        self._budget = budget
        self._answered = self._failed = self._met = self._worst = 0
        self._exact: list[Int64] = []
        self._histogram: Histogram | None = None
        self._known: Tallied | None = None

    def add(self, table: TurnTable) -> None:
        """Count turns of the kind."""
        state, latency = table.of(Field.STATE), table.of(Field.LATENCY_PS)
        answered, failed = state == TurnState.ANSWERED, state == TurnState.FAILED
        met = answered if self._budget is None else answered & (table.met[self._budget] == 1)
        self._answered += int(np.count_nonzero(answered))
        self._failed += int(np.count_nonzero(failed))
        self._met += int(np.count_nonzero(met))
        self._worst = max(self._worst, int(latency[answered | failed].max(initial=0)))
        self._keep(latency[answered])
        self._known = None

    def _keep(self, latency: Int64) -> None:
        if self._histogram is not None:
            self._histogram.add(latency)
            return
        self._exact.append(latency)
        if self._answered > EXACT:
            self._histogram = Histogram()
            self._histogram.add(np.concatenate(self._exact))
            self._exact = []

    def tallied(self) -> Tallied:
        """What they come to by now."""
        if self._known is None:
            turns = self._answered + self._failed
            self._known = Tallied(turns, self._failed, self._met, self._p95(turns), self._worst)
        return self._known

    def _p95(self, turns: int) -> int | None:
        if not turns:
            return None
        rank = math.ceil(QUANTILE * turns)
        if rank > self._answered:
            return FOREVER
        if self._histogram is not None:
            return self._histogram.quantile_ps((rank - 0.5) / self._answered)  # of that rank, whatever is rounded
        self._exact = [np.concatenate(self._exact)]
        return int(np.partition(self._exact[0], rank - 1)[rank - 1])
