"""One pipeline of a live run: its engine, the turns that end, those that are open, what its servers hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.budgets import Budget
from subsecond.engine.core.config import Pool, Workload
from subsecond.engine.core.engine import Engine
from subsecond.engine.core.results import STAGES, Results
from subsecond.engine.feed import Gauges, OpenTurn, Scheduled, ServerGauge, TurnEnd
from subsecond.engine.latency.pipelines import BuiltPipeline
from subsecond.engine.turns import TOOLS, turns_of
from subsecond.engine.workload.runs import ranks

from .openturns import MOST_OPEN, open_turns
from .turnmap import TurnMap

__all__ = ["LiveLane"]

Int64 = NDArray[np.int64]


class LiveLane:
    """A pipeline at work; `number` is its place among the lanes."""

    def __init__(
        self,
        number: int,
        name: str,
        pipeline: BuiltPipeline,
        turns: TurnMap,
        budgets: Sequence[Budget],
        *,
        outside: range,
        seed: int,
        compiled: bool | None,
    ) -> None:
        self.number = number
        self.name = name
        self.pipeline = pipeline
        self.engine = Engine(pipeline.core, turns.workload, seed=seed, compiled=compiled, can_fail=True)
        self._turns = turns
        self._budgets = budgets
        self._outside = outside
        #: Where sessions are, and which of them have ended a request, as of the last look (`ended`).
        self.columns = self.engine.sessions()
        self.moved = np.zeros(0, np.int64)
        self._seen = self.columns.request
        self.stages = (*turns.workload.before_ps, *STAGES, TOOLS, *turns.workload.after_ps)
        self._pools = _pools(pipeline)

    def ended(self) -> list[TurnEnd]:
        """Turns that have ended since the last call, in order of session."""
        self.columns = columns = self.engine.sessions()
        own = slice(self._outside.start, self._outside.stop)
        self._seen[own] = columns.request[own]  # these are looked after by `OutsideLane`
        moved = np.flatnonzero(columns.request != self._seen)
        steps = columns.request[moved] - self._seen[moved]
        requests = np.repeat(self._seen[moved], steps) + ranks(steps)
        self._seen = columns.request
        self.moved = moved
        turns = self._turns.workload.turn[requests[self._turns.is_last[requests]]]
        return self._ends(turns) if len(turns) else []

    def _ends(self, ids: Int64) -> list[TurnEnd]:
        results = self.engine.results(self._turns.requests(ids))
        return self.measured(self._turns.part(ids), results, ids, self._turns.session[ids], self._turns.index[ids])

    def measured(self, part: Workload, results: Results, ids: Int64, session: Int64, index: Int64) -> list[TurnEnd]:
        """Ended turns as messages.

        Args:
            part: a workload of these turns alone, with `results` of its requests.
            ids, session, index: by turn, its number, its session, and which turn of that it is.
        """
        turns = turns_of(part, results, self.engine.now_ps)
        stages = np.stack([turns.stage_ps(name) for name in self.stages], axis=1).tolist()
        met = np.full((len(ids), len(self._budgets)), -1)
        for place, budget in enumerate(self._budgets):
            meant = turns.kind == self._turns.workload.kinds.index(budget.agents)
            met[meant, place] = budget.met(turns)[meant]
        first = turns.first

        def total(column: NDArray[np.generic]) -> list[int]:
            return np.add.reduceat(column.astype(np.int64), first).tolist()  # type: ignore[no-any-return]  # of ints

        rows = zip(
            ids.tolist(),
            session.tolist(),
            index.tolist(),
            turns.kind.tolist(),
            turns.state.tolist(),
            turns.start_ps.tolist(),
            turns.latency_ps.tolist(),
            turns.ttft_ps.tolist(),
            turns.tpot_ps.tolist(),
            map(tuple, stages),
            map(tuple, met.tolist()),
            (turns.last - first + 1).tolist(),
            total(part.prompt_tokens),
            total(results.hit_tokens),
            total(results.emitted_tokens),
            total(results.attempts),
            strict=True,
        )
        return [TurnEnd(self.number, *row) for row in rows]

    def gauges(
        self,
        now_ps: int,
        faults: tuple[str, ...],
        outside: Sequence[OpenTurn] = (),
        num_outside: int = 0,
        scheduled: tuple[Scheduled, ...] = (),
    ) -> Gauges:
        """The lane at the time that its engine has reached.

        Args:
            outside: turns of agents from outside, the oldest first. They are described before all others: whoever
                connected an agent looks for it.
            num_outside: how many of them there are.
            scheduled: faults of drills that are to come.
        """
        oldest, count = open_turns(self.engine, self._turns, self.engine.sessions(), self._outside, now_ps)
        if outside:
            oldest = tuple(sorted((*outside, *oldest[: MOST_OPEN - len(outside)]), key=lambda turn: turn.start_ps))
        servers = self._servers()
        flows = sum(server.flows for server in servers)
        return Gauges(now_ps, self.number, count + num_outside, oldest, servers, flows, faults, scheduled)

    def _servers(self) -> tuple[ServerGauge, ...]:
        core = self.pipeline.core
        token_ps = core.link.unit_ps * core.entry.units_per_token if core.link else 0
        return tuple(
            ServerGauge(
                up=load.is_up,
                queued=max(0, load.num_requests - load.num_decoding - load.num_prefilling),
                batch=load.num_decoding + load.num_prefilling,
                used_tokens=load.used_units // pool.units_per_token,
                retained_tokens=load.retained_units // pool.units_per_token,
                busy_ps=load.busy_ps,
                preemptions=load.preemptions,
                evictions=load.evictions,
                flows=load.num_flows,
                received_tokens=load.carried_ps // token_ps if token_ps else 0,
                prefill_tokens=load.prefill_tokens,
                hit_tokens=load.hit_tokens,
            )
            for load, pool in zip(self.engine.loads(), self._pools, strict=True)
        )


def _pools(pipeline: BuiltPipeline) -> list[Pool]:
    """The pool of each server."""
    core = pipeline.core
    return [pool for pool in (core.entry, core.decode, core.fallback) if pool for _ in range(pool.num_servers)]
