"""The heaps of events, and heaps of sessions from which any session can be taken out."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

from .codes import ARRIVE, FAULT, NEVER
from .jit import COMPILED, kernel
from .state import Event, Global

__all__ = ["event_at", "heap_insert", "heap_rekey", "heap_remove", "pop_event", "push_event"]

KIND_SHIFT = 40

if COMPILED:

    @kernel
    def _insert(events: list[Event], size: int, at: int, key: int) -> None:
        """Put an event into a heap of `size` events."""
        i = size
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
    def _remove_first(events: list[Event], size: int) -> None:
        """Take the first event off a heap that has `size` events then."""
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
        events[i].at = at if size > 0 else NEVER
        events[i].key = key

    @kernel
    def push_event(g: Global, at: int, kind: int, ident: int) -> None:
        """Put an event into its heap; the caller has made sure that there is room.

        What waits for a person or a schedule lies seconds ahead, all else milliseconds. Two heaps keep the events of
        the second sort, which come and go far more often, from climbing through the many of the first.
        """
        key = (kind << KIND_SHIFT) | ident
        if kind == ARRIVE or kind >= FAULT:
            _insert(g.later, g.num_later, at, key)
            g.num_later += 1
        else:
            _insert(g.events, g.num_events, at, key)
            g.num_events += 1

    @kernel
    def event_at(g: Global) -> int:
        """Time of the first event, NEVER if there is none."""
        return min(g.events[0].at, g.later[0].at)

    @kernel
    def pop_event(g: Global) -> int:
        """Take the first event off; returns its kind and id."""
        soon = g.events[0]
        later = g.later[0]
        if later.at < soon.at or (later.at == soon.at and later.key < soon.key):
            key = later.key
            g.num_later -= 1
            _remove_first(g.later, g.num_later)
            return key
        key = soon.key
        g.num_events -= 1
        _remove_first(g.events, g.num_events)
        return key

else:
    # The interpreter's own heap does the same in less time; an event at NEVER always stays in it.

    def push_event(g: Any, at: int, kind: int, ident: int) -> None:
        heappush(g.later if kind == ARRIVE or kind >= FAULT else g.events, (at, (kind << KIND_SHIFT) | ident))

    def event_at(g: Any) -> int:
        soon: int = g.events[0][0]
        later: int = g.later[0][0]
        return soon if soon < later else later

    def pop_event(g: Any) -> int:
        soon, later = g.events, g.later
        key: int = heappop(soon if soon[0] < later[0] else later)[1]
        return key


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
