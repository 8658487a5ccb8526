"""CPU of each of the dashboard's widgets per painted frame: new data, repaint of what changed, escape codes.

python benchmarks/tui_widgets.py [--size 120x20] [--frames 60]

Best and median of the process's CPU time over the frames, so that neighbours on the machine disturb little; kB are what
would go to the terminal per frame. The data of each frame differ from those before, as in a run.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import random
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
from rich.console import Console
from textual.app import App, ComposeResult
from textual.widget import Widget

from subsecond.engine.core.results import STAGES
from subsecond.engine.feed import OpenTurn
from subsecond.tui.widgets.bars import OccupancyBars, ServerBar, StageBar, StageBars
from subsecond.tui.widgets.chart import ChartLine, LineChart
from subsecond.tui.widgets.histogram import Histogram, Latencies
from subsecond.tui.widgets.lanes import LaneTurns, LiveLanes
from subsecond.tui.widgets.table import Column, LiveTable, TableRow
from subsecond.tui.widgets.theme import DARK
from subsecond.tui.widgets.typing import SpeechLane, SpeechTimeline, TypedLane, TypedReplies
from subsecond.tui.widgets.waterfall import Waterfall, WaterfallLane

MS = 10**9
STAGE_NAMES = (*STAGES, "tools")
LANES = ("trn-cs3", "gpu")
Frame = Callable[[], None]


class One(App[None]):
    """Shows one widget."""

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget
        self.register_theme(DARK)
        self.theme = DARK.name

    def compose(self) -> ComposeResult:
        yield self.widget


def stage_times(rng: random.Random) -> tuple[int, ...]:
    """Stages of a turn."""
    return tuple(rng.randrange(300) * MS for _ in STAGE_NAMES)


def row(key: int, rng: random.Random) -> TableRow:
    """A session."""
    ms = rng.randrange(3000)
    cells = (f"s{key}", "coding", f"{ms} ms", f"{rng.randrange(99)} %", "! late" if ms > 1000 else "in time", "prefill")
    return TableRow(key, cells, (key, "coding", ms, 1, ms > 1000, "prefill"), "bad" if ms > 1000 else "plain")


def table(rng: random.Random, sort: str) -> tuple[Widget, Iterator[Frame]]:
    """1,000 rows of which 200 change; sorted by what changes or by what does not."""
    columns = [
        Column(key, key, 12, grow=key == "agent") for key in ("session", "agent", "last", "kept", "state", "stage")
    ]
    widget = LiveTable(columns, sort=sort)
    rows = [row(key, rng) for key in range(1000)]

    def frames() -> Iterator[Frame]:
        while True:
            for key in rng.sample(range(1000), 200):
                rows[key] = row(key, rng)
            given = tuple(rows)
            yield lambda given=given: widget.update(given)

    widget.update(rows)
    return widget, frames()


def chart(rng: random.Random) -> tuple[Widget, Iterator[Frame]]:
    """Two lines of 120 seconds that move on, each a random walk."""
    widget = LineChart("p95")

    def frames() -> Iterator[Frame]:
        ys = [[5e11] * 120 for _ in LANES]
        for second in range(120, 10**6):
            xs = [float(x) for x in range(second - 120, second)]
            for line in ys:
                line[:] = [*line[1:], min(1e12, max(0.0, line[-1] + rng.gauss(0, 5e10)))]
            lines = [ChartLine(lane, name, xs, tuple(ys[lane])) for lane, name in enumerate(LANES)]
            window = (xs[0], xs[-1])
            yield lambda lines=lines, window=window: widget.update(lines, x_range=window, budget=8e11)

    return widget, frames()


def stage_bars(rng: random.Random) -> tuple[Widget, Iterator[Frame]]:
    """Two pipelines."""
    widget = StageBars()

    def frames() -> Iterator[Frame]:
        while True:
            bars = [StageBar(lane, name, stage_times(rng), "96 % in time") for lane, name in enumerate(LANES)]
            yield lambda bars=bars: widget.update(bars, STAGE_NAMES, 1000 * MS)

    return widget, frames()


def histogram(rng: random.Random) -> tuple[Widget, Iterator[Frame]]:
    """Two pipelines of 4,096 turns each."""
    widget, draw = Histogram(), np.random.default_rng(rng.randrange(99))

    def frames() -> Iterator[Frame]:
        while True:
            sets = [Latencies(lane, name, draw.integers(0, 1500 * MS, 4096)) for lane, name in enumerate(LANES)]
            yield lambda sets=sets: widget.update(sets, budget_ps=1000 * MS)

    return widget, frames()


def occupancy(rng: random.Random) -> tuple[Widget, Iterator[Frame]]:
    """Sixteen servers."""
    widget = OccupancyBars()

    def frames() -> Iterator[Frame]:
        while True:
            servers = [
                ServerBar(0, f"decode-{n}", "decode", True, rng.randrange(900), 99, 1000, n, 64, rng.randrange(9), 0.5)
                for n in range(16)
            ]
            yield lambda servers=servers: widget.update(servers)

    return widget, frames()


def lanes(rng: random.Random) -> tuple[Widget, Iterator[Frame]]:
    """Two pipelines with 24 open turns each, a tenth of a second between frames."""
    widget = LiveLanes()
    closed = [tuple(rng.randrange(40) * MS for _ in STAGE_NAMES) for _ in range(48)]

    def frames() -> Iterator[Frame]:
        for at in range(10**6):
            turns = [OpenTurn(n, n, 0, n % 2, 0, 3, sum(stages), stages) for n, stages in enumerate(closed)]
            now = (600 + 100 * (at % 12)) * MS
            both = [LaneTurns(n, name, now, turns[24 * n : 24 * n + 24], 24) for n, name in enumerate(LANES)]
            yield lambda both=both: widget.update(
                both, stages=STAGE_NAMES, agents=("coding", "voice"), budgets_ps=(1000 * MS, 800 * MS)
            )

    return widget, frames()


def waterfall(rng: random.Random) -> tuple[Widget, Iterator[Frame]]:
    """A turn on two pipelines."""
    widget = Waterfall()

    def frames() -> Iterator[Frame]:
        while True:
            both = [WaterfallLane(n, name, stage_times(rng), None, 1, (0,)) for n, name in enumerate(LANES)]
            yield lambda both=both: widget.update(both, stages=STAGE_NAMES, budget_ps=1000 * MS)

    return widget, frames()


def replies(rng: random.Random) -> tuple[Widget, Iterator[Frame]]:
    """Two replies of 2,000 tokens, at 400 and at 50 tokens per second."""
    widget = TypedReplies()
    text = " ".join("word" * rng.randrange(1, 4) for _ in range(300))
    both = [TypedLane(0, LANES[0], 30 * MS, 5 * MS // 2, 2000), TypedLane(1, LANES[1], 300 * MS, 20 * MS, 2000)]

    def frames() -> Iterator[Frame]:
        for at in range(10**6):
            yield lambda at=at: widget.update(both, text=text, at_ps=at % 50 * 100 * MS)

    return widget, frames()


def speech(rng: random.Random) -> tuple[Widget, Iterator[Frame]]:
    """A voice turn on two pipelines as it plays."""
    widget = SpeechTimeline()
    both = [SpeechLane(n, name, stage_times(rng), 1000 * MS) for n, name in enumerate(LANES)]

    def frames() -> Iterator[Frame]:
        for at in range(10**6):
            yield lambda at=at: widget.update(
                both, stages=STAGE_NAMES, budget_ps=1000 * MS, at_ps=(at % 40 - 10) * 100 * MS
            )

    return widget, frames()


CASES: dict[str, Callable[[random.Random], tuple[Widget, Iterator[Frame]]]] = {
    "table, 200 of 1,000 rows change": lambda rng: table(rng, "session"),
    "table, the same, sorted by what changes": lambda rng: table(rng, "last"),
    "chart": chart,
    "stage bars": stage_bars,
    "histogram": histogram,
    "occupancy": occupancy,
    "live lanes": lanes,
    "waterfall": waterfall,
    "typed replies": replies,
    "speech timeline": speech,
}


async def measure(
    widget: Widget, frames: Iterator[Frame], size: tuple[int, int], count: int
) -> list[tuple[float, int]]:
    """CPU ms and bytes of every frame, the first few left out."""
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", legacy_windows=False)
    app, taken = One(widget), []
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        for _ in range(count + 5):
            frame = next(frames)
            begin = time.process_time()
            frame()
            # What a screen does for its dirty widgets; headless apps leave out the last step.
            app.screen._compositor.update_widgets({widget})
            update = app.screen._compositor.render_update(screen_stack=app._background_screens)
            text = update.render_segments(console) if update is not None else ""  # type: ignore[union-attr]  # Textual types it as any renderable
            taken.append((1000 * (time.process_time() - begin), len(text.encode())))
            await pilot.pause()
    return taken[5:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="120x20")
    parser.add_argument("--frames", type=int, default=60)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    print(f"{'widget, ' + options.size:<42}{'best ms':>9}{'median ms':>11}{'kB':>7}")
    for name, make in CASES.items():
        widget, frames = make(random.Random(1))
        taken = asyncio.run(measure(widget, frames, (width, height), options.frames))
        times, sizes = zip(*taken, strict=True)
        print(f"{name:<42}{min(times):>9.2f}{statistics.median(times):>11.2f}{statistics.mean(sizes) / 1000:>7.1f}")


if __name__ == "__main__":
    main()
