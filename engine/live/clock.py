"""Virtual time at the pace of a wall clock."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

__all__ = ["MAX_SPEED", "MIN_SPEED", "PacedClock"]

PS_PER_S = 10**12
MIN_SPEED, MAX_SPEED = 0.1, 100.0


class PacedClock:
    """Virtual picoseconds that pass `speed` times as fast as the seconds of `monotonic`, or stand still.

    Args:
        monotonic: seconds that never go back.
        start_ps: virtual time at the beginning.
        paused: whether it stands still there.
    """

    def __init__(
        self,
        speed: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        start_ps: int = 0,
        paused: bool = False,
    ) -> None:
        self._monotonic = monotonic
        self._wall_s = monotonic()
        self._ps = start_ps
        self._paused = paused
        self._speed = 1.0
        self.set_speed(speed)

    @property
    def speed(self) -> float:
        """Virtual seconds per second."""
        return self._speed

    @property
    def is_paused(self) -> bool:
        """Whether virtual time stands still."""
        return self._paused

    def now_ps(self) -> int:
        """The present virtual time; it goes back by `wait_s` alone."""
        if self._paused:
            return self._ps
        return self._ps + int((self._monotonic() - self._wall_s) * self._speed * PS_PER_S)

    def wall_of(self, at_ps: int) -> float:
        """When (on `monotonic`) a virtual time comes if nothing changes; infinite while paused."""
        if self._paused:
            return math.inf
        return self._wall_s + (at_ps - self._ps) / (self._speed * PS_PER_S)

    def set_speed(self, speed: float) -> None:
        """Change the pace from now on.

        Raises:
            ValueError: not within MIN_SPEED and MAX_SPEED.
        """
        if not MIN_SPEED <= speed <= MAX_SPEED:
            raise ValueError(f"speed must be in {MIN_SPEED:g}..{MAX_SPEED:g}, got {speed}")
        self._anchor()
        self._speed = speed

    def pause(self) -> None:
        """Let virtual time stand still."""
        self._anchor()
        self._paused = True

    def resume(self) -> None:
        """Let virtual time go on from where it stands."""
        self._anchor()
        self._paused = False

    def step_to(self, at_ps: int) -> None:
        """Move the time of a paused clock forward.

        Raises:
            ValueError: the clock is not paused, or the time has passed.
        """
        if not self._paused or at_ps < self._ps:
            raise ValueError("only a paused clock can be moved, and only forward")
        self._ps = at_ps

    def wait_s(self, seconds: float) -> None:
        """Let virtual time come so much later (wall time) than it would have: whoever drives with it cannot keep up."""
        self._wall_s += seconds

    def _anchor(self) -> None:
        self._ps = self.now_ps()
        self._wall_s = self._monotonic()
