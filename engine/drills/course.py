"""How the turns of one lane went, in the columns that drills are measured by, from a run or from a recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.budgets import Budget
from subsecond.engine.comparison.sides import Side
from subsecond.engine.turns import Turns, TurnState

__all__ = ["Course", "Fate", "course_of", "course_of_side", "fates", "paired"]

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]


class Fate(IntEnum):
    """What became of a turn, held against a budget; every turn has exactly one.

    ABSENT: it had not begun when the run stopped, or began before the time that counts. OPEN: it had begun and could
    still meet the budget. LATE: answered, or still open, beyond a limit. FAILED: one of its requests failed.
    """

    ABSENT = 0
    OPEN = 1
    MET = 2
    LATE = 3
    FAILED = 4
    CANCELLED = 5


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """Turns of one lane, [num_turns] each, in the order of session and place in it.

    Attributes:
        kind: index into `kinds`.
        state: `TurnState`.
        start_ps: when the user began to wait; -1: it has not begun.
        latency_ps: of turns still open how long the user has waited when the run stopped; 0 if they have not begun.
        from_ps, stop_ps: turns that begin before `from_ps` do not count; the run stopped at `stop_ps`.
    """

    kinds: tuple[str, ...]
    kind: Int64
    session: Int64
    index: Int64
    state: Int64
    start_ps: Int64
    latency_ps: Int64
    ttft_ps: Int64
    tpot_ps: Int64
    from_ps: int
    stop_ps: int

    def __len__(self) -> int:
        return len(self.session)

    @property
    def counted(self) -> Bool:
        """Per turn whether it has begun, and not before the time that counts."""
        counted: Bool = (self.start_ps >= 0) & (self.start_ps >= self.from_ps)
        return counted

    def of_kind(self, kind: str) -> Bool:
        """Per turn whether it is of an agent kind."""
        own: Bool = self.kind == (self.kinds.index(kind) if kind in self.kinds else -1)
        return own


def course_of(turns: Turns) -> Course:
    """The turns of a run."""
    work = turns.workload
    session = np.searchsorted(work.session_first_request, turns.first, side="right") - 1
    first_turn = work.turn[work.session_first_request[:-1]]
    begun = turns.start_ps >= 0
    pending = turns.state == TurnState.PENDING
    waited = np.where(begun, turns.stop_ps - turns.start_ps, 0)
    return Course(
        kinds=turns.kinds,
        kind=turns.kind.astype(np.int64),
        session=session,
        index=work.turn[turns.first] - first_turn[session],
        state=turns.state.astype(np.int64),
        start_ps=turns.start_ps,
        latency_ps=np.where(pending, waited, turns.latency_ps),
        ttft_ps=turns.ttft_ps,
        tpot_ps=turns.tpot_ps,
        from_ps=turns.from_ps,
        stop_ps=turns.stop_ps,
    )


def course_of_side(side: Side, from_ps: int = 0, stop_ps: int | None = None) -> Course:
    """The turns of a lane of a recording, which holds those that have begun."""
    return Course(
        kinds=side.agents,
        kind=side.agent,
        session=side.session,
        index=side.index,
        state=side.state,
        start_ps=side.start_ps,
        latency_ps=side.latency_ps,
        ttft_ps=side.ttft_ps,
        tpot_ps=side.tpot_ps,
        from_ps=from_ps,
        stop_ps=side.span_ps if stop_ps is None else stop_ps,
    )


def fates(course: Course, budgets: Sequence[Budget]) -> NDArray[np.int8]:
    """What became of each turn, held against every one of some budgets, [num_turns]."""
    met: Bool = course.state == TurnState.ANSWERED
    overdue = np.zeros(len(course), np.bool_)
    for budget in budgets:
        met = met & budget.met(course)
        if budget.turn_ps is not None:
            overdue |= course.latency_ps > budget.turn_ps
    found = np.full(len(course), Fate.OPEN, np.int8)
    found[(course.state == TurnState.PENDING) & overdue] = Fate.LATE
    found[course.state == TurnState.ANSWERED] = Fate.LATE
    found[met] = Fate.MET
    found[course.state == TurnState.FAILED] = Fate.FAILED
    found[course.state == TurnState.CANCELLED] = Fate.CANCELLED
    found[~course.counted] = Fate.ABSENT
    return found


def paired(without: Course, with_fault: Course) -> tuple[Int64, Int64]:
    """Where the turns of two courses stand that are the same step of the same session; the others are left out."""
    if np.array_equal(without.session, with_fault.session) and np.array_equal(without.index, with_fault.index):
        every = np.arange(len(without), dtype=np.int64)
        return every, every
    keys = [course.session << 32 | course.index for course in (without, with_fault)]
    _, first, second = np.intersect1d(keys[0], keys[1], assume_unique=True, return_indices=True)
    return first.astype(np.int64), second.astype(np.int64)
