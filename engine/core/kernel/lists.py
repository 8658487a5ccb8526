"""Doubly linked lists in one array of nodes; a list is named by its sentinel node."""

from __future__ import annotations

from .jit import kernel
from .state import Global

__all__ = ["append", "is_empty", "push_front", "unlink"]


@kernel
def append(g: Global, sentinel: int, node: int) -> None:
    """Put a node at the end of a list."""
    last = g.nodes[sentinel].prev
    g.nodes[last].next = node
    g.nodes[node].prev = last
    g.nodes[node].next = sentinel
    g.nodes[sentinel].prev = node


@kernel
def push_front(g: Global, sentinel: int, node: int) -> None:
    """Put a node at the front of a list."""
    first = g.nodes[sentinel].next
    g.nodes[first].prev = node
    g.nodes[node].next = first
    g.nodes[node].prev = sentinel
    g.nodes[sentinel].next = node


@kernel
def unlink(g: Global, node: int) -> None:
    """Take a node out of the list it is in."""
    before = g.nodes[node].prev
    after = g.nodes[node].next
    g.nodes[before].next = after
    g.nodes[after].prev = before


@kernel
def is_empty(g: Global, sentinel: int) -> bool:
    """Whether a list has no node."""
    return g.nodes[sentinel].next == sentinel
