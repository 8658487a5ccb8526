"""The embedded broker, in the environment that it needs: delivery, passwords, and what is said where it is missing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from subsecond.engine.errors import InputError
from subsecond.engine.feed import Hello, TurnEnd
from subsecond.engine.telemetry.broker import read_broker
from subsecond.engine.telemetry.embedded import EmbeddedBroker
from subsecond.engine.telemetry.listener import Away
from subsecond.engine.telemetry.topics import Status

PYTHON = Path(__file__).parents[3] / ".venv-broker" / "bin" / "python"


@contextmanager
def broker(*options: str, password: str = "") -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`subsecond broker` on any free port; yields its address."""
    with program("broker", "--port", "0", *options, password=password) as found:
        yield found


@contextmanager
def program(*arguments: str, password: str = "") -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A command that starts a broker, in the environment of that; yields the broker's address."""
    if not PYTHON.exists():
        if os.environ.get("SUBSECOND_CI"):
            pytest.fail("the environment of the embedded broker is not set up")
        pytest.skip("the environment of the embedded broker is not set up: scripts/test does it")
    command = [str(PYTHON), "-m", "subsecond.tui.cli", *arguments]
    environment = os.environ | {"SUBSECOND_MQTT_PASSWORD": password}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("subsecond: broker at mqtt://"), line
        yield line.split()[-1], process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_turns_come_through_and_the_past_with_them(kit: SimpleNamespace) -> None:
    async def run() -> None:
        with broker() as (url, process):
            told = read_broker(url)
            voice, ear = kit.Voice(told), kit.Ear(told, past_batches=None)
            voice.say(2000)
            await ear.until(lambda: len(kit.turns_of(ear)) == 2000, "turns")
            assert kit.turns_of(ear) == list(range(2000))
            late = kit.Ear(told, past_batches=None)
            await late.until(lambda: late.all(Hello) and len(kit.turns_of(late)) == 2000, "the past")
            await voice.close()
            await ear.until(lambda: not ear.all(Status)[-1].online, "the end")
            await ear.close()
            await late.close()
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0

    asyncio.run(run())


def test_an_engine_may_have_its_broker_in_its_own_process(kit: SimpleNamespace) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 1883))
        except OSError:
            pytest.skip("another broker has the usual port")

    async def run() -> None:
        options = ("--port", "0", "--speed", "20", "--set", "coding.sessions=4", "--no-gateway", "--mqtt", "embedded")
        with program("serve", "playground", *options) as (url, process):
            told = read_broker(url)
            ear = kit.Ear(told, past_batches=None)
            await ear.until(lambda: ear.all(Status) and ear.all(Hello) and ear.all(TurnEnd), "turns")
            assert ear.all(Status)[-1].online
            process.send_signal(signal.SIGTERM)
            await ear.until(lambda: ear.all(Away), "the end of both")
            await ear.close()

    asyncio.run(run())


@pytest.mark.parametrize("password", ["right", "wrong"])
def test_a_password_is_asked_for(kit: SimpleNamespace, password: str) -> None:
    async def run() -> None:
        with broker("--user", "ada", password="right") as (url, _):
            told = read_broker(url, password=password)
            voice, ear = kit.Voice(told), kit.Ear(told)
            await ear.until(lambda: ear.all(Status) if password == "right" else ear.all(Away), "an answer")
            await voice.close()
            await ear.close()

    asyncio.run(run())


def test_without_it_one_sentence_says_what_to_do() -> None:
    with pytest.raises(InputError, match=r"pip install 'subsecond\[broker\]'"):
        EmbeddedBroker()
