"""What pipelines cost at loads, and the prices at which one beats another: the runs that it takes to say so."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from subsecond.agents.plan_cache import PlanCache
from subsecond.agents.study.points import Base, Point, lane_turns, plan_point, side_by_side, steadied
from subsecond.engine.catalog import Catalog, Value, catalog
from subsecond.engine.economics.ownership import Ownership, ownership_of
from subsecond.engine.economics.priced import Basis, PricedLane
from subsecond.engine.economics.rates import WAYS, hourly_cost
from subsecond.engine.economics.services import Service, services_for
from subsecond.engine.economics.sharing import pool_times, shares_of
from subsecond.engine.errors import InputError
from subsecond.engine.latency.pipelines import BuiltPipeline
from subsecond.engine.outcome import lane_outcome, merged
from subsecond.engine.run import Plan
from subsecond.engine.scenario import Scenario

__all__ = ["LOADS", "MOST_SESSIONS", "RUNS", "LoadPoint", "PriceStudy", "Prices", "Runs", "facts_of", "price_study"]

#: Loads of the curve, in sessions over those of the scenario.
LOADS = (0.25, 0.5, 1.0, 2.0, 4.0)
#: Runs of each load, so that it shows how far one alone can be trusted.
RUNS = 3
#: Most sessions of all agents together.
MOST_SESSIONS = 100_000


@dataclass(frozen=True, slots=True)
class Prices:
    """How machines are paid for.

    Attributes:
        way: of hire.
        own: device -> the user's own price of a device-hour.
    """

    way: str = WAYS[0]
    own: Mapping[str, Value] | None = None


@dataclass(frozen=True, slots=True)
class LoadPoint:
    """Every pipeline at one load.

    Attributes:
        factor: sessions over those of the scenario.
        sessions: at once, by agent kind.
        lanes: as the scenario has them.
    """

    factor: float
    sessions: dict[str, int]
    lanes: dict[str, PricedLane]


class Runs:
    """Runs single pipelines of a scenario at loads and sizes; what was run once is not run again.

    Args:
        runs: with as many seeds, counted from the scenario's.

    Raises:
        InputError: the scenario cannot be run.
    """

    def __init__(self, base: Base, prices: Prices, runs: int = RUNS) -> None:
        self.base, self.prices = base, prices
        scenario = base.scenario
        self.scenario, self.facts = scenario, facts_of(scenario)
        self._seeds = [scenario.seed + number for number in range(runs)]
        self._cache = PlanCache()
        self._done: dict[tuple[float, str, tuple[tuple[str, int], ...]], PricedLane] = {}

    @property
    def count(self) -> int:
        """Runs that are counted together."""
        return len(self._seeds)

    @cached_property
    def plan(self) -> Plan:
        """The scenario's plan as it is."""
        return plan_point(self.base, Point(), self._cache)

    @property
    def pipelines(self) -> dict[str, BuiltPipeline]:
        """The pipelines as the scenario has them."""
        return self.plan.pipelines

    def sessions(self, factor: float) -> dict[str, int]:
        """Sessions by agent kind at a load."""
        found: dict[str, int] = {}
        for agents in self.scenario.agents:
            found[agents.kind] = found.get(agents.kind, 0) + _scaled(agents.sessions, factor)
        return found

    def lane(self, factor: float, name: str, sizes: Mapping[str, int] | None = None) -> PricedLane:
        """One pipeline at a load.

        Args:
            sizes: parameter -> replicas, instead of those of the scenario.

        Raises:
            InputError: it cannot be built, or the load is none.
        """
        key = (factor, name, tuple((sizes or {}).items()))
        if key not in self._done:
            self._done[key] = self._run(self._changed(factor, name, sizes or {}), name)
        return self._done[key]

    def _changed(self, factor: float, name: str, sizes: Mapping[str, int]) -> Base:
        tables = copy.deepcopy(self.base.tables)
        tables["pipelines"][name] = {**tables["pipelines"][name], **sizes}
        for agents in tables.get("agents", []):
            agents["sessions"] = _scaled(agents["sessions"], factor)
            if agents.get("arrival_rate_per_s") is not None:
                agents["arrival_rate_per_s"] *= factor
        return replace(self.base, tables=tables)

    def _run(self, base: Base, name: str) -> PricedLane:
        outcomes, times = [], []
        for seed in self._seeds:
            plan = plan_point(base, Point(seed=seed), self._cache)
            turns = lane_turns(plan, name)
            outcomes.append(lane_outcome(name, plan.pipelines[name], turns, plan.budgets))
            times.append(pool_times(turns, [use.pool for use in outcomes[-1].pools]))
        cost = hourly_cost(plan.pipelines[name], self.facts, way=self.prices.way, own=self.prices.own)
        cost = replace(cost, pipeline=name)
        each = tuple(PricedLane(name, cost, o, shares_of([t])) for o, t in zip(outcomes, times, strict=True))
        return each[0] if len(each) == 1 else PricedLane(name, cost, merged(outcomes), shares_of(times), each)


@dataclass(frozen=True, slots=True)
class PriceStudy:
    """Everything that `subsecond price` says.

    Attributes:
        against: the pipeline that the others are held against.
        basis: which turns are in time, for the curve.
        here: the point at the scenario's own load.
        services: published prices by the token, for the model and the work of the pipeline `mix`.
        owned: estimates of owning by device, of what has no public price.
    """

    runs: Runs
    against: str
    basis: Basis
    points: tuple[LoadPoint, ...]
    services: tuple[Service, ...]
    mix: str
    owned: dict[str, Ownership]

    @property
    def here(self) -> LoadPoint:
        return next(point for point in self.points if point.factor == 1.0)

    @property
    def bases(self) -> list[Basis]:
        """Every budget by itself, and all of them together."""
        own = [Basis(budget.agents, budget.name) for budget in self.runs.plan.budgets]
        return own if len(own) == 1 else [*own, Basis()]

    @property
    def others(self) -> list[str]:
        """The pipelines that are held against `against`."""
        return [name for name in self.runs.pipelines if name != self.against]


def price_study(
    base: Base,
    prices: Prices,
    *,
    against: str | None = None,
    budget: str | None = None,
    loads: Sequence[float] | None = None,
    runs: int = RUNS,
    duration_s: float | None = None,
    warm_up_s: float | None = None,
) -> PriceStudy:
    """Price a scenario's pipelines at its load and at others.

    Agents are kept at work all the time (`steady`), so that a load is one; those that arrive at a rate do so oftener.

    Args:
        against: the pipeline to compare with; None: `gpu`, or the first whose price is known.
        budget: that makes a turn one in time; None: the first that some pipeline keeps at the scenario's load, or the
            one that comes nearest to its percentile.
        loads: sessions over those of the scenario; its own is always among them.
        runs: with different seeds, counted together.
        duration_s, warm_up_s: of each run, where sessions are kept at work; None: as `steadied` has it.

    Raises:
        InputError: an option or the scenario cannot be used.
    """
    scenario = base.scenario
    if scenario.agents and all(agents.arrival_rate_per_s is None for agents in scenario.agents):
        base = steadied(base, duration_s=duration_s, warm_up_s=warm_up_s)
    elif duration_s is not None or warm_up_s is not None:
        given = duration_s if duration_s is not None else warm_up_s
        raise InputError("--duration, --warm-up", "", given, "agents that can be kept at work: no trace, no rate")
    bench = Runs(base, prices, runs)
    factors = _loads(scenario, loads)
    places = [(factor, name) for factor in factors for name in bench.pipelines]
    lanes = dict(zip(places, side_by_side(lambda place: bench.lane(*place), places), strict=True))
    points = tuple(
        LoadPoint(factor, bench.sessions(factor), {name: lanes[factor, name] for name in bench.pipelines})
        for factor in factors
    )
    here = points[factors.index(1.0)]
    chosen = _against(bench, here, against)
    mix = next((name for name in bench.pipelines if name != chosen), chosen)
    services = services_for(bench.pipelines[mix].model, bench.facts)
    unpriced = dict.fromkeys(
        part.rate.device for lane in here.lanes.values() for part in lane.cost.parts if not part.rate.is_published
    )
    owned = {device: ownership_of(device, bench.facts) for device in unpriced}
    known = {device: found for device, found in owned.items() if found is not None}
    return PriceStudy(bench, chosen, _basis(bench, here, budget), points, services, mix, known)


def facts_of(scenario: Scenario) -> Catalog:
    """The catalog with the scenario's changes."""
    return Catalog(scenario.catalog, scenario.where) if scenario.catalog else catalog()


def _loads(scenario: Scenario, loads: Sequence[float] | None) -> list[float]:
    if not scenario.agents:
        if loads is not None:
            raise InputError("--loads", "", ",".join(f"{load:g}" for load in loads), "a scenario with agents to scale")
        return [1.0]
    total = sum(agents.sessions for agents in scenario.agents)
    for load in loads or ():
        if not (math.isfinite(load) and load > 0 and round(total * load) <= MOST_SESSIONS):
            expected = f"numbers above 0, up to {MOST_SESSIONS:,} sessions (the scenario has {total:,})"
            raise InputError("--loads", "", load, expected)
    return sorted({1.0, *(LOADS if loads is None else loads)})


def _scaled(sessions: int, factor: float) -> int:
    return max(1, round(sessions * factor)) if sessions else 0


def _against(bench: Runs, here: LoadPoint, wanted: str | None) -> str:
    names = list(bench.pipelines)
    if wanted is not None:
        if wanted not in names:
            raise InputError("--against", "", wanted, "one of " + ", ".join(names))
        return wanted
    known = [name for name in names if not here.lanes[name].cost.unknown]
    return next(name for name in ("gpu", *known, *names) if name in names)


def _basis(bench: Runs, here: LoadPoint, wanted: str | None) -> Basis:
    budgets = bench.plan.budgets
    if wanted is not None:
        found = next((budget for budget in budgets if budget.name == wanted), None)
        if found is None:
            raise InputError("--budget", "", wanted, "one of " + ", ".join(budget.name for budget in budgets))
        return Basis(found.agents, found.name)
    if not budgets:
        return Basis()

    def nearness(basis: Basis) -> float:
        counts = [count for lane in here.lanes.values() for count in lane.budgets(basis)]
        return min(1.0, max(((c.attainment or 0.0) * 100 / c.budget.percentile for c in counts), default=0.0))

    return max((Basis(budget.agents, budget.name) for budget in budgets), key=nearness)
