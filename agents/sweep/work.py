"""Does a task of a sweep: its runs one after the other, each ending in rows, failed ones in a row that says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from subsecond.agents.plan_cache import PlanCache
from subsecond.agents.study.points import Base, Point, lane_turns, plan_point
from subsecond.engine.budgets import Budget
from subsecond.engine.core.config import Fault, Workload
from subsecond.engine.errors import SubsecondError
from subsecond.engine.latency.pipelines import BuiltPipeline
from subsecond.engine.outcome import LaneOutcome, lane_outcome
from subsecond.engine.run import Plan
from subsecond.engine.sweep.rows import Row, failed_row, rows_of

from .tasks import Order

__all__ = ["Stopped", "do_task"]

#: Longest error that a row holds.
_LONGEST = 400


class Stopped(Exception):
    """The sweep has been interrupted."""


def do_task(
    order: Order,
    cache: PlanCache | None = None,
    *,
    compiled: bool | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> list[Row]:
    """Rows of a task, in the order of its runs.

    Args:
        cache: of sessions and pipelines that runs have in common.
        is_stopping: asked while it works.

    Raises:
        Stopped: `is_stopping` said so.
    """
    base = Base(order.scenario, Path(f"{order.name}.toml"))
    lanes = _Lanes(compiled, is_stopping)
    cache = PlanCache() if cache is None else cache
    rows: list[Row] = []
    for run in order.runs:
        try:
            plan = plan_point(base, Point(tuple(run.settings), run.seed), cache)
            rows += rows_of(run.point, run.replica, run.seed, lanes.outcomes(plan))
        except SubsecondError as error:
            rows.append(failed_row(run.point, run.replica, run.seed, _line(str(error))))
        except Stopped:
            raise
        except Exception as error:  # whatever it is, the other points are not to suffer from it
            rows.append(failed_row(run.point, run.replica, run.seed, _line(f"{type(error).__name__}: {error}")))
    return rows


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."


class _Lanes:
    """Runs lanes, each once: what a point changes on one pipeline leaves the others as they were.

    Remembers outcomes for the sessions that were run last.
    """

    def __init__(self, compiled: bool | None, is_stopping: Callable[[], bool]) -> None:
        self._compiled, self._is_stopping = compiled, is_stopping
        self._workload: Workload | None = None
        self._known: list[tuple[BuiltPipeline, list[Fault], tuple[Budget, ...], tuple[object, ...], LaneOutcome]] = []

    def outcomes(self, plan: Plan) -> list[LaneOutcome]:
        """The outcome of each lane of a plan."""
        if plan.workload is not self._workload:
            self._workload, self._known = plan.workload, []
        return [self._outcome(plan, name) for name in plan.pipelines]

    def _outcome(self, plan: Plan, name: str) -> LaneOutcome:
        built, faults, scenario = plan.pipelines[name], plan.faults[name], plan.scenario
        rest = (name, scenario.seed, scenario.duration_s, plan.from_ps)
        for known_built, known_faults, budgets, known_rest, outcome in self._known:
            if known_built is built and (known_faults, budgets, known_rest) == (faults, plan.budgets, rest):
                return outcome
        turns = lane_turns(plan, name, compiled=self._compiled, pulse=self._look_up)
        outcome = lane_outcome(name, built, turns, plan.budgets)
        self._known.append((built, faults, plan.budgets, rest, outcome))
        return outcome

    def _look_up(self) -> None:
        if self._is_stopping():
            raise Stopped
