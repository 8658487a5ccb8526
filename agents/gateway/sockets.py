"""A client on a websocket: a queue of frames, sent at once or by a task, so that nobody waits for a slow reader."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import Final

import msgspec
from aiohttp import WSMsgType, web

from subsecond.agents.tokens import TokenCounter
from subsecond.agents.wire.base import Send, WireSession

from .connection import Connection
from .desk import Desk
from .flushing import Flusher
from .limits import Limits, Rate
from .roster import AgentEntry, Roster
from .warming import warm

__all__ = ["SocketConnection"]

_encoder = msgspec.json.Encoder()
#: Seconds of work for one client from which on the others have their turn, and it waits for as long.
FAIR_S: Final = 0.005
#: Bytes that may lie in a connection's buffer for a frame to be written at once. asyncio lets writers wait from 64 KiB.
AT_ONCE: Final = 32 * 1024


class SocketConnection(Connection):
    """A websocket and its session.

    Args:
        counter: counts the tokens of its messages; None: they are short, or no text.
    """

    def __init__(
        self,
        desk: Desk,
        session: WireSession,
        entry: AgentEntry,
        roster: Roster,
        rate: Rate,
        *,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport | None,
        limits: Limits,
        flusher: Flusher,
        counter: TokenCounter | None,
        preferred: str = "",
    ) -> None:
        super().__init__(
            desk,
            session,
            entry,
            roster,
            rate,
            transport=transport,
            limits=limits,
            preferred=preferred,
        )
        self._socket = socket
        self._counter = counter
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._closing: tuple[int, str] | None = None
        self._flusher = flusher
        #: Whether the flusher will come by.
        self._is_due = False
        #: Sends to a client that reads slowly, and says farewell; None most of the time.
        self._sender: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        """Read until the client goes, or the session ends the connection."""
        try:
            self.open()
            await self._read_all()
        finally:
            self.leave()
            sender = self._sender
            if sender is not None:
                if self._closing is None or self._is_cut:
                    sender.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                    await sender  # which says farewell, if there is anything to be said

    async def _read_all(self) -> None:
        spent_s = ended_s = 0.0
        async for message in self._socket:
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY) and self._closing is None:
                if self._counter is not None:
                    await warm(self._counter, message.data)
                begun_s = time.perf_counter()
                if begun_s - ended_s > spent_s:  # it has let others have as much
                    spent_s = 0.0
                self.take(message.data)
                ended_s = time.perf_counter()
                spent_s += ended_s - begun_s
                if spent_s > FAIR_S:  # messages that have come already would be taken without a pause
                    await asyncio.sleep(spent_s)
                    spent_s = 0.0
            if self._closing is not None:
                return

    def send(self, effect: Send) -> None:
        if self._closing is not None or self._is_cut:
            return
        data = effect.text.encode() if effect.text else _encoder.encode(effect.message)
        self.entry.bytes_out += len(data)
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._sender is None and not self._is_due:
            self._is_due = True
            self._flusher.add(self)
        if self._waiting_bytes > self._limits.waiting_bytes:
            self.abort("it reads too slowly")

    def close(self, code: int, reason: str) -> None:
        if self._closing is None:
            self._closing = code, reason
            self._start_sender()

    async def flush(self) -> None:
        self._is_due = False
        while self._waiting and self._sender is None and not self._is_cut:
            if self._transport is None or self._transport.get_write_buffer_size() + len(self._waiting[0]) > AT_ONCE:
                self._start_sender()  # which may wait until the client has read
                return
            data = self._waiting.popleft()
            self._waiting_bytes -= len(data)
            try:
                await self._socket.send_frame(data, WSMsgType.TEXT)
            except ConnectionError:  # the reader learns of it, too
                self._is_cut = True

    def _start_sender(self) -> None:
        if self._sender is None:
            self._sender = asyncio.create_task(self._send_all())

    def drop_waiting(self) -> None:
        self._waiting.clear()
        self._waiting_bytes = 0

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                data = self._waiting.popleft()
                self._waiting_bytes -= len(data)
                self._sending_since_s = time.monotonic()
                await self._socket.send_frame(data, WSMsgType.TEXT)
                self._sending_since_s = None
            if self._closing is not None:
                code, reason = self._closing
                self._sending_since_s = time.monotonic()
                await self._socket.close(code=code, message=reason.encode()[:120])
        except ConnectionError:  # the reader learns of it, too
            self._is_cut = True
        finally:
            self._sender = None
