"""One task that sends to many clients: a task for every message would cost more than the message."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

__all__ = ["Flushable", "Flusher"]

log = logging.getLogger("subsecond.gateway")


class Flushable(Protocol):
    """A connection for which messages wait."""

    async def flush(self) -> None:
        """Send what waits. It must not wait for the client: others' messages wait behind it."""


class Flusher:
    """Sends what has been put up for sending since it ran last."""

    def __init__(self) -> None:
        self._due: list[Flushable] = []
        self._wake = asyncio.Event()

    def add(self, connection: Flushable) -> None:
        """Let what waits for a client be sent soon."""
        self._due.append(connection)
        self._wake.set()

    async def run(self) -> None:
        """Send, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            due, self._due = self._due, []
            for connection in due:
                try:
                    await connection.flush()
                except Exception:  # a defect of one connection is not the others' business
                    log.exception("sending to a client failed")
