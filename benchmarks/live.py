"""The live driver at real time: how late it handles events, and the share of a core that it takes.

python benchmarks/live.py [--sessions 100,1000,5000] [--seconds 8] [--profile]

Both pipelines of the default scenario run in one process without a feed, two coding sessions to three voice calls and a
reserve as `subsecond serve` has it. Servers grow in number with the sessions, so that queues stay as in the scenario.
Each size runs with the driver alone and then with `look` and `clock_message` ten times a second, as the
service asks for them. Lateness is wall time from when an event is due until it is handled, over all wakes of the
driver; it includes that of the machine's timers, which an empty loop with the same timers shows. On a busy machine
`chrt --fifo 1 python benchmarks/live.py` gives it the processor whenever it asks for it.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import time
from collections.abc import Iterable

import numpy as np
from crowd import crowd_settings

from subsecond.agents.plan import plan_run
from subsecond.engine.feed import TurnEnd
from subsecond.engine.live.clock import PacedClock
from subsecond.engine.live.driver import LEAST_S, LiveDriver
from subsecond.engine.live.lateness import Lateness
from subsecond.engine.run import Plan
from subsecond.engine.scenario import apply_settings, load_tables, parse_scenario

HEAD_START_S = 60
PERIOD_S = 0.1
RESERVE = 400


def make_plan(sessions: int) -> Plan:
    """The default scenario with so many sessions in all."""
    tables, path = load_tables("playground")
    tables.pop("duration_s", None)
    apply_settings(tables, crowd_settings(sessions))
    return plan_run(parse_scenario(tables, path), reserve=RESERVE)


async def watch(driver: LiveDriver, turns: list[int], held_s: list[float]) -> None:
    """Ask as the service does; note the processor time of each slice of a look, which nothing else can interrupt."""
    while True:
        begin = time.thread_time()
        for messages in driver.look():
            turns.append(sum(isinstance(message, TurnEnd) for message in messages))
            held_s.append(time.thread_time() - begin)
            await asyncio.sleep(0)
            begin = time.thread_time()
        driver.clock_message(time.time())
        await asyncio.sleep(PERIOD_S)


async def drive(driver: LiveDriver, seconds: float, *, is_watched: bool) -> tuple[float, int, list[float]]:
    """Run for some seconds; the share of a core, how many turns ended, and what the slices of looks took."""
    turns: list[int] = []
    held_s: list[float] = []
    tasks = [asyncio.create_task(driver.run())]
    if is_watched:
        tasks.append(asyncio.create_task(watch(driver, turns, held_s)))
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    share = (time.process_time() - cpu) / (time.perf_counter() - wall)
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if not isinstance(result, asyncio.CancelledError):
            raise SystemExit(f"the driver stopped: {result!r}")
    return share, sum(turns), held_s


async def timers(seconds: float) -> list[float]:
    """How late timers of this machine are."""
    late = []
    end = time.perf_counter() + seconds
    while (begin := time.perf_counter()) < end:
        await asyncio.sleep(LEAST_S)
        late.append(time.perf_counter() - begin - LEAST_S)
    return late


def shown(late_s: Iterable[float]) -> str:
    p50, p99, p999 = np.quantile(np.array([*late_s] or [0.0]) * 1000, (0.5, 0.99, 0.999))
    return f"p50 {p50:5.2f}, p99 {p99:5.2f}, p99.9 {p999:6.2f} ms"


def measure(sessions: int, seconds: float, *, is_profiled: bool) -> None:
    plan = make_plan(sessions)
    for is_watched in (False, True):
        clock = PacedClock(start_ps=HEAD_START_S * 10**12)
        driver = LiveDriver(plan, clock)
        clock.pause()  # the head start takes a while at this size: it is not what is measured
        driver.catch_up()
        driver.turn_ends()
        clock.resume()
        driver.lateness = Lateness(1 << 20)  # all of them, not the latest alone
        profile = cProfile.Profile()
        if is_profiled and is_watched:
            profile.enable()
        share, turns, held_s = asyncio.run(drive(driver, seconds, is_watched=is_watched))
        profile.disable()
        late = driver.lateness.latest_s()
        print(
            f"{sessions:>6,} sessions, {'watched' if is_watched else 'alone':<7}: late {shown(late)}"
            f" over {len(late):>6,} wakes, {100 * share:5.1f} % of a core"
            + (f", {turns / seconds:,.0f} turns/s; slices of looks: {shown(held_s)}" if is_watched else ""),
            flush=True,
        )
        if is_profiled and is_watched:
            pstats.Stats(profile).sort_stats("tottime").print_stats(16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", default="100,1000,5000")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    print(f"timers of {LEAST_S * 1000:g} ms alone: late {shown(asyncio.run(timers(2.0)))}", flush=True)
    for sessions in map(int, options.sessions.split(",")):
        measure(sessions, options.seconds, is_profiled=options.profile)


if __name__ == "__main__":
    main()
