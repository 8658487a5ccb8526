"""All engines on a broker: who is there, who keeps the budgets, since when, and when they were heard of last."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from subsecond.tui.fleet import Engine
from subsecond.tui.screens.base import HeaderLine, View
from subsecond.tui.screens.filter import FilterField
from subsecond.tui.screens.forget_dialog import ForgetDialog
from subsecond.tui.screens.panel import Panel, row, wrapped
from subsecond.tui.snapshot import Snapshot
from subsecond.tui.stats import Stats
from subsecond.tui.widgets.table import Column, LiveTable, SortValue, TableRow
from subsecond.tui.widgets.text import NOTHING, clean, share_text, time_text
from subsecond.tui.widgets.timeline import Timeline

if TYPE_CHECKING:
    from subsecond.tui.fleet_app import FleetApp

__all__ = ["FleetView"]

PS_PER_S = 10**12
#: State -> glyph and ink; the word stands beside the glyph.
_LOOKS = {"online": ("●", "plain"), "paused": ("=", "plain"), "offline": ("✗", "bad"), "ended": ("○", "quiet")}
_COLUMNS = (
    Column("engine", "engine", 12, grow=True),
    Column("scenario", "scenario", 12),
    Column("state", "status", 10),
    Column("pipeline", "pipeline", 11),
    Column("agents", "agents", 8),
    Column("kept", "kept", 7, right=True),
    Column("p50", "p50", 8, right=True, since=100, descending=True),
    Column("p95", "p95", 8, right=True, descending=True),
    Column("load", "sessions", 9, right=True, since=110, descending=True),
    Column("outside", "outside", 8, right=True, since=120, descending=True),
    Column("since", "up since", 12, right=True, since=140),
    Column("heard", "heard", 10, right=True, since=90),
)


class FleetView(View):
    """A line for each engine, pipeline and kind of agents."""

    TITLE_WORD = "Fleet"
    ABOUT = (
        "Every engine that tells this broker, a line for each pipeline and kind of agents. Kept is the share of the "
        "turns of the last minute that met every budget of their kind, p50 and p95 are of the same turns; outside "
        "counts connected agents from outside; heard says how long ago the engine said something. < and > choose the "
        "column to sort by, i turns the order around, / filters, enter opens the engine's race, escape leads back. "
        "Delete lets the broker forget an engine that has ended or died."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/", tooltip="Show rows that contain these words"),
        Binding("delete", "forget", "Forget", tooltip="Let the broker forget an engine that has ended or died"),
        Binding("escape", "drop", "Drop filter", show=False, tooltip="Drop the filter"),
    ]
    DEFAULT_CSS = """
    FleetView {
        .about { height: 2; border-top: none; padding: 0 1; }
        LiveTable { height: 1fr; border-top: solid $primary 40%; }
    }
    """
    is_animated: ClassVar[bool] = True  # how long ago something was heard grows by itself

    @property
    def fleet_app(self) -> FleetApp:
        """The application, by its type."""
        return cast("FleetApp", self.app)

    def panels(self) -> ComposeResult:
        yield Panel(classes="about", empty="Waiting for the broker…", help=self.ABOUT)
        yield LiveTable(_COLUMNS, sort="engine", empty="")
        yield FilterField()

    def show(self, snapshot: Snapshot | None) -> None:
        """Draw the fleet; the snapshot is of the engine that was looked at last."""
        del snapshot
        self.show_header(None)
        if self.has_class("-too-small"):
            return
        self.query_one(Timeline).display = False
        fleet, now_s = self.fleet_app.fleet, self.fleet_app.fleet.now_s()
        rows = [line for engine in fleet.engines.values() for line in _engine_rows(engine, now_s)]
        self.query_one(LiveTable).update(rows)
        text = self._about()
        self.query_one(".about", Panel).show(lambda w, h: [row((line, "plain")) for line in wrapped(text, w, h)])

    def show_header(self, snapshot: Snapshot | None) -> None:
        del snapshot
        fleet = self.fleet_app.fleet
        states = [engine.state for engine in fleet.engines.values()]
        alert = f"NO BROKER: {fleet.away}" if fleet.away else ""
        if not alert and fleet.refused:
            alert = f"{fleet.refused} not understood"
        present = sum(state in ("online", "paused") for state in states)
        title = fleet.place
        self.query_one(HeaderLine).show("subsecond > Fleet", title, alert, f"{present} of {len(states)} engines online")

    def _about(self) -> str:
        fleet = self.fleet_app.fleet
        if fleet.away:
            return f"{fleet.away}. Trying again; what is shown is what was heard last."
        if not fleet.is_listening:
            return f"Connecting to {fleet.place}…"
        if not fleet.engines:
            return f"No engine tells {fleet.place} yet. Start one: subsecond serve --mqtt {fleet.place}"
        return "Enter opens the race of an engine; / filters, such as offline or voice; < and > sort."

    def on_live_table_selected(self, event: LiveTable.Selected) -> None:
        self.fleet_app.open_engine(str(event.key).partition("/")[0])

    def action_forget(self) -> None:
        """Ask whether the broker shall forget the engine under the cursor."""
        engine_id = str(self.query_one(LiveTable).cursor_key).partition("/")[0]
        engine = self.fleet_app.fleet.engines.get(engine_id)
        if engine is None:
            return
        if engine.status.online:
            self.app.notify("This engine is there; only one that has ended or died can be forgotten.", markup=False)
        else:
            self.app.push_screen(ForgetDialog(engine))

    def action_filter(self) -> None:
        self.query_one(FilterField).open()

    def action_drop(self) -> None:
        self.query_one(FilterField).drop()


def _engine_rows(engine: Engine, now_s: float) -> list[TableRow]:
    """A row for each lane and kind of agents; one alone while nothing is known of them."""
    picture = engine.picture(now_s)
    if picture is None:
        return [_row(engine, now_s, "", None, "", "", None)]
    load = picture.load
    return [
        _row(
            engine,
            now_s,
            f"{lane.info.name}/{kind}",
            lane.now[place],
            lane.info.name,
            kind,
            load.sessions[place] if load is not None else None,
        )
        for lane in picture.lanes
        for place, kind in enumerate(picture.hello.agents)
    ]


def _row(
    engine: Engine, now_s: float, key: str, stats: Stats | None, lane: str, kind: str, sessions: int | None
) -> TableRow:
    status, state = engine.status, engine.state
    glyph, ink = _LOOKS[state]
    is_there = status.online
    stats = stats if is_there else None  # what an engine that has gone did last is not how it does
    kept = stats.good / stats.turns if stats is not None and stats.turns else None
    p50, p95 = (stats.p50_ps, stats.p95_ps) if stats is not None else (None, None)
    heard_s = None if engine.heard_s is None else max(0.0, now_s - engine.heard_s)
    sessions = sessions if is_there else None
    name = f"{status.host} {status.engine[:4]}"
    cells = (
        clean(name),
        clean(status.scenario),
        f"{glyph} {state}",
        clean(lane),
        clean(kind),
        share_text(kept) if kept is not None else NOTHING,
        time_text(p50),
        time_text(p95),
        NOTHING if sessions is None else f"{sessions:,}",
        str(engine.num_agents) if is_there else NOTHING,
        _since_text(status.since_unix_s),
        _ago_text(heard_s),
    )
    values: tuple[SortValue, ...] = (
        *(name, status.scenario, state, lane, kind, kept, p50, p95, sessions),
        *(engine.num_agents, status.since_unix_s, heard_s),
    )
    return TableRow(f"{status.engine}/{key}", cells, values, ink)


def _ago_text(seconds: float | None) -> str:
    """How long ago something was."""
    if seconds is None:
        return NOTHING
    return "now" if seconds < 2 else f"{time_text(int(seconds) * PS_PER_S)} ago"


def _since_text(unix_s: float) -> str:
    """A time of day, with the day if it is another one; nothing for a time that no clock shows."""
    try:
        then = time.localtime(unix_s)
    except (OverflowError, OSError, ValueError):
        return NOTHING
    return time.strftime("%H:%M:%S" if then[:3] == time.localtime()[:3] else "%d %b %H:%M", then)
