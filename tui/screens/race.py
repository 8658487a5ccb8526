"""The first screen: who keeps the budgets, who is ahead, what is under way, where the time goes, who is worst."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content

from subsecond.tui.screens import race_rows
from subsecond.tui.screens.base import View
from subsecond.tui.screens.effect_rows import event_words
from subsecond.tui.screens.panel import Panel
from subsecond.tui.screens.room_rows import room_brief
from subsecond.tui.snapshot import Snapshot
from subsecond.tui.stats import SERIES_S
from subsecond.tui.verdict import clock_words
from subsecond.tui.widgets.bars import StageBar, StageBars
from subsecond.tui.widgets.chart import LineChart
from subsecond.tui.widgets.lanes import LiveLanes
from subsecond.tui.widgets.table import Column, LiveTable

__all__ = ["RaceView"]

PS_PER_S = 10**12
#: Seconds that the charts show.
CHART_S = 120
#: Worst sessions in the table.
MOST_WORST = 40


class RaceView(View):
    """The pipelines side by side on the same work."""

    TITLE_WORD = "Race"
    ABOUT = (
        "The same sessions run on every pipeline. On top the verdict; then, for each pipeline and kind of agents, the "
        "median and the 95th percentile of the turns of the last minute and of the run, and the share that kept each "
        "budget. Below, turns that are under way fill in stage by stage against their budget. Every │ in the chart is "
        "a fault, a drill or a change of a parameter; the last one is named, or that which o looks at: 4 shows what "
        "it did."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "o", "app.next_event", "Effect", show=False, tooltip="Name the event before; after the first one, the last"
        )
    ]
    DEFAULT_CSS = """
    RaceView {
        #verdict { height: 2; border-top: none; padding: 0 1; }
        #score { height: 8; }
        #live { height: 1fr; min-height: 4; border-top: solid $primary 40%; }
        #stages { height: auto; max-height: 8; border-top: solid $primary 40%; }
        #bottom { height: 12; }
        #bottom > * { border-top: solid $primary 40%; border-title-color: $foreground; border-title-style: bold; }
        #bottom > *:focus { border-top: heavy $primary; }
        #chart { width: 3fr; }
        #other-chart { width: 3fr; display: none; margin-left: 1; }
        #worst { width: 2fr; margin-left: 1; }
    }
    RaceView.-short #bottom { height: 7; }
    RaceView.-short #stages { max-height: 4; }
    RaceView.-short.-many #stages { display: none; }
    RaceView.-wide #bottom { height: 18; }
    RaceView.-wide #other-chart { display: block; }
    """

    def panels(self) -> ComposeResult:
        waiting = self.dashboard.waiting or "Waiting for the first turns…"
        yield Panel(id="verdict", empty=waiting, help=self.ABOUT)
        yield Panel("Budgets", id="score", empty="Waiting for the service…", help="Who keeps which budget.")
        yield LiveLanes(id="live")
        yield StageBars(id="stages")
        with Horizontal(id="bottom"):
            yield LineChart("p95", id="chart")
            yield LineChart("p95", id="other-chart")
            yield LiveTable(
                [
                    Column("lane", "pipeline", 9),
                    Column("session", "session", 9, grow=True),
                    Column("worst", "worst", 9, right=True),
                    Column("late", "late", 10, right=True, since=44),
                ],
                id="worst",
                empty="The worst sessions show once turns have ended.",
            )

    def paint(self, snapshot: Snapshot) -> None:
        agent = self.dashboard.agent
        is_short = self.has_class("-short")
        self.set_class(len(snapshot.lanes) > 2, "-many")
        self.query_one("#verdict", Panel).show(lambda w, h: race_rows.verdict_rows(snapshot, w, h))
        score = self.query_one("#score", Panel)
        wanted = 1 + race_rows.score_height(snapshot, self.size.width, is_short=is_short)
        if score.styles.height is None or score.styles.height.value != wanted:
            score.styles.height = wanted
        room, is_now = self.dashboard.room, self.dashboard.travel.replay is None
        rooms = room.of(snapshot) if room.is_there and is_now else []
        brief = [room_brief(rooms, lane) for lane in snapshot.lanes]
        score.show(
            lambda w, h: race_rows.score_rows(snapshot, w, is_short=is_short, rooms=brief)[:h],
            title=f"Budgets kept: now is the last {snapshot.window_ps // PS_PER_S} s",
        )
        self.query_one(LiveLanes).update(
            race_rows.lane_turns(snapshot),
            stages=snapshot.hello.stages,
            agents=snapshot.hello.agents,
            budgets_ps=[snapshot.limit_ps(kind) for kind in range(len(snapshot.hello.agents))],
        )
        self._paint_stages(snapshot, agent)
        self._paint_chart(snapshot, "#chart", agent)
        if self.has_class("-wide"):
            self._paint_chart(snapshot, "#other-chart", (agent + 1) % len(snapshot.hello.agents))
        worst = self.query_one("#worst", LiveTable)
        worst.border_title = f"Worst sessions of {snapshot.window_ps // PS_PER_S} s"
        worst.update(race_rows.worst_rows(snapshot, MOST_WORST))

    def _paint_stages(self, snapshot: Snapshot, agent: int) -> None:
        bars = [
            StageBar(place, lane.info.name, lane.now[agent].stages_ps, f"{lane.now[agent].answered} turns")
            for place, lane in enumerate(snapshot.lanes)
        ]
        stages = self.query_one(StageBars)
        stages.border_title = f"Mean time of a {snapshot.hello.agents[agent]} turn{self._other(snapshot)}"
        stages.update(bars, snapshot.hello.stages, snapshot.limit_ps(agent))

    def _paint_chart(self, snapshot: Snapshot, which: str, agent: int) -> None:
        chart = self.query_one(which, LineChart)
        chart.border_title = f"p95 over 10 s, {snapshot.hello.agents[agent]}"
        now_s = snapshot.at_ps / PS_PER_S
        from_s = max(0.0, now_s - min(CHART_S, SERIES_S))
        events = [event for event in snapshot.events if from_s <= event.at_ps / PS_PER_S <= now_s]
        if events:
            looked_at = None if snapshot.effect is None else snapshot.effect.event.number
            event = next((event for event in events if event.number == looked_at), events[-1])
            words = event_words(event, [lane.info for lane in snapshot.lanes])
            name = snapshot.hello.agents[agent]
            chart.border_title = Content(f"p95 over 10 s, {name}  │ {clock_words(event.at_ps)} {words}")
        chart.update(
            race_rows.chart_lines(snapshot, agent),
            x_range=(from_s, max(now_s, 20.0)),
            budget=snapshot.limit_ps(agent),
            marks=[event.at_ps / PS_PER_S for event in events],
        )

    def _other(self, snapshot: Snapshot) -> str:
        return "" if len(snapshot.hello.agents) < 2 else "  (k: other agents)"

    def on_live_table_selected(self, event: LiveTable.Selected) -> None:
        """Open the turn that made the session one of the worst."""
        self.dashboard.open_turn(int(str(event.key).split("/")[2]))
