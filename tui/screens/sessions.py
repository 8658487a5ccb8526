"""All sessions on every pipeline, and the turns of one of them."""

from __future__ import annotations

from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from subsecond.engine.feed import Hello, TurnEnd
from subsecond.engine.turns import TurnState
from subsecond.tui.outside import MARK
from subsecond.tui.screens.base import View
from subsecond.tui.screens.filter import FilterField
from subsecond.tui.screens.panel import Panel, row, wrapped
from subsecond.tui.snapshot import Snapshot
from subsecond.tui.turnlog import Field
from subsecond.tui.verdict import clock_words
from subsecond.tui.widgets.canvas import Row
from subsecond.tui.widgets.table import Column, LiveTable, SortValue, TableRow
from subsecond.tui.widgets.text import NOTHING, clean, fit, lane_mark, state_look, time_text

__all__ = ["AgentSessionsView", "SessionView", "SessionsView", "TableView"]

Int64 = NDArray[np.int64]
#: Figures of a session on one lane.
_WIDTH = 7
#: Cells of the name of an agent from outside.
_NAME_CELLS: Final = 20


class TableView(View):
    """A screen with one table whose columns depend on the run's lanes, and a filter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/", tooltip="Show rows that contain these words"),
        Binding("escape", "back", "Back", tooltip="Drop the filter, or go back"),
    ]
    DEFAULT_CSS = """
    TableView {
        .about { height: 2; border-top: none; padding: 0 1; }
        LiveTable { height: 1fr; border-top: solid $primary 40%; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._lanes: tuple[str, ...] = ()

    def panels(self) -> ComposeResult:
        yield Panel(classes="about", empty="Waiting for the service…", help=self.ABOUT)
        yield FilterField()

    def columns(self, snapshot: Snapshot) -> list[Column]:
        """The table's columns."""
        raise NotImplementedError  # each table says its own; Textual's metaclass rules out ABC

    def rows(self, snapshot: Snapshot) -> list[TableRow]:
        """The table's rows."""
        raise NotImplementedError  # each table says its own; Textual's metaclass rules out ABC

    def about(self, snapshot: Snapshot) -> str:
        """What the table holds, in words."""
        raise NotImplementedError  # each table says its own; Textual's metaclass rules out ABC

    #: Column that the rows are sorted by at first.
    SORT: ClassVar[str | None] = None
    EMPTY: ClassVar[str] = "Nothing to show yet."

    def paint(self, snapshot: Snapshot) -> None:
        names = tuple(lane.info.name for lane in snapshot.lanes)
        if names != self._lanes:
            self._lanes = names
            self.query(LiveTable).remove()
            table = LiveTable(self.columns(snapshot), sort=self.SORT, empty=self.EMPTY)
            self.mount(table, before=self.query_one(FilterField))
            table.focus()
        tables = self.query(LiveTable)
        if tables:
            tables.last().set_columns(self.columns(snapshot))
            tables.last().update(self.rows(snapshot))
        text = self.about(snapshot)
        self.query_one(".about", Panel).show(lambda w, h: _about_rows(text, w, h))

    def action_filter(self) -> None:
        self.query_one(FilterField).open()

    def action_back(self) -> None:
        """Drop the filter; without one, leave the screen."""
        if not self.query_one(FilterField).drop():
            self.dashboard.go_back()


def _about_rows(text: str, width: int, height: int) -> list[Row]:
    return [row((line, "plain")) for line in wrapped(text, width, height)]


class SessionsView(TableView):
    """Every session with an ended turn."""

    TITLE_WORD = "Sessions"
    ABOUT = (
        "Each line is a session on all pipelines: how many of its turns ended, its slowest turn, its latest one, and "
        "how many missed a budget. < and > choose the column to sort by, i turns the order around, / filters, enter "
        "opens."
    )
    SORT = "worst0"
    EMPTY = "Sessions show once their first turn has ended. None? Raise the load with l."

    def __init__(self) -> None:
        super().__init__()
        self._hello: Hello | None = None
        self._seen: Int64 = np.empty((0, 0), np.int64)
        self._made: dict[int, TableRow] = {}
        self._names: dict[int, str] = {}

    def columns(self, snapshot: Snapshot) -> list[Column]:
        has_names = bool(len(snapshot.agents))  # of agents from outside: they take the room of the mean
        columns = [
            Column("session", "session", 8, right=True),
            Column("agents", "agents", _NAME_CELLS if has_names else 8),
        ]
        for place, lane in enumerate(snapshot.lanes):
            mark = lane_mark(place)
            columns += [
                Column(f"turns{place}", f"{mark} turns", 8, right=True, since=100, descending=True),
                Column(f"mean{place}", f"{mark} mean", 9, right=True, since=140 if has_names else 120, descending=True),
                Column(f"last{place}", f"{mark} last", 9, right=True, since=90, descending=True),
                Column(f"worst{place}", f"{mark} worst", 10, right=True, descending=True),
                Column(f"late{place}", f"{mark} late", 8, right=True, descending=True),
            ]
            del lane
        return columns

    def about(self, snapshot: Snapshot) -> str:
        names = ", ".join(f"{lane_mark(i)} {lane.info.name}" for i, lane in enumerate(snapshot.lanes))
        count = max((int(np.count_nonzero(lane.sessions.turns)) for lane in snapshot.lanes), default=0)
        return f"{count:,} sessions with an ended turn. {names}. Enter shows a session's turns."

    def rows(self, snapshot: Snapshot) -> list[TableRow]:
        """Rows of sessions with an ended turn; only those that changed since the last call are made anew."""
        if snapshot.hello is not self._hello:
            self._hello, self._made, self._seen = snapshot.hello, {}, np.empty((0, 0), np.int64)
        seen = _columns(snapshot)
        if seen.shape[1] != self._seen.shape[1]:
            self._made, self._seen = {}, np.empty((0, seen.shape[1]), np.int64)
        both = min(len(seen), len(self._seen))
        changed = np.ones(len(seen), np.bool_)
        changed[:both] = (seen[:both] != self._seen[:both]).any(axis=1)
        names = {s: snapshot.agents.name_of(s) for s in snapshot.agents.by_session if s < len(seen)}
        changed[[s for s in {*names, *self._names} if names.get(s) != self._names.get(s) and s < len(seen)]] = True
        has_turns: NDArray[np.bool_] = np.any(seen[:, 1::_WIDTH] > 0, axis=1)
        shown = self.wanted(snapshot, has_turns)
        for session in np.flatnonzero(changed).tolist():
            self._made.pop(session, None)
        self._seen, self._names = seen, names
        return [self._made.get(session) or self._make(snapshot, session) for session in np.flatnonzero(shown).tolist()]

    def _make(self, snapshot: Snapshot, session: int) -> TableRow:
        values = tuple(self._seen[session].tolist())
        made = self._made[session] = _session_row(snapshot, session, values, self._names.get(session, ""))
        return made

    def wanted(self, snapshot: Snapshot, has_turns: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which sessions are shown, of those with a turn, [sessions]."""
        del snapshot
        return has_turns

    def on_live_table_selected(self, event: LiveTable.Selected) -> None:
        self.app.push_screen(SessionView(int(event.key)))


class AgentSessionsView(SessionsView):
    """The sessions of one agent from outside."""

    ABOUT = (
        "The sessions of an agent from outside: a conversation of its own each. The pipeline that it chose serves it, "
        "the others work on the same turns for comparison. Enter shows a session's turns."
    )
    EMPTY = "Its sessions show once their first turn has ended."
    SORT = "session"

    def __init__(self, agent: int) -> None:
        super().__init__()
        self.agent = agent

    def crumb(self) -> str:
        snapshot = self.dashboard.snapshot
        known = None if snapshot is None else snapshot.agents.agents.get(self.agent)
        return f"agent {self.agent}" if known is None else fit(f"{MARK}{known.name}", _NAME_CELLS).rstrip()

    def about(self, snapshot: Snapshot) -> str:
        names = ", ".join(f"{lane_mark(i)} {lane.info.name}" for i, lane in enumerate(snapshot.lanes))
        return f"Sessions of {self.crumb()}. {names}. Enter shows a session's turns."

    def wanted(self, snapshot: Snapshot, has_turns: NDArray[np.bool_]) -> NDArray[np.bool_]:
        known = snapshot.agents.agents.get(self.agent)
        own = np.zeros(len(has_turns), np.bool_)
        own[[] if known is None else [session for session in known.sessions if session < len(own)]] = True
        return has_turns & own


def _columns(snapshot: Snapshot) -> Int64:
    """What is shown of every session, lane after lane, [sessions, lanes * _WIDTH]."""
    size = max((len(lane.sessions) for lane in snapshot.lanes), default=0)
    found = np.empty((size, _WIDTH * len(snapshot.lanes)), np.int64)
    for place, lane in enumerate(snapshot.lanes):
        s, own = lane.sessions, found[:, place * _WIDTH : (place + 1) * _WIDTH]
        own[: len(s)] = np.stack((s.agent, s.turns, s.answered, s.sum_ps, s.last_ps, s.worst_ps, s.missed), axis=1)
        own[len(s) :] = (-1, 0, 0, 0, -1, -1, 0)
    return found


def _session_row(snapshot: Snapshot, session: int, values: tuple[int, ...], name: str) -> TableRow:
    kind = name or snapshot.hello.agents[max(values[::_WIDTH])]
    cells = [str(session), kind]
    sort: list[SortValue] = [session, kind]
    is_late = False
    for begin in range(0, len(values), _WIDTH):
        _, turns, answered, total, *times, missed = values[begin : begin + _WIDTH]
        last, worst = (None if time < 0 else time for time in times)
        mean = total / answered if answered else None
        cells += [str(turns), time_text(mean), time_text(last), time_text(worst), f"{missed} !" if missed else "0  "]
        sort += [turns, mean, last, worst, missed]
        is_late |= missed > 0
    return TableRow(session, tuple(cells), tuple(sort), "bad" if is_late else "plain")


class SessionView(TableView):
    """The turns of one session."""

    ABOUT = (
        "The turns of one session on every pipeline, the latest first. A turn is late if it missed any budget of its "
        "kind of agents. Enter looks into a turn."
    )
    EMPTY = "No turn of this session is remembered."
    SORT = "turn"

    def __init__(self, session: int) -> None:
        super().__init__()
        self.session = session

    def crumb(self) -> str:
        snapshot = self.dashboard.snapshot
        name = "" if snapshot is None else snapshot.agents.name_of(self.session)
        return f"Session {self.session}{fit(f' {name}', _NAME_CELLS).rstrip()}"

    def columns(self, snapshot: Snapshot) -> list[Column]:
        columns = [
            Column("turn", "turn", 6, right=True, descending=True),
            Column("prompt", "prompt", 9, right=True, since=70, descending=True),
            Column("output", "output", 8, right=True, since=70, descending=True),
        ]
        for place in range(len(snapshot.lanes)):
            mark = lane_mark(place)
            columns += [
                Column(f"at{place}", f"{mark} began", 10, right=True, since=110),
                Column(f"ttft{place}", f"{mark} TTFT", 9, right=True, since=110, descending=True),
                Column(f"latency{place}", f"{mark} latency", 11, right=True, descending=True),
                Column(f"state{place}", f"{mark} state", 12),
            ]
        return columns

    def about(self, snapshot: Snapshot) -> str:
        names = ", ".join(f"{lane_mark(i)} {lane.info.name}" for i, lane in enumerate(snapshot.lanes))
        name = snapshot.agents.name_of(self.session)
        return f"Turns of session {self.session}{f' of {name}' if name else ''}. {names}. Enter looks into a turn."

    def rows(self, snapshot: Snapshot) -> list[TableRow]:
        own = [lane.log.where(np.flatnonzero(lane.log.of(Field.SESSION) == self.session)) for lane in snapshot.lanes]
        turns: dict[int, dict[int, int]] = {}
        for place, table in enumerate(own):
            for line, turn in enumerate(table.of(Field.TURN).tolist()):
                turns.setdefault(turn, {})[place] = line
        return [
            _turn_row(turn, [own[p].turn(lines[p]) if p in lines else None for p in range(len(own))])
            for turn, lines in turns.items()
        ]

    def on_live_table_selected(self, event: LiveTable.Selected) -> None:
        self.dashboard.open_turn(int(event.key))


def _turn_row(turn: int, ends: list[TurnEnd | None]) -> TableRow:
    known = next(end for end in ends if end is not None)
    cells = [str(known.index + 1), f"{known.prompt_tokens:,}", f"{known.output_tokens:,}"]
    sort: list[SortValue] = [known.index, known.prompt_tokens, known.output_tokens]
    is_late = False
    for end in ends:
        if end is None:
            cells += [NOTHING, NOTHING, NOTHING, "open"]
            sort += [None, None, None, "open"]
            continue
        look = state_look(end.state, end.met)
        is_late |= look.ink == "bad"
        answered = end.state == TurnState.ANSWERED
        cells += [
            clock_words(end.start_ps),
            time_text(end.ttft_ps if end.ttft_ps >= 0 else None),
            time_text(end.latency_ps if answered else None),
            clean(f"{look.glyph} {look.word}"),
        ]
        sort += [end.start_ps, end.ttft_ps, end.latency_ps, look.word]
    return TableRow(turn, tuple(cells), tuple(sort), "bad" if is_late else "plain")
