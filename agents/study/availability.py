"""Turns in budget over weeks in which servers stop by chance: by what an incident costs, or by simulating it all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from subsecond.agents.plan_cache import PlanCache
from subsecond.engine.budgets import Budget
from subsecond.engine.catalog import Catalog, catalog
from subsecond.engine.core.config import MAX_PS, Pipeline
from subsecond.engine.core.engine import simulate
from subsecond.engine.core.execution import plan_execution
from subsecond.engine.drills.availability import (
    Availability,
    Baseline,
    Cost,
    Part,
    availability_of,
    breakdowns,
    cost_of,
)
from subsecond.engine.drills.course import Course, Fate, course_of, fates
from subsecond.engine.drills.reliability import parts_of_pipeline
from subsecond.engine.faults import Spell, changes, spells_of
from subsecond.engine.latency.pipelines import BuiltPipeline
from subsecond.engine.run import Plan
from subsecond.engine.scenario import FaultTable
from subsecond.engine.turns import turns_of

from .points import Base, Point, plan_point, side_by_side, steadied

__all__ = [
    "Counts",
    "LaneAvailability",
    "Question",
    "Reliability",
    "counts_of",
    "incident_costs",
    "long_run",
    "run_course",
]

PS_PER_S = 10**12
MINUTE_PS = 60 * PS_PER_S
WEEK_S = 7 * 86_400.0
#: Of a run that measures an incident: before it, and after its repair.
_BEFORE_S, _AFTER_S = 60.0, 600.0
#: A direct simulation goes by pieces of this length, so that its memory does not grow with the weeks.
_PIECE_S = 86_400.0
#: By how much an mtbf that nobody knows is varied.
FACTORS = (0.1, 10.0)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about the long run.

    Attributes:
        weeks: that incidents are counted in.
        mtbf_h, mttr_s: as of `reliability.parts_of_pipeline`.
        replicas: runs that an incident's cost is measured by, at least.
        direct: simulate the weeks as well, turn by turn.
    """

    weeks: float
    mtbf_h: Mapping[str, float]
    mttr_s: float
    replicas: int = 4
    direct: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """Turns of one kind in a time; `below_s` are the seconds of minutes below the budget's percentile."""

    met: int
    judged: int
    below_s: float
    span_s: float

    def plus(self, other: Counts) -> Counts:
        """Those of both times."""
        return Counts(
            self.met + other.met,
            self.judged + other.judged,
            self.below_s + other.below_s,
            self.span_s + other.span_s,
        )


@dataclass(frozen=True, slots=True)
class Reliability:
    """Turns of one kind on one lane in the long run.

    Attributes:
        costs: of an incident of each part.
        sensitivity: (pool, factor) -> the long run if its mtbf, which is not public, were that many times longer.
        direct: what the simulated weeks counted without failures and with them; None: not asked for.
    """

    kind: str
    budget: Budget
    baseline: Baseline
    costs: tuple[Cost, ...]
    result: Availability
    sensitivity: dict[tuple[str, float], Availability]
    direct: tuple[Counts, Counts] | None = None


@dataclass(frozen=True, slots=True)
class LaneAvailability:
    """One lane in the long run; `incidents` are those of the simulated weeks."""

    lane: str
    pipeline: BuiltPipeline
    parts: tuple[Part, ...]
    kinds: dict[str, Reliability]
    incidents: int | None = None
    seconds_down: float | None = None


_NOTHING = Counts(0, 0, 0.0, 0.0)


def counts_of(course: Course, kind: str, budget: Budget) -> Counts:
    """Count the turns of a kind.

    A minute is below where a smaller share of the turns that begin in it is in budget than the percentile asks for; one
    in which no turn is judged is as the one before.
    """
    fate = fates(course, [budget])
    own = course.of_kind(kind)
    met, judged = own & (fate == Fate.MET), own & ((fate == Fate.MET) | (fate == Fate.LATE) | (fate == Fate.FAILED))
    minutes = max(1, -(-(course.stop_ps - course.from_ps) // MINUTE_PS))

    def by_minute(pick: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.bincount((course.start_ps[pick] - course.from_ps) // MINUTE_PS, minlength=minutes)[:minutes]

    have, want = by_minute(met), by_minute(judged)
    below = 0
    was_below = False
    for some, every in zip(have.tolist(), want.tolist(), strict=True):
        was_below = 100 * some < budget.percentile * every if every else was_below
        below += was_below
    span_s = (course.stop_ps - course.from_ps) / PS_PER_S
    return Counts(int(met.sum()), int(judged.sum()), 60.0 * below, span_s)


def incident_costs(
    plans: Sequence[Plan],
    name: str,
    parts: Sequence[Part],
    begin_s: float,
    main: Mapping[str, Budget],
    compiled: bool | None = None,
) -> tuple[dict[str, Counts], dict[str, tuple[Cost, ...]]]:
    """What an incident of each part costs on one lane, and the turns without one, by agent kind.

    Args:
        plans: of the same scenario, one per run; run i takes down server i, counted round the pool.
    """
    calm = [_counts(run_course(plan, name, (), compiled), main) for plan in plans]
    costs: dict[str, list[Cost]] = {kind: [] for kind in main}
    for part in parts:
        struck = []
        for place, plan in enumerate(plans):
            spell = _down(part, place % part.servers, begin_s, begin_s + part.mttr_s)
            struck.append(_counts(run_course(plan, name, [spell], compiled), main))
        for kind in main:
            pairs = [(a[kind], b[kind]) for a, b in zip(calm, struck, strict=True)]
            costs[kind].append(
                cost_of(
                    [a.met - b.met for a, b in pairs],
                    [a.judged - b.judged for a, b in pairs],
                    [b.below_s - a.below_s for a, b in pairs],
                )
            )
    return {kind: _sum([own[kind] for own in calm]) for kind in main}, {k: tuple(v) for k, v in costs.items()}


def long_run(
    base: Base,
    asked: Question,
    main: Mapping[str, Budget],
    *,
    cache: PlanCache | None = None,
    facts: Catalog | None = None,
    threads: int | None = None,
) -> list[LaneAvailability]:
    """Every lane of a scenario in the long run.

    Args:
        main: by agent kind the budget that counts.

    Raises:
        InputError: the scenario's load cannot be constant, or something in it cannot be used.
    """
    kept, known = cache or PlanCache(), facts or catalog()
    first = plan_point(base, Point(), kept)
    parts = {
        name: parts_of_pipeline(name, built, known, asked.mtbf_h, asked.mttr_s)
        for name, built in first.pipelines.items()
    }
    most = max(part.servers for own in parts.values() for part in own)
    runs = max(asked.replicas, min(most, 16))
    begin_s = (base.scenario.warm_up_s or 120.0) + _BEFORE_S
    stage = steadied(base, duration_s=begin_s + asked.mttr_s + _AFTER_S)
    begin_s = stage.scenario.warm_up_s + _BEFORE_S
    seeds = range(first.scenario.seed, first.scenario.seed + runs)
    plans = [plan_point(stage, Point((), seed), kept) for seed in seeds]
    measured = side_by_side(
        lambda name: incident_costs(plans, name, parts[name], begin_s, main), list(first.pipelines), threads
    )
    found = []
    for (name, built), (calm, costs) in zip(first.pipelines.items(), measured, strict=True):
        kinds = {
            kind: _reliability(kind, main[kind], calm[kind], parts[name], costs[kind], asked)
            for kind in main
            if calm[kind].judged
        }
        found.append(LaneAvailability(name, built, parts[name], kinds))
    if asked.direct:
        found = list(side_by_side(lambda lane: _directly(base, asked, lane, main), found, threads))
    return found


def _reliability(
    kind: str, budget: Budget, calm: Counts, parts: Sequence[Part], costs: Sequence[Cost], asked: Question
) -> Reliability:
    baseline = Baseline(calm.met / calm.span_s, calm.judged / calm.span_s, calm.below_s / calm.span_s)
    span_s, felt_s = asked.weeks * WEEK_S, asked.mttr_s + _AFTER_S
    pairs = list(zip(parts, costs, strict=True))
    sensitivity = {}
    for place, (part, cost) in enumerate(pairs):
        if part.provenance != "not public":
            continue
        for factor in FACTORS:
            varied = [*pairs[:place], (replace(part, mtbf_h=factor * part.mtbf_h), cost), *pairs[place + 1 :]]
            sensitivity[part.pool, factor] = availability_of(baseline, varied, span_s, felt_s)
    result = availability_of(baseline, pairs, span_s, felt_s)
    return Reliability(kind, budget, baseline, tuple(costs), result, sensitivity)


def _directly(base: Base, asked: Question, lane: LaneAvailability, main: Mapping[str, Budget]) -> LaneAvailability:
    """The weeks simulated piece by piece; what is broken at the end of a piece is broken at the start of the next."""
    span_s, seed = asked.weeks * WEEK_S, base.scenario.seed
    downs = [
        (part, server, begin, end)
        for part in lane.parts
        for server in range(part.servers)
        for begin, end in breakdowns(part, server, span_s, seed)
    ]
    pieces = max(1, round(span_s / _PIECE_S))
    length = span_s / pieces
    totals: dict[str, tuple[Counts, Counts]] = {}
    for piece in range(pieces):
        stage = steadied(base)
        warm = stage.scenario.warm_up_s
        stage = steadied(base, duration_s=warm + length)
        start = piece * length
        spells = [
            _down(part, server, max(0.0, begin - start + warm), min(end - start, length) + warm)
            for part, server, begin, end in downs
            if begin < start + length and end > start - warm
        ]
        # sessions of a piece must be none of another's, nor of a run that measures an incident
        plan = plan_point(stage, Point((), seed + 1_000 + piece))
        calm = _counts(run_course(plan, lane.lane, (), None), main)
        struck = _counts(run_course(plan, lane.lane, spells, None), main) if spells else calm
        for kind in main:
            before = totals.get(kind, (_NOTHING, _NOTHING))
            totals[kind] = before[0].plus(calm[kind]), before[1].plus(struck[kind])
    kinds = {kind: replace(own, direct=totals[kind]) for kind, own in lane.kinds.items()}
    down_s = float(sum(min(end, span_s) - begin for _, _, begin, end in downs))
    return replace(lane, kinds=kinds, incidents=len(downs), seconds_down=down_s)


def _down(part: Part, server: int, begin_s: float, end_s: float) -> FaultTable:
    return FaultTable(part.fault, begin_s, max(end_s - begin_s, 1e-6), None, server)


def run_course(plan: Plan, name: str, faults: Sequence[FaultTable], compiled: bool | None) -> Course:
    """The turns of one lane with some faults.

    Raises:
        InputError: a fault that the lane cannot have.
    """
    core: Pipeline = plan.pipelines[name].core
    spells: list[Spell] = spells_of(faults, {name: core}, plan.scenario.where)[name] if faults else []
    scenario, work = plan.scenario, plan.workload
    stop = None if scenario.duration_s is None else round(scenario.duration_s * PS_PER_S)
    results = simulate(
        core,
        work,
        changes(spells),
        seed=scenario.seed,
        compiled=plan_execution(work.num_requests, compiled).compiled,
        until_ps=MAX_PS if stop is None else stop,
    )
    return course_of(turns_of(work, results, stop, plan.from_ps))


def _counts(course: Course, main: Mapping[str, Budget]) -> dict[str, Counts]:
    return {kind: counts_of(course, kind, budget) for kind, budget in main.items()}


def _sum(counts: Sequence[Counts]) -> Counts:
    total = counts[0]
    for one in counts[1:]:
        total = total.plus(one)
    return total
