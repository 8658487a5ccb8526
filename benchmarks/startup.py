"""Start-up: a first tiny run, warm and cold, as processes of their own.

python benchmarks/startup.py [--cold]

Cold compiles the core into a new cache; without `--cold` it is left out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time

STEPS = {
    "an empty interpreter": "pass",
    "import numpy": "import numpy",
    "import numba": "import numba",
    "import subsecond.engine": "import subsecond.engine",
    "subsecond --help": "import sys; sys.argv[1:] = ['--help']; from subsecond.tui.cli import main; main()",
    "subsecond run": "import sys; sys.argv[1:] = ['run', '-q']; from subsecond.tui.cli import main; main()",
}


def seconds(code: str, **environment: str) -> float:
    """Wall seconds of a process."""
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, env={**os.environ, **environment}
    )
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cold", action="store_true")
    options = parser.parse_args()
    for name, code in STEPS.items():
        print(f"{name:30} {min(seconds(code) for _ in range(5)):6.2f} s")
    if options.cold:
        with tempfile.TemporaryDirectory() as folder:
            code = "from subsecond.engine.core.ahead import compile_ahead; compile_ahead()"
            print(f"{'compiling the core, cold':30} {seconds(code, SUBSECOND_CACHE_DIR=folder):6.2f} s")


if __name__ == "__main__":
    main()
