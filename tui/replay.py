"""A recording as a source: played at any pace, from any instant."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from subsecond.engine.commands import Command, Pause, Resume, SetSpeed, Step
from subsecond.engine.feed import Clock, Gauges, Notice
from subsecond.engine.live.clock import PacedClock
from subsecond.engine.recording.reader import Recording
from subsecond.tui.model import KEEP_SECONDS
from subsecond.tui.open_turns import seen_from_their_end
from subsecond.tui.source import Item

__all__ = ["ReplaySource"]

PS_PER_S = 10**12
PS_PER_MS = 10**9
#: Seconds between two looks at the clock, and virtual time of a step that names none.
PERIOD_S: Final = 0.1
STEP_PS: Final = 100 * PS_PER_MS
#: Gauges that are older than the first do not say what is open: at the highest speed 10 s lie between two. Older than
#: the second, they are on no screen.
GAP_PS: Final = 15 * PS_PER_S
GAUGES_PS: Final = (KEEP_SECONDS + 1) * PS_PER_S


class ReplaySource:
    """Plays a recording; commands move its clock, and nothing else about a run that is over can be changed.

    Args:
        path: of the recording; it may still be written.
        at_ps: where to begin; None: at the end, so that the whole run is seen.
        paused: whether to stand still there.

    Attributes:
        arrived: number of the seek, from 0 for the first instant, that was told to its end last; -1: none was.

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
        self._reached_ps = -1
        self._seeks_back = 0
        self._seeks = 0
        self.arrived = -1
        self._notices: list[Notice] = []

    @property
    def place(self) -> str:
        return str(self._path)

    @property
    def path(self) -> Path:
        """The recording."""
        return self._path

    @property
    def run(self) -> str:
        """Id of the run that was recorded."""
        return self._recording.hello().run

    @property
    def duration_ps(self) -> int:
        """How much has been recorded by now."""
        return self._recording.duration_ps

    @property
    def has_faults(self) -> bool:
        """Whether anything has broken in it by now.

        Raises:
            InputError: it is damaged.
        """
        return bool(self._recording.faults())

    @property
    def at_ps(self) -> int:
        """The instant that is shown."""
        return min(self._clock.now_ps(), self.duration_ps)

    @property
    def asked_ps(self) -> int:
        """Where the clock stands, which may be beyond the end; does not look into the file."""
        return self._clock.now_ps()

    @property
    def is_jumping(self) -> bool:
        """Whether an instant was asked for that has not been told to its end."""
        return self.arrived != self._seeks

    def seek(self, at_ps: int) -> None:
        """Show another instant; a paused replay stays paused."""
        old, at = self._clock, min(max(at_ps, 0), self.duration_ps)
        self._clock = PacedClock(old.speed, self._monotonic, start_ps=at, paused=old.is_paused)
        self._seeks += 1
        self._seeks_back += at < self._reached_ps
        self._wake.set()

    async def items(self) -> AsyncIterator[Item]:
        """The run up to the instant, then what follows at the clock's pace; from the start again after a seek back."""
        while True:
            begun = self._seeks_back
            self._reached_ps = -1
            hello = self._recording.hello()
            yield hello
            gauged_ps = -GAUGES_PS
            while self._seeks_back == begun:
                self._wake.clear()  # before looking: what changes from here on wakes
                now, seeks, end = self.at_ps, self._seeks, self.duration_ps
                since, self._reached_ps = self._reached_ps, max(now, self._reached_ps)
                for message in self._recording.told(since, now, gauges_ps=GAUGES_PS):
                    yield message
                    if isinstance(message, Gauges):
                        gauged_ps = message.at_ps
                    if self._seeks_back != begun:  # whoever took the message does not want the rest any more
                        break
                else:
                    if now - gauged_ps > GAP_PS:  # a run in virtual time, or the head start of a live one
                        for turns in seen_from_their_end(self._recording.open_at(now), hello, now):
                            yield turns
                    while self._notices:
                        yield self._notices.pop(0)
                    self.arrived = seeks
                    is_over = now >= end
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
                self._notices.append(Notice("warning", "what was recorded cannot be changed; only its clock moves"))
        self._wake.set()
        return True

    def close(self) -> None:
        """Let go of the file."""
        self._recording.close()
