"""Does a task of a sweep: its runs one after the other, each ending in rows, failed ones in a row that says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from subsecond.agents.plan_cache import PlanCache
from subsecond.agents.study.points import Base, Point, plan_point
from subsecond.engine.errors import SubsecondError
from subsecond.engine.sweep.rows import Row, failed_row, rows_of

from .lanes import Lanes
from .tasks import Order

__all__ = ["Shared", "Stopped", "do_task"]

#: Longest error that a row holds.
_LONGEST = 400


class Stopped(Exception):
    """The sweep has been interrupted."""


def do_task(
    order: Order,
    shared: Shared | None = None,
    *,
    compiled: bool | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> list[Row]:
    """Rows of a task, in the order of its runs.

    Args:
        shared: with other tasks of the same sweep; names of traces are taken for their content.
        is_stopping: asked while it works.

    Raises:
        Stopped: `is_stopping` said so.
    """
    base = Base(order.scenario, Path(f"{order.name}.toml"))
    shared = shared or Shared()

    def look_up() -> None:
        if is_stopping():
            raise Stopped

    rows: list[Row] = []
    for run in order.runs:
        try:
            look_up()
            plan = plan_point(base, Point(tuple(run.settings), run.seed), shared.plans)
            found = [shared.lanes.outcome(plan, name, compiled=compiled, pulse=look_up) for name in plan.pipelines]
            rows += rows_of(run.point, run.replica, run.seed, found)
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


class Shared:
    """What tasks of one sweep have in common in a process: sessions, pipelines and lanes that were run."""

    def __init__(self) -> None:
        self.plans, self.lanes = PlanCache(), Lanes()
