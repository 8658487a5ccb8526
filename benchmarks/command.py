"""The whole command, warm: `subsecond run --trace` on a Mooncake-format trace, wall time and peak memory.

python benchmarks/command.py [--requests 16000,1000000] [--repeats 3]

Requests have 500 to 2,000 tokens in and 100 to 300 out, and arrive at 20 per second; both pipelines of the default
scenario run. In the same minute it times an interpreter that does nothing, as a measure of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def write_trace(path: Path, requests: int) -> None:
    """Poisson arrivals, no shared prefixes."""
    rng = random.Random(1)
    at_ms, block = 0.0, 0
    with path.open("w") as file:
        for _ in range(requests):
            at_ms += rng.expovariate(20) * 1000
            prompt = rng.randint(500, 2000)
            blocks = list(range(block, block + -(-prompt // 512)))
            block += len(blocks)
            reply = rng.randint(100, 300)
            row = {"timestamp": int(at_ms), "input_length": prompt, "output_length": reply, "hash_ids": blocks}
            file.write(json.dumps(row) + "\n")


def run(arguments: list[str]) -> tuple[float, float]:
    """Wall seconds and peak memory in MB of a process of this interpreter."""
    begin = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{arguments} ended with {status}")
    return time.perf_counter() - begin, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", default="16000,1000000")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    command = ["-c", "from subsecond.tui.cli import main; main()", "run", "--trace"]
    with tempfile.TemporaryDirectory() as folder:
        for requests in map(int, options.requests.split(",")):
            trace = Path(folder) / f"{requests}.jsonl"
            write_trace(trace, requests)
            run([*command, str(trace)])  # compiles, and warms the disk's cache
            nothing = min(run(["-c", "pass"])[0] for _ in range(options.repeats))
            walls, sizes = zip(*(run([*command, str(trace)]) for _ in range(options.repeats)), strict=True)
            print(
                f"{requests:>9,} requests: {min(walls):.2f} s, {max(sizes):.0f} MB"
                f" ({2 * requests / min(walls):,.0f} turns/s in all; an empty interpreter takes {nothing:.3f} s)"
            )


if __name__ == "__main__":
    main()
