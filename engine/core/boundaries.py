"""How many iterations of many servers' segments have ended by a time, all at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["boundaries_by"]

Int64 = NDArray[np.int64]


def boundaries_by(at_ps: int, start: Int64, base: Int64, slope: Int64, count: Int64) -> Int64:
    """Iterations that have ended at `at_ps`, [segments]; the j-th of a segment takes `base + j * slope` ps.

    Args:
        count: iterations of each segment; 0 for a server that is in none.

    The same as `kernel.segment.boundaries_until` for one server.
    """
    distance = np.maximum(at_ps - start, 0)
    # The float is a guess within a step or two; the integers decide.
    half = base - slope * 0.5
    root = np.sqrt(half * half + 2.0 * slope * distance)
    guess = np.floor(2.0 * distance / np.maximum(half + root, 1e-300)).astype(np.int64)
    ended = np.clip(guess, 0, count)

    def end_of(j: Int64) -> Int64:
        return start + j * base + slope * (j * (j - 1) // 2)

    while (late := (ended > 0) & (end_of(ended) > at_ps)).any():
        ended -= late
    while (more := (ended < count) & (end_of(ended + 1) <= at_ps)).any():
        ended += more
    result: Int64 = ended
    return result
