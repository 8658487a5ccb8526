"""Drives the lanes of a run at the pace of a clock: one timer for the next core event, commands in between."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.core.config import MAX_PS, NOT_SCHEDULED, FaultKind, StepCost
from subsecond.engine.errors import InputError
from subsecond.engine.faults import Spell, spells_of
from subsecond.engine.feed import Clock, FaultNote, Gauges, Hello, Load, TurnEnd
from subsecond.engine.hello import hello_of
from subsecond.engine.latency.knobs import differ_in_step_times_alone
from subsecond.engine.latency.pipelines import BuiltPipeline
from subsecond.engine.run import Plan
from subsecond.engine.scenario import FaultTable

from .clock import PacedClock
from .faultboard import FaultBoard
from .lane import LiveLane
from .outside import OutsideAgents
from .turnmap import turn_map

__all__ = ["LiveDriver"]

PS_PER_S = 10**12
#: Seconds between two looks at the core at least; asyncio's timers are no finer.
LEAST_S = 0.001
#: Seconds after which the driver looks even if no event is due, so that a far event and a late clock do no harm.
MOST_S = 0.25


class LiveDriver:
    """The lanes of a plan, advanced together.

    Sessions of the workload that are not scheduled are a reserve: they replace sessions that end, lane by lane and in
    order, so that each agent kind keeps as many at work as are wanted.

    Args:
        keep_population: replace sessions that end.
    """

    def __init__(
        self, plan: Plan, clock: PacedClock, *, compiled: bool | None = None, keep_population: bool = True
    ) -> None:
        self.plan = plan
        self.clock = clock
        turns = turn_map(plan.workload)
        self.lanes = [
            LiveLane(
                number,
                name,
                built,
                turns,
                plan.budgets,
                outside=plan.outside,
                seed=plan.scenario.seed,
                compiled=compiled,
            )
            for number, (name, built) in enumerate(plan.pipelines.items())
        ]
        duration_s = plan.scenario.duration_s
        self._stop_ps = None if duration_s is None else round(duration_s * PS_PER_S)
        self._population = _Population(plan, len(self.lanes)) if keep_population else None
        self.outside = OutsideAgents(self.lanes, plan.workload, plan.outside)
        self._faults = FaultBoard(
            spells_of(plan.scenario.faults, {name: p.core for name, p in plan.pipelines.items()}, plan.scenario.where)
        )
        self._late_s: deque[float] = deque(maxlen=4096)
        self._wake = asyncio.Event()
        self.is_over = False

    def hello(self, run: str, recording: str) -> Hello:
        """The first message about this run."""
        return hello_of(replace(self.plan, pipelines={lane.name: lane.pipeline for lane in self.lanes}), run, recording)

    @property
    def now_ps(self) -> int:
        """Virtual time, not beyond the run's end."""
        now = self.clock.now_ps()
        return now if self._stop_ps is None else min(now, self._stop_ps)

    async def run(self) -> None:
        """Advance the lanes as events come due, until the run's duration is over or the task is cancelled."""
        loop = asyncio.get_running_loop()
        while not self.is_over:
            self.advance()
            self._wake.clear()
            timer = loop.call_later(self._wait_s(), self._wake.set)
            try:
                await self._wake.wait()
            finally:
                timer.cancel()

    def poke(self) -> None:
        """The clock or the lanes have been changed: look at them now."""
        self._wake.set()

    def catch_up(self) -> None:
        """Handle everything before the clock's present time; that this is late is nobody's fault."""
        self.advance()
        self._late_s.clear()

    def advance(self) -> None:
        """Handle everything that is due."""
        due = self._next_ps()
        now = self.now_ps
        if due is not None and due <= now and not self.clock.is_paused:
            self._late_s.append((now - due) / PS_PER_S / self.clock.speed)
        for lane in self.lanes:
            for fault in self._faults.take_due(lane.number, now):
                lane.engine.inject(fault)
            lane.engine.run_until(now)
        self.is_over = self._stop_ps is not None and now >= self._stop_ps

    def _next_ps(self) -> int | None:
        times = [self._faults.next_ps(), *(lane.engine.next_event_ps for lane in self.lanes)]
        return min((at for at in times if at is not None), default=None)

    def _wait_s(self) -> float:
        due = self._next_ps()
        if due is None or self.clock.is_paused:
            return MOST_S
        return min(max(self.clock.wall_of(due) - self.clock.wall_of(self.clock.now_ps()), LEAST_S), MOST_S)

    def turn_ends(self) -> list[TurnEnd]:
        """Turns that have ended since the last call, lane by lane; sessions that have ended are replaced."""
        if self._population is not None:
            for lane in self.lanes:
                self._population.refill(lane, self.now_ps)
            self.poke()
        return [*(turn for lane in self.lanes for turn in lane.ended()), *self.outside.turn_ends()]

    def gauges(self) -> list[Gauges]:
        """Every lane at this moment."""
        now = self.now_ps
        return [
            lane.gauges(now, self._faults.words(lane.number, now + 1), self.outside.open_turns(lane.number, now))
            for lane in self.lanes
        ]

    def begun_faults(self) -> list[FaultNote]:
        """Faults of the scenario that have begun since the last call."""
        return self._faults.take_begun(self.now_ps)

    def clock_message(self, wall_s: float) -> Clock:
        """The clock at this moment; `wall_s`: seconds since 1970."""
        late = np.array(self._late_s or [0.0]) * 1000
        p50, p99 = (float(np.quantile(late, q)) for q in (0.5, 0.99))
        return Clock(self.now_ps, wall_s, self.clock.speed, self.clock.is_paused, p50, p99)

    def load(self) -> Load:
        """Sessions at work on the first lane, and wanted, by agent kind."""
        if self._population is None:
            nothing = (0,) * len(self.plan.workload.kinds)
            return Load(self.now_ps, nothing, nothing)
        return Load(self.now_ps, self._population.at_work(self.lanes[0]), tuple(self._population.wanted))

    def set_load(self, agents: str, sessions: int) -> None:
        """Want another number of sessions of an agent kind at work.

        Raises:
            InputError: no such kind in this run, or more sessions than its reserve holds.
        """
        kinds = self.plan.workload.kinds
        if self._population is None or agents not in kinds:
            raise InputError("load", "agents", agents, "one of " + ", ".join(kinds))
        most = self._population.most[kinds.index(agents)]
        if not 0 <= sessions <= most:
            raise InputError("load", agents, sessions, f"a number from 0 to {most}")
        self._population.wanted[kinds.index(agents)] = sessions
        for lane in self.lanes:
            self._population.retire_surplus(lane)
        self.poke()

    def step(self, by_ps: int) -> None:
        """Let a paused run go on by `by_ps`, or to the next event (0).

        Raises:
            ValueError: the run is not paused.
        """
        due = self._next_ps()
        now = self.clock.now_ps()
        self.clock.step_to(now + by_ps if by_ps else max(now, due if due is not None else now))
        self.advance()

    def inject(self, table: FaultTable) -> list[FaultNote]:
        """Let a fault happen now; `table.at_s` is not read.

        Returns:
            One note for each lane that it strikes.

        Raises:
            InputError: there is no such fault, lane or part.
        """
        now = self.now_ps + 1
        pipelines = {lane.name: lane.pipeline.core for lane in self.lanes}
        found = spells_of([_at_zero(table)], pipelines, "fault")
        notes = [self._faults.add(lane.number, _later(spell, now)) for lane in self.lanes for spell in found[lane.name]]
        self.poke()
        return notes

    def mend(self, kind: str, target: int, lane: str | None = None) -> list[FaultNote]:
        """Let a fault in effect end now, on one lane or on all.

        Returns:
            The faults that have ended, with this as their end.

        Raises:
            InputError: there is no such lane, or no such fault is in effect there.
        """
        notes = self._faults.mend(kind, target, lane, self.now_ps + 1)
        self.poke()
        return notes

    def set_costs(self, name: str, pipeline: BuiltPipeline) -> bool:
        """Give a lane the step times of another build of its pipeline, from now on.

        Returns:
            False, and nothing is changed, if the two differ in more than step times.
        """
        lane = next(lane for lane in self.lanes if lane.name == name)
        if not differ_in_step_times_alone(lane.pipeline, pipeline):
            return False
        before = lane.step_costs()
        lane.pipeline = pipeline
        now = max(self.now_ps, lane.engine.now_ps) + 1
        core = pipeline.core
        after = [p.cost for p in (core.entry, core.decode, core.fallback) if p for _ in range(p.num_servers)]
        for server, (old, new) in enumerate(zip(before, after, strict=True)):
            if not _same_cost(old, new):
                lane.engine.set_step_cost(server, new, now)
        self.poke()
        return True


def _at_zero(table: FaultTable) -> FaultTable:
    """The same fault at time 0."""
    return FaultTable(table.kind, 0.0, table.duration_s, table.pipeline, table.target, table.value)


def _later(spell: Spell, by_ps: int) -> Spell:
    """The same fault at a later time; the value of a stall is its end.

    Raises:
        InputError: it would end beyond all times that the core can reckon with.
    """
    end = None if spell.end_ps is None else spell.end_ps + by_ps
    if end is not None and end > MAX_PS:
        raise InputError("fault", "duration_s", (end - by_ps) / PS_PER_S, "a shorter one, or none")
    value = spell.value + by_ps if spell.kind is FaultKind.STALL_UNTIL else spell.value
    return replace(spell, begin_ps=spell.begin_ps + by_ps, end_ps=end, value=value)


def _same_cost(a: StepCost, b: StepCost) -> bool:
    rest = (a.prefill_pair_ps, a.decode_unit_ps, a.kv_unit_ps) == (b.prefill_pair_ps, b.decode_unit_ps, b.kv_unit_ps)
    return rest and np.array_equal(a.compute_ps, b.compute_ps) and np.array_equal(a.memory_ps, b.memory_ps)


class _Population:
    """Which root sessions of a kind are at work, lane by lane."""

    def __init__(self, plan: Plan, num_lanes: int) -> None:
        work = plan.workload
        roots = np.flatnonzero(work.session_parent_request < 0)
        roots = roots[~np.isin(roots, plan.outside)]
        kinds = work.session_kind[roots]
        scheduled = work.session_start_ps[roots] < NOT_SCHEDULED
        self.roots = [roots[kinds == kind] for kind in range(len(work.kinds))]
        #: Sessions begun or to begin by themselves, then those of the reserve in order.
        self.begun = [[int(scheduled[kinds == kind].sum())] * num_lanes for kind in range(len(work.kinds))]
        self.wanted = [begun[0] for begun in self.begun]
        self.most = [len(own) for own in self.roots]

    def _is_over(self, lane: LiveLane, kind: int) -> NDArray[np.bool_]:
        columns = lane.engine.sessions()
        own = self.roots[kind][: self.begun[kind][lane.number]]
        over: NDArray[np.bool_] = (columns.request[own] >= columns.request_end[own]) & ~columns.is_active[own]
        return over

    def at_work(self, lane: LiveLane) -> tuple[int, ...]:
        """Sessions at work, by kind."""
        return tuple(int((~self._is_over(lane, kind)).sum()) for kind in range(len(self.roots)))

    def refill(self, lane: LiveLane, now_ps: int) -> None:
        """Start as many sessions as are missing."""
        for kind, at_work in enumerate(self.at_work(lane)):
            begun = self.begun[kind]
            missing = min(self.wanted[kind] - at_work, self.most[kind] - begun[lane.number])
            for _ in range(missing):
                at = max(now_ps, lane.engine.now_ps) + 1
                lane.engine.start_session(int(self.roots[kind][begun[lane.number]]), at)
                begun[lane.number] += 1

    def retire_surplus(self, lane: LiveLane) -> None:
        """Let the sessions that came last end with their present request until no more than wanted are left."""
        for kind, own in enumerate(self.roots):
            over = self._is_over(lane, kind)
            at_work = own[: len(over)][~over]
            surplus: Sequence[int] = at_work[self.wanted[kind] :].tolist()
            for session in surplus:
                lane.engine.retire(session)
