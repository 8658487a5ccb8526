"""Data as a run gives them, an app that shows one widget, and plain-text goldens of what it paints."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widget import Widget

from subsecond.engine.feed import OpenTurn
from subsecond.engine.turns import TurnState
from subsecond.tui.widgets.bars import OccupancyBars, ServerBar, StageBar, StageBars
from subsecond.tui.widgets.chart import ChartLine, LineChart
from subsecond.tui.widgets.heat import HeatCell, HeatMap
from subsecond.tui.widgets.histogram import Histogram, Latencies
from subsecond.tui.widgets.lanes import LaneTurns, LiveLanes
from subsecond.tui.widgets.slider import Slider
from subsecond.tui.widgets.snippets import Snippet, Snippets
from subsecond.tui.widgets.spans import Span, SpanBars, SpanMark
from subsecond.tui.widgets.table import Column, LiveTable, TableRow
from subsecond.tui.widgets.theme import THEMES
from subsecond.tui.widgets.timeline import Timeline, TimelineData
from subsecond.tui.widgets.typing import SpeechLane, SpeechTimeline, TypedLane, TypedReplies
from subsecond.tui.widgets.waterfall import Waterfall, WaterfallLane

GOLDEN = Path(__file__).parent / "golden"
MS = 10**9
STAGES = (
    "audio_in",
    "endpointing",
    "network",
    "routing",
    "prefill_queue",
    "prefill",
    "handoff",
    "decode_first",
    "decode_rest",
    "lost",
    "retry",
    "tools",
    "text_to_speech",
)
TEXT = "The failing test reads the wrong column: rename it in two places, then run the suite again. "


def stages(**ms: float) -> tuple[int, ...]:
    """Times by place from times by name."""
    return tuple(round(ms.get(name, 0) * MS) for name in STAGES)


FAST = stages(network=26, routing=18, prefill=34, handoff=1.2, decode_first=2.1, decode_rest=108, tools=278)
SLOW = stages(network=26, routing=18, prefill_queue=410, prefill=120, decode_first=31, decode_rest=640, tools=278)
VOICE = stages(audio_in=17, endpointing=254, network=13, prefill=40, decode_first=12, decode_rest=60, text_to_speech=94)


def open_turns(count: int, at_ms: int = 5000) -> tuple[OpenTurn, ...]:
    """Turns of two agent kinds that are open longer and longer."""
    turns = []
    for place in range(count):
        age = 90 + 170 * place
        closed = stages(network=13, routing=18, prefill=min(60, age - 40))
        kind, stage = place % 2, STAGES.index("decode_rest" if place % 3 else "tools")
        since = at_ms * MS - age * MS + sum(closed)
        turns.append(OpenTurn(1000 + place, place, 0, kind, (at_ms - age) * MS, stage, since, closed))
    return tuple(turns)


def table_rows(count: int, seed: int = 0) -> tuple[TableRow, ...]:
    """Sessions with a latency that the seed changes."""
    rng = np.random.default_rng(seed)
    latencies = rng.integers(100, 3000, count).tolist()
    return tuple(
        TableRow(
            key=place,
            cells=(f"s{place}", "coding" if place % 3 else "voice", f"{ms} ms", "! late" if ms > 1000 else "in time"),
            values=(place, "coding" if place % 3 else "voice", ms, ms > 1000),
            ink="bad" if ms > 1000 else "plain",
        )
        for place, ms in enumerate(latencies)
    )


COLUMNS = (
    Column("session", "session", 8),
    Column("agent", "agent", 8, grow=True),
    Column("last", "last", 8, right=True, descending=True),
    Column("state", "state", 10, since=50),
)


def make_table() -> LiveTable:
    table = LiveTable(COLUMNS, sort="last", empty="No session yet.")
    table.update(table_rows(40))
    return table


def make_chart() -> LineChart:
    chart = LineChart("p95")
    xs = [float(x) for x in range(60)]
    fast = [0.4e12 + 0.1e12 * np.sin(x / 5) for x in xs]
    slow = [None if 20 <= x < 25 else 0.9e12 + 0.4e12 * np.sin(x / 9) for x in xs]
    chart.update([ChartLine(0, "trn-cs3", xs, fast), ChartLine(1, "gpu", xs, slow)], x_range=(0, 60), budget=1e12)
    return chart


def make_chart_with_before() -> LineChart:
    chart = LineChart("p95", x_text=lambda x: f"{x:+.0f} s")
    xs = [float(x) for x in range(-10, 45)]
    since = [0.4e12 if x < 0 else 0.4e12 + 1.2e12 * np.exp(-x / 15) for x in xs]
    usual = [0.4e12 + 0.05e12 * np.sin(x / 5) for x in range(60)]
    lines = [ChartLine(0, "trn-cs3", xs, since), ChartLine(1, "gpu", xs, [0.9e12 for _ in xs])]
    ghosts = [ChartLine(lane, "", range(60), ys, is_ghost=True) for lane, ys in enumerate((usual, [0.8e12] * 60))]
    chart.update([*lines, *ghosts], x_range=(-10, 60), budget=1e12, mark_x=0)
    return chart


def make_stage_bars() -> StageBars:
    bars = StageBars()
    rows = [StageBar(0, "trn-cs3", FAST, "96 % in time"), StageBar(1, "gpu", SLOW, "41 % in time")]
    bars.update(rows, STAGES, 1000 * MS)
    return bars


def make_histogram() -> Histogram:
    histogram = Histogram()
    rng = np.random.default_rng(3)
    sets = [Latencies(lane, name, (rng.gamma(4, mean / 4, 900) * MS).astype(np.int64)) for lane, name, mean in
            ((0, "trn-cs3", 600), (1, "gpu", 1200))]  # fmt: skip
    histogram.update(sets, budget_ps=1000 * MS)
    return histogram


def make_occupancy() -> OccupancyBars:
    bars = OccupancyBars()
    bars.update(
        [
            ServerBar(
                0, "prefill-0", "prefill", True, 120_000, 300_000, 1_200_000, 4, 0, 0, 0.31, hits=0.86, hits_in_run=0.8
            ),
            ServerBar(0, "decode-0", "decode", False, 0, 0, 600_000, 0, 64, 12, 0.0, link=0.42, flows=3),
            ServerBar(1, "gpu-0", "gpu", True, 610_000, 80_000, 700_000, 64, 64, 1234, 0.99),
            ServerBar(1, "gpu-1", "gpu", True, 1, 0, 700_000, 1, 64, 0, None),
        ]
    )
    return bars


def make_lanes() -> LiveLanes:
    lanes = LiveLanes()
    lanes.update(
        [
            LaneTurns(0, "trn-cs3", 5000 * MS, open_turns(5), 5),
            LaneTurns(1, "gpu", 5000 * MS, open_turns(14), 31, "wafer down"),
        ],
        stages=STAGES,
        agents=("coding", "voice"),
        budgets_ps=(1000 * MS, 800 * MS),
    )
    return lanes


def make_waterfall() -> Waterfall:
    waterfall = Waterfall()
    waterfall.update(
        [
            WaterfallLane(
                0, "trn-cs3", FAST, None, TurnState.ANSWERED, (1, -1), ("", "", "", "", "", "1,200 of 9,000 tokens")
            ),
            WaterfallLane(1, "gpu", SLOW, None, TurnState.ANSWERED, (0, -1)),
            WaterfallLane(2, "open", stages(network=13, prefill=200), STAGES.index("prefill")),
            WaterfallLane(3, "other", ()),
        ],
        stages=STAGES,
        budget_ps=1000 * MS,
    )
    return waterfall


def make_replies() -> TypedReplies:
    replies = TypedReplies()
    lanes = [TypedLane(0, "trn-cs3", 35 * MS, MS // 2, 120), TypedLane(1, "gpu", 410 * MS, 8 * MS, 120)]
    replies.update(lanes, text=TEXT, at_ps=700 * MS)
    return replies


def make_speech() -> SpeechTimeline:
    timeline = SpeechTimeline()
    slow = (*VOICE[:5], VOICE[5] + 700 * MS, *VOICE[6:])
    lanes = [SpeechLane(0, "trn-cs3", VOICE, 900 * MS), SpeechLane(1, "gpu", slow, 900 * MS)]
    timeline.update(lanes, stages=STAGES, budget_ps=800 * MS)
    return timeline


def make_slider() -> Slider:
    slider = Slider()
    slider.update([0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0], 12.5, words=lambda ms: f"{ms:g} ms", default=5.0)
    return slider


def high(timeline: Timeline) -> Timeline:
    """The line in as many rows as there are."""
    timeline.styles.height = "1fr"
    return timeline


def make_timeline() -> Timeline:
    timeline = high(Timeline())
    late = np.array([0] * 20 + [1, 3, 9, 4, 2] + [0] * 30 + [2] * 20 + [0] * 16, np.int64)
    timeline.update(TimelineData(90_500 * MS, late, [19_500 * MS], [70_000 * MS]), 45_000 * MS)
    return timeline


def make_snippets() -> Snippets:
    snippets = Snippets(empty="No service.")
    made = [
        Snippet(f"client {place}", tuple(f"line {line} of {place} " + "x" * 9 * line for line in range(3 + 9 * place)))
        for place in range(4)
    ]
    snippets.update(made, title="", empty="")
    snippets.choose(2)
    return snippets


def make_heat() -> HeatMap:
    """Shares over two settings, with a cell that failed and one that there is not."""
    cells = [
        [HeatCell(0.1 * (row + column), f"{10 * (row + column)} %", "✓" if row > 1 else "!") for column in range(6)]
        for row in range(4)
    ]
    cells[1][2], cells[3][5] = HeatCell(0.0, "failed", "x", "bad"), None
    widget = HeatMap()
    widget.update(
        title="gpu: in time",
        across="coding.sessions",
        down="gpu.replicas",
        columns=[str(2**place) for place in range(6)],
        rows=["1", "2", "4", "eight"],
        cells=cells,
        legend="· 0 % ░▒▓ █ 100 %",
        cursor=(1, 2),
    )
    return widget


def make_spans() -> SpanBars:
    """Gains, losses and intervals around a line, and a mark."""
    spans = [
        Span("plain", "as it is", 0.6, 0.6, "60 %"),
        Span("gain", "a change that helps a lot, with a long name", 0.6, 0.9, "90 % ✓", ink="good"),
        Span("loss", "one that does not", 0.6, 0.4, "40 %"),
        Span("tiny", "hardly", 0.6, 0.605, "61 %"),
        Span("sure", "sessions", 0.2, 0.7, "70", 0.5, 0.8),
        Span("open", "more than that", 0.2, 0.95, "> 95", 0.9, None, True),
        Span("none", "cannot be built", 0.6, None, "-"),
    ]
    marks = [SpanMark(0.6, "│", "as it is"), SpanMark(0.8, "╎", "asked for", "budget")]
    widget = SpanBars()
    widget.update(spans, title="turns in time", axis=(0.2, 1.0), text=lambda v: f"{v:.0%}", marks=marks, cursor="gain")
    return widget


MAKERS: dict[str, Callable[[], Widget]] = {
    "table": make_table,
    "chart": make_chart,
    "chart-before": make_chart_with_before,
    "stage_bars": make_stage_bars,
    "histogram": make_histogram,
    "occupancy": make_occupancy,
    "lanes": make_lanes,
    "waterfall": make_waterfall,
    "replies": make_replies,
    "speech": make_speech,
    "slider": make_slider,
    "timeline": make_timeline,
    "snippets": make_snippets,
    "heat": make_heat,
    "spans": make_spans,
}

EMPTY: dict[str, Callable[[], Widget]] = {
    "table": lambda: LiveTable(COLUMNS, empty="No session yet."),
    "chart": lambda: LineChart("p95"),
    "chart-before": lambda: LineChart("p95"),
    "stage_bars": StageBars,
    "histogram": Histogram,
    "occupancy": OccupancyBars,
    "lanes": LiveLanes,
    "waterfall": Waterfall,
    "replies": TypedReplies,
    "speech": SpeechTimeline,
    "slider": Slider,
    "timeline": lambda: high(Timeline()),
    "snippets": lambda: Snippets(empty="No service."),
    "heat": HeatMap,
    "spans": SpanBars,
}


class OneWidget(App[None]):
    """Shows one widget and remembers what tables post."""

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget
        self.posted: list[tuple[str, int | str]] = []
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name

    def compose(self) -> ComposeResult:
        yield self.widget

    def on_live_table_selected(self, event: LiveTable.Selected) -> None:
        self.posted.append(("selected", event.key))

    def on_live_table_highlighted(self, event: LiveTable.Highlighted) -> None:
        self.posted.append(("highlighted", event.key))


def strips_of(widget: Widget):
    """Lines as the compositor gets them: through the widget's line cache."""
    return widget.render_lines(widget.outer_size.region)


def text_of(widget: Widget) -> str:
    """What is on the screen, without colours."""
    return "\n".join(strip.text.rstrip() for strip in strips_of(widget)) + "\n"


def run(widget: Widget, body: Callable[[OneWidget, Pilot[None]], Awaitable[None]], size: tuple[int, int] = (80, 20)):
    """Show a widget and do something with it."""

    async def main() -> None:
        app = OneWidget(widget)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await body(app, pilot)

    asyncio.run(main())


def check_golden(name: str, text: str) -> None:
    """Compare with the file; SUBSECOND_UPDATE_GOLDENS=1 writes it instead."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("SUBSECOND_UPDATE_GOLDENS") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.fixture
def kit() -> SimpleNamespace:
    """All of the above, for test modules that cannot import this file."""
    return SimpleNamespace(**{name: value for name, value in globals().items() if not name.startswith("_")})
