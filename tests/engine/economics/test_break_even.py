"""Break-even prices: they agree with trying prices one by one, and at them both sides cost the same."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from subsecond.engine.economics.amount import Amount
from subsecond.engine.economics.break_even import BreakEven, Side, Verdict, break_even

USD = st.floats(0, 1e4)
COUNT = st.integers(0, 64).map(float)
RATE = st.one_of(st.just(0.0), st.floats(0.01, 1e6))
TOKENS = st.floats(1, 1e9)


def amount(usd: float, wafers: float) -> Amount:
    return Amount(usd, {"wse-3": wafers} if wafers else {})


SIDES = st.builds(Side, st.builds(amount, USD, COUNT), RATE, TOKENS)


def per_turn(side: Side, price: float) -> float:
    """Cost per turn in time at a price; infinite where there is none."""
    if side.good_per_hour == 0:
        return math.inf
    return side.hourly.at({"wse-3": price}) / side.good_per_hour


def says_cheaper(found: BreakEven, price: float) -> bool:
    """What a break-even says of one price."""
    at = found.usd_per_device_hour
    match found.verdict:
        case Verdict.BELOW:
            assert at is not None
            return price < at
        case Verdict.ABOVE:
            assert at is not None
            return price > at
        case Verdict.ANY | Verdict.CHEAPER:
            return True
        case Verdict.NEVER | Verdict.NEITHER | Verdict.DEARER:
            return False
    raise AssertionError(found.verdict)


@given(SIDES, SIDES)
def test_it_agrees_with_trying_prices_one_by_one(a: Side, b: Side) -> None:
    found = break_even(a, b)
    prices = [0.0, *np.geomspace(1e-3, 1e6, 60).tolist()]
    if found.usd_per_device_hour:
        prices += [found.usd_per_device_hour * factor for factor in (0.5, 0.999, 1.001, 2.0)]
    for price in prices:
        mine, others = per_turn(a, price), per_turn(b, price)
        if math.isinf(mine) and math.isinf(others):
            assert found.verdict is Verdict.NEITHER
        elif not math.isclose(mine, others, rel_tol=1e-6, abs_tol=1e-9):
            assert says_cheaper(found, price) == (mine < others), price


@given(USD, st.integers(1, 64).map(float), st.floats(0.1, 1e4), st.floats(0.01, 1e6), st.floats(0.01, 1e6), TOKENS)
def test_at_the_break_even_both_cost_the_same_by_the_hour_and_by_the_token(
    k: float, n: float, price: float, mine: float, theirs: float, tokens: float
) -> None:
    a = Side(amount(k, n), mine, tokens)
    b = Side(Amount((k + n * price) / mine * theirs), theirs, 1.0)
    found = break_even(a, b)
    assert (found.verdict, found.device) == (Verdict.BELOW, "wse-3")
    assert found.usd_per_device_hour is not None
    assert math.isclose(found.usd_per_device_hour, price, rel_tol=1e-6)
    assert math.isclose(per_turn(a, found.usd_per_device_hour), per_turn(b, 0.0), rel_tol=1e-6)
    assert found.usd_per_m_output is not None
    bought = found.usd_per_m_output * a.output_tokens_per_hour / 1e6
    assert math.isclose(bought, a.hourly.at({"wse-3": found.usd_per_device_hour}), rel_tol=1e-6)


@given(SIDES, SIDES, st.floats(0.01, 100), st.floats(0.01, 100))
def test_neither_the_length_of_the_run_nor_the_currency_matters(a: Side, b: Side, time: float, money: float) -> None:
    def scaled(side: Side) -> Side:
        hourly = Amount(side.hourly.usd * money, side.hourly.hours)
        return Side(hourly, side.good_per_hour * time, side.output_tokens_per_hour * time)

    first, second = break_even(a, b), break_even(scaled(a), scaled(b))
    edge = first.usd_per_device_hour is not None and first.usd_per_device_hour < 1e-6
    assume(not edge)
    assert {first.verdict, second.verdict} <= {Verdict.BELOW, Verdict.NEVER} or first.verdict is second.verdict
    if first.usd_per_device_hour is not None and second.usd_per_device_hour is not None:
        assert math.isclose(first.usd_per_device_hour * money, second.usd_per_device_hour, rel_tol=1e-6, abs_tol=1e-6)


@given(
    USD,
    st.integers(1, 64).map(float),
    USD,
    st.floats(0.01, 1e4),
    st.floats(0.01, 1e4),
    st.floats(1, 10),
    st.floats(1, 10),
)
def test_it_rises_with_what_the_other_costs_and_with_what_one_gives(
    k: float, n: float, cost: float, mine: float, theirs: float, dearer: float, better: float
) -> None:
    def price(cost: float, good: float) -> float:
        found = break_even(Side(Amount(k, {"wse-3": n}), good, 1.0), Side(Amount(cost), theirs, 1.0))
        return found.usd_per_device_hour or 0.0

    assert price(cost, mine) <= price(cost * dearer, mine) * (1 + 1e-12)
    assert price(cost, mine) <= price(cost, mine * better) * (1 + 1e-12)


GPU = Side(Amount(60.0), 1000.0, 1e6)


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        (Side(amount(30, 4), 0.0, 1.0), GPU, Verdict.NEVER),
        (Side(amount(30, 4), 10.0, 1.0), Side(Amount(60.0), 0.0, 1.0), Verdict.ANY),
        (Side(amount(30, 4), 0.0, 1.0), Side(Amount(60.0), 0.0, 1.0), Verdict.NEITHER),
        (Side(amount(80, 4), 1000.0, 1e6), GPU, Verdict.NEVER),
        (Side(amount(60, 4), 1000.0, 1e6), GPU, Verdict.NEVER),
        (Side(amount(40, 0), 1000.0, 1e6), GPU, Verdict.CHEAPER),
        (Side(amount(60, 0), 1000.0, 1e6), GPU, Verdict.DEARER),
        (Side(amount(10, 2), 1000.0, 1e6), Side(amount(20, 4), 1000.0, 1e6), Verdict.ANY),
        (Side(amount(30, 2), 1000.0, 1e6), Side(amount(20, 4), 1000.0, 1e6), Verdict.ABOVE),
        (Side(amount(30, 4), 1000.0, 1e6), Side(amount(20, 4), 1000.0, 1e6), Verdict.NEVER),
        (Side(amount(10, 4), 1000.0, 1e6), Side(amount(20, 4), 1000.0, 1e6), Verdict.ANY),
    ],
)
def test_the_edges(a: Side, b: Side, verdict: Verdict) -> None:
    assert break_even(a, b).verdict is verdict


def test_a_plain_case() -> None:
    found = break_even(Side(amount(36, 4), 1500.0, 2e6), GPU)
    assert found == BreakEven(Verdict.BELOW, "wse-3", (90 - 36) / 4, 90 - 36, 45.0)


def test_several_unknown_prices_have_room_together() -> None:
    found = break_even(Side(Amount(10.0, {"rubin": 8.0, "groq-lpx": 1.0}), 2000.0, 1e6), GPU)
    assert found == BreakEven(Verdict.BELOW, None, None, 110.0, 120.0)
    none = break_even(Side(Amount(10.0, {"rubin": 8.0, "groq-lpx": 1.0}), 100.0, 1e6), GPU)
    assert none.verdict is Verdict.NEVER


def test_two_different_unknown_prices_say_nothing() -> None:
    a, b = Side(Amount(0.0, {"rubin": 8.0}), 10.0, 1.0), Side(Amount(0.0, {"wse-3": 4.0}), 10.0, 1.0)
    assert break_even(a, b) == BreakEven(Verdict.UNKNOWN)
