"""Closed forms of a segment: `count` iterations, the j-th of which takes `base + j * slope` ps."""

from __future__ import annotations

import math

from .codes import END
from .heap import push_event
from .jit import kernel
from .state import Global, Server

__all__ = ["boundaries_until", "boundary", "cut", "note_peak", "wake"]


@kernel
def boundary(start: int, base: int, slope: int, j: int) -> int:
    """End of the j-th iteration (1, 2, ...) of a segment; `start` for 0."""
    return start + j * base + slope * (j * (j - 1) // 2)


@kernel
def first_boundary_from(start: int, base: int, slope: int, at: int) -> int:
    """Smallest j >= 1 with `boundary(j) >= at`."""
    distance = at - start
    if distance <= base:
        return 1
    # The float is a guess within a step or two; the integers decide.
    if slope == 0:
        j = distance // base
    else:
        half = base - slope * 0.5
        j = int(2.0 * distance / (half + math.sqrt(half * half + 2.0 * slope * distance)))
    j = max(j, 1)
    while j > 1 and boundary(start, base, slope, j - 1) >= at:
        j -= 1
    while boundary(start, base, slope, j) < at:
        j += 1
    return j


@kernel
def boundaries_until(server: Server, at: int) -> int:
    """Iterations of the server's segment that end at `at` or before and have not been committed."""
    if server.busy == 0:
        return 0
    j = first_boundary_from(server.start, server.base, server.slope, at)
    if j > server.count:
        return server.count
    if boundary(server.start, server.base, server.slope, j) > at:
        j -= 1
    return j


@kernel
def note_peak(server: Server, at: int) -> None:
    """Note the KV that is in use at `at`, before some of it is given back in mid-segment.

    The server's record holds what is in use in the segment's first iteration.
    """
    used = server.used
    if server.busy == 1 and server.count > 1:
        j = min(server.count, first_boundary_from(server.start, server.base, server.slope, at))
        used += (j - 1) * server.num_decoding * server.growth
    if used > server.peak_used:
        server.peak_used = used


@kernel
def cut(g: Global, i: int, at: int) -> None:
    """Let the segment of server `i`, if it is in one, end at its first boundary from `at` on."""
    server = g.servers[i]
    if server.busy == 0 or server.count == 1:
        return
    j = first_boundary_from(server.start, server.base, server.slope, at)
    if j < server.count:
        server.count = j
        server.end = boundary(server.start, server.base, server.slope, j)
        push_event(g, server.end, END, i)


@kernel
def wake(g: Global, i: int) -> None:
    """Let server `i` begin when nothing is left to handle at the present time, unless it is in an iteration."""
    server = g.servers[i]
    if server.up == 0 or server.busy == 1 or server.dirty == 1:
        return
    server.dirty = 1
    after = g.dirty
    if after < 0 or i < after:
        server.dirty_next = after
        g.dirty = i
        return
    before = after
    while g.servers[before].dirty_next >= 0 and g.servers[before].dirty_next < i:
        before = g.servers[before].dirty_next
    server.dirty_next = g.servers[before].dirty_next
    g.servers[before].dirty_next = i
