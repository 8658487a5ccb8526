"""Drills on a live run: all their faults at their times, ended and called off, as if a scenario had had them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.plans import Hand, driver, plan
from support.small import colocated, disaggregated

from subsecond.engine.drills.catalog import Drill, Step, shipped_drills
from subsecond.engine.drills.striking import strike
from subsecond.engine.errors import InputError
from subsecond.engine.faults import changes
from subsecond.engine.feed import FaultNote
from subsecond.engine.live.driver import LiveDriver
from subsecond.engine.run import run_plan
from subsecond.engine.scenario import FaultTable

S, MS = 10**12, 10**9
ROLLING = Drill(
    title="one after the other",
    name="rolling",
    steps=(
        Step("prefill_down", "gpu_down", target="each in turn", duration_s=0.01, pause_s=0.005),
        Step("decode_down", None, duration_s=0.01, then=True),
    ),
)


def at(seconds: float, live: LiveDriver, hand: Hand) -> None:
    hand.now_s = 100.0 + seconds
    live.advance()


def started() -> tuple[LiveDriver, Hand]:
    hand = Hand()
    return driver(plan(), hand, speed=1.0), hand


def words(notes: list[FaultNote], since_ps: int) -> list[tuple[str, int, int, int]]:
    return [(note.kind, note.lane, note.target, round((note.at_ps - since_ps) / MS)) for note in notes]


@given(st.floats(0.0, 0.08), st.lists(st.floats(1e-4, 2e-2), min_size=1, max_size=10))
@settings(max_examples=10, deadline=None, derandomize=True)
def test_a_drill_is_what_the_same_faults_of_a_scenario_are(begin_s: float, pauses_s: list[float]) -> None:
    chosen = plan(duration_s=0.3)
    hand = Hand()
    live = driver(chosen, hand, speed=1.0)
    at(begin_s, live, hand)
    begin_ps = live.now_ps + 1
    told, strikes = live.hold(ROLLING)
    place = 0
    while not live.is_over:
        hand.now_s += pauses_s[place % len(pauses_s)]
        place += 1
        live.advance()
        told += live.begun_faults()
    faults = {
        name: changes(
            [
                replace(spell, begin_ps=spell.begin_ps + begin_ps, end_ps=(spell.end_ps or 0) + begin_ps)
                for spell in found.spells
            ]
        )
        for name, found in strikes.items()
    }
    headless = run_plan(replace(chosen, faults=faults), compiled=False)
    for lane in live.lanes:
        assert lane.engine.results().digest() == headless.lanes[lane.name].results.digest()
    assert sorted(words(told, begin_ps)) == [
        ("decode_down", 1, 0, 30),
        ("gpu_down", 0, 0, 0),
        ("prefill_down", 1, 0, 0),
        ("prefill_down", 1, 1, 15),
    ]
    assert {note.drill for note in told} == {"rolling"}


def test_what_is_to_come_is_scheduled_and_told_when_it_begins() -> None:
    live, hand = started()
    at(0.01, live, hand)
    begin = live.now_ps + 1
    told, _ = live.hold(ROLLING)
    assert words(told, begin) == [("gpu_down", 0, 0, 0), ("prefill_down", 1, 0, 0)]
    gpu, split = live.gauges()
    assert gpu.scheduled == ()
    assert [(f.kind, f.target, round((f.at_ps - begin) / MS)) for f in split.scheduled] == [
        ("prefill_down", 1, 15),
        ("decode_down", 0, 30),
    ]
    assert split.faults == ("prefill_down 0",)
    at(0.026, live, hand)
    assert words(live.begun_faults(), begin) == [("prefill_down", 1, 1, 15)]
    assert live.begun_faults() == []
    gauges = live.gauges()[1]
    assert gauges.faults == ("prefill_down 1",)
    assert [fault.kind for fault in gauges.scheduled] == ["decode_down"]
    assert not gauges.servers[1].up
    at(1.0, live, hand)
    assert words(live.begun_faults(), begin) == [("decode_down", 1, 0, 30)]
    assert live.gauges()[1].scheduled == live.gauges()[1].faults == ()


def test_mending_ends_what_is_in_effect_and_then_calls_off_what_is_to_come() -> None:
    live, hand = started()
    at(0.01, live, hand)
    live.hold(ROLLING)
    at(0.012, live, hand)
    (mended,) = live.mend("prefill_down", 0)
    assert (mended.drill, mended.until_ps) == ("rolling", live.now_ps + 1)
    assert live.mend("prefill_down", 1, "split") == []
    assert [fault.kind for fault in live.gauges()[1].scheduled] == ["decode_down"]
    with pytest.raises(InputError, match="gpu_down 0 on gpu"):
        live.mend("prefill_down", 1)
    with pytest.raises(InputError, match="gpu_down 0 on gpu"):
        live.mend("decode_down", 0, "gpu")
    at(0.035, live, hand)
    assert live.begun_faults() == []
    assert live.gauges()[1].servers[1].up
    at(1.0, live, hand)
    assert [note.kind for note in live.begun_faults()] == ["decode_down"]


def test_a_drill_ends_with_all_that_was_to_come() -> None:
    live, hand = started()
    at(0.01, live, hand)
    live.hold(ROLLING)
    at(0.015, live, hand)
    ended = live.end_drill("rolling")
    assert {(note.kind, note.lane) for note in ended} == {("gpu_down", 0), ("prefill_down", 1)}
    assert {note.until_ps for note in ended} == {live.now_ps + 1}
    assert [(gauges.faults, gauges.scheduled) for gauges in live.gauges()] == [((), ()), ((), ())]
    at(10.0, live, hand)
    assert live.begun_faults() == []
    assert all(server.up for gauges in live.gauges() for server in gauges.servers)
    with pytest.raises(InputError, match="there is none"):
        live.end_drill("rolling")


def test_faults_besides_a_drill_go_on_when_it_ends() -> None:
    live, hand = started()
    at(0.01, live, hand)
    live.inject(FaultTable("decode_down", 0.0, None, "split"))
    at(0.02, live, hand)
    live.hold(ROLLING)
    at(0.021, live, hand)
    live.end_drill("rolling")
    assert live.gauges()[1].faults == ("decode_down 0",)


def test_a_drill_is_held_once_at_a_time_and_can_be_held_again() -> None:
    live, hand = started()
    live.hold(ROLLING)
    before = [gauges.scheduled for gauges in live.gauges()]
    with pytest.raises(InputError, match="not under way"):
        live.hold(ROLLING)
    assert [gauges.scheduled for gauges in live.gauges()] == before
    at(1.0, live, hand)
    live.begun_faults()
    assert len(live.hold(ROLLING)[0]) == 2


def test_a_drill_that_strikes_nobody_or_cannot_be_changes_nothing() -> None:
    live, _ = started()
    with pytest.raises(InputError, match="strikes a pipeline"):
        live.hold(Drill("t", (Step("gpu_down", "prefill_down"),), name="none"))
    with pytest.raises(InputError, match="one of"):
        live.hold(Drill("t", (Step("decode_down", "gpu_down", duration_s=1.0), Step("meteor", "meteor")), name="bad"))
    assert [(gauges.faults, gauges.scheduled) for gauges in live.gauges()] == [((), ()), ((), ())]


@pytest.mark.parametrize("name", sorted(shipped_drills()))
def test_every_drill_that_ships_can_be_held(name: str) -> None:
    cores = {"gpu": colocated(servers=2), "split": disaggregated(decoders=2)}
    hand = Hand()
    live = driver(plan(cores=cores), hand, speed=1.0)
    told, strikes = live.hold(shipped_drills()[name])
    assert strikes == strike(shipped_drills()[name], cores, 0.0, name)
    coming = [fault for gauges in live.gauges() for fault in gauges.scheduled]
    assert len(told) + len(coming) == sum(len(found.spells) for found in strikes.values())
