"""Lanes of a sweep, each run once: what a point changes on one pipeline leaves the others as they were."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from subsecond.agents.study.points import lane_turns
from subsecond.engine.budgets import Budget
from subsecond.engine.core.config import Fault, Workload
from subsecond.engine.latency.pipelines import BuiltPipeline
from subsecond.engine.outcome import LaneOutcome, lane_outcome
from subsecond.engine.run import Plan

__all__ = ["Lanes"]

#: Sessions whose outcomes are remembered: those that are worked on, by a few threads.
_MOST_WORKLOADS = 4
#: Most outcomes of the same sessions, of some 50 kB each.
_MOST_OUTCOMES = 256


class _Known:
    """Outcomes of the same sessions, with what they depend on beside these."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self.outcomes: list[tuple[BuiltPipeline, tuple[Budget, ...], list[Fault], tuple[object, ...], LaneOutcome]] = []

    def find(self, plan: Plan, name: str) -> LaneOutcome | None:
        built, budgets, faults, rest = self._needs(plan, name)
        for known_built, known_budgets, known_faults, known_rest, outcome in self.outcomes:
            if known_built is built and (known_budgets, known_faults, known_rest) == (budgets, faults, rest):
                return outcome
        return None

    def keep(self, plan: Plan, name: str, outcome: LaneOutcome) -> None:
        self.outcomes = [*self.outcomes[-_MOST_OUTCOMES + 1 :], (*self._needs(plan, name), outcome)]

    @staticmethod
    def _needs(plan: Plan, name: str) -> tuple[BuiltPipeline, tuple[Budget, ...], list[Fault], tuple[object, ...]]:
        rest = (name, plan.scenario.seed, plan.scenario.duration_s, plan.from_ps)
        return plan.pipelines[name], plan.budgets, plan.faults[name], rest


class Lanes:
    """Runs lanes, and remembers what came out for the sessions that were used last; for several threads.

    Sessions and pipelines are equal if they are the same object, as a `PlanCache` gives them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[int, _Known] = OrderedDict()

    def outcome(self, plan: Plan, name: str, *, compiled: bool | None, pulse: Callable[[], None]) -> LaneOutcome:
        """The outcome of a lane of a plan; threads that ask for the same at the same time each run it.

        Args:
            compiled, pulse: see `agents.study.points.lane_turns`.
        """
        known = self._of(plan.workload)
        outcome = known.find(plan, name)
        if outcome is None:
            turns = lane_turns(plan, name, compiled=compiled, pulse=pulse)
            outcome = lane_outcome(name, plan.pipelines[name], turns, plan.budgets)
            with self._lock:
                known.keep(plan, name, outcome)
        return outcome

    def _of(self, workload: Workload) -> _Known:
        with self._lock:
            known = self._known.setdefault(id(workload), _Known(workload))  # which keeps it, and so its number
            self._known.move_to_end(id(workload))
            while len(self._known) > _MOST_WORKLOADS:
                self._known.popitem(last=False)
            return known
