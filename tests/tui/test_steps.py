"""What a slider offers holds the default and the present value, lies in the domain, and goes up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsecond.engine.latency.knobs import Knobs
from subsecond.engine.latency.parameters import Domain
from subsecond.engine.latency.pipelines import build_pipeline
from subsecond.tui.steps import steps_of

numbers = st.floats(0, 1e12)
units = st.sampled_from(("", "ms", "us", "devices", "tokens", "share", "GB/s", "a unit"))


@given(numbers, numbers, units, st.booleans(), numbers, numbers)
def test_steps_go_up_and_stay_in_the_domain(
    default: float, value: float, unit: str, is_whole: bool, least: float, most: float
) -> None:
    domain = Domain(min(least, most), max(least, most), is_whole=is_whole)
    steps = steps_of(default, value, unit, domain)
    assert list(steps) == sorted(set(steps))
    assert {default, value} <= set(steps)
    assert len(steps) < 300
    for step in set(steps) - {default, value}:
        assert domain.least <= step <= domain.most
        assert step % 1 == 0 or not is_whole


@pytest.mark.parametrize("name", ["trn-cs3", "gpu"])
def test_every_number_of_a_pipeline_can_go_both_ways(name: str) -> None:
    knobs = Knobs(name, {})
    for key, value in build_pipeline(name).parameters.items():
        if value.number is not None:
            domain = knobs.domain(key)
            steps = steps_of(value.number, value.number, value.unit, domain)
            place = steps.index(value.number)
            assert place < len(steps) - 1 or value.number == domain.most, key
            assert place > 0 or value.number == domain.least, key


def test_shares_go_by_hundredths_and_short_ranges_by_ones() -> None:
    assert steps_of(0.9, 0.9, "share", Domain(0.01, 1.0))[:3] == (0.01, 0.02, 0.03)
    assert steps_of(4, 4, "tokens", Domain(0, 8, is_whole=True)) == tuple(range(9))
    assert steps_of(16, 16, "devices", Domain(1, 64 * 64, is_whole=True))[:5] == (1, 2, 4, 8, 16)
    assert steps_of(5, 7, "ms", Domain(0, 1e6))[17:24] == (5, 6, 7, 8, 10, 15, 20)
