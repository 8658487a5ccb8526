"""Turns over time, and recovery against series made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.courses import BUDGET, S, course

from subsecond.engine.drills.course import Course
from subsecond.engine.drills.windows import (
    FOREVER,
    Recovery,
    Spans,
    quantile_ps,
    recovery_of,
    spans_of,
    strip_of,
    window_for,
)
from subsecond.engine.turns import TurnState

#: A turn a second, each of half a second.
START = [float(s) for s in range(600)]
STEADY = course(START, [0.5] * 600, stop_s=600.0)
WIDTH = 30 * S


def with_took(changed: dict[range, float], state: dict[int, int] | None = None) -> Course:
    took = [0.5] * 600
    for seconds, value in changed.items():
        for s in seconds:
            took[s] = value
    states = [int(TurnState.ANSWERED)] * 600
    for s, value in (state or {}).items():
        states[s] = value
    return course(START, took, states, stop_s=600.0)


def spans(*courses: Course) -> Spans:
    return spans_of(courses, "coding", [BUDGET])


def recovery(turns: Course, usual: Course = STEADY, begin_s: float = 200.0, last_s: float = 200.0) -> Recovery:
    found = spans_of([turns], "coding", [BUDGET], [usual])
    return recovery_of(found, round(begin_s * S), round(last_s * S), WIDTH)


def test_what_was_never_away_needs_no_time() -> None:
    assert recovery(STEADY) == Recovery(S // 2, S // 2, 0, WIDTH)


def test_it_is_back_when_the_first_window_without_slow_turns_begins() -> None:
    found = recovery(with_took({range(200, 260): 5.0}))
    # one slow turn of thirty lies above p95: the window that begins at 259 s has one, which is not seen
    assert found.after_ps == 60 * S
    assert found.worst_ps == 5 * S
    # ten per cent more than before is as before
    assert recovery(with_took({range(200, 260): 0.55})).after_ps == 0
    assert recovery(with_took({range(200, 260): 0.56})).after_ps == 60 * S


def test_failed_turns_take_for_ever() -> None:
    found = recovery(with_took({}, dict.fromkeys(range(210, 230), TurnState.FAILED)))
    assert found.worst_ps == FOREVER
    assert found.after_ps == 30 * S


def test_what_does_not_last_is_no_recovery() -> None:
    # better for one window only, then bad again
    found = recovery(with_took({range(200, 240): 5.0, range(290, 320): 5.0}))
    assert found.after_ps == 120 * S
    # bad to the end
    assert recovery(with_took({range(200, 600): 5.0})).after_ps is None


def test_it_is_not_back_before_the_last_fault_has_struck() -> None:
    found = recovery(with_took({range(200, 230): 5.0, range(400, 430): 5.0}), last_s=400.0)
    assert found.after_ps == 230 * S


def test_what_the_load_does_by_itself_is_not_the_faults_doing() -> None:
    usual = with_took({range(300, 400): 4.0})
    found = recovery(with_took({range(200, 220): 5.0, range(300, 400): 4.0}), usual)
    assert found.after_ps == 20 * S
    # the same turns, but they begin later with the fault
    later = [s if s < 300 else s + 40 for s in START]
    took = [4.0 if 300 <= s < 400 else 0.5 for s in START]
    assert recovery(course(later, took, stop_s=640.0), usual).after_ps == 0


def test_it_is_not_back_where_nobody_begins() -> None:
    gone = [s for s in START if not 200 <= s < 260]
    assert recovery(course(gone, [0.5] * len(gone), stop_s=600.0)).after_ps == 60 * S


def outage(begin_s: float, end_s: float, waiting: int, per_s: float = 1.0) -> tuple[Spans, int]:
    """Closed loops, of which so many wait from the begin of an outage to its end, and nobody begins meanwhile.

    Gives the turns and when the last of those who waited has its answer: half a second each, one after the other.
    """
    calm = np.arange(0, 600, 1 / per_s)
    calm = calm[(calm < begin_s - 1) | (calm >= end_s)]
    held = begin_s - 0.1 * np.arange(1, waiting + 1)
    answered = end_s + 0.5 * np.arange(1, waiting + 1)
    start, took = np.concatenate([calm, held]), np.concatenate([np.full(len(calm), 0.5), answered - held])
    order = np.argsort(start)
    turns = course(start[order].tolist(), took[order].tolist(), stop_s=600.0)
    usual = course(start[order].tolist(), [0.5] * len(start), stop_s=600.0)
    return spans_of([turns], "coding", [BUDGET], [usual]), round(answered[-1] * S)


@pytest.mark.parametrize("waiting", [1, 3, 8, 40])
@pytest.mark.parametrize("length_s", [10.0, 60.0, 190.0])
@pytest.mark.parametrize("width_s", [5, 30, 60])
def test_an_outage_is_not_over_before_the_last_who_waited_is_answered(
    waiting: int, length_s: float, width_s: int
) -> None:
    turns, answered = outage(200.0, 200.0 + length_s, waiting, per_s=4.0)
    found = recovery_of(turns, 200 * S, 200 * S, width_s * S, round((200 + length_s) * S))
    # by windows alone it would be over sooner: they are mostly of turns that begin after it
    assert found.after_ps is not None
    assert found.after_ps == answered - 200 * S


def test_who_waits_for_ever_is_not_served_as_before() -> None:
    took = [0.5] * 600
    took[199] = 401.0
    states = [int(TurnState.ANSWERED)] * 600
    states[199] = int(TurnState.PENDING)
    assert recovery(course(START, took, states, stop_s=600.0), last_s=200.0).after_ps is None


def test_a_fault_that_delays_few_of_those_it_meets_is_over_by_the_windows() -> None:
    # one of forty turns under way while it lasts is delayed, and one in thirty of a window
    turns = spans_of([with_took({range(215, 216): 30.0})], "coding", [BUDGET], [STEADY])
    assert recovery_of(turns, 200 * S, 200 * S, WIDTH, 240 * S).after_ps == 0
    more = spans_of([with_took({range(215, 218): 30.0})], "coding", [BUDGET], [STEADY])
    assert recovery_of(more, 200 * S, 200 * S, WIDTH, 240 * S).after_ps == 47 * S


def test_what_nobody_knows_the_usual_of_is_delayed_beyond_the_longest_before() -> None:
    took = [0.5] * 600
    took[100], took[199], took[205] = 9.0, 9.5, 30.0
    own = course(START, took, stop_s=600.0)
    known = spans_of([own], "coding", [BUDGET])
    begun = known.start_ps < 190 * S
    unknown = replace(known, usual_ps=np.where(begun, known.took_ps, -1))
    assert recovery_of(unknown, 200 * S, 200 * S, WIDTH, 201 * S).after_ps == 0
    assert recovery_of(unknown, 200 * S, 200 * S, WIDTH, 206 * S).after_ps == 35 * S


def test_without_turns_before_there_is_nothing_to_be_back_to() -> None:
    assert recovery(STEADY, begin_s=0.0, last_s=0.0).before_ps is None
    assert recovery(STEADY, begin_s=0.0, last_s=0.0).after_ps is None


def test_strips_hold_every_turn_once_and_the_exact_quantile() -> None:
    generator = np.random.default_rng(5)
    start, took = np.sort(generator.uniform(0, 600, 700)), generator.exponential(1.0, 700)
    found = spans(course(start.tolist(), took.tolist(), stop_s=600.0))
    strip = strip_of(found, 45 * S)
    assert sum(strip.turns) == 700
    assert len(strip.begin_ps) == 14
    for begin, p95, kept in zip(strip.begin_ps, strip.p95_ps, strip.kept, strict=True):
        inside = (start * S >= begin - 0.5) & (start * S < begin + 45 * S - 0.5)
        values = np.sort(took[inside])
        assert p95 == pytest.approx(values[int(np.ceil(0.95 * len(values))) - 1] * S, abs=1)
        assert kept == pytest.approx(np.mean(values <= 1.0))


def test_strips_of_nothing() -> None:
    strip = strip_of(spans(course([], [], stop_s=100.0)), 50 * S)
    assert (strip.turns, strip.p95_ps, strip.kept) == ((0, 0), (None, None), (None, None))
    assert quantile_ps(np.zeros(0, np.int64)) is None


def test_runs_are_pooled() -> None:
    one, two = spans(STEADY), spans(STEADY, STEADY)
    assert len(two.start_ps) == 2 * len(one.start_ps)
    assert (np.diff(two.start_ps) >= 0).all()
    assert window_for(one) == 120 * S
    assert window_for(two) == 60 * S
    assert window_for(spans(course([1.0], [1.0], stop_s=600.0))) == 120 * S
    assert window_for(spans(course([1.0], [1.0], stop_s=60.0))) == 15 * S
