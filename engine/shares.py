"""Shares of turns in words."""

from __future__ import annotations

import math

__all__ = ["cut_share", "share_words"]


def cut_share(share: float) -> str:
    """A share as per cent, cut after its first decimal: 94.96 % does not look like the 95 % that it misses."""
    return f"{math.floor(1000 * share + 1e-9) / 10:.1f} %"


def share_words(share: float, asked: float | None = None) -> str:
    """A share as per cent, to one decimal; less than all never reads 100.0 %.

    Args:
        asked: share that it is held against; one that misses it, however closely, does not read as if it reached it.
    """
    percent = round(100 * share, 1)
    misses = asked is not None and share < asked <= percent / 100 + 1e-9
    if misses or (share < 1 and percent >= 100):
        percent = math.ceil(1000 * share - 1) / 10
    return f"{percent:.1f} %"
