"""Connections before they are anybody's request: how many there may be, and for how long one may say nothing.

The server underneath waits for the first request of a connection without an end; here that has one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from aiohttp import web

from .limits import Limits
from .refusals import refusal

__all__ = ["Door", "Line"]

log = logging.getLogger("subsecond.gateway")

#: Connections beside those of agents, for those who watch the run and those who ask for the metrics.
SPARE: Final = 256
#: Seconds between two looks for connections that say nothing.
LOOK_S: Final = 1.0
#: The answer to those who come when there are too many; nothing else is done for them.
_FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close\r\n"
)


class Line(web.RequestHandler):
    """One connection: requests come, one after the other."""

    def __init__(self, door: Door, server: web.Server, idle_s: float) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(server, loop=loop, keepalive_timeout=idle_s, auto_decompress=False, logger=log)
        self._door = door
        self._quiet_since_s: float | None = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self._door.lines.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See `asyncio.Protocol`."""
        self._door.lines.discard(self)
        super().connection_lost(exc)

    def begins(self) -> None:
        """A request is under way."""
        self._quiet_since_s = None

    def ends(self) -> None:
        """It has been answered, or all of the answer waits to be sent."""
        self._quiet_since_s = time.monotonic()

    def is_quiet(self, now_s: float, idle_s: float) -> bool:
        """Whether no request has come for so long, or an answer has not been read."""
        return self._quiet_since_s is not None and now_s - self._quiet_since_s > idle_s

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What is no HTTP is its sender's business; what fails in here is ours."""
        if status >= 500:
            self.log_exception("a request of %s failed", request.remote, exc_info=exc)
        if request.writer.output_size > 0:  # too late for another answer
            raise ConnectionError("an answer has begun")
        response = refusal(status, "" if status >= 500 or message is None else message)
        response.force_close()
        return response


class Door:
    """All connections of a service.

    Args:
        server: handles their requests.
    """

    def __init__(self, server: web.Server, limits: Limits) -> None:
        self.lines: set[Line] = set()
        self._server = server
        self._limits = limits

    @property
    def most(self) -> int:
        """Connections that are taken."""
        return self._limits.connections + SPARE

    def open(self) -> asyncio.Protocol:
        """For a connection that comes (the protocol factory of the listening socket)."""
        if len(self.lines) >= self.most:
            return _Refusal()
        return Line(self, self._server, self._limits.idle_s)

    async def watch(self) -> None:
        """Cut those that say nothing, until cancelled."""
        while True:
            await asyncio.sleep(min(LOOK_S, self._limits.idle_s / 2))
            now_s = time.monotonic()
            for line in [line for line in self.lines if line.is_quiet(now_s, self._limits.idle_s)]:
                if isinstance(line.transport, asyncio.WriteTransport):
                    line.transport.abort()


class _Refusal(asyncio.Protocol):
    """Tells a connection that there are too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        body = refusal(503).body
        assert isinstance(body, bytes)
        transport.write(_FULL + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        transport.close()
