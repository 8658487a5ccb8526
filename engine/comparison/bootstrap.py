"""How far a difference may be chance: intervals by drawing sessions anew.

Turns of one session depend on each other, so whole sessions are drawn (a cluster bootstrap). Sides that did the same
work are drawn together: what is hard in a session is hard on both. What is drawn are *blocks*, each a session or, of
many sessions, a few of them, and what a block holds is added up before: the cost depends on the number of turns only
where they are counted.

The interval is about which sessions there were. That sessions of a run meet each other on the servers, and that the
model behind a simulated run may be off, it does not know.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST_SESSIONS", "Blocks", "Estimate", "Resampling", "blocks_of", "distinct", "estimate"]

Int64 = NDArray[np.int64]
Float = NDArray[np.float64]

#: Draws; blocks drawn from at most; cells into which latencies are sorted to count them.
REPLICATES, MOST_BLOCKS, CELLS = 1000, 1000, 1024
#: Sessions below which an interval would promise too much.
LEAST_SESSIONS = 10
#: Share of draws that an interval holds.
COVERED = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A difference with the ends of its 95 % interval; None where there are too few sessions for one."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def is_clear(self) -> bool:
        """Whether it is more than chance: the interval does not hold 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Which block each turn of a side belongs to; `count` blocks."""

    block: Int64
    count: int


def blocks_of(session: Int64, sessions: Int64) -> Blocks:
    """Blocks of turns by their session.

    Args:
        sessions: all sessions there are, ascending, of both sides if these are drawn together.
    """
    place = np.searchsorted(sessions, session)
    return Blocks(place % MOST_BLOCKS, min(len(sessions), MOST_BLOCKS))


class Resampling:
    """Draws of blocks; sides with the same resampling are drawn together.

    Args:
        stream: number of the random stream, so that sides drawn apart are drawn differently.
    """

    def __init__(self, blocks: int, stream: int = 0) -> None:
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(20_260, spawn_key=(stream,))))
        drawn = generator.integers(0, max(blocks, 1), (REPLICATES, blocks))
        places = drawn + np.arange(REPLICATES)[:, None] * blocks
        counts = np.bincount(places.ravel(), minlength=REPLICATES * blocks)
        self._weights = counts.reshape(REPLICATES, blocks).astype(np.float32)

    def totals(self, per_block: Float) -> Float:
        """Sum of a quantity over what is drawn, [REPLICATES]."""
        drawn: Float = self._weights.astype(np.float64) @ per_block
        return drawn

    def quantiles(self, values: Int64, blocks: Blocks, quantiles: Mapping[str, float]) -> dict[str, Float]:
        """Quantiles of what is drawn, [REPLICATES] each; NaN where nothing is.

        Values are counted in `CELLS` cells of about as many values each; inside a cell they are taken to lie evenly.
        """
        nodes = _nodes(values)
        cell = np.searchsorted(nodes, values)
        counts = np.bincount(blocks.block * len(nodes) + cell, minlength=blocks.count * len(nodes))
        table = counts.reshape(blocks.count, len(nodes)).astype(np.float32)
        below = np.cumsum(self._weights @ table, axis=1, dtype=np.float64)
        is_exact = len(nodes) < CELLS
        return {name: _at(below, nodes, q, is_exact) for name, q in quantiles.items()}


def _nodes(values: Int64) -> Int64:
    """Upper ends of the cells, ascending; every value by itself if there are few."""
    ordered = np.sort(values)
    nodes = distinct(ordered)
    if len(nodes) < CELLS:
        return nodes
    ranks = np.linspace(0, len(ordered) - 1, CELLS + 1).astype(np.int64)
    return distinct(ordered[ranks])


def distinct(ordered: Int64) -> Int64:
    """The values of an ascending column, each once."""
    return ordered[np.append(True, np.diff(ordered) != 0)] if len(ordered) else ordered


def _at(below: Float, nodes: Int64, quantile: float, is_exact: bool) -> Float:
    total = below[:, -1]
    rank = np.ceil(quantile * total)
    cell = np.minimum((below < rank[:, None]).sum(axis=1), len(nodes) - 1)
    value = nodes[cell].astype(np.float64)
    if not is_exact:
        rows = np.arange(len(below))
        before = np.where(cell > 0, below[rows, cell - 1], 0.0)
        inside = np.maximum(below[rows, cell] - before, 1.0)
        low = nodes[np.maximum(cell - 1, 0)]
        value = low + (rank - before) / inside * (value - low)
    return np.where(total > 0, value, math.nan)


def estimate(value: float, draws: Float, sessions: int) -> Estimate:
    """A difference with the interval that the draws give."""
    known = draws[np.isfinite(draws)]
    if sessions < LEAST_SESSIONS or not len(known):
        return Estimate(value)
    low, high = np.quantile(known, [(1 - COVERED) / 2, (1 + COVERED) / 2])
    return Estimate(value, float(low), float(high))
