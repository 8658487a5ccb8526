"""Looking after processes from outside."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["is_alive", "until"]

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


def until(fits: Callable[[], bool], what: str, seen: Callable[[], str] = lambda: "") -> None:
    """Wait until something is so.

    Raises:
        AssertionError: it does not come to be so; with what is to be seen instead.
    """
    deadline = time.monotonic() + DEADLINE_S
    while not fits():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {DEADLINE_S:g} s\n{seen()}")
        time.sleep(LOOK_S)
