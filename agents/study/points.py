"""Points of a study: a scenario with some settings, run, and counted.

Everything that a study varies is a setting (`engine.scenario.apply_settings`), so that each of its points can be run
again by itself: `subsecond run SCENARIO --set ...`.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from subsecond.agents.plan import plan_run
from subsecond.agents.plan_cache import PlanCache
from subsecond.engine.core.engine import simulate
from subsecond.engine.core.execution import plan_execution
from subsecond.engine.errors import InputError
from subsecond.engine.outcome import LaneOutcome, lane_outcome
from subsecond.engine.run import Plan
from subsecond.engine.scenario import Scenario, apply_settings, load_tables, parse_scenario, setting
from subsecond.engine.turns import Turns, turns_of

__all__ = ["Base", "Point", "lane_turns", "load_base", "plan_point", "run_point", "side_by_side", "steadied"]

PS_PER_S = 10**12
#: What a steady run lasts and warms up for, unless a scenario or setting says otherwise: long enough that a kind of
#: agents with a turn every ten seconds has some fifty of each session.
STEADY_S, WARM_UP_S = 600.0, 120.0

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Base:
    """What all points of a study have in common: a scenario's tables, and the file that they stand in."""

    tables: dict[str, Any]
    path: Path

    @property
    def scenario(self) -> Scenario:
        """The scenario by itself.

        Raises:
            InputError: it is faulty.
        """
        return parse_scenario(copy.deepcopy(self.tables), self.path)

    def changed(self, settings: Iterable[str]) -> Base:
        """The same with other settings.

        Raises:
            InputError: a setting that leads nowhere.
        """
        tables = copy.deepcopy(self.tables)
        apply_settings(tables, settings)
        return replace(self, tables=tables)


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a study.

    Attributes:
        settings: as `--set` takes them, over those of the base.
        seed: of every random draw; None: the scenario's.
    """

    settings: tuple[str, ...] = ()
    seed: int | None = None


def load_base(
    scenario: str,
    *,
    settings: Sequence[str] = (),
    pipelines: Sequence[str] | None = None,
    model: str | None = None,
    seed: int | None = None,
) -> Base:
    """A scenario to vary.

    Args:
        scenario: name of one that ships, or a file.
        pipelines: to run instead of the scenario's; those that it has keep their values.

    Raises:
        InputError: no such scenario, or something in it or in a setting cannot be used.
    """
    tables, path = load_tables(scenario)
    if pipelines is not None:
        known = tables.get("pipelines", {})
        tables["pipelines"] = {name: known.get(name, {}) for name in pipelines}
    if model is not None:
        tables["model"] = model
    if seed is not None:
        tables["seed"] = seed
    apply_settings(tables, settings)
    base = Base(tables, path)
    _ = base.scenario
    return base


def steadied(base: Base, *, duration_s: float | None = None, warm_up_s: float | None = None) -> Base:
    """The base with all its agents at work all the time (`steady`), for questions about sessions at once.

    Args:
        duration_s, warm_up_s: None: the scenario's own where it is steady already, else `STEADY_S` and `WARM_UP_S`.

    Raises:
        InputError: it has no agents, or they arrive at a rate.
    """
    scenario = base.scenario
    if not scenario.agents:
        raise InputError(scenario.where, "agents", "nothing", "agents: sessions of a trace cannot be kept at work")
    is_steady = all(agents.steady for agents in scenario.agents)
    wanted = {
        "duration_s": (scenario.duration_s if is_steady else None) or STEADY_S if duration_s is None else duration_s,
        "warm_up_s": (scenario.warm_up_s if is_steady else WARM_UP_S) if warm_up_s is None else warm_up_s,
    }
    settings = [f"agents.{place}.steady=true" for place in range(len(scenario.agents))]
    settings += [f"{key}={setting(float(value))}" for key, value in wanted.items()]
    steady = base.changed(settings)
    _ = steady.scenario
    return steady


def plan_point(base: Base, point: Point, cache: PlanCache | None = None) -> Plan:
    """The plan of a point.

    Raises:
        InputError: a setting, or what it leads to, cannot be used.
    """
    tables = copy.deepcopy(base.tables)
    if point.seed is not None:
        tables["seed"] = point.seed
    apply_settings(tables, point.settings)
    return plan_run(parse_scenario(tables, base.path), cache=cache)


def lane_turns(
    plan: Plan, name: str, *, compiled: bool | None = None, pulse: Callable[[], None] | None = None
) -> Turns:
    """Turns of one pipeline of a plan, run in virtual time.

    Args:
        pulse: called now and then; what it raises ends the run.
    """
    scenario = plan.scenario
    stop = None if scenario.duration_s is None else round(scenario.duration_s * PS_PER_S)
    results = simulate(
        plan.pipelines[name].core,
        plan.workload,
        plan.faults[name],
        seed=scenario.seed,
        compiled=plan_execution(plan.workload.num_requests, compiled).compiled,
        until_ps=stop,
        pulse=pulse,
    )
    return turns_of(plan.workload, results, stop, plan.from_ps)


def run_point(
    base: Base,
    point: Point = Point(),
    *,
    cache: PlanCache | None = None,
    compiled: bool | None = None,
    digest: bool = False,
) -> list[LaneOutcome]:
    """Run a point: the outcome of each of its pipelines, in their order.

    Args:
        cache: of sessions and pipelines that points have in common.
        digest: whether outcomes hold the digest of the results.

    Raises:
        InputError: a setting, or what it leads to, cannot be used.
    """
    plan = plan_point(base, point, cache)
    return [
        lane_outcome(name, built, lane_turns(plan, name, compiled=compiled), plan.budgets, digest=digest)
        for name, built in plan.pipelines.items()
    ]


def side_by_side(work: Callable[[A], B], items: Sequence[A], threads: int | None = None) -> Iterator[B]:
    """Results of some work on each item, in the order of the items; a failure or Ctrl-C stops what has not begun.

    The compiled core lets go of the interpreter, so that threads run points at the same time.

    Args:
        threads: None: one for every processor.
    """
    count = min(threads or os.cpu_count() or 1, len(items))
    if count <= 1:
        yield from map(work, items)
        return
    pool = ThreadPoolExecutor(count)
    try:
        yield from pool.map(work, items)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
