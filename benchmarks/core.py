"""Speed of the core: turns per CPU second, compiled, as plain Python, and as the naive reference of the tests.

python benchmarks/core.py [--turns 100000] [--loads G70,GOV,GPRE,D70,DOV] [--no-reference]

The ratio to the reference is taken in the same run; it is the figure to compare between machines.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from loads import load

from subsecond.engine.core.config import Pipeline, Workload
from subsecond.engine.core.engine import Engine
from subsecond.engine.core.execution import load_kernel, plan_execution
from subsecond.engine.core.results import Results

NAMES = ("G70", "GOV", "GPRE", "D70", "DOV")


def timed(pipeline: Pipeline, work: Workload, compiled: bool, repeats: int) -> tuple[float, Results]:
    """CPU seconds of the best of some runs, and the results."""
    best = float("inf")
    for _ in range(repeats):
        engine = Engine(pipeline, work, compiled=compiled, can_fail=True)
        begin = time.process_time()
        engine.run()
        best = min(best, time.process_time() - begin)
    return best, engine.results()


def reference_rate(name: str, turns: int) -> float:
    """Turns per CPU second of the naive reference, on fewer turns."""
    from oracle.reference import Reference

    pipeline, work = load(name, turns)
    reference = Reference(pipeline, work, (), 0)
    begin = time.process_time()
    reference.run()
    return work.num_requests / (time.process_time() - begin)


def show(name: str, turns: int, with_reference: bool) -> None:
    pipeline, work = load(name, turns)
    seconds, results = timed(pipeline, work, True, 2)
    fast = work.num_requests / seconds
    plain_pipeline, plain_work = load(name, min(turns, 20_000))
    plain_seconds, _ = timed(plain_pipeline, plain_work, False, 1)
    plain = plain_work.num_requests / plain_seconds
    naive = reference_rate(name, 1_000) if with_reference else float("nan")
    entries = results.servers[0]
    steps = sum(s.iterations for s in results.servers)
    segments = sum(s.segments for s in results.servers)
    busy = entries.busy_ps / max(results.end_ps, 1)
    print(
        f"{name:5} {work.num_requests:>9,} {fast:>12,.0f} {plain:>9,.0f} {naive:>7,.0f} {fast / naive:>8,.0f}x"
        f" {results.events / work.num_requests:>6.1f} {segments / work.num_requests:>6.2f}"
        f" {steps / work.num_requests:>7.1f} {busy:>5.0%} {sum(s.preemptions for s in results.servers):>9,}"
        f" {sum(s.evictions for s in results.servers):>9,}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=100_000)
    parser.add_argument("--loads", default=",".join(NAMES))
    parser.add_argument("--no-reference", action="store_true")
    options = parser.parse_args()
    notice = plan_execution(10**9, True).notice
    if notice:
        print(notice, file=sys.stderr)
    load_kernel(True)
    print("load      turns   compiled/s   plain/s naive/s    ratio events   segm.   iter.  busy preempted   evicted")
    for name in options.loads.split(","):
        show(name, options.turns, not options.no_reference)


if __name__ == "__main__":
    main()
