"""The time outside agents live in: wall time, or a faster one for tests."""

from __future__ import annotations

import asyncio
import time

__all__ = ["Clock"]


class Clock:
    """Seconds from the start.

    Args:
        speed: seconds of the agents' per second of the wall.
    """

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed
        self._start = time.perf_counter()

    def now_s(self) -> float:
        return (time.perf_counter() - self._start) * self._speed

    def rest_s(self, at_s: float) -> float:
        """Seconds of the wall until then."""
        return (at_s - self.now_s()) / self._speed

    async def until(self, at_s: float) -> None:
        """Sleep until then; at once if it is past."""
        while (rest_s := self.rest_s(at_s)) > 0:
            await asyncio.sleep(rest_s)
