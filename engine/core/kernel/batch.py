"""A server's iterations: what is in a batch, and how long it runs unchanged."""

from __future__ import annotations

from .codes import (
    D_NONE,
    D_RUNNING,
    DECODE_QUEUE,
    END,
    HANDOFF_QUEUE,
    IDLE,
    LANDED,
    LEAVING,
    MILESTONE,
    NUM_LISTS,
    PRE,
    PREFILL,
    PREFILL_QUEUE,
    PREFILLING,
    QUEUE,
    QUEUED,
    ROLE_DECODE,
    ROLE_PREFILL,
    RUN,
)
from .depart import leave_prefill, stop_decoding
from .heap import heap_insert, push_event
from .jit import kernel
from .journal import JOIN, note
from .kv import evict, fits, publish, reserve
from .link import enter_link
from .lists import append, push_front, unlink
from .request import close_stage, first_token, resume
from .router import arrive, enqueue, enqueue_decode
from .segment import boundary
from .state import Global, Server, Session

__all__ = ["begin", "join", "left", "next_step"]

#: Iterations of a segment at most; keeps products small.
LONGEST = 1 << 16


@kernel
def next_step(g: Global, server: Server, session: Session) -> int:
    """The step at whose end a decoding request has its milestone or its last token, what is next.

    The first token needs no step of its own: an iteration makes at least one, so `foresee_first_tokens` knows its time.
    """
    tokens = session.output if g.rows[session.row + MILESTONE] >= 0 else session.milestone
    units = (tokens - session.given_at_join) * g.unit
    return session.join_step + (units + server.growth - 1) // server.growth


@kernel
def join(
    g: Global,
    server: Server,
    s: int,
    i: int,
    units: int,
) -> None:
    """A request with `units` of KV decodes from the next iteration on."""
    session = g.sessions[s]
    session.given_at_join = session.given
    session.join_step = server.step
    server.num_decoding += 1
    server.kv += units
    heap_insert(g, server.heap, server.heap_size, next_step(g, server, session), s)
    server.heap_size += 1
    if g.log_limit > 0:
        note(g, JOIN, i, server.step, session.request, session.given, 0, 0)


@kernel
def left(
    g: Global,
    s: int,
    at: int,
) -> None:
    """A cancelled request has left its server; the session's next one may be waiting for that."""
    session = g.sessions[s]
    session.leaving = 0
    session.place = IDLE
    session.decode_place = D_NONE
    session.server = -1
    session.decode_server = -1
    if session.put_off == 1:
        session.put_off = 0
        arrive(g, s, at)


@kernel
def leave_all(
    g: Global,
    i: int,
    at: int,
) -> None:
    """Cancelled requests leave server `i`, in the order they were cancelled."""
    server = g.servers[i]
    sentinel = g.sentinels + i * NUM_LISTS + LEAVING
    while g.nodes[sentinel].next != sentinel:
        s = g.nodes[sentinel].next
        unlink(g, s)
        session = g.sessions[s]
        if session.place == PREFILLING:
            leave_prefill(g, s, at)
        else:
            units = session.decode_units if server.role == ROLE_DECODE else session.units
            units = stop_decoding(g, server, s, units)
            publish(g, session.context * g.sides + server.pool, i, units, units)
            server.load -= 1
            if server.role == ROLE_DECODE:
                server.num_admitted -= 1
        left(g, s, at)


@kernel
def preempt(
    g: Global,
    i: int,
    at: int,
) -> None:
    """The request admitted last gives its units back and is to be prefilled again."""
    server = g.servers[i]
    server.preemptions += 1
    sentinel = g.sentinels + i * NUM_LISTS + PRE
    node = g.nodes[sentinel].prev
    if node != sentinel:
        s = node - g.order_nodes
        units = g.sessions[s].units
        unlink(g, node)
        server.num_prefilling -= 1
        if server.partial == s:
            server.partial = -1
    else:
        s = g.nodes[g.sentinels + i * NUM_LISTS + RUN].prev - g.order_nodes
        session = g.sessions[s]
        units = session.decode_units if server.role == ROLE_DECODE else session.units
        units = stop_decoding(g, server, s, units)
        session.given = min(
            session.output, session.given_at_join + (server.step - session.join_step) * server.growth // g.unit
        )
    server.used -= units
    server.free += units
    if server.role == ROLE_DECODE:
        server.load -= 1
        server.num_admitted -= 1
        g.sessions[s].decode_place = D_NONE
        g.sessions[s].decode_server = -1
        enqueue(g, s, at, True)
    else:
        g.sessions[s].place = QUEUED
        push_front(g, g.sentinels + i * NUM_LISTS + QUEUE, s)


@kernel
def grow(
    g: Global,
    i: int,
    at: int,
) -> bool:
    """Take the KV that the decoding requests grow by in the next iteration; True if that took a preemption."""
    server = g.servers[i]
    preempted = False
    while server.free < server.num_decoding * server.growth:
        if not evict(g, i):
            preempt(g, i, at)
            preempted = True
    units = server.num_decoding * server.growth
    server.free -= units
    server.used += units
    server.kv += units
    return preempted


@kernel
def start_segment(
    g: Global,
    server: Server,
    i: int,
    at: int,
    limit: int,
    tokens: int,
    pair: int,
    span: int,
    chunk: int,
) -> None:
    """Find duration and number of the iterations that start now.

    Args:
        limit: how many there may be at most.
        tokens: in each of them.
        pair: sum of C * (2p + C) over the chunks of the first one.
        span: sum of p + C.
        chunk: C of the only chunk if there may be several iterations, else 0.
    """
    growth = server.num_decoding * server.growth
    entry = server.cost + 2 * tokens
    base = g.cost[entry]
    other = g.cost[entry + 1]
    if server.slow != 64:
        base = max(1, base * server.slow // 64)
        other = max(1, other * server.slow // 64)
    base += server.pair_now * pair + server.decode_unit_now * server.kv
    slope = server.pair_now * 2 * chunk * chunk + server.decode_unit_now * growth
    other += server.read_now * (server.kv + g.unit * span)
    other_slope = server.read_now * (growth + g.unit * chunk)
    if other > base or (other == base and other_slope > slope):
        base, other = other, base
        slope, other_slope = other_slope, slope
    if limit > 1:
        if server.heap_size > 0:
            due = g.heap[server.heap].key - server.step
            if due < limit:
                limit = due
        more = limit - 1
        if growth * more > server.free:
            more = server.free // growth
        if other + other_slope * more > base + slope * more:
            more = (base - other) // (other_slope - slope)
        limit = more + 1
    server.busy = 1
    server.start = at
    server.count = limit
    server.base = base
    server.slope = slope
    server.end = boundary(at, base, slope, limit)
    server.segments += 1
    if server.used > server.peak_used:
        server.peak_used = server.used
    push_event(g, server.end, END, i)


@kernel
def begin_prefilling(
    g: Global,
    i: int,
    at: int,
) -> None:
    """Begin on a COLOCATED or PREFILL server."""
    server = g.servers[i]
    lists = g.sentinels + i * NUM_LISTS
    if g.nodes[lists + LEAVING].next != lists + LEAVING:
        leave_all(g, i, at)
    preempted = False
    if server.num_decoding > 0:
        preempted = grow(g, i, at)
    tokens = server.num_decoding * server.width
    room = server.token_budget - tokens
    pair = 0
    span = 0
    chunks = 0
    limit = 1 if preempted else LONGEST
    if server.partial >= 0:
        session = g.sessions[server.partial]
        left = session.total - session.position
        chunk = min(room, left)
        session.chunk = chunk
        room -= chunk
        tokens += chunk
        pair = chunk * (2 * session.position + chunk)
        span = session.position + chunk
        chunks = 1
        limit = min(limit, left // chunk)
        if chunk == left:
            server.partial = -1
    last_taken = g.nodes[lists + PRE].prev
    while (
        not preempted
        and room > 0
        and server.num_decoding + server.num_prefilling < server.max_seqs
        and g.nodes[lists + QUEUE].next != lists + QUEUE
    ):
        s = g.nodes[lists + QUEUE].next
        session = g.sessions[s]
        total = session.prompt + session.given
        need = total * g.unit + g.fixed
        if not fits(server, need):
            break
        if server.role == ROLE_PREFILL and g.staged > 0 and g.staged + need > g.staging_units:
            g.staging_blocked = 1
            break
        unlink(g, s)
        reserve(g, session, i, session.context * g.sides + server.pool, need)
        if session.group >= 0 and g.warm[session.group * g.num_servers + i] == 1:
            session.hit = max(session.hit, min(session.group_tokens, total - 1))
        session.hit = min(session.hit, total - 1)
        append(g, lists + PRE, g.order_nodes + s)
        server.num_prefilling += 1
        server.hit_tokens += session.hit
        session.place = PREFILLING
        session.units = need
        session.total = total
        session.position = session.hit
        session.prefilled_at = -1
        left = total - session.hit
        chunk = min(room, left)
        session.chunk = chunk
        room -= chunk
        tokens += chunk
        pair += chunk * (2 * session.position + chunk)
        span += session.position + chunk
        chunks += 1
        limit = min(limit, left // chunk)
        if chunk < left:
            server.partial = s
        if session.stage == PREFILL_QUEUE:
            close_stage(g, session, at, PREFILL)
        if server.role == ROLE_PREFILL:
            g.staged += need
    if tokens == 0:
        return
    sequences = server.num_decoding + server.num_prefilling
    server.peak_seqs = max(server.peak_seqs, sequences)
    server.open = 1 if room > 0 and sequences < server.max_seqs else 0
    if chunks > 1:
        limit = 1
    chunk = 0
    if chunks == 1 and limit > 1:
        chunk = tokens - server.num_decoding * server.width
    start_segment(g, server, i, at, limit, tokens, pair, span, chunk)
    if server.role == ROLE_PREFILL and g.overlap == 1:
        node = g.nodes[last_taken].next
        while node != lists + PRE:
            after = g.nodes[node].next
            enqueue_decode(g, node - g.order_nodes, at)
            node = after


@kernel
def foresee_first_tokens(g: Global, server: Server, i: int) -> None:
    """Those who joined the segment that starts now have their first token at the end of its first iteration.

    If that iteration comes to nothing for them, `forget_foreseen` takes it back.
    """
    at = server.start + server.base
    node = g.nodes[g.sentinels + i * NUM_LISTS + RUN].prev
    while node < g.entry_nodes:  # the list's own node lies behind
        session = g.sessions[node - g.order_nodes]
        if session.join_step < server.step:
            return
        first_token(g, session, at)
        node = g.nodes[node].prev


@kernel
def begin_decoding(
    g: Global,
    i: int,
    at: int,
) -> None:
    """Begin on a DECODE server."""
    server = g.servers[i]
    lists = g.sentinels + i * NUM_LISTS
    if g.nodes[lists + LEAVING].next != lists + LEAVING:
        leave_all(g, i, at)
    joined = g.nodes[lists + LANDED].next != lists + LANDED
    while g.nodes[lists + LANDED].next != lists + LANDED:
        node = g.nodes[lists + LANDED].next
        unlink(g, node)
        s = node - g.decode_nodes
        append(g, lists + RUN, g.order_nodes + s)
        g.sessions[s].decode_place = D_RUNNING
        resume(g.sessions[s], at)
        join(g, server, s, i, g.sessions[s].decode_units)
    preempted = False
    if server.num_decoding > 0:
        preempted = grow(g, i, at)
    can_admit = not preempted or server.num_decoding == 0
    while can_admit and server.num_admitted < server.max_seqs and g.nodes[lists + QUEUE].next != lists + QUEUE:
        node = g.nodes[lists + QUEUE].next
        s = node - g.decode_nodes
        session = g.sessions[s]
        need = (session.prompt + session.given) * g.unit + g.fixed
        if not fits(server, need):
            break
        unlink(g, node)
        hit = session.hit
        kept = reserve(g, session, i, session.context * g.sides + server.pool, need)
        session.hit = hit
        session.decode_units = need
        session.work = (need - kept) * g.link_unit
        server.transferred += need - kept
        server.num_admitted += 1
        if session.stage == DECODE_QUEUE:
            close_stage(g, session, at, HANDOFF_QUEUE)
        enter_link(g, s, at)
    if server.num_admitted > server.peak_seqs:
        server.peak_seqs = server.num_admitted
    server.open = 1 if server.num_admitted < server.max_seqs else 0
    if server.num_decoding == 0:
        return
    limit = 1 if preempted else LONGEST
    tokens = server.num_decoding * server.width
    start_segment(g, server, i, at, limit, tokens, 0, 0, 0)
    if joined:
        foresee_first_tokens(g, server, i)


@kernel
def begin(
    g: Global,
    i: int,
    at: int,
) -> None:
    """Start server `i`'s next iterations, if it has any work."""
    if g.servers[i].up == 0:
        return
    if g.servers[i].role == ROLE_DECODE:
        begin_decoding(g, i, at)
    else:
        begin_prefilling(g, i, at)
