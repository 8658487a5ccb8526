"""Laws of the view model: order among lanes does not matter, windows are what brute force gives, memory is bounded."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.feeds import playground

from subsecond.engine.feed import (
    BudgetInfo,
    Clock,
    FaultNote,
    Gauges,
    Hello,
    LaneInfo,
    Load,
    Message,
    Notice,
    ServerGauge,
    ServerInfo,
    TurnEnd,
)
from subsecond.engine.turns import TurnState
from subsecond.tui.model import Model
from subsecond.tui.snapshot import Snapshot
from subsecond.tui.stats import EXACT, POINT_S
from subsecond.tui.turnlog import Field

PS_PER_S = 10**12
MS = 10**9
STAGES = ("prefill", "decode_rest")
HELLO = Hello(
    version=1,
    run="r",
    scenario="s",
    title="t",
    seed=1,
    agents=("coding", "voice"),
    stages=STAGES,
    lanes=tuple(LaneInfo(name, name, "m", "shipping", (ServerInfo("gpu[0]", "gpu", 10, 4),), ()) for name in "abc"),
    budgets=(
        BudgetInfo("step", "coding", 1000 * MS, None, None, 95.0, ""),
        BudgetInfo("quick", "voice", 500 * MS, None, None, 95.0, ""),
        BudgetInfo("slow", "voice", 1000 * MS, None, None, 95.0, ""),
    ),
    duration_ps=None,
    recording="",
)


def turn_end(
    lane: int, turn: int, *, end_ms: int, latency_ms: int, agent: int = 0, state: int = 1, session: int = 0
) -> TurnEnd:
    latency = latency_ms * MS
    answered = state == TurnState.ANSWERED
    met = tuple(
        int(answered and latency <= (b.turn_ps or 0)) if b.agents == HELLO.agents[agent] else -1 for b in HELLO.budgets
    )
    prefill = latency // 3
    return TurnEnd(
        lane, turn, session, 0, agent, state, end_ms * MS - latency, latency, -1, 0, (prefill, latency - prefill), met,
        1, 10, 0, 5, 0,
    )  # fmt: skip


@st.composite
def feeds(draw: st.DrawFn) -> list[list[TurnEnd]]:
    """Turns by lane; a turn happens at most once on each lane."""
    lanes = []
    kinds = draw(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4)), min_size=1, max_size=40))
    for lane in range(3):
        chosen = draw(st.permutations(range(len(kinds))))
        turns = []
        for turn in chosen[: draw(st.integers(0, len(kinds)))]:
            latency = draw(st.integers(0, 2500))
            end = draw(st.integers(latency, 100_000))
            state = draw(st.sampled_from((1, 1, 1, 2, 3)))
            agent, session = kinds[turn]
            turns.append(
                turn_end(lane, turn, end_ms=end, latency_ms=latency, agent=agent, state=state, session=session)
            )
        lanes.append(turns)
    return lanes


def interleaved(draw: st.DataObject, lanes: list[list[TurnEnd]]) -> list[TurnEnd]:
    """The lanes' turns in any order that keeps each lane's own."""
    left = [list(turns) for turns in lanes]
    found = []
    while any(left):
        lane = draw.draw(st.sampled_from([i for i, turns in enumerate(left) if turns]))
        found.append(left[lane].pop(0))
    return found


def snapshot_of(messages: list[Message], looks: tuple[int, ...] = (), at_ms: int = 100_000, **options: int) -> Snapshot:
    """A model's snapshot after some messages; it is also looked at before the messages numbered in `looks`."""
    model = Model(HELLO, **options)
    for i, message in enumerate(messages):
        if i in looks:
            model.snapshot()
        model.add(message)
    model.add(Clock(at_ms * MS, 0.0, 1.0, False, 0.0, 0.0))
    return model.snapshot()


def plain(value: object) -> object:
    """A snapshot as values that can be compared."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    return value


@settings(max_examples=60, deadline=None)
@given(feeds(), st.data())
def test_order_among_lanes_does_not_matter(lanes: list[list[TurnEnd]], data: st.DataObject) -> None:
    in_order = [turn for turns in lanes for turn in turns]
    mixed = interleaved(data, lanes)
    looks = tuple(data.draw(st.lists(st.integers(0, len(mixed)), max_size=3)))
    a, b = snapshot_of(list(in_order)), snapshot_of(list(mixed), looks)
    assert plain(a) == plain(b)


def rank(values: list[int], q: float) -> int | None:
    return sorted(values)[math.ceil(q * len(values)) - 1] if values else None


@settings(max_examples=60, deadline=None)
@given(feeds(), st.integers(1, 90))
def test_windows_are_what_brute_force_gives(lanes: list[list[TurnEnd]], window_s: int) -> None:
    snapshot = snapshot_of([turn for turns in lanes for turn in turns], window_s=window_s)
    for lane, view in enumerate(snapshot.lanes):
        for agent in range(2):
            own = [t for t in lanes[lane] if t.agent == agent]
            recent = [t for t in own if t.end_ps > 100 * PS_PER_S - window_s * PS_PER_S]
            for stats, turns, span in ((view.now[agent], recent, window_s), (view.whole[agent], own, 100)):
                answered = [t for t in turns if t.state == TurnState.ANSWERED]
                latencies = [t.latency_ps for t in answered]
                assert stats.answered == len(answered)
                assert stats.turns == len(turns)
                assert stats.p50_ps == rank(latencies, 0.5)
                assert stats.p95_ps == rank(latencies, 0.95)
                assert stats.span_ps == span * PS_PER_S
                if answered:
                    assert sum(stats.stages_ps) == pytest.approx(sum(latencies) / len(latencies))
                for kept in stats.kept:
                    assert kept.met == sum(t.met[kept.budget] == 1 for t in turns)
                    ended = [t for t in turns if t.state != TurnState.CANCELLED]
                    assert kept.met + kept.missed == len(ended)
                good = [t for t in answered if 0 not in t.met]
                assert stats.good == len(good)


@settings(max_examples=40, deadline=None)
@given(feeds())
def test_series_points_look_back_over_their_seconds(lanes: list[list[TurnEnd]]) -> None:
    snapshot = snapshot_of([turn for turns in lanes for turn in turns])
    for lane, view in enumerate(snapshot.lanes):
        for agent, series in enumerate(view.series):
            own = [t for t in lanes[lane] if t.agent == agent and t.state == TurnState.ANSWERED]
            for second in (series.first_s, series.first_s + 42, series.first_s + len(series.p95_ps) - 1):
                seen = [t.latency_ps for t in own if second - POINT_S < t.end_ps // PS_PER_S <= second]
                point = series.p95_ps[second - series.first_s]
                assert (None if point < 0 else int(point)) == rank(seen, 0.95)


@settings(max_examples=60, deadline=None)
@given(feeds())
def test_pairs_are_what_brute_force_gives(lanes: list[list[TurnEnd]]) -> None:
    snapshot = snapshot_of([turn for turns in lanes for turn in turns])
    assert len(snapshot.pairs) == 3 * 2
    for pair in snapshot.pairs:
        a, b = ({t.turn: t for t in lanes[i] if t.agent == pair.agent} for i in (pair.first, pair.second))
        wins, ties, leads = [0, 0], 0, []
        for turn in a.keys() & b.keys():
            x, y = (t.latency_ps if t.state == TurnState.ANSWERED else None for t in (a[turn], b[turn]))
            if x is not None and y is not None:
                leads.append(y - x)
                ties += x == y
                wins[0] += x < y
                wins[1] += y < x
            elif x is not None or y is not None:
                wins[int(x is None)] += 1
        assert (pair.wins, pair.ties) == (tuple(wins), ties)
        assert pair.lead_ps == (int(np.median(leads)) if leads else None)


@settings(max_examples=40, deadline=None)
@given(feeds())
def test_sessions_are_what_brute_force_gives(lanes: list[list[TurnEnd]]) -> None:
    snapshot = snapshot_of([turn for turns in lanes for turn in turns])
    for lane, view in enumerate(snapshot.lanes):
        for session in range(len(view.sessions)):
            own = [t for t in lanes[lane] if t.session == session]
            answered = [t.latency_ps for t in own if t.state == TurnState.ANSWERED]
            s = view.sessions
            assert s.turns[session] == len(own)
            assert s.answered[session] == len(answered)
            assert s.sum_ps[session] == sum(answered)
            assert s.worst_ps[session] == max(answered, default=-1)
            assert s.last_end_ps[session] == max((t.end_ps for t in own), default=-1)
            late = [t for t in own if t.state == TurnState.FAILED or (t.state == TurnState.ANSWERED and 0 in t.met)]
            assert s.missed[session] == len(late)
            if answered:
                worst = view.log.find(int(s.worst_turn[session]))
                assert worst is not None
                assert worst.latency_ps == max(answered)


def test_turns_come_back_from_the_log_as_they_went_in() -> None:
    messages = playground()
    hello = messages[0]
    assert isinstance(hello, Hello)
    model = Model(hello)
    for message in messages[1:]:
        model.add(message)
    logs = [lane.log for lane in model.snapshot().lanes]
    sent = [m for m in messages if isinstance(m, TurnEnd)]
    assert len(sent) > 100
    for turn in sent:
        assert logs[turn.lane].find(turn.turn) == turn


def test_a_snapshot_stays_as_it_is_while_the_model_goes_on() -> None:
    model = Model(HELLO, keep_turns=32)
    kept: list[tuple[Snapshot, object]] = []
    for i in range(500):
        model.add(turn_end(i % 3, i, end_ms=100 * i + 3000, latency_ms=i, session=i % 7))
        if i % 40 == 0:
            snapshot = model.snapshot()
            kept.append((snapshot, plain(snapshot)))
    for snapshot, before in kept:
        assert plain(snapshot) == before


def test_memory_is_bounded_and_counts_go_on() -> None:
    model = Model(HELLO, keep_turns=64)
    for i in range(20_000):
        model.add(turn_end(0, i, end_ms=10 * i + 3000, latency_ms=100 + i % 900))
    model.add(Clock(203 * PS_PER_S, 0.0, 1.0, False, 0.0, 0.0))
    view = model.snapshot().lanes[0]
    assert len(view.log) == 64
    assert view.log.of(Field.TURN).tolist() == list(range(20_000 - 64, 20_000))
    assert view.whole[0].answered == 20_000 > EXACT
    exact = sorted(100 + i % 900 for i in range(20_000))[9_999]
    assert exact * MS <= (view.whole[0].p50_ps or 0) <= exact * MS * 1.01


def test_the_window_reaches_back_no_further_than_the_run() -> None:
    snapshot = snapshot_of([turn_end(0, 0, end_ms=900, latency_ms=800)], at_ms=2000)
    stats = snapshot.lanes[0].now[0]
    assert stats.span_ps == 2 * PS_PER_S
    assert stats.goodput_per_s == 0.5


@pytest.mark.parametrize(
    "change",
    [
        {"lane": 3},
        {"lane": -1},
        {"agent": 2},
        {"stages_ps": (1,)},
        {"met": ()},
        {"state": 0},
        {"state": 9},
        {"session": -1},
        {"session": 1 << 40},
        {"latency_ps": 1 << 70},
        {"latency_ps": -1},
        {"start_ps": -5},
        {"prompt_tokens": 1 << 64},
        {"met": (1 << 64, 0, 0)},
    ],
)
def test_turns_that_no_run_has_are_refused_and_harm_nothing(change: dict[str, object]) -> None:
    good = turn_end(0, 0, end_ms=900, latency_ms=800)
    model = Model(HELLO)
    with pytest.raises(ValueError, match=r"."):
        model.add(msgspec.structs.replace(good, **change))
    model.add(good)
    assert model.snapshot().lanes[0].whole[0].answered == 1


def server_gauges(at_s: float, **counts: int) -> Gauges:
    """Gauges of the only server of lane 0."""
    server = msgspec.structs.replace(ServerGauge(True, 0, 0, 0, 0, 0, 0, 0), **counts)
    return Gauges(round(at_s * PS_PER_S), 0, 0, (), (server,), 0, ())


def linked(rate: float) -> Hello:
    """The run with a link of so many tokens per second into the server of its only lane."""
    lane = HELLO.lanes[0]
    server = msgspec.structs.replace(lane.servers[0], link_tokens_per_s=rate)
    return msgspec.structs.replace(HELLO, lanes=(msgspec.structs.replace(lane, servers=(server,)),))


def test_the_share_of_a_link_is_what_it_carried_of_what_it_could_have() -> None:
    model = Model(linked(1000.0))
    for at_s, received in ((0.5, 0), (1.5, 250), (3.5, 1250), (4.5, 9999)):
        model.add(server_gauges(at_s, received_tokens=received))
    assert model.snapshot().lanes[0].servers.link[:, 0].tolist() == [-1.0, 0.25, 0.5, 1.0]


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_without_a_rate_there_is_no_share_of_a_link(rate: float) -> None:
    model = Model(linked(rate))
    for at_s in (1, 2):
        model.add(server_gauges(at_s, received_tokens=500 * at_s))
    assert model.snapshot().lanes[0].servers.link[:, 0].tolist() == [-1.0, -1.0]


def test_hits_are_counted_over_the_last_seconds_and_over_the_run() -> None:
    model = Model(HELLO)
    assert model.snapshot().lanes[0].servers.hit_share(0) is None
    for second in range(200):
        late = max(0, second - 150)
        model.add(server_gauges(second, prefill_tokens=100 * second, hit_tokens=300 * late))
    series = model.snapshot().lanes[0].servers
    assert series.hit_share(0, 20) == 0.75
    assert series.hit_share(0, 98) == pytest.approx(49 * 300 / (49 * 300 + 98 * 100))
    assert series.hit_share(0) == pytest.approx(49 * 300 / (49 * 300 + 199 * 100))
    model.add(server_gauges(201, prefill_tokens=5, hit_tokens=5))  # counts that go back are no counts
    assert model.snapshot().lanes[0].servers.hit_share(0, 20) is None


def test_a_fault_that_is_told_again_has_another_end() -> None:
    model = Model(HELLO)
    fault = FaultNote(5 * PS_PER_S, 0, "slow", 0, 4.0, None)
    other = msgspec.structs.replace(fault, target=1)
    mended = msgspec.structs.replace(fault, until_ps=9 * PS_PER_S)
    for message in (fault, other, mended):
        model.add(message)
    assert model.snapshot().faults == (mended, other)


def test_gauges_of_other_servers_are_refused() -> None:
    with pytest.raises(ValueError, match="servers"):
        Model(HELLO).add(Gauges(0, 0, 0, (), (), 0, ()))


def test_clocks_and_gauges_with_impossible_numbers_are_refused() -> None:
    server = ServerGauge(True, 0, 0, 0, 0, 1 << 64, 0, 0)
    model = Model(HELLO)
    for message in (
        Gauges(0, 0, 0, (), (server,), 0, ()),
        Gauges(1 << 64, 0, 0, (), (), 0, ()),
        Clock(1 << 64, 0.0, 1.0, False, 0.0, 0.0),
        Clock(0, 0.0, 0.0, False, 0.0, 0.0),
        FaultNote(-1, 0, "slow", 0, None, None),
        FaultNote(0, 0, "slow", 1 << 64, None, None),
        FaultNote(0, 0, "slow", 0, math.nan, None),
        Load(0, (1,), (1,)),
        Load(0, (1, 1), (1, 1 << 64)),
        Load(0, (1, 1), (1, 1), (0.5,)),
        Load(0, (1, 1), (1, 1), (0.5, math.nan)),
        Load(0, (1, 1), (1, 1), (0.5, -1.0)),
        *(
            Gauges(0, 0, 0, (), (msgspec.structs.replace(server, busy_ps=0, **{name: 1 << 64}),), 0, ())
            for name in ("flows", "received_tokens", "prefill_tokens", "hit_tokens")
        ),
        HELLO,
    ):
        with pytest.raises(ValueError, match=r"."):
            model.add(message)
    assert model.snapshot().at_ps == 0


def test_only_the_latest_notices_are_kept() -> None:
    model = Model(HELLO)
    for i in range(100):
        model.add(Notice("info", str(i)))
    notices = model.snapshot().notices
    assert notices[-1].text == "99"
    assert len(notices) < 100
