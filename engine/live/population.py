"""Which sessions of each agent kind are at work on each lane, and when more begin.

Sessions that are not scheduled are a reserve. Of a kind, either so many are kept at work as are wanted, lane by lane
as sessions end, or they begin at a rate, at the same times on all lanes, so that turns still pair up.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.core.config import NOT_SCHEDULED
from subsecond.engine.feed import Notice
from subsecond.engine.run import Plan
from subsecond.engine.script import SessionNote
from subsecond.engine.workload.distributions import Table, exponential, stream

from .lane import LiveLane

__all__ = ["Population"]

Int64 = NDArray[np.int64]

PS_PER_S = 10**12


class Population:
    """Sessions at work. Call `note` after every look at a lane: it knows of ends from there."""

    def __init__(self, plan: Plan, lanes: Sequence[LiveLane]) -> None:
        work = plan.workload
        self._lanes = lanes
        self._kinds = [_Kind(plan, kind, len(lanes)) for kind in range(len(work.kinds))]
        #: By session its kind; -1: one that begins with its parent, or is there for agents from outside.
        self._kind_of = np.where(work.session_parent_request < 0, work.session_kind, -1)
        self._kind_of[plan.outside.start : plan.outside.stop] = -1
        self._is_over = [np.zeros(work.num_sessions, np.bool_) for _ in lanes]
        self._notices: list[Notice] = []
        self._script: list[SessionNote] = []

    @property
    def wanted(self) -> tuple[int, ...]:
        """Sessions to be kept at work, by kind; 0 for a kind that has a rate."""
        return tuple(kind.wanted for kind in self._kinds)

    @property
    def arrivals_per_s(self) -> tuple[float, ...]:
        """Rate at which sessions begin, by kind; 0 for a kind of which so many are kept at work as are wanted."""
        return tuple(kind.rate_per_s for kind in self._kinds)

    def most(self, kind: int) -> int:
        """Sessions of a kind that there are in all."""
        return len(self._kinds[kind].sessions)

    def at_work(self, lane: int) -> tuple[int, ...]:
        """Sessions at work or scheduled, by kind."""
        return tuple(kind.at_work[lane] for kind in self._kinds)

    def take_notices(self) -> list[Notice]:
        """What a person should read, each of them once."""
        taken, self._notices = self._notices, []
        return taken

    def take_script(self) -> list[SessionNote]:
        """Sessions that have begun or been retired since the last call."""
        taken, self._script = self._script, []
        return taken

    def note(self, lane: LiveLane) -> None:
        """Take note of the sessions that have ended until the last look at a lane."""
        moved, columns = lane.moved, lane.columns
        self._end(lane.number, moved[columns.request[moved] >= columns.request_end[moved]])

    def _end(self, lane: int, sessions: Int64) -> None:
        is_over = self._is_over[lane]
        for session in sessions[~is_over[sessions] & (self._kind_of[sessions] >= 0)].tolist():
            is_over[session] = True
            self._kinds[self._kind_of[session]].at_work[lane] -= 1

    def refill(self, lane: LiveLane, now_ps: int) -> None:
        """Let as many sessions begin on a lane as are missing."""
        for kind in self._kinds:
            missing = kind.wanted - kind.at_work[lane.number]
            for session in kind.take(lane.number, missing):
                self._begin(lane, session, max(now_ps, lane.engine.now_ps) + 1)
            if missing > 0 and kind.at_work[lane.number] < kind.wanted:
                self._say_used_up(kind)

    def _begin(self, lane: LiveLane, session: int, at_ps: int) -> None:
        lane.engine.start_session(session, at_ps)
        self._script.append(SessionNote(at_ps, lane.number, session))

    def keep(self, kind: int, sessions: int) -> None:
        """Keep so many sessions of a kind at work; of too many, those that came last end with their present request."""
        own = self._kinds[kind]
        own.wanted, own.rate_per_s, own.next_ps = sessions, 0.0, None
        own.is_told = False
        for lane in self._lanes:
            is_over = self._is_over[lane.number]
            at_work = own.begun(lane.number)
            at_work = at_work[~is_over[at_work]]
            for session in at_work[sessions:].tolist():
                lane.engine.retire(session)
                self._script.append(SessionNote(lane.engine.reached_ps, lane.number, session, is_retired=True))
            columns = lane.engine.sessions()
            retired = at_work[sessions:]
            self._end(lane.number, retired[columns.request[retired] >= columns.request_end[retired]])

    def arrive(self, kind: int, rate_per_s: float, now_ps: int) -> None:
        """Let sessions of a kind begin as a Poisson process from now on; those at work go on to their end."""
        own = self._kinds[kind]
        own.wanted, own.rate_per_s, own.is_told = 0, rate_per_s, False
        own.next_ps = None
        own.pair_up()
        if rate_per_s > 0:
            own.next_ps = now_ps + own.gap_ps()

    def next_ps(self) -> int | None:
        """When the next session begins by its kind's rate."""
        return min((kind.next_ps for kind in self._kinds if kind.next_ps is not None), default=None)

    def begin_due(self, until_ps: int) -> None:
        """Let sessions begin that do so by a rate up to a time, on every lane."""
        for kind in self._kinds:
            while kind.next_ps is not None and kind.next_ps <= until_ps:
                at = kind.next_ps
                begun = [(lane, session) for lane in self._lanes for session in kind.take(lane.number, 1)]
                for lane, session in begun:
                    self._begin(lane, session, at)
                kind.next_ps = at + kind.gap_ps() if begun else None
                if not begun:
                    self._say_used_up(kind)

    def _say_used_up(self, kind: _Kind) -> None:
        if not kind.is_told:
            kind.is_told = True
            text = f"all {len(kind.sessions)} sessions of {kind.name} agents have begun: no more come"
            self._notices.append(Notice("warning", text))


class _Kind:
    """The root sessions of one agent kind: those that begin by themselves, then the reserve in order."""

    def __init__(self, plan: Plan, kind: int, num_lanes: int) -> None:
        work = plan.workload
        self.name = work.kinds[kind]
        own = np.flatnonzero((work.session_parent_request < 0) & (work.session_kind == kind))
        self.sessions = own[~np.isin(own, plan.outside)]
        scheduled = int((work.session_start_ps[self.sessions] < NOT_SCHEDULED).sum())
        self.wanted = scheduled
        self.rate_per_s = 0.0
        self.next_ps: int | None = None
        self.at_work = [scheduled] * num_lanes
        self.is_told = False
        self._next = [scheduled] * num_lanes
        self._has_begun = np.zeros((num_lanes, len(self.sessions)), np.bool_)
        self._has_begun[:, :scheduled] = True
        self._generator = stream(plan.scenario.seed + kind * 1_000_003, "live.arrivals")

    def begun(self, lane: int) -> Int64:
        """Sessions that have begun on a lane, or are scheduled, in order."""
        begun: Int64 = self.sessions[self._has_begun[lane]]
        return begun

    def take(self, lane: int, count: int) -> list[int]:
        """The next sessions of the reserve, at most so many, which begin on a lane."""
        begin = self._next[lane]
        end = max(begin, min(begin + count, len(self.sessions)))
        self._next[lane] = end
        self._has_begun[lane, begin:end] = True
        self.at_work[lane] += end - begin
        return self.sessions[begin:end].tolist()  # type: ignore[no-any-return]  # a list of ints

    def pair_up(self) -> None:
        """Let the lanes go on with the same session: what some have begun does not begin on the others any more."""
        self._next = [max(self._next)] * len(self._next)

    def gap_ps(self) -> int:
        """Time to the next arrival, >= 1."""
        return max(1, round(int(_gap_at_one_per_s().draw(self._generator, 1)[0]) / self.rate_per_s))


@cache
def _gap_at_one_per_s() -> Table:
    return exponential(PS_PER_S)
