"""What the turns of one agent kind come to on one lane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.budgets import Budget
from subsecond.engine.metrics import quantiles_ps
from subsecond.engine.turns import TurnState

from .sides import Side

__all__ = ["Measures", "kept", "measures_of"]

Bool = NDArray[np.bool_]
PS_PER_S = 10**12
#: Of the turns around a quantile those count whose rank differs by at most this share.
BAND = 0.025


@dataclass(frozen=True, slots=True)
class Measures:
    """Turns of one agent kind on one lane; times in ps.

    Attributes:
        turns: that ended; `open`: still under way when the run stopped.
        latency_ps: quantiles of the answered turns by name, as in a run's results.
        stages_ps: by stage, mean of the answered turns; they sum to `mean_ps`.
        tail_stages_ps: the same of the turns around the 95th percentile; they sum to `tail_ps`.
        kept: budget -> turns that met it, and turns that met or missed it.
        goodput_per_s: turns per second of the run that met every budget of their kind.
    """

    turns: int
    answered: int
    failed: int
    cancelled: int
    open: int
    latency_ps: dict[str, int]
    mean_ps: float
    stages_ps: dict[str, float]
    tail_ps: float
    tail_stages_ps: dict[str, float]
    kept: dict[str, tuple[int, int]]
    goodput_per_s: float

    def attainment(self, budget: str) -> float | None:
        """Share of turns that met a budget; None if there is no turn."""
        met, meant = self.kept[budget]
        return met / meant if meant else None


def kept(side: Side, budget: Budget) -> tuple[Bool, Bool]:
    """Per turn whether it met a budget, and whether it met or missed it, as a run's results count it.

    Failed turns have missed it, and open ones that have waited longer than the limit; cancelled ones say nothing.
    """
    met = budget.met(side)
    meant = side.answered | (side.state == TurnState.FAILED)
    if budget.turn_ps is not None:
        meant |= (side.state == TurnState.PENDING) & (side.latency_ps > budget.turn_ps)
    return met, meant


def measures_of(side: Side, budgets: Sequence[Budget]) -> Measures:
    """Measures of the turns of a side, which are of the one kind that the budgets are for."""
    counts = np.bincount(side.state, minlength=len(TurnState))
    answered = side.answered
    latency = side.latency_ps[answered]
    quantiles = quantiles_ps(latency)
    outcomes = {budget.name: kept(side, budget) for budget in budgets}
    met_all = answered.copy()
    for met, _ in outcomes.values():
        met_all &= met
    return Measures(
        turns=len(side) - int(counts[TurnState.PENDING]),
        answered=int(counts[TurnState.ANSWERED]),
        failed=int(counts[TurnState.FAILED]),
        cancelled=int(counts[TurnState.CANCELLED]),
        open=int(counts[TurnState.PENDING]),
        latency_ps=quantiles,
        mean_ps=float(latency.mean()) if len(latency) else 0.0,
        stages_ps=_means(side, answered),
        tail_ps=_mean(side.latency_ps, around(side, 0.95)),
        tail_stages_ps=_means(side, around(side, 0.95)),
        kept={name: (int((met & meant).sum()), int(meant.sum())) for name, (met, meant) in outcomes.items()},
        goodput_per_s=int(met_all.sum()) * PS_PER_S / side.span_ps if side.span_ps else 0.0,
    )


def around(side: Side, quantile: float) -> Bool:
    """The answered turns around a quantile of the latency."""
    answered = side.answered
    latency = side.latency_ps[answered]
    n = len(latency)
    if not n:
        return answered
    low = max(0, int((quantile - BAND) * n))
    high = min(n - 1, int((quantile + BAND) * n))
    ordered = np.partition(latency, [low, high])
    pick: Bool = answered & (side.latency_ps >= ordered[low]) & (side.latency_ps <= ordered[high])
    return pick


def _means(side: Side, pick: Bool) -> dict[str, float]:
    return {name: _mean(column, pick) for name, column in side.stages_ps.items()}


def _mean(column: NDArray[np.int64], pick: Bool) -> float:
    return float(column[pick].mean()) if pick.any() else 0.0
