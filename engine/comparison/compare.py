"""Two lanes held against each other, agent kind by agent kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.budgets import Budget

from .bootstrap import Blocks, Estimate, Resampling, blocks_of, distinct, estimate
from .measures import Measures, kept, measures_of
from .sides import Side

__all__ = ["Comparison", "KindComparison", "PairedCount", "compare"]

Int64 = NDArray[np.int64]
Float = NDArray[np.float64]

QUANTILES = {"p50": 0.50, "p95": 0.95}
#: Share of the turns that two sides have in common, and of the shorter side's turns, that must be alike for the sides
#: to have done the same work.
ALIKE, COMMON = 0.99, 0.5


@dataclass(frozen=True, slots=True)
class PairedCount:
    """Turns that both sides answered, turn by turn.

    Attributes:
        sooner: how many the first and the second side answered sooner.
        difference_ps: median of the second side's latency less the first one's.
    """

    turns: int
    sooner: tuple[int, int]
    difference_ps: float


@dataclass(frozen=True, slots=True)
class KindComparison:
    """Turns of one agent kind; differences are the second side less the first one.

    Attributes:
        sessions: that the intervals come from, of the side with fewer.
        latency_ps: by quantile ("p50", "p95"); none where a side has no answered turn.
        attainment: by budget, as a share.
        paired: None: the sides did not do the same work.
    """

    kind: str
    first: Measures
    second: Measures
    sessions: int
    latency_ps: dict[str, Estimate]
    mean_ps: Estimate | None
    attainment: dict[str, Estimate]
    paired: PairedCount | None

    @property
    def stages_ps(self) -> dict[str, float]:
        """By stage, difference of the means; the largest first."""
        return _differences(self.first.stages_ps, self.second.stages_ps)

    @property
    def tail_stages_ps(self) -> dict[str, float]:
        """The same of the turns around the 95th percentile."""
        return _differences(self.first.tail_stages_ps, self.second.tail_stages_ps)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two lanes, named by their recording and their name in it."""

    first: tuple[str, str]
    second: tuple[str, str]
    budgets: tuple[Budget, ...]
    kinds: tuple[KindComparison, ...]

    @property
    def is_same(self) -> bool:
        """Whether both sides did the same work and came to the same."""
        return bool(self.kinds) and all(
            kind.paired is not None and not any(kind.paired.sooner) and kind.first == kind.second for kind in self.kinds
        )


def compare(first: Side, second: Side, budgets: Sequence[Budget]) -> Comparison:
    """Hold a side against another one.

    Args:
        budgets: by which both are measured; one for a kind of agents that neither side has is left out.
    """
    kinds = list(dict.fromkeys((*first.agents, *second.agents)))
    pairs = [(kind, first.of_kind(kind), second.of_kind(kind)) for kind in kinds]
    found = [
        _kind(kind, a, b, [budget for budget in budgets if budget.agents == kind])
        for kind, a, b in pairs
        if len(a) and len(b)
    ]
    return Comparison((first.source, first.lane), (second.source, second.lane), tuple(budgets), tuple(found))


def _kind(kind: str, first: Side, second: Side, budgets: Sequence[Budget]) -> KindComparison:
    paired = _paired(first, second)
    a, b = _draws(first, second, is_paired=paired is not None)
    sessions = min(len(distinct(side.session)) for side in (first, second))
    measured = measures_of(first, budgets), measures_of(second, budgets)
    latency, mean = {}, None
    if all(m.answered for m in measured):
        drawn = a.quantiles(), b.quantiles()
        for name in QUANTILES:
            value = measured[1].latency_ps[name] - measured[0].latency_ps[name]
            latency[name] = estimate(value, drawn[1][name] - drawn[0][name], sessions)
        mean = estimate(measured[1].mean_ps - measured[0].mean_ps, b.mean() - a.mean(), sessions)
    attainment = {}
    for budget in budgets:
        shares = [m.attainment(budget.name) for m in measured]
        if shares[0] is not None and shares[1] is not None:
            draws = b.attainment(budget) - a.attainment(budget)
            attainment[budget.name] = estimate(shares[1] - shares[0], draws, sessions)
    return KindComparison(kind, *measured, sessions, latency, mean, attainment, paired)


class _Drawn:
    """A side of which sessions are drawn again and again."""

    def __init__(self, side: Side, blocks: Blocks, resampling: Resampling) -> None:
        self._side, self._blocks, self._resampling = side, blocks, resampling

    def quantiles(self) -> dict[str, Float]:
        answered = self._side.answered
        own = Blocks(self._blocks.block[answered], self._blocks.count)
        return self._resampling.quantiles(self._side.latency_ps[answered], own, QUANTILES)

    def mean(self) -> Float:
        answered = self._side.answered
        return self._ratio(np.where(answered, self._side.latency_ps, 0), answered)

    def attainment(self, budget: Budget) -> Float:
        met, meant = kept(self._side, budget)
        return self._ratio(met & meant, meant)

    def _ratio(self, above: NDArray[np.generic], below: NDArray[np.generic]) -> Float:
        totals = [self._resampling.totals(self._per_block(column)) for column in (above, below)]
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio: Float = totals[0] / totals[1]
        return ratio

    def _per_block(self, column: NDArray[np.generic]) -> Float:
        weights = column.astype(np.float64)
        total: Float = np.bincount(self._blocks.block, weights, self._blocks.count).astype(np.float64)
        return total


def _draws(first: Side, second: Side, *, is_paired: bool) -> tuple[_Drawn, _Drawn]:
    if is_paired:
        sessions = np.union1d(*(distinct(side.session) for side in (first, second)))
        blocks = [blocks_of(side.session, sessions) for side in (first, second)]
        together = Resampling(blocks[0].count)
        return _Drawn(first, blocks[0], together), _Drawn(second, blocks[1], together)
    blocks = [blocks_of(side.session, distinct(side.session)) for side in (first, second)]
    a, b = (Resampling(own.count, stream) for stream, own in enumerate(blocks))
    return _Drawn(first, blocks[0], a), _Drawn(second, blocks[1], b)


def _paired(first: Side, second: Side) -> PairedCount | None:
    """Turn by turn, if the sides did the same work: session for session the same turns with the same prompts."""
    a, b = _common(first, second)
    if len(a) < COMMON * min(len(first), len(second)):
        return None
    both = first.answered[a] & second.answered[b]
    a, b = a[both], b[both]
    alike = (first.prompt_tokens[a] == second.prompt_tokens[b]) & (first.requests[a] == second.requests[b])
    if not len(a) or alike.mean() < ALIKE:
        return None
    difference = second.latency_ps[b] - first.latency_ps[a]
    sooner = int((difference > 0).sum()), int((difference < 0).sum())
    return PairedCount(len(difference), sooner, float(np.median(difference)))


def _common(first: Side, second: Side) -> tuple[Int64, Int64]:
    """Places of the turns that both sides have."""
    most = 1 + max(int(side.index.max()) for side in (first, second))
    keys = [side.session * most + side.index for side in (first, second)]
    _, a, b = np.intersect1d(keys[0], keys[1], assume_unique=True, return_indices=True)
    return a, b


def _differences(first: dict[str, float], second: dict[str, float]) -> dict[str, float]:
    names = dict.fromkeys((*first, *second))
    found = {name: second.get(name, 0.0) - first.get(name, 0.0) for name in names}
    return dict(sorted(found.items(), key=lambda item: -abs(item[1])))
