"""Sessions at work all the time: as many as asked for, of mixed ages, the same ones where more come beside them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.small import MS, S, colocated, workload

from subsecond.agents.coding import coding_parameters, draw_coding
from subsecond.agents.voice import draw_voice, voice_parameters
from subsecond.engine.core.config import Workload
from subsecond.engine.core.engine import simulate
from subsecond.engine.workload.steady import SESSIONS_EACH, steady_sessions


def plain(sessions: int, requests: int = 3, gap_ps: int = S) -> Workload:
    """Equal sessions that all begin at 0."""
    work = workload(sessions=sessions, requests=requests, gap_ps=gap_ps)
    work.session_start_ps[:] = 0
    return work


def voice(places: int, duration_s: float, seed: int = 1) -> Workload:
    draw = partial(draw_voice, voice_parameters(), seed=seed, at_once=True)
    return steady_sessions(draw, places, duration_s, seed)


def coding(places: int, duration_s: float, seed: int = 1) -> Workload:
    draw = partial(draw_coding, coding_parameters(), seed=seed, at_once=True, max_context=131_072)
    return steady_sessions(draw, places, duration_s, seed)


def chains(work: Workload) -> list[tuple[int, ...]]:
    """What each place sends: start, then the prompts of its sessions one after the other."""
    first, parent = work.session_first_request, work.session_parent_request
    follow = {int(p): s for s, p in enumerate(parent) if p >= 0 and p in set(first[1:] - 1)}
    found = []
    for root in np.flatnonzero(parent < 0).tolist():
        chain, session = [int(work.session_start_ps[root])], root
        while session is not None:
            chain += work.prompt_tokens[first[session] : first[session + 1]].tolist()
            session = follow.get(int(first[session + 1]) - 1)
        found.append(tuple(chain))
    return found


@given(places=st.integers(1, 12), requests=st.integers(1, 5), seconds=st.floats(0.001, 40), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_every_place_is_busy_to_the_end(places: int, requests: int, seconds: float, seed: int) -> None:
    work = steady_sessions(partial(plain, requests=requests), places, seconds, seed)
    # a request every second and a millisecond, in every place, if replies took no time
    expected = places * seconds / (1.0 + 1e-3)
    assert abs(work.num_requests - expected) <= places
    assert (work.session_parent_request < 0).sum() <= places
    assert (work.reuse_tokens[work.session_first_request[:-1]] == 0).all()


@given(places=st.integers(1, 30), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_more_places_leave_the_others_as_they_are(places: int, seed: int) -> None:
    some, more = chains(voice(places, 120, seed)), chains(voice(places + 1, 120, seed))
    assert set(some) <= set(more)


def test_a_session_follows_when_the_one_before_has_ended() -> None:
    work = steady_sessions(partial(plain, requests=2, gap_ps=100 * MS), 1, 2.0, 3)
    results = simulate(colocated(), work, compiled=False)
    order = np.argsort(results.arrival_ps)
    gaps = results.arrival_ps[order][1:] - results.finish_ps[order][:-1] - results.network_ps
    assert (gaps == 100 * MS).all()
    assert work.num_sessions > 5


def test_sessions_are_found_in_the_midst_of_their_work() -> None:
    """The share of places found in their first request's gap is what it has of a session's time."""
    work = steady_sessions(partial(plain, requests=4), 2_000, 1.0, 5)
    prompts = work.prompt_tokens[work.session_parent_request[np.zeros(work.num_requests, int)] < 0]
    shares = np.bincount(work.prompt_tokens)[np.unique(work.prompt_tokens)] / work.num_requests
    assert len(prompts)
    assert shares == pytest.approx([0.25] * 4, abs=0.04)


def test_starts_are_spread_over_the_first_gap() -> None:
    work = steady_sessions(plain, 2_000, 1.0, 5)
    starts = work.session_start_ps[work.session_parent_request < 0]
    assert np.quantile(starts, [0.25, 0.5, 0.75]) / S == pytest.approx([0.25, 0.5, 0.75], abs=0.05)


@pytest.mark.parametrize(("draw", "places"), [(voice, 300), (coding, 400)])
def test_load_and_contexts_do_not_drift(draw: Callable[..., Workload], places: int) -> None:
    """Turns come at an even rate, with prompts as long late as they are early; bursts average out over seeds."""
    turns, tokens = np.zeros(2), np.zeros(2)
    for seed in range(1, 5):
        work = draw(places, 1800.0, seed)
        arrivals = simulate(colocated(capacity=10**9, servers=64), work, until_ps=1800 * S).arrival_ps
        for half, (begin, end) in enumerate(((60, 930), (930, 1800))):
            inside = (arrivals >= begin * S) & (arrivals < end * S)
            turns[half] += np.count_nonzero(inside)
            tokens[half] += work.prompt_tokens[inside].sum()
    assert turns[1] / turns[0] == pytest.approx(1.0, abs=0.07)
    assert (tokens / turns)[1] / (tokens / turns)[0] == pytest.approx(1.0, abs=0.07)


def test_a_run_too_short_for_any_turn_is_a_workload_all_the_same() -> None:
    work = steady_sessions(partial(plain, gap_ps=1000 * S), 1, 0.001, 1)
    assert work.num_requests == 1
    assert simulate(colocated(), work, compiled=False, until_ps=MS).arrival_ps.tolist() == [-1]


def test_a_place_that_has_been_through_its_sessions_begins_again() -> None:
    work = steady_sessions(partial(plain, requests=1, gap_ps=10 * MS), 1, 1.0, 1)
    assert work.num_sessions > 3 * SESSIONS_EACH
    assert work.num_contexts == work.num_sessions
