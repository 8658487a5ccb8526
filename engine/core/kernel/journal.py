"""What happened in the batches, kept on request: from it every token's time can be worked out."""

from __future__ import annotations

from .jit import kernel
from .state import Global

__all__ = ["ANEW", "JOIN", "SEGMENT", "TOKEN", "note"]

SEGMENT = 0
JOIN = 1
TOKEN = 2
ANEW = 3


@kernel
def note(g: Global, kind: int, server: int, step: int, a: int, b: int, c: int, d: int) -> None:
    """Append an item (meaning of the fields: `state.LogItem`) to the journal, which is kept and has room."""
    item = g.journal[g.log_size]
    g.log_size += 1
    item.kind = kind
    item.server = server
    item.step = step
    item.a = a
    item.b = b
    item.c = c
    item.d = d
