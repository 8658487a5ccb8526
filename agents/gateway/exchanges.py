"""A client with one HTTP request, answered at once or as a stream of server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections import deque

import msgspec
from aiohttp import hdrs, web

from subsecond.agents.tokens import TokenCounter
from subsecond.agents.wire.base import HttpCall, Send

from .connection import Connection
from .desk import Desk
from .limits import Limits, Rate
from .refusals import refusal
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
        super().__init__(desk, session, entry, roster, rate, transport=transport, limits=limits, preferred=preferred)
        self._call = session
        self._counter = counter
        self._waiting: deque[tuple[Send, bytes]] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._is_broken = False

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Read the body, and answer it."""
        if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
            return refusal(415)  # a few bytes may unfold to any number
        try:
            async with asyncio.timeout(self._limits.body_s):
                body = await request.read()
        except TimeoutError:
            response = refusal(408)
            response.force_close()
            return response
        try:
            self.open()
            await warm(self._counter, body)
            self.take(body)
            first = await self._next()
            if first is None:
                return refusal(500)
            if self._call.is_streamed:
                return await self._stream(request, *first)
            return self._whole(first[1])
        finally:
            self.leave()

    def _whole(self, data: bytes) -> web.Response:
        self.entry.bytes_out += len(data)
        headers = {**self._call.headers, hdrs.CONTENT_TYPE: "application/json"}
        if self._call.status in (429, 503):
            headers[hdrs.RETRY_AFTER] = "1"
        return web.Response(body=data, status=self._call.status, headers=headers)

    async def _stream(self, request: web.Request, send: Send, data: bytes) -> web.StreamResponse:
        response = web.StreamResponse(
            status=self._call.status,
            headers={**self._call.headers, hdrs.CONTENT_TYPE: "text/event-stream", hdrs.CACHE_CONTROL: "no-cache"},
        )
        await response.prepare(request)
        while True:
            sends = [send, *(one for one, _ in self._waiting)]
            data = b"".join([data, *(one for _, one in self._waiting)])
            self._waiting.clear()
            self._waiting_bytes = 0
            self.entry.bytes_out += len(data)
            self._sending_since_s = time.monotonic()
            await response.write(data)
            self._sending_since_s = None
            if any(one.is_last for one in sends):
                break
            following = await self._next()
            if following is None:
                await response.write(_event(_broken(send)))
                break
            send, data = following
        await response.write_eof()
        return response

    async def _next(self) -> tuple[Send, bytes] | None:
        """The next message; None: there will be none."""
        while not self._waiting:
            if self._is_broken:
                return None
            self._wake.clear()
            await self._wake.wait()
        self._waiting_bytes -= len(self._waiting[0][1])
        return self._waiting.popleft()

    def send(self, effect: Send) -> None:
        if self._is_cut:
            return
        data = _event(effect) if self._call.is_streamed else _encoder.encode(effect.message)
        self._waiting.append((effect, data))
        self._waiting_bytes += len(data)
        self._wake.set()
        if self._waiting_bytes > self._limits.waiting_bytes:
            self.abort("it reads too slowly")

    def close(self, code: int, reason: str) -> None:
        self._is_broken = True
        self._wake.set()

    def drop_waiting(self) -> None:
        self._waiting.clear()
        self._waiting_bytes = 0


def _broken(last: Send) -> Send:
    """The last event of a stream that has no end of its own, in the manner of those before."""
    error = {"message": "the answer is not complete: an internal error, or the service ends", "type": "server_error"}
    if not last.event:
        return Send({"error": error | {"param": None, "code": "internal_error"}})
    return Send({"type": "error", "code": "server_error", "message": error["message"], "param": None}, "error")


def _event(send: Send) -> bytes:
    """A message as a server-sent event."""
    data = send.text.encode() if send.text else _encoder.encode(send.message)
    head = f"event: {send.event}\n".encode() if send.event else b""
    return head + b"data: " + data + b"\n\n"
