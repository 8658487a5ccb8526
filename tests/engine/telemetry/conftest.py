"""Brokers, publishers and listeners of tests."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from support.brokers import Mosquitto
from support.feeds import playground

from subsecond.engine.feed import Hello, Message, TurnEnd
from subsecond.engine.telemetry.broker import Broker, read_broker
from subsecond.engine.telemetry.listener import Event, Heard, Listener
from subsecond.engine.telemetry.publisher import Telemetry

#: Seconds that anything may take, on a machine busy with other things.
WAIT_S = 60.0
#: Seconds between two looks.
LOOK_S = 0.02


class Ear:
    """A listener, all that it has heard, and a way to wait until it has heard enough."""

    def __init__(self, broker: Broker, *, also: Callable[[Event], None] | None = None, **options: object) -> None:
        self.events: list[Event] = []
        self._also = also
        self._has_news = asyncio.Event()
        self.listener = Listener(broker, self._take, **options)  # type: ignore[arg-type]  # a test's own options
        self._task = asyncio.create_task(self.listener.run())

    def _take(self, event: Event) -> None:
        self.events.append(event)
        if self._also is not None:
            self._also(event)
        self._has_news.set()

    def all(self, kind: type, run: str | None = None) -> list[object]:
        """Messages of a kind, or other events of it."""
        heard = [e.message for e in self.events if isinstance(e, Heard) and run in (None, e.run)]
        return [one for one in (*heard, *self.events) if isinstance(one, kind)]

    async def until(self, fits: Callable[[], object], what: str = "") -> None:
        """Wait until what was heard is so."""
        try:
            async with asyncio.timeout(WAIT_S):
                while not fits():
                    self._has_news.clear()
                    await self._has_news.wait()
        except TimeoutError:
            raise AssertionError(f"{what}: not within {WAIT_S} s; last heard: {self.events[-5:]}") from None

    async def close(self) -> None:
        """Stop listening."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


class Voice:
    """An engine's telemetry without an engine: a hello and turns of our own."""

    def __init__(self, broker: Broker, run: str = "run-1", **options: object) -> None:
        hello = playground()[0]
        assert isinstance(hello, Hello)
        self.hello = msgspec.structs.replace(hello, run=run)
        self.telemetry = Telemetry(broker, **options)  # type: ignore[arg-type]  # a test's own options
        self.telemetry.begin(self.hello, {"name": "playground"})
        self._task = asyncio.create_task(self.telemetry.run())
        self._turn = next(one for one in playground() if isinstance(one, TurnEnd))
        self.said = 0
        #: What a person would have read.
        self.news: list[str] = []

    def say(self, turns: int) -> None:
        """Tell of so many more turns, numbered from 0."""
        numbers = range(self.said, self.said + turns)
        self.put([msgspec.structs.replace(self._turn, lane=0, turn=number) for number in numbers])
        self.said += turns

    async def until_news(self, words: str) -> None:
        """Wait until the telemetry says this to people."""
        async with asyncio.timeout(WAIT_S):
            while not any(words in text for text in self.news):
                self.news += [notice.text for notice in self.telemetry.news()]
                await asyncio.sleep(LOOK_S)

    async def until_delivered(self) -> None:
        """Wait until the broker has confirmed all."""
        async with asyncio.timeout(WAIT_S):
            while not self.telemetry.is_delivered:
                await asyncio.sleep(LOOK_S)

    def put(self, messages: list[Message]) -> None:
        """Tell of something."""
        self.telemetry.put(messages)

    def abort(self) -> None:
        """Die: the connection breaks, and nothing is said."""
        for transport in self.sockets():
            transport.shutdown(socket.SHUT_RDWR)
        self._task.cancel()

    def sockets(self) -> list[socket.socket]:
        """The connection to the broker."""
        client = self.telemetry.client
        sock = None if client is None else client._client.socket()
        return [] if sock is None else [sock]

    async def close(self) -> None:
        """End in order."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


def turns_of(ear: Ear, run: str = "run-1") -> list[int]:
    """Numbers of the turns that were heard of, in order."""
    return [one.turn for one in ear.all(TurnEnd, run) if isinstance(one, TurnEnd)]


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that runs."""
    with Mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture
def mqtt(mosquitto: Mosquitto) -> SimpleNamespace:
    """A broker, and who speaks and listens to it; in a running loop."""
    return SimpleNamespace(
        mosquitto=mosquitto, broker=read_broker(mosquitto.url), Ear=Ear, Voice=Voice, turns_of=turns_of
    )


@pytest.fixture
def kit() -> SimpleNamespace:
    """The same without a broker."""
    return SimpleNamespace(Ear=Ear, Voice=Voice, turns_of=turns_of)
