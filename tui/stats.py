"""What turns of one agent kind on one lane come to: over a window, over the whole run, and second by second."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.histogram import Histogram
from subsecond.engine.turns import TurnState
from subsecond.tui.turnlog import Field, TurnTable

__all__ = ["Kept", "Points", "Series", "SeriesBuilder", "Stats", "WholeRun", "good_turns", "quantile_ps", "stats_of"]

Int64 = NDArray[np.int64]
PS_PER_S = 10**12

#: Turns of a kind up to which the percentiles of the whole run are exact; beyond, they are a histogram's.
EXACT = 4096
#: Seconds that a series goes back, and over which each of its points looks back.
SERIES_S, POINT_S = 1500, 10
#: Stretches of a series that are remembered beside the last one.
_STRETCHES = 3


@dataclass(frozen=True, slots=True)
class Kept:
    """How a budget was kept; `budget` is its place in `Hello.budgets`. Failed turns have missed it."""

    budget: int
    met: int
    missed: int

    @property
    def share(self) -> float | None:
        """Share of the turns that met it; None: no turn."""
        total = self.met + self.missed
        return self.met / total if total else None


@dataclass(frozen=True, slots=True)
class Stats:
    """Turns of one agent kind on one lane.

    Attributes:
        p50_ps, p95_ps: latency of the answered turns; None: there is none.
        ttft_p50_ps: of the answered turns with a token; None: there is none.
        stages_ps: mean per answered turn, by place in `Hello.stages`; empty if there is none.
        kept: the budgets of the kind.
        good: turns that met every budget of the kind.
        span_ps: the time that the turns come from.
    """

    answered: int
    failed: int
    cancelled: int
    p50_ps: int | None
    p95_ps: int | None
    stages_ps: tuple[float, ...]
    kept: tuple[Kept, ...]
    good: int
    span_ps: int

    @property
    def turns(self) -> int:
        """Turns that have ended."""
        return self.answered + self.failed + self.cancelled

    @property
    def goodput_per_s(self) -> float:
        """Turns per second that met every budget."""
        return self.good * PS_PER_S / self.span_ps if self.span_ps > 0 else 0.0


def quantile_ps(values: Int64, q: float) -> int | None:
    """The value of rank ceil(q * n); None if there are no values."""
    if not len(values):
        return None
    rank = math.ceil(q * len(values)) - 1
    return int(np.partition(values, rank)[rank])


def good_turns(table: TurnTable, budgets: Sequence[int]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which turns of one agent kind were answered, and which of them met every budget of the kind; [turns] each."""
    answered: NDArray[np.bool_] = table.of(Field.STATE) == TurnState.ANSWERED
    return answered, answered & (table.met[list(budgets)] == 1).all(axis=0)


def _kept(table: TurnTable, budgets: Sequence[int]) -> tuple[list[Kept], int]:
    """Budgets kept by a table's turns, and how many turns kept all of them."""
    state = table.of(Field.STATE)
    counts = (state == TurnState.ANSWERED) | (state == TurnState.FAILED)
    found = []
    for budget in budgets:
        met = table.met[budget]
        found.append(Kept(budget, int(np.count_nonzero(met == 1)), int(np.count_nonzero((met == 0) & counts))))
    return found, int(np.count_nonzero(good_turns(table, budgets)[1]))


def stats_of(table: TurnTable, budgets: Sequence[int], span_ps: int) -> Stats:
    """Stats of turns of one agent kind.

    Args:
        budgets: places of the kind's budgets.
    """
    counts = np.bincount(table.of(Field.STATE), minlength=len(TurnState))
    answered = table.of(Field.STATE) == TurnState.ANSWERED
    latency = table.of(Field.LATENCY_PS)[answered]
    kept, good = _kept(table, budgets)
    return Stats(
        answered=len(latency),
        failed=int(counts[TurnState.FAILED]),
        cancelled=int(counts[TurnState.CANCELLED]),
        p50_ps=quantile_ps(latency, 0.50),
        p95_ps=quantile_ps(latency, 0.95),
        stages_ps=tuple(table.stages_ps[:, answered].mean(axis=1).tolist()) if len(latency) else (),
        kept=tuple(kept),
        good=good,
        span_ps=span_ps,
    )


class WholeRun:
    """Adds up the turns of one agent kind on one lane from the beginning, in constant memory."""

    def __init__(self, num_stages: int, budgets: Sequence[int]) -> None:
        self._budgets = tuple(budgets)
        self._counts = np.zeros(len(TurnState), np.int64)
        self._stages_ps = [0] * num_stages  # whole numbers of any size: 64 bits hold months of waiting, not years
        self._met = [0] * len(self._budgets)
        self._missed = [0] * len(self._budgets)
        self._good = 0
        self._histogram = Histogram()
        self._exact: list[Int64] | None = []

    def add(self, table: TurnTable) -> None:
        """Count turns of the kind."""
        answered = table.of(Field.STATE) == TurnState.ANSWERED
        latency = table.of(Field.LATENCY_PS)[answered]
        self._counts += np.bincount(table.of(Field.STATE), minlength=len(TurnState))
        sums = table.stages_ps[:, answered].sum(axis=1).tolist()
        self._stages_ps = [a + b for a, b in zip(self._stages_ps, sums, strict=True)]
        kept, good = _kept(table, self._budgets)
        for place, one in enumerate(kept):
            self._met[place] += one.met
            self._missed[place] += one.missed
        self._good += good
        self._histogram.add(latency)
        if self._exact is not None:
            self._exact.append(latency)
            if self._counts[TurnState.ANSWERED] > EXACT:
                self._exact = None

    def stats(self, span_ps: int) -> Stats:
        """What they come to by now."""
        answered = int(self._counts[TurnState.ANSWERED])
        p50, p95 = self._quantile(0.50), self._quantile(0.95)
        kept = tuple(map(Kept, self._budgets, self._met, self._missed))
        return Stats(
            answered=answered,
            failed=int(self._counts[TurnState.FAILED]),
            cancelled=int(self._counts[TurnState.CANCELLED]),
            p50_ps=p50,
            p95_ps=p95,
            stages_ps=tuple(total / answered for total in self._stages_ps) if answered else (),
            kept=kept,
            good=self._good,
            span_ps=span_ps,
        )

    def _quantile(self, q: float) -> int | None:
        if self._exact is None:
            return self._histogram.quantile_ps(q)
        if len(self._exact) > 1:
            self._exact = [np.concatenate(self._exact)]
        return quantile_ps(self._exact[0], q) if self._exact else None


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Latency over time, a point per second of virtual time; the last point is the latest whole second.

    Attributes:
        first_s: second of the first point; each point looks at the turns of the `POINT_S` seconds that end with it.
        p50_ps, p95_ps: [points]; -1: no turn was answered.
        missed: [points], turns that missed a budget in that second alone.
    """

    first_s: int
    p50_ps: Int64
    p95_ps: Int64
    missed: Int64


@dataclass(frozen=True, slots=True)
class Points:
    """A stretch of a series.

    Attributes:
        first_s: second of the first point; each point looks at the turns of the `POINT_S` seconds that end with it.
        p95_ps: -1: no turn was answered.
        kept: share of the answered and failed turns that met the first budget of the kind; -1: there is none.
    """

    first_s: int
    p95_ps: tuple[int, ...]
    kept: tuple[float, ...]


class SeriesBuilder:
    """Keeps `SERIES_S` seconds of turns of one agent kind on one lane; only what changed is looked at again."""

    def __init__(self) -> None:
        self._latency: dict[int, list[int]] = {}
        self._missed: dict[int, int] = {}
        #: Turns that met the first budget, and all that it judges.
        self._met: dict[int, int] = {}
        self._judged: dict[int, int] = {}
        self._points: dict[int, tuple[int, int]] = {}
        self._shares: dict[int, float] = {}
        #: Stretches that were asked for since the last turn.
        self._stretches: dict[tuple[int, int], Points] = {}
        self._oldest = 0

    def add(self, table: TurnTable, budgets: Sequence[int]) -> None:
        """Count turns of the kind."""
        self._stretches = {}
        seconds = (table.end_ps // PS_PER_S).tolist()
        late = (table.met[list(budgets)] == 0).any(axis=0).tolist() if budgets else [False] * len(table)
        met = (table.met[budgets[0]] == 1).tolist() if budgets else [True] * len(table)
        states, latencies = table.of(Field.STATE).tolist(), table.of(Field.LATENCY_PS).tolist()
        for second, state, latency, is_late, is_met in zip(seconds, states, latencies, late, met, strict=True):
            if state != TurnState.CANCELLED:
                self._judged[second] = self._judged.get(second, 0) + 1
                self._met[second] = self._met.get(second, 0) + (is_met and state == TurnState.ANSWERED)
                for point in range(second, second + POINT_S):
                    self._shares.pop(point, None)
            if state == TurnState.ANSWERED:
                self._latency.setdefault(second, []).append(latency)
                for point in range(second, second + POINT_S):
                    self._points.pop(point, None)
            if is_late and state != TurnState.CANCELLED:
                self._missed[second] = self._missed.get(second, 0) + 1

    def series(self, now_ps: int, length_s: int) -> Series:
        """The last `length_s` whole seconds before a moment, at most `SERIES_S`."""
        end = now_ps // PS_PER_S
        self._forget(end - SERIES_S - POINT_S)
        first = max(0, end - min(length_s, SERIES_S))
        points = [self._point(second) for second in range(first, end)]
        both = np.array(points, np.int64).reshape(-1, 2)
        missed = np.array([self._missed.get(second, 0) for second in range(first, end)], np.int64)
        return Series(first, both[:, 0], both[:, 1], missed)

    def points(self, first_s: int, end_s: int) -> Points:
        """The whole seconds from one to another, as far as they are kept."""
        first = max(0, first_s, self._oldest)
        known = self._stretches.get((first, end_s))
        if known is None:
            seconds = range(first, end_s)
            known = Points(first, tuple([self._point(s)[1] for s in seconds]), tuple([self._kept(s) for s in seconds]))
            self._stretches = dict([*list(self._stretches.items())[-_STRETCHES:], ((first, end_s), known)])
        return known

    def _kept(self, second: int) -> float:
        known = self._shares.get(second)
        if known is None:
            looked = range(second - POINT_S + 1, second + 1)
            judged = sum(self._judged.get(s, 0) for s in looked)
            known = sum(self._met.get(s, 0) for s in looked) / judged if judged else -1.0
            self._shares[second] = known
        return known

    def _forget(self, oldest: int) -> None:
        if oldest <= self._oldest:
            return
        self._oldest = oldest
        self._met = {s: count for s, count in self._met.items() if s >= oldest}
        self._judged = {s: count for s, count in self._judged.items() if s >= oldest}
        self._shares = {s: share for s, share in self._shares.items() if s >= oldest}
        self._latency = {s: values for s, values in self._latency.items() if s >= oldest}
        self._missed = {s: count for s, count in self._missed.items() if s >= oldest}
        self._points = {s: point for s, point in self._points.items() if s >= oldest}

    def _point(self, second: int) -> tuple[int, int]:
        known = self._points.get(second)
        if known is None:
            values = [v for s in range(second - POINT_S + 1, second + 1) for v in self._latency.get(s, ())]
            latency = np.array(values, np.int64)
            p50, p95 = quantile_ps(latency, 0.50), quantile_ps(latency, 0.95)
            known = self._points[second] = (-1 if p50 is None else p50, -1 if p95 is None else p95)
        return known
