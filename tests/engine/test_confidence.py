"""Shares of turns and how sure they are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subsecond.engine.confidence import difference_of, share_of, student_quantile


@pytest.mark.parametrize(
    ("share", "freedom", "quantile"),
    [
        (0.975, 1, 12.706205),
        (0.975, 2, 4.302653),
        (0.975, 3, 3.182446),
        (0.975, 4, 2.776445),
        (0.975, 7, 2.364624),
        (0.95, 10, 1.812461),
        (0.995, 30, 2.749996),
        (0.975, 1000, 1.962339),
        (0.5, 5, 0.0),
    ],
)
def test_quantiles_are_those_of_printed_tables(share: float, freedom: int, quantile: float) -> None:
    assert student_quantile(share, freedom) == pytest.approx(quantile, abs=1e-6)


@pytest.mark.parametrize(("share", "freedom"), [(0.4, 3), (1.0, 3), (0.9, 0)])
def test_quantiles_beyond_the_distribution_are_refused(share: float, freedom: int) -> None:
    with pytest.raises(ValueError, match="share in"):
        student_quantile(share, freedom)


runs = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=12)


@settings(deadline=None)  # a busy machine
@given(runs)
def test_the_share_is_that_of_all_turns_and_lies_in_its_interval(counts: list[tuple[int, int]]) -> None:
    met, total = [m for m, _ in counts], [m + missed for m, missed in counts]
    if not sum(total):
        with pytest.raises(ValueError, match="nothing"):
            share_of(met, total, 0.95)
        return
    share = share_of(met, total, 0.95)
    assert share.value == sum(met) / sum(total)
    assert share.low is not None
    assert share.high is not None
    assert 0 <= share.low <= share.value <= share.high <= 1
    wider = share_of(met, total, 0.99)
    assert wider.low is not None
    assert wider.low <= share.low


def test_runs_that_agree_leave_no_doubt_and_one_run_says_nothing() -> None:
    assert share_of([8, 16], [10, 20], 0.95) == share_of([8, 16], [10, 20], 0.5)
    single = share_of([8], [10], 0.95)
    assert (single.value, single.low, single.high) == (0.8, None, None)


def test_equal_runs_give_the_usual_interval() -> None:
    """With as many turns in each run the estimator is the mean of the runs' shares, with its standard error."""
    met = [80, 90, 85, 70]
    shares = np.array(met) / 100
    reach = 3.182446 * shares.std(ddof=1) / math.sqrt(4)
    share = share_of(met, [100] * 4, 0.95)
    assert share.high == pytest.approx(shares.mean() + reach, abs=1e-6)


@settings(deadline=None)  # a busy machine
@given(runs, st.integers(0, 5))
def test_a_difference_of_paired_runs_has_its_sign_and_none_to_itself(counts: list[tuple[int, int]], more: int) -> None:
    met, total = [m for m, _ in counts], [m + missed for m, missed in counts]
    if not sum(total):
        with pytest.raises(ValueError, match="nothing"):
            difference_of(met, total, met, total, 0.95)
        return
    same = difference_of(met, total, met, total, 0.95)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    better = [min(m + more, t) for m, t in zip(met, total, strict=True)]
    gain, loss = (difference_of(*pair, 0.95) for pair in ((better, total, met, total), (met, total, better, total)))
    assert gain.value == pytest.approx(-loss.value)
    assert gain.low is not None
    assert gain.high is not None
    assert gain.low <= gain.value <= gain.high


def test_equal_runs_give_the_paired_interval() -> None:
    met, other = [80, 90, 85, 70], [78, 85, 84, 66]
    gains = (np.array(met) - np.array(other)) / 100
    reach = 3.182446 * gains.std(ddof=1) / math.sqrt(4)
    difference = difference_of(met, [100] * 4, other, [100] * 4, 0.95)
    assert difference.value == pytest.approx(gains.mean())
    assert difference.low == pytest.approx(gains.mean() - reach, abs=1e-6)
    assert difference_of([8], [10], [7], [10], 0.95).low is None
