"""Courses of turns made by hand, for what drills measure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from subsecond.engine.budgets import Budget
from subsecond.engine.drills.course import Course
from subsecond.engine.turns import TurnState

__all__ = ["BUDGET", "S", "course"]

S = 10**12
#: One second.
BUDGET = Budget("own", "coding", S, None, None, 95.0, "test")


def course(
    start_s: Sequence[float],
    took_s: Sequence[float],
    state: Sequence[int] | None = None,
    *,
    from_s: float = 0.0,
    stop_s: float = 1000.0,
    kinds: tuple[str, ...] = ("coding",),
    index: Sequence[int] | None = None,
) -> Course:
    """Turns of one session, or of the session numbers that `index` leaves room for."""
    count = len(start_s)
    nothing = np.zeros(count, np.int64)
    return Course(
        kinds=kinds,
        kind=nothing,
        session=nothing,
        index=np.arange(count) if index is None else np.array(index),
        state=np.full(count, TurnState.ANSWERED, np.int64) if state is None else np.array(state, np.int64),
        start_ps=np.array([-1 if s < 0 else round(s * S) for s in start_s], np.int64),
        latency_ps=np.array([round(s * S) for s in took_s], np.int64),
        ttft_ps=nothing,
        tpot_ps=nothing,
        from_ps=round(from_s * S),
        stop_ps=round(stop_s * S),
    )
