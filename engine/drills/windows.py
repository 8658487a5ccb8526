"""Turns over time, and when they are served as before again.

A turn counts where it begins: what a window says is how a user fares who begins to wait in it. Failed turns take for
ever; turns still open have taken as long as they have waited; cancelled ones are left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.budgets import Budget
from subsecond.engine.turns import TurnState

from .course import Course, Fate, fates, paired

__all__ = [
    "FOREVER",
    "Recovery",
    "Spans",
    "Strip",
    "picture_width",
    "recovery_of",
    "spans_of",
    "strip_of",
    "window_for",
]

Int64 = NDArray[np.int64]
PS_PER_S = 10**12
#: Latency of a turn that fails: longer than any run.
FOREVER = 1 << 60
QUANTILE = 0.95
#: How near p95 has to come to that before the fault.
NEAR = 1.10
#: Windows that one after the other have to be as before.
SUSTAINED = 2
#: Steps of the sliding window in one window.
STEPS = 6
#: Widths of a window, in s, and the turns that it shall hold on average.
_WIDTHS_S, _TURNS = (5, 10, 15, 20, 30, 60, 120), 100
#: Most windows of a picture.
_COLUMNS = 60


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Turns of one kind by their beginning, [number of turns] each, of one run or of several with one fault.

    Attributes:
        start_ps: ascending.
        took_ps: `FOREVER` for failed ones.
        usual_ps: what the same turn of the same session took in another run; -1: it is not known there.
        kept: whether it met its budgets; `judged`: whether it met or missed them.
    """

    start_ps: Int64
    took_ps: Int64
    usual_ps: Int64
    kept: NDArray[np.bool_]
    judged: NDArray[np.bool_]
    from_ps: int
    stop_ps: int
    runs: int = 1

    def between(self, begin_ps: int, end_ps: int) -> tuple[Int64, Int64]:
        """What the turns took that begin in [begin_ps, end_ps), and what those of them that are known usually take."""
        low, high = np.searchsorted(self.start_ps, (begin_ps, end_ps))
        usual = self.usual_ps[low:high]
        return self.took_ps[low:high], usual[usual >= 0]


@dataclass(frozen=True, slots=True)
class Strip:
    """Windows one after the other.

    Attributes:
        begin_ps: of each window; the last one may be cut short.
        turns: that begin in each.
        p95_ps: None: no turn, or `FOREVER`: one in twenty or more failed.
        kept: share of the turns that met their budgets; None: none met or missed them.
    """

    width_ps: int
    begin_ps: tuple[int, ...]
    turns: tuple[int, ...]
    p95_ps: tuple[int | None, ...]
    kept: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Recovery:
    """When turns are served as before again.

    Attributes:
        before_ps: p95 of what the turns that begin before the fault usually take; None: there is none.
        worst_ps: highest p95 of a sliding window from the fault on; None: no turn.
        after_ps: from the begin of the fault until p95 of the sliding window is back, and stays so; 0: it was never
            away; None: not within the run.
        width_ps: of the window.
    """

    before_ps: int | None
    worst_ps: int | None
    after_ps: int | None
    width_ps: int


def spans_of(
    courses: Sequence[Course], kind: str, budgets: Sequence[Budget], usual: Sequence[Course] | None = None
) -> Spans:
    """The turns of one kind, of all courses together.

    Args:
        usual: for each course another one of the same sessions; None: the course itself.
    """
    starts, took, before, kept, judged = [], [], [], [], []
    for course, other in zip(courses, usual or courses, strict=True):
        fate = fates(course, budgets)
        own = course.of_kind(kind) & (fate != Fate.ABSENT) & (fate != Fate.CANCELLED)
        starts.append(course.start_ps[own])
        took.append(_took(course)[own])
        before.append(_usual(course, other)[own])
        kept.append((fate == Fate.MET)[own])
        judged.append((fate != Fate.OPEN)[own])
    start = np.concatenate(starts)
    order = np.argsort(start, kind="stable")
    return Spans(
        start_ps=start[order],
        took_ps=np.concatenate(took)[order],
        usual_ps=np.concatenate(before)[order],
        kept=np.concatenate(kept)[order],
        judged=np.concatenate(judged)[order],
        from_ps=courses[0].from_ps,
        stop_ps=min(course.stop_ps for course in courses),
        runs=len(courses),
    )


def _took(course: Course) -> Int64:
    took: Int64 = np.where(course.state == TurnState.FAILED, FOREVER, course.latency_ps)
    return took


def _usual(course: Course, other: Course) -> Int64:
    """What each turn took in another run, where it began and was not cancelled; -1 elsewhere."""
    first, second = paired(course, other)
    known = (other.start_ps >= 0) & (other.state != TurnState.CANCELLED)
    found = np.full(len(course), -1, np.int64)
    found[first] = np.where(known, _took(other), -1)[second]
    return found


def quantile_ps(values: Int64, q: float = QUANTILE) -> int | None:
    """The value of rank ceil(q * n); None if there is none."""
    if not len(values):
        return None
    rank = math.ceil(q * len(values)) - 1
    return int(np.partition(values, rank)[rank])


def window_for(spans: Spans) -> int:
    """Width of a window that holds some hundred turns on average, or the largest that there is, in ps."""
    length = max(1, spans.stop_ps - spans.from_ps)
    per_ps = len(spans.start_ps) / length
    for width in _WIDTHS_S:
        if width * PS_PER_S * per_ps >= _TURNS:
            return width * PS_PER_S
    return min(_WIDTHS_S[-1] * PS_PER_S, max(1, length // 4))


def picture_width(length_ps: int) -> int:
    """Width of the windows of a picture of so long a time, in ps."""
    for width in (*_WIDTHS_S, 300, 600, 1800, 3600):
        if length_ps <= _COLUMNS * width * PS_PER_S:
            return width * PS_PER_S if length_ps > PS_PER_S * _COLUMNS else max(1, -(-length_ps // _COLUMNS))
    return -(-length_ps // _COLUMNS)


def strip_of(spans: Spans, width_ps: int) -> Strip:
    """Windows from the time that counts on to the end."""
    begins = list(range(spans.from_ps, max(spans.stop_ps, spans.from_ps + 1), width_ps))
    places = np.searchsorted(spans.start_ps, [*begins, spans.stop_ps])
    p95s, shares = [], []
    for low, high in pairwise(places):
        p95s.append(quantile_ps(spans.took_ps[low:high]))
        judged = int(np.count_nonzero(spans.judged[low:high]))
        shares.append(int(np.count_nonzero(spans.kept[low:high])) / judged if judged else None)
    turns = tuple(int(n) for n in np.diff(places))
    return Strip(width_ps, tuple(begins), turns, tuple(p95s), tuple(shares))


def recovery_of(spans: Spans, begin_ps: int, last_begin_ps: int, width_ps: int) -> Recovery:
    """When p95 is back within 10 % of that before the fault.

    It is back at `t` if that of the turns that begin in each window [s, s + width), with s from `t` on over two widths,
    is at most 1.1 times the larger of p95 before the fault and p95 of these same turns without it: that some turns are
    longer than others is not the fault's doing.

    Args:
        spans: with the fault, and with what turns take without it as usual.
        begin_ps, last_begin_ps: of the first and the last fault; it is not back before the last one has struck.
    """
    before = quantile_ps(spans.between(spans.from_ps, begin_ps)[1])  # some of these turns it has struck
    step = max(1, width_ps // STEPS)
    starts = range(begin_ps, max(begin_ps, spans.stop_ps - width_ps) + 1, step)
    windows = [spans.between(s, s + width_ps) for s in starts]
    p95s = [quantile_ps(took) for took, _ in windows]
    worst = max((value for value in p95s if value is not None), default=None)
    if before is None:
        return Recovery(None, worst, None, width_ps)
    usual = [quantile_ps(other) for _, other in windows]
    back = [_is_back(value, other, before) for value, other in zip(p95s, usual, strict=True)]
    if all(back):
        return Recovery(before, worst, 0, width_ps)
    hold = SUSTAINED * STEPS
    for place, at in enumerate(starts):
        if at >= last_begin_ps and place + hold <= len(back) and all(back[place : place + hold]):
            return Recovery(before, worst, at - begin_ps, width_ps)
    return Recovery(before, worst, None, width_ps)


def _is_back(value: int | None, usual: int | None, before: int) -> bool:
    if value is None:  # nobody begins: everybody waits
        return False
    return value <= NEAR * max(before, usual or 0)
