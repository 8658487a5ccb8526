"""The real programs on a real broker: an engine, its last will, commands, and a recorder that is ended or killed."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from support.processes import until
from support.terminal import Terminal

from subsecond.agents.rerun import Changes, rerun
from subsecond.engine.commands import KeepRecording, Pause, SetKnob, SetLoad
from subsecond.engine.feed import Clock, Gauges, Load, Notice, TurnEnd
from subsecond.engine.recording.reader import Recording
from subsecond.engine.telemetry.topics import KnobTurned, Status

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
            await ear.until(lambda: ear.all(KnobTurned), "the knob")
            process.kill()
            await ear.until(lambda: not ear.all(Status)[-1].online, "the last will")
            assert ear.all(Status)[-1].reason == "lost"
        await ear.close()

    asyncio.run(run())


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_a_race_on_the_dashboard_tells_a_broker_too(mqtt: SimpleNamespace, tmp_path: Path) -> None:
    live = f"{sys.executable} -m subsecond.tui.cli live --head-start 0 --mqtt {mqtt.mosquitto.url} --mqtt-control"

    async def run(terminal: Terminal) -> None:
        ear = mqtt.Ear(mqtt.broker, past_batches=None)
        await ear.until(lambda: ear.all(Status) and ear.all(TurnEnd), "turns")
        assert ear.all(Status)[-1].takes_commands
        await asyncio.to_thread(terminal.press, "q")
        await ear.until(lambda: ear.all(Status)[-1].reason == "ended", "the end")
        await ear.close()

    with tempfile.TemporaryDirectory() as short:  # sockets take no long paths
        terminal = Terminal(tmp_path, Path(short) / "tmux", 80, 24, command=live)
        try:
            terminal.has_turns()
            asyncio.run(run(terminal))
        finally:
            terminal.close()


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


def test_a_recording_made_elsewhere_runs_again_as_the_one_beside_the_engine(
    mqtt: SimpleNamespace, tmp_path: Path
) -> None:
    beside, elsewhere = tmp_path / "beside.subsecond", tmp_path / "elsewhere.subsecond"
    url = mqtt.mosquitto.url
    serve = ("serve", "playground", "--port", 0, "--speed", 20, *SMALL, "--mqtt", url, "--mqtt-control")
    with program(*serve, "--record", beside) as service, program("record", "--mqtt", url, "--out", elsewhere) as remote:
        asyncio.run(_have_a_request_served(service, mqtt))
        service.terminate()
        service.communicate(timeout=60)
        asyncio.run(_until_over(mqtt))
        remote.send_signal(signal.SIGINT)
        remote.communicate(timeout=60)
    with Recording.open(beside) as first, Recording.open(elsewhere) as second:
        script = first.script()
        assert script.sessions
        assert [request.ends_turn for request in script.requests] == [True]
        assert second.script() == script
        assert second.knobs() == first.knobs() != []
        assert second.metadata().origin == first.metadata().origin
        again = [rerun(recording, Changes()) for recording in (first, second)]
    for own, other in zip(again[0].tables, again[1].tables, strict=True):
        assert np.array_equal(own, other)


async def _have_a_request_served(service: subprocess.Popen[bytes], mqtt: SimpleNamespace) -> None:
    """Turn a knob that can change on the way, let more sessions begin, and an agent from outside ask for something."""
    assert service.stderr is not None
    address = (await asyncio.to_thread(service.stderr.readline)).decode().split("serving ")[1].strip()
    ear = mqtt.Ear(mqtt.broker, past_batches=None)
    await ear.until(lambda: ear.all(Clock), "a clock")
    await ear.listener.send(ear.all(Status)[-1].run, SetKnob("gpu", "utilisation_factor", 0.5))
    await ear.listener.send(ear.all(Status)[-1].run, SetLoad("coding", sessions=6))
    await ear.until(lambda: ear.all(KnobTurned) and ear.all(Load)[-1].sessions[0] == 6, "the knob, and more sessions")
    agent = ("agent", "coding", "--url", address.removesuffix("/v1/observe"), "--turns", 1, "--duration", 1)
    with program(*agent) as process:
        await asyncio.to_thread(process.communicate, timeout=60)
    await ear.close()


async def _until_over(mqtt: SimpleNamespace) -> None:
    """Wait until a broker says of a run that it has ended, after which no more comes of it."""
    ear = mqtt.Ear(mqtt.broker)
    await ear.until(lambda: ear.all(Status) and ear.all(Status)[-1].reason == "ended", "the end")
    await ear.close()


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
