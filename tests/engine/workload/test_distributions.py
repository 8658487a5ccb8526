"""Draws: the same bytes everywhere, through the known quantiles, with streams that leave each other alone."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsecond.engine.workload.distributions import (
    CELLS,
    MAX_VALUE,
    STREAMS,
    Table,
    choices,
    draw_mixture,
    exponential,
    geometric,
    poisson_arrivals,
    quantiles,
    raw_bits,
    stream,
    uniform,
)

POINTS = st.lists(
    st.tuples(st.integers(0, 100), st.integers(0, 10**6)), min_size=1, max_size=8, unique_by=lambda p: p[0]
).map(lambda ps: list(zip(sorted(p / 100 for p, _ in ps), sorted(float(v) for _, v in ps), strict=True)))


def generator(seed: int = 1, name: str = "coding.tools") -> np.random.Generator:
    return stream(seed, name)


def test_every_stream_has_a_number_of_its_own() -> None:
    assert len(set(STREAMS.values())) == len(STREAMS)


def test_streams_of_one_seed_differ() -> None:
    firsts = {int(stream(7, name).integers(0, 2**63)) for name in STREAMS}
    assert len(firsts) == len(STREAMS)


def test_a_stream_is_the_same_whatever_others_drew() -> None:
    alone = stream(3, "voice.reply").integers(0, 2**63, 10)
    stream(3, "voice.tools").integers(0, 2**63, 1000)
    assert (stream(3, "voice.reply").integers(0, 2**63, 10) == alone).all()


def test_an_unknown_stream_and_a_negative_seed_are_refused() -> None:
    with pytest.raises(KeyError):
        stream(1, "coding.lottery")
    with pytest.raises(ValueError, match="negative"):
        stream(-1, "coding.tools")


@given(POINTS)
def test_a_table_goes_through_its_quantiles(points: list[tuple[float, float]]) -> None:
    table = quantiles(points)
    for p, value in points:
        low = int(table.nodes[math.floor(p * CELLS)])
        high = int(table.nodes[math.ceil(p * CELLS)])
        assert low - 1 <= value <= high + 1
    assert table.nodes[0] == round(points[0][1])
    assert table.nodes[-1] == round(points[-1][1])


@given(POINTS, st.integers(0, 2**32))
def test_draws_stay_within_the_quantiles(points: list[tuple[float, float]], seed: int) -> None:
    drawn = quantiles(points).draw(generator(seed), 200)
    assert drawn.min() >= round(points[0][1])
    assert drawn.max() <= round(points[-1][1])


def test_draws_have_the_quantiles_and_the_mean_of_the_table() -> None:
    table = quantiles([(0, 1_000), (0.5, 4_000), (0.9, 30_000), (0.99, 400_000), (1, 900_000)])
    drawn = table.draw(generator(), 200_000)
    for p in (0.1, 0.5, 0.9, 0.99):
        assert np.quantile(drawn, p) == pytest.approx(table.quantile(p), rel=0.03)
    assert drawn.mean() == pytest.approx(table.mean(), rel=0.02)


def test_between_quantiles_the_curve_is_straight_in_log_space() -> None:
    table = quantiles([(0, 100), (1, 1_000_000)])
    assert table.quantile(0.25) == pytest.approx(1_000, rel=0.002)
    assert table.quantile(0.75) == pytest.approx(100_000, rel=0.002)


def test_scale_turns_units() -> None:
    assert quantiles([(0.5, 1.5)], 1e6).quantile(0.5) == 1_500_000


def test_a_constant_needs_no_random_bits() -> None:
    one = generator()
    assert (quantiles([(0.5, 42)]).draw(one, 5) == 42).all()
    assert one.integers(0, 2**63) == generator().integers(0, 2**63)


@given(st.integers(0, 500), st.integers(0, 500))
def test_more_draws_keep_the_earlier_ones(few: int, more: int) -> None:
    table = quantiles([(0, 1), (1, 10**9)])
    assert (table.draw(generator(5), few + more)[:few] == table.draw(generator(5), few)).all()


@pytest.mark.parametrize(
    "points",
    [[], [(0.5, 2), (0.5, 3)], [(0.6, 1), (0.5, 2)], [(0.1, 5), (0.9, 4)]],
)
def test_quantiles_that_do_not_ascend_are_refused(points: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="quantile"):
        quantiles(points)


@pytest.mark.parametrize(
    "nodes",
    [np.zeros(3), np.full(CELLS + 1, -1), np.full(CELLS + 1, MAX_VALUE + 1), np.arange(CELLS + 1)[::-1]],
)
def test_a_table_must_ascend_within_its_range(nodes: np.ndarray) -> None:
    with pytest.raises(ValueError, match="table"):
        Table(nodes.astype(np.int64))


def test_the_largest_table_does_not_overflow() -> None:
    nodes = np.full(CELLS + 1, MAX_VALUE, np.int64)
    nodes[:-1] = 0
    drawn = Table(nodes).draw(generator(), 100_000)
    assert drawn.min() >= 0
    assert drawn.max() <= MAX_VALUE


def test_a_mixture_draws_each_item_from_its_table() -> None:
    low, high = quantiles([(0, 10), (1, 20)]), quantiles([(0, 1000), (1, 2000)])
    kind = np.arange(10_000) % 2
    drawn = draw_mixture([low, high], kind, generator())
    assert drawn[kind == 0].max() <= 20
    assert drawn[kind == 1].min() >= 1000


def test_an_item_of_a_mixture_keeps_its_luck_when_another_changes_its_kind() -> None:
    tables = [quantiles([(0, 10), (1, 20_000)]), quantiles([(0, 1000), (1, 2000)])]
    kind = np.zeros(1000, np.int64)
    changed = kind.copy()
    changed[::3] = 1
    before, after = draw_mixture(tables, kind, generator()), draw_mixture(tables, changed, generator())
    assert (before[changed == 0] == after[changed == 0]).all()


def test_an_exponential_has_its_mean_and_its_tail() -> None:
    drawn = exponential(10**6).draw(generator(), 400_000)
    assert drawn.mean() == pytest.approx(10**6, rel=0.01)
    assert (drawn > 3 * 10**6).mean() == pytest.approx(math.exp(-3), rel=0.03)


@given(st.integers(0, 1 << 60), st.integers(0, 2**32))
def test_uniform_draws_are_exact_shares_of_the_end(end: int, seed: int) -> None:
    drawn = uniform(generator(seed), 20, end)
    bits = raw_bits(generator(seed), 20).astype(np.int64) >> 2
    assert drawn.tolist() == [int(b) * end >> 30 for b in bits]


def test_uniform_draws_fill_the_range() -> None:
    drawn = uniform(generator(), 100_000, 10**18)
    assert drawn.min() < 10**14
    assert drawn.max() > 10**18 - 10**14
    assert drawn.mean() == pytest.approx(5 * 10**17, rel=0.01)


@given(st.integers(0, 99), st.integers(0, 99))
def test_more_bits_keep_the_earlier_ones(few: int, more: int) -> None:
    assert (raw_bits(generator(), few + more)[:few] == raw_bits(generator(), few)).all()


def test_a_geometric_count_has_its_mean_and_its_limit() -> None:
    drawn = geometric(generator(), 200_000, 3.0)
    assert drawn.min() == 1
    assert drawn.mean() == pytest.approx(3, rel=0.02)
    assert (drawn == 1).mean() == pytest.approx(1 / 3, rel=0.02)
    assert geometric(generator(), 10_000, 3.0, 4).max() == 4
    assert (geometric(generator(), 100, 1.0) == 1).all()


@pytest.mark.parametrize(("mean", "most"), [(0.5, 10), (2.0, 0)])
def test_a_geometric_count_out_of_range_is_refused(mean: float, most: int) -> None:
    with pytest.raises(ValueError, match="geometric"):
        geometric(generator(), 1, mean, most)


@pytest.mark.parametrize("share", [0.0, 0.013, 0.5, 1.0])
def test_choices_have_their_share(share: float) -> None:
    assert choices(generator(), 100_000, share).mean() == pytest.approx(share, abs=0.004)


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        choices(generator(), 1, share)


@pytest.mark.parametrize("rate", [0.1, 2.5, 1e3, 1e5])
def test_arrivals_ascend_at_their_rate(rate: float) -> None:
    times = poisson_arrivals(generator(), 50_000, rate)
    assert (np.diff(times) >= 0).all()
    assert times[-1] / 1e12 == pytest.approx(50_000 / rate, rel=0.02)
    gaps = np.diff(times) * rate / 1e12
    assert gaps.std() == pytest.approx(1, rel=0.03)


def test_the_same_seed_gives_the_same_bytes_on_every_machine() -> None:
    digest = hashlib.blake2b(digest_size=8)
    curve = quantiles([(0.01, 3.7), (0.5, 84), (0.9, 1236), (1, 3600)], 1e6)
    for drawn in (
        curve.nodes,
        curve.draw(generator(), 1000),
        exponential(123_457).nodes,
        geometric(generator(), 1000, 2.7),
        choices(generator(), 1000, 0.3),
        poisson_arrivals(generator(), 1000, 3.0),
    ):
        digest.update(drawn.tobytes())
    assert digest.hexdigest() == "d8128fd3fdad693e"
