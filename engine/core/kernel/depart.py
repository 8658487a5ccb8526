"""Requests that leave a server before they are done there: what they held becomes free or stays as an entry."""

from __future__ import annotations

from .codes import (
    D_FIFO,
    D_FLOW,
    D_LANDED,
    D_NONE,
    D_PARKED,
    D_QUEUED,
    D_RUNNING,
    D_WAITING,
    ENTRY,
    NUM_LISTS,
    PARKED,
    PREFILLING,
    QUEUE,
    ROLE_PREFILL,
)
from .heap import heap_remove
from .jit import kernel
from .kv import publish
from .link import leave_link
from .lists import is_empty, unlink
from .segment import boundaries_until, cut, note_peak, wake
from .state import Global, Server, Session

__all__ = ["given_until", "held", "leave_prefill", "leave_queue", "release_decode", "stop_decoding", "unstage"]


@kernel
def held(server: Server, session: Session, units: int) -> int:
    """Units of a decoding request that joined with `units`, at a boundary."""
    return units + server.growth * (server.step - session.join_step)


@kernel
def given_until(g: Global, server: Server, session: Session, at: int) -> int:
    """Tokens of a decoding request that have been given at the boundaries up to and including `at`."""
    steps = server.step + boundaries_until(server, at) - session.join_step
    return min(session.output, session.given_at_join + steps * server.growth // g.unit)


@kernel
def stop_decoding(g: Global, server: Server, s: int, units: int) -> int:
    """Take a request that has not finished out of the batch; returns the units it held, still counted as used."""
    session = g.sessions[s]
    if session.leaving == 0:
        heap_remove(g, server.heap, server.heap_size, s)
        server.heap_size -= 1
    unlink(g, g.order_nodes + s)
    holding = held(server, session, units)
    server.num_decoding -= 1
    server.kv -= holding
    return holding


@kernel
def unstage(g: Global, units: int) -> None:
    """KV has left the prefill pool; prefill servers that waited for that begin again."""
    g.staged -= units
    if g.staging_blocked == 0:
        return
    g.staging_blocked = 0
    for i in range(g.pools[ENTRY].first, g.pools[ENTRY].first + g.pools[ENTRY].count):
        wake(g, i)


@kernel
def leave_prefill(
    g: Global,
    s: int,
    at: int,
) -> None:
    """A request in prefill or staged leaves; the KV of the tokens computed so far stays as the context's entry."""
    session = g.sessions[s]
    i = session.server
    server = g.servers[i]
    if session.place == PREFILLING:
        computed = session.chunk * boundaries_until(server, at)
        session.position += computed
        server.prefill_tokens += computed
        cut(g, i, at)
        unlink(g, g.order_nodes + s)
        server.num_prefilling -= 1
        if server.partial == s:
            server.partial = -1
    kept = session.position * g.unit + g.fixed
    publish(g, session.context * g.sides + server.pool, i, session.units, kept)
    server.load -= 1
    session.server = -1
    if server.role == ROLE_PREFILL:
        unstage(g, session.units)
    if not is_empty(g, g.sentinels + i * NUM_LISTS + QUEUE):
        wake(g, i)


@kernel
def leave_queue(g: Global, s: int, at: int) -> None:
    """A request leaves the queue of its entry-side server, or its place among the parked ones."""
    session = g.sessions[s]
    unlink(g, s)
    if session.place == PARKED:
        return
    i = session.server
    g.servers[i].load -= 1
    session.server = -1
    wake(g, i)
    cut(g, i, at)


@kernel
def release_decode(
    g: Global,
    s: int,
    at: int,
) -> None:
    """A request leaves the decode side, wherever it is there; nothing of its KV stays."""
    session = g.sessions[s]
    place = session.decode_place
    session.decode_place = D_NONE
    if place in (D_NONE, D_WAITING):
        return
    if place == D_PARKED:
        unlink(g, g.decode_nodes + s)
        return
    i = session.decode_server
    server = g.servers[i]
    units = session.decode_units
    if place in (D_QUEUED, D_FIFO, D_LANDED):
        unlink(g, g.decode_nodes + s)
    elif place == D_FLOW:
        leave_link(g, s, at)
    elif place == D_RUNNING:
        units = stop_decoding(g, server, s, units)
    session.decode_server = -1
    server.load -= 1
    if place != D_QUEUED:
        note_peak(g, i, at)
        server.open = 1
        server.used -= units
        server.free += units
        server.num_admitted -= 1
    wake(g, i)
    if not is_empty(g, g.sentinels + i * NUM_LISTS + QUEUE):
        cut(g, i, at)
