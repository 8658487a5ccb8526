"""Intervals: nothing differs from itself, an interval holds the truth as often as it says, and cells lose little."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.comparison.bootstrap import (
    CELLS,
    LEAST_SESSIONS,
    Blocks,
    Estimate,
    Resampling,
    blocks_of,
    estimate,
)

Int64 = NDArray[np.int64]


def test_the_same_draws_of_the_same_values_do_not_differ() -> None:
    values = np.arange(500, dtype=np.int64) ** 2
    blocks = Blocks(np.arange(500) % 50, 50)
    drawn = [Resampling(50).quantiles(values, blocks, {"p95": 0.95})["p95"] for _ in range(2)]
    assert (drawn[0] == drawn[1]).all()
    assert estimate(0.0, drawn[0] - drawn[1], 50) == Estimate(0.0, 0.0, 0.0)


def test_few_values_are_drawn_as_they_are() -> None:
    values = np.array([3, 9, 27, 81], np.int64)
    drawn = Resampling(4).quantiles(values, Blocks(np.arange(4), 4), {"p50": 0.5, "p100": 1.0})
    assert set(np.unique(drawn["p50"])) <= {3.0, 9.0, 27.0, 81.0}
    assert len(np.unique(drawn["p100"])) > 1


def test_cells_change_a_quantile_by_less_than_a_cell() -> None:
    generator = np.random.Generator(np.random.PCG64(3))
    values = np.sort(generator.integers(0, 10**12, 20_000))
    blocks = Blocks(np.arange(20_000) % 1000, 1000)
    resampling = Resampling(1000)
    drawn = resampling.quantiles(values, blocks, {"p95": 0.95})["p95"]
    weights = np.stack([resampling.totals(np.eye(1000)[block]) for block in range(1000)], axis=1)
    for replicate in range(0, 1000, 100):
        below = np.cumsum(weights[replicate][blocks.block])
        exact = values[np.searchsorted(below, np.ceil(0.95 * below[-1]))]
        assert abs(drawn[replicate] - exact) < 2 * 10**12 / CELLS


def test_sessions_of_a_block_are_drawn_together() -> None:
    session = np.repeat(np.arange(5_000), 2)
    blocks = blocks_of(session, np.arange(5_000))
    assert blocks.count == 1000
    assert (np.bincount(blocks.block) == 10).all()
    assert (blocks.block[::2] == blocks.block[1::2]).all()


def test_nothing_is_said_about_few_sessions() -> None:
    draws = np.linspace(1, 2, 1000)
    assert estimate(1.5, draws, LEAST_SESSIONS - 1) == Estimate(1.5)
    assert not estimate(1.5, draws, LEAST_SESSIONS - 1).is_clear
    assert estimate(1.5, draws, LEAST_SESSIONS).is_clear


def test_nothing_drawn_is_no_interval() -> None:
    assert estimate(1.0, np.full(1000, np.nan), 100) == Estimate(1.0)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Means of turns that depend on their session: drawing turns one by one would hold it far less often."""
    generator = np.random.Generator(np.random.PCG64(11))
    held, trials, sessions, turns = 0, 300, 60, 8
    session = np.repeat(np.arange(sessions), turns)
    blocks = blocks_of(session, np.arange(sessions))
    for trial in range(trials):
        values = np.repeat(generator.normal(0, 1, sessions), turns) + generator.normal(0, 0.3, sessions * turns)
        resampling = Resampling(blocks.count, trial)
        totals = [resampling.totals(np.bincount(blocks.block, weights=w)) for w in (values, np.ones_like(values))]
        found = estimate(values.mean(), totals[0] / totals[1], sessions)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0 <= found.high
    assert 0.90 <= held / trials <= 0.98
