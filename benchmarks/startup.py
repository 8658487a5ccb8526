"""Start-up: commands, the dashboard and its service, warm and cold, as processes of their own.

python benchmarks/startup.py [--cold]

Cold compiles the core into a new cache; without `--cold` it is left out. The dashboard is `subsecond` alone in a
pseudo-terminal of 120x40: its first paint is the header's first word on the terminal, its first turn the verdict on
those that have ended. All are the best of five.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time

from terminal import Terminal

STEPS = {
    "an empty interpreter": "pass",
    "import numpy": "import numpy",
    "import numba": "import numba",
    "import subsecond.engine": "import subsecond.engine",
    "subsecond --help": "import sys; sys.argv[1:] = ['--help']; from subsecond.tui.cli import main; main()",
    "subsecond run": "import sys; sys.argv[1:] = ['run', '-q']; from subsecond.tui.cli import main; main()",
}

#: What the dashboard writes on its first frame, and once turns have ended on both pipelines.
MARKS = ("Race", "ahead")
#: Seconds between two looks at what it has written.
LOOK_S = 0.02


def seconds(code: str, **environment: str) -> float:
    """Wall seconds of a process."""
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, env={**os.environ, **environment}
    )
    return time.perf_counter() - begin


def dashboard() -> tuple[float, float]:
    """Wall seconds from the start of `subsecond` to its first paint and to its first turn."""
    terminal = Terminal([sys.executable, "-m", "subsecond.tui.cli"], 120, 40, marks=MARKS)
    while len(terminal.seconds) < len(MARKS) and terminal.process.poll() is None:
        time.sleep(LOOK_S)
    terminal.press("q")
    if terminal.wait():
        raise SystemExit(f"the dashboard ended with {terminal.process.returncode}")
    paint, turn = (terminal.seconds[mark] for mark in MARKS)
    return paint, turn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cold", action="store_true")
    options = parser.parse_args()
    for name, code in STEPS.items():
        print(f"{name:30} {min(seconds(code) for _ in range(5)):6.2f} s")
    for name, best in zip(
        ("first paint", "first turn"),
        (min(column) for column in zip(*(dashboard() for _ in range(5)), strict=True)),
        strict=True,
    ):
        print(f"{'subsecond, ' + name:30} {best:6.2f} s")
    if options.cold:
        with tempfile.TemporaryDirectory() as folder:
            code = "from subsecond.engine.core.ahead import compile_ahead; compile_ahead()"
            print(f"{'compiling the core, cold':30} {seconds(code, SUBSECOND_CACHE_DIR=folder):6.2f} s")


if __name__ == "__main__":
    main()
