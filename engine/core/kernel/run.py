"""The loop: events in order, and begins where nothing is left at the present time."""

from __future__ import annotations

from .batch import begin
from .cancel import cancel
from .codes import (
    ARRIVE,
    CANCEL,
    D_LANDED,
    D_LANDING,
    D_NONE,
    D_WAITING,
    DECODE_FIRST,
    DONE,
    END,
    ENQUEUE,
    ENTRY,
    FAULT,
    GROW_EVENTS,
    GROW_LOG,
    HANDOFF,
    LAND,
    LANDED,
    LINK,
    NEVER,
    NUM_LISTS,
    PREFILL_QUEUE,
    REACHED,
    REMOTE,
    RETURN,
    ROUTING,
    SPENT,
    STAGED,
    THROTTLED,
    WAITING,
)
from .commit import end_segment
from .depart import leave_prefill
from .fault import apply_fault
from .heap import KIND_SHIFT, event_at, pop_event, push_event
from .jit import entry_point, kernel, state_at
from .kv import grow_entry
from .link import end_flows
from .lists import append
from .loss import handoff_lost
from .request import close_stage
from .router import admit, arrive, draw, enqueue, enqueue_decode
from .segment import cut, wake
from .state import Global

__all__ = ["advance", "next_at", "push"]

IDENT = (1 << KIND_SHIFT) - 1


@kernel
def on_arrive(
    g: Global,
    s: int,
    at: int,
) -> None:
    """ARRIVE of session `s`: a new request, or one that was throttled and comes again."""
    session = g.sessions[s]
    if s == g.last_root and s + 1 < g.num_roots:
        g.last_root = s + 1
        start = g.starts[s + 1] + g.network
        if g.sessions[s + 1].request < g.sessions[s + 1].request_end:  # it has not been retired before its start
            g.sessions[s + 1].arrive_at = start
        push_event(g, start, ARRIVE, s + 1)
    if session.arrive_at == at:
        if session.leaving == 1:
            session.put_off = 1
        else:
            arrive(g, s, at)
    elif session.active == 1 and session.place == THROTTLED and session.due == at:
        admit(g, s, at)


@kernel
def on_enqueue(
    g: Global,
    s: int,
    at: int,
) -> None:
    """ENQUEUE of session `s`: its request goes to a queue of the entry side, or of the decode side if it is staged."""
    session = g.sessions[s]
    if session.active == 0 or session.due != at:
        return
    if session.place == WAITING:
        session.due = -1
        if session.stage == ROUTING:
            close_stage(g, session, at, PREFILL_QUEUE)
        enqueue(g, s, at, False)
    elif session.place == STAGED and session.decode_place == D_WAITING:
        session.due = -1
        session.decode_place = D_NONE
        enqueue_decode(g, s, at)


@kernel
def on_land(
    g: Global,
    s: int,
    at: int,
) -> None:
    """LAND of session `s`: its KV has reached the decode server, unless it gets lost."""
    session = g.sessions[s]
    if session.active == 0 or session.decode_place != D_LANDING or session.due != at:
        return
    session.due = -1
    if g.handoff_loss > 0 and draw(g, session) < g.handoff_loss:
        handoff_lost(g, s, at)
        return
    leave_prefill(g, s, at)
    i = session.decode_server
    session.place = REMOTE
    session.decode_place = D_LANDED
    append(g, g.sentinels + i * NUM_LISTS + LANDED, g.decode_nodes + s)
    if session.stage == HANDOFF:
        close_stage(g, session, at, DECODE_FIRST)
    wake(g, i)
    cut(g, i, at)


@kernel
def on_return(g: Global, context: int, at: int) -> None:
    """RETURN: what the decode side generated joins the context's entry on the prefill server."""
    e = context * g.sides + ENTRY
    if g.entries[e].server >= 0 and g.entries[e].return_due == at:
        g.entries[e].return_due = -1
        grow_entry(g, e, g.entries[e].return_units)


@kernel
def begin_dirty(
    g: Global,
) -> None:
    """Let the dirty servers begin; those that become dirty meanwhile wait for the next time."""
    is_first = g.begun_at < g.now
    g.begun_at = g.now
    g.dirty_now = g.dirty
    g.dirty = -1
    while g.dirty_now >= 0:
        i = g.dirty_now
        server = g.servers[i]
        g.dirty_now = server.dirty_next
        server.dirty = 0
        if is_first:
            g.beginning = i
        if server.busy == 0:
            begin(g, i, g.now)
    g.beginning = g.num_servers


@entry_point
def push(address: int | Global, at: int, kind: int, ident: int) -> None:
    """Put an event into the heap from outside; there is room for it."""
    push_event(state_at(address), at, kind, ident)


@entry_point
def next_at(address: int | Global) -> int:
    """Time of the first event, NEVER if there is none."""
    return event_at(state_at(address))


@entry_point
def advance(address: int | Global, until: int, allowance: int, room: int, journal_room: int) -> int:
    """Handle all events up to and including `until`.

    Args:
        address: of the `Global` record, or the record itself for the interpreter.
        allowance: events to handle at most.
        room: events that the heap has room for; one event may add as many as `4 + 2 * num_sessions`, but usually far
            fewer: the facade sees to it that `room` leaves that much.
        journal_room: items that the journal has room for, less what one event may add.

    Returns:
        DONE, REACHED, SPENT, GROW_EVENTS or GROW_LOG.
    """
    g = state_at(address)
    while True:
        at = event_at(g)
        if g.dirty >= 0 and at > g.now:
            begin_dirty(g)
            continue
        if at == NEVER:
            return DONE
        if at > until:
            return REACHED
        if allowance == 0:
            return SPENT
        if g.num_events > room or g.num_later > room:
            return GROW_EVENTS
        if g.log_size > journal_room:
            return GROW_LOG
        allowance -= 1
        key = pop_event(g)
        g.now = at
        g.events_handled += 1
        kind = key >> KIND_SHIFT
        ident = key & IDENT
        if kind == END:
            server = g.servers[ident]
            if server.end == at and server.busy == 1:
                end_segment(g, ident, at)
                wake(g, ident)
        elif kind == ARRIVE:
            on_arrive(g, ident, at)
        elif kind == ENQUEUE:
            on_enqueue(g, ident, at)
        elif kind == LINK:
            end_flows(g, ident, at)
        elif kind == LAND:
            on_land(g, ident, at)
        elif kind == RETURN:
            on_return(g, ident, at)
        elif kind == CANCEL:
            s = ident >> 1
            if ident & 1 == 1:
                cancel(g, s, at, False)
            elif g.sessions[s].cancel_due == at:
                cancel(g, s, at, True)
        elif kind == FAULT:
            apply_fault(
                g,
                g.faults[4 * ident + 1],
                g.faults[4 * ident + 2],
                g.faults[4 * ident + 3],
                at,
            )
