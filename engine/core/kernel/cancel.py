"""Cancel: the user hangs up, or speaks into the reply."""

from __future__ import annotations

from .codes import (
    CANCELLED,
    D_LANDED,
    D_RUNNING,
    LEAVING,
    NUM_LISTS,
    PARKED,
    PREFILLING,
    QUEUED,
    RUNNING,
    STAGED,
)
from .depart import given_until, leave_prefill, leave_queue, release_decode
from .heap import heap_remove
from .jit import kernel
from .lists import append
from .request import end_request, forget_foreseen
from .segment import cut
from .state import Global, Server

__all__ = ["cancel"]


@kernel
def _leave_at_boundary(g: Global, s: int, i: int, at: int) -> None:
    g.sessions[s].leaving = 1
    append(g, g.sentinels + i * NUM_LISTS + LEAVING, s)
    cut(g, i, at)


@kernel
def _stop(g: Global, server: Server, s: int) -> None:
    """Nothing of a decoding request is of interest any more; it stays in the batch until the boundary."""
    heap_remove(g, server.heap, server.heap_size, s)
    server.heap_size -= 1


@kernel
def cancel(
    g: Global,
    s: int,
    at: int,
    is_barge_in: bool,
) -> None:
    """End the present request of session `s`, if it has one, and free what it holds."""
    session = g.sessions[s]
    if session.active == 0:
        return
    place = session.place
    if session.decode_place == D_RUNNING:
        i = session.decode_server
        forget_foreseen(g, session, at)
        session.given = given_until(g, g.servers[i], session, at)
        _stop(g, g.servers[i], s)
        _leave_at_boundary(g, s, i, at)
    elif place == RUNNING:
        i = session.server
        session.given = given_until(g, g.servers[i], session, at)
        _stop(g, g.servers[i], s)
        _leave_at_boundary(g, s, i, at)
    elif place == PREFILLING:
        release_decode(g, s, at)
        _leave_at_boundary(g, s, session.server, at)
    elif place in (QUEUED, PARKED):
        leave_queue(g, s, at)
    elif place == STAGED:
        release_decode(g, s, at)
        leave_prefill(g, s, at)
    elif session.decode_place == D_LANDED:
        release_decode(g, s, at)
    session.due = -1
    end_request(g, s, at, CANCELLED, is_barge_in)
