"""Which stage of a turn would have to take how much less for a budget to hold.

To a first approximation: turns as they were, one stage shorter by the same share in every turn. What a shorter stage
would do to the queues of the others is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .budgets import Budget
from .turns import Turns, TurnState

__all__ = ["StageNeed", "stage_needs"]


@dataclass(frozen=True, slots=True)
class StageNeed:
    """What a budget asks of a stage.

    Attributes:
        share: by which the stage would have to be shorter in every turn, 0 to 1; None: even without it too few turns
            keep the budget.
        mean_ps: of the stage, over the answered turns.
    """

    stage: str
    share: float | None
    mean_ps: float


def stage_needs(runs: Sequence[Turns], budget: Budget) -> list[StageNeed]:
    """Needs of every stage that takes time, the least one first; none for a budget that does not limit whole turns.

    Args:
        runs: turns of runs of one scenario.
    """
    if budget.turn_ps is None or not runs:
        return []
    picks = [_counted(turns, budget.agents) for turns in runs]
    latency = np.concatenate([turns.latency_ps[pick] for turns, pick in zip(runs, picks, strict=True)])
    failed = sum(_failed(turns, budget.agents) for turns in runs)
    if not len(latency):
        return []
    needs = []
    for stage in runs[0].stage_names:
        column = np.concatenate([turns.stage_ps(stage)[pick] for turns, pick in zip(runs, picks, strict=True)])
        if column.any():
            share = _share(latency - budget.turn_ps, column, failed, budget.percentile)
            needs.append(StageNeed(stage, share, float(column.mean())))
    return sorted(needs, key=lambda need: (need.share is None, need.share or 0.0, -need.mean_ps))


def _counted(turns: Turns, kind: str) -> NDArray[np.int64]:
    own = turns.counted & (turns.kind == turns.kinds.index(kind))
    return np.flatnonzero(own & (turns.state == TurnState.ANSWERED))


def _failed(turns: Turns, kind: str) -> int:
    own = turns.counted & (turns.kind == turns.kinds.index(kind))
    return int(np.count_nonzero(own & (turns.state == TurnState.FAILED)))


def _share(excess: NDArray[np.int64], stage: NDArray[np.int64], failed: int, percentile: float) -> float | None:
    """The smallest share of the stage that, taken away in every turn, lets enough turns keep the limit."""
    needed = np.where(excess <= 0, 0.0, math.inf)
    has = (excess > 0) & (stage > 0)
    needed[has] = excess[has] / stage[has]
    rank = math.ceil(percentile / 100 * (len(needed) + failed)) - 1
    if rank >= len(needed):
        return None
    share = float(np.partition(needed, rank)[rank])
    return share if share <= 1 else None
