"""How well runs of one lane kept a budget, and how many runs it takes to say so."""

from __future__ import annotations

import math
from collections.abc import Sequence

from subsecond.engine.budgets import Budget
from subsecond.engine.confidence import Share, share_of
from subsecond.engine.errors import InputError
from subsecond.engine.outcome import LaneOutcome
from subsecond.engine.scenario import Scenario

__all__ = ["LEAST_SESSIONS", "attainment", "attainment_or_refusal", "counts", "runs_for"]

#: Sessions that all runs of a number of sessions see together, at least: few sessions say little about the next ones.
LEAST_SESSIONS = 40


def runs_for(sessions: float, replicas: int) -> int:
    """Runs of so many sessions: more where they are few, unless one run is all that is asked for."""
    return max(replicas, math.ceil(LEAST_SESSIONS / sessions)) if replicas > 1 else 1


def attainment(runs: Sequence[LaneOutcome], budget: Budget, confidence: float) -> Share | None:
    """Share of turns that met a budget, with its interval; None if there are no turns.

    Where turns have begun and none has ended, nothing comes out any more: none meets it.
    """
    met, total = counts(runs, budget)
    if sum(total):
        return share_of(met, total, confidence)
    waiting = any(run.groups[budget.agents].unfinished for run in runs if budget.agents in run.groups)
    return Share(0.0, 0.0, 0.0) if waiting else None


def attainment_or_refusal(runs: Sequence[LaneOutcome], budget: Budget, confidence: float, scenario: Scenario) -> Share:
    """As `attainment`.

    Raises:
        InputError: the scenario ends before a turn counts.
    """
    share = attainment(runs, budget, confidence)
    if share is None:
        expected = f"a time in which {budget.agents} agents have turns that count"
        raise InputError(scenario.where, "duration_s", scenario.duration_s, expected)
    return share


def counts(runs: Sequence[LaneOutcome], budget: Budget) -> tuple[list[int], list[int]]:
    """Turns by run: those that met the budget, and those that met or missed it."""
    found = [run.groups[budget.agents].budget(budget.name) for run in runs if budget.agents in run.groups]
    return [count.met for count in found], [count.met + count.missed for count in found]
