"""What a lane has done, in the quantities that costs are divided by: over the window, the run, and second by second."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.economics.costs import Work
from subsecond.tui.stats import SERIES_S, good_turns
from subsecond.tui.turnlog import Field, TurnTable

__all__ = ["LaneWork", "WorkBuilder", "WorkSeries"]

Int64 = NDArray[np.int64]
PS_PER_S = 10**12
PS_PER_HOUR = 3600 * PS_PER_S
#: Columns of sums: answered, in time, tokens of prompts, of these in a cache, written.
_COLUMNS = 5


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


class WorkBuilder:
    """Adds up the turns of a lane that have ended, in constant memory.

    Args:
        window_ps: length of the window.
    """

    def __init__(self, window_ps: int) -> None:
        self._window_ps = window_ps
        self._window_s = max(1, window_ps // PS_PER_S)
        self._whole = [0] * _COLUMNS  # whole numbers of any size
        #: Sums by second; the first row is that of second `_first`.
        self._seconds: Int64 = np.zeros((2 * (SERIES_S + self._window_s), _COLUMNS), np.int64)
        self._first = 0

    def add(self, table: TurnTable, budgets: list[int]) -> None:
        """Count turns of one agent kind, whose budgets these are."""
        columns = _columns(table, budgets)
        self._whole = [a + b for a, b in zip(self._whole, columns.sum(axis=0).tolist(), strict=True)]
        second = table.end_ps // PS_PER_S
        self._make_room(int(second.max()))
        is_kept = second >= self._first
        np.add.at(self._seconds, second[is_kept] - self._first, columns[is_kept])

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

    def work(self, recent: list[tuple[TurnTable, list[int]]], at_ps: int, length_s: int) -> LaneWork:
        """What it comes to by now.

        Args:
            recent: by agent kind, the turns of the window, and its budgets.
            length_s: of the series, at most `SERIES_S`.
        """
        now = sum((_columns(table, budgets).sum(axis=0) for table, budgets in recent), np.zeros(_COLUMNS, np.int64))
        span_ps = min(self._window_ps, at_ps)
        return LaneWork(
            now=Work(span_ps / PS_PER_HOUR, *now.tolist()),
            whole=Work(at_ps / PS_PER_HOUR, *self._whole),
            series=self._series(at_ps // PS_PER_S, length_s),
        )

    def _series(self, end_s: int, length_s: int) -> WorkSeries:
        """Points of the whole seconds before `end_s`."""
        first = max(0, end_s - min(length_s, SERIES_S), self._first + self._window_s if self._first else 0)
        seconds = np.arange(first, max(first, end_s))
        sums = np.zeros((len(self._seconds) + 1, _COLUMNS), np.int64)
        np.cumsum(self._seconds, axis=0, out=sums[1:])
        high = np.clip(seconds + 1 - self._first, 0, len(self._seconds))
        low = np.clip(seconds + 1 - self._window_s - self._first, 0, len(self._seconds))
        hours = np.minimum(seconds + 1, self._window_s) / 3600
        return WorkSeries(first, hours, sums[high] - sums[low])


def _columns(table: TurnTable, budgets: list[int]) -> Int64:
    """[turns, 5]."""
    answered, good = good_turns(table, budgets)
    fields = (Field.PROMPT_TOKENS, Field.HIT_TOKENS, Field.OUTPUT_TOKENS)
    return np.stack([answered, good, *(table.of(field) for field in fields)], axis=1).astype(np.int64)
