"""Entries: the KV that contexts leave on servers (sections 4 and 7 of `docs/semantics.md`).

Fitting and taking are in `parts.Server`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from subsecond.engine.core.config import Role

from .events import RETURN
from .parts import Request, Server

if TYPE_CHECKING:
    from .reference import Reference


class Memory:
    """Rules of this section for one run."""

    def __init__(self, sim: Reference) -> None:
        self.sim = sim

    def drop_entry(self, context: int, side: int) -> None:
        for server in self.sim.pools[side]:
            server.entries.pop((context, side), None)
        if side == 0 and context in self.sim.returns:
            self.sim.returns.pop(context).call_off()

    def publish(self, q: Request, server: Server, units: int) -> None:
        """The request leaves `units` of what it holds as its context's entry."""
        self.drop_entry(q.context, server.side)
        held = server.holdings.pop(q)
        assert units <= held
        if not server.pool.keeps_kv:
            self.sim.features.add("KV not kept")
            return
        server.entries[(q.context, server.side)] = units

    def leave_prefill(self, q: Request) -> None:
        """A request in prefill or staged leaves, publishing what has been computed."""
        server = q.server
        assert server
        if q in server.prefilling:
            server.prefilling.remove(q)
            server.chunks.pop(q, None)
        self.publish(q, server, q.position * self.sim.unit + self.sim.fixed)
        server.load -= 1
        q.server = None
        self.left_prefill(server)

    def left_prefill(self, server: Server) -> None:
        self.sim.wake(server)
        if server.role is Role.PREFILL and self.sim.staged_failed:
            self.sim.staged_failed = False
            for other in self.sim.pools[0]:
                self.sim.wake(other)

    def return_kv(self, q: Request, t: int) -> None:
        k = self.sim.pipeline.link
        assert k
        key = (q.context, 0)
        if not k.kv_return or not any(key in s.entries for s in self.sim.pools[0]):
            return
        if q.context in self.sim.returns:
            self.sim.features.add("return replaced")
            self.sim.returns.pop(q.context).call_off()
        units = q.given * self.sim.unit
        time = t + k.t0_ps + units * k.unit_ps * k.fill_quarters // 4
        self.sim.returns[q.context] = self.sim.at(time, RETURN, q.context, lambda t: self.grow_entry(q.context, units))

    def grow_entry(self, context: int, units: int) -> None:
        del self.sim.returns[context]
        server = next((s for s in self.sim.pools[0] if (context, 0) in s.entries), None)
        if server is None:
            return
        key = (context, 0)
        if units > server.free + server.retained - server.entries[key]:
            self.sim.features.add("return does not fit")
            return
        for other in list(server.entries):
            if server.free >= units:
                break
            if other != key:
                del server.entries[other]
                server.counters["evictions"] += 1
                if other[0] in self.sim.returns:
                    self.sim.returns.pop(other[0]).call_off()
        server.entries[key] += units
        self.sim.features.add("returned")
