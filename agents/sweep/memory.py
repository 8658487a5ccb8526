"""Memory of many large arrays: the C library shall keep what is freed for the next run.

By default glibc returns large blocks to the system at once, and gives each thread a heap of its own that it cuts back;
the system then fills every page with zeros anew for each run. For runs of a million turns that is a sixth of the time.
"""

from __future__ import annotations

import ctypes
from typing import Final

__all__ = ["KEEPING", "keep_freed_memory"]

#: Largest block that comes from the heap, in bytes: the most that glibc allows.
_FROM_HEAP = 32 << 20
#: Free memory at the end of the heap that is kept, in bytes: the largest number that it takes.
_KEPT = (1 << 31) - 1
#: The same as environment of a process that starts.
KEEPING: Final = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(_FROM_HEAP),
    "MALLOC_TRIM_THRESHOLD_": str(_KEPT),
}
#: Numbers of `mallopt`, from malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


def keep_freed_memory() -> None:
    """Let this process keep freed memory, up to what it had in use at a time; without glibc nothing happens."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # Windows, macOS, musl
        return
    mallopt(_M_ARENA_MAX, 1)
    mallopt(_M_MMAP_THRESHOLD, _FROM_HEAP)
    mallopt(_M_TRIM_THRESHOLD, _KEPT)
