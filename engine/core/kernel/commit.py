"""What is due at the end of iterations: tokens, milestones and finishes, chunks and complete prefills."""

from __future__ import annotations

from .batch import join, next_step
from .codes import (
    D_FIFO,
    D_FLOW,
    D_LANDING,
    D_NONE,
    DECODE_QUEUE,
    ENTRY,
    FINISHED,
    HANDOFF,
    HANDOFF_QUEUE,
    LAND,
    NUM_LISTS,
    PRE,
    PREFILL,
    RETURN,
    ROLE_DECODE,
    ROLE_PREFILL,
    RUN,
    RUNNING,
    STAGED,
)
from .depart import held
from .heap import heap_rekey, heap_remove, push_event
from .jit import kernel
from .journal import TOKEN, note
from .kv import publish
from .link import tail
from .lists import append, unlink
from .request import close_stage, end_request, first_token, reach_milestone, resume
from .router import enqueue_decode
from .segment import settle
from .state import Global

__all__ = ["end_segment"]


@kernel
def finish(
    g: Global,
    s: int,
    i: int,
    units: int,
    at: int,
) -> None:
    """A request that holds `units` on server `i` has its last token; its KV stays there as an entry."""
    server = g.servers[i]
    session = g.sessions[s]
    unlink(g, g.order_nodes + s)
    publish(g, session.context * g.sides + server.pool, i, units, units)
    server.load -= 1
    session.server = -1
    if server.role == ROLE_DECODE:
        server.num_admitted -= 1
        session.decode_server = -1
        session.decode_place = D_NONE
        entry = g.entries[session.context * g.sides + ENTRY]
        if g.kv_return == 1 and entry.server >= 0:
            entry.return_units = session.given * g.unit
            entry.return_due = at + g.link_t0 + entry.return_units * g.link_unit * g.link_fill // 4
            push_event(g, entry.return_due, RETURN, session.context)
    end_request(g, s, at, FINISHED, True)


@kernel
def commit_decoding(
    g: Global,
    i: int,
    at: int,
) -> None:
    """Handle the decoding requests for which the last committed step is one of interest, by session id."""
    server = g.servers[i]
    base = server.heap
    while server.heap_size > 0 and g.heap[base].key == server.step:
        s = g.heap[base].session
        session = g.sessions[s]
        steps = server.step - session.join_step
        session.given = min(session.output, session.given_at_join + steps * server.growth // g.unit)
        reach_milestone(g, session, s, at)
        if session.given < session.output:
            key = next_step(g, server, session)
            heap_rekey(g, base, server.heap_size, 0, key, s)
            continue
        heap_remove(g, base, server.heap_size, s)
        server.heap_size -= 1
        units = session.decode_units if server.role == ROLE_DECODE else session.units
        units = held(server, session, units)
        server.num_decoding -= 1
        server.kv -= units
        finish(g, s, i, units, at)


@kernel
def prefill_done(
    g: Global,
    s: int,
    at: int,
) -> None:
    """A PREFILL server has computed all of a request: its KV is staged until it has landed."""
    session = g.sessions[s]
    unlink(g, g.order_nodes + s)
    session.place = STAGED
    session.prefilled_at = at
    place = session.decode_place
    if session.stage == PREFILL:
        following = DECODE_QUEUE
        if place in (D_FLOW, D_LANDING):
            following = HANDOFF
        elif place == D_FIFO:
            following = HANDOFF_QUEUE
        close_stage(g, session, at, following)
    if place == D_LANDING:
        session.due = at + tail(g, session)
        push_event(g, session.due, LAND, s)
    elif place == D_NONE:
        enqueue_decode(g, s, at)


@kernel
def commit_chunks(
    g: Global,
    i: int,
    at: int,
    count: int,
) -> None:
    """Prefill chunks of `count` iterations are done; handle complete prefills in the order of admission."""
    server = g.servers[i]
    lists = g.sentinels + i * NUM_LISTS
    node = g.nodes[lists + PRE].next
    while node != lists + PRE:
        s = node - g.order_nodes
        node = g.nodes[node].next
        session = g.sessions[s]
        session.position += session.chunk * count
        server.prefill_tokens += session.chunk * count
        if session.leaving == 1 or session.position < session.total:
            continue
        if session.group >= 0:
            g.warm[session.group * g.num_servers + i] = 1
        server.num_prefilling -= 1
        if server.partial == s:
            server.partial = -1
        if server.role == ROLE_PREFILL:
            prefill_done(g, s, at)
            continue
        session.given += 1
        if g.log_limit > 0:
            note(g, TOKEN, i, at, session.request, session.given, 0, 0)
        resume(session, at)
        first_token(g, session, at)
        reach_milestone(g, session, s, at)
        if session.given == session.output:
            finish(g, s, i, session.units, at)
            continue
        session.place = RUNNING
        unlink(g, g.order_nodes + s)
        append(g, lists + RUN, g.order_nodes + s)
        join(g, server, s, i, session.units)


@kernel
def end_segment(
    g: Global,
    i: int,
    at: int,
) -> None:
    """Commit the iterations of server `i`'s segment, which is over."""
    server = g.servers[i]
    count = server.count
    settle(g, server, i, at)
    if server.heap_size > 0:
        commit_decoding(g, i, at)
    if server.num_prefilling > 0:
        commit_chunks(g, i, at, count)
