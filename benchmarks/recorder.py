"""The recorder: CPU at a live run's pace, delay until a turn is in the file, most turns per second, seeks.

python benchmarks/recorder.py [--rate 5000] [--seconds 20] [--turns 1000000]

The live part puts turns in bursts of 10 ms, and gauges of two lanes with 20 servers ten times a second, as the service
does. CPU is that of the recorder's thread and of `put`, as a share of one core; both are measured by the threads' own
clocks, so that other processes do not count. The delay is from `put` until the commit.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from subsecond.engine.core.results import STAGES
from subsecond.engine.feed import BudgetInfo, Gauges, Hello, LaneInfo, OpenTurn, ServerGauge, ServerInfo, TurnEnd
from subsecond.engine.recording.reader import Recording
from subsecond.engine.recording.writer import Recorder

MS, S = 10**9, 10**12
STAGE_NAMES = ("endpointing", "speech_to_text", *STAGES, "tools", "text_to_speech")
SERVERS = 20


def hello() -> Hello:
    servers = tuple(ServerInfo(f"gpu[{i}]", "gpu", 10**6, 256) for i in range(SERVERS))
    return Hello(
        version=1,
        run="benchmark",
        scenario="benchmark",
        title="",
        seed=1,
        agents=("coding", "voice"),
        stages=STAGE_NAMES,
        lanes=tuple(LaneInfo(name, name, "model", "shipping", servers, ()) for name in ("split", "gpu")),
        budgets=tuple(BudgetInfo(f"b{i}", "coding", 1000 * MS, None, None, 95.0, "") for i in range(3)),
        duration_ps=None,
        recording="",
    )


def turn(number: int, end_ps: int) -> TurnEnd:
    """The `number`-th turn; its times are as ragged as real ones."""
    latency = 200 * MS + number * 7_919_123_457 % (2000 * MS)
    parts = tuple(latency // 20 + place * 1_234_567 if place % 3 else 0 for place in range(len(STAGE_NAMES)))
    return TurnEnd(
        number % 2,
        number // 2,
        number // 2 % 1000,
        number // 2000,
        number % 2,
        1,
        end_ps - latency,
        latency,
        latency // 2,
        25 * MS + number % 997,
        parts,
        (1, 0, -1),
        1,
        12_345 + number % 5000,
        10_000 + number % 3000,
        300 + number % 200,
        0,
    )


def gauges(at_ps: int, lane: int) -> Gauges:
    stages = (0,) * len(STAGE_NAMES)
    oldest = tuple(OpenTurn(i, i, 3, 0, at_ps - i * MS, 5, at_ps - MS, stages) for i in range(64))
    servers = tuple(ServerGauge(True, i, 30, 500_000 + i, 1000, at_ps // 2, 0, 3) for i in range(SERVERS))
    return Gauges(at_ps, lane, 200, oldest, servers, 3, ())


def live(path: Path, rate: int, seconds: float) -> None:
    """Turns at a rate, as the service puts them."""
    thread_cpu = [0.0]
    run = Recorder._run

    def timed(recorder: Recorder) -> None:
        run(recorder)
        thread_cpu[0] = time.thread_time()

    Recorder._run = timed  # type: ignore[method-assign]  # to read the thread's clock when it ends
    made = [turn(number, S + number * S // rate) for number in range(round(rate * seconds))]
    delays: list[float] = []
    put_s = 0.0
    with Recorder(path, hello()) as recorder:
        recorder.flush()
        watching = threading.Event()
        watcher = threading.Thread(target=watch, args=(recorder, delays, watching))
        watcher.start()
        begin = time.perf_counter()
        put = ticks = 0
        while put < len(made):
            ticks += 1
            due = min(len(made), round(rate * ticks * 0.01))
            start = time.thread_time()
            for one in made[put:due]:
                recorder.put(one)
            if ticks % 10 == 0:
                for lane in (0, 1):
                    recorder.put(gauges(made[due - 1].end_ps, lane))
            put_s += time.thread_time() - start
            put = due
            time.sleep(max(0.0, begin + ticks * 0.01 - time.perf_counter()))
        wall = time.perf_counter() - begin
        watching.set()
        watcher.join()
    Recorder._run = run  # type: ignore[method-assign]  # as it was
    print(
        f"live, {rate:,} turns/s for {wall:.0f} s: recorder's thread {100 * thread_cpu[0] / wall:.1f} % of a core,"
        f" put {100 * put_s / wall:.2f} %; dropped gauges {recorder.dropped_gauges};"
        f" delay until committed p50 {1000 * statistics.median(delays):.0f} ms, most {1000 * max(delays):.0f} ms"
    )


def watch(recorder: Recorder, delays: list[float], ending: threading.Event) -> None:
    """How long a wait for all that has been put takes, again and again."""
    while not ending.is_set():
        begin = time.perf_counter()
        recorder.flush()
        delays.append(time.perf_counter() - begin)


def most(path: Path, turns: int) -> None:
    """As fast as the recorder can."""
    begin = time.perf_counter()
    with Recorder(path, hello()) as recorder:
        for number in range(turns):
            recorder.put(turn(number, S + number * MS // 5))
            if number % 50_000 == 0:
                recorder.flush()
    wall = time.perf_counter() - begin
    size = path.stat().st_size
    print(f"most: {turns:,} turns in {wall:.1f} s, {turns / wall:,.0f} turns/s, {size / turns:.0f} bytes per turn")


def seeks(path: Path) -> None:
    """Milliseconds of what a screen asks for after a seek, over 50 places."""
    with Recording.open(path) as recording:
        duration = recording.duration_ps
        recording.open_at(0)
        calls: dict[str, Callable[[int], object]] = {
            "state": recording.state_at,
            "500 last turns": lambda at: recording.turn_ends(until_ps=at, last=500),
            "window of 1 s": lambda at: recording.turns(since_ps=at - S, until_ps=at),
            "open turns": recording.open_at,
            "a session": lambda at: recording.session(7, until_ps=at),
        }
        for name, call in calls.items():
            times = []
            for place in range(50):
                begin = time.perf_counter()
                call(S + (duration - S) * place // 50)
                times.append(1000 * (time.perf_counter() - begin))
            print(f"seek, {name}: p50 {statistics.median(times):.1f} ms, most {max(times):.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--turns", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        live(Path(folder) / "live", options.rate, options.seconds)
        most(Path(folder) / "most", options.turns)
        seeks(Path(folder) / "most")


if __name__ == "__main__":
    main()
