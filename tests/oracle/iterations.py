"""Begin and commit of iterations (sections 5 and 6 of `docs/semantics.md`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from subsecond.engine.core.config import Role, Status

from .events import CANCEL, END
from .parts import Request, Server

if TYPE_CHECKING:
    from .reference import Reference


class Iterations:
    """Rules of this section for one run."""

    def __init__(self, sim: Reference) -> None:
        self.sim = sim

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
            self.sim.memory.leave_prefill(q)
        else:
            server.decoding.remove(q)
            self.sim.memory.publish(q, server, server.holdings[q])
            server.load -= 1
        self.gone(q)

    def gone(self, q: Request) -> None:
        self.sim.leaving_from[q.session] = None
        later, self.sim.put_off[q.session] = self.sim.put_off[q.session], None
        if later:
            later()

    def grow(self, server: Server, t: int) -> bool:
        """Step "growth"; True if a request was preempted."""
        preempted = False
        g = server.pool.growth_units
        while server.free < len(server.decoding) * g:
            if server.evict():
                self.sim.features.add("evicted to grow")
                continue
            preempted = True
            server.counters["preemptions"] += 1
            q = (server.decoding + server.prefilling)[-1]
            self.sim.features.add(f"preempted {server.role.name} {'prefill' if q in server.prefilling else 'decode'}")
            del server.holdings[q]
            if q in server.prefilling:
                server.prefilling.remove(q)
            else:
                server.decoding.remove(q)
            if server.role is Role.DECODE:
                server.load -= 1
                q.lost_its_place = q.lost_its_place or q.first < 0
                q.decode_place, q.decode_server = "", None
                self.sim.routing.enqueue(q, t, in_front=True)
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
            need = total * self.sim.unit + self.sim.fixed
            if not server.fits(need):
                break
            if server.role is Role.PREFILL and self.sim.staged > 0:
                assert self.sim.pipeline.link
                if self.sim.staged + need > self.sim.pipeline.link.staging_units:
                    self.sim.features.add("staging full")
                    self.sim.staged_failed = True
                    break
            server.queue.pop(0)
            if (q.context, 0) in server.entries and q.context in self.sim.returns and server.side == 0:
                self.sim.returns.pop(q.context).call_off()
            _, hit = server.take(q, need)
            if hit:
                self.sim.features.add("context hit")
            if q.group in server.warm:
                self.sim.features.add("group hit")
                hit = max(hit, min(q.group_tokens, total - 1))
            q.hit = min(hit, total - 1)
            server.counters["hit_tokens"] += q.hit
            q.place, q.total, q.position, q.need, q.prefilled_at = "prefilling", total, q.hit, need, -1
            server.prefilling.append(q)
            server.chunks[q] = min(room, total - q.hit)
            room -= server.chunks[q]
            if q.position + server.chunks[q] < total:
                self.sim.features.add("chunked prefill")
            if not q.was_taken:
                q.close("prefill_queue", t)
                q.was_taken = True
            taken.append(q)
        if not server.decoding and not server.chunks:
            return
        server.note_sequences(len(server.decoding) + len(server.prefilling))
        self.start_iteration(server, t)
        if server.role is Role.PREFILL and self.sim.pipeline.link and self.sim.pipeline.link.overlap:
            for q in taken:
                self.sim.routing.enqueue_decode(q, t)

    def begin_decode(self, server: Server, t: int) -> None:
        for q in server.landed:
            q.decode_place = "decoding"
            self.join(q, server)
            q.resume(t)
        server.landed = []
        preempted = self.grow(server, t)
        can_admit = not preempted or not server.decoding
        while can_admit and server.queue and server.num_admitted < server.pool.max_seqs:
            q = server.queue[0]
            need = (q.prompt + q.given) * self.sim.unit + self.sim.fixed
            if not server.fits(need):
                break
            server.queue.pop(0)
            kept, _ = server.take(q, need)
            q.sent = need - kept
            server.counters["transferred_units"] += q.sent
            self.sim.features.add("delta handoff" if kept else "full handoff")
            if q.place != "staged":
                self.sim.features.add("handoff during prefill")
            if q.place == "staged":
                q.close("decode_queue", t)
            self.sim.link.enter_link(q, server, t)
        server.note_sequences(server.num_admitted)
        if server.decoding:
            self.start_iteration(server, t)

    def join(self, q: Request, server: Server) -> None:
        q.given_at_join, q.steps = q.given, 0
        server.decoding.append(q)

    def start_iteration(self, server: Server, t: int) -> None:
        server.iteration = (
            t,
            self.sim.at(t + server.duration(), END, server.number, lambda t: self.end_iteration(server, t)),
        )

    def end_iteration(self, server: Server, t: int) -> None:
        assert server.iteration
        server.counters["busy_ps"] += t - server.iteration[0]
        server.counters["iterations"] += 1
        server.counters["sequence_steps"] += len(server.decoding)
        server.iteration = None
        server.is_dirty = True
        decoding, chunks = list(server.decoding), server.chunks
        server.chunks = {}
        g = server.pool.growth_units
        for q in decoding:
            q.steps += 1
        for q in sorted((q for q in decoding if q not in server.leaving), key=lambda q: q.session):
            q.given = min(q.output, q.given_at_join + q.steps * g // self.sim.unit)
            self.tokens(q, server, t)
        for q, chunk in chunks.items():
            q.position += chunk
            server.counters["prefill_tokens"] += chunk
            if server.decoding:
                self.sim.features.add("prefill beside decode")
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
                q.resume(t)
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
                q.barge_in = self.sim.at(t + q.hold, CANCEL, (q.session, 0), lambda t: self.interrupt(q, t))
        if q.given == q.output:
            if q in server.decoding:
                server.decoding.remove(q)
            units = server.holdings[q]
            self.sim.memory.publish(q, server, units)
            server.load -= 1
            if server.role is Role.DECODE:
                self.sim.memory.return_kv(q, t)
            self.sim.ending.end(q, t, Status.FINISHED)

    def interrupt(self, q: Request, t: int) -> None:
        """The user speaks into the reply, unless it is over."""
        if q is self.sim.present[q.session]:
            self.sim.orchestrator.cancel(q.session, t, True)

    def prefilled(self, q: Request, t: int) -> None:
        q.place = "staged"
        q.prefilled_at = t
        q.close("prefill", t)
        if q.decode_place == "":
            self.sim.routing.enqueue_decode(q, t)
        elif q.decode_place == "landing":
            self.sim.link.land_at(q, t + self.sim.link.tail(q))
