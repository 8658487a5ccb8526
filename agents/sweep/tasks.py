"""The work of a sweep cut into tasks of seconds, the same whoever runs them and on how many threads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from subsecond.engine.sweep.manifest import Manifest

from .design import setting_of
from .estimate import Estimate
from .identity import Identity

__all__ = ["Order", "RunOrder", "order_of", "partition", "work_of"]

#: Work of a task, in turns over all lanes: the core makes about a million in a second.
_MOST, _LEAST = 3_000_000.0, 150_000.0
#: Tasks that a sweep is cut into if they are no smaller than the least.
_USUAL_TASKS = 64
#: Tables that say nothing about who asks: points that differ in these alone have the same sessions.
_NO_SESSIONS = ("pipelines", "faults", "budgets")


class RunOrder(msgspec.Struct, frozen=True):
    """One run of a task."""

    point: int
    replica: int
    seed: int
    settings: list[str]


class Order(msgspec.Struct, frozen=True):
    """A task with all that a worker needs to do it, but for the files of traces.

    Attributes:
        sweep: digest of the manifest.
        name: of the scenario, for messages.
        scenario: its tables.
        identity, traces: what the worker has to have, too.
    """

    sweep: str
    task: int
    name: str
    scenario: dict[str, Any]
    runs: list[RunOrder]
    identity: Identity
    traces: dict[str, str]


def order_of(manifest: Manifest, task: int) -> Order:
    """A task of a sweep."""
    return Order(
        sweep=manifest.digest,
        task=task,
        name=manifest.base,
        scenario=manifest.scenario,
        runs=[
            RunOrder(point, replica, manifest.seeds[replica], _settings(manifest, point))
            for point, replica in manifest.tasks[task]
        ],
        identity=Identity(manifest.version, manifest.code, manifest.catalog),
        traces=manifest.traces,
    )


def _settings(manifest: Manifest, point: int) -> list[str]:
    return [setting_of(key, value) for key, value in manifest.settings(point)]


def work_of(points: Sequence[Sequence[Any]], keys: Sequence[str], estimate: Estimate) -> list[float]:
    """Work of a run of each point."""
    return [
        estimate.work(tuple(setting_of(key, value) for key, value in zip(keys, point, strict=True))) for point in points
    ]


def partition(
    points: Sequence[Sequence[Any]], keys: Sequence[str], lanes: Sequence[str], replicas: int, work: Sequence[float]
) -> list[list[tuple[int, int]]]:
    """Runs of each task, as point and replica.

    Runs with the same sessions follow one another, so that these are drawn once.

    Args:
        points: values of each, one per key.
        lanes: names of the scenario's pipelines.
        work: of a run of each point.
    """
    draws_anew = [key.split(".")[0] not in (*_NO_SESSIONS, *lanes) for key in keys]
    sessions: dict[tuple[Any, ...], int] = {}
    place = [
        sessions.setdefault(tuple(repr(v) for v, anew in zip(point, draws_anew, strict=True) if anew), len(sessions))
        for point in points
    ]
    runs = sorted(
        ((point, replica) for point in range(len(points)) for replica in range(replicas)),
        key=lambda run: (place[run[0]], run[1], run[0]),
    )
    size = min(max(sum(work) * replicas / _USUAL_TASKS, _LEAST), _MOST)
    return list(_cut(runs, work, size))


def _cut(runs: Sequence[tuple[int, int]], work: Sequence[float], size: float) -> Iterator[list[tuple[int, int]]]:
    task: list[tuple[int, int]] = []
    total = 0.0
    for run in runs:
        if task and total + work[run[0]] > size:
            yield task
            task, total = [], 0.0
        task.append(run)
        total += work[run[0]]
    if task:
        yield task
