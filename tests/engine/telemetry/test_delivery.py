"""Turns reach those who listen: all, once, in order, whatever happens to the broker."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from support.brokers import Mosquitto, certificates
from support.feeds import playground

from subsecond.engine.errors import InputError
from subsecond.engine.feed import Clock, Gauges, Hello, Load, Notice, OutsideAgent
from subsecond.engine.telemetry.broker import connection, read_broker
from subsecond.engine.telemetry.listener import Away, Back, Forgotten, Missed, Refused
from subsecond.engine.telemetry.topics import ScenarioTables, Status

AGENT = OutsideAgent(0, "tester", "realtime", "127.0.0.1", 0, 0, True, 0)


def test_what_an_engine_tells_is_heard(mqtt: SimpleNamespace) -> None:
    async def run() -> None:
        voice, ear = mqtt.Voice(mqtt.broker), mqtt.Ear(mqtt.broker, past_batches=None)
        voice.say(1000)
        latest = {type(one): one for one in playground() if isinstance(one, Clock | Load | Gauges)}
        voice.put([*latest.values(), Notice("info", "hello"), AGENT])
        await ear.until(lambda: len(mqtt.turns_of(ear)) == 1000 and ear.all(OutsideAgent) and ear.all(Load), "turns")
        assert mqtt.turns_of(ear) == list(range(1000))
        assert ear.all(Hello) == [voice.hello]
        assert ear.all(ScenarioTables) == [ScenarioTables({"name": "playground"})]
        assert ear.all(Clock) == [latest[Clock]]
        assert ear.all(Gauges) == [latest[Gauges]]
        assert ear.all(OutsideAgent) == [AGENT]
        assert ear.all(Notice) == [Notice("info", "hello")]
        await voice.close()
        await ear.until(lambda: not ear.all(Status)[-1].online, "offline")
        assert ear.all(Status)[-1].reason == "ended"
        assert ear.all(Status)[-1].batches["turns"] >= 4
        await ear.close()

    asyncio.run(run())


def test_whoever_comes_late_sees_who_is_there_and_can_have_the_past(mqtt: SimpleNamespace) -> None:
    async def run() -> None:
        voice, first = mqtt.Voice(mqtt.broker), mqtt.Ear(mqtt.broker, past_batches=None)
        voice.say(300)
        voice.put([next(one for one in playground() if isinstance(one, Clock))])
        await first.until(lambda: len(mqtt.turns_of(first)) == 300 and first.all(Clock), "turns")
        late, all_of_it = mqtt.Ear(mqtt.broker), mqtt.Ear(mqtt.broker, past_batches=None)
        await late.until(lambda: late.all(Status) and late.all(Hello) and late.all(Clock), "what is retained")
        assert late.all(Status)[-1].online
        await all_of_it.until(lambda: len(mqtt.turns_of(all_of_it)) == 300, "the past")
        voice.say(5)
        await late.until(lambda: mqtt.turns_of(late), "what comes")
        assert mqtt.turns_of(late)[0] == 300
        for one in (voice, first, late, all_of_it):
            await one.close()

    asyncio.run(run())


def test_whoever_comes_late_can_have_the_last_of_the_past(mqtt: SimpleNamespace) -> None:
    async def run() -> None:
        voice, first = mqtt.Voice(mqtt.broker), mqtt.Ear(mqtt.broker, past_batches=None)
        for batch in range(1, 6):
            voice.say(10)
            await first.until(lambda batch=batch: len(mqtt.turns_of(first)) == 10 * batch, "a batch")
        await first.until(lambda: first.all(Status)[-1].batches == {"turns": 5}, "a status that says so")
        late = mqtt.Ear(mqtt.broker, past_batches=2)
        await late.until(lambda: len(mqtt.turns_of(late)) == 20, "two batches")
        voice.say(1)
        await late.until(lambda: mqtt.turns_of(late)[-1] == 50, "what comes")
        assert mqtt.turns_of(late) == list(range(30, 51))
        for one in (voice, first, late):
            await one.close()

    asyncio.run(run())


def test_a_run_that_ends_and_is_forgotten_is_gone_for_all_and_nothing_is_refused(mqtt: SimpleNamespace) -> None:
    async def run() -> None:
        voice, ear = mqtt.Voice(mqtt.broker), mqtt.Ear(mqtt.broker)
        lane = msgspec.structs.replace(voice.hello.lanes[0], name="a/b")
        voice.telemetry.begin(msgspec.structs.replace(voice.hello, lanes=(lane, *voice.hello.lanes[1:])), {})
        voice.put([one for one in playground() if isinstance(one, Clock | Load | Gauges)])
        await ear.until(lambda: ear.all(Clock) and ear.all(Gauges) and ear.all(Hello)[-1].lanes[0] == lane, "gauges")
        voice.abort()
        await ear.until(lambda: not ear.all(Status)[-1].online, "the last will")
        assert await ear.listener.forget("run-1")
        await ear.until(lambda: ear.all(Forgotten), "that it is forgotten")
        second = mqtt.Voice(mqtt.broker, "run-2")
        second.put([one for one in playground() if isinstance(one, Clock | Load | Gauges)])
        await ear.until(lambda: ear.all(Clock, "run-2"), "another run")
        await second.close()
        await ear.until(lambda: not ear.all(Status, "run-2")[-1].online, "its end")
        third = mqtt.Voice(mqtt.broker, "run-3")
        await ear.until(lambda: ear.all(Status, "run-3"), "whatever came before")
        assert ear.all(Refused) == []
        retained = []
        async with connection(mqtt.broker.client("newcomer")) as client:
            await client.subscribe("test/run-1/#")
            await client.subscribe("test/run-3/status")
            async for message in client.messages:
                retained.append(message.topic.value)
                if message.topic.value.startswith("test/run-3"):
                    break
        assert set(retained) == {"test/run-3/status"}
        await third.close()
        await ear.close()

    asyncio.run(run())


def test_a_run_that_starts_anew_takes_the_place_of_the_former(mqtt: SimpleNamespace) -> None:
    async def run() -> None:
        voice, ear = mqtt.Voice(mqtt.broker), mqtt.Ear(mqtt.broker, past_batches=None)
        voice.say(3)
        second = voice.hello.__class__(
            **{f: getattr(voice.hello, f) for f in voice.hello.__struct_fields__} | {"run": "b"}
        )
        voice.telemetry.begin(second, {})
        voice.say(2)
        await ear.until(lambda: mqtt.turns_of(ear, "b") == [3, 4] and mqtt.turns_of(ear) == [0, 1, 2], "both runs")
        newcomer = mqtt.Ear(mqtt.broker)
        await newcomer.until(lambda: newcomer.all(Hello), "the second run")
        assert {status.run for status in newcomer.all(Status)} == {"b"}
        for one in (voice, ear, newcomer):
            await one.close()

    asyncio.run(run())


def test_no_turn_is_lost_or_told_twice_when_the_broker_is_killed(mqtt: SimpleNamespace) -> None:
    async def run() -> None:
        voice, ear = mqtt.Voice(mqtt.broker), mqtt.Ear(mqtt.broker, past_batches=None)
        for _ in range(3):
            seen = len(mqtt.turns_of(ear))
            voice.say(2000)
            await ear.until(lambda seen=seen: len(mqtt.turns_of(ear)) > seen, "turns")
            mqtt.mosquitto.kill()  # in the middle of them
            voice.say(500)
            await ear.until(lambda: isinstance(ear.events[-1], Away), "the broker is away")
            mqtt.mosquitto.start()
        await ear.until(lambda: len(mqtt.turns_of(ear)) >= 7500, "all turns")
        assert mqtt.turns_of(ear) == list(range(7500))
        assert ear.all(Missed) == []
        await voice.until_news("nothing was lost")
        assert voice.news[0].startswith("MQTT: no broker at mqtt://127.0.0.1:")
        assert len(voice.news) == 6
        await voice.close()
        await ear.close()

    asyncio.run(run())


def test_a_broker_that_is_away_for_long_costs_the_oldest_turns_and_one_notice(
    tmp_path: Path, kit: SimpleNamespace
) -> None:
    async def run() -> None:
        mosquitto = Mosquitto(tmp_path)
        broker = read_broker(mosquitto.url)
        voice = kit.Voice(broker, limit=1000)
        voice.say(5000)
        await voice.until_news("MQTT: no broker")
        with mosquitto:
            ear = kit.Ear(broker, past_batches=None)
            await ear.until(lambda: kit.turns_of(ear)[-1:] == [4999], "the last turn")
            heard = kit.turns_of(ear)
            assert heard == list(range(5000 - len(heard), 5000))
            assert 500 < len(heard) <= 1000 + 256
            assert ear.all(Status)[-1].dropped == 5000 - len(heard)
            await voice.until_news(f"{5000 - len(heard):,} turns and notes were dropped")
            assert len(voice.news) == 2
            assert sum(missed.batches for missed in ear.all(Missed)) > 0
            await voice.close()
            await ear.close()

    asyncio.run(run())


def test_a_broker_that_stands_still_holds_nobody_up(mqtt: SimpleNamespace) -> None:
    async def run() -> None:
        voice, ear = mqtt.Voice(mqtt.broker), mqtt.Ear(mqtt.broker, past_batches=None)
        voice.say(10)
        await ear.until(lambda: len(mqtt.turns_of(ear)) == 10, "turns")
        os.kill(mqtt.mosquitto.pid, signal.SIGSTOP)
        try:
            voice.say(30_000)  # some 10 MB: more than all buffers hold
        finally:
            os.kill(mqtt.mosquitto.pid, signal.SIGCONT)
        await ear.until(lambda: len(mqtt.turns_of(ear)) == 30_010, "all turns")
        assert mqtt.turns_of(ear) == list(range(30_010))
        await voice.close()
        await ear.close()

    asyncio.run(run())


def test_what_the_broker_leaves_out_for_a_slow_subscriber_is_asked_for_again(
    tmp_path: Path, kit: SimpleNamespace
) -> None:
    async def run() -> None:
        with Mosquitto(tmp_path, lines=("max_queued_messages 2", "max_inflight_messages 1")) as mosquitto:
            broker = read_broker(mosquitto.url)
            voice, ear = kit.Voice(broker), kit.Ear(broker, past_batches=None)
            await ear.until(lambda: ear.all(Hello), "hello")
            voice.say(3000)
            await ear.until(lambda: len(kit.turns_of(ear)) == 3000, "all turns")
            assert kit.turns_of(ear) == list(range(3000))
            await voice.close()
            await ear.close()

    asyncio.run(run())


@pytest.mark.parametrize("password", ["right", "wrong", None])
def test_passwords(tmp_path: Path, kit: SimpleNamespace, password: str | None) -> None:
    async def run() -> None:
        with Mosquitto(tmp_path, login=("ada", "right")) as mosquitto:
            broker = read_broker(mosquitto.url, password=password)
            voice, ear = kit.Voice(broker), kit.Ear(broker)
            await ear.until(lambda: ear.events, "an answer")
            if password == "right":
                await ear.until(lambda: ear.all(Status), "status")
            else:
                (away, *_) = ear.events
                assert isinstance(away, Away)
                assert "not authorised" in away.reason.lower() or "not authorized" in away.reason.lower()
            await voice.close()
            await ear.close()

    asyncio.run(run())


# The client forgets the socket of a handshake that failed, and leaves it to the interpreter.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_encrypted_connections_need_a_certificate_that_somebody_vouches_for(
    tmp_path: Path, kit: SimpleNamespace
) -> None:
    async def run() -> None:
        folder = certificates(tmp_path)
        with Mosquitto(tmp_path, tls=folder) as mosquitto:
            known, unknown = read_broker(mosquitto.url, ca=folder / "ca.pem"), read_broker(mosquitto.url)
            voice, ear, stranger = kit.Voice(known), kit.Ear(known), kit.Ear(unknown)
            await ear.until(lambda: ear.all(Status), "status")
            await stranger.until(lambda: stranger.events, "an answer")
            assert "certificate verify failed" in stranger.events[0].reason
            assert not stranger.all(Back)
            for one in (voice, ear, stranger):
                await one.close()
        gc.collect()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://host/x", "mqtt://user@host:1883/prefix"),
        ("mqtt://", "mqtt://user@host:1883/prefix"),
        ("mqtt://host:99999/x", "mqtt://user@host:1883/prefix"),
        ("mqtt://ada:secret@host/x", "SUBSECOND_MQTT_PASSWORD"),
        ("mqtt://host/a/+/b", "levels of a topic"),
        ("mqtt://host/%00#x", "mqtt://user@host:1883/prefix"),
    ],
)
def test_addresses_that_cannot_be_used_are_explained(url: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_broker(url)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


def test_addresses_have_defaults() -> None:
    broker = read_broker("mqtt://broker.example")
    assert (broker.host, broker.port, broker.user, broker.prefix) == ("broker.example", 1883, None, "subsecond")
    broker = read_broker("mqtts://ada%40x@[::1]/lab/one/")
    assert (broker.host, broker.port, broker.user, broker.prefix) == ("::1", 8883, "ada@x", "lab/one")
    assert broker.url == "mqtts://[::1]:8883/lab/one"
