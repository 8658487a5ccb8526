"""Reads the folder of a sweep, again and again while it grows: only what has come since is read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from subsecond.engine.errors import InputError
from subsecond.engine.sweep.folder import task_path
from subsecond.engine.sweep.manifest import Manifest, read_manifest
from subsecond.engine.sweep.parquet import is_whole, need_pyarrow, read_rows
from subsecond.engine.sweep.reader import results_of
from subsecond.engine.sweep.rows import Row

from .sweep_points import SweepPoint, SweepSeen, point_of

__all__ = ["SweepReader"]

#: Seconds of reading after which what was read is shown: the first time, and later.
_FIRST_S, _LATER_S = 0.25, 1.0
#: What values of the wrong kind in a file can lead to.
_WRONG = (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError)


class SweepReader:
    """Knows what has been read of a folder. One thread at a time may use it.

    Raises:
        InputError: it is no folder of a sweep, its manifest is damaged, or there is no pyarrow.
    """

    def __init__(self, folder: Path) -> None:
        need_pyarrow()
        self.folder = folder
        self.manifest = _checked(read_manifest(folder), folder)
        self._unread = list(range(len(self.manifest.tasks)))
        self._problems: dict[int, str] = {}
        #: Rows of points of which runs are missing.
        self._rows: dict[int, list[Row]] = {}
        self._points: dict[int, SweepPoint] = {}
        self._runs = 0
        self._is_reading = False

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to read."""
        return not self._unread

    def seen(self) -> SweepSeen:
        """What has been read."""
        manifest = self.manifest
        more = len(self._problems) - 1
        problem = next(iter(self._problems.values()), "") + (f" (and {more} more)" if more > 0 else "")
        return SweepSeen(
            name=manifest.name,
            title=manifest.title,
            base=manifest.base,
            scenario=manifest.scenario,
            fixed=manifest.fixed,
            axes=tuple(manifest.axes),
            seeds=tuple(manifest.seeds),
            num_points=len(manifest.points),
            num_runs=manifest.runs,
            done_runs=self._runs,
            points=tuple(self._points[number] for number in sorted(self._points)),
            problem=problem,
            is_reading=self._is_reading,
        )

    def look(self, told: Callable[[], bool] = lambda: True) -> bool:
        """Read tasks that are there and have not been read, for a second or so; whether any was.

        Args:
            told: asked between tasks whether to go on.
        """
        there = [task for task in self._unread if task_path(self.folder, task).exists()]
        before, done, damaged = dict(self._problems), set[int](), list[int]()
        end = time.monotonic() + (_LATER_S if self._points else _FIRST_S)
        for task in there:
            if (done or damaged) and (time.monotonic() > end or not told()):
                break
            try:
                self._count(self._take(task))
            except InputError as error:
                self._problems[task] = str(error)
                damaged.append(task)
            else:
                self._problems.pop(task, None)
                done.add(task)
        self._is_reading = len(there) > len(done) + len(damaged)
        # What is damaged is looked at again, behind the others.
        self._unread = [task for task in self._unread if task not in done and task not in damaged] + damaged
        return bool(done) or before != self._problems

    def _take(self, task: int) -> set[int]:
        """Keep the rows of a task; gives its points."""
        path = task_path(self.folder, task)
        if not is_whole(path, self.manifest, task):
            raise InputError(str(path), "", "something else", f"task {task} of this sweep")
        try:
            rows = list(read_rows(path))
        except _WRONG as error:
            raise InputError(str(path), "", _line(error), "a file that a sweep has written") from None
        runs = {(row.point, row.replica) for row in rows}
        if not runs <= {(point, replica) for point, replica in self.manifest.tasks[task]}:
            raise InputError(str(path), "", "runs of other tasks", f"those of task {task}")
        for row in rows:
            self._rows.setdefault(row.point, []).append(row)
        self._runs += len(runs)
        return {row.point for row in rows}

    def _count(self, points: Iterable[int]) -> None:
        for point in sorted(points):
            rows = self._rows[point]
            runs = len({row.replica for row in rows})
            try:
                (result,) = results_of(self.manifest, rows).points
                self._points[point] = point_of(result, runs)
            except (*_WRONG, InputError) as error:  # replicas that have not the same lanes, say
                self._problems[-1 - point] = f"point {point}: {_line(error)}"
            if runs == len(self.manifest.seeds):
                del self._rows[point]


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _checked(manifest: Manifest, folder: Path) -> Manifest:
    """A manifest whose parts fit together."""
    where, axes = str(folder), len(manifest.axes)
    for number, point in enumerate(manifest.points):
        if len(point) != axes:
            raise InputError(where, f"points[{number}]", f"{len(point)} values", f"one for each of {axes} axes")
    if len({axis.key for axis in manifest.axes}) != axes:
        raise InputError(where, "axes", "the same key twice", "axes that differ")
    for number, task in enumerate(manifest.tasks):
        for run, replica in task:
            if not (0 <= run < len(manifest.points) and 0 <= replica < len(manifest.seeds)):
                raise InputError(where, f"tasks[{number}]", f"{run}, {replica}", "a point and a replica of the sweep")
    return manifest
