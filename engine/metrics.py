"""What a run comes to: percentiles, stages, budgets and goodput per pipeline and agent kind, and who wins turn by turn.

Percentiles are exact: the value of rank ceil(q * n) among the answered turns. A failed turn has no latency; it counts
as missed in every budget.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .budgets import Budget
from .histogram import Histogram
from .turns import Turns, TurnState

__all__ = ["BudgetOutcome", "Duel", "Group", "PairedTurns", "duel", "group_of", "groups_of", "quantiles_ps"]

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
PS_PER_S = 10**12

QUANTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class BudgetOutcome:
    """How a group of turns kept a budget.

    Attributes:
        met, missed: turns. Missed are also failed turns, and those still open that have waited longer than the limit.
        excess_ps: median time above the turn's limit of the answered turns that missed it; None: there is none.
        blame: stage -> missed answered turns in which it exceeds its median over the turns that met the budget by
            more than any other stage does.
    """

    budget: Budget
    met: int
    missed: int
    excess_ps: int | None
    blame: dict[str, int]

    @property
    def attainment(self) -> float | None:
        """Share of turns that met the budget; None if there is no turn."""
        total = self.met + self.missed
        return self.met / total if total else None

    @property
    def is_kept(self) -> bool:
        """Whether as many turns met it as its percentile asks for."""
        share = self.attainment
        return share is None or 100 * share >= self.budget.percentile


@dataclass(frozen=True, slots=True)
class Group:
    """The turns of one agent kind, or all, on one pipeline.

    Attributes:
        answered, failed, cancelled, unfinished: turns by how they ended; the sum of them was begun.
        latency_ps, ttft_ps, tpot_ps: quantile name -> ps; empty if no turn was answered.
        stages_ps: stage -> (mean, p95) over the answered turns, in ps.
        goodput_per_s: turns per second of the run that met every budget of their kind.
    """

    answered: int
    failed: int
    cancelled: int
    unfinished: int
    latency_ps: dict[str, int]
    ttft_ps: dict[str, int]
    tpot_ps: dict[str, int]
    stages_ps: dict[str, tuple[float, int]]
    budgets: tuple[BudgetOutcome, ...]
    goodput_per_s: float
    histogram: Histogram

    @property
    def turns(self) -> int:
        """Turns that have ended."""
        return self.answered + self.failed + self.cancelled

    @property
    def mean_ps(self) -> float:
        """Mean latency of the answered turns."""
        return sum(mean for mean, _ in self.stages_ps.values())

    def largest_stage(self, stages: Sequence[str] | None = None) -> str:
        """The stage with the largest mean, of all or of some."""
        return max(stages or self.stages_ps, key=lambda name: self.stages_ps[name][0])


def quantiles_ps(values: Int64) -> dict[str, int]:
    """Quantiles by name; none if there are no values."""
    n = len(values)
    if not n:
        return {}
    ranks = [math.ceil(q * n) - 1 for q in QUANTILES.values()]
    ordered = np.partition(values, sorted(set(ranks)))
    return {name: int(ordered[rank]) for name, rank in zip(QUANTILES, ranks, strict=True)}


def groups_of(turns: Turns, budgets: Sequence[Budget]) -> dict[str, Group]:
    """Groups of a run: one per agent kind, in their order, and "all" for the whole if there are several."""
    met_all = _met_all(turns, budgets)
    groups = {kind: group_of(turns, budgets, met_all, pick) for kind, pick in _kinds(turns)}
    if len(groups) != 1:
        groups["all"] = group_of(turns, budgets, met_all, None)
    return groups


def _kinds(turns: Turns) -> Iterator[tuple[str, Bool | None]]:
    if len(turns.kinds) == 1:
        yield turns.kinds[0], None
        return
    for i, kind in enumerate(turns.kinds):
        yield kind, turns.kind == i


def _met_all(turns: Turns, budgets: Sequence[Budget]) -> Bool:
    met: Bool = turns.state == TurnState.ANSWERED
    for i, kind in enumerate(turns.kinds):
        others = None if len(turns.kinds) == 1 else turns.kind != i
        for budget in budgets:
            if budget.agents == kind:
                met &= budget.met(turns) if others is None else budget.met(turns) | others
    return met


def group_of(turns: Turns, budgets: Sequence[Budget], met_all: Bool, pick: Bool | None) -> Group:
    """Measures of some turns of a run.

    Args:
        met_all: per turn whether it met every budget of its kind.
        pick: the turns meant; None: all.
    """
    begun = turns.counted
    inside = begun if pick is None else begun & pick
    counts = np.bincount(turns.state[inside], minlength=len(TurnState))
    answered = inside & (turns.state == TurnState.ANSWERED)
    every = bool(answered.all())
    chosen = slice(None) if every else np.flatnonzero(answered)
    latency = turns.latency_ps[chosen]
    histogram = Histogram()
    histogram.add(latency)
    met = met_all & inside
    return Group(
        answered=int(counts[TurnState.ANSWERED]),
        failed=int(counts[TurnState.FAILED]),
        cancelled=int(counts[TurnState.CANCELLED]),
        unfinished=int(counts[TurnState.PENDING]),
        latency_ps=quantiles_ps(latency),
        ttft_ps=quantiles_ps(turns.ttft_ps[chosen]),
        tpot_ps=quantiles_ps(turns.tpot_ps[chosen]),
        stages_ps=_stages(turns, chosen) if len(latency) else {},
        budgets=tuple(_outcome(turns, budget, pick) for budget in budgets if _is_for(turns, budget, pick)),
        goodput_per_s=_per_second(int(np.count_nonzero(met)), turns.stop_ps - turns.from_ps),
        histogram=histogram,
    )


def _stages(turns: Turns, chosen: slice | Int64) -> dict[str, tuple[float, int]]:
    stages = {}
    for name in turns.stage_names:
        column = turns.stage_ps(name)
        if column.strides[0] == 0:  # one value for all: nothing to sort
            stages[name] = (float(column[0]), int(column[0]))
            continue
        column = column[chosen]
        rank = math.ceil(0.95 * len(column)) - 1
        stages[name] = (float(column.mean()), int(np.partition(column, rank)[rank]))
    return stages


def _is_for(turns: Turns, budget: Budget, pick: Bool | None) -> bool:
    """Whether a budget concerns a group: the kinds of a group are those of its turns."""
    kind = turns.kinds.index(budget.agents)
    return pick is None or bool((turns.kind[pick] == kind).any())


def _outcome(turns: Turns, budget: Budget, pick: Bool | None) -> BudgetOutcome:
    if len(turns.kinds) > 1:
        own = turns.kind == turns.kinds.index(budget.agents)
        pick = own if pick is None else own & pick
    begun = turns.counted if pick is None else turns.counted & pick
    met = budget.met(turns) & begun
    late = begun & ~met & (turns.state == TurnState.ANSWERED)
    missed = int(np.count_nonzero(late)) + int(np.count_nonzero(begun & (turns.state == TurnState.FAILED)))
    if budget.turn_ps is not None:
        waited = turns.stop_ps - turns.start_ps
        missed += int(np.count_nonzero(begun & (turns.state == TurnState.PENDING) & (waited > budget.turn_ps)))
    excess, blame = None, {}
    at = np.flatnonzero(late)
    if len(at):
        blame = _blame(turns, at, np.flatnonzero(met))
        if budget.turn_ps is not None:
            excess = int(np.median(turns.latency_ps[at] - budget.turn_ps))
    return BudgetOutcome(budget, int(np.count_nonzero(met)), missed, excess, blame)


def _blame(turns: Turns, late: Int64, met: Int64) -> dict[str, int]:
    names = turns.stage_names
    longest = np.full(len(late), np.iinfo(np.int64).min)
    stage = np.zeros(len(late), np.int64)
    for i, name in enumerate(names):
        column = turns.stage_ps(name)
        usual = int(np.median(column[met])) if len(met) else 0
        excess = column[late] - usual
        stage[excess > longest] = i
        longest = np.maximum(longest, excess)
    counts = np.bincount(stage, minlength=len(names))
    order = np.argsort(-counts, kind="stable")
    return {names[i]: int(counts[i]) for i in order if counts[i]}


def _per_second(count: int, span_ps: int) -> float:
    return count * PS_PER_S / span_ps if span_ps > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Duel:
    """Turns of one kind on two pipelines, paired by session and place in it.

    Attributes:
        wins: turns that each pipeline answers sooner, or answers alone.
        ties: answered by both in the same time.
        ratio: median over the turns answered by both of the first one's latency over the second one's; None: no such.
    """

    wins: tuple[int, int]
    ties: int
    ratio: float | None


@dataclass(frozen=True, slots=True)
class PairedTurns:
    """Two pipelines on the same work; `kinds` has "all" too if there are several."""

    names: tuple[str, str]
    kinds: dict[str, Duel]


def duel(names: tuple[str, str], first: Turns, second: Turns) -> PairedTurns:
    """Compare two runs of one workload turn by turn.

    Raises:
        ValueError: the runs have different workloads.
    """
    if len(first.state) != len(second.state):
        raise ValueError(f"runs of {len(first.state)} and {len(second.state)} turns cannot be paired")
    kinds = {kind: _duel(first, second, pick) for kind, pick in _kinds(first)}
    if len(kinds) > 1:
        kinds["all"] = _duel(first, second, None)
    return PairedTurns(names, kinds)


def _duel(first: Turns, second: Turns, pick: Bool | None) -> Duel:
    a, b = (turns.state == TurnState.ANSWERED for turns in (first, second))
    # where a run stopped first, the other's turn has nobody to be compared with
    known = (first.state != TurnState.PENDING) & (second.state != TurnState.PENDING)
    known &= first.counted & second.counted
    if pick is not None:
        known &= pick
    both = np.flatnonzero(known & a & b)
    x, y = first.latency_ps[both], second.latency_ps[both]
    return Duel(
        wins=(
            int(np.count_nonzero(x < y)) + int(np.count_nonzero(known & a & ~b)),
            int(np.count_nonzero(y < x)) + int(np.count_nonzero(known & b & ~a)),
        ),
        ties=int(np.count_nonzero(x == y)),
        ratio=float(np.median(x / np.maximum(y, 1))) if len(both) else None,
    )
