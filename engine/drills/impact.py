"""What a fault did to the turns: two courses of the same sessions, without it and with it, turn by turn.

Loops are closed: a turn that takes longer puts off the session's next ones, so that the same turn may meet another
load. Both directions are counted therefore, turns that missed a budget because of the fault and turns that met it
thanks to it, and turns that only one of the two runs got to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.budgets import Budget

from .course import Course, Fate, fates, paired

__all__ = ["Impact", "impact_of", "together"]

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Impact:
    """Turns of one agent kind, held against some budgets.

    Attributes:
        table: turns by `Fate` without the fault (rows) and with it (columns), [6, 6]; every turn stands in it once.
        broken_before, broken_during, broken_after: turns that met the budgets without the fault and missed them with
            it, by whether they began (with it) before the first fault, before the last one ended, or later.
        longest_ps: longest turn without and with it, waits of open and failed turns included.
        slower_ps: sum over the turns met or late in both of the time that they took longer with it; may be negative.
    """

    kind: str
    table: Int64
    broken_before: int
    broken_during: int
    broken_after: int
    longest_ps: tuple[int, int]
    slower_ps: int

    @property
    def turns(self) -> tuple[int, int]:
        """Turns that began without and with the fault."""
        absent = self.table[Fate.ABSENT, :].sum(), self.table[:, Fate.ABSENT].sum()
        return int(self.table.sum() - absent[0]), int(self.table.sum() - absent[1])

    @property
    def met(self) -> tuple[int, int]:
        """Turns that met the budgets without and with it."""
        return int(self.table[Fate.MET].sum()), int(self.table[:, Fate.MET].sum())

    @property
    def missed(self) -> tuple[int, int]:
        """Turns that missed them, failed ones included."""
        missed = [Fate.LATE, Fate.FAILED]
        return int(self.table[missed].sum()), int(self.table[:, missed].sum())

    @property
    def failed(self) -> tuple[int, int]:
        """Turns that failed."""
        return int(self.table[Fate.FAILED].sum()), int(self.table[:, Fate.FAILED].sum())

    @property
    def lost(self) -> int:
        """Turns that failed with the fault and had not failed without it."""
        return self.failed[1] - int(self.table[Fate.FAILED, Fate.FAILED])

    @property
    def broken(self) -> int:
        """Turns that met the budgets without it, and missed them or failed with it."""
        return int(self.table[Fate.MET, [Fate.LATE, Fate.FAILED]].sum())

    @property
    def mended(self) -> int:
        """Turns that missed the budgets or failed without it, and met them with it."""
        return int(self.table[[Fate.LATE, Fate.FAILED], Fate.MET].sum())

    @property
    def put_off(self) -> int:
        """Turns that began without it and did not with it, before the run stopped."""
        return int(self.table[:, Fate.ABSENT].sum() - self.table[Fate.ABSENT, Fate.ABSENT])

    @property
    def brought_forward(self) -> int:
        """Turns that began with it alone."""
        return int(self.table[Fate.ABSENT].sum() - self.table[Fate.ABSENT, Fate.ABSENT])

    @property
    def attainment(self) -> tuple[float | None, float | None]:
        """Share of the turns met or missed that met the budgets, without and with it; None: no turn."""
        first, second = (met / total if (total := met + missed) else None for met, missed in _zipped(self))
        return first, second


def _zipped(impact: Impact) -> list[tuple[int, int]]:
    return list(zip(impact.met, impact.missed, strict=True))


def impact_of(
    without: Course, with_fault: Course, kind: str, budgets: Sequence[Budget], begin_ps: int, end_ps: int | None
) -> Impact:
    """The impact on the turns of one kind.

    Args:
        budgets: those that a turn shall meet, all of them.
        begin_ps, end_ps: when the first fault begins and the last one is mended; None: never.
    """
    first, second = paired(without, with_fault)
    own = without.of_kind(kind)[first]
    first, second = first[own], second[own]
    before, after = fates(without, budgets)[first], fates(with_fault, budgets)[second]
    table = np.bincount(before * len(Fate) + after, minlength=len(Fate) ** 2).reshape(len(Fate), len(Fate))
    table += _alone(without, kind, budgets, first).reshape(-1, 1) * _absent(0)
    table += _alone(with_fault, kind, budgets, second).reshape(1, -1) * _absent(1)
    broken = (before == Fate.MET) & ((after == Fate.LATE) | (after == Fate.FAILED))
    start = with_fault.start_ps[second][broken]
    is_later = np.zeros(len(start), np.bool_) if end_ps is None else start >= end_ps
    both = ((before == Fate.MET) | (before == Fate.LATE)) & ((after == Fate.MET) | (after == Fate.LATE))
    taken = with_fault.latency_ps[second] - without.latency_ps[first]
    return Impact(
        kind=kind,
        table=table,
        broken_before=int(np.count_nonzero(start < begin_ps)),
        broken_during=int(np.count_nonzero((start >= begin_ps) & ~is_later)),
        broken_after=int(np.count_nonzero(is_later)),
        longest_ps=(_longest(without, kind), _longest(with_fault, kind)),
        slower_ps=int(taken[both].sum()),
    )


def _alone(course: Course, kind: str, budgets: Sequence[Budget], known: Int64) -> Int64:
    """Turns of a kind by fate that the other course does not know, [6]."""
    rest = course.of_kind(kind)
    rest[known] = False
    return np.bincount(fates(course, budgets)[rest], minlength=len(Fate)).astype(np.int64)


def _absent(axis: int) -> Int64:
    """1 at `Fate.ABSENT`, as a row (0) or a column (1)."""
    found = np.zeros(len(Fate), np.int64)
    found[Fate.ABSENT] = 1
    return found.reshape(1, -1) if axis == 0 else found.reshape(-1, 1)


def _longest(course: Course, kind: str) -> int:
    own = course.of_kind(kind) & course.counted
    return int(course.latency_ps[own].max(initial=0))


def together(impacts: Sequence[Impact]) -> Impact:
    """The impacts on several runs, added up; the longest turn is that of all of them.

    Raises:
        ValueError: there is none.
    """
    if not impacts:
        raise ValueError("no impacts to add up")
    return Impact(
        kind=impacts[0].kind,
        table=np.sum([impact.table for impact in impacts], axis=0),
        broken_before=sum(impact.broken_before for impact in impacts),
        broken_during=sum(impact.broken_during for impact in impacts),
        broken_after=sum(impact.broken_after for impact in impacts),
        longest_ps=(
            max(impact.longest_ps[0] for impact in impacts),
            max(impact.longest_ps[1] for impact in impacts),
        ),
        slower_ps=sum(impact.slower_ps for impact in impacts),
    )
