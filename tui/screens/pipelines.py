"""The pipelines from inside: servers, queues, memory, faults, and every parameter with where its value comes from."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from subsecond.tui.screens.base import View
from subsecond.tui.screens.effect_panel import EffectPanel
from subsecond.tui.screens.fault_dialogs import FaultDialog, MendDialog, Mending
from subsecond.tui.screens.filter import FilterField
from subsecond.tui.screens.knob_dialog import KnobDialog
from subsecond.tui.screens.panel import Panel
from subsecond.tui.screens.pipeline_rows import (
    fault_rows,
    has_link,
    mendings,
    most_line,
    parameter_row,
    queued_line,
    server_bars,
)
from subsecond.tui.screens.room_rows import HELP, room_rows, room_title
from subsecond.tui.snapshot import Snapshot
from subsecond.tui.widgets.bars import OccupancyBars
from subsecond.tui.widgets.chart import LineChart
from subsecond.tui.widgets.table import Column, LiveTable
from subsecond.tui.widgets.text import count_text, lane_mark

__all__ = ["PipelinesView"]

PS_PER_S = 10**12
#: Seconds that the charts show.
CHART_S = 120
#: Columns from which there is room for a chart of the links.
LINK_WIDTH = 120
#: Rows from which there is room for charts of an event's effect beside the others.
TALL = 50
_WHOLE = "Nothing is broken."


class PipelinesView(View):
    """Servers, queues, faults and parameters."""

    TITLE_WORD = "Pipelines"
    AUTO_FOCUS = "#parameters"
    ABOUT = (
        "Every server with its KV memory, batch and queue; link: how much of its rate is in use, flows: transfers "
        "under way; hits: how much of the prompts the prefix cache had, in the last minute and in the whole run. "
        "Room: about how many more sessions each pipeline would carry with nothing broken; … says that it is being "
        "searched for, not even 1 that a single one would miss its budget. Below, what waits, how busy the servers "
        "and the links are; after a fault, a drill or a change of a parameter, what that did (o: another event); "
        "faults: x breaks a part, d holds a drill, m mends; and the parameters of one pipeline: enter changes one, / "
        "looks for some, p goes to the next pipeline. ≠ stands before a value that is not the catalog's."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "fault", "Fault", tooltip="Break a part of a pipeline for a while"),
        Binding("m", "mend", "Mend", tooltip="End a fault or a drill, or call off what is to come of one"),
        Binding("d", "app.drill", "Drill", tooltip="Break parts on purpose, as a drill of the catalog has it"),
        Binding("o", "app.next_event", "Effect", tooltip="What the event before did; after the first one, none"),
        Binding(
            "O", "app.other_base", "Effect against the first", show=False, tooltip="Compare with before the first event"
        ),
        Binding("W", "app.without_faults", "Without faults", tooltip="What this would have been had nothing broken"),
        Binding("x", "app.why('fault')", show=False),
        Binding("m", "app.why('mend')", show=False),
        Binding("d", "app.why('drill')", show=False),
        Binding("W", "app.why('without_faults')", show=False),
        Binding("slash", "filter", "Filter", key_display="/", tooltip="Show parameters that contain these words"),
        Binding("escape", "back", "Back", tooltip="Drop the filter, or go back", show=False),
        Binding("p", "next_lane", "Next pipeline", tooltip="Show the parameters of the next pipeline"),
    ]
    DEFAULT_CSS = """
    PipelinesView {
        OccupancyBars { height: auto; max-height: 14; border-top: solid $primary 40%; border-title-style: bold; }
        #charts { height: 9; }
        #charts > * { width: 1fr; border-top: solid $primary 40%; border-title-style: bold; }
        #busy, #link { margin-left: 1; }
        #room { height: 3; display: none; }
        #faults { height: 5; }
        #parameters { height: 1fr; min-height: 4; }
        LiveTable { border-top: solid $primary 40%; border-title-style: bold; }
        LiveTable:focus { border-top: heavy $primary; }
    }
    PipelinesView.-short #faults { height: 3; }
    PipelinesView.-short OccupancyBars { max-height: 8; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._lane = 0

    def panels(self) -> ComposeResult:
        yield OccupancyBars()
        yield Panel("Room", id="room", help=HELP)
        with Horizontal(id="charts"):
            yield LineChart("queued", id="queued", y_text=count_text)
            yield LineChart("busy", id="busy", y_text=lambda share: f"{share:.0%}")
            yield LineChart("link", id="link", y_text=lambda share: f"{share:.0%}")
        yield EffectPanel()
        yield LiveTable(
            [
                Column("at", "began", 9),
                Column("lane", "pipeline", 12),
                Column("fault", "fault", 24, grow=True),
                Column("state", "state", 24),
            ],
            id="faults",
            empty=_WHOLE,
        )
        yield LiveTable(
            [
                Column("key", "parameter", 26),
                Column("value", "value", 14, right=True),
                Column("provenance", "provenance", 11),
                Column("source", "source", 20, grow=True),
            ],
            id="parameters",
            empty="No parameter has these words, or the service has not said yet what it runs.",
        )
        yield FilterField("#parameters")

    def paint(self, snapshot: Snapshot) -> None:
        self._lane = min(self._lane, len(snapshot.lanes) - 1)
        servers = self.query_one(OccupancyBars)
        servers.border_title = "Servers: KV memory, batch, queue, link, prefix-cache hits"
        servers.update(server_bars(snapshot))
        self._paint_room(snapshot)
        is_short = self.has_class("-short")
        has_both = snapshot.effect is None or self.app.size.height >= TALL
        self.query_one("#charts").display = has_both and not is_short
        if has_both and not is_short:
            self._paint_charts(snapshot)
        self.query_one(EffectPanel).paint(snapshot, self.dashboard.agent, is_short=is_short)
        faults = self.query_one("#faults", LiveTable)
        faults.border_title = "Faults"
        faults.empty = f"{_WHOLE} Press x to break something." if self.check_action("fault", ()) else _WHOLE
        faults.update(fault_rows(snapshot))
        self._paint_parameters(snapshot)

    def _paint_room(self, snapshot: Snapshot) -> None:
        panel, room = self.query_one("#room", Panel), self.dashboard.room
        panel.display = room.is_there
        if not room.is_there:
            return
        room.ask(snapshot)
        wanted = 1 + min(len(snapshot.lanes), 2 if self.has_class("-short") else 5)
        if panel.styles.height is None or panel.styles.height.value != wanted:
            panel.styles.height = wanted
        title = room_title(snapshot, is_past=self.dashboard.travel.replay is not None)
        panel.show(lambda w, h: room_rows(snapshot, room.of(snapshot), w)[:h], title=title)

    def _paint_charts(self, snapshot: Snapshot) -> None:
        now_s = snapshot.at_ps / PS_PER_S
        window = (max(0.0, now_s - CHART_S), max(now_s, 20.0))
        queued, busy = self.query_one("#queued", LineChart), self.query_one("#busy", LineChart)
        queued.border_title = "Requests that wait for a server"
        queued.update([queued_line(place, lane) for place, lane in enumerate(snapshot.lanes)], x_range=window)
        busy.border_title = "Busiest server"
        busy.update(
            [most_line(place, lane, lane.servers.busy) for place, lane in enumerate(snapshot.lanes)],
            x_range=window,
            y_max=1.0,
        )
        link = self.query_one("#link", LineChart)
        linked = [(place, lane) for place, lane in enumerate(snapshot.lanes) if has_link(lane)]
        link.display = bool(linked) and self.app.size.width >= LINK_WIDTH
        if link.display:
            link.border_title = "Fullest link, share of its rate"
            lines = [most_line(place, lane, lane.servers.link) for place, lane in linked]
            link.update(lines, x_range=window)  # a link is rarely full: its scale follows

    def _paint_parameters(self, snapshot: Snapshot) -> None:
        lane = snapshot.lanes[self._lane]
        table = self.query_one("#parameters", LiveTable)
        more = "  (p: next pipeline)" if len(snapshot.lanes) > 1 else ""
        table.border_title = f"Parameters of {lane_mark(self._lane)} {lane.info.name}{more}"
        table.update([parameter_row(lane.info, parameter) for parameter in lane.info.parameters])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing that was can be broken or mended."""
        if action in ("fault", "mend"):
            return self.dashboard.check_action(action, ())
        return super().check_action(action, parameters)

    def on_live_table_selected(self, event: LiveTable.Selected) -> None:
        """Change a parameter, or mend a fault."""
        snapshot = self.dashboard.snapshot
        if event.table.id == "faults":
            if self.check_action("mend", ()):
                self.action_mend()
            else:
                self.dashboard.action_why("mend")
        elif snapshot is not None:
            info = snapshot.lanes[self._lane].info
            chosen = next((p for p in info.parameters if p.key == event.key), None)
            if chosen is not None:
                self.app.push_screen(KnobDialog(info, chosen))

    def action_next_lane(self) -> None:
        snapshot = self.dashboard.snapshot
        if snapshot is not None:
            self._lane = (self._lane + 1) % len(snapshot.lanes)
            self.dashboard.redraw()

    def action_filter(self) -> None:
        self.query_one(FilterField).open()

    def action_back(self) -> None:
        """Drop the filter; without one, leave the screen."""
        if not self.query_one(FilterField).drop():
            self.dashboard.go_back()

    def action_mend(self) -> None:
        """End what is under the cursor, or the only thing there is to end; ask which where there are several."""
        choices = {} if self.dashboard.snapshot is None else mendings(self.dashboard.snapshot)
        if not choices:
            self.notify("Nothing is broken.", severity="warning", markup=False)
            return
        table = self.query_one("#faults", LiveTable)
        if table.has_focus:
            choices = {key: choice for key, choice in choices.items() if key == table.cursor_key}
            if not choices:
                self.notify("There is nothing to mend in this line.", severity="warning", markup=False)
                return
        found: list[Mending] = list(choices.values())
        if len(found) == 1:
            self.dashboard.command(found[0].command)
        else:
            self.app.push_screen(MendDialog(found))

    def action_fault(self) -> None:
        snapshot = self.dashboard.snapshot
        if snapshot is None:
            self.notify("There is no run whose parts could break.", severity="warning", markup=False)
        else:
            self.app.push_screen(FaultDialog(tuple(lane.info for lane in snapshot.lanes)))
