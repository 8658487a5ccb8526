"""What the drawn behaviours have in common: when sessions start, where they are cut, columns per session.

Nothing here knows what kind of agent it serves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.errors import InputError
from subsecond.engine.workload.distributions import poisson_arrivals, stream

__all__ = ["Draw", "first_requests", "ranks", "sendable", "session_starts"]

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

PS_PER_S = 10**12
PS_PER_US = 10**6

#: Most sessions of one draw; a slip of the keyboard shall not fill the memory.
MAX_SESSIONS = 10_000_000
#: Longest ramp or duration in s that fits the core's picoseconds.
MAX_S = 500_000.0


@dataclass(frozen=True, slots=True)
class Draw:
    """How many sessions to draw and when they start.

    Attributes:
        name: the behaviour, for messages and streams.
        sessions: root sessions, >= 1.
        seed: >= 0.
        arrival_rate_per_s: starts follow a Poisson process of this rate; None: spread over the ramp.
        ramp_s: with no rate, starts are uniform in [0, ramp_s].
        max_turns: most turns of one root session.
        duration_s: nothing that cannot be sent before this time is drawn.
    """

    name: str
    sessions: int
    seed: int
    arrival_rate_per_s: float | None = None
    ramp_s: float = 0.0
    max_turns: int | None = None
    duration_s: float | None = None

    def __post_init__(self) -> None:
        self._whole("sessions", self.sessions, 1, MAX_SESSIONS)
        self._whole("seed", self.seed, 0, 2**63 - 1)
        if self.max_turns is not None:
            self._whole("max_turns", self.max_turns, 1, 2**31)
        self._number("ramp_s", self.ramp_s, 0.0, MAX_S)
        if self.arrival_rate_per_s is not None:
            self._number("arrival_rate_per_s", self.arrival_rate_per_s, 1e-4, 1e8)
        if self.duration_s is not None:
            self._number("duration_s", self.duration_s, 1e-9, MAX_S)

    def _whole(self, field: str, value: object, low: int, high: int) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise InputError(f"{self.name} workload", field, value, f"a whole number from {low} to {high}")

    def _number(self, field: str, value: object, low: float, high: float) -> None:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not fits or not low <= value <= high:  # type: ignore[operator]  # fits: it is a number
            raise InputError(f"{self.name} workload", field, value, f"a number from {low:g} to {high:g}")

    @property
    def duration_ps(self) -> int | None:
        return None if self.duration_s is None else max(1, round(self.duration_s * PS_PER_S))


def session_starts(draw: Draw) -> Int64:
    """Starts of root sessions in ps, ascending; those after the duration are left out (but never the first)."""
    generator = stream(draw.seed, f"{draw.name}.arrivals")
    if draw.arrival_rate_per_s is not None:
        starts = poisson_arrivals(generator, draw.sessions, draw.arrival_rate_per_s)
    else:
        starts = np.sort(generator.integers(0, round(draw.ramp_s * PS_PER_S), draw.sessions, np.int64, endpoint=True))
    if draw.duration_ps is None:
        return starts
    return starts[: max(1, int(np.searchsorted(starts, draw.duration_ps)))]


def first_requests(lengths: Int64) -> Int64:
    """Offsets [n + 1] of consecutive runs of these lengths."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def ranks(lengths: Int64) -> Int64:
    """0, 1, ..., length - 1 for each run, one after the other."""
    offsets = first_requests(lengths)
    return np.arange(offsets[-1], dtype=np.int64) - np.repeat(offsets[:-1], lengths)


def sendable(starts: Int64, lengths: Int64, wait_ps: Int64, duration_ps: int) -> Int64:
    """How many items at the head of each run can begin before a time, even if every reply took no time.

    Args:
        wait_ps: least time from the begin of the item before to the begin of this one; of a first item ignored.
    """
    offsets = first_requests(lengths)
    # beyond the duration the exact value does not matter, and clipping keeps the sum in range
    waits = np.minimum(wait_ps, duration_ps)
    waits[offsets[:-1]] = 0
    # in units of 2^20 ps (about a microsecond), rounded down: sums over all sessions stay within 63 bits
    waits >>= 20
    passed = np.cumsum(waits)
    limit = passed[offsets[:-1]] + np.maximum((duration_ps - starts) >> 20, 0)
    ends = np.searchsorted(passed, limit, side="right")
    kept: Int64 = np.clip(ends - offsets[:-1], 1, lengths)
    return kept
