"""Cost per turn of the core as the batch, the queue and the run grow, and its memory.

python benchmarks/growth.py

Each line is a closed population of sessions without think time on one server. Flat is good: the cost must not depend
on how many requests share an iteration or wait for one.
"""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import time

import numpy as np
from loads import MS, load, step_cost

from subsecond.engine.core.config import Link, Pipeline, Pool, Role, Workload
from subsecond.engine.core.engine import Engine
from subsecond.engine.core.execution import load_kernel


def population(sessions: int, turns: int) -> Workload:
    """Sessions that send their next request at once."""
    each = max(1, turns // sessions)
    total = sessions * each
    rng = np.random.default_rng(1)
    output = rng.integers(100, 300, total).astype(np.int32)
    return Workload(
        kinds=("load",),
        num_contexts=sessions,
        session_start_ps=np.sort(rng.integers(0, 1000 * MS, sessions)),
        session_first_request=np.arange(sessions + 1, dtype=np.int64) * each,
        session_parent_request=np.full(sessions, -1, np.int64),
        session_context=np.arange(sessions, dtype=np.int64),
        session_group=np.full(sessions, -1, np.int64),
        session_kind=np.zeros(sessions, np.int64),
        prompt_tokens=rng.integers(20, 100, total).astype(np.int32),
        reuse_tokens=np.zeros(total, np.int32),
        output_tokens=output,
        milestone_tokens=output,
        gap_ps=np.zeros(total, np.int64),
        hold_ps=np.zeros(total, np.int64),
        is_barge_in=np.zeros(total, np.bool_),
        turn=np.arange(total, dtype=np.int64),
        group_tokens=np.zeros(0, np.int64),
    )


def gpu(slots: int) -> Pipeline:
    """One server with as many slots."""
    tokens = slots + 2048
    pool = Pool(Role.COLOCATED, step_cost(tokens, 400, 1, 9000, 10, 1), 1, 1 << 40, slots, token_budget=tokens)
    return Pipeline(entry=pool)


def split(slots: int) -> Pipeline:
    """A prefill server, a link and a decode server with as many slots."""
    prefill = Pool(Role.PREFILL, step_cost(8192, 400, 1, 900, 10, 1), 1, 1 << 40, 1 << 20, token_budget=8192)
    decode = Pool(Role.DECODE, step_cost(slots, 50, 1, 40, 1, 0), 1, 1 << 40, slots)
    return Pipeline(entry=prefill, decode=decode, link=Link(unit_ps=1000, t0_ps=MS, overlap=True, layers=36))


def us_per_turn(pipeline: Pipeline, work: Workload, compiled: bool = True) -> float:
    """CPU microseconds per turn."""
    engine = Engine(pipeline, work, compiled=compiled)
    begin = time.process_time()
    engine.run()
    return 1e6 * (time.process_time() - begin) / work.num_requests


def show_growth() -> None:
    batches = (1, 8, 32, 128, 512, 2048, 8192)
    print("us per turn by batch    " + "".join(f"{b:>8,}" for b in batches))
    for name, make in (("gpu", gpu), ("split", split)):
        row = [us_per_turn(make(b), population(b, 200_000)) for b in batches]
        print(f"  {name:22}" + "".join(f"{us:8.2f}" for us in row) + f"   largest/least {max(row) / min(row):.1f}")
        row = [us_per_turn(make(b), population(b, 8_192), compiled=False) for b in batches]
        print(f"  {name + ', plain':22}" + "".join(f"{us:8.2f}" for us in row))
    queues = (1_000, 10_000, 100_000, 1_000_000)
    print("us per turn by queue    " + "".join(f"{q:>10,}" for q in queues) + "   (64 slots)")
    for name, make in (("gpu", gpu), ("split", split)):
        row = [us_per_turn(make(64), population(q, max(200_000, q))) for q in queues]
        print(f"  {name:22}" + "".join(f"{us:10.2f}" for us in row) + f"   last/first {row[-1] / row[0]:.1f}")


def show_memory(name: str, turns: int) -> None:
    gc.collect()
    pipeline, work = load(name, turns)
    columns = [getattr(work, field) for field in work.__dataclass_fields__]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    engine = Engine(pipeline, work, compiled=True)
    engine.run()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    size = sum(column.nbytes for column in columns if isinstance(column, np.ndarray))
    print(
        f"  {name}: {work.num_requests:,} turns, {work.num_sessions:,} sessions: workload"
        f" {size / work.num_requests:.0f} B/turn, engine {grown / work.num_requests:.0f} B/turn more"
    )


def main() -> None:
    load_kernel(True)
    us_per_turn(gpu(8), population(8, 100))
    if len(sys.argv) > 1:
        show_memory(sys.argv[1], 1_000_000)
        return
    print("memory", flush=True)
    for name in ("G70", "D70"):  # each in a process of its own: the peak of a process does not fall
        subprocess.run([sys.executable, __file__, name], check=True)
    show_growth()


if __name__ == "__main__":
    main()
