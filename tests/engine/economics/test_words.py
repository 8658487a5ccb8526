"""Numbers for people: few digits, and no exponents."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsecond.engine.economics.document import SumDoc
from subsecond.engine.economics.words import load_words, money, number_words, sum_words


@given(st.floats(1e-9, 1e12), st.integers(1, 8), st.sampled_from((1, -1)))
def test_a_number_in_words_is_near_it_and_has_no_exponent(size: float, digits: int, sign: int) -> None:
    words = number_words(sign * size, digits)
    assert "e" not in words
    assert math.isclose(float(words.replace(",", "")), sign * size, rel_tol=0.51 * 10 ** (1 - digits))
    assert "." not in words or not words.endswith("0")


@pytest.mark.parametrize(("hours", "words"), [(1980.4, "1,980 CS-3-h"), (999.6, "1,000 CS-3-h"), (2.5, "2.5 CS-3-h")])
def test_hours_of_machines_have_thousands_set_apart(hours: float, words: str) -> None:
    assert sum_words(SumDoc(0.0, {"wse-3": hours}), {"wse-3": "CS-3"}) == words


def test_small_amounts_and_loads_have_no_exponent_either() -> None:
    assert sum_words(SumDoc(0.0, {"wse-3": 1e-9}), {}) == "0.0000036 wse-3-s"
    assert money(1e-8) == "0.000001 ct"
    assert (load_words(0.00001), load_words(0.25), load_words(2)) == ("0.00001x", "0.25x", "2x")
