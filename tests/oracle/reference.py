"""The plain simulator: one turn of a loop per iteration of every server, sums taken anew each time.

It follows `docs/semantics.md` section by section; read the two side by side.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from subsecond.engine.core.config import Fault, FaultKind, Pipeline, Policy, Role, Status, StepCost, Workload

from .parts import Request, Server

ARRIVE, ENQUEUE, LINK, LAND, RETURN, END, FAULT, CANCEL = range(8)
NEVER = -(1 << 63)
External = tuple[Any, ...]


@dataclass(eq=False)
class Event:
    """Something that will happen, unless it is called off."""

    action: Callable[[int], None] | None

    def call_off(self) -> None:
        self.action = None


class Reference:
    """A run of one workload on one pipeline."""

    def __init__(
        self,
        pipeline: Pipeline,
        workload: Workload,
        faults: Sequence[Fault] = (),
        seed: int = 0,
        externals: Sequence[External] = (),
    ) -> None:
        self.p, self.w, self.seed = pipeline, workload, seed
        self.unit, self.fixed = pipeline.entry.units_per_token, pipeline.entry.fixed_units
        self.now = 0
        self.heap: list[tuple[int, int, Any, int, Event]] = []
        self.count = 0
        self.servers: list[Server] = []
        self.pools: list[list[Server]] = []
        for side, pool in enumerate((pipeline.entry, pipeline.decode, pipeline.fallback)):
            mine = [Server(0, side, pool, pool.cost) for _ in range(pool.num_servers)] if pool else []
            self.pools.append(mine)
            self.servers += mine
        for i, server in enumerate(self.servers):
            server.number = i
        self.parked: list[list[Request]] = [[], [], []]
        self.throttle = self.handoff_loss = self.stalled_until = 0
        self.staged_failed = False
        self.returns: dict[int, Event] = {}
        self.features: set[str] = set()
        n = workload.num_sessions
        self.requests: dict[int, Request] = {}
        self.present: list[Request | None] = [None] * n
        self.next_request = [int(x) for x in workload.session_first_request[:-1]]
        self.leaving_from: list[Server | None] = [None] * n
        self.put_off: list[Callable[[], None] | None] = [None] * n
        self.ended_at = [0] * n
        self.open_children = [0] * n
        self.children_end = [0] * n
        self.children: dict[int, list[int]] = {}
        self.parent = [-1] * n
        for s in range(n):
            p = int(workload.session_parent_request[s])
            if p >= 0:
                self.children.setdefault(p, []).append(s)
                self.parent[s] = next(
                    k
                    for k in range(n)
                    if workload.session_first_request[k] <= p < workload.session_first_request[k + 1]
                )
            else:
                self.expect(s, int(workload.session_start_ps[s]) + pipeline.network_ps)
        for i, fault in enumerate(faults):
            self.at(fault.at_ps, FAULT, i, lambda t, f=fault: self.fault(f, t))
        for i, external in enumerate(externals):
            if external[1] == "cancel":
                s = external[2]
                self.at(external[0], CANCEL, (s, 1), lambda t, s=s: self.cancel(s, t, False))
            else:
                _, _, server, cost = external
                self.at(external[0], FAULT, len(faults) + i, lambda t, i=server, c=cost: self.set_cost(i, c))

    # Section 2: order.

    def at(self, time: int, kind: int, ident: Any, action: Callable[[int], None]) -> Event:
        event = Event(action)
        self.count += 1
        heapq.heappush(self.heap, (time, kind, ident if kind == CANCEL else (ident, 0), self.count, event))
        return event

    def wake(self, server: Server) -> None:
        if server.is_up:
            server.is_dirty = True

    def run(self, until: int | None = None) -> None:
        while True:
            while self.heap and self.heap[0][4].action is None:
                heapq.heappop(self.heap)
            if not self.heap or self.heap[0][0] > self.now:
                begin = [s for s in self.servers if s.is_dirty and s.iteration is None]
                if begin:
                    for server in begin:
                        server.is_dirty = False
                    for server in begin:
                        self.begin(server, self.now)
                    self.check()
                    continue
                if not self.heap or (until is not None and self.heap[0][0] > until):
                    return
            time, _, _, _, event = heapq.heappop(self.heap)
            assert time >= self.now, "time went back"
            self.now = time
            action = event.action
            event.action = None
            assert action is not None
            action(time)
            self.check()

    def check(self) -> None:
        """Laws of memory and of staging."""
        for server in self.servers:
            assert server.free >= 0
            assert min([*server.holdings.values(), *server.entries.values(), 1]) >= 0
        assert self.staged >= 0

    @property
    def staged(self) -> int:
        """KV units on the prefill pool that belong to requests."""
        return sum(s.used for s in self.pools[0] if s.role is Role.PREFILL)

    # Section 3: arriving and routing.

    def expect(self, s: int, time: int) -> None:
        """The session's next request arrives at `time`."""
        self.at(time, ARRIVE, s, lambda t: self.arrive(s, t, t))

    def arrive(self, s: int, stamp: int, t: int) -> None:
        if self.leaving_from[s] is not None:
            self.features.add("arrival put off")
            self.put_off[s] = lambda: self.arrive(s, stamp, self.now)
            return
        w, r = self.w, self.next_request[s]
        self.next_request[s] += 1
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
        self.requests[r] = q
        self.present[s] = q
        q.arrival = stamp - self.p.network_ps
        q.mark = stamp
        q.place = "routing"
        if self.is_too_long(q, 0) or self.is_too_long(q, 1):
            self.end(q, t, Status.TOO_LONG)
            return
        self.admit(q, t)

    def is_too_long(self, q: Request, side: int) -> bool:
        if not self.pools[side]:
            return False
        pool = self.pools[side][0].pool
        return q.prompt * self.unit + self.fixed + q.output * self.unit + pool.growth_units > pool.capacity_units

    def admit(self, q: Request, t: int) -> None:
        if self.throttle > 0 and self.draw(q) < self.throttle:
            self.features.add("throttled")
            q.attempts += 1
            if q.attempts > self.p.max_attempts:
                self.end(q, t, Status.THROTTLED)
                return
            q.close("routing", t)
            q.stages["retry"] += self.p.retry_ps
            q.mark = t + self.p.retry_ps
            q.wait = self.at(q.mark, ARRIVE, q.session, lambda t: self.admit(q, t))
            return
        self.wait_for_queue(q, max(t, self.stalled_until) + self.p.route_ps)

    def wait_for_queue(self, q: Request, time: int) -> None:
        q.wait = self.at(time, ENQUEUE, q.session, lambda t: self.enqueue_event(q, t))

    def draw(self, q: Request) -> int:
        m = 2**31 - 1
        x = ((q.number & m) * 2654435 + (self.seed & m) * 40503 + q.draws * 69069 + 12345) & m
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
            q.close("routing", t)
            self.enqueue(q, t)

    def choose(self, side: int, context: int) -> Server | None:
        reachable = [s for s in self.pools[side] if s.is_reachable]
        if not reachable:
            return None
        least = min(reachable, key=lambda s: (s.load, s.number))
        home = next((s for s in self.pools[side] if (context, side) in s.entries), None)
        if home and home in reachable and home.pool.affinity and home.load <= least.load + home.pool.affinity_slack:
            return home
        return least

    def enqueue(self, q: Request, t: int, *, in_front: bool = False) -> None:
        if not q.has_fallen:
            server = self.choose(0, q.context)
            if server is None:
                if self.p.prefill_lost is Policy.FALLBACK and self.pools[2]:
                    if not self.fall_back(q, t):
                        return
                elif self.p.prefill_lost is Policy.FAIL:
                    self.end(q, t, Status.NO_SERVER)
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
        elif self.p.prefill_lost is Policy.FAIL:
            self.end(q, t, Status.NO_SERVER)
        else:
            self.park(q, 2)

    def park(self, q: Request, side: int) -> None:
        self.features.add("parked")
        q.place = "parked"
        self.parked[side].append(q)

    def fall_back(self, q: Request, t: int) -> bool:
        """The request goes to the fallback pool from here on; False if it does not fit there."""
        self.features.add("fallen back")
        q.has_fallen = True
        if self.is_too_long(q, 2):
            self.end(q, t, Status.TOO_LONG)
            return False
        return True

    def put(self, q: Request, server: Server, in_front: bool) -> None:
        q.place, q.server = "queued", server
        server.queue.insert(0 if in_front else len(server.queue), q)
        server.load += 1
        self.wake(server)

    def enqueue_decode(self, q: Request, t: int) -> None:
        server = self.choose(1, q.context)
        if server is not None:
            q.decode_place, q.decode_server = "queued", server
            server.queue.append(q)
            server.load += 1
            self.wake(server)
        elif self.p.decode_lost is Policy.FALLBACK and self.pools[2]:
            self.leave_prefill(q)
            q.place = "falling back"
            if self.fall_back(q, t):
                self.enqueue(q, t)
        elif self.p.decode_lost is Policy.FAIL:
            # The open stage is closed first: leaving does not change where the request is.
            self.end(q, t, Status.NO_SERVER, release=lambda: self.leave_prefill(q))
        else:
            self.features.add("parked for decode")
            q.decode_place = "parked"
            self.parked[1].append(q)

    def take_parked(self, side: int, t: int) -> None:
        parked, self.parked[side] = self.parked[side], []
        for q in parked:
            self.features.add("taken off parking")
            if side == 1:
                q.decode_place = ""
                self.enqueue_decode(q, t)
            else:
                self.enqueue(q, t)

    # Section 4: KV memory.

    def drop_entry(self, context: int, side: int) -> None:
        for server in self.pools[side]:
            server.entries.pop((context, side), None)
        if side == 0 and context in self.returns:
            self.returns.pop(context).call_off()

    def publish(self, q: Request, server: Server, units: int) -> None:
        """The request leaves `units` of what it holds as its context's entry."""
        self.drop_entry(q.context, server.side)
        held = server.holdings.pop(q)
        assert units <= held
        server.entries[(q.context, server.side)] = units

    # Section 5: begin.

    def begin(self, server: Server, t: int) -> None:
        if not server.is_up:
            return
        for q in list(server.leaving):
            self.leave(q, server)
        if server.role is Role.DECODE:
            self.begin_decode(server, t)
        else:
            self.begin_prefill(server, t)

    def leave(self, q: Request, server: Server) -> None:
        """A cancelled request leaves the batch."""
        server.leaving.remove(q)
        if q in server.prefilling:
            self.leave_prefill(q)
        else:
            server.decoding.remove(q)
            self.publish(q, server, server.holdings[q])
            server.load -= 1
        self.gone(q)

    def gone(self, q: Request) -> None:
        self.leaving_from[q.session] = None
        later, self.put_off[q.session] = self.put_off[q.session], None
        if later:
            later()

    def grow(self, server: Server, t: int) -> bool:
        """Step "growth"; True if a request was preempted."""
        preempted = False
        g = server.pool.growth_units
        while server.free < len(server.decoding) * g:
            if server.evict():
                continue
            preempted = True
            server.counters["preemptions"] += 1
            q = (server.decoding + server.prefilling)[-1]
            self.features.add(f"preempted {server.role.name} {'prefill' if q in server.prefilling else 'decode'}")
            del server.holdings[q]
            if q in server.prefilling:
                server.prefilling.remove(q)
            else:
                server.decoding.remove(q)
            if server.role is Role.DECODE:
                server.load -= 1
                q.lost_its_place = q.lost_its_place or q.first < 0
                q.decode_place, q.decode_server = "", None
                self.enqueue(q, t, in_front=True)
            else:
                q.place = "queued"
                server.queue.insert(0, q)
        for q in server.decoding:
            server.holdings[q] += g
        server.note_peak()
        return preempted

    def begin_prefill(self, server: Server, t: int) -> None:
        preempted = self.grow(server, t)
        pool = server.pool
        room = pool.token_budget - len(server.decoding) * pool.decode_width
        server.chunks = {}
        for q in server.prefilling:
            assert not server.chunks, "one partial prefill at most"
            server.chunks[q] = min(room, q.total - q.position)
            room -= server.chunks[q]
        taken = []
        while (
            not preempted
            and room > 0
            and server.queue
            and len(server.decoding) + len(server.prefilling) < pool.max_seqs
        ):
            q = server.queue[0]
            total = q.prompt + q.given
            need = total * self.unit + self.fixed
            if not server.fits(need):
                break
            if server.role is Role.PREFILL and self.staged > 0:
                assert self.p.link
                if self.staged + need > self.p.link.staging_units:
                    self.features.add("staging full")
                    self.staged_failed = True
                    break
            server.queue.pop(0)
            if (q.context, 0) in server.entries and q.context in self.returns and server.side == 0:
                self.returns.pop(q.context).call_off()
            _, hit = server.take(q, need)
            if hit:
                self.features.add("context hit")
            if q.group in server.warm:
                self.features.add("group hit")
                hit = max(hit, min(q.group_tokens, total - 1))
            q.hit = min(hit, total - 1)
            server.counters["hit_tokens"] += q.hit
            q.place, q.total, q.position, q.need, q.prefilled_at = "prefilling", total, q.hit, need, -1
            server.prefilling.append(q)
            server.chunks[q] = min(room, total - q.hit)
            room -= server.chunks[q]
            if not q.was_taken:
                q.close("prefill_queue", t)
                q.was_taken = True
            taken.append(q)
        if not server.decoding and not server.chunks:
            return
        self.start_iteration(server, t)
        if server.role is Role.PREFILL and self.p.link and self.p.link.overlap:
            for q in taken:
                self.enqueue_decode(q, t)

    def begin_decode(self, server: Server, t: int) -> None:
        for q in server.landed:
            q.decode_place = "decoding"
            self.join(q, server)
            self.resume(q, t)
        server.landed = []
        preempted = self.grow(server, t)
        while not preempted and server.queue and server.num_admitted < server.pool.max_seqs:
            q = server.queue[0]
            need = (q.prompt + q.given) * self.unit + self.fixed
            if not server.fits(need):
                break
            server.queue.pop(0)
            kept, _ = server.take(q, need)
            q.sent = need - kept
            server.counters["transferred_units"] += q.sent
            if kept:
                self.features.add("delta handoff")
            if q.place == "staged":
                q.close("decode_queue", t)
            self.enter_link(q, server, t)
        if server.decoding:
            self.start_iteration(server, t)

    def join(self, q: Request, server: Server) -> None:
        q.given_at_join, q.steps = q.given, 0
        server.decoding.append(q)

    def resume(self, q: Request, t: int) -> None:
        if q.paused >= 0:
            q.late += t - q.paused
            q.paused = -1

    def start_iteration(self, server: Server, t: int) -> None:
        server.iteration = (
            t,
            self.at(t + server.duration(), END, server.number, lambda t: self.end_iteration(server, t)),
        )

    # Section 6: commit.

    def end_iteration(self, server: Server, t: int) -> None:
        assert server.iteration
        server.counters["busy_ps"] += t - server.iteration[0]
        server.counters["iterations"] += 1
        server.iteration = None
        server.is_dirty = True
        decoding, chunks = list(server.decoding), server.chunks
        server.chunks = {}
        g = server.pool.growth_units
        for q in decoding:
            q.steps += 1
        for q in sorted((q for q in decoding if q not in server.leaving), key=lambda q: q.session):
            q.given = min(q.output, q.given_at_join + q.steps * g // self.unit)
            self.tokens(q, server, t)
        for q, chunk in chunks.items():
            q.position += chunk
            server.counters["prefill_tokens"] += chunk
            if q.position < q.total or q in server.leaving:
                continue
            if q.group >= 0:
                server.warm.add(q.group)
            server.prefilling.remove(q)
            if server.role is Role.PREFILL:
                self.prefilled(q, t)
            else:
                q.place = "decoding"
                q.given += 1
                self.resume(q, t)
                self.tokens(q, server, t)
                if q.status is Status.UNFINISHED:
                    self.join(q, server)

    def tokens(self, q: Request, server: Server, t: int) -> None:
        """First token, milestone and finish, where due."""
        q.give(t)
        if q.first < 0 and q.given >= 1:
            stage = "decode_first" if server.role is Role.DECODE or q.lost_its_place else "prefill"
            q.lost_its_place = False
            q.close(stage, t)
            q.first = t
        if q.reached < 0 and q.given >= q.milestone:
            q.reached = t
            if q.is_barge_in:
                q.barge_in = self.at(
                    t + q.hold,
                    CANCEL,
                    (q.session, 0),
                    lambda t: q is self.present[q.session] and self.cancel(q.session, t, True),
                )
        if q.given == q.output:
            if q in server.decoding:
                server.decoding.remove(q)
            units = server.holdings[q]
            self.publish(q, server, units)
            server.load -= 1
            if server.role is Role.DECODE:
                self.return_kv(q, t)
            self.end(q, t, Status.FINISHED)

    # Section 7: handoff, cancel, loss.

    def prefilled(self, q: Request, t: int) -> None:
        q.place = "staged"
        q.prefilled_at = t
        q.close("prefill", t)
        if q.decode_place == "":
            self.enqueue_decode(q, t)
        elif q.decode_place == "landing":
            self.land_at(q, t + self.tail(q))

    def tail(self, q: Request) -> int:
        assert self.p.link
        k = self.p.link
        return k.t0_ps + (q.sent * k.unit_ps * k.fill_quarters // 4) // k.layers

    def den(self, server: Server) -> int:
        assert self.p.link
        return max(4 * len(server.flows), self.p.link.fill_quarters) * server.link_slow

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
            server.link_event = self.at(time, LINK, server.number, lambda t: self.end_flows(server, t))

    def enter_link(self, q: Request, server: Server, t: int) -> None:
        assert self.p.link
        q.decode_place = "fifo"
        server.fifo.append(q)
        if self.p.link.max_flows and len(server.flows) >= self.p.link.max_flows:
            self.features.add("waits for the link")
            return
        self.advance(server, t)
        self.start_flows(server, t)
        self.foresee(server, t)

    def start_flows(self, server: Server, t: int) -> None:
        assert self.p.link
        while server.fifo and (self.p.link.max_flows == 0 or len(server.flows) < self.p.link.max_flows):
            q = server.fifo.pop(0)
            q.decode_place = "flow"
            q.target = server.served + q.sent * self.p.link.unit_ps
            if q.place == "staged":
                q.close("handoff_queue", t)
            server.flows.append(q)

    def end_flows(self, server: Server, t: int) -> None:
        assert self.p.link
        self.advance(server, t)
        done = sorted((q for q in server.flows if q.target <= server.served), key=lambda q: (q.target, q.session))
        for q in done:
            server.flows.remove(q)
            q.decode_place = "landing"
            if not self.p.link.overlap:
                self.land_at(q, t + self.p.link.t0_ps)
            elif q.prefilled_at >= 0:
                self.land_at(q, max(t + self.p.link.t0_ps, q.prefilled_at + self.tail(q)))
        self.start_flows(server, t)
        self.foresee(server, t)

    def land_at(self, q: Request, time: int) -> None:
        q.wait = self.at(time, LAND, q.session, lambda t: self.land(q, t))

    def land(self, q: Request, t: int) -> None:
        if self.handoff_loss > 0 and self.draw(q) < self.handoff_loss:
            self.lose_handoff(q, t)
            return
        assert q.decode_server
        self.leave_prefill(q)
        q.close("handoff", t)
        q.place, q.decode_place = "remote", "landed"
        q.decode_server.landed.append(q)
        self.wake(q.decode_server)

    def leave_prefill(self, q: Request) -> None:
        """A request in prefill or staged leaves, publishing what has been computed."""
        server = q.server
        assert server
        if q in server.prefilling:
            server.prefilling.remove(q)
            server.chunks.pop(q, None)
        self.publish(q, server, q.position * self.unit + self.fixed)
        server.load -= 1
        q.server = None
        self.left_prefill(server)

    def left_prefill(self, server: Server) -> None:
        self.wake(server)
        if server.role is Role.PREFILL and self.staged_failed:
            self.staged_failed = False
            for other in self.pools[0]:
                self.wake(other)

    def return_kv(self, q: Request, t: int) -> None:
        k = self.p.link
        assert k
        key = (q.context, 0)
        if not k.kv_return or not any(key in s.entries for s in self.pools[0]):
            return
        if q.context in self.returns:
            self.features.add("return replaced")
            self.returns.pop(q.context).call_off()
        units = q.given * self.unit
        time = t + k.t0_ps + units * k.unit_ps * k.fill_quarters // 4
        self.returns[q.context] = self.at(time, RETURN, q.context, lambda t: self.grow_entry(q.context, units))

    def grow_entry(self, context: int, units: int) -> None:
        del self.returns[context]
        server = next((s for s in self.pools[0] if (context, 0) in s.entries), None)
        if server is None:
            return
        key = (context, 0)
        if units > server.free + server.retained - server.entries[key]:
            self.features.add("return does not fit")
            return
        for other in list(server.entries):
            if server.free >= units:
                break
            if other != key:
                del server.entries[other]
                server.counters["evictions"] += 1
                if other[0] in self.returns:
                    self.returns.pop(other[0]).call_off()
        server.entries[key] += units
        self.features.add("returned")

    def release_decode(self, q: Request, t: int) -> None:
        """The request leaves the decode side wherever it is there."""
        place, server = q.decode_place, q.decode_server
        q.decode_place = ""
        if place == "parked":
            self.parked[1].remove(q)
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
        self.wake(server)

    def cancel(self, s: int, t: int, is_barge_in: bool) -> None:
        q = self.present[s]
        if q is None:
            return
        self.features.add("barge-in" if is_barge_in else "cancelled from outside")
        self.features.add(f"cancelled {q.place} {q.decode_place}")
        if q.decode_place == "decoding" or q.place in ("decoding", "prefilling"):
            server = q.decode_server if q.decode_place == "decoding" else q.server
            assert server

            def release() -> None:
                if q.place == "prefilling":
                    self.release_decode(q, t)
                server.leaving.append(q)
                self.leaving_from[s] = server
                self.wake(server)
        elif q.place == "queued":

            def release() -> None:
                assert q.server
                q.server.queue.remove(q)
                q.server.load -= 1
                self.wake(q.server)
        elif q.place == "parked":

            def release() -> None:
                self.parked[2 if q.has_fallen else 0].remove(q)
        elif q.place == "staged":

            def release() -> None:
                self.release_decode(q, t)
                self.leave_prefill(q)
        else:

            def release() -> None:
                self.release_decode(q, t)

        self.end(q, t, Status.CANCELLED, counts_milestone=is_barge_in, release=release)

    def open_stage(self, q: Request) -> str:
        """The stage a request without tokens is in, by where it is."""
        if q.lost_its_place:
            return "decode_first"
        if q.place == "routing":
            return "routing"
        if q.place in ("queued", "parked", "falling back"):
            return "prefill" if q.was_taken else "prefill_queue"
        if q.place == "prefilling":
            return "prefill"
        if q.place == "remote":
            return "decode_first"
        return {"fifo": "handoff_queue", "flow": "handoff", "landing": "handoff"}.get(q.decode_place, "decode_queue")

    def fault(self, fault: Fault, t: int) -> None:
        kind, target, value = fault.kind, fault.target, fault.value
        if kind is FaultKind.SERVER_DOWN:
            self.down(self.servers[target], t)
        elif kind is FaultKind.SERVER_UP:
            server = self.servers[target]
            if not server.is_up:
                server.is_up = True
                self.wake(server)
                self.take_parked(server.side, t)
        elif kind is FaultKind.SERVER_SLOW:
            self.servers[target].slow = value
        elif kind is FaultKind.LINK_RATE:
            self.link_rate(self.pools[1][target], value, t)
        elif kind is FaultKind.HANDOFF_LOSS:
            self.handoff_loss = value
        elif kind is FaultKind.THROTTLE:
            self.throttle = value
        else:
            self.stalled_until = value

    def set_cost(self, i: int, cost: StepCost) -> None:
        self.servers[i].cost = cost

    def present_in_order(self) -> list[Request]:
        return [q for q in self.present if q is not None]

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
            self.drop_entry(context, side)
        server.warm = set()
        for q in self.present_in_order():
            if q.server is server and q.place in ("prefilling", "staged", "decoding"):
                self.features.add(f"lost {q.place} {q.decode_place}")
                if isinstance(q.wait, Event):
                    q.wait.call_off()
                self.release_decode(q, t)
                del server.holdings[q]
                server.load -= 1
                q.server = None
                for group in (server.prefilling, server.decoding):
                    if q in group:
                        group.remove(q)
                self.left_prefill(server)
                q.attempts += 1
                self.lose(q, t, self.p.prefill_lost)
            elif q.decode_server is server and q.decode_place in ("fifo", "flow", "landing"):
                self.lose_handoff(q, t)
            elif q.decode_server is server and q.decode_place in ("landed", "decoding"):
                self.features.add(f"lost {q.decode_place}")
                self.release_decode(q, t)
                q.attempts += 1
                self.lose(q, t, self.p.decode_lost)
        self.choose_again(server, t)
        for q in list(server.leaving):
            self.features.add("leaves a crashed server")
            server.leaving.remove(q)
            del server.holdings[q]
            server.load -= 1
            for group in (server.prefilling, server.decoding):
                if q in group:
                    group.remove(q)
            self.left_prefill(server)
            self.gone(q)

    def choose_again(self, server: Server, t: int) -> None:
        for q in self.present_in_order():
            if q.server is server and q.place == "queued":
                server.queue.remove(q)
                server.load -= 1
                q.server = None
                self.enqueue(q, t)
            elif q.decode_server is server and q.decode_place == "queued":
                server.queue.remove(q)
                server.load -= 1
                q.decode_server, q.decode_place = None, ""
                self.enqueue_decode(q, t)

    def link_rate(self, server: Server, value: int, t: int) -> None:
        was_cut = server.link_slow == 0
        self.advance(server, t)
        server.link_slow = value
        if value == 0:
            for q in self.present_in_order():
                if q.decode_server is server and q.decode_place in ("fifo", "flow"):
                    self.features.add("link cut under a flow")
                    self.lose_handoff(q, t)
            self.choose_again(server, t)
        elif was_cut:
            self.take_parked(1, t)
        self.foresee(server, t)

    def lose(self, q: Request, t: int, policy: Policy) -> None:
        """Lost, with this attempt counted and the request off every server."""
        if policy is Policy.FAIL or q.attempts > self.p.max_attempts:
            if q.first < 0:
                self.start_over(q, t)
            self.end(q, t, Status.LOST)
            return
        q.place, q.server = "routing", None
        wait = self.p.detect_ps + (self.p.retry_ps if policy is Policy.RETRY else 0)
        if q.first >= 0 and policy is not Policy.RETRY:
            if q.paused < 0:
                q.paused = t
        else:
            self.start_over(q, t)
            q.stages["retry"] += wait
            q.mark = t + wait
        if policy is Policy.FALLBACK and self.pools[2] and not self.fall_back(q, t):
            return
        self.wait_for_queue(q, t + wait)

    def start_over(self, q: Request, t: int) -> None:
        """Nothing that was done for the request counts."""
        q.given, q.first, q.reached = 0, -1, -1
        q.token_times = []
        if isinstance(q.barge_in, Event):
            q.barge_in.call_off()
        q.was_taken = q.lost_its_place = False
        lost = t - (q.arrival + self.p.network_ps) - q.stages["retry"] - q.late
        retry = q.stages["retry"] + q.late
        q.late, q.paused = 0, -1
        q.stages = dict.fromkeys(q.stages, 0) | {"lost": lost, "retry": retry}
        q.mark = t

    def lose_handoff(self, q: Request, t: int) -> None:
        self.features.add(f"handoff lost {q.place}")
        q.attempts += 1
        if isinstance(q.wait, Event):
            q.wait.call_off()
        self.release_decode(q, t)
        policy = self.p.handoff_lost
        if policy is not Policy.RETRY or q.attempts > self.p.max_attempts:
            self.leave_prefill(q)
            self.lose(q, t, policy)
            return
        if q.place != "staged":
            return
        wait = self.p.detect_ps + self.p.retry_ps
        q.decode_place = "waiting"
        self.wait_for_queue(q, t + wait)
        if q.first < 0:
            again = ("decode_queue", "handoff_queue", "handoff")
            q.stages["lost"] += sum(q.stages[name] for name in again) + t - q.mark
            for name in again:
                q.stages[name] = 0
            q.stages["retry"] += wait
            q.mark = t + wait

    # Section 8: the end of a request.

    def end(
        self,
        q: Request,
        t: int,
        status: Status,
        *,
        counts_milestone: bool = True,
        release: Callable[[], None] | None = None,
    ) -> None:
        p = self.p
        if q.first >= 0:
            self.resume(q, t)
            q.stages["decode_rest"] = t - q.first - q.late
        elif q.mark > t:
            q.stages["retry"] -= q.mark - t
        else:
            q.stages[self.open_stage(q)] += t - q.mark
        q.stages["retry"] += q.late
        q.stages["network"] = 2 * p.network_ps
        if isinstance(q.wait, Event):
            q.wait.call_off()
        if release:
            release()
        q.finish, q.status = t, status
        s = q.session
        self.present[s] = None
        user = t + p.network_ps
        if q.reached >= 0 and counts_milestone and status in (Status.FINISHED, Status.CANCELLED):
            spoken = q.reached + p.network_ps + q.hold
            user = spoken if q.is_barge_in else max(user, spoken)
        self.ended_at[s] = self.children_end[s] = user
        for child in self.children.get(q.number, []):
            self.features.add("child")
            self.open_children[s] += 1
            first = int(self.w.session_first_request[child])
            self.expect(child, user + int(self.w.gap_ps[first]) + p.network_ps)
        if self.has_next(s):
            if not self.open_children[s]:
                self.go_on(s)
        elif self.parent[s] >= 0:
            parent = self.parent[s]
            self.open_children[parent] -= 1
            self.children_end[parent] = max(self.children_end[parent], user)
            if not self.open_children[parent] and self.has_next(parent):
                self.go_on(parent)

    def has_next(self, s: int) -> bool:
        return self.next_request[s] < int(self.w.session_first_request[s + 1])

    def go_on(self, s: int) -> None:
        end = max(self.ended_at[s], self.children_end[s])
        self.expect(s, end + int(self.w.gap_ps[self.next_request[s]]) + self.p.network_ps)
