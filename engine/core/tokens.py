"""Exact times of single tokens, worked out from the journal of segments and joins."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .config import Pipeline
from .kernel.journal import ANEW, JOIN, SEGMENT, TOKEN
from .kernel.segment import boundary
from .results import Results

__all__ = ["token_times"]

Item = tuple[int, ...]


class _Steps:
    """End of every step of one server, by its segments."""

    def __init__(self) -> None:
        self.first: list[int] = []
        self.segments: list[tuple[int, int, int]] = []

    def add(self, step: int, start: int, base: int, slope: int) -> None:
        self.first.append(step)
        self.segments.append((start, base, slope))

    def end_of(self, step: int) -> int:
        """Time in ps at which the iteration number `step` (from 0) ended."""
        k = bisect_right(self.first, step) - 1
        start, base, slope = self.segments[k]
        return boundary(start, base, slope, step - self.first[k] + 1)


def token_times(
    journal: Sequence[Item], pipeline: Pipeline, results: Results, only: NDArray[np.int64] | None = None
) -> list[NDArray[np.int64]]:
    """Per request, the time of each token that the user was given, [emitted_tokens] ps.

    Args:
        journal: items as in `kernel.state.LogItem`, in the order in which they were noted.
        only: these requests, in their order; None: all.
    """
    steps = [_Steps() for _ in results.servers]
    for kind, server, step, start, count, base, slope in journal:
        if kind == SEGMENT and count > 0:
            steps[server].add(step, start, base, slope)
    growth = _growth_by_server(pipeline)
    unit = pipeline.entry.units_per_token
    emitted = results.emitted_tokens
    wanted = range(len(emitted)) if only is None else [int(request) for request in only]
    times: dict[int, list[int]] = {request: [] for request in wanted}
    joins: dict[int, tuple[int, int, int]] = {}

    def follow(request: int, upto: int) -> None:
        """Add the tokens that the request got in the batch it joined last, up to token number `upto`."""
        if request not in joins:
            return
        server, step, given = joins.pop(request)
        mine = times[request]
        while len(mine) < upto:
            needed = -(-(len(mine) + 1 - given) * unit // growth[server])
            mine.append(steps[server].end_of(step + needed - 1))

    for kind, server, step, request, given, _, _ in journal:
        if kind == SEGMENT or request not in times:
            continue
        if kind == JOIN:
            follow(request, given)
            joins[request] = (server, step, given)
        elif kind == TOKEN:
            follow(request, given - 1)
            times[request].append(step)
        elif kind == ANEW:
            joins.pop(request, None)
            times[request].clear()
    for request in list(joins):
        follow(request, int(emitted[request]))
    return [np.array(times[request], np.int64) for request in wanted]


def _growth_by_server(pipeline: Pipeline) -> list[int]:
    pools = (pipeline.entry, pipeline.decode, pipeline.fallback)
    return [pool.growth_units for pool in pools if pool for _ in range(pool.num_servers)]
