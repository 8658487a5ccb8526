"""The end of a request, and what follows it (section 8 of `docs/semantics.md`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from subsecond.engine.core.config import Status

from .events import Event
from .parts import Request

if TYPE_CHECKING:
    from .reference import Reference


class Ending:
    """Rules of this section for one run."""

    def __init__(self, sim: Reference) -> None:
        self.sim = sim

    def end(
        self,
        q: Request,
        t: int,
        status: Status,
        *,
        counts_milestone: bool = True,
        release: Callable[[], None] | None = None,
    ) -> None:
        p = self.sim.pipeline
        if q.first >= 0:
            q.resume(t)
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
        self.sim.present[s] = None
        user = t + p.network_ps
        if q.reached >= 0 and counts_milestone and status in (Status.FINISHED, Status.CANCELLED):
            spoken = q.reached + p.network_ps + q.hold
            user = spoken if q.is_barge_in else max(user, spoken)
        self.sim.ended_at[s] = self.sim.children_end[s] = user
        for child in self.sim.children.get(q.number, []):
            self.sim.features.add("child")
            self.sim.open_children[s] += 1
            first = int(self.sim.workload.session_first_request[child])
            self.sim.routing.expect(child, user + int(self.sim.workload.gap_ps[first]) + p.network_ps)
        if self.has_next(s):
            if not self.sim.open_children[s]:
                self.go_on(s)
        elif self.sim.parent[s] >= 0:
            parent = self.sim.parent[s]
            self.sim.open_children[parent] -= 1
            self.sim.children_end[parent] = max(self.sim.children_end[parent], user)
            if not self.sim.open_children[parent] and self.has_next(parent):
                self.go_on(parent)

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

    def has_next(self, s: int) -> bool:
        return self.sim.next_request[s] < int(self.sim.workload.session_first_request[s + 1])

    def go_on(self, s: int) -> None:
        end = max(self.sim.ended_at[s], self.sim.children_end[s])
        gap = int(self.sim.workload.gap_ps[self.sim.next_request[s]])
        self.sim.routing.expect(s, end + gap + self.sim.pipeline.network_ps)
