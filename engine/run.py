"""A run: every pipeline of a plan on the same sessions, in virtual time."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import combinations

from subsecond.engine.budgets import Budget
from subsecond.engine.core.config import Fault, Workload
from subsecond.engine.core.engine import simulate
from subsecond.engine.core.execution import plan_execution
from subsecond.engine.core.results import Results
from subsecond.engine.latency.pipelines import BuiltPipeline
from subsecond.engine.metrics import Group, PairedTurns, duel, groups_of
from subsecond.engine.scenario import Scenario
from subsecond.engine.turns import Turns, turns_of

__all__ = ["Lane", "Plan", "Progress", "Reserve", "Run", "run_plan"]

PS_PER_S = 10**12

#: Requests up to which lanes run side by side; beyond, memory counts for more than time.
_SIDE_BY_SIDE = 100_000

#: Called with the lane's name, requests ended and requests in all; from several threads.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Reserve:
    """Sessions that a plan was asked for beyond those of its scenario; see `agents.plan.plan_run`."""

    least: int = 0
    hours: float = 0.0
    outside: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a run needs, checked and drawn; nothing is left that could be wrong.

    Attributes:
        outside: sessions of the workload that stand ready for agents from outside.
        reserve: what was asked for, to draw the same workload again.
    """

    scenario: Scenario
    workload: Workload
    pipelines: dict[str, BuiltPipeline]
    faults: dict[str, list[Fault]]
    budgets: tuple[Budget, ...]
    outside: range = range(0)
    reserve: Reserve = Reserve()

    @property
    def from_ps(self) -> int:
        """When the run has warmed up."""
        return round(self.scenario.warm_up_s * PS_PER_S)


@dataclass(frozen=True, slots=True)
class Lane:
    """One pipeline's run: `groups` by agent kind, and "all"."""

    pipeline: BuiltPipeline
    faults: tuple[Fault, ...]
    results: Results
    turns: Turns
    groups: dict[str, Group]

    @property
    def whole(self) -> Group:
        """The group of all turns."""
        return next(reversed(self.groups.values()))


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run. `paired` holds every two lanes; `digest` covers every turn of every lane."""

    plan: Plan
    lanes: dict[str, Lane]
    paired: tuple[PairedTurns, ...]
    digest: str


def run_plan(plan: Plan, *, compiled: bool | None = None, progress: Progress | None = None) -> Run:
    """Run every pipeline of a plan.

    Args:
        compiled: see `core.execution.plan_execution`.
    """
    is_compiled = plan_execution(plan.workload.num_requests * len(plan.pipelines), compiled).compiled
    stopping = threading.Event()

    def run_lane(name: str) -> Lane:
        def tell(ended: int, total: int) -> None:
            if stopping.is_set():
                raise KeyboardInterrupt
            if progress is not None:
                progress(name, ended, total)

        return _run_lane(plan, name, is_compiled, tell)

    if is_compiled and plan.workload.num_requests <= _SIDE_BY_SIDE:
        with ThreadPoolExecutor(len(plan.pipelines)) as threads:
            try:
                lanes = dict(zip(plan.pipelines, threads.map(run_lane, plan.pipelines), strict=True))
            except BaseException:
                stopping.set()
                raise
    else:
        lanes = {name: run_lane(name) for name in plan.pipelines}
    if plan.scenario.duration_s is None:
        lanes = _with_late_end(plan, lanes)
    paired = [duel((a, b), lanes[a].turns, lanes[b].turns) for a, b in combinations(lanes, 2)]
    return Run(plan, lanes, tuple(paired), _digest(lanes))


def _run_lane(plan: Plan, name: str, compiled: bool, tell: Callable[[int, int], None]) -> Lane:
    scenario, built, faults = plan.scenario, plan.pipelines[name], plan.faults[name]
    stop = None if scenario.duration_s is None else round(scenario.duration_s * PS_PER_S)
    results = simulate(
        built.core, plan.workload, faults, seed=scenario.seed, compiled=compiled, until_ps=stop, progress=tell
    )
    turns = turns_of(plan.workload, results, stop, plan.from_ps)
    return Lane(built, tuple(faults), results, turns, groups_of(turns, plan.budgets))


def _with_late_end(plan: Plan, lanes: dict[str, Lane]) -> dict[str, Lane]:
    """Lanes on which turns wait for ever (nothing mends what they wait for) end no sooner than the others.

    Otherwise those turns would hardly have waited, and the little that was done in time would count as a high rate.
    """
    ends = [lane.turns.stop_ps for lane in lanes.values()]

    def late(lane: Lane) -> Lane:
        if not lane.whole.unfinished:
            return lane
        last = (int(lane.results.arrival_ps.max()), *(fault.at_ps for fault in lane.faults))
        turns = replace(lane.turns, stop_ps=max(*ends, *last))
        return replace(lane, turns=turns, groups=groups_of(turns, plan.budgets))

    return {name: late(lane) for name, lane in lanes.items()}


def _digest(lanes: dict[str, Lane]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, lane in lanes.items():
        digest.update(f"{name}={lane.results.digest()};".encode())
    return digest.hexdigest()
