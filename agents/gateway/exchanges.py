"""A client with one HTTP request, answered at once or as a stream of server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections import deque

import msgspec
from aiohttp import web

from subsecond.agents.tokens import TokenCounter
from subsecond.agents.wire.base import HttpCall, Send

from .admission import Limits, Rate
from .connection import Connection
from .desk import Desk
from .roster import AgentEntry, Roster
from .warming import warm

__all__ = ["HttpExchange"]

_encoder = msgspec.json.Encoder()


class HttpExchange(Connection):
    """One request and its answer."""

    def __init__(
        self,
        desk: Desk,
        session: HttpCall,
        entry: AgentEntry,
        roster: Roster,
        rate: Rate,
        *,
        transport: asyncio.Transport | None,
        limits: Limits,
        counter: TokenCounter,
        preferred: str = "",
    ) -> None:
        super().__init__(desk, session, entry, roster, rate, preferred=preferred)
        self._call = session
        self._transport = transport
        self._limits = limits
        self._counter = counter
        self._waiting: deque[Send] = deque()
        self._wake = asyncio.Event()
        self._is_broken = False
        self._sending_since_s: float | None = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Read the body, and answer it."""
        body = await request.read()
        try:
            self.open()
            await warm(self._counter, body)
            self.take(body)
            first = await self._next()
            if first is None:
                return web.json_response({"error": {"message": "internal error", "type": "server_error"}}, status=500)
            if not self._call.is_streamed:
                data = _encoder.encode(first.message)
                self.entry.bytes_out += len(data)
                headers = {**self._call.headers, "Content-Type": "application/json"}
                return web.Response(body=data, status=self._call.status, headers=headers)
            return await self._stream(request, first)
        finally:
            self.leave()

    async def _stream(self, request: web.Request, first: Send) -> web.StreamResponse:
        response = web.StreamResponse(
            status=self._call.status,
            headers={**self._call.headers, "Content-Type": "text/event-stream", "Cache-Control": "no-cache"},
        )
        await response.prepare(request)
        following: Send | None = first
        while following is not None:
            sends = [following, *self._waiting]
            self._waiting.clear()
            data = b"".join(map(_event, sends))
            self.entry.bytes_out += len(data)
            self._sending_since_s = time.monotonic()
            await response.write(data)
            self._sending_since_s = None
            if any(send.is_last for send in sends):
                break
            following = await self._next()
        await response.write_eof()
        return response

    async def _next(self) -> Send | None:
        """The next message; None: there will be none."""
        while not self._waiting:
            if self._is_broken:
                return None
            self._wake.clear()
            await self._wake.wait()
        return self._waiting.popleft()

    def send(self, effect: Send) -> None:
        self._waiting.append(effect)
        self._wake.set()

    def close(self, code: int, reason: str) -> None:
        self._is_broken = True
        self._wake.set()

    def is_stalled(self) -> bool:
        """Whether the client has read nothing for too long."""
        since = self._sending_since_s
        return since is not None and time.monotonic() - since > self._limits.stalled_s

    def abort(self, why: str) -> None:
        """Cut the connection."""
        self.entry.complain(f"the connection was cut: {why}")
        if self._transport is not None:
            self._transport.abort()


def _event(send: Send) -> bytes:
    """A message as a server-sent event."""
    data = send.text.encode() if send.text else _encoder.encode(send.message)
    head = f"event: {send.event}\n".encode() if send.event else b""
    return head + b"data: " + data + b"\n\n"
