"""When turns are meant to begin: a gap after the one before (closed loop), or at times drawn beforehand (open loop).

In an open loop a turn whose time has come waits for a free session, and the wait counts: a server that is slow delays
turns that would otherwise not be seen to be late (coordinated omission).
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import Protocol

from .clock import Clock

__all__ = ["Beats", "Gaps", "Times"]


class Beats(Protocol):
    """Says when turns begin; `over` is set when no other one may."""

    over: asyncio.Event

    async def next(self, gap_s: float, free_s: float = 0.0) -> float | None:
        """Wait until the next turn is due; the time at which it was, or None if there are no more.

        Args:
            gap_s: of a closed loop, from now on, or from `free_s` if that is later.
            free_s: when the session has time for it: a caller listens to the reply before.
        """

    def unsent(self) -> int:
        """Turns whose time has come and which nobody has taken."""


class Gaps:
    """Closed loop: each session sends when its own gap is over.

    Args:
        pace: gaps are so many times shorter.
    """

    def __init__(self, clock: Clock, pace: float = 1.0) -> None:
        self.over = asyncio.Event()
        self._clock = clock
        self._pace = pace

    async def next(self, gap_s: float, free_s: float = 0.0) -> float | None:
        due_s = max(self._clock.now_s(), free_s) + gap_s / self._pace
        return due_s if await _reaches(self._clock, due_s, self.over) else None

    def unsent(self) -> int:
        return 0


class Times:
    """Open loop: the session that is free first takes the next time."""

    def __init__(self, clock: Clock, times_s: Iterator[float]) -> None:
        self.over = asyncio.Event()
        self._clock = clock
        self._times_s = times_s

    async def next(self, gap_s: float, free_s: float = 0.0) -> float | None:
        if not await _reaches(self._clock, free_s, self.over):
            return None
        due_s = next(self._times_s)
        return due_s if await _reaches(self._clock, due_s, self.over) else None

    def unsent(self) -> int:
        now_s = self._clock.now_s()
        return sum(1 for _ in itertools.takewhile(lambda time_s: time_s < now_s, self._times_s))


async def _reaches(clock: Clock, due_s: float, over: asyncio.Event) -> bool:
    """Wait until a time; False if it was all over before."""
    waiting = asyncio.ensure_future(over.wait())
    try:
        while not over.is_set() and (rest_s := clock.rest_s(due_s)) > 0:
            await asyncio.wait((waiting,), timeout=rest_s)
    finally:
        waiting.cancel()
    return not over.is_set()
