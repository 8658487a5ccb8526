"""The way of a request to its decode server and off it (section 7 of `docs/semantics.md`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from subsecond.engine.core.config import Link

from .events import LAND, LINK, Event
from .parts import Request, Server

if TYPE_CHECKING:
    from .reference import Reference


class LinkSharing:
    """Rules of this section for one run."""

    def __init__(self, sim: Reference) -> None:
        self.sim = sim

    @property
    def config(self) -> Link:
        assert self.sim.pipeline.link
        return self.sim.pipeline.link

    def tail(self, q: Request) -> int:
        k = self.config
        return k.t0_ps + (q.sent * k.unit_ps * k.fill_quarters // 4) // k.layers

    def den(self, server: Server) -> int:
        return max(4 * len(server.flows), self.config.fill_quarters) * server.link_slow

    def advance(self, server: Server, t: int) -> None:
        if server.flows and t > server.served_at:
            server.served += (t - server.served_at) * 256 // self.den(server)
        server.served_at = t

    def foresee(self, server: Server, t: int) -> None:
        if isinstance(server.link_event, Event):
            server.link_event.call_off()
        server.link_event = None
        if server.flows and server.link_slow:
            left = min(q.target for q in server.flows) - server.served
            time = t if left <= 0 else t + -(-left * self.den(server) // 256)
            server.link_event = self.sim.at(time, LINK, server.number, lambda t: self.end_flows(server, t))

    def enter_link(self, q: Request, server: Server, t: int) -> None:
        q.decode_place = "fifo"
        server.fifo.append(q)
        if self.config.max_flows and len(server.flows) >= self.config.max_flows:
            self.sim.features.add("waits for the link")
            return
        self.advance(server, t)
        self.start_flows(server, t)
        self.foresee(server, t)

    def start_flows(self, server: Server, t: int) -> None:
        while server.fifo and (self.config.max_flows == 0 or len(server.flows) < self.config.max_flows):
            q = server.fifo.pop(0)
            q.decode_place = "flow"
            q.target = server.served + q.sent * self.config.unit_ps
            if q.place == "staged":
                q.close("handoff_queue", t)
            server.flows.append(q)

    def end_flows(self, server: Server, t: int) -> None:
        self.advance(server, t)
        done = sorted((q for q in server.flows if q.target <= server.served), key=lambda q: (q.target, q.session))
        for q in done:
            server.flows.remove(q)
            q.decode_place = "landing"
            if not self.config.overlap:
                self.land_at(q, t + self.config.t0_ps)
            elif q.prefilled_at >= 0:
                self.land_at(q, max(t + self.config.t0_ps, q.prefilled_at + self.tail(q)))
        self.start_flows(server, t)
        self.foresee(server, t)

    def land_at(self, q: Request, time: int) -> None:
        q.wait = self.sim.at(time, LAND, q.session, lambda t: self.land(q, t))

    def land(self, q: Request, t: int) -> None:
        if self.sim.handoff_loss > 0 and self.sim.routing.draw(q) < self.sim.handoff_loss:
            self.sim.orchestrator.lose_handoff(q, t)
            return
        assert q.decode_server
        self.sim.memory.leave_prefill(q)
        q.close("handoff", t)
        q.place, q.decode_place = "remote", "landed"
        q.decode_server.landed.append(q)
        self.sim.wake(q.decode_server)

    def release_decode(self, q: Request, t: int) -> None:
        """The request leaves the decode side wherever it is there."""
        place, server = q.decode_place, q.decode_server
        q.decode_place = ""
        if place == "parked":
            self.sim.parked[1].remove(q)
        if server is None:
            return
        q.decode_server = None
        server.load -= 1
        if place == "queued":
            server.queue.remove(q)
        else:
            del server.holdings[q]
        if place == "fifo":
            server.fifo.remove(q)
        elif place == "flow":
            self.advance(server, t)
            server.flows.remove(q)
            self.start_flows(server, t)
            self.foresee(server, t)
        elif place == "landed":
            server.landed.remove(q)
        elif place == "decoding":
            server.decoding.remove(q)
        self.sim.wake(server)
