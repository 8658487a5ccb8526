"""What the screens show: one frozen picture of a run at a moment."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.feed import (
    BudgetInfo,
    Clock,
    FaultNote,
    Gauges,
    Hello,
    LaneInfo,
    Load,
    Notice,
    OpenTurn,
    Scheduled,
    TurnEnd,
)
from subsecond.tui.effects import Effect
from subsecond.tui.events import Event
from subsecond.tui.open_turns import OpenTurns
from subsecond.tui.outside import AgentTable
from subsecond.tui.stats import Series, Stats
from subsecond.tui.turnlog import TurnTable
from subsecond.tui.work import LaneWork

__all__ = ["GaugeSeries", "LaneView", "PairView", "SessionTable", "Snapshot"]

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class SessionTable:
    """Sessions of a lane, [num_sessions], by their number; `turns` is 0 for those without an ended turn.

    Attributes:
        agent: place of its kind in `Hello.agents`; -1: none of its turns has ended.
        missed: turns that missed a budget of their kind or failed.
        sum_ps, worst_ps, last_ps: latency of its answered turns: in all, the longest, the latest.
        worst_turn: number of the turn that took `worst_ps`.
        last_end_ps: when its latest turn ended.
    """

    agent: Int64
    turns: Int64
    answered: Int64
    missed: Int64
    sum_ps: Int64
    worst_ps: Int64
    worst_turn: Int64
    last_ps: Int64
    last_end_ps: Int64

    def __len__(self) -> int:
        return len(self.turns)


@dataclass(frozen=True, slots=True, eq=False)
class GaugeSeries:
    """A lane's servers second by second of virtual time, [points, servers]; `seconds` is [points].

    Attributes:
        busy: share of the second for which a server computed; -1: not known.
        link: share of the rate of the link into it that was in use in the second; -1: not known, or it has none.
        prefill_tokens, hit_tokens: tokens of prompts computed, and found in its prefix cache, since the run began.
    """

    seconds: Int64
    queued: Int64
    batch: Int64
    used_tokens: Int64
    busy: NDArray[np.float64]
    link: NDArray[np.float64]
    prefill_tokens: Int64
    hit_tokens: Int64

    def hit_share(self, server: int, window_s: int | None = None) -> float | None:
        """Share of a server's prompt tokens that its prefix cache had; None: it has read no prompt.

        Args:
            window_s: how far to look back; None: over the run.
        """
        if not len(self.seconds):
            return None
        hits, computed = int(self.hit_tokens[-1, server]), int(self.prefill_tokens[-1, server])
        if window_s is not None:
            since = int(np.searchsorted(self.seconds, self.seconds[-1] - window_s))
            hits -= int(self.hit_tokens[since, server])
            computed -= int(self.prefill_tokens[since, server])
        if hits < 0 or computed < 0 or not hits + computed:
            return None
        return hits / (hits + computed)


@dataclass(frozen=True, slots=True, eq=False)
class LaneView:
    """One pipeline.

    Attributes:
        now: by agent kind, over the window.
        whole: by agent kind, over the run.
        series: by agent kind.
        gauges: the latest; None: there is none.
        open: turns under way; None: nothing is known of them.
        log: the last turns that ended.
        works: what all its turns came to, by what makes a turn one in time: see `work.num_bases`.
    """

    info: LaneInfo
    now: tuple[Stats, ...]
    whole: tuple[Stats, ...]
    series: tuple[Series, ...]
    gauges: Gauges | None
    open: OpenTurns | None
    servers: GaugeSeries
    sessions: SessionTable
    log: TurnTable
    works: tuple[LaneWork, ...]


@dataclass(frozen=True, slots=True)
class PairView:
    """Two lanes on the same turns of one agent kind.

    Attributes:
        first, second: lanes.
        wins: turns that each answered sooner, or alone.
        ties: answered by both in the same time.
        lead_ps: median of the second's latency less the first's, of the latest pairs; None: no turn was answered by
            both. Above 0: the first is ahead.
    """

    first: int
    second: int
    agent: int
    wins: tuple[int, int]
    ties: int
    lead_ps: int | None

    @property
    def turns(self) -> int:
        """Turns compared."""
        return sum(self.wins) + self.ties


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A run at a moment.

    Attributes:
        at_ps: virtual time.
        window_ps: length of the window of `LaneView.now`.
        pairs: every two lanes, by agent kind.
        faults: those that have begun, the latest last.
        mended: those of them whose end was moved, as of faults that somebody mended.
        notices: the latest last.
        agents: those from outside.
        events: what may have changed how the run goes, the latest last.
        effect: what the event that is looked at did; None: none is looked at.
    """

    hello: Hello
    at_ps: int
    window_ps: int
    clock: Clock | None
    load: Load | None
    lanes: tuple[LaneView, ...]
    pairs: tuple[PairView, ...]
    faults: tuple[FaultNote, ...]
    notices: tuple[Notice, ...]
    mended: tuple[FaultNote, ...] = ()
    agents: AgentTable = field(default_factory=AgentTable)
    events: tuple[Event, ...] = ()
    effect: Effect | None = None

    def is_in_effect(self, fault: FaultNote) -> bool:
        """Whether a fault has not ended; those that are to begin are not told."""
        return fault.until_ps is None or self.at_ps < fault.until_ps

    @property
    def scheduled(self) -> list[tuple[int, Scheduled]]:
        """Faults of drills that are to come, with the places of their lanes, by time."""
        found = [
            (lane, fault)
            for lane, view in enumerate(self.lanes)
            for fault in (() if view.gauges is None else view.gauges.scheduled)
        ]
        return sorted(found, key=lambda one: one[1].at_ps)

    @property
    def drills(self) -> tuple[str, ...]:
        """Names of the drills under way."""
        active = [fault.drill for fault in self.faults if self.is_in_effect(fault)]
        return tuple(dict.fromkeys(name for name in (*active, *(f.drill for _, f in self.scheduled)) if name))

    @property
    def has_turns(self) -> bool:
        """Whether a turn has ended on any lane."""
        return any(len(lane.log) for lane in self.lanes)

    def budgets_of(self, agent: int) -> list[tuple[int, BudgetInfo]]:
        """The budgets of an agent kind with their places."""
        kind = self.hello.agents[agent]
        return [(place, budget) for place, budget in enumerate(self.hello.budgets) if budget.agents == kind]

    def limit_ps(self, agent: int) -> int | None:
        """The strictest limit on a turn of an agent kind; None: its turns have none."""
        limits = [budget.turn_ps for _, budget in self.budgets_of(agent) if budget.turn_ps is not None]
        return min(limits, default=None)

    def ended(self, turn: int) -> tuple[TurnEnd | None, ...]:
        """A turn on every lane; None where it has not ended, or ended too long ago."""
        return tuple(lane.log.find(turn) for lane in self.lanes)

    def open(self, turn: int) -> tuple[OpenTurn | None, ...]:
        """A turn on every lane where it is under way; None elsewhere."""
        return tuple(_open(lane.open, turn) for lane in self.lanes)


def _open(turns: OpenTurns | None, turn: int) -> OpenTurn | None:
    if turns is None:
        return None
    return next((one for one in turns.oldest if one.turn == turn), None)
