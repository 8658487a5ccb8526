"""Two heaps: the event heap, and heaps of sessions from which any session can be taken out."""

from __future__ import annotations

import heapq
from typing import cast

from .jit import COMPILED, kernel
from .state import Global

__all__ = ["event_at", "event_key", "heap_insert", "heap_rekey", "heap_remove", "pop_event", "push_event"]

KIND_SHIFT = 40

if COMPILED:

    @kernel
    def push_event(g: Global, at: int, kind: int, ident: int) -> None:
        """Put an event into the heap; the caller has made sure that there is room."""
        events = g.events
        key = (kind << KIND_SHIFT) | ident
        i = g.num_events
        g.num_events = i + 1
        while i > 0:
            up = (i - 1) >> 1
            parent = events[up]
            if parent.at < at or (parent.at == at and parent.key <= key):
                break
            events[i].at = parent.at
            events[i].key = parent.key
            i = up
        events[i].at = at
        events[i].key = key

    @kernel
    def event_at(g: Global) -> int:
        """Time of the first event."""
        return g.events[0].at

    @kernel
    def event_key(g: Global) -> int:
        """Kind and id of the first event."""
        return g.events[0].key

    @kernel
    def pop_event(g: Global) -> None:
        """Take the first event off."""
        events = g.events
        size = g.num_events - 1
        g.num_events = size
        at = events[size].at
        key = events[size].key
        # The hole goes down to a leaf and the last event up from there: it belongs near the bottom, so this takes
        # one comparison per level, and one that needs no branch.
        i = 0
        child = 1
        while child + 1 < size:
            left = events[child]
            right = events[child + 1]
            child += (right.at < left.at) | ((right.at == left.at) & (right.key < left.key))
            events[i].at = events[child].at
            events[i].key = events[child].key
            i = child
            child = 2 * i + 1
        if child < size:
            events[i].at = events[child].at
            events[i].key = events[child].key
            i = child
        while i > 0:
            up = (i - 1) >> 1
            parent = events[up]
            if parent.at < at or (parent.at == at and parent.key <= key):
                break
            events[i].at = parent.at
            events[i].key = parent.key
            i = up
        events[i].at = at
        events[i].key = key

else:
    # The interpreter's own heap does the same in less time.

    def push_event(g: Global, at: int, kind: int, ident: int) -> None:
        g.num_events += 1
        heapq.heappush(cast("list[tuple[int, int]]", g.events), (at, (kind << KIND_SHIFT) | ident))

    def event_at(g: Global) -> int:
        return cast("list[tuple[int, int]]", g.events)[0][0]

    def event_key(g: Global) -> int:
        return cast("list[tuple[int, int]]", g.events)[0][1]

    def pop_event(g: Global) -> None:
        g.num_events -= 1
        heapq.heappop(cast("list[tuple[int, int]]", g.events))


@kernel
def _sift_up(g: Global, base: int, i: int, key: int, s: int) -> None:
    while i > 0:
        up = (i - 1) >> 1
        parent = g.heap[base + up]
        if parent.key < key or (parent.key == key and parent.session < s):
            break
        item = g.heap[base + i]
        item.key = parent.key
        item.session = parent.session
        g.sessions[parent.session].heap_index = i
        i = up
    item = g.heap[base + i]
    item.key = key
    item.session = s
    g.sessions[s].heap_index = i


@kernel
def _sift_down(g: Global, base: int, size: int, i: int, key: int, s: int) -> None:
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        below = g.heap[base + child]
        if child + 1 < size:
            right = g.heap[base + child + 1]
            if right.key < below.key or (right.key == below.key and right.session < below.session):
                child += 1
                below = right
        if key < below.key or (key == below.key and s < below.session):
            break
        item = g.heap[base + i]
        item.key = below.key
        item.session = below.session
        g.sessions[below.session].heap_index = i
        i = child
    item = g.heap[base + i]
    item.key = key
    item.session = s
    g.sessions[s].heap_index = i


@kernel
def heap_insert(g: Global, base: int, size: int, key: int, s: int) -> None:
    """Add session `s` to the heap of `size` items that starts at `base`; the caller counts."""
    _sift_up(g, base, size, key, s)


@kernel
def heap_remove(g: Global, base: int, size: int, s: int) -> None:
    """Take session `s` out of the heap of `size` items; the caller counts."""
    i = g.sessions[s].heap_index
    last = g.heap[base + size - 1]
    if last.session == s:
        return
    heap_rekey(g, base, size - 1, i, last.key, last.session)


@kernel
def heap_rekey(g: Global, base: int, size: int, i: int, key: int, s: int) -> None:
    """Let place `i` hold session `s` with `key`, and restore the order."""
    if i > 0:
        up = g.heap[base + ((i - 1) >> 1)]
        if key < up.key or (key == up.key and s < up.session):
            _sift_up(g, base, i, key, s)
            return
    _sift_down(g, base, size, i, key, s)
