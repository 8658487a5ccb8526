"""A sweep from its file to its results: fixed, cut into tasks, done by an executor, kept in a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from subsecond.agents.study.points import Base, load_base
from subsecond.engine.errors import InputError
from subsecond.engine.sweep.folder import SweepFolder
from subsecond.engine.sweep.manifest import SCHEMA, Manifest
from subsecond.engine.sweep.rows import Row
from subsecond.engine.workload.traces import SAMPLE_PREFIX

from .design import axes_of, points_of, setting_of
from .estimate import Estimate
from .identity import identity, trace_digests
from .preflight import check_common
from .spec import Spec
from .tasks import Order, order_of, partition, work_of

__all__ = ["Executor", "Progress", "Sweep", "fixed_sweep", "run_sweep"]


class Executor(Protocol):
    """Does tasks somewhere and hands over the rows of each as soon as it is done, in the thread of the caller."""

    def run(self, orders: Sequence[Order], done: Callable[[Order, list[Row]], None]) -> None: ...


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep that is ready to run.

    Attributes:
        text: its file.
        work: estimate of each task's, for the time that is left.
    """

    manifest: Manifest
    text: str
    work: list[float]


#: Told how far a sweep is, after each task and once before the first: the task (None before the first), its rows, and
#: how many runs are done.
Progress = Callable[[int | None, Sequence[Row], int], None]


def fixed_sweep(spec: Spec, settings: Sequence[str] = ()) -> Sweep:
    """Everything that a sweep's results depend on, looked up and counted.

    Args:
        settings: as `--set` takes them, over those of the sweep at every point.

    Raises:
        InputError: the scenario or what all points have in common cannot be used, a setting is an axis, or there are
            too many runs.
    """
    axes = axes_of(spec)
    for given in settings:
        if (key := given.partition("=")[0].strip()) in {axis.key for axis in axes}:
            raise InputError("--set", key, given, "a setting that is no axis of the sweep")
    points = points_of(spec)
    base = _base(spec, settings)
    seed = base.scenario.seed
    check_common(base, spec.where, [axis.key for axis in axes], points)
    own = identity()
    lanes = list(base.scenario.pipelines)
    work = work_of(points, [axis.key for axis in axes], Estimate(base))
    tasks = partition(points, [axis.key for axis in axes], lanes, spec.replicas, work)
    manifest = Manifest(
        schema=SCHEMA,
        name=spec.name,
        title=spec.title,
        version=own.version,
        code=own.code,
        catalog=own.catalog,
        base=base.path.stem,
        scenario=base.tables,
        traces=trace_digests(file for trace in base.scenario.traces for file in trace.files),
        fixed=spec.fixed,
        axes=axes,
        seeds=[seed + replica for replica in range(spec.replicas)],
        points=points,
        tasks=tasks,
    )
    return Sweep(manifest, spec.text, [sum(work[point] for point, _ in runs) for runs in tasks])


def _base(spec: Spec, settings: Sequence[str]) -> Base:
    """The scenario with what holds at every point; traces by full paths, so that workers elsewhere find them."""
    fixed = [setting_of(key, value) for key, value in spec.fixed.items()]
    base = load_base(spec.scenario, pipelines=spec.pipelines, model=spec.model, seed=spec.seed)
    if spec.budgets is not None:
        base = replace(base, tables={**base.tables, "budgets": spec.budgets})
    base = base.changed([*fixed, *settings])
    scenario = base.scenario  # what is wrong with it is said before anything runs
    traces = [_with_full_paths(table, scenario.folder) for table in base.tables.get("traces", [])]
    tables = {**base.tables, "traces": traces} if traces else base.tables
    return Base(tables, Path(f"{base.path.stem}.toml"))


def _with_full_paths(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    files = [f if f.startswith(SAMPLE_PREFIX) else str((folder / f).absolute()) for f in table["files"]]
    return {**table, "files": files}


def run_sweep(sweep: Sweep, folder: SweepFolder, executor: Executor, tell: Progress) -> None:
    """Do what is left of a sweep; what is done stays if it is interrupted.

    Raises:
        InputError: results cannot be written, or the executor cannot be used.
    """
    manifest = sweep.manifest
    finished = folder.finished()
    done = sum(len(manifest.tasks[task]) for task in finished)
    tell(None, (), done)
    todo = [order_of(manifest, task) for task in range(len(manifest.tasks)) if task not in finished]

    def keep(order: Order, rows: list[Row]) -> None:
        nonlocal done
        folder.write(order.task, rows)
        done += len(order.runs)
        tell(order.task, rows, done)

    if todo:
        executor.run(todo, keep)
