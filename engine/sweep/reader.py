"""Reads the results of a sweep back: points with the outcomes of their lanes, replicas merged exactly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from subsecond.engine.errors import InputError
from subsecond.engine.outcome import LaneOutcome, merged

from .folder import task_path
from .manifest import Manifest, Value, read_manifest
from .parquet import is_whole, read_rows
from .rows import Row, digest_of, outcomes_of

__all__ = ["Failure", "PointResult", "SweepResults", "read_sweep", "results_of", "rows_in"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that failed, and why."""

    point: int
    replica: int
    seed: int
    error: str


@dataclass(frozen=True, slots=True)
class PointResult:
    """What a point came to.

    It keeps rows, which are small; outcomes are made of them whenever they are asked for.

    Attributes:
        settings: key -> value of what the point sets.
        runs: rows of each of its runs.
    """

    point: int
    settings: dict[str, Value]
    runs: tuple[tuple[Row, ...], ...]

    @property
    def replicas(self) -> list[dict[str, LaneOutcome]]:
        """Name -> outcome of each lane, of every run that did not fail."""
        each = ({lane.lane: lane for lane in outcomes_of(rows)} for rows in self.runs)
        return [lanes for lanes in each if lanes]

    @property
    def lanes(self) -> dict[str, LaneOutcome]:
        """Name -> outcome of each lane, over all runs that did not fail; none if all did."""
        replicas = self.replicas
        names = dict.fromkeys(name for lanes in replicas for name in lanes)
        return {name: merged([lanes[name] for lanes in replicas if name in lanes]) for name in names}

    @property
    def failures(self) -> list[Failure]:
        """Of its runs."""
        rows = (row for run in self.runs for row in run)
        return [Failure(row.point, row.replica, row.seed, row.error) for row in rows if row.error is not None]

    def rows_of(self, lane: str, kind: str) -> list[Row]:
        """Rows of an agent kind on a lane, a row per run."""
        return [row for run in self.runs for row in run if (row.lane, row.kind) == (lane, kind)]

    def attainment(self, lane: str, kind: str) -> float | None:
        """Share of an agent kind's turns on a lane that met the first of its budgets; None: there are none."""
        counts = [row.budgets[0] for row in self.rows_of(lane, kind) if row.budgets]
        met, total = sum(count.met for count in counts), sum(count.met + count.missed for count in counts)
        return met / total if total else None


@dataclass(frozen=True, slots=True)
class SweepResults:
    """A sweep as far as it is finished.

    Attributes:
        points: those of which at least one run is finished, in their order.
        runs: finished ones, failed ones included.
        digest: over all rows; equal for equal results, whoever computed them.
    """

    manifest: Manifest
    points: tuple[PointResult, ...]
    runs: int
    digest: str

    @property
    def is_finished(self) -> bool:
        """Whether no run is left to do."""
        return self.runs == self.manifest.runs

    @property
    def failures(self) -> list[Failure]:
        """Of all points."""
        return [failure for point in self.points for failure in point.failures]

    @property
    def lanes(self) -> list[str]:
        """Names of all lanes, in their order."""
        return list(dict.fromkeys(row.lane for row in self._rows() if row.lane is not None))

    @property
    def kinds(self) -> list[str]:
        """Agent kinds, in their order."""
        return list(dict.fromkeys(row.kind for row in self._rows() if row.kind is not None))

    @property
    def turns(self) -> int:
        """Turns that have begun, on all lanes together."""
        return sum(row.answered + row.failed + row.cancelled + row.unfinished for row in self._rows())

    def _rows(self) -> Iterator[Row]:
        return (row for point in self.points for run in point.runs for row in run)


def read_sweep(folder: Path) -> SweepResults:
    """The results in a sweep's folder, of finished tasks if not all are.

    Raises:
        InputError: it is no such folder, something in it is damaged, or there is no pyarrow.
    """
    manifest = read_manifest(folder)
    return results_of(manifest, rows_in(folder, manifest))


def rows_in(folder: Path, manifest: Manifest) -> Iterator[Row]:
    """The rows of all finished tasks.

    Raises:
        InputError: a file is damaged, or of another sweep; or there is no pyarrow.
    """
    for task in range(len(manifest.tasks)):
        path = task_path(folder, task)
        if not path.exists():
            continue
        if not is_whole(path, manifest, task):
            raise InputError(
                str(path), "", "something else", f"task {task} of this sweep; remove it to have it done again"
            )
        yield from read_rows(path)


def results_of(manifest: Manifest, rows: Iterable[Row]) -> SweepResults:
    """Rows in any order as results; those of a run are together and in theirs.

    Raises:
        InputError: a row belongs to no run of the sweep.
    """
    every = list(rows)
    runs: dict[tuple[int, int], list[Row]] = {}
    for row in every:
        if not (0 <= row.point < len(manifest.points) and 0 <= row.replica < len(manifest.seeds)):
            raise InputError(manifest.name, "point", f"{row.point}, replica {row.replica}", "a run of this sweep")
        runs.setdefault((row.point, row.replica), []).append(row)
    by_point: dict[int, list[tuple[Row, ...]]] = {}
    for point, replica in sorted(runs):
        by_point.setdefault(point, []).append(tuple(runs[point, replica]))
    points = tuple(PointResult(point, dict(manifest.settings(point)), tuple(own)) for point, own in by_point.items())
    return SweepResults(manifest, points, len(runs), digest_of(every))
