"""Drills: a scenario without a fault and with it, on the same sessions with the same draws.

Both runs are closed loops of one workload. The load is constant by default (`steadied`), so that what changes is the
fault's doing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from subsecond.agents.plan_cache import PlanCache
from subsecond.engine.budgets import Budget
from subsecond.engine.core.config import MAX_PS, Pipeline
from subsecond.engine.core.engine import Engine
from subsecond.engine.core.execution import plan_execution
from subsecond.engine.drills.catalog import Drill, Step, own_drill
from subsecond.engine.drills.course import Course, course_of
from subsecond.engine.drills.outcome import DrillOutcome, Pair, lane_outcome
from subsecond.engine.drills.silence import longest_silence_ps
from subsecond.engine.drills.striking import Strike, strike
from subsecond.engine.drills.work import rework_of
from subsecond.engine.errors import InputError
from subsecond.engine.faults import Spell, changes, spells_of
from subsecond.engine.run import Plan
from subsecond.engine.scenario import MAX_DURATION_S
from subsecond.engine.turns import Turns, turns_of

from .points import Base, Point, plan_point, side_by_side, steadied

__all__ = ["AFTER_S", "BEFORE_S", "Stage", "drill_of_scenario", "pairs_of", "run_drills", "set_stage"]

PS_PER_S = 10**12
#: How long a run goes on before a drill and after it, unless somebody says otherwise: as before is known from the
#: first, and the herd of a lost decode group is served within the second.
BEFORE_S, AFTER_S = 180.0, 600.0
#: Turns up to which a run keeps what the silences between tokens are known from; beyond, only first tokens count.
_JOURNAL_REQUESTS = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Where drills are held.

    Attributes:
        base: the scenario, with its own faults only where those are no drill.
        is_steady: whether the load is constant.
        begin_s: when drills begin that do not say so themselves.
    """

    base: Base
    is_steady: bool
    begin_s: float

    def begin_of(self, drill: Drill) -> float:
        """When a drill begins."""
        return self.begin_s if drill.begin_s is None else drill.begin_s


def drill_of_scenario(base: Base) -> tuple[Base, Drill | None]:
    """The scenario without its own faults, and these as a drill; None: it has none."""
    scenario = base.scenario
    if not scenario.faults:
        return base, None
    steps = [Step(f.kind, f.kind, f.pipeline, f.at_s, f.duration_s, f.value, f.target, "all") for f in scenario.faults]
    title = f"The faults of {scenario.name}"
    tables = {key: table for key, table in base.tables.items() if key != "faults"}
    return replace(base, tables=tables), own_drill(title, steps, scenario.name, f"the scenario {scenario.name}")


def set_stage(base: Base, drills: Sequence[Drill], *, keeps_length: bool = False, steady: bool = True) -> Stage:
    """A stage long enough for all of some drills, with a constant load if the scenario can have one.

    Args:
        keeps_length: the run lasts as long as the scenario says.
        steady: False: sessions start and end as the scenario says.

    Raises:
        InputError: a drill cannot be held, or begins after the end.
    """
    scenario = base.scenario
    can_be = bool(scenario.agents) and all(a.arrival_rate_per_s is None for a in scenario.agents)
    is_set = bool(scenario.agents) and all(a.steady for a in scenario.agents)
    if steady and can_be and not is_set:
        length = scenario.duration_s if keeps_length else None
        base = steadied(base, duration_s=length)
    warm_up_s = base.scenario.warm_up_s
    begin_s = warm_up_s + BEFORE_S
    cores = {name: built.core for name, built in plan_point(base, Point()).pipelines.items()}
    begins = [begin_s if drill.begin_s is None else drill.begin_s for drill in drills]
    ends = [_end_s(drill, begin, cores) for drill, begin in zip(drills, begins, strict=True)]
    if not (keeps_length or is_set or base.scenario.duration_s is None):
        length = max([base.scenario.duration_s, *(end + AFTER_S for end in ends)])
        base = base.changed([f"duration_s={min(60.0 * math.ceil(length / 60.0), MAX_DURATION_S):g}"])
    length = base.scenario.duration_s or MAX_DURATION_S
    for drill, begin in zip(drills, begins, strict=True):
        if not warm_up_s <= begin < length:
            expected = f"a drill that begins between warm_up_s = {warm_up_s:g} and duration_s = {length:g}"
            raise InputError(base.scenario.where, drill.name, f"{begin:g} s", expected)
    return Stage(base, can_be and (steady or is_set), begin_s)


def _end_s(drill: Drill, begin_s: float, cores: Mapping[str, Pipeline]) -> float:
    strikes = strike(drill, cores, begin_s, drill.name)
    ends = [end for found in strikes.values() for end in (found.end_ps, found.last_begin_ps) if end is not None]
    return max(ends, default=0) / PS_PER_S


def run_drills(
    stage: Stage,
    drills: Sequence[Drill],
    seeds: Sequence[int],
    main: Mapping[str, Budget] | None = None,
    *,
    cache: PlanCache | None = None,
    threads: int | None = None,
    compiled: bool | None = None,
) -> list[DrillOutcome]:
    """Hold drills, each by itself, in one run per seed.

    Args:
        seeds: at least one; a trace is the same whatever the seed.
        main: by agent kind the budget that counts; None: the first one of each.

    Raises:
        InputError: a drill that cannot be, or that begins when all is over.
    """
    kept = cache or PlanCache()
    plans = [plan_point(stage.base, Point((), seed), kept) for seed in seeds]
    first = plans[0]
    cores = {name: built.core for name, built in first.pipelines.items()}
    strikes = [strike(drill, cores, stage.begin_of(drill), drill.name) for drill in drills]
    jobs = [(plan, name) for plan in plans for name in plan.pipelines]
    done = side_by_side(lambda job: pairs_of(*job, [found[job[1]] for found in strikes], compiled), jobs, threads)
    pairs = dict(zip(((id(plan), name) for plan, name in jobs), done, strict=True))
    counts = main or _first_budgets(first.budgets)
    stop_s = max((p.without.stop_ps for found in pairs.values() for p in found if p), default=0) / PS_PER_S
    outcomes = []
    _check_begins(stage, drills, [p.without for found in pairs.values() for p in found if p])
    for place, (drill, found) in enumerate(zip(drills, strikes, strict=True)):
        lanes = []
        for name, built in first.pipelines.items():
            own = [pair for plan in plans if (pair := pairs[id(plan), name][place]) is not None]
            lanes.append(lane_outcome(name, built, found[name], own, first.budgets, counts))
        begin = stage.begin_of(drill)
        outcomes.append(
            DrillOutcome(drill, tuple(seeds), begin, first.scenario.warm_up_s, stop_s, tuple(lanes)),
        )
    return outcomes


def _check_begins(stage: Stage, drills: Sequence[Drill], courses: Sequence[Course]) -> None:
    """Nobody says how long a run lasts that ends with its workload."""
    over = max((int((c.start_ps + c.latency_ps)[c.counted].max(initial=0)) for c in courses), default=0) / PS_PER_S
    for drill in drills:
        begin = stage.begin_of(drill)
        if courses and begin >= over:
            expected = f"a drill that begins before all is over, at {over:,.0f} s"
            raise InputError(stage.base.scenario.where, drill.name, f"{begin:g} s", expected)


def _first_budgets(budgets: Sequence[Budget]) -> dict[str, Budget]:
    return {budget.agents: budget for budget in reversed(budgets)}


def pairs_of(plan: Plan, name: str, strikes: Sequence[Strike], compiled: bool | None = None) -> list[Pair | None]:
    """One lane of one run: a pair for each drill, None for one that leaves it alone."""
    if not any(found.spells for found in strikes):
        return [None for _ in strikes]
    cores = {lane: built.core for lane, built in plan.pipelines.items()}
    background = spells_of(plan.scenario.faults, cores, plan.scenario.where)[name]
    without = _run(plan, name, background, compiled)
    return [_pair(plan, name, without, [*background, *s.spells], compiled) if s.spells else None for s in strikes]


def _pair(plan: Plan, name: str, without: tuple[Engine, Turns], spells: Sequence[Spell], compiled: bool | None) -> Pair:
    with_fault = _run(plan, name, spells, compiled)
    ends = [spell.begin_ps for spell in spells]
    stop = max(without[1].stop_ps, with_fault[1].stop_ps, *ends)
    sides = [(engine, replace(turns, stop_ps=stop)) for engine, turns in (without, with_fault)]
    courses = [course_of(turns) for _, turns in sides]
    silences = {}
    for number, kind in enumerate(plan.workload.kinds):
        pair = [_silence(engine, turns, number) for engine, turns in sides]
        silences[kind] = (pair[0], pair[1])
    under_way = without[0].computed_under_way(), with_fault[0].computed_under_way()
    rework = rework_of(plan.pipelines[name].core, without[1], with_fault[1], under_way)
    return Pair(courses[0], courses[1], rework, silences)


def _run(plan: Plan, name: str, spells: Sequence[Spell], compiled: bool | None) -> tuple[Engine, Turns]:
    scenario, work = plan.scenario, plan.workload
    stop = None if scenario.duration_s is None else round(scenario.duration_s * PS_PER_S)
    engine = Engine(
        plan.pipelines[name].core,
        work,
        changes(spells),
        seed=scenario.seed,
        compiled=plan_execution(work.num_requests, compiled).compiled,
        keep_journal=work.num_requests <= _JOURNAL_REQUESTS,
    )
    engine.run_until(MAX_PS if stop is None else stop)
    return engine, turns_of(work, engine.results(), stop, plan.from_ps)


def _silence(engine: Engine, turns: Turns, kind: int) -> int:
    counted = turns.counted & (turns.kind == kind)
    return longest_silence_ps(engine, counted[turns.workload.turn], turns.stop_ps)
