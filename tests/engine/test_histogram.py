"""Histograms of durations: parts add up to the whole, quantiles are off by less than a bucket."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsecond.engine.histogram import BITS, Histogram

DURATIONS = st.lists(st.integers(0, (1 << 60) - 1) | st.integers(0, 10**7), min_size=1, max_size=200)
NS = 1000


def histogram(values: list[int]) -> Histogram:
    made = Histogram()
    made.add(np.array(values, np.int64))
    return made


@given(DURATIONS, st.sampled_from([0.01, 0.1, 0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_quantile_is_off_by_less_than_a_bucket(values: list[int], q: float) -> None:
    true = sorted(values)[math.ceil(q * len(values)) - 1]
    found = histogram(values).quantile_ps(q)
    assert true <= found
    assert found - true <= max(true / (1 << BITS), NS)


@given(DURATIONS, DURATIONS)
def test_parts_add_up_to_the_whole(left: list[int], right: list[int]) -> None:
    merged = histogram(left)
    merged.merge(histogram(right))
    assert (merged.counts == histogram(left + right).counts).all()
    assert merged.total == len(left) + len(right)


@given(DURATIONS)
def test_the_order_of_merging_does_not_matter(values: list[int]) -> None:
    one, other = histogram(values[::2]), histogram(values[1::2])
    back = histogram(values[1::2])
    one.merge(other)
    back.merge(histogram(values[::2]))
    assert (one.counts == back.counts).all()


@given(st.integers(0, (1 << 60) - 1))
def test_longer_durations_never_fall_into_a_lower_bucket(value: int) -> None:
    longer = min(value + value // 64 + 2 * NS, (1 << 60) - 1)
    assert histogram([value]).counts.argmax() <= histogram([longer]).counts.argmax()


def test_a_quantile_of_even_values() -> None:
    made = histogram([ms * 10**9 for ms in range(1, 1001)])
    assert made.quantile_ps(0.5) == pytest.approx(500 * 10**9, rel=2**-BITS)
    assert made.quantile_ps(1.0) == pytest.approx(1000 * 10**9, rel=2**-BITS)


def test_the_least_and_the_largest_duration_have_a_place() -> None:
    made = histogram([0, (1 << 60) - 1])
    assert made.counts[0] == 1
    assert made.quantile_ps(0.5) == NS - 1
    assert made.quantile_ps(1.0) >= (1 << 60) - 1


def test_nothing_added_changes_nothing() -> None:
    made = histogram([5])
    made.add(np.zeros(0, np.int64))
    assert made.total == 1


@pytest.mark.parametrize("value", [-1, 1 << 60])
def test_durations_out_of_range_are_refused(value: int) -> None:
    with pytest.raises(ValueError, match=r"\[0, 2\^60\)"):
        histogram([5, value])


@pytest.mark.parametrize("q", [0.0, -0.5, 1.5, math.nan])
def test_a_quantile_outside_0_to_1_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match="q must be"):
        histogram([1]).quantile_ps(q)


def test_an_empty_histogram_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="empty"):
        Histogram().quantile_ps(0.5)


def test_counts_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="buckets"):
        Histogram(np.zeros(3, np.int64))
