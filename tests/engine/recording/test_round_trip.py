"""What is put into a recording comes out of it: every message, in order, and every window of them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.recordings import MS, STAGES, S, gauges, hello, turn

from subsecond.engine.commands import SetKnob
from subsecond.engine.feed import (
    Annotation,
    Clock,
    FaultNote,
    Gauges,
    Load,
    Message,
    Notice,
    OpenTurn,
    ServerGauge,
    TurnEnd,
)
from subsecond.engine.recording.reader import Recording
from subsecond.engine.recording.writer import Recorder

TIMES = st.integers(0, 1 << 60)
COUNTS = st.integers(0, 1 << 40)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(max_size=20)
LANES = st.integers(0, 1)
STAGE_TIMES = st.tuples(*[TIMES] * len(STAGES))

TURNS = st.builds(
    TurnEnd,
    lane=LANES,
    turn=COUNTS,
    session=COUNTS,
    index=COUNTS,
    agent=st.integers(0, 1),
    state=st.integers(1, 3),
    start_ps=TIMES,
    latency_ps=TIMES,
    ttft_ps=st.one_of(st.just(-1), TIMES),
    tpot_ps=TIMES,
    stages_ps=STAGE_TIMES,
    met=st.tuples(*[st.integers(-1, 1)] * 2),
    requests=COUNTS,
    prompt_tokens=COUNTS,
    hit_tokens=COUNTS,
    output_tokens=COUNTS,
    attempts=COUNTS,
)
OPEN_TURNS = st.builds(
    OpenTurn, COUNTS, COUNTS, COUNTS, st.integers(0, 1), TIMES, st.integers(0, 3), TIMES, STAGE_TIMES
)
SERVERS = st.builds(ServerGauge, st.booleans(), *[COUNTS] * 11)
GAUGES = st.builds(
    Gauges,
    at_ps=TIMES,
    lane=LANES,
    open_turns=COUNTS,
    oldest=st.lists(OPEN_TURNS, max_size=3).map(tuple),
    servers=st.lists(SERVERS, max_size=3).map(tuple),
    flows=COUNTS,
    faults=st.lists(TEXTS, max_size=2).map(tuple),
)
CLOCKS = st.builds(Clock, TIMES, NUMBERS, NUMBERS, st.booleans(), NUMBERS, NUMBERS)
PAIRS = st.tuples(COUNTS, COUNTS)
LOADS = st.builds(Load, TIMES, PAIRS, PAIRS, st.one_of(st.just(()), st.tuples(NUMBERS, NUMBERS)))
FAULTS = st.builds(FaultNote, TIMES, LANES, TEXTS, COUNTS, st.none() | NUMBERS, st.none() | TIMES)
NOTES = st.builds(Annotation, TIMES, TEXTS)
MESSAGES = st.lists(st.one_of(TURNS, GAUGES, CLOCKS, LOADS, FAULTS, NOTES), max_size=30)


def time_of(message: Message) -> int:
    return message.end_ps if isinstance(message, TurnEnd) else message.at_ps  # type: ignore[union-attr]  # all but Hello


def without_repeats(messages: list[Message]) -> list[Message]:
    """Clocks and gauges that say again what the last one said are not written."""
    kept: list[Message] = []
    clock: tuple[object, ...] | None = None
    last: dict[int, Gauges] = {}
    for message in messages:
        if isinstance(message, Clock):
            before, clock = clock, (message.at_ps, message.paused, message.speed)
            if before == clock:
                continue
        if isinstance(message, Gauges):
            if last.get(message.lane) == message:
                continue
            last[message.lane] = message
        kept.append(message)
    return kept


def record(path: Path, messages: list[Message]) -> None:
    with Recorder(path, hello()) as recorder:
        for message in messages:
            assert recorder.put(message)
    assert recorder.error is None


@settings(deadline=None, max_examples=60)
@given(MESSAGES, TIMES)
def test_messages_come_out_by_time_then_in_the_order_of_writing(messages: list[Message], middle: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.subsecond"
        record(path, messages)
        expected = sorted(without_repeats(messages), key=time_of)
        with Recording.open(path) as recording:
            assert list(recording.messages()) == expected
            assert list(recording.messages(until_ps=middle)) == [m for m in expected if time_of(m) <= middle]
            assert list(recording.messages(since_ps=middle)) == [m for m in expected if time_of(m) > middle]
            ends = [m for m in expected if isinstance(m, TurnEnd)]
            assert recording.turn_ends(lane=1, until_ps=middle) == [
                t for t in ends if t.lane == 1 and t.end_ps <= middle
            ]
            assert recording.duration_ps == max(map(time_of, expected), default=0)
            assert recording.num_turns == len(ends)
            notes = [m for m in expected if isinstance(m, Annotation)]
            assert recording.annotations(middle) == [note for note in notes if note.at_ps <= middle]


@settings(deadline=None, max_examples=40)
@given(MESSAGES, TIMES)
def test_the_state_at_a_moment_is_the_latest_of_each_kind(messages: list[Message], at: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.subsecond"
        record(path, messages)
        past = [m for m in sorted(without_repeats(messages), key=time_of) if time_of(m) <= at]
        with Recording.open(path) as recording:
            state = recording.state_at(at)
    assert state.gauges == {m.lane: m for m in past if isinstance(m, Gauges)}
    assert state.clock == next((m for m in reversed(past) if isinstance(m, Clock)), None)
    assert state.load == next((m for m in reversed(past) if isinstance(m, Load)), None)
    notes = [m for m in past if isinstance(m, FaultNote)]
    faults = {(m.at_ps, m.lane, m.kind, m.target, m.value): m for m in notes}.values()  # told again, the last one holds
    assert list(state.faults) == [m for m in faults if m.until_ps is None or m.until_ps > at]


@settings(deadline=None, max_examples=30)
@given(st.lists(TURNS, max_size=20), TIMES)
def test_columns_are_the_messages_turned_round(turns: list[TurnEnd], middle: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.subsecond"
        record(path, list(turns))
        with Recording.open(path) as recording:
            ends, columns = recording.turn_ends(since_ps=middle), recording.turns(since_ps=middle)
            still_open = recording.open_at(middle)
    assert len(columns) == len(ends)
    for name in ("lane", "turn", "session", "index", "state", "ttft_ps", "latency_ps", "end_ps", "attempts"):
        assert getattr(columns, name).tolist() == [getattr(end, name) for end in ends]
    assert [tuple(row) for row in columns.stages_ps.tolist()] == [end.stages_ps for end in ends]
    assert [tuple(row) for row in columns.met.tolist()] == [end.met for end in ends]
    assert still_open == [end for end in ends if end.start_ps <= middle]


def test_a_turn_is_found_on_every_lane_and_a_session_in_its_order(tmp_path: Path) -> None:
    turns = [turn(number, lane) for lane in (1, 0) for number in reversed(range(30))]
    record(tmp_path / "run", list(turns))
    with Recording.open(tmp_path / "run") as recording:
        assert recording.turn(7) == [turn(7, 0), turn(7, 1)]
        assert recording.turn(99) == []
        assert recording.session(3, lane=1) == [turn(number, 1) for number in range(3, 30, 5)]
        assert recording.session(3, until_ps=turn(8).end_ps) == [
            turn(number, lane) for number in (3, 8) for lane in (0, 1)
        ]
        assert recording.turn_ends(lane=0, last=3) == [turn(number) for number in (27, 28, 29)]


def test_knobs_and_notices_have_the_time_that_they_are_given_or_the_last_one(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", hello()) as recorder:
        recorder.put(SetKnob("lane0", "router_ms", 2.5), at_ps=3 * S)
        recorder.put(gauges(5 * S))
        recorder.put(SetKnob("lane1", "affinity", True))
        recorder.put(SetKnob("lane1", "model", "other"))
        recorder.put(Notice("info", "hello", 3))
    with Recording.open(tmp_path / "run") as recording:
        assert recording.knobs() == [
            (3 * S, SetKnob("lane0", "router_ms", 2.5)),
            (5 * S, SetKnob("lane1", "affinity", True)),
            (5 * S, SetKnob("lane1", "model", "other")),
        ]
        assert [at for at, _ in recording.state_at(4 * S).knobs] == [3 * S]
        assert list(recording.messages(since_ps=4 * S)) == [gauges(5 * S), Notice("info", "hello", 3, 5 * S)]


def test_a_clock_that_stands_still_is_written_once(tmp_path: Path) -> None:
    paused = [Clock(S, 100.0 + i, 1.0, True, 0.0, 0.0) for i in range(50)]
    goes_on = Clock(S, 200.0, 1.0, False, 0.0, 0.0)
    record(tmp_path / "run", [*paused, goes_on, *[gauges(S)] * 50])
    with Recording.open(tmp_path / "run") as recording:
        assert list(recording.messages()) == [paused[0], goes_on, gauges(S)]


def test_the_run_is_described(tmp_path: Path) -> None:
    tables = {"seed": 7, "pipelines": {"gpu": {"replicas": 2}}, "agents": [{"kind": "coding", "sessions": 3}]}
    with Recorder(tmp_path / "run", hello(), tables=tables) as recorder:
        recorder.put(gauges(2 * S))
    with Recording.open(tmp_path / "run") as recording:
        meta = recording.metadata()
        assert recording.hello() == recorder.hello
        assert recording.hello().recording == str(tmp_path / "run")
    assert (meta.tables, meta.seed, meta.driver, meta.is_finished, meta.end_ps) == (tables, 7, "live", True, 2 * S)
    assert (meta.format, meta.dropped_gauges, meta.digest) == (1, 0, None)
    assert len(meta.catalog_digest) == 32


@pytest.mark.parametrize("lanes", [0, 1, 3])
def test_a_run_without_turns_is_a_recording(tmp_path: Path, lanes: int) -> None:
    record_of = hello(lanes)
    Recorder(tmp_path / "run", record_of).close()
    with Recording.open(tmp_path / "run") as recording:
        assert len(recording.hello().lanes) == lanes
        assert (recording.duration_ps, recording.num_turns, list(recording.messages())) == (0, 0, [])
        assert len(recording.turns()) == 0
        assert recording.turns().stages_ps.shape == (0, len(STAGES))
        assert recording.turns().met.dtype == np.int64


def test_many_messages_at_one_moment_are_all_replayed(tmp_path: Path) -> None:
    """More than are read at a time, so that the next chunk begins within the moment."""
    turns = [turn(number, end_ps=S, latency_ps=MS) for number in range(4500)]
    record(tmp_path / "run", list(turns))
    with Recording.open(tmp_path / "run") as recording:
        assert list(recording.messages()) == turns
