"""Those who watch a run: each gets every turn, and as many gauges as it can take."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import suppress

from aiohttp import web

from subsecond.engine.feed import Clock, Gauges, Load, Message, Notice, OutsideAgent, encode

__all__ = ["Observer", "Observers"]

#: Turns that may wait for a slow observer; beyond, it is let go instead of filling the memory.
MOST_WAITING = 200_000
#: Seconds that closing a connection may take.
CLOSE_S = 2.0
#: Messages that are sent before others have their turn; one takes some ten microseconds.
AT_ONCE = 16
#: Turns that a new observer gets of the past.
HISTORY = 20_000
#: Agents from outside of which a new observer hears.
AGENTS = 512


class Observer:
    """One connection. Messages wait in order; of gauges, clock and load only the latest."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self._waiting: deque[bytes] = deque()
        self._latest: dict[tuple[str, int], bytes] = {}
        self._dropped = 0
        self._wake = asyncio.Event()

    def put(self, message: Message, data: bytes) -> bool:
        """Let a message be sent soon; False if the observer is too far behind to be kept."""
        if isinstance(message, Gauges | Clock | Load | OutsideAgent):
            key = type(message).__name__, _place(message)
            self._dropped += key in self._latest and not isinstance(message, OutsideAgent)
            self._latest[key] = data
        else:
            self._waiting.append(data)
        self._wake.set()
        return len(self._waiting) <= MOST_WAITING

    def begin(self, hello: bytes) -> None:
        """A run begins: what was last known of the one before is not worth sending any more."""
        self._latest.clear()
        self.put_all([hello])

    def put_all(self, data: Iterable[bytes]) -> None:
        """Let messages be sent soon that must not be left out, whatever they are."""
        self._waiting.extend(data)
        self._wake.set()

    async def send_all(self) -> None:
        """Send what waits, for as long as the connection lasts."""
        while not self.socket.closed:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                for _ in range(min(len(self._waiting), AT_ONCE)):
                    await self.socket.send_str(self._waiting.popleft().decode())
                await asyncio.sleep(0)  # sending waits for nobody as long as there is room in the socket's buffer
            if self._dropped > 100:
                text = "this observer reads slowly: it gets fewer gauges, and every turn"
                await self.socket.send_str(encode(Notice("warning", text, self._dropped)).decode())
                self._dropped = 0
            for key in list(self._latest):
                data = self._latest.pop(key, None)  # another run may have begun meanwhile
                if data is not None:
                    await self.socket.send_str(data.decode())
                    await asyncio.sleep(0)


def _place(message: Message) -> int:
    """Which of the messages of its sort it is."""
    if isinstance(message, OutsideAgent):
        return message.agent
    return message.lane if isinstance(message, Gauges) else 0


class Observers:
    """All connections, and the turns of the present run for those who come later."""

    def __init__(self) -> None:
        self._all: set[Observer] = set()
        self._closing: set[asyncio.Task[None]] = set()
        #: The latest message about each agent from outside; those forgotten first are the first.
        self._agents: dict[int, bytes] = {}
        self._history: deque[bytes] = deque(maxlen=HISTORY)

    def __len__(self) -> int:
        return len(self._all)

    def begin(self, hello: Message) -> None:
        """A run begins: everybody gets its first message, and what was before is forgotten."""
        data = encode(hello)
        self._history.clear()
        self._agents.clear()
        for observer in self._all:
            observer.begin(data)

    def add(self, observer: Observer, hello: Message) -> None:
        """A new observer gets the first message and the past."""
        observer.begin(encode(hello))
        observer.put_all([*self._history, *self._agents.values()])
        self._all.add(observer)

    def remove(self, observer: Observer) -> None:
        """An observer has gone."""
        self._all.discard(observer)

    def publish(self, messages: Iterable[Message]) -> None:
        """Give messages to everybody; whoever is too far behind is let go, and nobody waits for that."""
        for message in messages:
            data = encode(message)
            if isinstance(message, OutsideAgent):
                self._agents[message.agent] = data
                if len(self._agents) > AGENTS:
                    del self._agents[next(iter(self._agents))]
            elif not isinstance(message, Gauges | Clock | Load):
                self._history.append(data)
            for observer in [o for o in self._all if not o.put(message, data)]:
                self.remove(observer)
                self._close(observer, 1008, b"too slow")

    def _close(self, observer: Observer, code: int, reason: bytes) -> None:
        """Close a connection as soon as its other end allows it, and not much later if that does not."""

        async def close() -> None:
            with suppress(TimeoutError, ConnectionError):
                await asyncio.wait_for(observer.socket.close(code=code, message=reason), CLOSE_S)

        task = asyncio.create_task(close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close every connection."""
        for observer in list(self._all):
            self._close(observer, 1001, b"the service ends")
        await asyncio.gather(*self._closing)
