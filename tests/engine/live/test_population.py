"""How many sessions are at work: replaced as they end, or begun at a rate, from a reserve that has an end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.plans import Hand, driver, plan
from support.small import MS, workload

from subsecond.engine.core.config import NOT_SCHEDULED
from subsecond.engine.errors import InputError
from subsecond.engine.feed import Notice
from subsecond.engine.live.driver import LiveDriver
from subsecond.engine.run import Plan


def reserve(wanted: int = 2, held: int = 6) -> Plan:
    work = workload(sessions=held, requests=2, gap_ps=20 * MS, kinds=("coding",))
    starts = work.session_start_ps.copy()
    starts[wanted:] = NOT_SCHEDULED
    return plan(replace(work, session_start_ps=starts))


def run_on(live: LiveDriver, hand: Hand, seconds: float) -> None:
    for _ in range(round(seconds / 0.001)):
        hand.now_s += 0.001
        live.advance()
        live.turn_ends()


def test_sessions_that_end_are_replaced() -> None:
    hand = Hand()
    live = driver(reserve(), hand, speed=1.0, keep=True)
    run_on(live, hand, 0.06)
    assert live.load().sessions == (2,)
    assert all(lane.engine.sessions().request[2] > 4 for lane in live.lanes)


def test_the_load_goes_up_and_down() -> None:
    hand = Hand()
    live = driver(reserve(), hand, speed=1.0, keep=True)
    run_on(live, hand, 0.01)
    live.set_load("coding", 4)
    run_on(live, hand, 0.004)
    assert live.load().sessions == (4,)
    live.set_load("coding", 1)
    run_on(live, hand, 0.03)
    assert live.load().sessions == (1,)
    assert all(lane.engine.sessions().is_active.sum() <= 1 for lane in live.lanes)
    with pytest.raises(InputError, match="0 to 6"):
        live.set_load("coding", 7)
    with pytest.raises(InputError, match="coding"):
        live.set_load("voice", 1)


def starts_ms(live: LiveDriver, lane: int) -> dict[int, float]:
    """When each session that has begun on a lane sent its first request, in ms."""
    arrival = live.lanes[lane].engine.results().arrival_ps[::2]
    return {session: float(arrival[session]) / MS for session in np.flatnonzero(arrival >= 0).tolist()}


def test_sessions_begin_at_a_rate_at_the_same_times_on_every_lane() -> None:
    hand = Hand()
    live = driver(reserve(held=3000), hand, speed=1.0, keep=True)
    run_on(live, hand, 0.05)
    live.set_load("coding", arrivals_per_s=500.0)
    before = {session for lane in (0, 1) for session in starts_ms(live, lane)}
    for _ in range(200):  # looks far apart: the times are those of the process all the same
        hand.now_s += 0.05
        live.advance()
    load = live.load()
    assert (load.wanted, load.arrivals_per_s) == ((0,), (500.0,))
    first, second = starts_ms(live, 0), starts_ms(live, 1)
    begun = sorted(set(first) - before)
    assert begun == sorted(set(second) - before)
    assert [first[session] for session in begun] == [second[session] for session in begun]
    gaps_ms = np.diff([first[session] for session in begun])
    assert gaps_ms.min() > 0
    assert np.mean(gaps_ms) == pytest.approx(2.0, rel=0.1)  # 3000 of them would be within 5 standard errors
    assert np.std(gaps_ms) == pytest.approx(2.0, rel=0.15)


def test_arrivals_depend_on_the_seed_alone() -> None:
    found = []
    for step_s in (0.001, 0.007):
        hand = Hand()
        live = driver(reserve(held=200), hand, speed=1.0, keep=True)
        live.set_load("coding", arrivals_per_s=1000.0)
        while hand.now_s < 100.07:
            hand.now_s += step_s
            live.advance()
            live.turn_ends()
        found.append({s: at for s, at in starts_ms(live, 0).items() if at < 60})
    assert found[0] == found[1]
    assert len(found[0]) > 30


def test_at_a_rate_of_nothing_no_more_begin_and_those_at_work_go_on() -> None:
    hand = Hand()
    live = driver(reserve(held=20), hand, speed=1.0, keep=True)
    run_on(live, hand, 0.01)
    live.set_load("coding", arrivals_per_s=0.0)
    assert live.load().sessions == (2,)
    begun = len(starts_ms(live, 0))
    run_on(live, hand, 0.5)
    assert live.load().sessions == (0,)
    assert len(starts_ms(live, 0)) == begun
    assert live.gauges()[0].open_turns == 0


def test_a_constant_population_comes_back() -> None:
    hand = Hand()
    live = driver(reserve(held=400), hand, speed=1.0, keep=True)
    live.set_load("coding", arrivals_per_s=1000.0)
    run_on(live, hand, 0.1)
    assert live.load().sessions[0] > 3
    live.set_load("coding", 3)
    run_on(live, hand, 0.1)
    load = live.load()
    assert (load.sessions, load.wanted, load.arrivals_per_s) == ((3,), (3,), (0.0,))


def test_a_reserve_that_is_used_up_is_told_once() -> None:
    hand = Hand()
    live = driver(reserve(held=5), hand, speed=1.0, keep=True)
    told: list[Notice] = []
    live.set_load("coding", arrivals_per_s=1000.0)
    for _ in range(400):
        hand.now_s += 0.001
        told += [message for messages in live.look() for message in messages if isinstance(message, Notice)]
    assert [notice.level for notice in told] == ["warning"]
    assert "5 sessions of coding" in told[0].text
    live.set_load("coding", 2)
    for _ in range(3):
        told += [message for messages in live.look() for message in messages if isinstance(message, Notice)]
    assert len(told) == 2


@pytest.mark.parametrize(
    ("wanted", "word"),
    [
        ({}, "neither"),
        ({"sessions": 1, "arrivals_per_s": 1.0}, "both"),
        ({"arrivals_per_s": -1.0}, "-1"),
        ({"arrivals_per_s": float("nan")}, "nan"),
        ({"arrivals_per_s": 1e9}, "0.001 to 1000 per second"),
        ({"arrivals_per_s": 1e-300}, "0.001 to 1000 per second"),
    ],
)
def test_a_load_that_is_none_is_refused(wanted: dict[str, float], word: str) -> None:
    live = driver(reserve(), Hand(), keep=True)
    with pytest.raises(InputError, match=word):
        live.set_load("coding", **wanted)  # type: ignore[arg-type]  # what a command may hold


def test_sessions_that_were_to_come_do_not_when_fewer_are_wanted() -> None:
    hand = Hand()
    work = workload(sessions=6, requests=2, gap_ps=20 * MS, kinds=("coding",))
    spread = plan(replace(work, session_start_ps=np.arange(6) * 10 * MS))
    live = driver(spread, hand, speed=1.0, keep=True)
    run_on(live, hand, 0.015)
    live.set_load("coding", 2)
    run_on(live, hand, 0.5)
    assert sorted(starts_ms(live, 0)) == [0, 1]
    assert sorted(starts_ms(live, 1)) == [0, 1]
