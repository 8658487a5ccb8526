"""Recovery found out while a run goes on is that of the whole run, and is never taken back."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from subsecond.engine.drills.windows import FOREVER, STEPS, Spans, recovery_of
from subsecond.tui.recovery import Known, RecoveryTracker

S = 10**12
FROM, BEGIN, STOP = 30 * S, 90 * S, 400 * S


def turns(seed: int, per_s: float, away_s: float, times: float) -> tuple[np.ndarray, np.ndarray]:
    """Starts and what each took: longer by a factor for a while from the event on, some of them lost."""
    rng = np.random.default_rng(seed)
    start = np.sort(rng.integers(0, STOP, round(per_s * STOP / S)))
    took = rng.integers(S // 2, 2 * S, len(start))
    is_away = (start >= BEGIN) & (start < BEGIN + round(away_s * S))
    took[is_away] = (took[is_away] * times).astype(np.int64)
    return start, np.where(is_away & (rng.random(len(start)) < 0.05), FOREVER, took)


@given(
    st.integers(0, 1000),
    st.sampled_from([0.2, 2.0, 8.0]),
    st.floats(0, 120),
    st.floats(1, 30),
    st.integers(0, 60),
    st.one_of(st.none(), st.integers(0, 90)),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_it_is_that_of_the_whole_run_and_never_taken_back(
    seed: int, per_s: float, away_s: float, times: float, last_s: int, mended_s: int | None
) -> None:
    start, took = turns(seed, per_s, away_s, times)
    end = start + np.where(took == FOREVER, 3 * S, took)
    tracker = RecoveryTracker(FROM, BEGIN, STOP - BEGIN)
    before = (end < BEGIN) & (end >= FROM)
    tracker.add_before(start[before], took[before])
    step = tracker.look(Known(BEGIN), BEGIN).width_ps // STEPS
    last, mended = BEGIN + last_s * S, None
    if mended_s is not None:  # it is told to a step
        mended = BEGIN - -max(last_s, mended_s) * S // step * step
    elif last_s:
        last = BEGIN + last_s * S // step * step
    found, told = [], BEGIN
    for now in range(BEGIN, STOP + 20 * S, 5 * S):
        new = (end >= told) & (end < now)
        tracker.add(start[new], took[new], end[new])
        told = now
        still = np.sort(start[(start < now) & (end >= now)]).tolist()
        found.append(tracker.look(Known(now, still, now), last, mended))
    for _ in range(40):
        found.append(tracker.look(Known(now, [], now), last, mended))
    width = found[-1].width_ps
    own = before | (end >= BEGIN)
    usual = np.where(before, took, -1)[own]  # of the turns since, nobody knows what they usually take
    never = np.zeros(len(usual), np.bool_)
    spans = Spans(start[own], took[own], usual, never, never, 0, STOP, end_ps=end[own])
    expected = recovery_of(spans, BEGIN, last, width, mended)
    assert found[-1].before_ps == expected.before_ps
    assert found[-1].after_ps == expected.after_ps
    known = [one.after_ps for one in found if one.after_ps]
    assert len(set(known)) <= 1, "what was said once holds"


def test_one_open_turn_of_many_does_not_keep_a_window_open() -> None:
    start = np.arange(0, 300) * S
    tracker = RecoveryTracker(0, 100 * S, 200 * S)
    tracker.add_before(start[:99], np.full(99, S))
    since = start[(start >= 100 * S) & (start != 110 * S)]
    tracker.add(since, np.full(len(since), S))
    for _ in range(10):
        found = tracker.look(Known(301 * S, [110 * S], 301 * S), 100 * S)
    assert (found.after_ps, found.is_over) == (0, True)


def test_open_turns_are_waited_for_until_they_have_waited_too_long() -> None:
    start = np.arange(0, 99) * S
    tracker = RecoveryTracker(0, 100 * S, 200 * S)
    tracker.add_before(start, np.full(99, 40 * S))
    still = [100 * S + n * S for n in range(34)]
    found = tracker.look(Known(135 * S, still, 135 * S), 100 * S)
    assert (found.is_known, found.is_away) == (False, False)
    waiting = tracker.look(Known(160 * S, still, 160 * S), 100 * S)
    assert (waiting.is_known, waiting.is_away, waiting.after_ps) == (True, True, None)
    tracker.add(np.array(still), np.full(34, 90 * S))
    since = np.arange(134, 300) * S
    tracker.add(since, np.full(len(since), S))
    for _ in range(10):
        found = tracker.look(Known(400 * S, [], 400 * S), 100 * S)
    assert found.after_ps is not None
    assert 20 * S < found.after_ps < 40 * S


def test_without_a_turn_before_there_is_nothing_to_come_back_to() -> None:
    tracker = RecoveryTracker(50 * S, 50 * S, 200 * S)
    tracker.add(np.array([60 * S]), np.array([S]))
    found = tracker.look(Known(150 * S, (), 150 * S), 50 * S)
    assert (found.before_ps, found.after_ps) == (None, None)
    assert found.width_ps > 0


def test_nobody_who_begins_is_not_as_before() -> None:
    tracker = RecoveryTracker(0, 100 * S, 300 * S)
    start = np.arange(0, 99) * S
    tracker.add_before(start, np.full(99, S))
    for _ in range(10):
        found = tracker.look(Known(400 * S, (), 400 * S), 100 * S)
    assert (found.after_ps, found.is_away, found.is_over) == (None, True, True)
