"""Numbers of studies in words."""

from __future__ import annotations

from subsecond.engine import shares
from subsecond.engine.shares import cut_share
from subsecond.engine.sweep.manifest import Value
from subsecond.tui.widgets.text import NOTHING, clean, count_text, time_text

__all__ = [
    "counted_runs",
    "finite",
    "held_words",
    "ms_text",
    "points_text",
    "range_text",
    "rate_text",
    "share_words",
    "value_text",
]

PS_PER_MS = 10**9
#: Numbers beyond which a file is damaged.
_MOST, _MOST_SHARE = 1e18, 1e6


def finite(value: float | None) -> float | None:
    """A number that can be drawn: none that only a damaged file can hold."""
    return value if value is not None and abs(value) < _MOST else None


def ms_text(ms: float | None) -> str:
    """A time in ms."""
    return NOTHING if finite(ms) is None else time_text(float(ms or 0.0) * PS_PER_MS)


def share_words(share: float | None) -> str:
    """A share as per cent, cut after its first decimal, so that 94.96 % does not look like the 95 % it misses."""
    if share is None or not abs(share) < _MOST_SHARE:
        return NOTHING
    return cut_share(share)


def held_words(share: float | None, asked: float | None = None) -> str:
    """A share as the study's command says it; `asked`: what it is held against, see `engine.shares`."""
    return NOTHING if share is None or not abs(share) < _MOST_SHARE else shares.share_words(share, asked)


def rate_text(rate: float) -> str:
    """A number per second."""
    return f"{rate:.2f}" if abs(rate) < 100 else count_text(rate)


def points_text(change: float) -> str:
    """A difference of shares in percentage points."""
    return f"{100 * change:+.1f}"


def value_text(value: Value) -> str:
    """A setting, short."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return clean(value)[:24]
    if isinstance(value, int) and abs(value) < 10**12:
        return f"{value:,}"
    return f"{value:.4g}"


def range_text(low: float, high: float) -> str:
    """A range of settings."""
    return f"{low:.3g}-{high:.3g}"


def counted_runs(done: int, every: int) -> str:
    """How far a sweep is."""
    word = "run" if every == 1 else "runs"
    return f"{every:,} {word}" if done == every else f"{done:,} of {every:,} {word}"
