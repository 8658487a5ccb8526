"""How much a pipeline carries while a budget holds: sessions at work at once, or sessions that arrive a second.

Each load is run several times with other sessions (replicas); all loads and all pipelines get the same ones: more
places leave what happens in the first ones as it is. `search` chooses the loads; this module runs them.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import overload

from subsecond.agents.plan_cache import PlanCache
from subsecond.engine.budgets import Budget
from subsecond.engine.errors import InputError
from subsecond.engine.outcome import LaneOutcome, lane_outcome, merged
from subsecond.engine.scenario import setting

from .attainment import attainment_or_refusal, runs_for
from .choice import Choice, choose
from .points import Base, Point, lane_turns, plan_point, steadied
from .search import Asking, Boundary, Trial, search
from .single import single_out

__all__ = ["OTHERS", "Capacity", "CapacityStudy", "Question", "capacity_study", "kinds_of"]

#: A load of 1 where sessions arrive: per second.
RATE_STEP_PER_S = 0.001
#: How long sessions that arrive fill the pipeline before turns count, and how long they count then: a coding session
#: takes 40 minutes on average, a call five and a half.
RATE_WARM_UP_S = {"coding": 4800.0, "voice": 900.0}
#: Sessions that a draw by rate is never short of.
_ENDLESS = 10_000_000
OTHERS = ("held", "scaled", "none")

#: Called with the runs done so far.
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of every pipeline.

    Attributes:
        kind: agents whose number is searched for.
        by_rate: arrivals per second instead of sessions at work at once.
        others: the other agents of the scenario: `held` as they are, `scaled` in proportion, `none`.
        replicas: runs of each load, at least.
        confidence: of intervals.
        most: the largest load, in sessions or arrivals per second.
        precision: see `search`.
        duration_s, warm_up_s: of each run; None: chosen by the kind.
    """

    kind: str | None = None
    budget: str | None = None
    percentile: float | None = None
    by_rate: bool = False
    others: str = "held"
    replicas: int = 8
    confidence: float = 0.95
    most: float = 4096
    precision: float = 0.01
    duration_s: float | None = None
    warm_up_s: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.replicas <= 1000:
            raise InputError("--replicas", "", self.replicas, "a whole number from 1 to 1000")
        if not 0.5 <= self.confidence < 1:
            raise InputError("--confidence", "", self.confidence, "a number from 0.5 to below 1")
        if not 0 <= self.precision <= 0.5:
            raise InputError("--precision", "", self.precision, "a share from 0 to 0.5")
        least, most = (RATE_STEP_PER_S, 1000.0) if self.by_rate else (1, 1_000_000)
        if not least <= self.most <= most:
            raise InputError("--max", "", self.most, f"a number from {least:g} to {most:g}")
        if self.others not in OTHERS:
            raise InputError("--others", "", self.others, "one of " + ", ".join(OTHERS))

    @property
    def most_load(self) -> int:
        return max(1, round(self.most / RATE_STEP_PER_S) if self.by_rate else int(self.most))


@dataclass(frozen=True, slots=True, eq=False)
class Capacity:
    """What one pipeline carries.

    Attributes:
        outcomes: of the loads tried, all runs of a load together.
        runs, turns: what the search cost; turns of this pipeline alone.
    """

    lane: str
    boundary: Boundary
    outcomes: Mapping[int, LaneOutcome]
    runs: int
    turns: int

    @property
    def at_capacity(self) -> LaneOutcome:
        """The outcome at the largest load that keeps the budget; where none does, at the smallest."""
        return self.outcomes[self.boundary.load or min(self.outcomes)]


@dataclass(frozen=True, slots=True, eq=False)
class CapacityStudy:
    """The answer for every pipeline of a scenario. `beside`: other kinds at work, and how many of each."""

    question: Question
    base: Base
    budget: Budget
    beside: Mapping[str, int]
    lanes: tuple[Capacity, ...]

    @overload
    def amount(self, load: int) -> float: ...
    @overload
    def amount(self, load: None) -> None: ...
    @overload
    def amount(self, load: int | None) -> float | None: ...
    def amount(self, load: int | None) -> float | None:
        """A load in sessions, or arrivals per second."""
        return load if load is None or not self.question.by_rate else round(load * RATE_STEP_PER_S, 9)

    @property
    def most(self) -> int:
        """The largest load that is asked about."""
        return self.question.most_load


def capacity_study(
    base: Base, question: Question, *, threads: int | None = None, progress: Progress | None = None
) -> CapacityStudy:
    """Search the capacity of every pipeline of a base.

    Args:
        threads: runs side by side; None: one for every processor. The result does not depend on it.

    Raises:
        InputError: something in the scenario or the question cannot be used.
    """
    cache = PlanCache()
    choice = choose(base, kind=question.kind, budget=question.budget, percentile=question.percentile, cache=cache)
    field = _Field.of(choice, question)
    names = list(field.base.scenario.pipelines)
    lanes = _run_searches({name: _Lane(name, field, cache) for name in names}, threads, progress)
    return CapacityStudy(question, field.base, choice.budget, field.beside, tuple(lanes))


def kinds_of(base: Base) -> list[str]:
    """Kinds of the scenario's agents, whose number can be searched for.

    Raises:
        InputError: it has none.
    """
    scenario = base.scenario
    if not scenario.agents:
        raise InputError(scenario.where, "agents", "nothing", "agents: a trace has the sessions that it has")
    return list(dict.fromkeys(table.kind for table in scenario.agents))


@dataclass(frozen=True, slots=True, eq=False)
class _Field:
    """The scenario made ready, and what a load is in it.

    Attributes:
        place: of the agents' table whose number is searched for.
        counted_s: how long turns count in a run.
    """

    base: Base
    question: Question
    budget: Budget
    target: float
    place: int
    beside: dict[str, int]
    counted_s: float

    @staticmethod
    def of(choice: Choice, question: Question) -> _Field:
        if question.by_rate and question.others == "scaled":
            raise InputError("--others", "", "scaled", "held or none, where sessions arrive at a rate")
        base, place = single_out(choice.base, choice.kind, alone=question.others == "none")
        if question.by_rate:
            base = _arriving(base, place, question)
        else:
            base = steadied(base, duration_s=question.duration_s, warm_up_s=question.warm_up_s)
        scenario = base.scenario
        beside: dict[str, int] = {}
        for i, table in enumerate(scenario.agents):
            if i != place:
                beside[table.kind] = beside.get(table.kind, 0) + table.sessions
        assert scenario.duration_s is not None  # sessions are kept at work, or arrive, until then
        counted_s = scenario.duration_s - scenario.warm_up_s
        return _Field(base, question, choice.budget, choice.target, place, beside, counted_s)

    def settings(self, load: int) -> tuple[str, ...]:
        """A load as settings of the scenario."""
        if self.question.by_rate:
            return (f"agents.{self.place}.arrival_rate_per_s={setting(round(load * RATE_STEP_PER_S, 9))}",)
        chosen = [f"agents.{self.place}.sessions={load}"]
        if self.question.others == "scaled":
            tables = self.base.scenario.agents
            share = load / tables[self.place].sessions
            others = [(i, table) for i, table in enumerate(tables) if i != self.place]
            chosen += [f"agents.{i}.sessions={max(1, round(t.sessions * share))}" for i, t in others]
        return tuple(chosen)

    def replicas(self, load: int) -> int:
        """Runs of a load: more of a small one, since few sessions say little."""
        sessions = load * RATE_STEP_PER_S * self.counted_s if self.question.by_rate else load
        return runs_for(sessions, self.question.replicas)


def _arriving(base: Base, place: int, question: Question) -> Base:
    """The base whose sessions in question arrive at a rate; the others are at work all the time."""
    kind = base.scenario.agents[place].kind
    warm_up_s = RATE_WARM_UP_S[kind] if question.warm_up_s is None else question.warm_up_s
    duration_s = 2 * warm_up_s if question.duration_s is None else question.duration_s
    tables = copy.deepcopy(base.tables)
    tables |= {"duration_s": duration_s, "warm_up_s": warm_up_s}
    for i, table in enumerate(tables["agents"]):
        if i == place:
            table |= {"sessions": _ENDLESS, "arrival_rate_per_s": RATE_STEP_PER_S, "steady": False}
        else:
            table["steady"] = True
    arriving = replace(base, tables=tables)
    _ = arriving.scenario
    return arriving


class _Lane:
    """One pipeline's search under way: the load it is at, and the runs of that load."""

    def __init__(self, name: str, field: _Field, cache: PlanCache) -> None:
        self.name, self._field, self._cache = name, field, cache
        self._asking: Asking = search(field.question.most_load, field.question.precision)
        self._seed = field.base.scenario.seed
        self._outcomes: dict[int, LaneOutcome] = {}
        self._found: dict[int, LaneOutcome] = {}
        self._runs = 0
        self.load = next(self._asking)

    def seeds(self) -> range:
        """Seeds of the runs of the present load."""
        return range(self._seed, self._seed + self._field.replicas(self.load))

    def run(self, seed: int) -> LaneOutcome:
        plan = plan_point(self._field.base, Point(self._field.settings(self.load), seed), self._cache)
        turns = lane_turns(plan, self.name)
        return lane_outcome(self.name, plan.pipelines[self.name], turns, plan.budgets)

    def told(self, seed: int, outcome: LaneOutcome) -> Capacity | None:
        """Take one run; after the last of a load go on to the next. The capacity once it is found."""
        self._found[seed] = outcome
        seeds = self.seeds()
        if len(self._found) < len(seeds):
            return None
        runs = [self._found[seed] for seed in seeds]
        self._found = {}
        self._runs += len(runs)
        self._outcomes[self.load] = merged(runs)
        try:
            self.load = self._asking.send(self._trial(runs))
        except StopIteration as found:
            turns = sum(group.turns for o in self._outcomes.values() for group in o.groups.values())
            return Capacity(self.name, found.value, self._outcomes, self._runs, turns)
        return None

    def _trial(self, runs: Sequence[LaneOutcome]) -> Trial:
        field = self._field
        share = attainment_or_refusal(runs, field.budget, field.question.confidence, field.base.scenario)
        return Trial(self.load, share, field.target)


def _run_searches(lanes: Mapping[str, _Lane], threads: int | None, progress: Progress | None) -> list[Capacity]:
    """Let the searches go on side by side: each waits for its own runs alone."""
    found: dict[str, Capacity] = {}
    done = 0
    pool = ThreadPoolExecutor(threads or os.cpu_count() or 1)
    under_way: dict[Future[LaneOutcome], tuple[_Lane, int]] = {}

    def begin(lane: _Lane) -> None:
        for seed in lane.seeds():
            under_way[pool.submit(lane.run, seed)] = (lane, seed)

    try:
        for lane in lanes.values():
            begin(lane)
        while under_way:
            ended, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in ended:
                lane, seed = under_way.pop(future)
                load = lane.load
                capacity = lane.told(seed, future.result())
                done += 1
                if capacity is not None:
                    found[lane.name] = capacity
                elif lane.load != load:
                    begin(lane)
            if progress is not None:
                progress(done)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return [found[name] for name in lanes]
