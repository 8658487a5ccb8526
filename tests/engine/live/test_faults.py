"""Faults of a live run: those of the scenario, those that are injected, and how they end."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.plans import Hand, driver, plan
from support.small import MS, S, colocated, disaggregated

from subsecond.engine.core.config import Pipeline
from subsecond.engine.errors import InputError
from subsecond.engine.feed import FaultNote
from subsecond.engine.live.driver import LiveDriver
from subsecond.engine.run import Plan, run_plan
from subsecond.engine.scenario import FaultTable

SCHEDULED = [
    {"kind": "decode_down", "at_s": 0.01, "duration_s": 0.02},
    {"kind": "throttle", "at_s": 0.015, "duration_s": 0.02, "value": 0.5},
    {"kind": "throttle", "at_s": 0.03, "duration_s": 0.02, "value": 0.9},
    {"kind": "link_degraded", "at_s": 0.0, "value": 0.1},
    {"kind": "stall", "at_s": 0.04, "duration_s": 0.005},
]


def at(seconds: float, live: LiveDriver, hand: Hand) -> None:
    """Let the wall clock, which passes as fast as virtual time, come to a moment of the run."""
    hand.now_s = 100.0 + seconds
    live.advance()


def started(chosen: Plan | None = None) -> tuple[LiveDriver, Hand]:
    hand = Hand()
    return driver(chosen or plan(), hand, speed=1.0), hand


@given(st.lists(st.floats(1e-6, 2e-4), min_size=1, max_size=30))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_faults_of_the_scenario_strike_as_in_the_headless_run(pauses_s: list[float]) -> None:
    chosen = plan(duration_s=0.1, faults=SCHEDULED)
    headless = run_plan(chosen, compiled=False)
    hand = Hand()
    live = driver(chosen, hand)
    told: list[FaultNote] = []
    place = 0
    while not live.is_over:
        hand.now_s += pauses_s[place % len(pauses_s)]
        place += 1
        live.advance()
        for note in live.begun_faults():
            assert note.at_ps <= live.now_ps
            told.append(note)
    for lane in live.lanes:
        assert lane.engine.results().digest() == headless.lanes[lane.name].results.digest()
    assert [(note.kind, note.lane, note.at_ps // MS) for note in told] == [
        ("link_degraded", 1, 0),
        ("decode_down", 1, 10),
        ("throttle", 0, 15),
        ("throttle", 1, 15),
        ("throttle", 0, 30),
        ("throttle", 1, 30),
        ("stall", 0, 40),
        ("stall", 1, 40),
    ]


def test_a_fault_strikes_now_and_ends_by_itself() -> None:
    live, hand = started()
    at(0.01, live, hand)
    (note,) = live.inject(FaultTable("decode_down", 0.0, duration_s=0.02))
    assert (note.lane, note.kind) == (1, "decode_down")
    at(0.015, live, hand)
    gpu, split = live.gauges()
    assert gpu.faults == ()
    assert split.faults == ("decode_down 0",)
    assert not split.servers[2].up
    at(0.065, live, hand)
    assert live.gauges()[1].servers[2].up
    assert live.gauges()[1].faults == ()
    with pytest.raises(InputError, match="prefill_down"):
        live.inject(FaultTable("meteor", 0.0))


def effect(live: LiveDriver, kind: str) -> int:
    """What the core knows of a kind of fault on the second lane; 0: nothing is wrong."""
    form = live.lanes[1].engine._form
    (_, slow, _), _, (up, _, link_slow) = form.records("servers", names=("up", "slow", "link_slow"))
    return {
        "decode_down": 1 - up,
        "slow": slow - 64,
        "link_cut": link_slow - 64,
        "link_degraded": link_slow - 64,
        "handoff_loss": form.get("handoff_loss"),
        "throttle": form.get("throttle"),
        "stall": max(0, form.get("stalled_until") - live.now_ps),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("decode_down", None),
        ("slow", 8.0),
        ("link_cut", None),
        ("link_degraded", 0.25),
        ("handoff_loss", 0.5),
        ("throttle", 0.5),
        ("stall", None),
    ],
)
def test_every_kind_of_fault_can_be_mended_early(kind: str, value: float | None) -> None:
    live, hand = started()
    table = FaultTable(kind, 0.0, duration_s=0.1, value=value, pipeline="split")
    at(0.01, live, hand)
    (first,) = live.inject(table)
    at(0.02, live, hand)
    assert effect(live, kind) != 0
    (mended,) = live.mend(kind, 0)
    assert mended == msgspec.structs.replace(first, until_ps=live.now_ps + 1)
    assert live.gauges()[1].faults == ()
    at(0.021, live, hand)
    assert effect(live, kind) == 0
    at(0.03, live, hand)
    (second,) = live.inject(msgspec.structs.replace(table, duration_s=None if kind != "stall" else 1.0))
    at(0.2, live, hand)  # long after the end that the first was given
    assert effect(live, kind) != 0
    assert live.gauges()[1].faults == (f"{kind} 0",)
    assert second.at_ps > mended.until_ps  # type: ignore[operator]  # it has an end
    live.mend(kind, 0, "split")
    at(10.0, live, hand)
    assert effect(live, kind) == 0
    assert all(gauges.open_turns == 0 for gauges in live.gauges())


def test_of_faults_that_overlap_the_rest_goes_on() -> None:
    live, hand = started()
    live.inject(FaultTable("link_degraded", 0.0, value=0.5))
    at(0.01, live, hand)
    live.inject(FaultTable("link_cut", 0.0, duration_s=5.0))
    at(0.02, live, hand)
    assert effect(live, "link_cut") == -64
    live.mend("link_cut", 0)
    at(0.03, live, hand)
    assert effect(live, "link_cut") == 64
    assert live.gauges()[1].faults == ("link_degraded 0",)


def test_a_mended_stall_lets_go_at_once() -> None:
    live, hand = started()
    at(0.0004, live, hand)  # the first requests are on their way to the router
    live.inject(FaultTable("stall", 0.0, duration_s=50.0))
    at(1.0, live, hand)
    assert live.turn_ends() == []
    live.mend("stall", 0)
    at(3.0, live, hand)
    ends = live.turn_ends()
    assert len(ends) == 24
    assert all(end.stages_ps[live.lanes[0].stages.index("routing")] < 2 * S for end in ends)


def test_faults_of_the_scenario_are_in_effect_and_can_be_mended() -> None:
    chosen = plan(faults=[{"kind": "throttle", "at_s": 0.01, "value": 1.0}])
    live, hand = started(chosen)
    at(0.005, live, hand)
    assert live.begun_faults() == []
    with pytest.raises(InputError, match="there is none"):
        live.mend("throttle", 0)
    at(0.02, live, hand)
    assert [note.until_ps for note in live.begun_faults()] == [None, None]
    assert [gauges.faults for gauges in live.gauges()] == [("throttle 0",), ("throttle 0",)]
    with pytest.raises(InputError, match="throttle 0 on gpu, throttle 0 on split"):
        live.mend("decode_down", 0)
    with pytest.raises(InputError, match="one of gpu, split"):
        live.mend("throttle", 0, "tpu")
    assert [note.lane for note in live.mend("throttle", 0, "split")] == [1]
    at(0.03, live, hand)
    assert [gauges.faults for gauges in live.gauges()] == [("throttle 0",), ()]
    assert live.begun_faults() == []


@pytest.mark.parametrize("pipeline", [colocated(), disaggregated()], ids=["gpu", "split"])
def test_a_fault_that_is_mended_before_time_goes_on_does_nothing(pipeline: Pipeline) -> None:
    chosen = plan(cores={"one": pipeline}, duration_s=0.1)
    live, hand = started(chosen)
    at(0.01, live, hand)
    live.clock.pause()
    live.inject(FaultTable("throttle", 0.0, value=1.0, duration_s=0.01))
    assert live.gauges()[0].faults == ("throttle 0",)
    (note,) = live.mend("throttle", 0)
    assert note.until_ps == note.at_ps
    assert live.gauges()[0].faults == ()
    live.clock.resume()
    at(0.2, live, hand)
    headless = run_plan(chosen, compiled=False).lanes["one"].results
    assert live.lanes[0].engine.results().digest() == headless.digest()


def test_a_fault_beyond_all_time_is_refused() -> None:
    live, _ = started()
    live.clock.pause()
    live.clock.step_to(2 * 10**17)
    live.advance()
    with pytest.raises(InputError, match="duration_s"):
        live.inject(FaultTable("throttle", 0.0, value=1.0, duration_s=1e6))
