"""Closed forms of a segment: `count` iterations, the j-th of which takes `base + j * slope` ps."""

from __future__ import annotations

import math

from .codes import END
from .heap import push_event
from .jit import kernel
from .journal import SEGMENT, note
from .state import Global, Server

__all__ = ["account", "boundaries_until", "boundary", "cut", "note_peak", "settle", "wake"]


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
def account(g: Global, server: Server, i: int, at: int, count: int) -> None:
    """Count `count` committed iterations of the segment in progress, which ends at `at`."""
    if g.log_limit > 0:
        note(g, SEGMENT, i, server.step, server.start, count, server.base, server.slope)
    server.step += count
    server.iterations += count
    server.busy_ps += at - server.start
    server.sequence_steps += count * server.num_decoding
    server.busy = 0
    server.end = -1


@kernel
def settle(g: Global, server: Server, i: int, at: int) -> None:
    """Commit the segment that ends at `at`, but for what is due for single requests at its last boundary."""
    count = server.count
    account(g, server, i, at, count)
    if count > 1:
        units = (count - 1) * server.num_decoding * server.growth
        server.free -= units
        server.used += units
        server.kv += units
        if server.used > server.peak_used:
            server.peak_used = server.used


@kernel
def _insert_dirty(g: Global, first: int, i: int) -> int:
    """Put server `i` into a list of dirty servers that starts with `first`; returns which one comes first then."""
    if first < 0 or i < first:
        g.servers[i].dirty_next = first
        return i
    before = first
    while g.servers[before].dirty_next >= 0 and g.servers[before].dirty_next < i:
        before = g.servers[before].dirty_next
    g.servers[i].dirty_next = g.servers[before].dirty_next
    g.servers[before].dirty_next = i
    return first


@kernel
def _next_boundary(g: Global, server: Server, i: int, at: int) -> int:
    """Number of the first boundary of the segment of server `i` that is still to come at `at`.

    A boundary at `at` is, as long as the server has not begun anew: the servers' turn comes in ascending number when
    all events are handled.
    """
    if at == g.begun_at and i <= g.beginning:
        at += 1
    return first_boundary_from(server.start, server.base, server.slope, at)


@kernel
def note_peak(g: Global, i: int, at: int) -> None:
    """Note the KV that is in use at `at`, before some of it is given back in mid-segment.

    The server's record holds what is in use in the segment's first iteration.
    """
    server = g.servers[i]
    used = server.used
    if server.busy == 1 and server.count > 1:
        j = min(server.count, _next_boundary(g, server, i, at))
        used += (j - 1) * server.num_decoding * server.growth
    if used > server.peak_used:
        server.peak_used = used


@kernel
def cut(g: Global, i: int, at: int) -> None:
    """Let the segment of server `i`, if it is in one, end at its first boundary from `at` on."""
    server = g.servers[i]
    if server.busy == 0 or server.count == 1:
        return
    j = _next_boundary(g, server, i, at)
    if j >= server.count:
        return
    server.count = j
    server.end = boundary(server.start, server.base, server.slope, j)
    if at == g.begun_at and server.end == at:
        # Other servers are beginning at this very time: this one begins among them when its turn comes. Nothing is due
        # for single requests, and there are no chunks: those who ask for a cut then have seen room in the iterations.
        settle(g, server, i, at)
        server.dirty = 1
        g.dirty_now = _insert_dirty(g, g.dirty_now, i)
        return
    push_event(g, server.end, END, i)


@kernel
def wake(g: Global, i: int) -> None:
    """Let server `i` begin when nothing is left to handle at the present time, unless it is in an iteration."""
    server = g.servers[i]
    if server.up == 0 or server.busy == 1 or server.dirty == 1:
        return
    server.dirty = 1
    g.dirty = _insert_dirty(g, g.dirty, i)
