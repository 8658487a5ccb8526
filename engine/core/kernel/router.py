"""Arrival of a request at the router and the choice of a server for it."""

from __future__ import annotations

from .codes import (
    ARRIVE,
    D_NONE,
    D_PARKED,
    D_QUEUED,
    DECODE,
    DECODE_QUEUE,
    ENQUEUE,
    ENTRY,
    FAILED_THROTTLED,
    FALLBACK,
    NO_SERVER,
    NUM_LISTS,
    PARKED,
    POLICY_FAIL,
    POLICY_FALLBACK,
    PREFILL,
    QUEUE,
    QUEUED,
    RETRY,
    ROUTING,
    THROTTLED,
    TOO_LONG,
    WAITING,
)
from .depart import leave_prefill
from .heap import push_event
from .jit import kernel
from .kv import fits
from .lists import append, is_empty, push_front
from .request import close_stage, end_request, load_request
from .segment import cut, wake
from .state import Global, Session

__all__ = ["admit", "arrive", "draw", "enqueue", "enqueue_decode"]

MASK = (1 << 31) - 1


@kernel
def draw(g: Global, session: Session) -> int:
    """The request's next random number, 31 bits, from the seed, the request's id and the count of its draws.

    Requests that use one row, one after the other, draw on.
    """
    salt = (session.repeat * 40692) & MASK
    x = ((session.request & MASK) * 2654435 + (g.seed & MASK) * 40503 + session.draws * 69069 + salt + 12345) & MASK
    session.draws += 1
    for _ in range(2):
        x ^= x >> 15
        x = (x * 0x2C1B3C6D) & MASK
        x ^= x >> 12
        x = (x * 0x297A2D39) & MASK
        x ^= x >> 15
    return x


@kernel
def arrive(
    g: Global,
    s: int,
    at: int,
) -> None:
    """The session's next request reaches the router."""
    session = g.sessions[s]
    load_request(g, session)
    if too_long(g, session, ENTRY) or too_long(g, session, DECODE):
        end_request(g, s, at, TOO_LONG, False)
        return
    admit(g, s, at)


@kernel
def too_long(g: Global, session: Session, p: int) -> bool:
    """Whether a server of the pool cannot hold the request even if it holds nothing else."""
    if g.pools[p].count == 0:
        return False
    server = g.servers[g.pools[p].first]
    return (session.prompt + session.output) * g.unit + g.fixed + server.growth > server.capacity


@kernel
def admit(g: Global, s: int, at: int) -> None:
    """Refuse the request for now (throttling), or send it on its way to a queue."""
    session = g.sessions[s]
    if g.throttle > 0 and draw(g, session) < g.throttle:
        session.attempts += 1
        if session.attempts > g.max_attempts:
            end_request(g, s, at, FAILED_THROTTLED, False)
            return
        close_stage(g, session, at, ROUTING)
        g.rows[session.row + RETRY] += g.retry
        session.mark = at + g.retry
        session.place = THROTTLED
        session.due = at + g.retry
        push_event(g, session.due, ARRIVE, s)
        return
    session.place = WAITING
    session.due = max(at, g.stalled_until) + g.route
    push_event(g, session.due, ENQUEUE, s)


@kernel
def choose(g: Global, context: int, p: int) -> int:
    """The server of pool `p` for a request: the one that has its KV, unless too loaded, else the least loaded.

    Returns:
        -1 if no server of the pool can be reached.
    """
    pool = g.pools[p]
    best = -1
    least = 0
    for i in range(pool.first, pool.first + pool.count):
        server = g.servers[i]
        if server.up == 1 and server.link_slow > 0 and (best < 0 or server.load < least):
            best = i
            least = server.load
    if best < 0 or pool.affinity == 0:
        return best
    home = g.entries[context * g.sides + p].server
    if home >= 0 and g.servers[home].link_slow > 0 and g.servers[home].load <= least + pool.slack:
        return home
    return best


@kernel
def _put(
    g: Global,
    session: Session,
    node: int,
    i: int,
    at: int,
    front: bool,
) -> None:
    """Put a request into the queue of server `i`; if it could be admitted at the next boundary, cut there."""
    server = g.servers[i]
    queue = g.sentinels + i * NUM_LISTS + QUEUE
    heads = front or is_empty(g, queue)
    if front:
        push_front(g, queue, node)
    else:
        append(g, queue, node)
    server.load += 1
    wake(g, i)
    need = (session.prompt + session.given) * g.unit + g.fixed
    if heads and server.busy == 1 and server.open == 1 and fits(server, need):
        cut(g, i, at)


@kernel
def enqueue(
    g: Global,
    s: int,
    at: int,
    front: bool,
) -> None:
    """Choose a server of the entry pool, or of the fallback pool, and queue there."""
    session = g.sessions[s]
    p = FALLBACK if session.fallen == 1 else ENTRY
    i = choose(g, session.context, p)
    if i < 0 and p == ENTRY and g.prefill_lost == POLICY_FALLBACK and g.pools[FALLBACK].count > 0:
        session.fallen = 1
        p = FALLBACK
        if too_long(g, session, FALLBACK):
            end_request(g, s, at, TOO_LONG, False)
            return
        i = choose(g, session.context, p)
    if i >= 0:
        session.server = i
        session.place = QUEUED
        _put(g, session, s, i, at, front)
    elif g.prefill_lost == POLICY_FAIL:
        end_request(g, s, at, NO_SERVER, False)
    else:
        session.place = PARKED
        append(g, g.parked + p, s)


@kernel
def enqueue_decode(
    g: Global,
    s: int,
    at: int,
) -> None:
    """Choose a decode server for a request that is in prefill or staged, and queue there."""
    session = g.sessions[s]
    i = choose(g, session.context, DECODE)
    if i >= 0:
        session.decode_server = i
        session.decode_place = D_QUEUED
        _put(g, session, g.decode_nodes + s, i, at, False)
        return
    session.decode_place = D_NONE
    falls_back = g.decode_lost == POLICY_FALLBACK and g.pools[FALLBACK].count > 0
    if not falls_back and g.decode_lost != POLICY_FAIL:
        session.decode_place = D_PARKED
        append(g, g.parked + DECODE, g.decode_nodes + s)
        return
    leave_prefill(g, s, at)
    if not falls_back:
        end_request(g, s, at, NO_SERVER, False)
        return
    session.fallen = 1
    if session.stage == DECODE_QUEUE:
        session.stage = PREFILL
    if too_long(g, session, FALLBACK):
        end_request(g, s, at, TOO_LONG, False)
        return
    enqueue(g, s, at, False)
