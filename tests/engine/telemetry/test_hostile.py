"""Anybody may put anything on a broker's topics: nothing of it ends a listener, a recorder or an engine."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from support.feeds import playground

from subsecond.engine.feed import Clock, Hello, TurnEnd, encode
from subsecond.engine.recording.reader import Recording
from subsecond.engine.telemetry.broker import connection
from subsecond.engine.telemetry.listener import Refused
from subsecond.engine.telemetry.recording import FleetRecorder
from subsecond.engine.telemetry.sequence import Sequence
from subsecond.engine.telemetry.topics import Agents, Batch, Gone, ScenarioTables, Status, read_again, read_told
from subsecond.engine.telemetry.topics import encode as encode_told

TURN = next(one for one in playground() if isinstance(one, TurnEnd))
CLOCK = next(one for one in playground() if isinstance(one, Clock))
HELLO = next(one for one in playground() if isinstance(one, Hello))


def numbered(number: int, **changes: object) -> bytes:
    return encode_told(Batch("turns", number, (msgspec.structs.replace(TURN, **changes),)))


#: Topic below the run, payload.
GARBAGE = [
    ("turns", b"\x00\xff garbage"),
    ("turns", b""),
    ("turns", b"{}"),
    ("turns", b"[" * 200_000),
    ("turns", b'{"type":"batch","kind":"turns","number":1,"messages":' + b"[" * 50_000),
    ("turns", b'{"type":"batch","kind":"turns","number":"one","messages":[]}'),
    ("turns", b'{"type":"batch","kind":"turns","number":-1,"messages":[]}'),
    ("turns", b'{"type":"batch","kind":"else","number":1,"messages":[]}'),
    ("turns", encode_told(Batch("faults", 1, (TURN,)))),
    ("turns", numbered(10**30)),
    ("turns", numbered(1_500_000)),
    ("past/none", encode_told(Gone("else", 1, 2))),
    ("turns", numbered(3, turn=1 << 64)),
    ("turns", numbered(4, lane=99)),
    ("turns", numbered(5, stages_ps=())),
    ("hello", b'{"type":"hello"}'),
    ("hello", encode(HELLO)),
    ("status", b'{"type":"status","online":"yes"}'),
    ("clock", b"null"),
    ("clock", encode(msgspec.structs.replace(CLOCK, at_ps=-5))),
    ("clock", b'{"type":"clock","at_ps":1,"wall_s":NaN,"speed":1,"paused":false,"late_p50_ms":0,"late_p99_ms":0}'),
    ("outside-agents", b'{"type":"outside-agents","agents":[{"agent":1}]}'),
    ("outside-agents", json.dumps({"type": "outside-agents", "agents": [1]}).encode()),
    ("gauges/gpu", b"x" * 1_000_000),
    ("gauges/gpu", b"x" * 17_000_000),
]


def test_garbage_is_counted_and_harms_nothing(mqtt: SimpleNamespace, tmp_path: Path) -> None:
    async def run() -> None:
        recorder = FleetRecorder(tmp_path / "a.subsecond", only=None, say=print)
        voice, ear = mqtt.Voice(mqtt.broker), mqtt.Ear(mqtt.broker, past_batches=None, also=recorder.take)
        voice.say(1)
        await ear.until(lambda: mqtt.turns_of(ear) == [0], "a turn")
        async with connection(mqtt.broker.client("vandal")) as vandal:
            for rest, payload in GARBAGE:
                await vandal.publish(f"test/run-1/{rest}", payload, qos=1)
                await vandal.publish("test/" + "x" * 70 + f"/{rest}", payload, qos=1)
            for topic in ("again", "control"):
                await vandal.publish(f"test/run-1/{topic}", b"\xff", qos=1)
                await vandal.publish(f"test/run-1/{topic}", b'{"type":"again","client":"#","kind":"turns"}', qos=1)
        await ear.until(lambda: len(ear.all(Refused)) >= len(GARBAGE), "refusals")
        voice.say(1)
        await ear.until(lambda: mqtt.turns_of(ear)[-1:] == [1], "the next turn")
        await voice.close()
        await ear.close()
        recorder.close()
        with Recording.open(tmp_path / "a.subsecond") as recording:
            assert [one.turn for one in recording.messages() if isinstance(one, TurnEnd)] == [0, 1]

    asyncio.run(run())


@pytest.mark.parametrize("seed", range(200))
def test_broken_payloads_are_refused_in_one_way(seed: int) -> None:
    """A payload with some bytes changed is taken or refused, and nothing else."""
    rng = random.Random(seed)
    status = Status(True, "run-1", "e", "s", "t", ("a",), "h", 1.0, False)
    payloads = (numbered(1), encode(HELLO), encode(CLOCK), encode_told(status), encode_told(ScenarioTables({"a": 1})))
    data = bytearray(rng.choice([*payloads, encode_told(Agents(()))]))
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    with contextlib.suppress(ValueError):
        read_told("run-1/turns", bytes(data))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b'{"type":"again","client":"a/b","kind":"turns","first":1,"last":2}',
        b'{"type":"again","client":"a","kind":"else","first":1,"last":2}',
        b'{"type":"again","client":"a","kind":"turns","first":3,"last":2}',
        b'{"type":"again","client":"a","kind":"turns","first":0,"last":2}',
    ],
)
def test_requests_for_nothing_are_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_again(payload)


@pytest.mark.parametrize("seed", range(50))
def test_batches_come_out_once_and_in_order_whatever_comes(seed: int) -> None:
    """Shuffled, doubled, partly lost: what comes out rises, and nothing is left out but what was given up."""
    rng = random.Random(seed)
    sequence = Sequence(past=None)
    numbers = [number for number in range(1, 101) if rng.random() < 0.9] * 2
    rng.shuffle(numbers)
    out, lost = [], 0
    for number in numbers:
        out += [batch.number for batch in sequence.take(Batch("turns", number, ()))]
        if rng.random() < 0.02 and (missing := sequence.missing):
            given_up, batches = sequence.give_up(missing[1])
            lost += given_up
            out += [batch.number for batch in batches]
    sequence.expect(100)
    while missing := sequence.missing:
        given_up, batches = sequence.give_up(missing[1])
        lost += given_up
        out += [batch.number for batch in batches]
    assert out == sorted(set(out))
    assert len(out) + lost == 100
