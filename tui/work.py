"""What a lane has done, in the quantities that costs are divided by: over the window, the run, and second by second."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.economics.costs import Work
from subsecond.tui.stats import SERIES_S, good_turns
from subsecond.tui.turnlog import Field, TurnTable

__all__ = ["LaneWork", "WorkBuilder", "WorkSeries", "num_bases"]

Int64 = NDArray[np.int64]
PS_PER_S = 10**12
PS_PER_HOUR = 3600 * PS_PER_S
#: Columns of sums: answered, tokens of prompts, of these in a cache, written; turns in time follow, by basis.
_COLUMNS = 4


@dataclass(frozen=True, slots=True, eq=False)
class WorkSeries:
    """Work over time, a point per second of virtual time; the last point is the latest whole second.

    Attributes:
        first_s: second of the first point.
        hours: [points], length of the time that ends with the point's second and that its sums are of.
        sums: [points, 5], in the order of the fields of `Work` after `hours`.
    """

    first_s: int
    hours: NDArray[np.float64]
    sums: Int64

    def __len__(self) -> int:
        return len(self.sums)

    def points(self) -> Iterator[tuple[int, Work]]:
        """Seconds, and the work that ended with each."""
        for place, (hours, row) in enumerate(zip(self.hours.tolist(), self.sums.tolist(), strict=True)):
            yield self.first_s + place, Work(hours, *row)


@dataclass(frozen=True, slots=True, eq=False)
class LaneWork:
    """Turns of all agent kinds together: over the window, over the run, and over time."""

    now: Work
    whole: Work
    series: WorkSeries


def num_bases(budgets: Sequence[Sequence[int]]) -> int:
    """Ways to say which turns are in time: those that met every budget of their kind, the first one, the second...

    A kind with fewer budgets counts by its last one.

    Args:
        budgets: places of each kind's budgets.
    """
    most = max((len(own) for own in budgets), default=0)
    return 1 + most if most > 1 else 1


class WorkBuilder:
    """Adds up the turns of a lane that have ended, in constant memory.

    Args:
        window_ps: length of the window.
        budgets: places of each kind's budgets.
    """

    def __init__(self, window_ps: int, budgets: Sequence[Sequence[int]]) -> None:
        self._window_ps = window_ps
        self._window_s = max(1, window_ps // PS_PER_S)
        self._budgets = budgets
        self._bases = num_bases(budgets)
        width = _COLUMNS + self._bases
        self._whole = [0] * width  # whole numbers of any size
        #: Sums by second; the first row is that of second `_first`.
        self._seconds: Int64 = np.zeros((2 * (SERIES_S + self._window_s), width), np.int64)
        self._first = 0

    def add(self, table: TurnTable, kind: int) -> None:
        """Count turns of one agent kind."""
        columns = self._columns(table, kind)
        self._whole = [a + b for a, b in zip(self._whole, columns.sum(axis=0).tolist(), strict=True)]
        second = table.end_ps // PS_PER_S
        self._make_room(int(second.max()))
        is_kept = second >= self._first
        np.add.at(self._seconds, second[is_kept] - self._first, columns[is_kept])

    def _columns(self, table: TurnTable, kind: int) -> Int64:
        """[turns, columns]."""
        own = self._budgets[kind]
        answered, good = good_turns(table, own)
        in_time = [good, *(good_turns(table, own[min(n, len(own) - 1) :][:1])[1] for n in range(self._bases - 1))]
        fields = (Field.PROMPT_TOKENS, Field.HIT_TOKENS, Field.OUTPUT_TOKENS)
        return np.stack([answered, *(table.of(field) for field in fields), *in_time], axis=1).astype(np.int64)

    def _make_room(self, last: int) -> None:
        """Let the row of a second be there; the oldest are given up for it."""
        size = len(self._seconds)
        if last < self._first + size:
            return
        first = last - size // 2
        kept = self._seconds[max(0, first - self._first) :].copy()
        self._seconds[:] = 0
        self._seconds[: len(kept)] = kept
        self._first = first

    def work(self, recent: Sequence[TurnTable], at_ps: int, length_s: int) -> tuple[LaneWork, ...]:
        """What it comes to by now, by basis.

        Args:
            recent: by agent kind, the turns of the window.
            length_s: of the series, at most `SERIES_S`.
        """
        sums = [self._columns(table, kind).sum(axis=0) for kind, table in enumerate(recent)]
        now = np.sum(sums, axis=0).tolist() if sums else [0] * len(self._whole)
        first, hours, series = self._series(at_ps // PS_PER_S, length_s)
        span_ps = min(self._window_ps, at_ps)
        return tuple(
            LaneWork(
                now=Work(span_ps / PS_PER_HOUR, *(now[place] for place in places)),
                whole=Work(at_ps / PS_PER_HOUR, *(self._whole[place] for place in places)),
                series=WorkSeries(first, hours, series[:, places]),
            )
            for places in ([0, _COLUMNS + basis, 1, 2, 3] for basis in range(self._bases))
        )

    def _series(self, end_s: int, length_s: int) -> tuple[int, NDArray[np.float64], Int64]:
        """First second, hours and sums of the whole seconds before `end_s`."""
        first = max(0, end_s - min(length_s, SERIES_S), self._first + self._window_s if self._first else 0)
        seconds = np.arange(first, max(first, end_s))
        sums = np.zeros((len(self._seconds) + 1, len(self._whole)), np.int64)
        np.cumsum(self._seconds, axis=0, out=sums[1:])
        high = np.clip(seconds + 1 - self._first, 0, len(self._seconds))
        low = np.clip(seconds + 1 - self._window_s - self._first, 0, len(self._seconds))
        hours = np.minimum(seconds + 1, self._window_s) / 3600
        return first, hours, sums[high] - sums[low]
