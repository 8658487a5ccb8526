"""Arriving, routing, the choice of a server (section 3 of `docs/semantics.md`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from subsecond.engine.core.config import Policy, Status

from .events import ARRIVE, ENQUEUE
from .parts import Request, Server

if TYPE_CHECKING:
    from .reference import Reference


class Routing:
    """Rules of this section for one run."""

    def __init__(self, sim: Reference) -> None:
        self.sim = sim

    def expect(self, s: int, time: int) -> None:
        """The session's next request arrives at `time`."""
        self.sim.at(time, ARRIVE, s, lambda t: self.arrive(s, t, t))

    def arrive(self, s: int, stamp: int, t: int) -> None:
        if self.sim.leaving_from[s] is not None:
            self.sim.features.add("arrival put off")
            self.sim.put_off[s] = lambda: self.arrive(s, stamp, self.sim.now)
            return
        w, r = self.sim.workload, self.sim.next_request[s]
        self.sim.next_request[s] += 1
        group = int(w.session_group[s])
        q = Request(
            r,
            s,
            int(w.session_context[s]),
            group,
            int(w.group_tokens[group]) if group >= 0 else 0,
            int(w.prompt_tokens[r]),
            int(w.reuse_tokens[r]),
            int(w.output_tokens[r]),
            int(w.milestone_tokens[r]),
            int(w.hold_ps[r]),
            bool(w.is_barge_in[r]),
        )
        self.sim.requests[r] = q
        self.sim.present[s] = q
        q.arrival = stamp - self.sim.pipeline.network_ps
        q.mark = stamp
        q.place = "routing"
        if self.is_too_long(q, 0) or self.is_too_long(q, 1):
            self.sim.ending.end(q, t, Status.TOO_LONG)
            return
        self.admit(q, t)

    def is_too_long(self, q: Request, side: int) -> bool:
        if not self.sim.pools[side]:
            return False
        pool = self.sim.pools[side][0].pool
        return (
            q.prompt * self.sim.unit + self.sim.fixed + q.output * self.sim.unit + pool.growth_units
            > pool.capacity_units
        )

    def admit(self, q: Request, t: int) -> None:
        if self.sim.throttle > 0 and self.draw(q) < self.sim.throttle:
            self.sim.features.add("throttled")
            q.attempts += 1
            if q.attempts > self.sim.pipeline.max_attempts:
                self.sim.ending.end(q, t, Status.THROTTLED)
                return
            q.close("routing", t)
            q.stages["retry"] += self.sim.pipeline.retry_ps
            q.mark = t + self.sim.pipeline.retry_ps
            q.wait = self.sim.at(q.mark, ARRIVE, q.session, lambda t: self.admit(q, t))
            return
        self.wait_for_routing(q, max(t, self.sim.stalled_until) + self.sim.pipeline.route_ps)

    def wait_for_routing(self, q: Request, time: int) -> None:
        q.routed_at = time
        self.wait_for_queue(q, time)

    def wait_for_queue(self, q: Request, time: int) -> None:
        q.wait = self.sim.at(time, ENQUEUE, q.session, lambda t: self.enqueue_event(q, t))

    def draw(self, q: Request) -> int:
        m = 2**31 - 1
        x = ((q.number & m) * 2654435 + (self.sim.seed & m) * 40503 + q.draws * 69069 + 12345) & m
        q.draws += 1
        for _ in range(2):
            x ^= x >> 15
            x = (x * 0x2C1B3C6D) & m
            x ^= x >> 12
            x = (x * 0x297A2D39) & m
            x ^= x >> 15
        return x

    def enqueue_event(self, q: Request, t: int) -> None:
        if q.place == "staged":
            q.decode_place = ""
            self.enqueue_decode(q, t)
        else:
            q.routed_at = -1
            q.close("routing", t)
            self.enqueue(q, t)

    def choose(self, side: int, context: int) -> Server | None:
        reachable = [s for s in self.sim.pools[side] if s.is_reachable]
        if not reachable:
            return None
        least = min(reachable, key=lambda s: (s.load, s.number))
        home = next((s for s in self.sim.pools[side] if (context, side) in s.entries), None)
        if home and home in reachable and home.pool.affinity and home.load <= least.load + home.pool.affinity_slack:
            return home
        return least

    def enqueue(self, q: Request, t: int, *, in_front: bool = False) -> None:
        if not q.has_fallen:
            server = self.choose(0, q.context)
            if server is None:
                if self.sim.pipeline.prefill_lost is Policy.FALLBACK and self.sim.pools[2]:
                    if not self.fall_back(q, t):
                        return
                elif self.sim.pipeline.prefill_lost is Policy.FAIL:
                    self.sim.ending.end(q, t, Status.NO_SERVER)
                    return
                else:
                    self.park(q, 0)
                    return
            else:
                self.put(q, server, in_front)
                return
        server = self.choose(2, q.context)
        if server is not None:
            self.put(q, server, in_front)
        elif self.sim.pipeline.prefill_lost is Policy.FAIL:
            self.sim.ending.end(q, t, Status.NO_SERVER)
        else:
            self.park(q, 2)

    def park(self, q: Request, side: int) -> None:
        self.sim.features.add("parked")
        q.place = "parked"
        self.sim.parked[side].append(q)

    def fall_back(self, q: Request, t: int) -> bool:
        """The request goes to the fallback pool from here on; False if it does not fit there."""
        self.sim.features.add("fallen back")
        q.has_fallen = True
        if self.is_too_long(q, 2):
            self.sim.ending.end(q, t, Status.TOO_LONG)
            return False
        return True

    def put(self, q: Request, server: Server, in_front: bool) -> None:
        q.place, q.server = "queued", server
        server.queue.insert(0 if in_front else len(server.queue), q)
        server.load += 1
        self.sim.wake(server)

    def enqueue_decode(self, q: Request, t: int) -> None:
        server = self.choose(1, q.context)
        if server is not None:
            q.decode_place, q.decode_server = "queued", server
            server.queue.append(q)
            server.load += 1
            self.sim.wake(server)
        elif self.sim.pipeline.decode_lost is Policy.FALLBACK and self.sim.pools[2]:
            self.sim.memory.leave_prefill(q)
            q.place = "falling back"
            if self.fall_back(q, t):
                self.enqueue(q, t)
        elif self.sim.pipeline.decode_lost is Policy.FAIL:
            # The open stage is closed first: leaving does not change where the request is.
            self.sim.ending.end(q, t, Status.NO_SERVER, release=lambda: self.sim.memory.leave_prefill(q))
        else:
            self.sim.features.add("parked for decode")
            q.decode_place = "parked"
            self.sim.parked[1].append(q)

    def take_parked(self, side: int, t: int) -> None:
        parked, self.sim.parked[side] = self.sim.parked[side], []
        for q in parked:
            self.sim.features.add("taken off parking")
            if side == 1:
                q.decode_place = ""
                self.enqueue_decode(q, t)
            else:
                self.enqueue(q, t)
