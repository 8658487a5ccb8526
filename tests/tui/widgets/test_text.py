"""How values, stages and states are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from subsecond.engine.core.results import STAGES
from subsecond.engine.turns import TOOLS, TurnState
from subsecond.tui.widgets.canvas import INKS, Line
from subsecond.tui.widgets.text import (
    clean,
    clock_text,
    count_text,
    fit,
    lane_mark,
    round_above,
    share_text,
    stage_looks,
    state_look,
    time_text,
)

MS = 10**9


@pytest.mark.parametrize(
    ("ps", "text"),
    [
        (None, "-"),
        (0, "0 ms"),
        (1, "<.01 ms"),
        (420_000_000, "0.42 ms"),
        (9_994 * 10**6, "9.99 ms"),
        (9_996 * 10**6, "10 ms"),
        (412 * MS, "412 ms"),
        (999 * MS, "999 ms"),
        (999_600 * 10**6, "1.00 s"),
        (12_340 * MS, "12.3 s"),
        (100_000 * MS, "100 s"),
        (725_000 * MS, "12:05 m"),
        (12_000_000 * MS, "3:20 h"),
        (-5 * MS, "-5.00 ms"),
    ],
)
def test_times(ps, text):
    assert time_text(ps) == text


@given(st.integers(0, 99 * 3600 * 10**12))
def test_times_are_short(ps):
    assert len(time_text(ps)) <= 7


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_equal_texts_of_times_differ_by_less_than_a_hundredth(a, b):
    if time_text(a) == time_text(b) and max(a, b) > 10**10:
        assert abs(a - b) <= 0.1 * max(a, b)


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "-"), (0, "0 %"), (0.001, "<1 %"), (0.5, "50 %"), (0.992, "99.2 %"), (0.9999, ">99.9 %"), (1, "100 %")],
)
def test_shares(share, text):
    assert share_text(share) == text


@given(st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_only_all_and_nothing_read_so(share):
    assert share_text(share) not in ("0 %", "100 %")


@given(st.integers(1, 2000), st.integers(0, 2000), st.integers(1, 99))
def test_a_share_that_misses_what_is_asked_does_not_read_as_if_it_did_not(turns: int, met: int, percent: int) -> None:
    share, asked = min(met, turns) / turns, percent / 100
    shown = share_text(share, asked)
    if share >= asked:
        assert shown == share_text(share)
    elif shown not in ("<1 %", ">99.9 %"):
        assert float(shown.removesuffix(" %")) < percent


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (7, "7"), (1.5, "1.5"), (999, "999"), (1200, "1.2k"), (34_000, "34k"), (5.6e6, "5.6M"), (-3, "-3")],
)
def test_counts(count, text):
    assert count_text(count) == text


@given(st.floats(0, 1e300))
def test_counts_are_short(count):
    assert len(count_text(count)) <= 6


@pytest.mark.parametrize(("s", "text"), [(0, "0:00"), (42.4, "0:42"), (723, "12:03"), (7807, "2:10:07"), (-5, "-0:05")])
def test_moments(s, text):
    assert clock_text(s) == text


@given(st.floats(1e-300, 1e300))
def test_round_number_is_above_and_near(value):
    assert value <= round_above(value) <= 2.001 * value


def test_stages_differ_without_colour():
    names = ("audio_in", "endpointing", "speech_to_text", *STAGES, TOOLS, "text_to_speech", "audio_out")
    looks = stage_looks(names)
    assert len({look.glyph for look in looks}) == len(names)
    assert len({look.label for look in looks}) == len(names)
    assert all(look.ink in INKS and cell_len(look.glyph) == 1 for look in looks)


@given(st.lists(st.text(min_size=1, max_size=8), max_size=12, unique=True))
def test_unknown_stages_get_glyphs_of_their_own(names):
    looks = stage_looks([*STAGES, *names])
    assert len({look.glyph for look in looks}) == len({*STAGES, *names})


def test_states_differ_without_colour():
    looks = [
        state_look(TurnState.PENDING),
        state_look(TurnState.ANSWERED),
        state_look(TurnState.ANSWERED, (1, -1)),
        state_look(TurnState.ANSWERED, (1, 0)),
        state_look(TurnState.FAILED, (0,)),
        state_look(TurnState.CANCELLED),
    ]
    assert len({look.glyph for look in looks}) == len({look.word for look in looks}) == 6


def test_lanes_have_letters():
    assert [lane_mark(place) for place in (0, 1, 25, 26)] == ["A", "B", "Z", "A"]


@given(st.text(max_size=30), st.integers(0, 20), st.booleans())
def test_fit_is_exact_whatever_the_text(text, width, right):
    assert cell_len(fit(text, width, right)) == width


@given(st.text(max_size=30))
def test_clean_text_moves_no_cursor(text):
    shown = clean(text)
    assert clean(shown) == shown
    assert shown.isprintable()


def test_clean_drops_what_overrides_direction():
    assert clean("a\u202eb\u200bc\ud800") == "abc?"


@given(st.lists(st.tuples(st.integers(-5, 25), st.text(max_size=8)), max_size=8), st.integers(0, 20))
def test_line_keeps_its_width_whatever_is_written(writes, width):
    line = Line(width)
    for x, text in writes:
        line.put(x, text, "good")
    assert cell_len("".join(text for text, _ in line.row())) == width


def test_line_cuts_wide_letters_whole():
    line = Line(4)
    line.put(0, "日本")
    line.put(1, "x", "bad")
    assert "".join(text for text, _ in line.row()) == " x本"
    line.put(3, "日")
    assert "".join(text for text, _ in line.row()) == " x本"


def test_runs_of_equal_ink_are_one():
    line = Line(6)
    line.put(0, "ab", "good")
    line.put(2, "cd", "good")
    assert line.row() == (("abcd  ", "good"),)


def test_spaces_do_not_take_an_ink_that_shows_in_them():
    line = Line(6)
    line.put(0, "ab", "cursor")
    line.put(4, "c", "good")
    assert line.row() == (("ab", "cursor"), ("  ", "plain"), ("c ", "good"))
