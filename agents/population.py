"""What the drawn behaviours have in common: when sessions start, where they are cut, how contexts grow.

Nothing here knows what kind of agent it serves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.errors import InputError
from subsecond.engine.workload.distributions import poisson_arrivals, stream, uniform
from subsecond.engine.workload.runs import offsets

__all__ = [
    "PS_PER_US",
    "Draw",
    "check_size",
    "context_limit",
    "grown_prompts",
    "sendable",
    "session_starts",
]

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

PS_PER_S = 10**12
PS_PER_US = 10**6

#: Most sessions of one draw; a slip of the keyboard shall not fill the memory.
MAX_SESSIONS = 10_000_000
#: Most requests (or tasks) of one draw, about 150 bytes each.
MAX_REQUESTS = 100_000_000
#: Longest ramp or duration in s that fits the core's picoseconds.
MAX_S = 1_000_000.0


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
        max_context: most tokens of prompt and output together, the model's window; None: what the data show.
        at_once: all sessions start at 0, in the order in which they are drawn.
    """

    name: str
    sessions: int
    seed: int
    arrival_rate_per_s: float | None = None
    ramp_s: float = 0.0
    max_turns: int | None = None
    duration_s: float | None = None
    max_context: int | None = None
    at_once: bool = False

    def __post_init__(self) -> None:
        self._whole("sessions", self.sessions, 1, MAX_SESSIONS)
        self._whole("seed", self.seed, 0, 2**63 - 1)
        if self.max_turns is not None:
            self._whole("max_turns", self.max_turns, 1, 2**31)
        if self.max_context is not None:
            self._whole("max_context", self.max_context, 2, 2**30)
        self._number("ramp_s", self.ramp_s, 0.0, MAX_S)
        if self.arrival_rate_per_s is not None:
            self._number("arrival_rate_per_s", self.arrival_rate_per_s, 1e-3, 1e8)
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
    """Starts of root sessions in ps, ascending; those after the duration are left out (but never the first).

    Raises:
        InputError: the last session would start after `MAX_S`, on average.
    """
    if draw.at_once:
        return np.zeros(draw.sessions, np.int64)
    generator = stream(draw.seed, f"{draw.name}.arrivals")
    if draw.arrival_rate_per_s is not None:
        starts = poisson_arrivals(generator, _arrivals(draw, draw.arrival_rate_per_s), draw.arrival_rate_per_s)
    else:
        starts = np.sort(uniform(generator, draw.sessions, round(draw.ramp_s * PS_PER_S)))
    if draw.duration_ps is None:
        return starts
    return starts[: max(1, int(np.searchsorted(starts, draw.duration_ps)))]


def _arrivals(draw: Draw, rate_per_s: float) -> int:
    """How many arrivals to draw: all sessions, or as many as the duration has with near certainty."""
    if draw.duration_s is not None:
        expected = draw.duration_s * rate_per_s
        return min(draw.sessions, 100 + math.ceil(expected + 12 * math.sqrt(expected)))
    if draw.sessions / rate_per_s > MAX_S:
        least = f"at least {draw.sessions / MAX_S:.3g}, so that {draw.sessions} sessions start within {MAX_S:g} s"
        raise InputError(f"{draw.name} workload", "arrival_rate_per_s", rate_per_s, least)
    return draw.sessions


def sendable(starts: Int64, lengths: Int64, wait_ps: Int64, duration_ps: int) -> Int64:
    """How many items at the head of each run can begin before a time, even if every reply took no time.

    Args:
        wait_ps: least time from the begin of the item before to the begin of this one; of a first item ignored.
    """
    begins = offsets(lengths)[:-1]
    # beyond the duration the exact value does not matter, and clipping keeps the sum in range
    waits = np.minimum(wait_ps, duration_ps)
    # in units of 2^24 ps (17 microseconds), rounded down: sums over MAX_REQUESTS stay within 63 bits
    passed = np.cumsum(waits >> 24)
    limit = passed[begins] + (np.maximum(duration_ps - starts, 0) >> 24)
    ends = np.searchsorted(passed, limit, side="right")
    kept: Int64 = np.clip(ends - begins, 1, lengths)
    return kept


def check_size(draw: Draw, num_requests: int) -> None:
    """Refuse a draw that would fill the memory.

    Raises:
        InputError: more than `MAX_REQUESTS`.
    """
    if num_requests > MAX_REQUESTS:
        raise InputError(
            f"{draw.name} workload",
            "sessions",
            draw.sessions,
            f"at most {MAX_REQUESTS:,} requests, not {num_requests:,}",
        )


def context_limit(draw: Draw, shared_tokens: int) -> int | None:
    """Longest prompt that leaves room for a token of output in the model's window.

    Raises:
        InputError: the window cannot hold the shared prefix twice over: there would be no history to speak of.
    """
    if draw.max_context is None:
        return None
    least = 2 * shared_tokens
    if draw.max_context < least:
        expected = f"at least {least} tokens, twice the shared prefix of {shared_tokens}"
        raise InputError(f"{draw.name} workload", "max_context", draw.max_context, expected)
    return draw.max_context - 1


def grown_prompts(growth: Int64, first: Int64, base: Int64, limit: Int64, restart: Int64) -> tuple[Int64, Int64]:
    """Prompts that grow along each session and start again from `restart` where they would exceed `limit`.

    All sessions go through their n-th restart together, so the loop runs as often as the session with the most
    restarts has them.

    Args:
        growth: [requests] tokens by which a prompt exceeds the one before; of a session's first unused.
        first: [sessions + 1] offsets.
        base: [sessions] first prompt, <= limit.
        limit: [sessions] longest prompt.
        restart: [requests] prompt of a request that restarts there, cut at its session's limit.

    Returns:
        Prompts [requests], and the positions of the requests that start again, in no order.
    """
    grown = np.cumsum(growth)
    session = np.arange(len(first) - 1)
    at = first[:-1]
    starts, shifts = [at], [base - grown[at]]
    while True:
        at = np.searchsorted(grown, grown[at] + limit[session] - base, side="right")
        inside = at < first[session + 1]
        session, at = session[inside], at[inside]
        if not len(at):
            break
        base = np.minimum(restart[at], limit[session])
        starts.append(at)
        shifts.append(base - grown[at])
    head = np.concatenate(starts)
    order = np.argsort(head)
    head, shift = head[order], np.concatenate(shifts)[order]
    prompt = grown + np.repeat(shift, np.diff(np.append(head, len(grown))))
    return prompt, np.concatenate([np.zeros(0, np.int64), *starts[1:]])
