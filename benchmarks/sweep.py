"""Sweeps: points on two threads against one, and on a cluster of two processes against two threads.

python benchmarks/sweep.py [--points 100] [--turns 100000] [--how own,shared] [--on 1,2,cluster]

The sessions of the playground, at work all the time on both of its pipelines, for as long as the turns take. `own`:
points differ in how many sessions there are, so that nothing is drawn or run twice. `shared`: points differ in the
pipelines, over the same sessions, which are drawn once; a lane that a point leaves as it was is not run again.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

from subsecond.agents.sweep.cluster import Cluster
from subsecond.agents.sweep.memory import keep_freed_memory
from subsecond.agents.sweep.spec import load_spec
from subsecond.agents.sweep.sweep import Executor, fixed_sweep, run_sweep
from subsecond.agents.sweep.threads import Threads
from subsecond.engine.sweep.folder import SweepFolder
from subsecond.engine.sweep.reader import read_sweep

#: Turns per second of the playground's sessions when they are at work all the time.
TURNS_PER_S = 2.46


def sweep_text(points: int, turns: int, how: str) -> str:
    """A sweep of about so many turns a point, on each of two pipelines."""
    side = max(1, round(points**0.5))
    fixed: dict[str, object] = {"agents.0.steady": "true", "agents.1.steady": "true"}
    fixed["duration_s"] = round(turns / TURNS_PER_S)
    if how == "own":
        coding = [24 - side // 2 + i for i in range(side)]
        axes = {"coding.sessions": coding, "voice.sessions": [48 - side // 2 + i for i in range(points // side)]}
    else:
        axes = {"gpu.replicas": [1 + i for i in range(side)]}
        axes["trn-cs3.ingest_gb_s"] = [150 - 10 * i for i in range(points // side)]
    lines = ['scenario = "playground"', "[set]", *(f'"{key}" = {value}' for key, value in fixed.items())]
    lines += ["[grid]", *(f'"{key}" = {values}' for key, values in axes.items())]
    return "\n".join(lines)


def measure(text: str, executor: Executor) -> tuple[float, float, int, str]:
    """Wall and CPU seconds, turns over all lanes, digest."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "bench.toml"
        path.write_text(text)
        begin, before = time.perf_counter(), cpu_s()
        sweep = fixed_sweep(load_spec(str(path)))
        folder = SweepFolder(Path(name) / "out", sweep.manifest, sweep.text)
        run_sweep(sweep, folder, executor, lambda task, rows, done: None)
        folder.close()
        wall, cpu = time.perf_counter() - begin, cpu_s() - before
        results = read_sweep(Path(name) / "out")
        assert results.is_finished
        assert not results.failures, results.failures[:1]
        lanes = [lane for point in results.points for lane in point.lanes.values()]
        return wall, cpu, sum(group.turns for lane in lanes for group in lane.groups.values()), results.digest


def cpu_s() -> float:
    """CPU seconds of this process and of those that it started and that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def executor_of(name: str) -> Executor:
    return Cluster("local", processes=2) if name == "cluster" else Threads(int(name), compiled=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--turns", type=int, default=100_000)
    parser.add_argument("--how", default="own,shared")
    parser.add_argument("--on", default="1,2,cluster")
    options = parser.parse_args()
    keep_freed_memory()  # as the command does
    measure(sweep_text(1, 1_000, "own"), Threads(1, compiled=True))  # loads the compiled core
    for how in options.how.split(","):
        text = sweep_text(options.points, options.turns, how)
        digests = set()
        for on in options.on.split(","):
            wall, cpu, turns, digest = measure(text, executor_of(on))
            digests.add(digest)
            rate = f"{turns / wall / 1e6:.2f} M turns/s"
            print(
                f"{how:>7} {on:>8}: {wall:7.2f} s wall, {cpu:7.2f} s CPU, {turns:,} turns over all lanes, {rate}; "
                f"load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
        assert len(digests) == 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:,.0f} MB")


if __name__ == "__main__":
    main()
