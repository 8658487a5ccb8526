"""The whole dashboard in a terminal: CPU per frame and share of a core, screen by screen.

python benchmarks/dashboard.py [--sessions 1000] [--sizes 80x24,120x40,200x60] [--views race,turn,...] [--seconds 10]
                               [--speed 1] [--profile]

The engine service runs live in a process of its own, two coding sessions to three voice calls, servers in number with
the sessions. The dashboard watches it over its websocket in a pseudo-terminal, as `subsecond live` does, so a frame
holds all of it: reading and decoding messages, the model and its snapshot, drawing, escape codes. CPU is the process's
own over the seconds measured, divided by the snapshots drawn in them. `--profile` prints where it is spent.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import pstats
import sys
import tempfile
import time
from pathlib import Path

from crowd import crowd_settings
from terminal import Terminal

from subsecond.tui.owned import OwnedService

VIEWS = ("race", "turn", "sessions", "pipelines", "feel", "economics")
#: Seconds from the first turns on the screen until the measurement, in which caches fill.
SETTLE_S = 14.0


def watch(url: str, view: str, seconds: float, out: Path, *, is_profiled: bool) -> None:
    """In the terminal: show a screen, and write what its frames cost."""
    from subsecond.tui.app import SubsecondApp
    from subsecond.tui.source import LiveSource

    class Counted(SubsecondApp):
        frames = 0

        def draw(self) -> None:
            before = self.snapshot
            super().draw()
            self.frames += self.snapshot is not before

    app = Counted(LiveSource(url))
    profile = cProfile.Profile()

    async def measure() -> None:
        while app.snapshot is None or not app.snapshot.has_turns:
            await asyncio.sleep(0.1)
        app.call_later(app.action_view, view)
        await asyncio.sleep(SETTLE_S)
        if is_profiled:
            profile.enable()
        frames, cpu, wall = app.frames, time.process_time(), time.perf_counter()
        await asyncio.sleep(seconds)
        cpu_s, wall_s = time.process_time() - cpu, time.perf_counter() - wall
        profile.disable()
        assert app.snapshot is not None
        lanes = app.snapshot.lanes
        out.write_text(
            json.dumps(
                {
                    "frames": app.frames - frames,
                    "cpu_s": cpu_s,
                    "wall_s": wall_s,
                    "open": sum(lane.gauges.open_turns for lane in lanes if lane.gauges is not None),
                }
            )
        )
        app.exit()

    async def main() -> None:
        measuring = asyncio.create_task(measure())
        await app.run_async()
        await measuring

    asyncio.run(main())
    if app.return_code:
        raise SystemExit(app.return_code)
    if is_profiled:
        profile.dump_stats(out.with_suffix(".profile"))


def measure(url: str, view: str, size: str, seconds: float, *, is_profiled: bool) -> None:
    """Print a line for a screen at a size."""
    columns, rows = map(int, size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        command = [sys.executable, __file__, "--watch", url, "--views", view, "--seconds", str(seconds)]
        command += ["--out", str(out), *(["--profile"] if is_profiled else [])]
        terminal = Terminal(command, columns, rows)
        if terminal.wait():
            raise SystemExit(f"the dashboard ended with {terminal.process.returncode}")
        seen = json.loads(out.read_text())
        cpu_s, wall_s, frames = seen["cpu_s"], seen["wall_s"], seen["frames"]
        print(
            f"{size:>8} {view:<10}{1000 * cpu_s / frames:6.1f} ms CPU per frame,{frames / wall_s:5.1f} frames/s,"
            f"{100 * cpu_s / wall_s:6.1f} % of a core, {seen['open']:,} turns open",
            flush=True,
        )
        if is_profiled:
            pstats.Stats(str(out.with_suffix(".profile"))).sort_stats("tottime").print_stats(35)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--sizes", default="80x24,120x40,200x60")
    parser.add_argument("--views", default=",".join(VIEWS))
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--watch", metavar="URL", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.watch:
        watch(options.watch, options.views, options.seconds, options.out, is_profiled=options.profile)
        return
    arguments = ["playground", "--head-start", "120", "--speed", str(options.speed)]
    for setting in crowd_settings(options.sessions):
        arguments += ["--set", setting]
    with OwnedService(arguments) as service:
        url = service.start()
        for size in options.sizes.split(","):
            for view in options.views.split(","):
                measure(url, view, size, options.seconds, is_profiled=options.profile)


if __name__ == "__main__":
    main()
