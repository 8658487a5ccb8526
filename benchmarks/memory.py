"""Memory of the dashboard and of the engine service while virtual hours pass, and the size of the recording.

python benchmarks/memory.py [--hours 1] [--speed 60] [--sessions N] [--size 120x40] [--every 5]

The service runs live, as fast as `--speed` says, and the dashboard watches it in a pseudo-terminal. Every few virtual
minutes a line says how much memory both have (resident, as `ps` sees it). In the end the growth per virtual hour, by a
straight line through the second half: in the first one, what is remembered fills up. `--sessions` takes the crowd of
`dashboard.py` instead of the scenario's own sessions.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
from crowd import crowd_settings
from terminal import Terminal

from subsecond.tui.owned import OwnedService

#: Wall seconds between two looks at the service's clock.
LOOK_S = 0.2


def memory_mb(process: int) -> float:
    """Resident memory of a process."""
    done = subprocess.run(["ps", "-o", "rss=", "-p", str(process)], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1000


def virtual_s(url: str) -> float:
    """The service's clock."""
    health = url.replace("ws://", "http://").replace("/v1/observe", "/health")
    with urllib.request.urlopen(health, timeout=60) as answer:
        return float(json.load(answer)["virtual_s"])


def process_of(service: OwnedService) -> int:
    """The service's process, which a dashboard has no use for."""
    assert service._process is not None
    return service._process.pid


def watch(service: OwnedService, url: str, dashboard: int, folder: Path, hours: float, every_s: float) -> np.ndarray:
    """Print a line every so many virtual seconds; gives hours, dashboard, service in MB, [samples, 3]."""
    samples: list[tuple[float, float, float]] = []
    begin, wall = virtual_s(url), time.perf_counter()
    print(f"{'virtual':>8}{'dashboard':>12}{'service':>12}{'recording':>12}")
    while (passed := virtual_s(url) - begin) < hours * 3600 + every_s / 2:
        if passed < len(samples) * every_s:
            time.sleep(LOOK_S)
            continue
        samples.append((passed / 3600, memory_mb(dashboard), memory_mb(process_of(service))))
        recorded = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        print(
            f"{passed / 60:>5.0f} min{samples[-1][1]:>9.1f} MB{samples[-1][2]:>9.1f} MB{recorded:>9.1f} MB", flush=True
        )
    print(f"{samples[-1][0]:.2f} virtual hours in {time.perf_counter() - wall:.0f} s")
    return np.array(samples)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--speed", type=float, default=60.0)
    parser.add_argument("--sessions", type=int)
    parser.add_argument("--size", default="120x40")
    parser.add_argument("--every", type=float, default=5.0, metavar="MINUTES")
    options = parser.parse_args()
    columns, rows = map(int, options.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["playground", "--speed", str(options.speed), "--record", f"{folder}/run.subsecond"]
        for setting in [] if options.sessions is None else crowd_settings(options.sessions):
            arguments += ["--set", setting]
        with OwnedService(arguments) as service:
            url = service.start()
            terminal = Terminal([sys.executable, "-m", "subsecond.tui.cli", "tui", "--attach", url], columns, rows)
            try:
                seen = watch(service, url, terminal.process.pid, Path(folder), options.hours, 60 * options.every)
            finally:
                terminal.process.terminate()
                terminal.wait()
    late = seen[len(seen) // 2 :]
    for name, column in (("dashboard", 1), ("service", 2)):
        print(f"{name}: {np.polyfit(late[:, 0], late[:, column], 1)[0]:+.2f} MB per virtual hour")


if __name__ == "__main__":
    main()
