"""What the last events did to the turns: each lane and agent kind before an event and since.

Turns that ended before the event, at most `BEFORE_S` and not before the event in front of it, are what was before;
those that end within `WATCH_S` from it on are what is since, whenever they began; on a lane that the next event strikes
only up to that. Every turn is looked at once when it comes, and those that came before an event once more when it
begins; a frame never looks at turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from subsecond.engine.feed import FaultNote, Hello, Scheduled
from subsecond.engine.turns import TurnState
from subsecond.tui.events import Event, Events, Turned
from subsecond.tui.recovery import Known, RecoverySoFar, RecoveryTracker
from subsecond.tui.stats import Points, SeriesBuilder
from subsecond.tui.tally import Tallied, Tally, took_ps
from subsecond.tui.turnlog import Field, TurnTable

__all__ = ["BEFORE_S", "WATCH_S", "Effect", "Effects", "FormerRun", "KindEffect"]

PS_PER_S = 10**12
#: Seconds of virtual time that are looked at before an event at most, and after it.
BEFORE_S, WATCH_S = 180, 1200
#: Seconds before the event that its line shows.
LEAD_S = 30


@dataclass(frozen=True, slots=True, eq=False)
class KindEffect:
    """Turns of one agent kind on one lane.

    Attributes:
        under_way: turns of `since` that had begun when the event did.
        waiting: turns that are open and count once they end.
        worst_ps: the longest wait since, of turns under way, too.
        before_line, since_line: second by second of virtual time; the second begins `LEAD_S` before the event.
    """

    before: Tallied
    since: Tallied
    under_way: int
    waiting: int
    worst_ps: int
    recovery: RecoverySoFar
    before_line: Points
    since_line: Points


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """An event and what it did.

    Attributes:
        against: the event whose time before is compared with; the event itself, or the first that is remembered.
        from_ps, to_ps: begin and end of that time.
        since_ps: up to when turns are counted.
        last_ps: when the last of its faults begins, those that are to come included.
        others: events between `against` and the event.
        cuts_ps: by lane, when the next event struck it, up to which its turns are counted; None: none has in time.
        kinds: by lane and agent kind.
    """

    event: Event
    against: Event
    from_ps: int
    to_ps: int
    since_ps: int
    last_ps: int
    others: int
    cuts_ps: tuple[int | None, ...]
    kinds: tuple[tuple[KindEffect, ...], ...]


class _Kind:
    """One event, lane and agent kind, up to `until_ps`."""

    def __init__(self, at_ps: int, from_ps: int, until_ps: int, budget: int | None) -> None:
        self._from_ps, self._at_ps, self._until_ps = from_ps, at_ps, until_ps
        self.before, self.since = Tally(budget), Tally(budget)
        self.under_way = self._cut_worst_ps = self._last_ps = 0
        self.recovery = RecoveryTracker(from_ps, at_ps, until_ps - at_ps)

    def add(self, table: TurnTable, *, is_later: bool) -> None:
        """Turns that have ended; `is_later`: all of them since the event, as most are."""
        end, at, until = table.end_ps, self._at_ps, self._until_ps
        self._last_ps = max(self._last_ps, int(end.max(initial=0)))
        if not is_later:
            earlier = table.where((end < at) & (end >= self._from_ps))
            if len(earlier):
                self.before.add(earlier)
                self.recovery.add_before(earlier.of(Field.START_PS), took_ps(earlier))
        since = table.where((end >= at) & (end < until))
        if len(since):
            self.since.add(since)
            start = since.of(Field.START_PS)
            counts = since.of(Field.STATE) != TurnState.CANCELLED
            self.under_way += int(np.count_nonzero(counts & (start < at)))
            self.recovery.add(start, took_ps(since), since.end_ps)
        start = table.of(Field.START_PS)
        later = start[(end >= until) & (start < until)]
        if len(later):  # what they had waited by then is known; how long it was in the end is of the next event, too
            self._cut_worst_ps = max(self._cut_worst_ps, int(until - later.min()))
            self.recovery.add(later, until - later, np.full(len(later), until))

    def cut(self, until_ps: int) -> bool:
        """Count turns up to then; gives whether that can be: False if later ones have been counted."""
        if self._last_ps >= until_ps:
            return False
        self._until_ps = until_ps
        self.recovery.cut(until_ps - self._at_ps)
        return True

    def effect(
        self,
        before: Tallied,
        before_line: Points,
        since_line: Points,
        waits_ps: int,
        waiting: int,
        recovery: RecoverySoFar,
    ) -> KindEffect:
        """What has come of it; `waits_ps`: how long the turn waits that is open longest of `waiting`."""
        since = self.since.tallied()
        worst = max(since.worst_ps, self._cut_worst_ps, waits_ps)
        return KindEffect(before, since, self.under_way, waiting, worst, recovery, before_line, since_line)


@dataclass(frozen=True, slots=True, eq=False)
class FormerRun:
    """The run before this one, which began anew: the last turns of each lane, and its series, up to its end."""

    logs: Sequence[TurnTable]
    lines: Sequence[Sequence[SeriesBuilder]]
    end_ps: int


class _Watched:
    """One event on all lanes.

    Attributes:
        former: by lane, turns of another run that are what was before; empty: they are of this one.
        before_lines: by lane and kind, if what was before is of another run.
        cuts_ps: by lane, when the next event struck it.
    """

    before_lines: Sequence[Sequence[Points]] | None = None

    def __init__(
        self,
        event: Event,
        from_ps: int,
        budgets: Sequence[int | None],
        logs: Sequence[TurnTable],
        former: Sequence[TurnTable] = (),
    ) -> None:
        self.number, self.at_ps, self.from_ps = event.number, event.at_ps, from_ps
        self._budgets, self._former = budgets, former
        self.cuts_ps: list[int | None] = [None] * len(logs)
        self.kinds = [self._kinds(lane, log) for lane, log in enumerate(logs)]

    @property
    def end_ps(self) -> int:
        """When nobody looks any more."""
        return self.at_ps + WATCH_S * PS_PER_S

    def cut(self, lane: int, cut_ps: int | None, log: TurnTable) -> None:
        """The next event strikes a lane: what was counted from then on is not this event's."""
        if cut_ps is not None and cut_ps < self.end_ps and cut_ps != self.cuts_ps[lane]:
            self.cuts_ps[lane] = cut_ps
            if not all(track.cut(cut_ps) for track in self.kinds[lane]):
                self.kinds[lane] = self._kinds(lane, log)

    def _kinds(self, lane: int, log: TurnTable) -> list[_Kind]:
        """Every agent kind of a lane, with the turns that have ended."""
        cut = self.cuts_ps[lane]
        until = self.end_ps if cut is None else cut
        kinds = [_Kind(self.at_ps, self.from_ps, until, budget) for budget in self._budgets]
        for table in (*self._former[lane : lane + 1], log):
            recent = table.where(table.end_ps >= self.from_ps)
            agent = recent.of(Field.AGENT)
            for kind, track in enumerate(kinds):
                track.add(recent.where(agent == kind), is_later=False)
        return kinds


class Effects:
    """The events of one run, and what they did."""

    def __init__(self, hello: Hello) -> None:
        self._budgets = [
            next((place for place, budget in enumerate(hello.budgets) if budget.agents == kind), None)
            for kind in hello.agents
        ]
        self._num_lanes = len(hello.lanes)
        self._events = Events()
        self._watched: list[_Watched] = []

    @property
    def events(self) -> tuple[Event, ...]:
        """Those that are remembered, the latest last."""
        return self._events.all

    def add_fault(self, fault: FaultNote) -> Event | None:
        """Take a fault; gives an event that begins with it, which wants to see the turns so far (`begin`)."""
        return self._events.add_fault(fault)

    def add_turned(self, at_ps: int, turned: Turned) -> Event:
        """Take a parameter that was turned; the event wants to see the turns so far."""
        return self._events.add_turned(at_ps, turned)

    def begin(self, event: Event, logs: Sequence[TurnTable]) -> None:
        """An event begins; `logs`: the turns of each lane that have ended."""
        last = max((watched.at_ps for watched in self._watched if watched.at_ps <= event.at_ps), default=0)
        from_ps = min(event.at_ps, max(last, event.at_ps - BEFORE_S * PS_PER_S, 0))
        watched = _Watched(event, from_ps, self._budgets, logs)
        known = {event.number for event in self.events}
        self._watched = [one for one in [*self._watched, watched] if one.number in known]

    def cut(self, logs: Sequence[TurnTable]) -> None:
        """What is counted for an event ends on a lane where the next one strikes it, be it told late or of a drill that
        has come to the lane."""
        by_number = {event.number: event for event in self.events}
        for watched in self._watched:
            for lane, log in enumerate(logs):
                watched.cut(lane, self._events.next_ps(by_number[watched.number], lane), log)

    def begin_anew(self, turned: Turned, former: FormerRun, logs: Sequence[TurnTable]) -> None:
        """The run began anew with a parameter: what was before is the end of the run before it."""
        event = self._events.add_turned(0, turned, is_restart=True)
        length_ps = min(former.end_ps, BEFORE_S * PS_PER_S)
        moved = [_moved(log.where(log.end_ps >= former.end_ps - length_ps), -former.end_ps) for log in former.logs]
        watched = _Watched(event, -length_ps, self._budgets, logs, moved)
        end_s = former.end_ps // PS_PER_S
        begin_s = end_s - length_ps // PS_PER_S
        watched.before_lines = [[line.points(begin_s, end_s) for line in kinds] for kinds in former.lines]
        self._watched = [*self._watched, watched]

    def add_turns(self, lane: int, kind: int, table: TurnTable) -> None:
        """Turns of a kind that have ended on a lane."""
        if not self._watched:
            return
        end = table.end_ps
        first, last = int(end.min()), int(end.max())
        for watched in self._watched:
            if first < watched.end_ps and last >= watched.from_ps:
                watched.kinds[lane][kind].add(table, is_later=first >= watched.at_ps)

    def view(
        self,
        number: int | None,
        now_ps: int,
        lines: Sequence[Sequence[SeriesBuilder]],
        known: Sequence[Sequence[Known]],
        coming: Sequence[Scheduled] = (),
        *,
        is_first: bool = False,
    ) -> Effect | None:
        """What an event did by now; None: there is no such event.

        Args:
            lines, known: of each lane and agent kind.
            coming: faults of drills that are to come.
            is_first: compare with what was before the first event that is remembered.
        """
        place = next((i for i, event in enumerate(self.events) if event.number == number), None)
        if place is None:
            return None
        by_number = {watched.number: watched for watched in self._watched}
        event = self.events[place]
        against = self.events[0] if is_first else event
        watched, base = by_number[event.number], by_number[against.number]
        own = [fault.at_ps for fault in coming if event.drill and fault.drill == event.drill]
        last_ps = max([event.last_ps, *own])
        end_ps = min(now_ps, watched.end_ps)
        kinds = []
        for lane, cut_ps in enumerate(watched.cuts_ps):
            lane_ps = end_ps if cut_ps is None else min(end_ps, cut_ps)
            found = []
            for kind, track in enumerate(watched.kinds[lane]):
                line, told = lines[lane][kind], _up_to(known[lane][kind], cut_ps)
                known_lines = base.before_lines
                was = known_lines[lane][kind] if known_lines else line.points(*_seconds(base.from_ps, base.at_ps))
                since = line.points(event.at_ps // PS_PER_S - LEAD_S, lane_ps // PS_PER_S)
                waits = lane_ps - told.open_ps[0] if told.open_ps and now_ps == end_ps else 0
                before = base.kinds[lane][kind].before.tallied()
                recovery = track.recovery.look(told, last_ps, event.until_ps)
                found.append(track.effect(before, was, since, waits, len(told.open_ps), recovery))
            kinds.append(tuple(found))
        others, cuts = 0 if against is event else place, tuple(watched.cuts_ps)
        since_ps = end_ps if None in cuts else min(end_ps, max(cut for cut in cuts if cut is not None))
        return Effect(event, against, base.from_ps, base.at_ps, since_ps, last_ps, others, cuts, tuple(kinds))


def _up_to(known: Known, cut_ps: int | None) -> Known:
    """What was known of turns that began before the next event."""
    if cut_ps is None:
        return known
    began = tuple(start for start in known.open_ps if start < cut_ps)
    return Known(min(known.at_ps, cut_ps), began, min(known.open_to_ps, cut_ps))


def _moved(log: TurnTable, by_ps: int) -> TurnTable:
    """The same turns at another time."""
    columns = log.columns.copy()
    columns[Field.START_PS] += by_ps
    return TurnTable(log.lane, columns, log.num_stages)


def _seconds(from_ps: int, to_ps: int) -> tuple[int, int]:
    return from_ps // PS_PER_S, to_ps // PS_PER_S
