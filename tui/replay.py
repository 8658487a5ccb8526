"""A recording as a source: played at any pace, from any instant."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from subsecond.engine.feed import Clock, Command, Hello, Notice, Pause, Resume, SetSpeed, Step
from subsecond.engine.live.clock import PacedClock
from subsecond.engine.recording.reader import Recording
from subsecond.tui.source import Item

__all__ = ["ReplaySource"]

PS_PER_S = 10**12
PS_PER_MS = 10**9
#: Seconds between two looks at the clock, and virtual time of a step that names none.
PERIOD_S: Final = 0.1
STEP_PS: Final = 100 * PS_PER_MS


class ReplaySource:
    """Plays a recording; commands move its clock, and nothing else about a run that is over can be changed.

    Args:
        path: of the recording; it may still be written.
        at_ps: where to begin; None: at the end, so that the whole run is seen.
        paused: whether to stand still there.

    Raises:
        InputError: no such file, or no recording.
    """

    def __init__(
        self,
        path: Path,
        *,
        at_ps: int | None = None,
        paused: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._recording = Recording.open(path)
        self._path = path
        at = self.duration_ps if at_ps is None else min(max(at_ps, 0), self.duration_ps)
        self._monotonic = monotonic
        self._clock = PacedClock(1.0, monotonic, start_ps=at, paused=paused or at_ps is None)
        self._wake = asyncio.Event()
        self._is_moved = False
        self._notices: list[Notice] = []

    @property
    def place(self) -> str:
        return str(self._path)

    @property
    def duration_ps(self) -> int:
        """How much has been recorded by now."""
        return self._recording.duration_ps

    @property
    def at_ps(self) -> int:
        """The instant that is shown."""
        return min(self._clock.now_ps(), self.duration_ps)

    def seek(self, at_ps: int) -> None:
        """Show another instant; a paused replay stays paused."""
        old, at = self._clock, min(max(at_ps, 0), self.duration_ps)
        self._clock = PacedClock(old.speed, self._monotonic, start_ps=at, paused=old.is_paused)
        self._is_moved = True
        self._wake.set()

    async def items(self) -> AsyncIterator[Item]:
        """The run up to the instant, then what follows at the clock's pace; from the start again after a seek."""
        hello = self._recording.hello()
        while True:
            self._is_moved = False
            reached = -1
            yield hello
            while not self._is_moved:
                self._wake.clear()  # before looking: what changes from here on wakes
                now = self.at_ps
                if now > reached:
                    for message in self._recording.messages(reached, now):
                        if not isinstance(message, Hello | Clock):
                            yield message
                    reached = now
                while self._notices:
                    yield self._notices.pop(0)
                is_over = now >= self.duration_ps
                yield Clock(now, 0.0, self._clock.speed, self._clock.is_paused or is_over, 0.0, 0.0)
                await self._wait(None if self._clock.is_paused or is_over else PERIOD_S)

    async def _wait(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def send(self, command: Command) -> bool:
        match command:
            case SetSpeed(speed):
                self._clock.set_speed(speed)
            case Pause():
                self._clock.pause()
            case Resume() if self.at_ps >= self.duration_ps:
                self.seek(0)  # played to its end: again from the start
                self._clock.resume()
            case Resume():
                self._clock.resume()
            case Step(ms):
                if self._clock.is_paused:
                    target = self._clock.now_ps() + (round(ms * PS_PER_MS) or STEP_PS)
                    self._clock.step_to(min(target, max(self.duration_ps, self._clock.now_ps())))
            case _:
                self._notices.append(Notice("warning", "a recording cannot be changed; only its clock moves"))
        self._wake.set()
        return True

    def close(self) -> None:
        """Let go of the file."""
        self._recording.close()
