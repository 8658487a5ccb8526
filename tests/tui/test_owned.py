"""The dashboard's own service: it starts, comes back, says what is wrong, and is never left behind."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import aclosing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.processes import is_alive, until

from subsecond.engine.commands import Pause
from subsecond.engine.errors import InputError, SubsecondError
from subsecond.engine.feed import Hello, Notice, TurnEnd
from subsecond.tui.owned import OwnedService
from subsecond.tui.source import Gone, Item, LiveSource
from subsecond.tui.starting import StartingSource

ARGUMENTS = ["playground", "--set", "coding.sessions=2", "--set", "voice.sessions=2"]
WAIT_S = 60.0


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnedService]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with OwnedService(ARGUMENTS) as owned:
        yield owned


@pytest.fixture
def settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnedService]:
    """A service on a port that no other test's service takes while it is away."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with OwnedService(ARGUMENTS, port=free_port()) as owned:
        yield owned


def free_port() -> int:
    """A port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        return int(other.getsockname()[1])


def health(url: str) -> str:
    with urllib.request.urlopen(
        url.replace("ws://", "http://").replace("/v1/observe", "/health"), timeout=WAIT_S
    ) as answer:
        return str(answer.read())


def pid_of(service: OwnedService) -> int:
    process = service._process
    assert process is not None
    return process.pid


def test_it_starts_and_says_where(service: OwnedService) -> None:
    assert not service.is_running
    url = service.start()
    assert re.fullmatch(r"ws://127\.0\.0\.1:\d+/v1/observe", url)
    assert service.url == url
    assert service.is_running
    assert "ok" in health(url)


def test_it_comes_back_at_the_same_address(settled: OwnedService) -> None:
    url = settled.start()
    first = pid_of(settled)
    assert settled.start() == url
    assert pid_of(settled) != first
    assert not is_alive(first)
    assert "ok" in health(url)


def test_a_run_that_is_started_again_leaves_the_recording_of_the_one_before(tmp_path: Path) -> None:
    record = tmp_path / "kept.subsecond"
    with OwnedService(ARGUMENTS, record=record, port=free_port()) as service:
        service.start()
        until(record.exists, "a recording")
        first = record.stat().st_ino
        os.kill(pid_of(service), signal.SIGKILL)
        service.start()
        until((tmp_path / "kept-2.subsecond").exists, "a recording of the second run")
        assert record.stat().st_ino == first
    assert [path.name for path in sorted(tmp_path.glob("*.subsecond"))] == ["kept-2.subsecond", "kept.subsecond"]


def test_a_port_that_is_wanted_is_taken_or_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with OwnedService(ARGUMENTS, port=port) as owned, pytest.raises(InputError, match=f"--port: got '{port}'"):
            owned.start()
    with OwnedService(ARGUMENTS, port=port) as owned:
        assert owned.start() == f"ws://127.0.0.1:{port}/v1/observe"


def test_where_agents_connect_is_told_if_the_usual_port_is_taken(service: OwnedService) -> None:
    async def told() -> str:
        async with aclosing(LiveSource(service.start()).items()) as items:  # type: ignore[type-var]  # it is a generator
            async for item in items:
                if isinstance(item, Notice):
                    return item.text
        raise AssertionError("nothing was told")

    with suppress(OSError):  # somebody else has it: as good
        taken = socket.create_server(("127.0.0.1", 8765))
    try:
        text = asyncio.run(asyncio.wait_for(told(), WAIT_S))
        assert text == f"port 8765 is taken: agents connect to {urlsplit(service.url).port} instead"
    finally:
        with suppress(NameError):
            taken.close()


def test_stopping_leaves_no_process_and_no_recording(service: OwnedService, tmp_path: Path) -> None:
    service.start()
    process = pid_of(service)
    service.stop()
    assert not is_alive(process)
    assert not service.is_running
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    service.stop()


def test_a_block_that_fails_leaves_no_process() -> None:
    service = OwnedService(ARGUMENTS)
    with suppress(RuntimeError), service:
        service.start()
        process = pid_of(service)
        raise RuntimeError("the dashboard has failed")
    assert not is_alive(process)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere"),
        (["playground", "--speed", "0"], "--speed: got '0.0', expected a number from 0.1 to 100"),
        (["playground", "--set", "voice.sessions=many"], "many"),
    ],
)
def test_refused_input_is_explained_in_the_words_of_the_service(arguments: list[str], words: str) -> None:
    with OwnedService(arguments) as service:
        with pytest.raises(InputError) as caught:
            service.start()
        assert words in str(caught.value)
        assert "subsecond:" not in str(caught.value)
        assert "\n" not in str(caught.value)
        assert not service.is_running


def test_a_service_that_breaks_at_its_start_is_no_mistake_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")  # the interpreter finds no library and gives up
    with OwnedService(ARGUMENTS) as service:
        with pytest.raises(SubsecondError, match="did not start") as caught:
            service.start()
        assert not isinstance(caught.value, InputError)


def watched(service: OwnedService) -> tuple[list[Item], StartingSource, list[str]]:
    """What a dashboard gets of a service that begins, and ends after its first turn; the source; if it gave up."""
    items: list[Item] = []
    given_up: list[str] = []
    stopping: list[asyncio.Task[None]] = []
    source = StartingSource(service, lambda: given_up.append("given up"))

    async def watch() -> None:
        assert await source.send(Pause()) is False
        async for item in source.items():
            items.append(item)
            if isinstance(item, TurnEnd) and not stopping:
                assert await source.send(Pause())
                stopping.append(asyncio.create_task(asyncio.to_thread(service.stop)))
            elif isinstance(item, Gone):
                break
        await asyncio.gather(*stopping)

    service.begin()
    asyncio.run(asyncio.wait_for(watch(), WAIT_S))
    return items, source, given_up


def test_who_watches_it_shows_its_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("SUBSECOND_TOKEN", "of somebody else")

    async def first(source: LiveSource) -> Item:
        async with aclosing(source.items()) as items:  # type: ignore[type-var]  # it is a generator
            return await asyncio.wait_for(anext(items), WAIT_S)

    with OwnedService(ARGUMENTS, port=free_port(), token="of this one") as owned:
        told = asyncio.run(first(LiveSource(owned.start())))
        assert isinstance(told, Gone)
        assert "another token" in told.reason
        assert isinstance(watched(owned)[0][0], Hello)
    with OwnedService(ARGUMENTS) as owned:  # none is asked for, whatever the environment says
        assert isinstance(asyncio.run(first(LiveSource(owned.start()))), Hello)


def test_it_is_watched_from_before_it_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with OwnedService([*ARGUMENTS, "--head-start", "60"]) as service:
        items, source, given_up = watched(service)
    assert isinstance(items[0], Hello)
    assert any(isinstance(item, TurnEnd) for item in items)
    assert isinstance(items[-1], Gone)
    assert source.place == service.url
    assert (source.failure, given_up) == (None, [])


def test_who_watches_is_told_why_it_does_not_start() -> None:
    with OwnedService(["nowhere"]) as service:
        items, source, given_up = watched(service)
        assert items == []
        assert isinstance(source.failure, InputError)
        assert "nowhere" in str(source.failure)
        assert given_up == ["given up"]
        assert not service.is_running


def test_a_killed_service_is_noticed_and_comes_back(settled: OwnedService) -> None:
    url = settled.start()
    process = pid_of(settled)
    os.kill(process, signal.SIGKILL)
    until(lambda: not settled.is_running, "the end of the service is noticed")
    assert settled.start() == url
    assert settled.is_running
    assert "ok" in health(url)


OWNER = """
import sys, time
from subsecond.tui.owned import OwnedService

service = OwnedService(sys.argv[1:])
service.start()
print(service._process.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_the_service_of_a_killed_owner_ends(end: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-c", OWNER, *ARGUMENTS]
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as owner:
        assert owner.stdout is not None
        process = int(owner.stdout.readline())
        assert is_alive(process)
        owner.send_signal(end)
        assert owner.wait(WAIT_S) == -end
        until(lambda: not is_alive(process), "the service ends")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
