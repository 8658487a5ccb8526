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
    "is_rare",
    "longest_before",
    "picture_width",
    "recovery_of",
    "spans_of",
    "strip_of",
    "struck_until",
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
        end_ps: when it was answered or failed, `FOREVER` for turns still open; None: `start_ps` + `took_ps`.
    """

    start_ps: Int64
    took_ps: Int64
    usual_ps: Int64
    kept: NDArray[np.bool_]
    judged: NDArray[np.bool_]
    from_ps: int
    stop_ps: int
    runs: int = 1
    end_ps: Int64 | None = None

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
        after_ps: from the begin of the fault until p95 is back, and stays so; 0: it was never away; None: not within
            the run.
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
    starts, took, before, kept, judged, ends = [], [], [], [], [], []
    for course, other in zip(courses, usual or courses, strict=True):
        fate = fates(course, budgets)
        own = course.of_kind(kind) & (fate != Fate.ABSENT) & (fate != Fate.CANCELLED)
        starts.append(course.start_ps[own])
        took.append(_took(course)[own])
        before.append(_usual(course, other)[own])
        kept.append((fate == Fate.MET)[own])
        judged.append((fate != Fate.OPEN)[own])
        is_open = course.state == TurnState.PENDING
        ends.append(np.where(is_open, FOREVER, course.start_ps + course.latency_ps)[own])
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
        end_ps=np.concatenate(ends)[order],
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


def recovery_of(spans: Spans, begin_ps: int, last_begin_ps: int, width_ps: int, end_ps: int | None = None) -> Recovery:
    """When p95 is back within 10 % of that before the fault, for good.

    A window [s, s + width) is as before if p95 of the turns that begin in it is at most 1.1 times the larger of p95
    before the fault and p95 of these same turns without it: that some turns are longer than others is not the fault's
    doing. Windows begin each `STEPS`th of a width from the fault on.

    It is back at the first of these instants from which on every window over two widths is as before, if a turn begins
    in its first step, and not before the fault has let go: not before `last_begin_ps`, and, where more than one in
    twenty of the turns that it met is delayed, not before the last of those has ended (`struck_until`). Windows look
    ahead, and a session that waits begins no other turn: by windows alone an outage would be over before anybody is
    served.

    Args:
        spans: with the fault, and with what turns take without it as usual.
        begin_ps, last_begin_ps: of the first and the last fault; it is not back before the last one has struck.
        end_ps: when all of them are mended; None: never, so that only turns under way at `last_begin_ps` were met.
    """
    before = quantile_ps(spans.between(spans.from_ps, begin_ps)[1])  # some of these turns it has struck
    step = max(1, width_ps // STEPS)
    starts = range(begin_ps, max(begin_ps, spans.stop_ps - width_ps) + 1, step)
    windows = [spans.between(s, s + width_ps) for s in starts]
    begun = [len(spans.between(s, s + step)[0]) > 0 for s in starts]
    p95s = [quantile_ps(took) for took, _ in windows]
    worst = max((value for value in p95s if value is not None), default=None)
    if before is None:
        return Recovery(None, worst, None, width_ps)
    usual = [quantile_ps(other) for _, other in windows]
    back = [_is_back(value, other, before) for value, other in zip(p95s, usual, strict=True)]
    struck = struck_until(spans, begin_ps, max(last_begin_ps, end_ps or 0), before)
    if all(back) and struck is None:
        return Recovery(before, worst, 0, width_ps)
    earliest, hold = max(last_begin_ps, struck or begin_ps), SUSTAINED * STEPS
    for place, at in enumerate(starts):
        is_held = begun[place] and place + hold <= len(back) and all(back[place : place + hold])
        if is_held and at > earliest - step:
            return Recovery(before, worst, max(at, earliest) - begin_ps, width_ps)
    return Recovery(before, worst, None, width_ps)


def _is_back(value: int | None, usual: int | None, before: int) -> bool:
    if value is None:  # nobody begins: everybody waits
        return False
    return value <= NEAR * max(before, usual or 0)


def struck_until(spans: Spans, begin_ps: int, until_ps: int, before: int) -> int | None:
    """When the last turn ended that a fault delayed; None: it delayed at most one in twenty of those it met.

    It met the turns that begin before `until_ps` and end after `begin_ps`. One is delayed that takes 10 % longer than
    the same turn without the fault and than p95 before it, or, where nobody knows how long the same turn takes, than
    the longest turn before it.

    Returns:
        At least `FOREVER` if such a turn is still open.
    """
    count = int(np.searchsorted(spans.start_ps, until_ps))
    end = (spans.start_ps + spans.took_ps if spans.end_ps is None else spans.end_ps)[:count]
    usual = spans.usual_ps[:count]
    limit = np.where(usual >= 0, np.maximum(usual, before), longest_before(spans.between(spans.from_ps, begin_ps)[1]))
    met = end > begin_ps
    delayed = met & (spans.took_ps[:count] > NEAR * limit)
    if is_rare(int(np.count_nonzero(delayed)), int(np.count_nonzero(met))):
        return None
    return int(end[delayed].max())


def longest_before(took_ps: Int64) -> int:
    """The longest of the turns before a fault that did not fail; `FOREVER` if there is none."""
    ended = took_ps[took_ps < FOREVER]
    return int(ended.max()) if len(ended) else FOREVER


def is_rare(count: int, total: int) -> bool:
    """Whether so few of so many do not move p95."""
    return count <= total - math.ceil(QUANTILE * total)
