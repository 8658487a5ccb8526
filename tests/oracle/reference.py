"""The plain simulator: one turn of a loop per iteration of every server, sums taken anew each time.

It follows `docs/semantics.md` section by section; read the two side by side. Here are the state of a run and the order
of events (section 2); each other module of this folder holds the rules of a section.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Any

from subsecond.engine.core.config import Fault, Pipeline, Role, Workload

from .ending import Ending
from .events import CANCEL, FAULT, Event, External
from .iterations import Iterations
from .link import LinkSharing
from .memory import Memory
from .orchestrator import Orchestrator
from .parts import Request, Server
from .routing import Routing


class Reference:
    """A run of one workload on one pipeline.

    Attributes:
        requests: by id, those that have arrived.
        present: by session, its request that has arrived and not ended.
        leaving_from: by session, the server that its cancelled request has still to leave.
        features: names of rules that the run came by.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        workload: Workload,
        faults: Sequence[Fault] = (),
        seed: int = 0,
        externals: Sequence[External] = (),
    ) -> None:
        self.pipeline, self.workload, self.seed = pipeline, workload, seed
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
        self.routing, self.memory, self.iterations = Routing(self), Memory(self), Iterations(self)
        self.link, self.orchestrator, self.ending = LinkSharing(self), Orchestrator(self), Ending(self)
        self._lay_out_sessions(workload)
        for i, fault in enumerate(faults):
            self.at(fault.at_ps, FAULT, i, self._action_of(fault))
        for i, external in enumerate(externals):
            self._expect_external(external, len(faults) + i)

    def _action_of(self, fault: Fault) -> Callable[[int], None]:
        return lambda t: self.orchestrator.fault(fault, t)

    def _expect_external(self, external: External, number: int) -> None:
        if external[1] == "cancel":
            at, _, s = external
            self.at(at, CANCEL, (s, 1), lambda t: self.orchestrator.cancel(s, t, False))
        else:
            at, _, server, cost = external
            self.at(at, FAULT, number, lambda t: self.orchestrator.set_cost(server, cost))

    def _lay_out_sessions(self, workload: Workload) -> None:
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
                self.routing.expect(s, int(workload.session_start_ps[s]) + self.pipeline.network_ps)

    def at(self, time: int, kind: int, ident: Any, action: Callable[[int], None]) -> Event:
        """Let something happen at a time; `kind` and `ident` order it among others at that time."""
        event = Event(action)
        self.count += 1
        heapq.heappush(self.heap, (time, kind, ident if kind == CANCEL else (ident, 0), self.count, event))
        return event

    def wake(self, server: Server) -> None:
        if server.is_up:
            server.is_dirty = True

    def run(self, until: int | None = None) -> None:
        """Handle all events, or those up to and including the time `until`."""
        while True:
            while self.heap and self.heap[0][4].action is None:
                heapq.heappop(self.heap)
            if not self.heap or self.heap[0][0] > self.now:
                begin = [s for s in self.servers if s.is_dirty and s.iteration is None]
                if begin:
                    for server in begin:
                        server.is_dirty = False
                        self.iterations.begin(server, self.now)
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
