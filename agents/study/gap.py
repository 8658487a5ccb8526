"""Which change closes the gap: every change of a pipeline by itself, and combined, on the same sessions.

What is smallest is said by the changes' own order: the effort of the largest change in it, then how many changes it
takes, then their place in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from subsecond.agents.plan_cache import PlanCache
from subsecond.engine.budgets import Budget
from subsecond.engine.confidence import Share, difference_of
from subsecond.engine.errors import InputError
from subsecond.engine.outcome import LaneOutcome, lane_outcome, merged
from subsecond.engine.shrink import StageNeed, stage_needs

from .attainment import attainment_or_refusal, counts
from .changes import EFFORTS, Change, applied, base_of
from .choice import Choice, choose
from .points import Base, Point, lane_turns, plan_point, side_by_side

__all__ = ["GapQuestion", "GapStudy", "LaneGap", "Variant", "gap_study"]

#: The largest effort that is still software.
SOFTWARE = EFFORTS.index("model")

#: Called with the runs done so far.
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class GapQuestion:
    """What is asked.

    Attributes:
        replicas: runs of each variant, each with other sessions; all variants get the same ones.
        steps: most changes of a combination that is searched for.
    """

    kind: str | None = None
    budget: str | None = None
    percentile: float | None = None
    replicas: int = 3
    confidence: float = 0.95
    steps: int = 3

    def __post_init__(self) -> None:
        if not 1 <= self.replicas <= 1000:
            raise InputError("--replicas", "", self.replicas, "a whole number from 1 to 1000")
        if not 1 <= self.steps <= 10:
            raise InputError("--steps", "", self.steps, "a whole number from 1 to 10")


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """A pipeline with some changes made, and what came of it.

    Attributes:
        share: of turns that met the budget; None where it cannot be built.
        outcome: all runs together; its digest tells whether anything differs at all.
        effect: by how much more turns met it than without any change, on the same sessions.
        problem: why it cannot be built.
    """

    changes: tuple[Change, ...]
    target: float
    share: Share | None = None
    outcome: LaneOutcome | None = None
    effect: Share | None = None
    problem: str = ""

    @property
    def name(self) -> str:
        return " + ".join(change.name for change in self.changes) or "as it is"

    @property
    def attainment(self) -> float:
        """Share of turns in time; below every other where it cannot be built."""
        return -1.0 if self.share is None else self.share.value

    @property
    def is_kept(self) -> bool:
        return self.share is not None and self.share.value >= self.target

    @property
    def is_clear(self) -> bool:
        """Whether its effect is more than chance; a single run of each cannot tell, and is believed."""
        if self.effect is None or not self.effect.value:
            return False
        low, high = self.effect.low, self.effect.high
        return low is None or high is None or low > 0 or high < 0

    @property
    def effort(self) -> str:
        """Of its largest change."""
        return EFFORTS[max(change.rank for change in self.changes)]


@dataclass(frozen=True, slots=True, eq=False)
class LaneGap:
    """One pipeline.

    Attributes:
        plain: without any change.
        singles: every change by itself, in the order of the file.
        combined: what was tried together: the best at each step, for each class of effort; the last one may not help.
        software: the best of each sort that helps and needs no other machines, all together; None: fewer than two do.
        everything: the same with machines.
        answer: the smallest variant that keeps the budget; None: none does, or it is kept anyway.
        needs: of the best variant's stages; empty where the budget is kept.
    """

    lane: str
    base_name: str
    plain: Variant
    singles: tuple[Variant, ...]
    combined: tuple[Variant, ...]
    software: Variant | None
    everything: Variant | None
    answer: Variant | None
    needs: tuple[StageNeed, ...]

    @property
    def tried(self) -> tuple[Variant, ...]:
        """All that could be done, in the order in which it was tried."""
        together = [v for v in (self.software, self.everything) if v is not None]
        return (*(v for v in self.singles if v.changes[0].role == "change"), *self.combined, *together)

    @property
    def best(self) -> Variant:
        """What comes nearest to the budget: the pipeline as it is, if nothing helps."""
        return max((self.plain, *self.tried), key=lambda variant: variant.attainment)


@dataclass(frozen=True, slots=True, eq=False)
class GapStudy:
    """The answer for every pipeline of a scenario; `runs` is what it cost."""

    question: GapQuestion
    base: Base
    budget: Budget
    lanes: tuple[LaneGap, ...]
    runs: int


def gap_study(
    base: Base,
    changes: Sequence[Change],
    question: GapQuestion,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> GapStudy:
    """Try changes on every pipeline of a base.

    Args:
        threads: runs side by side; None: one for every processor. The result does not depend on it.

    Raises:
        InputError: something in the scenario or the question cannot be used.
    """
    cache = PlanCache()
    choice = choose(base, kind=question.kind, budget=question.budget, percentile=question.percentile, cache=cache)
    bench = _Bench(choice, question, cache, threads, progress)
    lanes = []
    for lane in choice.base.scenario.pipelines:
        own = [change for change in changes if base_of(choice.base, lane) in change.pipelines]
        lanes.append(_lane_gap(bench, lane, own))
    return GapStudy(question, choice.base, choice.budget, tuple(lanes), bench.runs)


class _Bench:
    """Runs variants, each once, and remembers them."""

    def __init__(
        self, choice: Choice, question: GapQuestion, cache: PlanCache, threads: int | None, progress: Progress | None
    ) -> None:
        self.choice, self.question = choice, question
        self._cache, self._threads, self._progress = cache, threads, progress
        self._known: dict[tuple[str, frozenset[str]], Variant] = {}
        self._plain: dict[str, tuple[list[int], list[int]]] = {}
        first = choice.base.scenario.seed
        self._seeds = range(first, first + question.replicas)
        self.runs = 0

    def variants(self, lane: str, wanted: Sequence[tuple[Change, ...]]) -> list[Variant]:
        """Run what has not been run."""
        keys = [(lane, frozenset(change.name for change in changes)) for changes in wanted]
        new = {key: changes for key, changes in zip(keys, wanted, strict=True) if key not in self._known}
        jobs = [(lane, changes, seed) for changes in new.values() for seed in self._seeds]
        found: list[LaneOutcome | str] = []
        for outcome in side_by_side(self._run, jobs, self._threads):
            found.append(outcome)
            self.runs += 1
            if self._progress is not None:
                self._progress(self.runs)
        each = len(self._seeds)
        for place, (key, changes) in enumerate(new.items()):
            self._known[key] = self._variant(lane, changes, found[place * each : (place + 1) * each])
        return [self._known[key] for key in keys]

    def _run(self, job: tuple[str, tuple[Change, ...], int]) -> LaneOutcome | str:
        lane, changes, seed = job
        try:
            base = applied(self.choice.base, lane, changes)
            plan = plan_point(base, Point(seed=seed), self._cache)
        except InputError as error:
            if not changes:
                raise
            return str(error)
        turns = lane_turns(plan, lane)
        return lane_outcome(lane, plan.pipelines[lane], turns, plan.budgets, digest=True)

    def _variant(self, lane: str, changes: tuple[Change, ...], found: Sequence[LaneOutcome | str]) -> Variant:
        target = self.choice.target
        outcomes = [outcome for outcome in found if not isinstance(outcome, str)]
        if len(outcomes) < len(found):
            return Variant(changes, target, problem=next(text for text in found if isinstance(text, str)))
        budget, confidence = self.choice.budget, self.question.confidence
        share = attainment_or_refusal(outcomes, budget, confidence, self.choice.base.scenario)
        counted = counts(outcomes, budget)
        plain = self._plain.setdefault(lane, counted)  # what is run first has no change
        effect = None
        if sum(counted[1]) and sum(plain[1]):
            effect = difference_of(*counted, *plain, confidence)
        return Variant(changes, target, share, merged(outcomes), effect)

    def needs(self, lane: str, variant: Variant) -> tuple[StageNeed, ...]:
        """What the budget still asks of the stages of a variant."""
        base = applied(self.choice.base, lane, variant.changes)
        runs = [lane_turns(plan_point(base, Point(seed=seed), self._cache), lane) for seed in self._seeds]
        return tuple(stage_needs(runs, self.choice.budget))


def _lane_gap(bench: _Bench, lane: str, changes: Sequence[Change]) -> LaneGap:
    (plain,) = bench.variants(lane, [()])
    singles = tuple(bench.variants(lane, [(change,) for change in changes]))
    possible = [v for v in singles if v.changes[0].role == "change" and v.share is not None]
    answer, combined = (None, []) if plain.is_kept else _smallest(bench, lane, plain, possible)
    software = _together(bench, lane, plain, [v for v in possible if v.changes[0].rank <= SOFTWARE])
    everything = _together(bench, lane, plain, possible)
    if everything is software:
        everything = None
    found = LaneGap(
        lane, base_of(bench.choice.base, lane), plain, singles, tuple(combined), software, everything, answer, ()
    )
    if plain.is_kept:
        return found
    if answer is None:  # more at once than was searched for may do it
        answer = next((v for v in (software, everything) if v is not None and v.is_kept), None)
        answer = None if answer is None else _pruned(bench, lane, answer)
    needs = () if answer is not None else bench.needs(lane, found.best)
    return LaneGap(lane, found.base_name, plain, singles, tuple(combined), software, everything, answer, needs)


def _smallest(
    bench: _Bench, lane: str, plain: Variant, possible: Sequence[Variant]
) -> tuple[Variant | None, list[Variant]]:
    """The smallest variant that keeps the budget, and the combinations tried on the way."""
    combined: list[Variant] = []
    for rank in range(len(EFFORTS)):
        new = [v for v in possible if v.changes[0].rank == rank]
        for single in new:
            if single.is_kept:
                return single, combined
        if not new:
            continue
        reach = [v for v in possible if v.changes[0].rank <= rank]
        for variant in _greedy(bench, lane, plain, reach):
            if variant not in combined:
                combined.append(variant)
            if variant.is_kept:
                return _pruned(bench, lane, variant), combined
    return None, combined


def _greedy(bench: _Bench, lane: str, plain: Variant, singles: Sequence[Variant]) -> list[Variant]:
    """Combinations: to the best so far the change that helps the most, as long as one does."""
    best = max(singles, key=lambda v: v.attainment)
    steps: list[Variant] = []
    if best.attainment <= plain.attainment:
        return steps
    while len(best.changes) < bench.question.steps and not best.is_kept:
        sorts = {change.sort for change in best.changes}
        wanted = [(*best.changes, *v.changes) for v in singles if v.changes[0].sort not in sorts]
        further = bench.variants(lane, wanted)
        tried = max(further, key=lambda v: v.attainment, default=best)
        if tried is best or tried.share is None:
            break
        steps.append(tried)
        if tried.attainment <= best.attainment:
            break
        best = tried
    return steps


def _pruned(bench: _Bench, lane: str, variant: Variant) -> Variant:
    """The variant without what it does not need: the largest effort is left out first."""
    while len(variant.changes) > 1:
        order = sorted(variant.changes, key=lambda change: -change.rank)
        fewer = [tuple(c for c in variant.changes if c is not left) for left in order]
        kept = [v for v in bench.variants(lane, fewer) if v.is_kept]
        if not kept:
            break
        variant = kept[0]
    return variant


def _together(bench: _Bench, lane: str, plain: Variant, singles: Sequence[Variant]) -> Variant | None:
    """The best change of each sort that helps beyond chance, all together; None if fewer than two help at all."""
    helping = [variant for variant in singles if variant.attainment > plain.attainment]
    best = _best_of_sorts([variant for variant in helping if variant.is_clear])
    if len(best) < 2:
        best = _best_of_sorts(helping)
    if len(best) < 2:
        return None
    (variant,) = bench.variants(lane, [tuple(v.changes[0] for v in best)])
    return None if variant.share is None else variant


def _best_of_sorts(singles: Sequence[Variant]) -> list[Variant]:
    best: dict[str, Variant] = {}
    for variant in singles:
        sort = variant.changes[0].sort
        if sort not in best or variant.attainment > best[sort].attainment:
            best[sort] = variant
    return list(best.values())
