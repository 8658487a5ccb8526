"""Laws of what an event did: its counts are those of the turns in the log, in whatever order things were told."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subsecond.engine.drills.windows import FOREVER
from subsecond.engine.feed import (
    BudgetInfo,
    Clock,
    FaultNote,
    Hello,
    LaneInfo,
    Message,
    Notice,
    ParameterInfo,
    ServerInfo,
    TurnEnd,
)
from subsecond.engine.turns import TurnState
from subsecond.tui.effects import BEFORE_S, WATCH_S, Effect
from subsecond.tui.model import Model
from subsecond.tui.screens.effect_rows import effect_rows
from subsecond.tui.stats import EXACT

S = 10**12
LIMITS = {"coding": S, "voice": S // 2}
HELLO = Hello(
    version=1,
    run="r",
    scenario="s",
    title="t",
    seed=1,
    agents=("coding", "voice"),
    stages=("prefill", "decode_rest"),
    lanes=tuple(
        LaneInfo(
            name,
            name,
            "m",
            "shipping",
            (ServerInfo("gpu[0]", "gpu", 10, 4),),
            (ParameterInfo("network_ms", "5 ms", "ms", "assumed", ""),),
        )
        for name in "ab"
    ),
    budgets=(
        BudgetInfo("step", "coding", LIMITS["coding"], None, None, 95.0, ""),
        BudgetInfo("quick", "voice", LIMITS["voice"], None, None, 95.0, ""),
        BudgetInfo("slow", "voice", S, None, None, 95.0, ""),
    ),
    duration_ps=None,
    recording="",
)


def turn(lane: int, number: int, end_ms: int, latency_ms: int, agent: int = 0, state: int = 1) -> TurnEnd:
    latency = latency_ms * 10**9
    limits = [budget.turn_ps or 0 for budget in HELLO.budgets]
    met = tuple(
        int(state == TurnState.ANSWERED and latency <= limit) if b.agents == HELLO.agents[agent] else -1
        for b, limit in zip(HELLO.budgets, limits, strict=True)
    )
    start = end_ms * 10**9 - latency
    return TurnEnd(lane, number, 0, 0, agent, state, start, latency, -1, 0, (latency, 0), met, 1, 10, 0, 5, 0)


def clock(at_s: float) -> Clock:
    return Clock(round(at_s * S), 0.0, 1.0, False, 0.0, 0.0)


def fault(at_s: float) -> FaultNote:
    return FaultNote(round(at_s * S), 0, "slow", 0, 2.0, None)


def effect_of(messages: Sequence[Message], number: int, *, is_first: bool = False, at_s: float = 400) -> Effect:
    model = Model(HELLO)
    for message in messages:
        model.add(message)
    model.add(clock(at_s))
    found = model.effect(number, is_first=is_first)
    assert found is not None
    return found


turns = st.builds(
    turn,
    st.integers(0, 1),
    st.integers(0, 10**6),
    st.integers(50_000, 400_000),
    st.integers(0, 50_000),
    st.integers(0, 1),
    st.sampled_from([1, 1, 1, 2, 3]),
)


@given(st.lists(turns, max_size=80), st.integers(0, 300), st.integers(0, 300), st.data())
@settings(max_examples=80, deadline=None, derandomize=True)
def test_counts_are_those_of_the_turns_whenever_they_were_told(
    ended: list[TurnEnd], first_s: int, gap_s: int, data: st.DataObject
) -> None:
    events = [fault(first_s), fault(first_s + gap_s + 1)]
    messages: list[Message] = [*ended, *events]
    mixed = data.draw(st.permutations(messages))
    mixed = [m for m in mixed if not isinstance(m, FaultNote) or m is events[0]] + [events[1]]
    number = data.draw(st.integers(0, 1))
    found = effect_of(mixed, number)
    begin = events[number].at_ps
    before = max(0, begin - BEFORE_S * S, events[0].at_ps if number else 0)
    assert (found.from_ps, found.to_ps) == (before, begin)
    for lane in range(2):
        for kind, agent in enumerate(HELLO.agents):
            own = [t for t in ended if (t.lane, t.agent) == (lane, kind) and t.state != TurnState.CANCELLED]
            effect = found.kinds[lane][kind]
            until = events[1].at_ps if lane == number == 0 else begin + WATCH_S * S
            spans = ((effect.before, before, begin), (effect.since, begin, until))
            for tallied, low, high in spans:
                there = [t for t in own if low <= t.end_ps < high]
                took = sorted(FOREVER if t.state == TurnState.FAILED else t.latency_ps for t in there)
                late = [t for t in there if t.state == TurnState.ANSWERED and t.latency_ps > LIMITS[agent]]
                assert tallied.turns == len(there)
                assert tallied.failed == sum(t.state == TurnState.FAILED for t in there)
                assert tallied.late == len(late)
                assert tallied.met == len(there) - tallied.failed - len(late)
                assert tallied.p95_ps == (took[math.ceil(0.95 * len(took)) - 1] if took else None)
                assert tallied.worst_ps == max((t.latency_ps for t in there), default=0)
            every = [t for t in ended if (t.lane, t.agent) == (lane, kind)]
            waited = [until - t.start_ps for t in every if t.start_ps < until <= t.end_ps]
            assert effect.worst_ps == max([effect.since.worst_ps, *waited])
            assert effect.under_way == sum(t.start_ps < begin <= t.end_ps < until for t in own)


def test_beyond_what_is_kept_exactly_p95_is_that_of_a_histogram() -> None:
    ended = [turn(0, n, 60_000 + n, 100 + n % 900) for n in range(EXACT + 500)]
    since = effect_of([fault(50), *ended], 0).kinds[0][0].since
    took = sorted(t.latency_ps for t in ended)
    exact = took[math.ceil(0.95 * len(took)) - 1]
    assert since.p95_ps is not None
    assert exact <= since.p95_ps <= exact * 1.01
    assert since.turns == since.met == EXACT + 500


def test_two_changes_compare_with_what_was_before_either() -> None:
    messages: list[Message] = [
        turn(0, 1, 20_000, 100),
        clock(60),
        Notice("info", "a: network_ms is 9.0 from now on", at_ps=60 * S),
        turn(0, 2, 70_000, 2000),
        Notice("info", "a: network_ms is 7.0 from now on", at_ps=80 * S),
        turn(0, 3, 90_000, 3000),
    ]
    last = effect_of(messages, 1)
    assert (last.from_ps, last.to_ps, last.others) == (60 * S, 80 * S, 0)
    assert last.kinds[0][0].before.p95_ps == 2 * S
    first = effect_of(messages, 1, is_first=True)
    assert (first.from_ps, first.to_ps, first.others) == (0, 60 * S, 1)
    assert first.kinds[0][0].before.p95_ps == S // 10
    assert first.kinds[0][0].since.p95_ps == last.kinds[0][0].since.p95_ps == 3 * S
    assert first.event.turned is not None
    assert (first.event.turned.key, first.event.turned.value) == ("network_ms", "7 ms")


def test_nobody_is_counted_any_more_after_a_long_time() -> None:
    ended = [turn(0, 1, (60 + WATCH_S - 1) * 1000, 100), turn(0, 2, (60 + WATCH_S) * 1000, 100)]
    found = effect_of([fault(60), *ended], 0, at_s=5000)
    assert found.kinds[0][0].since.turns == 1
    assert found.since_ps == (60 + WATCH_S) * S


def test_a_snapshot_has_the_effect_that_is_asked_for() -> None:
    model = Model(HELLO)
    model.add(clock(50))
    assert model.snapshot(3).effect is None
    model.add(fault(40))
    assert model.snapshot().effect is None
    effect = model.snapshot(0).effect
    assert effect is not None
    assert effect.event.faults == (fault(40),)
    before = effect.kinds[0][0].since.turns
    model.add(turn(0, 1, 51_000, 100))
    assert effect.kinds[0][0].since.turns == before == 0
    again = model.effect(0)
    assert again is not None
    assert again.kinds[0][0].since.turns == 1


@pytest.mark.parametrize("agent", [0, 1])
def test_lines_hold_the_seconds_before_and_since(agent: int) -> None:
    ended = [turn(0, n, 40_000 + 1000 * n, 400 if n < 20 else 2000, agent) for n in range(60)]
    found = effect_of([*ended, fault(60)], 0, at_s=100).kinds[0][agent]
    assert (found.before_line.first_s, len(found.before_line.p95_ps)) == (0, 60)
    assert set(found.before_line.p95_ps[45:]) == {4 * S // 10}
    assert set(found.before_line.kept[45:]) == {1.0}
    assert (found.since_line.first_s, len(found.since_line.p95_ps)) == (30, 70)
    assert set(found.since_line.p95_ps[-25:-1]) == {2 * S}
    assert set(found.since_line.kept[-25:-1]) == {0.0}


def test_a_run_that_begins_anew_is_compared_with_the_end_of_the_run_before() -> None:
    former = Model(HELLO)
    for n in range(300):
        former.add(turn(0, n, 1000 * n + 500, 400 if n < 200 else 600))
    former.add(clock(300))
    hello = msgspec.structs.replace(HELLO, run="again")
    model = Model(hello, former=former)
    model.add(turn(0, 1, 10_000, 2000))
    model.add(Notice("info", "a: network_ms is 9.0; the run starts anew"))
    model.add(turn(0, 2, 20_000, 3000))
    model.add(clock(30))
    (event,) = model.events
    assert (event.is_restart, event.lanes) == (True, {0})
    found = model.effect(event.number)
    assert found is not None
    assert (found.from_ps, found.to_ps) == (-BEFORE_S * S, 0)
    kind = found.kinds[0][0]
    assert (kind.before.turns, kind.before.p95_ps) == (BEFORE_S, 6 * S // 10)
    assert (kind.since.turns, kind.since.p95_ps, kind.under_way) == (2, 3 * S, 0)
    assert len(kind.before_line.p95_ps) == BEFORE_S
    assert (found.kinds[1][0].before.turns, found.kinds[1][0].since.turns) == (0, 0)


def test_a_run_of_other_agents_is_compared_with_nothing() -> None:
    former = Model(HELLO)
    former.add(clock(300))
    model = Model(msgspec.structs.replace(HELLO, run="again", agents=("coding", "other")), former=former)
    model.add(Notice("info", "a: network_ms is 9.0; the run starts anew"))
    assert model.events == ()


def test_what_comes_of_the_next_event_is_not_of_the_one_before() -> None:
    calm = [turn(lane, n, 1000 * n, 400) for lane in range(2) for n in range(20, 200)]
    slow = [turn(lane, n, 1000 * n, 48_000) for lane in range(2) for n in range(240, 260)]
    found = effect_of([fault(60), *calm, fault(195), *slow], 0)
    assert found.cuts_ps == (195 * S, None)
    struck, other = found.kinds[0][0], found.kinds[1][0]
    assert (struck.since.turns, struck.worst_ps) == (135, max(4 * S // 10, 195 * S - 192 * S))
    assert len(struck.since_line.p95_ps) == 195 - 30
    assert other.worst_ps == 48 * S
    late = effect_of([*calm, *slow, fault(60), fault(195)], 0)  # told afterwards
    assert (late.kinds[0][0].since, late.kinds[0][0].worst_ps) == (struck.since, struck.worst_ps)


@pytest.mark.parametrize(("slow", "is_marked"), [(1, False), (8, True)])
def test_one_turn_by_itself_marks_nothing(slow: int, is_marked: bool) -> None:
    model = Model(HELLO)
    calm = [turn(0, n, 1000 * n, 400) for n in range(20, 60)]
    ended = [*calm, *(turn(0, n, 1000 * n, 3000) for n in range(64, 64 + slow))]
    for message in (*ended, fault(60), clock(70)):
        model.add(message)
    snapshot = model.snapshot(0)
    assert snapshot.effect is not None
    text = "".join(words for line in effect_rows(snapshot, snapshot.effect, [0], 120) for words, _ in line)
    assert ("!" in text) is is_marked
