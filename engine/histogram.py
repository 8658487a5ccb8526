"""Log-linear histogram of durations: constant memory, bounded relative error, exact merge.

A bucket is an exponent and the first `BITS` bits behind the leading one, read off a float's own representation. Two
histograms of parts of a run add up to the histogram of the whole, bucket by bucket.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BITS", "Histogram"]

#: Buckets per doubling: 2^BITS. A bucket's width is at most 2^-BITS of its lower end (0.8 %).
BITS = 7

#: Durations are counted in nanoseconds, so that a float holds every one of them exactly (2^60 ps < 2^53 ns).
_PS_PER_NS = 1000
_ONE = 1023 << BITS  # bucket of 1 ns, before the shift that makes room for 0
_SIZE = (51 << BITS) + 1
_END_PS = 1 << 60


class Histogram:
    """Counts of durations by size.

    Attributes:
        counts: [number of buckets]; bucket 0 holds durations below 1 ns.
    """

    __slots__ = ("counts",)

    def __init__(self, counts: NDArray[np.int64] | None = None) -> None:
        self.counts = np.zeros(_SIZE, np.int64) if counts is None else counts
        if self.counts.shape != (_SIZE,):
            raise ValueError(f"a histogram has {_SIZE} buckets, got shape {self.counts.shape}")

    def add(self, durations_ps: NDArray[np.int64]) -> None:
        """Count durations.

        Raises:
            ValueError: a duration is negative, or 2^60 ps or longer.
        """
        if not len(durations_ps):
            return
        for extreme in (int(durations_ps.min()), int(durations_ps.max())):
            if not 0 <= extreme < _END_PS:
                raise ValueError(f"durations must lie in [0, 2^60) ps, got {extreme} ps")
        self.counts += np.bincount(_buckets(durations_ps), minlength=_SIZE)

    def merge(self, other: Histogram) -> None:
        """Add another histogram's counts; the result is that of all durations counted in one."""
        self.counts += other.counts

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    @classmethod
    def of(cls, buckets: NDArray[np.integer[Any]], counts: NDArray[np.int64]) -> Histogram:
        """The histogram that `sparse` was asked of.

        Raises:
            ValueError: there is no such bucket.
        """
        if len(buckets) and not 0 <= int(buckets.min()) <= int(buckets.max()) < _SIZE:
            raise ValueError(f"a histogram has {_SIZE} buckets, got numbers {buckets.min()} to {buckets.max()}")
        histogram = cls()
        histogram.counts[buckets] = counts
        return histogram

    def sparse(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Numbers and counts of the buckets that hold something, ascending."""
        buckets = np.flatnonzero(self.counts)
        return buckets, self.counts[buckets]

    def filled(self) -> list[tuple[int, int]]:
        """(upper end in ps, count) of the buckets that hold something, ascending."""
        buckets, counts = self.sparse()
        return list(zip(_uppers_ps(buckets).tolist(), counts.tolist(), strict=True))

    def quantile_ps(self, q: float) -> int:
        """Upper end of the bucket that holds the duration of rank ceil(q * total).

        The true value is at most this, and at most 2^-BITS smaller (or a nanosecond, if that is more).

        Raises:
            ValueError: nothing was counted, or `q` is not in (0, 1].
        """
        if not 0 < q <= 1:
            raise ValueError(f"q must be in (0, 1], got {q}")
        total = self.total
        if not total:
            raise ValueError("the histogram is empty")
        rank = -(-q * total // 1)
        return int(_uppers_ps(np.searchsorted(np.cumsum(self.counts), [rank]))[0])


def _buckets(durations_ps: NDArray[np.int64]) -> NDArray[np.int64]:
    bits = (durations_ps // _PS_PER_NS).astype(np.float64).view(np.int64)
    buckets: NDArray[np.int64] = np.maximum((bits >> (52 - BITS)) - _ONE + 1, 0)
    return buckets


def _uppers_ps(buckets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Largest duration that falls into each of some buckets."""
    next_ns = ((buckets.astype(np.int64) + _ONE) << (52 - BITS)).view(np.float64)
    uppers: NDArray[np.int64] = np.ceil(next_ns).astype(np.int64) * _PS_PER_NS - 1
    return uppers
