"""Faults: servers that go down, come up or slow down, links that change their rate or are cut."""

from __future__ import annotations

from .batch import left
from .codes import (
    D_FIFO,
    D_FLOW,
    D_LANDED,
    D_LANDING,
    D_NONE,
    D_QUEUED,
    D_RUNNING,
    DECODE,
    ENQUEUE,
    HANDOFF_LOSS,
    LEAVING,
    LINK_RATE,
    NUM_LISTS,
    PRE,
    PREFILLING,
    QUEUED,
    ROLE_DECODE,
    ROLE_PREFILL,
    ROUTING,
    RUN,
    RUNNING,
    SERVER_DOWN,
    SERVER_SLOW,
    SERVER_UP,
    STAGED,
    STALL_UNTIL,
    STEP_COST,
    THROTTLE,
    WAITING,
)
from .depart import given_until, release_decode, unstage
from .heap import push_event
from .jit import kernel
from .kv import drop, lru_list
from .link import change_rate
from .lists import unlink
from .loss import handoff_lost, request_lost
from .request import forget_foreseen
from .router import enqueue, enqueue_decode
from .segment import account, boundaries_until, cut, note_peak, wake
from .state import Global, Server

__all__ = ["apply_fault", "set_costs"]


@kernel
def set_costs(g: Global, server: Server) -> None:
    """Put the coefficients of the server's cost table, with its slow factor, into its record.

    A table is pair_ps, decode_unit_ps, kv_unit_ps, then (compute_ps, memory_ps) by number of tokens; `server.cost` is
    where the last part starts.
    """
    start = server.cost
    server.pair_now = g.cost[start - 3] * server.slow // 64
    server.decode_unit_now = g.cost[start - 2] * server.slow // 64
    server.read_now = g.cost[start - 1] * server.slow // 64


@kernel
def _stop_segment(
    g: Global,
    i: int,
    at: int,
) -> None:
    """Commit what has been done of a segment; the iteration in progress is lost."""
    server = g.servers[i]
    if server.busy == 0:
        return
    count = boundaries_until(server, at)
    note_peak(g, i, at)
    account(g, server, i, at, count)
    node = g.nodes[g.sentinels + i * NUM_LISTS + PRE].next
    while node != g.sentinels + i * NUM_LISTS + PRE:
        session = g.sessions[node - g.order_nodes]
        session.position += session.chunk * count
        server.prefill_tokens += session.chunk * count
        node = g.nodes[node].next


@kernel
def _empty(g: Global, i: int) -> None:
    """Server `i` holds nothing any more."""
    server = g.servers[i]
    server.used = 0
    server.retained = 0
    server.free = server.capacity
    server.num_decoding = 0
    server.num_prefilling = 0
    server.kv = 0
    server.partial = -1
    server.heap_size = 0
    for kind in range(PRE, RUN + 1):
        sentinel = g.sentinels + i * NUM_LISTS + kind
        g.nodes[sentinel].prev = sentinel
        g.nodes[sentinel].next = sentinel


@kernel
def _let_go(
    g: Global,
    i: int,
    at: int,
) -> None:
    """Cancelled requests that have not left server `i` yet leave it without a trace."""
    server = g.servers[i]
    sentinel = g.sentinels + i * NUM_LISTS + LEAVING
    while g.nodes[sentinel].next != sentinel:
        s = g.nodes[sentinel].next
        session = g.sessions[s]
        unlink(g, s)
        unlink(g, g.order_nodes + s)
        server.load -= 1
        if server.role == ROLE_PREFILL:
            unstage(g, session.units)
        elif server.role == ROLE_DECODE:
            server.num_admitted -= 1
        left(g, s, at)


@kernel
def _lose_on_server(
    g: Global,
    s: int,
    i: int,
    at: int,
) -> None:
    """What the end of server `i` does to session `s`'s request, unless it is only queued there."""
    session = g.sessions[s]
    server = g.servers[i]
    place = session.place
    there = session.decode_place
    if session.server == i and (place in (PREFILLING, STAGED, RUNNING)):
        if place == RUNNING:
            session.given = given_until(g, server, session, at)
        if place != STAGED:
            unlink(g, g.order_nodes + s)
        release_decode(g, s, at)
        server.load -= 1
        session.server = -1
        if server.role == ROLE_PREFILL:
            unstage(g, session.units)
        session.attempts += 1
        request_lost(g, s, at, g.prefill_lost)
    elif session.decode_server != i:
        return
    elif there in (D_FIFO, D_FLOW, D_LANDING):
        handoff_lost(g, s, at)
    elif there in (D_LANDED, D_RUNNING):
        if there == D_RUNNING:
            forget_foreseen(g, session, at)
            session.given = given_until(g, server, session, at)
        release_decode(g, s, at)
        session.attempts += 1
        request_lost(g, s, at, g.decode_lost)


@kernel
def _choose_again(
    g: Global,
    i: int,
    at: int,
) -> None:
    """Requests in the queue of server `i`, which cannot be reached any more, go to another one."""
    for s in range(g.num_sessions):
        session = g.sessions[s]
        if session.active == 0:
            continue
        if session.place == QUEUED and session.server == i:
            unlink(g, s)
            g.servers[i].load -= 1
            session.server = -1
            enqueue(g, s, at, False)
        elif session.decode_place == D_QUEUED and session.decode_server == i:
            unlink(g, g.decode_nodes + s)
            g.servers[i].load -= 1
            session.decode_server = -1
            session.decode_place = D_NONE
            enqueue_decode(g, s, at)


@kernel
def _server_down(
    g: Global,
    i: int,
    at: int,
) -> None:
    server = g.servers[i]
    if server.up == 0:
        return
    _stop_segment(g, i, at)
    server.up = 0
    lru = lru_list(g, i)
    while g.nodes[lru].next != lru:
        drop(g, g.nodes[lru].next - g.entry_nodes)
    for group in range(g.num_groups):
        g.warm[group * g.num_servers + i] = 0
    for s in range(g.num_sessions):
        if g.sessions[s].active == 1:
            _lose_on_server(g, s, i, at)
    _choose_again(g, i, at)
    _let_go(g, i, at)
    _empty(g, i)


@kernel
def _take_parked(
    g: Global,
    p: int,
    at: int,
) -> None:
    """Requests parked with pool `p` are chosen for again, in order."""
    sentinel = g.parked + p
    last = g.nodes[sentinel].prev
    node = g.nodes[sentinel].next
    while node != sentinel:
        after = g.nodes[node].next
        unlink(g, node)
        if p == DECODE:
            s = node - g.decode_nodes
            g.sessions[s].decode_place = D_NONE
            enqueue_decode(g, s, at)
        else:
            g.sessions[node].place = WAITING
            enqueue(g, node, at, False)
        if node == last:
            return
        node = after


@kernel
def _set_link_rate(
    g: Global,
    i: int,
    slow: int,
    at: int,
) -> None:
    was_cut = g.servers[i].link_slow == 0
    change_rate(g, i, slow, at)
    if slow > 0:
        if was_cut:
            _take_parked(g, DECODE, at)
        return
    for s in range(g.num_sessions):
        session = g.sessions[s]
        on_link = session.decode_place == D_FIFO or session.decode_place == D_FLOW
        if session.active == 1 and session.decode_server == i and on_link:
            handoff_lost(g, s, at)
    _choose_again(g, i, at)


@kernel
def _set_stall(g: Global, until: int, at: int) -> None:
    """The router stalls until a time; if that is sooner than before, requests that it holds back go on then."""
    due = max(at, until) + g.route
    if until < g.stalled_until:
        for s in range(g.num_sessions):
            session = g.sessions[s]
            # After a loss a request waits likewise, but its stage has a mark that is still to come, or is a later one.
            held_back = session.place == WAITING and session.stage == ROUTING and session.mark <= at
            if session.active == 1 and held_back and session.due > due:
                session.due = due
                push_event(g, due, ENQUEUE, s)
    g.stalled_until = until


@kernel
def apply_fault(
    g: Global,
    kind: int,
    target: int,
    value: int,
    at: int,
) -> None:
    """Let a fault happen; `target` and `value` as in `config.FaultKind`."""
    if kind == SERVER_DOWN:
        _server_down(g, target, at)
    elif kind == SERVER_UP:
        if g.servers[target].up == 0:
            g.servers[target].up = 1
            wake(g, target)
            _take_parked(g, g.servers[target].pool, at)
    elif kind == SERVER_SLOW:
        g.servers[target].slow = value
        set_costs(g, g.servers[target])
        cut(g, target, at)
    elif kind == STEP_COST:
        g.servers[target].cost = value
        set_costs(g, g.servers[target])
        cut(g, target, at)
    elif kind == LINK_RATE:
        _set_link_rate(
            g,
            g.pools[DECODE].first + target,
            value,
            at,
        )
    elif kind == HANDOFF_LOSS:
        g.handoff_loss = value
    elif kind == THROTTLE:
        g.throttle = value
    elif kind == STALL_UNTIL:
        _set_stall(g, value, at)
