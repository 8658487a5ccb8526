"""Which axis moves the answer: rank correlations between settings and outcomes over the points of a sweep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .reader import PointResult, SweepResults

__all__ = ["LEAST_POINTS", "influence", "rank_correlation"]

#: Points below which a correlation says nothing.
LEAST_POINTS = 8

Float64 = NDArray[np.float64]


def influence(results: SweepResults, lane: str, kind: str) -> dict[str, float | None]:
    """Rank correlation of each axis with an agent kind's share in time on a lane; None: it cannot be told.

    It cannot if the axis is of words, if either has one value only, or if there are fewer than `LEAST_POINTS` points.
    """
    found = [(point, point.attainment(lane, kind)) for point in results.points]
    known = [(point, value) for point, value in found if value is not None]
    outcomes = np.array([value for _, value in known])
    return {
        axis.key: rank_correlation(column, outcomes)
        if (column := _numbers([p for p, _ in known], axis.key)) is not None
        else None
        for axis in results.manifest.axes
    }


def _numbers(points: Sequence[PointResult], key: str) -> Float64 | None:
    values = [point.settings[key] for point in points]
    if any(isinstance(value, str) for value in values):
        return None
    return np.array([float(value) for value in values])


def rank_correlation(first: Float64, second: Float64) -> float | None:
    """Spearman's: the correlation of the ranks, equal values sharing the mean of theirs; see `influence` for None."""
    if len(first) < LEAST_POINTS:
        return None
    a, b = _ranks(first), _ranks(second)
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / scale if scale > 0 else None


def _ranks(values: Float64) -> Float64:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Float64 = (ends - (counts - 1) / 2.0)[place]
    return ranks
