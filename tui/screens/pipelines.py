"""The pipelines from inside: servers, queues, memory, faults, and every parameter with where its value comes from."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from subsecond.tui.screens.base import View
from subsecond.tui.screens.dialogs import FaultDialog, KnobDialog
from subsecond.tui.screens.panel import Panel, columns_row, row
from subsecond.tui.snapshot import LaneView, Snapshot
from subsecond.tui.verdict import clock_words
from subsecond.tui.widgets.bars import OccupancyBars, ServerBar
from subsecond.tui.widgets.canvas import Row
from subsecond.tui.widgets.chart import ChartLine, LineChart
from subsecond.tui.widgets.table import Column, LiveTable, TableRow
from subsecond.tui.widgets.text import count_text, lane_mark

__all__ = ["PipelinesView", "server_bars"]

Shares = NDArray[np.float64]
PS_PER_S = 10**12
#: Seconds that the charts show, and over which hits of a prefix cache are counted.
CHART_S, HITS_S = 120, 60
#: Columns from which there is room for a chart of the links.
LINK_WIDTH = 120


class PipelinesView(View):
    """Servers, queues, faults and parameters."""

    TITLE_WORD = "Pipelines"
    ABOUT = (
        "Every server with its KV memory, batch and queue; link: how much of its rate is in use, flows: transfers "
        "under way; hits: how much of the prompts the prefix cache had, in the last minute and in the whole run. "
        "Below, what waits, how busy the servers and the links are; faults that were set; and the parameters of one "
        "pipeline: enter changes one, p goes to the next pipeline, x breaks a part."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "fault", "Fault", tooltip="Break a part of a pipeline for a while"),
        Binding("p", "next_lane", "Next pipeline", tooltip="Show the parameters of the next pipeline"),
    ]
    DEFAULT_CSS = """
    PipelinesView {
        OccupancyBars { height: auto; max-height: 14; border-top: solid $primary 40%; border-title-style: bold; }
        #charts { height: 9; }
        #charts > * { width: 1fr; border-top: solid $primary 40%; border-title-style: bold; }
        #busy, #link { margin-left: 1; }
        #faults { height: 5; }
        #parameters { height: 1fr; min-height: 4; border-top: solid $primary 40%; border-title-style: bold; }
        #parameters:focus { border-top: heavy $primary; }
    }
    PipelinesView.-short #charts { display: none; }
    PipelinesView.-short #faults { height: 3; }
    PipelinesView.-short OccupancyBars { max-height: 8; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._lane = 0

    def panels(self) -> ComposeResult:
        yield OccupancyBars()
        with Horizontal(id="charts"):
            yield LineChart("queued", id="queued", y_text=count_text)
            yield LineChart("busy", id="busy", y_text=lambda share: f"{share:.0%}")
            yield LineChart("link", id="link", y_text=lambda share: f"{share:.0%}")
        yield Panel("Faults", id="faults", empty="", help="Faults in effect, and those that were set.")
        yield LiveTable(
            [
                Column("key", "parameter", 26),
                Column("value", "value", 14, right=True),
                Column("provenance", "provenance", 11),
                Column("source", "source", 20, grow=True),
            ],
            id="parameters",
            empty="Parameters show once the service has said what it runs.",
        )

    def paint(self, snapshot: Snapshot) -> None:
        self._lane = min(self._lane, len(snapshot.lanes) - 1)
        servers = self.query_one(OccupancyBars)
        servers.border_title = "Servers: KV memory, batch, queue, link, prefix-cache hits"
        servers.update(server_bars(snapshot))
        if not self.has_class("-short"):
            self._paint_charts(snapshot)
        self.query_one("#faults", Panel).show(lambda w, h: _fault_rows(snapshot, w, h))
        self._paint_parameters(snapshot)

    def _paint_charts(self, snapshot: Snapshot) -> None:
        now_s = snapshot.at_ps / PS_PER_S
        window = (max(0.0, now_s - CHART_S), max(now_s, 20.0))
        queued, busy = self.query_one("#queued", LineChart), self.query_one("#busy", LineChart)
        queued.border_title = "Requests that wait for a server"
        queued.update([_queued(place, lane) for place, lane in enumerate(snapshot.lanes)], x_range=window)
        busy.border_title = "Busiest server"
        busy.update(
            [_most(place, lane, lane.servers.busy) for place, lane in enumerate(snapshot.lanes)],
            x_range=window,
            y_max=1.0,
        )
        link = self.query_one("#link", LineChart)
        linked = [(place, lane) for place, lane in enumerate(snapshot.lanes) if _has_link(lane)]
        link.display = bool(linked) and self.app.size.width >= LINK_WIDTH
        if link.display:
            link.border_title = "Fullest link, share of its rate"
            lines = [_most(place, lane, lane.servers.link) for place, lane in linked]
            link.update(lines, x_range=window, y_max=1.0)

    def _paint_parameters(self, snapshot: Snapshot) -> None:
        lane = snapshot.lanes[self._lane]
        table = self.query_one("#parameters", LiveTable)
        more = "  (p: next pipeline)" if len(snapshot.lanes) > 1 else ""
        table.border_title = f"Parameters of {lane_mark(self._lane)} {lane.info.name}{more}"
        table.update(
            [
                TableRow(
                    p.key, (p.key, p.value, p.provenance, p.source), ink="quiet" if p.provenance == "-" else "plain"
                )
                for p in lane.info.parameters
            ]
        )

    def on_live_table_selected(self, event: LiveTable.Selected) -> None:
        """Change a parameter."""
        snapshot = self.dashboard.snapshot
        if snapshot is not None:
            info = snapshot.lanes[self._lane].info
            chosen = next((p for p in info.parameters if p.key == event.key), None)
            if chosen is not None:
                self.app.push_screen(KnobDialog(info.name, chosen))

    def action_next_lane(self) -> None:
        snapshot = self.dashboard.snapshot
        if snapshot is not None:
            self._lane = (self._lane + 1) % len(snapshot.lanes)
            self.dashboard.redraw()

    def action_fault(self) -> None:
        snapshot = self.dashboard.snapshot
        if snapshot is None:
            self.notify("There is no run whose parts could break.", severity="warning", markup=False)
        else:
            self.app.push_screen(FaultDialog(tuple(lane.info for lane in snapshot.lanes)))


def server_bars(snapshot: Snapshot) -> list[ServerBar]:
    """Every server at this moment."""
    bars = []
    for place, lane in enumerate(snapshot.lanes):
        if lane.gauges is None:
            continue
        series = lane.servers
        last = -1
        if len(series.busy) > 1 and lane.gauges.at_ps % PS_PER_S < PS_PER_S // 2:
            last = -2  # the second that has just begun says little
        for number, (info, gauge) in enumerate(zip(lane.info.servers, lane.gauges.servers, strict=True)):
            bars.append(
                ServerBar(
                    lane=place,
                    name=info.name,
                    role=info.role,
                    up=gauge.up,
                    used_tokens=gauge.used_tokens,
                    retained_tokens=gauge.retained_tokens,
                    capacity_tokens=info.capacity_tokens,
                    batch=gauge.batch,
                    max_seqs=info.max_seqs,
                    queued=gauge.queued,
                    busy=_known(series.busy, last, number),
                    link=_known(series.link, last, number),
                    flows=gauge.flows,
                    hits=series.hit_share(number, HITS_S),
                    hits_in_run=series.hit_share(number),
                )
            )
    return bars


def _known(shares: Shares, second: int, server: int) -> float | None:
    share = float(shares[second, server]) if len(shares) >= -second else -1.0
    return share if share >= 0 else None


def _has_link(lane: LaneView) -> bool:
    return any(server.link_tokens_per_s > 0 for server in lane.info.servers)


def _queued(place: int, lane: LaneView) -> ChartLine:
    series = lane.servers
    return ChartLine(place, lane.info.name, series.seconds.tolist(), series.queued.sum(axis=1).tolist())


def _most(place: int, lane: LaneView, shares: Shares) -> ChartLine:
    """The highest share among a lane's servers, second by second."""
    if not shares.size:
        return ChartLine(place, lane.info.name, [], [])
    most = shares.max(axis=1).tolist()
    seconds = lane.servers.seconds.tolist()
    return ChartLine(place, lane.info.name, seconds, [None if value < 0 else value for value in most])


def _fault_rows(snapshot: Snapshot, width: int, height: int) -> list[Row]:
    rows: list[Row] = []
    for lane in snapshot.lanes:
        if lane.gauges is not None and lane.gauges.faults:
            rows.append(row((f"NOW {lane.info.name}: {', '.join(lane.gauges.faults)}", "bad")))
    for fault in reversed(snapshot.faults):
        value = "" if fault.value is None else f"{fault.value:g}"
        until = "for good" if fault.until_ps is None else f"until {clock_words(fault.until_ps)}"
        over = fault.until_ps is not None and fault.until_ps <= snapshot.at_ps
        cells = [
            (clock_words(fault.at_ps), "plain"),
            (snapshot.hello.lanes[fault.lane].name, "plain"),
            (f"{fault.kind} {fault.target} {value}".strip(), "plain"),
            (f"{until}{', over' if over else ''}", "quiet" if over else "bad"),
        ]
        rows.append(columns_row(cells, [9, 12, 24, max(10, width - 48)]))
    return rows[:height] or [row(("Nothing is broken. Press x to break something.", "quiet"))]
