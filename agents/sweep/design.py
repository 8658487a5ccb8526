"""Points of a sweep: every combination of a grid, with every point of a random design."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import blake2b
from itertools import product

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.errors import InputError
from subsecond.engine.sweep.manifest import Axis, Value

from .spec import MOST_RUNS, AxisSpec, Range, Spec

__all__ = ["axes_of", "points_of", "setting_of"]


def setting_of(key: str, value: Value) -> str:
    """A setting as `--set` takes it, whatever letters a text has."""
    if isinstance(value, bool):
        return f"{key}={str(value).lower()}"
    return f"{key}={json.dumps(value, ensure_ascii=False)}"  # such a JSON text is a TOML text


def axes_of(spec: Spec) -> list[Axis]:
    """What is varied: the grid's axes, then those of the random design."""
    grid = [Axis(axis.key, "grid", list(_grid_values(axis))) for axis in spec.grid]
    return [*grid, *(Axis(axis.key, "random") for axis in spec.random)]


def points_of(spec: Spec) -> list[list[Value]]:
    """Values of each point, one per axis; the last axis of the grid changes first.

    Raises:
        InputError: there are more runs than `MOST_RUNS`.
    """
    values = [list(_grid_values(axis)) for axis in spec.grid]
    points = spec.random_points
    for own in values:
        points *= len(own)
    if points * spec.replicas > MOST_RUNS:
        shown = f"{points} points with {spec.replicas} replicas each"
        raise InputError(spec.where, "", shown, f"at most {MOST_RUNS} runs")
    drawn = list(zip(*(_draws(axis, spec) for axis in spec.random), strict=True)) or [()]
    return [[*of_grid, *of_draw] for of_grid in product(*values) for of_draw in drawn]


def _grid_values(axis: AxisSpec) -> Iterator[Value]:
    """Values of an axis; of those that are equal when rounded to whole numbers, one."""
    if not isinstance(axis.values, Range):
        yield from axis.values
        return
    steps = axis.values.steps or 2
    yield from dict.fromkeys(axis.values.at(step / (steps - 1)) for step in range(steps))


def _draws(axis: AxisSpec, spec: Spec) -> list[Value]:
    """Values of a random axis, [random_points]: one from each of as many equal slices of its range, in random order;
    values of a list equally often, or once more.

    An axis draws from a stream of its own, so that another one beside it leaves its values as they are.
    """
    size = spec.random_points
    name = int.from_bytes(blake2b(axis.key.encode(), digest_size=8).digest())
    bits = np.random.PCG64(np.random.SeedSequence([spec.random_seed, name]))
    order: NDArray[np.int64] = np.argsort(bits.random_raw(size), kind="stable")
    within = (bits.random_raw(size) >> np.uint64(32)).astype(np.float64) * 2.0**-32
    shares = [float(share) for share in (order + within) / size]
    choice = axis.values
    if not isinstance(choice, Range):
        return [choice[int(slice_) * len(choice) // size] for slice_ in order]
    if choice.is_whole and not choice.is_log:  # each whole number has the same share
        return [int(choice.first + int(share * (choice.last - choice.first + 1))) for share in shares]
    return [choice.at(share) for share in shares]
