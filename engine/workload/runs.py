"""Consecutive runs in flat columns: requests of sessions, turns of sessions, requests of turns.

Runs are given by their lengths; item i of run r stands at `offsets(lengths)[r] + i`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["gather", "heads", "offsets", "ranks"]

Int64 = NDArray[np.int64]


def offsets(lengths: Int64) -> Int64:
    """[n + 1] where each run begins, and where the last one ends."""
    begins = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=begins[1:])
    return begins


def ranks(lengths: Int64) -> Int64:
    """0, 1, ..., length - 1 for each run, one after the other."""
    begins = offsets(lengths)
    return np.arange(begins[-1], dtype=np.int64) - np.repeat(begins[:-1], lengths)


def heads(lengths: Int64, kept: Int64) -> Int64:
    """Positions of the first `kept` items of each run."""
    begins = offsets(kept)
    return np.arange(begins[-1], dtype=np.int64) + np.repeat(offsets(lengths)[:-1] - begins[:-1], kept)


def gather(lengths: Int64, order: Int64) -> Int64:
    """Positions that put the runs, each whole, into another order (or take some of them)."""
    taken = lengths[order]
    begins = offsets(taken)
    return np.arange(begins[-1], dtype=np.int64) + np.repeat(offsets(lengths)[order] - begins[:-1], taken)
