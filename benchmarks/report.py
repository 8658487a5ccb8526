"""Comparisons and reports of long recordings: seconds of a core, memory, and how large a page is.

python benchmarks/report.py [--turns 100000] [--sessions 4000]

The recording is written as `subsecond run --record` writes it, from a scenario with that many sessions.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from subsecond.agents.plan import plan_run
from subsecond.engine.comparison.compare import compare
from subsecond.engine.comparison.sides import budgets_in, read_sides
from subsecond.engine.recording.from_run import write_run
from subsecond.engine.recording.reader import Recording
from subsecond.engine.report.chapter import chapter_of
from subsecond.engine.report.page import page
from subsecond.engine.report.shell import plot_script
from subsecond.engine.run import run_plan
from subsecond.engine.scenario import apply_settings, load_tables, parse_scenario


def record(path: Path, turns: int, sessions: int) -> None:
    tables, where = load_tables("playground")
    tables.pop("duration_s", None)
    rate = f"coding.arrival_rate_per_s={sessions / 40_000}"
    apply_settings(tables, [f"coding.sessions={sessions}", rate, "voice.sessions=100", f"turns={turns // 2}"])
    write_run(path, run_plan(plan_run(parse_scenario(tables, where))))


T = TypeVar("T")


def timed(name: str, act: Callable[[], T]) -> T:
    begin, cpu = time.perf_counter(), time.process_time()
    found = act()
    print(f"{name}: {time.process_time() - cpu:.2f} s of CPU, {time.perf_counter() - begin:.2f} s")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=100_000, help="on both lanes together")
    parser.add_argument("--sessions", type=int, default=4_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long"
        record(path, options.turns, options.sessions)
        with Recording.open(path) as recording:
            budgets = budgets_in(recording.hello())
            print(f"{recording.num_turns:,} turns, {path.stat().st_size / 1e6:.0f} MB")
            first, second = timed("read", lambda: read_sides(recording, "long"))
        timed("compare", lambda: compare(first, second, budgets))
        plotting = plot_script()
        main = {budget.agents: budget for budget in reversed(budgets)}
        text = timed("report", lambda: page([chapter_of(path, "long")], [], main, plotting))
    print(f"page: {len(text) / 1e6:.2f} MB, {(len(text) - len(plotting)) / 1e3:.0f} kB of it not plotly's script")
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
