"""Looking after processes from outside."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["DEADLINE_S", "is_alive", "programs_in", "until"]

#: Seconds that anything may take, on a machine busy with other things.
DEADLINE_S = 60.0
#: Seconds between two looks.
LOOK_S = 0.05


def is_alive(process: int) -> bool:
    """Whether a process exists and has not ended; one that nobody has waited for yet has ended."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:  # no such system, or it has just gone
        return Path("/proc/self/stat").exists() is False
    return stat.rpartition(") ")[2][:1] not in "ZX"


def programs_in(folder: Path) -> list[str]:
    """Command lines of the processes whose program lies in a folder."""
    listing = subprocess.run(["ps", "-A", "-ww", "-o", "command="], check=True, capture_output=True, text=True)
    return [line for line in listing.stdout.splitlines() if line.startswith(f"{folder}/")]


def until(
    fits: Callable[[], bool], what: str, seen: Callable[[], str] = lambda: "", deadline_s: float = DEADLINE_S
) -> None:
    """Wait until something is so.

    Raises:
        AssertionError: it does not come to be so; with what is to be seen instead.
    """
    deadline = time.monotonic() + deadline_s
    while not fits():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {deadline_s:g} s\n{seen()}")
        time.sleep(LOOK_S)
