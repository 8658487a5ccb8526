"""When turns are served as before again, found out while a run goes on.

The definition is that of `engine/drills/windows.py`: p95 of the turns that begin in a sliding window, which has to come
within 10 % of that before and to stay there over two widths, and not before the last turn has ended that the event
delayed. A live run has no twin without the event, so that what these turns would usually take is not known. And turns
are known once they have ended: a window is judged as soon as it comes out the same whether its open turns end now or
never.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.drills.windows import (
    FOREVER,
    NEAR,
    STEPS,
    SUSTAINED,
    Spans,
    is_rare,
    longest_before,
    window_for,
)
from subsecond.tui.open_turns import OpenTurns
from subsecond.tui.stats import quantile_ps

__all__ = ["Known", "RecoverySoFar", "RecoveryTracker", "known_of"]

Int64 = NDArray[np.int64]
PS_PER_S = 10**12
#: A window is at most this share of what is known of before, and at least so long.
_SHARE, _LEAST_PS = 3, 5 * PS_PER_S
#: Windows that one look takes at most, so that a frame is not kept.
_AT_ONCE = 48


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the turns of a kind.

    Attributes:
        at_ps: all that ended up to then have been told.
        open_ps: when those began that were open then, ascending, as far as they are known.
        open_to_ps: those that began before this and were open are all among them.
    """

    at_ps: int = 0
    open_ps: Sequence[int] = ()
    open_to_ps: int = 0


def known_of(turns: OpenTurns, kind: int) -> Known:
    """What is known of the turns of a kind; of many, those open longest are described."""
    starts = sorted(turn.start_ps for turn in turns.oldest if turn.agent == kind)
    is_all = len(turns.oldest) >= turns.num_open
    to_ps = turns.at_ps if is_all or not turns.oldest else max(turn.start_ps for turn in turns.oldest)
    return Known(turns.at_ps, tuple(starts), to_ps)


@dataclass(frozen=True, slots=True)
class RecoverySoFar:
    """How far p95 has come back.

    Attributes:
        before_ps: p95 of the turns before; None: there is none.
        after_ps: from the event until p95 is back, and stays so; 0: it was never away; None: not yet.
        width_ps: of the window.
        is_known: whether a window is known.
        is_away: whether p95 was away in one.
        is_over: whether nobody looks any more.
    """

    before_ps: int | None
    after_ps: int | None
    width_ps: int
    is_known: bool
    is_away: bool
    is_over: bool


class RecoveryTracker:
    """Follows the turns of one kind on one lane after an event.

    Args:
        from_ps, begin_ps: what was before lasts from the one to the other, which is when the event began.
        horizon_ps: turns that begin later than so long after it are of no interest.
    """

    def __init__(self, from_ps: int, begin_ps: int, horizon_ps: int) -> None:
        self._from_ps = from_ps
        self._begin_ps = begin_ps
        self._horizon_ps = horizon_ps
        self._before: list[tuple[Int64, Int64]] = []
        self._waiting: list[tuple[Int64, Int64, Int64]] = []
        self._before_ps: int | None = None
        self._longest_ps = FOREVER
        self._width_ps = 0
        self._bins: dict[int, list[int]] = {}
        #: By step in which turns begin (-1: before the event): how many, how many are delayed, and their last end.
        self._met: dict[int, tuple[int, int, int]] = {}
        self._back: list[bool] = []
        self._begun: list[bool] = []
        self._after_ps: int | None = None
        self._num_met = 0
        #: What `after_ps` was found from.
        self._looked_at: tuple[int, int, int, int] | None = None

    def add_before(self, start_ps: Int64, took_ps: Int64) -> None:
        """Turns that ended before the event."""
        self._before.append((start_ps, took_ps))

    def add(self, start_ps: Int64, took_ps: Int64, end_ps: Int64 | None = None) -> None:
        """Turns that ended since; `end_ps`: when, if not after what they took, as those that fail."""
        own = start_ps < self._begin_ps + self._horizon_ps
        if own.any():
            end = start_ps + took_ps if end_ps is None else end_ps
            self._waiting.append((start_ps[own], took_ps[own], end[own]))

    def cut(self, horizon_ps: int) -> None:
        """Look only so far after the event."""
        self._horizon_ps = horizon_ps

    def look(self, known: Known, last_begin_ps: int, end_ps: int | None = None) -> RecoverySoFar:
        """Take in what has become known.

        Args:
            last_begin_ps: when the last fault of the event begins: it is not over before.
            end_ps: when all of them are mended; None: never, or it is no fault.
        """
        if known.at_ps >= self._begin_ps and not self._width_ps:
            self._measure()
        if self._width_ps and self._before_ps is not None:
            self._sort()
            self._judge(known)
            self._after_ps = self._found(known, last_begin_ps, max(last_begin_ps, end_ps or 0))
        return RecoverySoFar(
            self._before_ps, self._after_ps, self._width_ps, bool(self._back), not all(self._back), self._is_over
        )

    @property
    def _step_ps(self) -> int:
        return self._width_ps // STEPS

    @property
    def _is_over(self) -> bool:
        return bool(self._width_ps) and len(self._back) * self._step_ps + self._width_ps > self._horizon_ps

    def _measure(self) -> None:
        """What was before, and the window that suits it."""
        start, took = (
            np.concatenate([part[i] for part in self._before]) if self._before else np.zeros(0, np.int64)
            for i in (0, 1)
        )
        self._before = []
        self._before_ps, self._longest_ps = quantile_ps(took, 0.95), longest_before(took)
        order = np.argsort(start, kind="stable")
        none, never = np.full(len(start), -1), np.zeros(len(start), np.bool_)
        usual = window_for(Spans(start[order], took[order], none, never, never, self._from_ps, self._begin_ps))
        width = max(_LEAST_PS, min(usual, (self._begin_ps - self._from_ps) // _SHARE))
        self._width_ps = width - width % STEPS

    def _sort(self) -> None:
        """Put turns where windows find them."""
        first = len(self._back)
        for start, took, end in self._waiting:
            places = np.maximum((start - self._begin_ps) // self._step_ps, -1)
            for place, value, ended in zip(places.tolist(), took.tolist(), end.tolist(), strict=True):
                if place >= first:  # earlier ones are in no window that is still to be judged
                    self._bins.setdefault(place, []).append(value)
                if ended > self._begin_ps:
                    self._meet(place, ended, is_delayed=value > NEAR * self._longest_ps)
        self._waiting = []

    def _meet(self, place: int, ended_ps: int, *, is_delayed: bool) -> None:
        self._num_met += 1
        count, delayed, last = self._met.get(place, (0, 0, 0))
        self._met[place] = (count + 1, delayed + is_delayed, max(last, ended_ps) if is_delayed else last)

    def _judge(self, known: Known) -> None:
        """Say of one window after the other whether it is as before, until one is not known."""
        for _ in range(_AT_ONCE):
            place = len(self._back)
            begin = self._begin_ps + place * self._step_ps
            end = begin + self._width_ps
            if end > known.at_ps or self._is_over:
                return
            values = [value for step in range(place, place + STEPS) for value in self._bins.get(step, ())]
            still = known.open_ps[bisect_left(known.open_ps, begin) : bisect_left(known.open_ps, end)]
            waited = [known.at_ps - start for start in still]
            is_back = end <= known.open_to_ps and self._is_as_before([*values, *[FOREVER] * len(still)])
            if not is_back and (still or end > known.open_to_ps) and self._may_be_as_before([*values, *waited]):
                return
            self._back.append(is_back)
            in_first = bisect_left(known.open_ps, begin + self._step_ps) - bisect_left(known.open_ps, begin)
            self._begun.append(bool(in_first or self._bins.get(place)))
            self._bins.pop(place, None)

    def _is_as_before(self, values: Sequence[int]) -> bool:
        value = quantile_ps(np.array(values, np.int64), 0.95)
        return value is not None and self._before_ps is not None and value <= NEAR * self._before_ps

    def _may_be_as_before(self, values: Sequence[int]) -> bool:
        """Whether a window may be as before yet, if its open turns have waited as long as they have."""
        return not values or self._is_as_before(values)

    def _found(self, known: Known, last_begin_ps: int, mended_ps: int) -> int | None:
        """As `recovery_of` finds it among the windows that are judged."""
        steps = -(-(mended_ps - self._begin_ps) // self._step_ps)
        until = self._begin_ps + steps * self._step_ps
        if known.at_ps < until or known.open_to_ps < until or bisect_left(known.open_ps, until):
            return None  # somebody waits whom it may have struck
        looked_at = len(self._back), self._num_met, last_begin_ps, mended_ps
        if looked_at == self._looked_at:
            return self._after_ps
        self._looked_at = looked_at
        struck = self._struck(steps)
        back, hold = self._back, SUSTAINED * STEPS
        earliest = max(last_begin_ps, struck or self._begin_ps) - self._begin_ps
        for place in range(max(0, earliest // self._step_ps), len(back) - hold + 1):
            if self._begun[place] and all(back[place : place + hold]):
                return 0 if all(back) and struck is None else max(place * self._step_ps, earliest)
        return None

    def _struck(self, steps: int) -> int | None:
        """As `struck_until`, of the turns that begin in so many steps or before; a step is met as a whole."""
        met = [found for place, found in self._met.items() if place < steps]
        if is_rare(sum(delayed for _, delayed, _ in met), sum(count for count, _, _ in met)):
            return None
        return max(last for _, _, last in met)
