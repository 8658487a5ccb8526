"""Turns over time, and recovery against series made by hand."""

from __future__ import annotations

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


def test_windows_in_which_nobody_begins_are_not_as_before() -> None:
    gone = [s for s in START if not 200 <= s < 260]
    assert recovery(course(gone, [0.5] * len(gone), stop_s=600.0)).after_ps == 35 * S  # 235 s on, each sees somebody


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
