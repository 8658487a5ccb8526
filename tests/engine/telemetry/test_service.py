"""The real programs on a real broker: an engine, its last will, commands, and a recorder that is ended or killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.processes import until

from subsecond.engine.feed import Clock, Gauges, KeepRecording, Load, Notice, Pause, SetKnob, TurnEnd
from subsecond.engine.recording.reader import Recording
from subsecond.engine.telemetry.topics import Status

SMALL = ("--set", "coding.sessions=4", "--set", "voice.sessions=4")


@contextmanager
def program(*arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "subsecond.tui.cli", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@contextmanager
def engine(url: str, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    serve = ("serve", "playground", "--port", 0, "--speed", 20, *SMALL, "--no-gateway", "--mqtt", url)
    with program(*serve, *more) as process:
        yield process


def test_an_engine_tells_obeys_and_leaves_a_last_will(mqtt: SimpleNamespace) -> None:
    async def run() -> None:
        ear = mqtt.Ear(mqtt.broker, past_batches=None)
        with engine(mqtt.mosquitto.url, "--mqtt-control") as process:
            await ear.until(
                lambda: all(ear.all(kind) for kind in (Status, TurnEnd, Clock, Load, Gauges)), "all that is told"
            )
            (status, *_) = ear.all(Status)
            assert status.online
            assert status.takes_commands
            await ear.listener.send(status.run, Pause())
            await ear.until(lambda: ear.all(Clock)[-1].paused, "a run that stands still")
            await ear.listener.send(status.run, KeepRecording("stolen"))
            await ear.until(lambda: any("none over MQTT" in one.text for one in ear.all(Notice)), "a refusal")
            await ear.listener.send(status.run, SetKnob("gpu", "network_ms", 9.0))
            await ear.until(lambda: len({one.run for one in ear.all(Status)}) == 2, "a run that starts anew")
            await ear.until(lambda: ear.all(SetKnob), "the knob")
            process.kill()
            await ear.until(lambda: not ear.all(Status)[-1].online, "the last will")
            assert ear.all(Status)[-1].reason == "lost"
        await ear.close()

    asyncio.run(run())


def test_commands_are_not_heard_unless_that_is_wanted(mqtt: SimpleNamespace) -> None:
    async def run() -> None:
        ear = mqtt.Ear(mqtt.broker)
        with engine(mqtt.mosquitto.url) as process:
            await ear.until(lambda: ear.all(Clock), "a clock")
            status = ear.all(Status)[-1]
            assert not status.takes_commands
            await ear.listener.send(status.run, Pause())
            seen = len(ear.all(Clock))
            await ear.until(lambda: len(ear.all(Clock)) > seen + 2, "more clocks")
            assert not ear.all(Clock)[-1].paused
            process.send_signal(signal.SIGTERM)
            await ear.until(lambda: not ear.all(Status)[-1].online, "the end")
            assert ear.all(Status)[-1].reason == "ended"
        await ear.close()

    asyncio.run(run())


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGKILL])
def test_a_recorder_that_is_ended_or_killed_leaves_a_good_file(
    mqtt: SimpleNamespace, tmp_path: Path, name: signal.Signals
) -> None:
    out = tmp_path / "a.subsecond"

    def turns() -> list[tuple[int, int]]:
        with Recording.open(out) as recording:
            return [(one.lane, one.turn) for one in recording.messages() if isinstance(one, TurnEnd)]

    with (
        engine(mqtt.mosquitto.url),
        program("record", "--mqtt", mqtt.mosquitto.url, "--out", out) as recorder,
    ):
        until(lambda: out.exists() and len(turns()) > 5, "some turns")
        os.kill(recorder.pid, name)
        _, err = recorder.communicate(timeout=60)
    found = turns()
    assert len(found) == len(set(found)) > 5
    if name == signal.SIGINT:
        assert recorder.returncode == 0
        assert f"{len(found):,} turns in 1 recordings" in err.decode()
        with Recording.open(out) as recording:
            assert recording.metadata().is_finished


def test_a_recorder_whom_the_broker_refuses_says_so(tmp_path: Path) -> None:
    from support.brokers import Mosquitto

    with Mosquitto(tmp_path, login=("ada", "right")) as mosquitto:
        done = subprocess.run(
            [sys.executable, "-m", "subsecond.tui.cli", "record", "--mqtt", mosquitto.url, "--out", tmp_path / "a"],
            capture_output=True,
            text=True,
            env=os.environ | {"SUBSECOND_MQTT_PASSWORD": "wrong"},
            timeout=60,
        )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "not authori" in done.stderr.lower()
