"""Cancel, faults, losses (section 7 of `docs/semantics.md`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from subsecond.engine.core.config import Fault, FaultKind, Policy, Status, StepCost

from .events import Event
from .parts import Request, Server

if TYPE_CHECKING:
    from .reference import Reference


class Orchestrator:
    """Rules of this section for one run."""

    def __init__(self, sim: Reference) -> None:
        self.sim = sim

    def cancel(self, s: int, t: int, is_barge_in: bool) -> None:
        q = self.sim.present[s]
        if q is None:
            return
        self.sim.features.add("barge-in" if is_barge_in else "cancelled from outside")
        self.sim.features.add(f"cancelled {q.place} {q.decode_place}")
        if q.decode_place == "decoding" or q.place in ("decoding", "prefilling"):
            server = q.decode_server if q.decode_place == "decoding" else q.server
            assert server

            def release() -> None:
                if q.place == "prefilling":
                    self.sim.link.release_decode(q, t)
                server.leaving.append(q)
                self.sim.leaving_from[s] = server
                self.sim.wake(server)
        elif q.place == "queued":

            def release() -> None:
                assert q.server
                q.server.queue.remove(q)
                q.server.load -= 1
                self.sim.wake(q.server)
        elif q.place == "parked":

            def release() -> None:
                self.sim.parked[2 if q.has_fallen else 0].remove(q)
        elif q.place == "staged":

            def release() -> None:
                self.sim.link.release_decode(q, t)
                self.sim.memory.leave_prefill(q)
        else:

            def release() -> None:
                self.sim.link.release_decode(q, t)

        self.sim.ending.end(q, t, Status.CANCELLED, counts_milestone=is_barge_in, release=release)

    def fault(self, fault: Fault, t: int) -> None:
        kind, target, value = fault.kind, fault.target, fault.value
        self.sim.features.add(f"fault {kind.name}")
        if kind is FaultKind.SERVER_DOWN:
            self.down(self.sim.servers[target], t)
        elif kind is FaultKind.SERVER_UP:
            server = self.sim.servers[target]
            if not server.is_up:
                server.is_up = True
                self.sim.wake(server)
                self.sim.routing.take_parked(server.side, t)
        elif kind is FaultKind.SERVER_SLOW:
            self.sim.servers[target].slow = value
        elif kind is FaultKind.LINK_RATE:
            self.link_rate(self.sim.pools[1][target], value, t)
        elif kind is FaultKind.HANDOFF_LOSS:
            self.sim.handoff_loss = value
        elif kind is FaultKind.THROTTLE:
            self.sim.throttle = value
        else:
            self.stall(value, t)

    def stall(self, until: int, t: int) -> None:
        due = max(t, until) + self.sim.pipeline.route_ps
        if until < self.sim.stalled_until:
            for q in self.present_in_order():
                if q.routed_at > due and isinstance(q.wait, Event):
                    self.sim.features.add("stall ended early")
                    q.wait.call_off()
                    self.sim.routing.wait_for_routing(q, due)
        self.sim.stalled_until = until

    def set_cost(self, i: int, cost: StepCost) -> None:
        self.sim.features.add("step cost set")
        self.sim.servers[i].cost = cost

    def present_in_order(self) -> list[Request]:
        return [q for q in self.sim.present if q is not None]

    def down(self, server: Server, t: int) -> None:
        if not server.is_up:
            return
        server.is_up = server.is_dirty = False
        if server.iteration:
            start, event = server.iteration
            assert isinstance(event, Event)
            event.call_off()
            server.counters["busy_ps"] += t - start
            server.iteration = None
            server.chunks = {}
        for context, side in list(server.entries):
            self.sim.memory.drop_entry(context, side)
        server.warm = set()
        for q in self.present_in_order():
            if q.server is server and q.place in ("prefilling", "staged", "decoding"):
                self.sim.features.add(f"lost {q.place} {q.decode_place}")
                if isinstance(q.wait, Event):
                    q.wait.call_off()
                self.sim.link.release_decode(q, t)
                del server.holdings[q]
                server.load -= 1
                q.server = None
                for group in (server.prefilling, server.decoding):
                    if q in group:
                        group.remove(q)
                self.sim.memory.left_prefill(server)
                q.attempts += 1
                self.lose(q, t, self.sim.pipeline.prefill_lost)
            elif q.decode_server is server and q.decode_place in ("fifo", "flow", "landing"):
                self.lose_handoff(q, t)
            elif q.decode_server is server and q.decode_place in ("landed", "decoding"):
                self.sim.features.add(f"lost {q.decode_place}")
                self.sim.link.release_decode(q, t)
                q.attempts += 1
                self.lose(q, t, self.sim.pipeline.decode_lost)
        self.choose_again(server, t)
        for q in list(server.leaving):
            self.sim.features.add("leaves a crashed server")
            server.leaving.remove(q)
            del server.holdings[q]
            server.load -= 1
            for group in (server.prefilling, server.decoding):
                if q in group:
                    group.remove(q)
            self.sim.memory.left_prefill(server)
            self.sim.iterations.gone(q)

    def choose_again(self, server: Server, t: int) -> None:
        for q in self.present_in_order():
            if q.server is server and q.place == "queued":
                server.queue.remove(q)
                server.load -= 1
                q.server = None
                self.sim.routing.enqueue(q, t)
            elif q.decode_server is server and q.decode_place == "queued":
                server.queue.remove(q)
                server.load -= 1
                q.decode_server, q.decode_place = None, ""
                self.sim.routing.enqueue_decode(q, t)

    def link_rate(self, server: Server, value: int, t: int) -> None:
        was_cut = server.link_slow == 0
        self.sim.link.advance(server, t)
        server.link_slow = value
        if value == 0:
            for q in self.present_in_order():
                if q.decode_server is server and q.decode_place in ("fifo", "flow"):
                    self.sim.features.add("link cut under a flow")
                    self.lose_handoff(q, t)
            self.choose_again(server, t)
        elif was_cut:
            self.sim.routing.take_parked(1, t)
        self.sim.link.foresee(server, t)

    def lose(self, q: Request, t: int, policy: Policy) -> None:
        """Lost, with this attempt counted and the request off every server."""
        self.sim.features.add(f"{policy.name} {'before' if q.first < 0 else 'after'} the first token")
        if policy is Policy.FAIL or q.attempts > self.sim.pipeline.max_attempts:
            if q.first < 0:
                self.start_over(q, t)
            self.sim.ending.end(q, t, Status.LOST)
            return
        q.place, q.server = "routing", None
        wait = self.sim.pipeline.detect_ps + (self.sim.pipeline.retry_ps if policy is Policy.RETRY else 0)
        if q.first >= 0 and policy is not Policy.RETRY:
            if q.paused < 0:
                q.paused = t
        else:
            self.start_over(q, t)
            q.stages["retry"] += wait
            q.mark = t + wait
        if policy is Policy.FALLBACK and self.sim.pools[2] and not self.sim.routing.fall_back(q, t):
            return
        self.sim.routing.wait_for_queue(q, t + wait)

    def start_over(self, q: Request, t: int) -> None:
        """Nothing that was done for the request counts."""
        q.given, q.first, q.reached = 0, -1, -1
        q.token_times = []
        if isinstance(q.barge_in, Event):
            q.barge_in.call_off()
        q.was_taken = q.lost_its_place = False
        lost = t - (q.arrival + self.sim.pipeline.network_ps) - q.stages["retry"] - q.late
        retry = q.stages["retry"] + q.late
        q.late, q.paused = 0, -1
        q.stages = dict.fromkeys(q.stages, 0) | {"lost": lost, "retry": retry}
        q.mark = t

    def lose_handoff(self, q: Request, t: int) -> None:
        self.sim.features.add(f"handoff lost {q.place}")
        q.attempts += 1
        if isinstance(q.wait, Event):
            q.wait.call_off()
        self.sim.link.release_decode(q, t)
        policy = self.sim.pipeline.handoff_lost
        if policy is not Policy.RETRY or q.attempts > self.sim.pipeline.max_attempts:
            self.sim.memory.leave_prefill(q)
            self.lose(q, t, policy)
            return
        if q.place != "staged":
            return
        wait = self.sim.pipeline.detect_ps + self.sim.pipeline.retry_ps
        q.decode_place = "waiting"
        self.sim.routing.wait_for_queue(q, t + wait)
        if q.first < 0:
            again = ("decode_queue", "handoff_queue", "handoff")
            q.stages["lost"] += sum(q.stages[name] for name in again) + t - q.mark
            for name in again:
                q.stages[name] = 0
            q.stages["retry"] += wait
            q.mark = t + wait
