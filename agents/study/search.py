"""The largest load at which a budget is kept, found by asking as few loads as possible.

Loads are whole numbers from 1. The search asks for trials and knows nothing of what they are, so that it can be held
against a scan of all loads. What runs show is noisy: attainment need not fall from each load to the next. So the
search looks at neighbours of what it finds, and says between which loads the answer surely lies.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from subsecond.engine.confidence import Share

__all__ = ["Boundary", "Trial", "search"]

#: Loads looked at on each side of the boundary, beyond the two that make it.
NEIGHBOURS = 2


@dataclass(frozen=True, slots=True)
class Trial:
    """What a load came to.

    Attributes:
        attainment: share of turns that met the budget, all runs together, with its interval.
        target: share that shall meet it.
    """

    load: int
    attainment: Share
    target: float

    @property
    def is_kept(self) -> bool:
        return self.attainment.value >= self.target

    @property
    def is_surely_kept(self) -> bool:
        return self.attainment.low is not None and self.attainment.low >= self.target

    @property
    def is_surely_missed(self) -> bool:
        return self.attainment.high is not None and self.attainment.high < self.target


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where a budget ceases to be kept.

    Attributes:
        load: the largest load that keeps it, next to `missed`; 0: not even 1.
        missed: the next load, which misses it; None: no load up to the most asked for does.
        surely_kept: the largest load tried whose whole interval keeps it; 0: none.
        surely_missed: the smallest load tried above `load` whose whole interval misses it; None: none up to the most.
        exceptions: loads tried below `load` that miss it, and above `missed` that keep it: attainment is noisy there.
        trials: all that were tried, by load.
    """

    load: int
    missed: int | None
    surely_kept: int
    surely_missed: int | None
    exceptions: tuple[int, ...]
    trials: tuple[Trial, ...]

    @property
    def is_surely_none(self) -> bool:
        """Whether not even the smallest load keeps it, by its whole interval."""
        return not self.load and self.trials[0].is_surely_missed


Asking = Generator[int, Trial, Boundary]
_Step = Generator[int, Trial, Trial]


class _Tried:
    """Trials by load; each load is asked for once."""

    def __init__(self) -> None:
        self.by_load: dict[int, Trial] = {}

    def at(self, load: int) -> _Step:
        if load not in self.by_load:
            self.by_load[load] = yield load
        return self.by_load[load]

    def loads(self, fits: Callable[[Trial], bool]) -> list[int]:
        return sorted(load for load, trial in self.by_load.items() if fits(trial))


def search(most: int, precision: float = 0.0) -> Asking:
    """Search for the boundary among the loads from 1 to `most`: yields loads to try, takes their trials.

    Args:
        precision: the two loads of the boundary may lie apart by this share of the lower one.
    """
    tried = _Tried()
    low, high = yield from _bracket(tried, most)
    if high is not None:
        low, high = yield from _settled(tried, low, high, precision)
    surely_kept = yield from _surely_kept(tried, low, precision)
    surely_missed = None
    if high is not None:
        surely_missed = yield from _surely_missed(tried, high, most, precision)
    odd = [*(n for n in tried.loads(lambda t: not t.is_kept) if n < low)]
    odd += [n for n in tried.loads(lambda t: t.is_kept) if high is not None and n > high]
    trials = tuple(tried.by_load[n] for n in sorted(tried.by_load))
    return Boundary(low, high, surely_kept, surely_missed, tuple(odd), trials)


def _bracket(tried: _Tried, most: int) -> Generator[int, Trial, tuple[int, int | None]]:
    """Double the load until it misses the budget; chance alone may make a small load miss it."""
    load, low, first_miss = 1, 0, None
    while True:
        trial = yield from tried.at(load)
        if trial.is_kept:
            low = load
            if load == most:
                return low, None
        elif low or trial.is_surely_missed or load == most:
            return low, load if low else first_miss or load
        else:
            first_miss = first_miss or load
        load = min(2 * load, most)


def _step(low: int, precision: float) -> int:
    return max(1, int(precision * low))


def _bisected(
    tried: _Tried, low: int, high: int, precision: float, fits: Callable[[Trial], bool]
) -> Generator[int, Trial, tuple[int, int]]:
    while high - low > _step(low, precision):
        middle = (low + high) // 2
        trial = yield from tried.at(middle)
        low, high = (middle, high) if fits(trial) else (low, middle)
    return low, high


def _settled(tried: _Tried, low: int, high: int, precision: float) -> Generator[int, Trial, tuple[int, int]]:
    """Bisect, then look at the neighbours; where a smaller load misses the budget, go down to it."""
    while True:
        low, high = yield from _bisected(tried, low, high, precision, lambda t: t.is_kept)
        step, misses = _step(low, precision), []
        for place in range(1, NEIGHBOURS + 1):
            if low - place * step >= 1:
                below = yield from tried.at(low - place * step)
                if not below.is_kept:
                    misses.append(below.load)
        if not misses:
            break
        high = min(misses)
        low = max([0, *(n for n in tried.loads(lambda t: t.is_kept) if n < high)])
    return low, high


def _surely_kept(tried: _Tried, low: int, precision: float) -> Generator[int, Trial, int]:
    sure = [n for n in tried.loads(lambda t: t.is_surely_kept) if n <= low]
    begin = sure[-1] if sure else 0
    unsure = [n for n in tried.loads(lambda t: not t.is_surely_kept) if begin < n <= low]
    if not unsure:
        return begin
    found, _ = yield from _bisected(tried, begin, unsure[0], precision, lambda t: t.is_surely_kept)
    return found


def _surely_missed(tried: _Tried, high: int, most: int, precision: float) -> Generator[int, Trial, int | None]:
    load, step = high, _step(high, precision)
    for place in range(1, NEIGHBOURS + 1):  # the neighbours above
        if high + place * step <= most:
            yield from tried.at(high + place * step)
    while True:
        trial = yield from tried.at(load)
        if trial.is_surely_missed:
            break
        if trial.attainment.high is None or load == most:
            return None
        load = min(2 * load, most)
    begin = max([high - 1, *(n for n in tried.loads(lambda t: not t.is_surely_missed) if n < load)])
    _, found = yield from _bisected(tried, begin, load, precision, lambda t: not t.is_surely_missed)
    return found
