"""Drives the lanes of a run at the pace of a clock: one timer for the next core event, commands in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

from subsecond.engine.core.config import MAX_PS
from subsecond.engine.drills.catalog import Drill
from subsecond.engine.drills.striking import Strike, strike
from subsecond.engine.errors import InputError
from subsecond.engine.faults import spells_of
from subsecond.engine.feed import Clock, FaultNote, Gauges, Hello, Load, Message, Notice, TurnEnd
from subsecond.engine.hello import hello_of
from subsecond.engine.latency.knobs import changed_costs, differ_in_step_times_alone
from subsecond.engine.latency.pipelines import BuiltPipeline
from subsecond.engine.run import Plan
from subsecond.engine.scenario import FaultTable
from subsecond.engine.script import OutsideRequest, SessionNote

from .clock import PacedClock
from .faultboard import FaultBoard, at_zero, later
from .lane import LiveLane
from .lateness import Lateness
from .outside import OutsideAgents
from .population import Population
from .turnmap import turn_map

__all__ = ["LiveDriver"]

PS_PER_S = 10**12
#: End of a run that nobody ends: the core reckons with times up to `MAX_PS`, which comes after 13 days.
LAST_PS = MAX_PS - 1000 * PS_PER_S
#: Seconds between two looks at the core at least; asyncio's timers are no finer.
LEAST_S = 0.001
#: Seconds after which the driver looks even if no event is due, so that a far event and a late clock do no harm.
MOST_S = 0.25
#: Seconds by which events may be handled late before the clock waits.
MOST_LATE_S = 0.25
#: Least and most sessions of a kind that may begin in a virtual second, if any do.
ARRIVALS_PER_S = (1e-3, 1000.0)


class LiveDriver:
    """The lanes of a plan, advanced together.

    Sessions of the workload that are not scheduled are a reserve, from which more begin (`population`).

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
        self._stop_ps = LAST_PS if duration_s is None else min(round(duration_s * PS_PER_S), LAST_PS)
        self._population = Population(plan, self.lanes) if keep_population else None
        self.outside = OutsideAgents(self.lanes, plan.workload, plan.outside)
        self._faults = FaultBoard(
            spells_of(plan.scenario.faults, {name: p.core for name, p in plan.pipelines.items()}, plan.scenario.where)
        )
        self.lateness = Lateness()
        #: Virtual time up to which everything has been handled.
        self.reached_ps = 0
        self._waited_s = self._waited_before_s = 0.0
        self._told_speed = 0.0
        self._wake = asyncio.Event()
        self.is_over = False

    def hello(self, run: str, recording: str) -> Hello:
        """The first message about this run."""
        return hello_of(replace(self.plan, pipelines={lane.name: lane.pipeline for lane in self.lanes}), run, recording)

    @property
    def now_ps(self) -> int:
        """Virtual time, not beyond the run's end."""
        return min(self.clock.now_ps(), self._stop_ps)

    async def run(self) -> None:
        """Advance the lanes as events come due, until the run's duration is over or the task is cancelled."""
        loop = asyncio.get_running_loop()
        while not self.is_over:
            self.keep_up()
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
        self.lateness.clear()

    def advance(self) -> None:
        """Handle everything that is due."""
        self._advance(self._late_s())

    def _advance(self, late_s: float | None) -> None:
        now = self.now_ps
        if late_s is not None:
            self.lateness.add(late_s)
        self.reached_ps = max(self.reached_ps, now)
        if self._population is not None:
            self._population.begin_due(now)
        for lane in self.lanes:
            for fault in self._faults.take_due(lane.number, now):
                lane.engine.inject(fault)
            lane.engine.run_until(now)
        self.is_over = now >= self._stop_ps

    def keep_up(self) -> None:
        """Handle everything that is due; if that comes very late, let the clock wait.

        What has piled up would take long to handle, more would pile up meanwhile, and nobody could steer.
        """
        late_s = self._late_s()
        if late_s is not None and late_s > MOST_LATE_S:
            self.clock.wait_s(late_s - MOST_LATE_S)
            self._waited_s += late_s - MOST_LATE_S
        self._advance(late_s)

    def _late_s(self) -> float | None:
        """How late the next event is by now, wall time; None if none is due."""
        due, now = self._next_ps(), self.now_ps
        if due is None or due > now or self.clock.is_paused:
            return None
        return (now - max(due, self.reached_ps)) / PS_PER_S / self.clock.speed

    def _next_ps(self) -> int | None:
        arrival = None if self._population is None else self._population.next_ps()
        times = [arrival, self._faults.next_ps(), *(lane.engine.next_event_ps for lane in self.lanes)]
        return min((at for at in times if at is not None), default=None)

    def _wait_s(self) -> float:
        due = self._next_ps()
        if due is None or self.clock.is_paused:
            return MOST_S
        return min(max(self.clock.wall_of(due) - self.clock.wall_of(self.clock.now_ps()), LEAST_S), MOST_S)

    def look(self) -> Iterator[list[Message]]:
        """What there is to tell: turns that have ended since the last look, gauges, what has begun or run out.

        It comes in slices, lane by lane, and what is due in between is handled before each of them.
        """
        for lane in self.lanes:
            self.keep_up()
            yield list(self._ended(lane))
            self.keep_up()
            yield [self._gauges(lane)]
        yield [*self.outside.turn_ends(), *self.begun_faults(), *self._notices()]

    def _ended(self, lane: LiveLane) -> list[TurnEnd]:
        ended = lane.ended()
        if self._population is not None:
            self._population.note(lane)
            self._population.refill(lane, self.now_ps)
            self.poke()
        return ended

    def _notices(self) -> list[Notice]:
        found = [] if self._population is None else self._population.take_notices()
        if self._waited_s == self._waited_before_s:
            self._waited_s = 0.0  # what kept the clock waiting is over
        self._waited_before_s = self._waited_s
        if self._waited_s > 1.0 and self._told_speed != self.clock.speed:
            self._told_speed = self.clock.speed
            text = f"too much is going on for speed {self.clock.speed:g}: virtual time goes slower than that"
            found.append(Notice("warning", text))
        return found

    def turn_ends(self) -> list[TurnEnd]:
        """Turns that have ended since the last call, lane by lane; sessions that have ended are replaced."""
        return [*(turn for lane in self.lanes for turn in self._ended(lane)), *self.outside.turn_ends()]

    def take_script(self) -> list[SessionNote | OutsideRequest]:
        """What happened since the last call that a re-run needs beside the scenario."""
        sessions = [] if self._population is None else self._population.take_script()
        return [*sessions, *self.outside.take_script()]

    def gauges(self) -> list[Gauges]:
        """Every lane at this moment."""
        return [self._gauges(lane) for lane in self.lanes]

    def _gauges(self, lane: LiveLane) -> Gauges:
        now = self.reached_ps
        faults = self._faults.words(lane.number, now + 1)
        outside = self.outside.open_turns(lane.number, now)
        scheduled = self._faults.scheduled(lane.number, now + 1)
        return lane.gauges(now, faults, outside, self.outside.num_open_turns(lane.number), scheduled)

    def begun_faults(self) -> list[FaultNote]:
        """Faults of the scenario and of drills that have begun since the last call."""
        return self._faults.take_begun(self.now_ps)

    def clock_message(self, wall_s: float) -> Clock:
        """The clock at this moment; `wall_s`: seconds since 1970."""
        return Clock(self.reached_ps, wall_s, self.clock.speed, self.clock.is_paused, *self.lateness.quantiles_ms())

    def load(self) -> Load:
        """Sessions at work on the first lane, and how they come, by agent kind."""
        population = self._population
        if population is None:
            kinds = len(self.plan.workload.kinds)
            return Load(self.reached_ps, (0,) * kinds, (0,) * kinds, (0.0,) * kinds)
        return Load(self.reached_ps, population.at_work(0), population.wanted, population.arrivals_per_s)

    def set_load(self, agents: str, sessions: int | None = None, arrivals_per_s: float | None = None) -> None:
        """Want another number of sessions of an agent kind at work, or let them begin at a rate.

        Raises:
            InputError: no such kind in this run, not exactly one of the two, more sessions than there are, or a rate
                that is none.
        """
        kinds, population = self.plan.workload.kinds, self._population
        if population is None or agents not in kinds:
            raise InputError("load", "agents", agents, "one of " + ", ".join(kinds))
        kind = kinds.index(agents)
        if (sessions is None) == (arrivals_per_s is None):
            given = "neither" if sessions is None else "both"
            raise InputError("load", f"{agents}: sessions, arrivals_per_s", given, "exactly one of the two")
        if sessions is not None:
            if not 0 <= sessions <= population.most(kind):
                raise InputError("load", agents, sessions, f"a number from 0 to {population.most(kind)}")
            population.keep(kind, sessions)
        elif arrivals_per_s is not None:
            least, most = ARRIVALS_PER_S
            if arrivals_per_s != 0 and not least <= arrivals_per_s <= most:
                expected = f"0, or a rate from {least:g} to {most:g} per second"
                raise InputError("load", f"{agents}: arrivals_per_s", arrivals_per_s, expected)
            population.arrive(kind, arrivals_per_s, self.now_ps + 1)
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
        found = spells_of([at_zero(table)], pipelines, "fault")
        spells = [(lane.number, [later(spell, now) for spell in found[lane.name]]) for lane in self.lanes]
        notes = [note for number, own in spells for note in self._faults.add(number, own, now)]
        self.poke()
        return notes

    def hold(self, drill: Drill) -> tuple[list[FaultNote], dict[str, Strike]]:
        """Let all faults of a drill happen at their times, counted from now, or none of them.

        Returns:
            Those that begin now, and by lane what the drill does to it, times counted from its beginning.

        Raises:
            InputError: it is under way, strikes no lane, or cannot be.
        """
        now = self.now_ps + 1
        if self._faults.is_held(drill.name, now):
            raise InputError("drill", "name", drill.name, "a drill that is not under way: it ends first")
        strikes = strike(drill, {lane.name: lane.pipeline.core for lane in self.lanes}, 0.0, drill.name)
        if not any(found.spells for found in strikes.values()):
            why = "; ".join(f"{name}: {found.reason}" for name, found in strikes.items())
            raise InputError("drill", "name", drill.name, f"a drill that strikes a pipeline of this run ({why})")
        spells = {
            lane.number: [replace(later(spell, now), drill=drill.name) for spell in strikes[lane.name].spells]
            for lane in self.lanes
        }
        notes = [note for number, own in spells.items() for note in self._faults.add(number, own, now)]
        self.poke()
        return notes, strikes

    def end_drill(self, name: str) -> list[FaultNote]:
        """Let a drill end now: what is in effect of it ends, what is to come does not come.

        Returns:
            The faults that have ended, with this as their end.

        Raises:
            InputError: no such drill is under way.
        """
        notes = self._faults.end_drill(name, self.now_ps + 1)
        self.poke()
        return notes

    def mend(self, kind: str, target: int, lane: str | None = None) -> list[FaultNote]:
        """Let a fault in effect end now, on one lane or on all; if there is none, call off the next one of a drill.

        Returns:
            The faults that have ended, with this as their end.

        Raises:
            InputError: there is no such lane, or no such fault is in effect there.
        """
        notes = self._faults.mend(kind, target, lane, self.now_ps + 1)
        self.poke()
        return notes

    def set_costs(self, name: str, pipeline: BuiltPipeline) -> int | None:
        """Give a lane the step times of another build of its pipeline, from now on.

        Returns:
            From when on exactly, in ps; None, and nothing is changed, if the two differ in more than step times.
        """
        lane = next(lane for lane in self.lanes if lane.name == name)
        if not differ_in_step_times_alone(lane.pipeline, pipeline):
            return None
        now = max(self.now_ps, lane.engine.now_ps) + 1
        for server, cost in changed_costs(lane.pipeline, pipeline):
            lane.engine.set_step_cost(server, cost, now)
        lane.pipeline = pipeline
        self.poke()
        return now
