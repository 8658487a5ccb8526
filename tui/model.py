"""Turns the feed's messages into snapshots: constant work per message, bounded memory, no Textual."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.feed import (
    Clock,
    FaultNote,
    Gauges,
    Hello,
    Load,
    Message,
    Notice,
    OutsideAgent,
    Scheduled,
    ServerInfo,
    TurnEnd,
)
from subsecond.engine.feed_check import check
from subsecond.tui.duels import Duels
from subsecond.tui.effects import Effect, Effects, FormerRun
from subsecond.tui.events import Event, Turned
from subsecond.tui.knobs import changed_of, restart_with, with_change
from subsecond.tui.open_turns import OpenTurns
from subsecond.tui.outside import Agents
from subsecond.tui.recovery import Known, known_of
from subsecond.tui.session_stats import Sessions
from subsecond.tui.snapshot import GaugeSeries, LaneView, Snapshot
from subsecond.tui.stats import SeriesBuilder, Stats, WholeRun, stats_of
from subsecond.tui.turnlog import Field, TurnLog, TurnTable
from subsecond.tui.work import WorkBuilder

__all__ = ["Model"]

Int64 = NDArray[np.int64]
PS_PER_S = 10**12

#: Turns per lane that can be looked at one by one.
KEEP_TURNS = 16_384
#: Seconds of virtual time: the window of what is shown as now, the length of the charts.
WINDOW_S, CHART_S = 60, 120
#: Seconds of virtual time that the series of work goes back.
WORK_S = 300
#: Gauges, faults and notices that are remembered.
KEEP_SECONDS, KEEP_FAULTS, KEEP_NOTICES = 120, 64, 32


class Model:
    """The state of one run.

    Args:
        hello: the first message.
        window_s: seconds of virtual time that count as now.
        former: the run before it, which began anew; None: there is none.
    """

    def __init__(
        self, hello: Hello, *, window_s: int = WINDOW_S, keep_turns: int = KEEP_TURNS, former: Model | None = None
    ) -> None:
        self.hello = hello
        self._former = former.as_former(hello) if former is not None else None
        self._window_ps = window_s * PS_PER_S
        self._at_ps = 0
        self._clock: Clock | None = None
        self._load: Load | None = None
        self._faults: deque[FaultNote] = deque(maxlen=KEEP_FAULTS)
        #: Faults whose end was moved.
        self._mended: deque[FaultNote] = deque(maxlen=KEEP_FAULTS)
        self._notices: deque[Notice] = deque(maxlen=KEEP_NOTICES)
        #: Agents from outside.
        self.agents = Agents(hello)
        self._lanes = [_LaneModel(hello, lane, keep_turns, self._window_ps) for lane in range(len(hello.lanes))]
        self._effects = Effects(hello)
        for place, lane in enumerate(self._lanes):
            lane.told = partial(self._effects.add_turns, place)
        self._duels = [(pair, [Duels() for _ in hello.agents]) for pair in combinations(range(len(hello.lanes)), 2)]

    @property
    def at_ps(self) -> int:
        """Virtual time so far."""
        return self._at_ps

    @property
    def clock(self) -> Clock | None:
        """The latest; None: there is none."""
        return self._clock

    @property
    def notices(self) -> tuple[Notice, ...]:
        """The latest, the last one last."""
        return tuple(self._notices)

    def add(self, message: Message | OpenTurns) -> None:
        """Take a message.

        Raises:
            ValueError: it names a lane, an agent kind or a stage that the run does not have.
        """
        if not isinstance(message, OpenTurns):
            check(self.hello, message)
        match message:
            case TurnEnd():
                self._add_turn(message)
            case Gauges(lane=lane):
                self._lane(lane).add_gauges(message)
                self._at_ps = max(self._at_ps, message.at_ps)
            case OpenTurns(lane=lane):
                self._lane(lane).see_open(message)
                self._at_ps = max(self._at_ps, message.at_ps)
            case Clock():
                self._clock = message
                self._at_ps = max(self._at_ps, message.at_ps)
            case Load():
                self._load = message
            case FaultNote():
                self._add_fault(message)
            case OutsideAgent():
                self.agents.add(message)
            case Notice():
                self._notices.append(message)
                self._add_change(message)

    def _add_change(self, notice: Notice) -> None:
        """Keep the change of a parameter, if a notice tells of one."""
        infos = [lane.info for lane in self._lanes]
        anew, former = restart_with(infos, notice.text), self._former
        if anew is not None and former is not None:
            self._former = None
            self._effects.begin_anew(Turned(*anew), former, [lane.ended() for lane in self._lanes])
        change = with_change(infos, notice.text)
        if change is None:
            return
        place, info = change
        self._lanes[place].info = info
        key, value = changed_of(infos[place], info)
        at_ps = self._at_ps if notice.at_ps is None else notice.at_ps
        self._begin(self._effects.add_turned(at_ps, Turned(place, key, value)))

    def as_former(self, hello: Hello) -> FormerRun | None:
        """This run as what another is compared with; None: that has other lanes, agents or budgets."""
        mine, other = [
            ([lane.name for lane in one.lanes], one.agents, one.stages, one.budgets) for one in (self.hello, hello)
        ]
        if mine != other:
            return None
        return FormerRun([lane.ended() for lane in self._lanes], [lane.lines for lane in self._lanes], self._at_ps)

    def _begin(self, event: Event | None) -> None:
        logs = [lane.ended() for lane in self._lanes]
        if event is not None:
            self._effects.begin(event, logs)
        self._effects.cut(logs)

    @property
    def events(self) -> tuple[Event, ...]:
        """What may have changed how the run goes, the latest last."""
        return self._effects.events

    def effect(self, number: int | None, *, is_first: bool = False) -> Effect | None:
        """What an event did by now; None: there is no such event.

        Args:
            is_first: compare with what was before the first event that is remembered.
        """
        if number is None:
            return None
        for lane in self._lanes:
            lane.count()
        coming = [fault for lane in self._lanes for fault in lane.scheduled]
        lines, known = [lane.lines for lane in self._lanes], [lane.known for lane in self._lanes]
        return self._effects.view(number, self._at_ps, lines, known, coming, is_first=is_first)

    def _add_fault(self, fault: FaultNote) -> None:
        """Keep a fault; one that is told again with another end takes the place of the first."""
        self._begin(self._effects.add_fault(fault))
        for place, known in enumerate(self._faults):
            if _fault_key(known) == _fault_key(fault):
                if known.until_ps != fault.until_ps:
                    self._mended.append(fault)
                self._faults[place] = fault
                return
        self._faults.append(fault)

    def _lane(self, lane: int) -> _LaneModel:
        if not 0 <= lane < len(self._lanes):
            raise ValueError(f"lane {lane} of {len(self._lanes)}")
        return self._lanes[lane]

    def _add_turn(self, turn: TurnEnd) -> None:
        self._lanes[turn.lane].add_turn(turn)
        for (first, second), kinds in self._duels:
            if turn.lane in (first, second):
                kinds[turn.agent].add(turn, side=int(turn.lane == second))

    def snapshot(self, event: int | None = None, *, is_first: bool = False) -> Snapshot:
        """The run at this moment; what comes later does not change it.

        Args:
            event, is_first: as in `effect`.
        """
        at_ps = self._at_ps
        return Snapshot(
            hello=self.hello,
            at_ps=at_ps,
            window_ps=self._window_ps,
            clock=self._clock,
            load=self._load,
            lanes=tuple(lane.view(at_ps) for lane in self._lanes),
            pairs=tuple(
                duels.view(first, second, agent)
                for (first, second), kinds in self._duels
                for agent, duels in enumerate(kinds)
            ),
            faults=tuple(self._faults),
            notices=tuple(self._notices),
            mended=tuple(self._mended),
            agents=self.agents.table(),
            events=self.events,
            effect=self.effect(event, is_first=is_first),
        )


def _fault_key(fault: FaultNote) -> tuple[int, int, str, int]:
    return fault.at_ps, fault.lane, fault.kind, fault.target


class _LaneModel:
    """One lane: turns wait in a list until the next snapshot asks, and are then counted all at once."""

    def __init__(self, hello: Hello, lane: int, keep_turns: int, window_ps: int) -> None:
        self._window_ps = window_ps
        #: The lane with what was changed since the run began.
        self.info = hello.lanes[lane]
        self._budgets = [
            [place for place, budget in enumerate(hello.budgets) if budget.agents == kind] for kind in hello.agents
        ]
        self._waiting: list[TurnEnd] = []
        self._log = TurnLog(lane, len(hello.stages), len(hello.budgets), keep_turns)
        self._whole = [WholeRun(len(hello.stages), budgets) for budgets in self._budgets]
        self._series = [SeriesBuilder() for _ in hello.agents]
        self._work = WorkBuilder(window_ps, self._budgets)
        self._sessions = Sessions()
        self._gauges: Gauges | None = None
        #: The latest that is known of turns under way.
        self._open: OpenTurns | None = None
        #: By agent kind, what is known of turns under way when all that ended until then has been told.
        self.known = [Known()] * len(hello.agents)
        #: Is given the turns of a kind that have ended.
        self.told: Callable[[int, TurnTable], None] = lambda _kind, _table: None
        #: The last gauges of each second of virtual time.
        self._seconds: deque[tuple[int, Int64]] = deque(maxlen=KEEP_SECONDS + 1)

    def add_turn(self, turn: TurnEnd) -> None:
        self._waiting.append(turn)
        if len(self._waiting) >= 4096:  # nobody looks: do not let them pile up
            self.count()

    def see_open(self, turns: OpenTurns) -> None:
        """Take what is known of turns under way; what ended before the last time that this came has been told since."""
        if self._open is not None:
            self.known = [known_of(self._open, kind) for kind in range(len(self._budgets))]
        self._open = turns

    @property
    def scheduled(self) -> tuple[Scheduled, ...]:
        """Faults of drills that are to come."""
        return () if self._gauges is None else self._gauges.scheduled

    @property
    def lines(self) -> list[SeriesBuilder]:
        """By agent kind."""
        return self._series

    def ended(self) -> TurnTable:
        """The last turns that have ended."""
        self.count()
        return self._log.table()

    def add_gauges(self, gauges: Gauges) -> None:
        self._gauges = gauges
        self.see_open(OpenTurns(gauges.lane, gauges.at_ps, gauges.open_turns, gauges.oldest))
        if self._seconds and self._seconds[-1][0] // PS_PER_S == gauges.at_ps // PS_PER_S:
            self._seconds.pop()
        self._seconds.append((gauges.at_ps, _server_figures(gauges)))

    def count(self) -> None:
        """Count the turns that wait."""
        if not self._waiting:
            return
        table = self._log.add(self._waiting)
        self._waiting = []
        agent = table.of(Field.AGENT)
        for kind, budgets in enumerate(self._budgets):
            own = table.where(agent == kind)
            if len(own):
                self._whole[kind].add(own)
                self._series[kind].add(own, budgets)
                self._work.add(own, kind)
                self.told(kind, own)
        self._sessions.add(table)

    def view(self, at_ps: int) -> LaneView:
        log = self.ended()
        recent = np.flatnonzero(log.end_ps > at_ps - self._window_ps)
        window = log.where(recent) if len(recent) < len(log) else log
        agent = window.of(Field.AGENT)
        span_ps = min(self._window_ps, at_ps)
        own = [(window.where(agent == kind), budgets) for kind, budgets in enumerate(self._budgets)]
        now: list[Stats] = [stats_of(turns, budgets, span_ps) for turns, budgets in own]
        return LaneView(
            info=self.info,
            now=tuple(now),
            whole=tuple(whole.stats(at_ps) for whole in self._whole),
            series=tuple(series.series(at_ps, CHART_S) for series in self._series),
            gauges=self._gauges,
            open=self._open,
            servers=_gauge_series(self._seconds, self.info.servers),
            sessions=self._sessions.table(),
            log=log,
            works=self._work.work([turns for turns, _ in own], at_ps, WORK_S),
        )


def _server_figures(gauges: Gauges) -> Int64:
    """What series are made of, [servers, figures]; as an array, for a snapshot holds minutes of them."""
    rows = [
        (s.queued, s.batch, s.used_tokens, s.busy_ps, s.received_tokens, s.prefill_tokens, s.hit_tokens)
        for s in gauges.servers
    ]
    return np.array(rows, np.int64).reshape(len(rows), 7)


def _gauge_series(seconds: deque[tuple[int, Int64]], servers: tuple[ServerInfo, ...]) -> GaugeSeries:
    values = np.array([figures for _, figures in seconds], np.int64).reshape(len(seconds), len(servers), 7)
    queued, batch, used, busy_ps, received, prefill, hit = np.moveaxis(values, 2, 0)
    at_ps = np.array([at_ps for at_ps, _ in seconds], np.int64)
    busy, link = np.full(queued.shape, -1.0), np.full(queued.shape, -1.0)
    if len(seconds) > 1:
        passed_ps = np.maximum(np.diff(at_ps), 1)[:, None]
        busy[1:] = np.clip(np.diff(busy_ps, axis=0) / passed_ps, 0.0, 1.0)
        rates = [info.link_tokens_per_s for info in servers]
        linked = [place for place, rate in enumerate(rates) if math.isfinite(rate) and rate > 0]
        full = np.array(rates)[linked] * (passed_ps / PS_PER_S)
        link[1:, linked] = np.clip(np.diff(received, axis=0)[:, linked] / np.maximum(full, 1e-12), 0.0, 1.0)
    return GaugeSeries(at_ps // PS_PER_S, queued, batch, used, busy, link, prefill, hit)
