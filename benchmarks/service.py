"""The service process at real time with one observer: how late it handles events, and the share of a core it takes.

python benchmarks/service.py [--sessions 100,1000,5000] [--seconds 20]

`subsecond serve` runs the scenario of `benchmarks/live.py` in a process of its own and records it, as it always does;
this process reads the feed. Lateness is what the service says in its last `clock` message (of its last 4,096 wakes);
the share of a core is that of all its threads, read from /proc, so that this runs on Linux alone. Turns and bytes are
those that came over the websocket.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path

import websockets
from crowd import crowd_settings

from subsecond.engine.feed import Clock, TurnEnd, decode_message

HEAD_START_S = 60
#: Seconds after the first message that are not measured: the past of the run comes then.
SETTLE_S = 3.0


def cpu_s(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def watch(url: str, pid: int, seconds: float) -> str:
    """Read the feed for some seconds; what was seen."""
    turns = size = 0
    last: Clock | None = None
    async with websockets.connect(url, max_size=None) as socket:
        begin = time.perf_counter() + SETTLE_S
        cpu = None
        while (now := time.perf_counter()) < begin + seconds:
            data = await socket.recv()
            if now < begin:
                continue
            if cpu is None:
                cpu, begin = cpu_s(pid), now
            message = decode_message(data)
            turns += isinstance(message, TurnEnd)
            size += len(data)
            last = message if isinstance(message, Clock) else last
        assert cpu is not None
        assert last is not None
        share = (cpu_s(pid) - cpu) / (time.perf_counter() - begin)
    return (
        f"late p50 {last.late_p50_ms:5.2f}, p99 {last.late_p99_ms:5.2f} ms, {100 * share:5.1f} % of a core,"
        f" {turns / seconds:,.0f} turns/s, {size / seconds / 1000:,.0f} kB/s"
    )


async def measured(sessions: int, seconds: float, *options: str) -> str:
    """How late a service with so many sessions handles events; `options` are more of `subsecond serve`."""
    settings = [word for setting in crowd_settings(sessions) for word in ("--set", setting)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "subsecond.tui.cli", "serve", "--owned", "--port", "0"),
        *("--head-start", str(HEAD_START_S), *settings, *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        url = json.loads(await process.stdout.readline())["url"]
        return await watch(url, process.pid, seconds)
    finally:
        process.stdin.close()
        await process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", default="100,1000,5000")
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    for sessions in map(int, options.sessions.split(",")):
        print(f"{sessions:>6,} sessions: {asyncio.run(measured(sessions, options.seconds))}", flush=True)


if __name__ == "__main__":
    main()
