"""The link into a decode server: equal sharing among flows, by a service counter.

The counter V grows by the ps of full-rate transfer that each flow gets; a flow ends when V has grown by its work.
"""

from __future__ import annotations

from .codes import D_FIFO, D_FLOW, D_LANDING, FIFO, HANDOFF, HANDOFF_QUEUE, LAND, LINK, NUM_LISTS
from .heap import heap_insert, heap_rekey, heap_remove, push_event
from .jit import kernel
from .lists import append, unlink
from .request import close_stage
from .state import Global, Server, Session

__all__ = ["change_rate", "end_flows", "enter_link", "leave_link", "tail"]


@kernel
def _share(g: Global, server: Server) -> int:
    """Each of the flows gets 256 / share of the full rate."""
    return max(4 * server.flows, g.link_fill) * server.link_slow


@kernel
def _advance(g: Global, server: Server, at: int) -> None:
    if server.flows > 0 and at > server.served_at:
        done = (at - server.served_at) * 256 // _share(g, server)
        server.served += done
        server.carried += done * server.flows
    server.served_at = at


@kernel
def _foresee(g: Global, i: int, at: int) -> None:
    """Set when the next flow ends. An earlier event that is in the heap already is let come and is set again then."""
    server = g.servers[i]
    if server.flows == 0 or server.link_slow == 0:
        server.link_due = -1
        return
    left = g.heap[server.flow_heap].key - server.served
    due = at
    if left > 0:
        share = _share(g, server)
        # ceil(left * share / 256), in two parts so that the product stays small
        due += left * (share // 256) + (left * (share % 256) + 255) // 256
    server.link_due = due
    if server.link_event < 0 or due < server.link_event:
        server.link_event = due
        push_event(g, due, LINK, i)


@kernel
def _start(g: Global, s: int, at: int) -> None:
    session = g.sessions[s]
    server = g.servers[session.decode_server]
    session.decode_place = D_FLOW
    if session.stage == HANDOFF_QUEUE:
        close_stage(g, session, at, HANDOFF)
    heap_insert(g, server.flow_heap, server.flows, server.served + session.work, s)
    server.flows += 1


@kernel
def _start_waiting(
    g: Global,
    i: int,
    at: int,
) -> None:
    sentinel = g.sentinels + i * NUM_LISTS + FIFO
    while g.link_max_flows == 0 or g.servers[i].flows < g.link_max_flows:
        node = g.nodes[sentinel].next
        if node == sentinel:
            return
        unlink(g, node)
        _start(g, node - g.decode_nodes, at)


@kernel
def enter_link(
    g: Global,
    s: int,
    at: int,
) -> None:
    """A request that the decode server has taken starts its flow, or waits for the link."""
    i = g.sessions[s].decode_server
    server = g.servers[i]
    if g.link_max_flows > 0 and server.flows >= g.link_max_flows:
        g.sessions[s].decode_place = D_FIFO
        append(g, g.sentinels + i * NUM_LISTS + FIFO, g.decode_nodes + s)
        return
    _advance(g, server, at)
    _start(g, s, at)
    _foresee(g, i, at)


@kernel
def leave_link(
    g: Global,
    s: int,
    at: int,
) -> None:
    """Take a request's flow off the link before its end."""
    i = g.sessions[s].decode_server
    server = g.servers[i]
    _advance(g, server, at)
    heap_remove(g, server.flow_heap, server.flows, s)
    server.flows -= 1
    _start_waiting(g, i, at)
    _foresee(g, i, at)


@kernel
def change_rate(g: Global, i: int, slow: int, at: int) -> None:
    """The link of server `i` changes its rate; a link that is cut (0) has no flows any more."""
    server = g.servers[i]
    _advance(g, server, at)
    server.link_slow = slow
    _foresee(g, i, at)


@kernel
def tail(g: Global, session: Session) -> int:
    """From the end of a prefill to the landing of its last layer's KV, with overlap."""
    return g.link_t0 + session.work * g.link_fill // 4 // g.link_layers


@kernel
def _end_flow(g: Global, session: Session, s: int, at: int) -> None:
    session.decode_place = D_LANDING
    session.due = -1
    if g.overlap == 0:
        session.due = at + g.link_t0
    elif session.prefilled_at >= 0:
        session.due = max(at + g.link_t0, session.prefilled_at + tail(g, session))
    if session.due >= 0:
        push_event(g, session.due, LAND, s)


@kernel
def end_flows(
    g: Global,
    i: int,
    at: int,
) -> None:
    """Handle a LINK event: end the flows that are done, start waiting ones."""
    server = g.servers[i]
    if server.link_event != at:
        return
    server.link_event = -1
    if server.link_due < 0:
        return
    if server.link_due > at:
        server.link_event = server.link_due
        push_event(g, server.link_due, LINK, i)
        return
    _advance(g, server, at)
    base = server.flow_heap
    while server.flows > 0 and g.heap[base].key <= server.served:
        s = g.heap[base].session
        server.flows -= 1
        if server.flows > 0:
            last = g.heap[base + server.flows]
            heap_rekey(g, base, server.flows, 0, last.key, last.session)
        _end_flow(g, g.sessions[s], s, at)
    _start_waiting(g, i, at)
    _foresee(g, i, at)
