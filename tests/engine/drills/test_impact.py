"""Two courses of the same turns, held against each other turn by turn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.courses import BUDGET, S, course

from subsecond.engine.drills.course import Course, Fate, fates, paired
from subsecond.engine.drills.impact import Impact, impact_of, together
from subsecond.engine.turns import TurnState

PENDING, ANSWERED, FAILED, CANCELLED = TurnState.PENDING, TurnState.ANSWERED, TurnState.FAILED, TurnState.CANCELLED


def impact(a: Course, b: Course, begin_s: float = 10.0, end_s: float | None = 20.0) -> Impact:
    return impact_of(a, b, "coding", [BUDGET], round(begin_s * S), None if end_s is None else round(end_s * S))


def test_every_fate_is_told_apart() -> None:
    turns = course(
        [-1, 1, 990, 999.5, 3, 4, 5],
        [0, 0.9, 10, 0.5, 1.1, 0.2, 0.3],
        [PENDING, ANSWERED, PENDING, PENDING, ANSWERED, FAILED, CANCELLED],
    )
    names = [Fate(fate).name for fate in fates(turns, [BUDGET])]
    assert names == ["ABSENT", "MET", "LATE", "OPEN", "LATE", "FAILED", "CANCELLED"]


def test_turns_before_the_time_that_counts_are_absent() -> None:
    assert list(fates(course([1, 5], [0.1, 0.1], from_s=5.0), [BUDGET])) == [Fate.ABSENT, Fate.MET]


def test_both_directions_are_counted() -> None:
    start = [1, 11, 12, 21, 22, 23]
    a = course(start, [0.5, 0.5, 1.5, 0.5, 0.5, 0.5])
    b = course([1, 11, 12, 25, 26, -1], [0.5, 9.0, 0.5, 2.0, 0.5, 0.0], [*[ANSWERED] * 3, FAILED, ANSWERED, PENDING])
    found = impact(a, b)
    assert (found.broken, found.mended, found.lost, found.put_off, found.brought_forward) == (2, 1, 1, 1, 0)
    assert (found.broken_before, found.broken_during, found.broken_after) == (0, 1, 1)
    assert found.turns == (6, 5)
    assert found.met == (5, 3)
    assert found.missed == (1, 2)
    assert found.attainment == (pytest.approx(5 / 6), pytest.approx(3 / 5))
    assert found.longest_ps == (round(1.5 * S), 9 * S)
    assert found.slower_ps == round((8.5 - 1.0) * S)
    # net of both directions, put-off turns aside
    assert found.met[0] - found.met[1] == found.broken - found.mended + found.put_off


def test_a_turn_that_only_one_recording_knows_is_absent_from_the_other() -> None:
    a = course([1, 2, 3], [0.5, 0.5, 2.0], index=[0, 1, 2])
    b = course([1, 4], [0.5, 0.5], index=[0, 3])
    found = impact(a, b)
    assert found.table[Fate.MET, Fate.ABSENT] == 1
    assert found.table[Fate.LATE, Fate.ABSENT] == 1
    assert found.table[Fate.ABSENT, Fate.MET] == 1
    assert found.turns == (3, 2)
    assert [list(p) for p in paired(a, b)] == [[0], [0]]


def test_another_kind_is_none_of_it() -> None:
    turns = course([1, 2], [0.5, 0.5], kinds=("voice", "coding"))
    assert impact(turns, turns).table.sum() == 0


def test_a_fault_that_is_never_mended_has_no_after() -> None:
    found = impact(course([30], [0.5]), course([30], [3.0]), end_s=None)
    assert (found.broken_during, found.broken_after) == (1, 0)


turns_drawn = st.lists(
    st.tuples(
        st.sampled_from([-1.0, 0.0, 5.0, 15.0, 25.0]), st.sampled_from([0.5, 2.0]), st.sampled_from(list(TurnState))
    ),
    min_size=1,
    max_size=12,
)


@settings(derandomize=True, database=None, deadline=None, max_examples=200)
@given(turns_drawn, turns_drawn, st.booleans())
def test_every_turn_stands_in_the_table_once(
    first: list[tuple[float, float, int]], second: list[tuple[float, float, int]], is_same: bool
) -> None:
    def made(drawn: list[tuple[float, float, int]]) -> Course:
        start, took, state = zip(*drawn, strict=True)
        begun = [PENDING if s < 0 else end for s, end in zip(start, state, strict=True)]
        return course(start, took, begun)

    a, b = made(first), made(first if is_same else second)
    found = impact(a, b)
    assert found.table.sum() == max(len(a), len(b))
    assert (found.table >= 0).all()
    for side, turns in enumerate((a, b)):
        fate = fates(turns, [BUDGET])
        counts = np.bincount(fate, minlength=len(Fate))
        in_table = found.table.sum(axis=1 - side)
        assert (in_table[1:] == counts[1:]).all()
        assert found.turns[side] == np.count_nonzero(turns.counted)
    assert found.broken == found.broken_before + found.broken_during + found.broken_after
    if is_same:
        assert found.table.sum() == np.trace(found.table)
        assert (found.lost, found.broken, found.mended, found.put_off, found.slower_ps) == (0, 0, 0, 0, 0)
    both = together([found, found])
    assert (both.table == 2 * found.table).all()
    assert both.broken == 2 * found.broken
    assert both.longest_ps == found.longest_ps


def test_nothing_cannot_be_added_up() -> None:
    with pytest.raises(ValueError, match="no impacts"):
        together([])
