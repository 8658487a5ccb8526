"""How well runs of one lane kept a budget."""

from __future__ import annotations

from collections.abc import Sequence

from subsecond.engine.budgets import Budget
from subsecond.engine.confidence import Share, share_of
from subsecond.engine.outcome import LaneOutcome

__all__ = ["attainment"]


def attainment(runs: Sequence[LaneOutcome], budget: Budget, confidence: float) -> Share | None:
    """Share of turns that met a budget, with its interval; None if there are no turns.

    Where turns have begun and none has ended, nothing comes out any more: none meets it.
    """
    groups = [run.groups[budget.agents] for run in runs if budget.agents in run.groups]
    counts = [group.budget(budget.name) for group in groups]
    total = [count.met + count.missed for count in counts]
    if sum(total):
        return share_of([count.met for count in counts], total, confidence)
    return Share(0.0, 0.0, 0.0) if any(group.unfinished for group in groups) else None
