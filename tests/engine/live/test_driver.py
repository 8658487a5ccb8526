"""The live driver: the headless run at the pace of a clock, changed by commands."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.plans import Hand, driver, plan
from support.small import MS, S

from subsecond.engine.feed import Gauges, Notice, TurnEnd
from subsecond.engine.live.clock import PacedClock
from subsecond.engine.live.driver import LiveDriver
from subsecond.engine.run import run_plan
from subsecond.engine.turns import TurnState


@given(st.lists(st.floats(1e-6, 2e-4), min_size=1, max_size=30))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_a_live_run_is_the_headless_run_whenever_one_looks(pauses_s: list[float]) -> None:
    chosen = plan(duration_s=0.06)
    headless = run_plan(chosen, compiled=False)
    hand = Hand()
    live = driver(chosen, hand)
    ends: list[TurnEnd] = []
    place = 0
    while not live.is_over:
        hand.now_s += pauses_s[place % len(pauses_s)]
        place += 1
        ends += [message for messages in live.look() for message in messages if isinstance(message, TurnEnd)]
    for lane in live.lanes:
        assert lane.engine.results().digest() == headless.lanes[lane.name].results.digest()
        turns = headless.lanes[lane.name].turns
        ended = np.flatnonzero(turns.state != TurnState.PENDING)
        mine = {end.turn: end for end in ends if end.lane == lane.number}
        assert sorted(mine) == ended.tolist()
        for turn in ended.tolist():
            assert mine[turn].latency_ps == turns.latency_ps[turn]
            assert mine[turn].start_ps == turns.start_ps[turn]
            assert dict(zip(lane.stages, mine[turn].stages_ps, strict=True)) == {
                name: turns.stage_ps(name)[turn] for name in turns.stage_names
            }
            assert mine[turn].state == turns.state[turn]


def test_the_loop_runs_to_the_end_of_the_duration() -> None:
    chosen = plan(duration_s=0.2)
    live = LiveDriver(chosen, PacedClock(20.0), compiled=False, keep_population=False)
    asyncio.run(asyncio.wait_for(live.run(), 60))
    assert live.is_over
    assert live.now_ps == S // 5
    assert live.clock_message(0.0).late_p99_ms >= 0
    headless = run_plan(chosen, compiled=False)
    for lane in live.lanes:
        assert lane.engine.results().digest() == headless.lanes[lane.name].results.digest()


def test_what_comes_much_too_late_makes_the_clock_wait() -> None:
    hand = Hand()
    live = driver(plan(), hand, speed=20.0)
    hand.now_s += 0.0002
    list(live.look())
    hand.now_s += 1000  # the process was held up
    told = [message for messages in live.look() for message in messages]
    assert live.now_ps < 6 * S  # a quarter of a second, twenty times as fast
    assert [message.level for message in told if isinstance(message, Notice)] == ["warning"]
    assert live.clock_message(0.0).late_p99_ms > 100_000
    for _ in range(100):
        hand.now_s += 0.1
        told += [message for messages in live.look() for message in messages]
    assert len([message for message in told if isinstance(message, TurnEnd)]) == 24
    assert len([message for message in told if isinstance(message, Notice)]) == 1
    at = [message.at_ps for message in told if isinstance(message, Gauges) and message.lane == 0]
    assert at == sorted(at)


def test_a_run_that_nobody_ends_ends_before_the_core_runs_out_of_numbers() -> None:
    live = driver(plan(), Hand())
    live.clock.pause()
    live.clock.step_to(1 << 61)
    live.advance()
    assert live.is_over
    assert live.now_ps < 1 << 60


def test_stages_met_and_budgets_of_a_turn() -> None:
    hand = Hand()
    live = driver(plan(), hand)
    hand.now_s += 100
    live.advance()
    ends = live.turn_ends()
    assert len(ends) == 2 * 12
    for end in ends:
        assert sum(end.stages_ps) == end.latency_ps
        assert end.met == ((int(end.latency_ps <= 20 * MS),) if end.agent == 0 else (-1,))
        assert end.requests == 2
    assert live.turn_ends() == []


def test_open_turns_tell_where_they_are() -> None:
    hand = Hand()
    live = driver(plan(), hand, speed=1.0)
    seen = set()
    for _ in range(300):
        hand.now_s += 0.0004
        live.advance()
        for gauge in live.gauges():
            assert gauge.open_turns == len(gauge.oldest)
            for turn in gauge.oldest:
                seen.add(live.lanes[gauge.lane].stages[turn.stage])
                assert 0 <= turn.start_ps <= turn.since_ps <= gauge.at_ps
                assert sum(turn.stages_ps) <= gauge.at_ps - turn.start_ps
    assert seen >= {"endpointing", "speech_to_text", "routing", "prefill", "decode_rest", "tools"}


def test_pause_step_and_speed() -> None:
    hand = Hand()
    live = driver(plan(), hand, speed=1.0)
    hand.now_s += 0.002
    live.clock.pause()
    before = live.now_ps
    hand.now_s += 50
    live.advance()
    assert live.now_ps == before
    live.step(0)
    assert live.now_ps > before
    at = live.now_ps
    live.step(5 * MS)
    assert live.now_ps == at + 5 * MS
    live.clock.resume()
    live.clock.set_speed(10.0)
    hand.now_s += 0.001
    assert live.now_ps == pytest.approx(at + 15 * MS, abs=10)
    with pytest.raises(ValueError, match="paused"):
        live.step(1)
    for speed in (0.0, 101.0, float("nan")):
        with pytest.raises(ValueError, match="speed"):
            live.clock.set_speed(speed)


def test_other_step_times_hold_from_now_on() -> None:
    hand = Hand()
    live = driver(plan(), hand, speed=1.0)
    hand.now_s += 0.01
    live.advance()
    usual = live.lanes[0].pipeline
    pool = usual.core.entry
    slow = replace(pool.cost, compute_ps=pool.cost.compute_ps * 10)
    other = replace(usual, core=replace(usual.core, entry=replace(pool, cost=slow)))
    assert live.set_costs("gpu", other)
    bigger = replace(usual, core=replace(usual.core, entry=replace(pool, capacity_units=7)))
    assert not live.set_costs("gpu", bigger)
    hand.now_s += 10
    live.advance()
    headless = run_plan(live.plan, compiled=False).lanes["gpu"].results
    assert live.lanes[0].engine.results().end_ps > headless.end_ps


def test_hello_names_everything() -> None:
    live = driver(plan(), Hand())
    hello = live.hello("run-1", "/tmp/x")
    assert [lane.name for lane in hello.lanes] == ["gpu", "split"]
    assert [server.role for server in hello.lanes[1].servers] == ["prefill", "prefill", "decode"]
    assert hello.stages[:2] == ("endpointing", "speech_to_text")
    assert hello.budgets[0].turn_ps == 20 * MS
