"""One pipeline of a live run: its engine, the turns that end, those that are open, what its servers hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.budgets import Budget
from subsecond.engine.core.config import Pool, StepCost, Workload
from subsecond.engine.core.engine import Engine
from subsecond.engine.core.results import STAGES, Results, open_stage
from subsecond.engine.feed import Gauges, OpenTurn, ServerGauge, TurnEnd
from subsecond.engine.latency.pipelines import BuiltPipeline
from subsecond.engine.turns import TOOLS, turns_of
from subsecond.engine.workload.runs import offsets, ranks

from .turnmap import TurnMap

__all__ = ["MOST_OPEN", "LiveLane"]

Int64 = NDArray[np.int64]

#: Open turns that a gauge describes one by one.
MOST_OPEN = 64


class _Taken(NamedTuple):
    """What requests of an open turn have taken: by place in `STAGES`, between them, and when the last was back."""

    stages_ps: list[int]
    tools_ps: int
    end_ps: int


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
        self._seen = self.engine.sessions().request
        self.stages = (*turns.workload.before_ps, *STAGES, TOOLS, *turns.workload.after_ps)
        self._pools = _pools(pipeline)

    def step_costs(self) -> list[StepCost]:
        """Cost of an iteration, by server."""
        return [pool.cost for pool in self._pools]

    def ended(self) -> list[TurnEnd]:
        """Turns that have ended since the last call, in order of session."""
        request = self.engine.sessions().request
        found = []
        own = slice(self._outside.start, self._outside.stop)
        self._seen[own] = request[own]  # these are looked after by `OutsideLane`
        for session in np.flatnonzero(request != self._seen):
            ended = np.arange(self._seen[session], request[session])
            found.append(self._turns.workload.turn[ended[self._turns.is_last[ended]]])
        self._seen = request
        turns = np.concatenate(found) if found else np.zeros(0, np.int64)
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

    def gauges(self, now_ps: int, faults: tuple[str, ...], outside: Sequence[OpenTurn] = ()) -> Gauges:
        """The lane at the time that its engine has reached; `outside`: turns of agents from outside, the oldest first.

        Those are always described: whoever connected an agent looks for it.
        """
        oldest, count = self._open(now_ps)
        if outside:
            own = outside[:MOST_OPEN]
            oldest = tuple(sorted((*own, *oldest[: MOST_OPEN - len(own)]), key=lambda turn: turn.start_ps))
            count += len(outside)
        servers = self._servers()
        flows = sum(server.flows for server in servers)
        return Gauges(now_ps, self.number, count, oldest, servers, flows, faults)

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

    def _open(self, now_ps: int) -> tuple[tuple[OpenTurn, ...], int]:
        """The turns open longest, and how many are open."""
        columns, work = self.engine.sessions(), self._turns.workload
        network = self.pipeline.core.network_ps
        session = np.flatnonzero(
            (columns.request < columns.request_end) & (columns.is_active | (columns.arrive_ps >= 0))
        )
        session = session[(session < self._outside.start) | (session >= self._outside.stop)]
        request = columns.request[session]
        turn = work.turn[request]
        active, first = columns.is_active[session], self._turns.is_first[request]
        sent = columns.arrive_ps[session] - network
        start = np.where(active & first, 0, sent - self._turns.before_ps[turn])
        begun = np.flatnonzero(active | ~first)
        start[begun] = (
            self.engine.results(self._turns.first[turn[begun]]).arrival_ps - self._turns.before_ps[turn[begun]]
        )
        is_open = np.flatnonzero(active | ~first | ((self._turns.before_ps[turn] > 0) & (start <= now_ps)))
        oldest = is_open[np.argsort(start[is_open], kind="stable")[:MOST_OPEN]]
        taken = self._taken(turn[oldest], request[oldest] + active[oldest])
        found = []
        for place, past in zip(oldest.tolist(), taken, strict=True):
            one = int(session[place]), int(turn[place]), int(start[place])
            if active[place]:
                stage, since = open_stage(int(columns.stage[session[place]])), int(columns.mark_ps[session[place]])
            elif first[place]:
                stage, since = self._before(int(turn[place]), int(start[place]), now_ps)
            else:
                stage, since = TOOLS, -1
            found.append(self._open_turn(*one, stage, since, now_ps, past, is_active=bool(active[place])))
        return tuple(found), len(is_open)

    def _taken(self, turns: Int64, ends: Int64) -> list[_Taken | None]:
        """What each turn's requests before `ends` have taken; None: there are none. One look for all: it is dear."""
        first = self._turns.first[turns]
        lengths = ends - first
        results = self.engine.results(np.repeat(first, lengths) + ranks(lengths))
        places = offsets(lengths)
        sums = np.zeros((len(STAGES), len(results.arrival_ps) + 1), np.int64)
        np.cumsum(np.stack([results.stages[name] for name in STAGES]), axis=1, out=sums[:, 1:])
        stages = (sums[:, places[1:]] - sums[:, places[:-1]]).T.tolist()
        network = self.pipeline.core.network_ps
        found: list[_Taken | None] = []
        for own, begin, end in zip(stages, places[:-1].tolist(), places[1:].tolist(), strict=True):
            if begin == end:
                found.append(None)
                continue
            tools = int((results.arrival_ps[begin + 1 : end] - results.finish_ps[begin : end - 1] - network).sum())
            found.append(_Taken(own, tools, int(results.finish_ps[end - 1]) + network))
        return found

    def _before(self, turn: int, start_ps: int, now_ps: int) -> tuple[str, int]:
        """The stage, of those before the first request, that a turn is in, and since when."""
        since = start_ps
        names = list(self._turns.workload.before_ps)
        for name in names:
            length = int(self._turns.workload.before_ps[name][turn])
            if now_ps < since + length or name == names[-1]:
                return name, since
            since += length
        raise AssertionError("a turn without stages before its request is not open before it")

    def _open_turn(
        self,
        session: int,
        turn: int,
        start_ps: int,
        stage: str,
        since_ps: int,
        now_ps: int,
        taken: _Taken | None,
        *,
        is_active: bool,
    ) -> OpenTurn:
        work, network = self._turns.workload, self.pipeline.core.network_ps
        spent = dict.fromkeys(self.stages, 0)
        for name, column in work.before_ps.items():
            spent[name] = int(column[turn])
        if taken is not None:
            spent.update(zip(STAGES, taken.stages_ps, strict=True))
            spent[TOOLS] = taken.tools_ps
            if is_active:
                spent["network"] -= network  # the way back is still to come
            if not is_active:
                since_ps = taken.end_ps
                if since_ps > now_ps:  # the reply is on its way to the client
                    stage, since_ps = "network", since_ps - network
                    spent["network"] -= network
        if not is_active and stage in work.before_ps:
            names = list(work.before_ps)
            for name in names[names.index(stage) :]:
                spent[name] = 0
        since_ps = min(since_ps, now_ps)
        return OpenTurn(
            turn,
            session,
            int(self._turns.index[turn]),
            int(self._turns.kind[turn]),
            start_ps,
            self.stages.index(stage),
            since_ps,
            tuple(spent.values()),
        )


def _pools(pipeline: BuiltPipeline) -> list[Pool]:
    """The pool of each server."""
    core = pipeline.core
    return [pool for pool in (core.entry, core.decode, core.fallback) if pool for _ in range(pool.num_servers)]
