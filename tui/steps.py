"""Values that a slider offers: a range and steps that suit a number's size, its unit and what it may be."""

from __future__ import annotations

import math
import sys
from itertools import takewhile
from typing import Final

from subsecond.engine.latency.parameters import Domain

__all__ = ["MOST_LINEAR", "steps_of"]

#: Widest range of whole numbers that is offered one by one.
MOST_LINEAR: Final = 64
#: Steps of a share.
SHARE_STEPS: Final = 100
#: A number's steps within a power of ten, and whole numbers that come in powers of two.
_TENS: Final = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
_BINARY: Final = ("devices", "tokens")
#: How far a range goes below and above the default, as factors.
_BELOW, _ABOVE = 1e-2, 1e2
#: Ends of the range of a number whose default is 0, by unit; a guess at what people try.
_FROM_NOTHING: Final = {"us": (1.0, 1e4), "ms": (0.1, 1e4), "devices": (1.0, 64.0), "1/s": (0.01, 100.0)}
_USUAL: Final = (1.0, 1e3)


def steps_of(default: float, value: float, unit: str, domain: Domain) -> tuple[float, ...]:
    """Steps from low to high, with the default and the present value among them.

    Shares and short ranges of whole numbers go evenly, everything else by factors around the default; 0 is the lowest
    step where it is allowed.
    """
    if domain.most - domain.least <= 1.0 and not domain.is_whole:
        found = [step / SHARE_STEPS for step in range(SHARE_STEPS + 1)]
    elif domain.is_whole and domain.most - domain.least <= MOST_LINEAR:
        found = [float(step) for step in range(math.ceil(domain.least), math.floor(domain.most) + 1)]
    else:
        low, high = _FROM_NOTHING.get(unit, _USUAL) if default <= 0 else (default * _BELOW, default * _ABOVE)
        found = [0.0, *_factors(low, high, is_binary=unit in _BINARY and domain.is_whole)]
        if domain.is_whole:
            found = [step for step in found if step % 1 == 0]
    kept = {step for step in found if domain.least <= step <= domain.most}
    return tuple(sorted(kept | {default, value}))


def _factors(low: float, high: float, *, is_binary: bool) -> list[float]:
    """Round numbers from low to high."""
    if is_binary:
        first = max(0, math.floor(math.log2(max(low, 1.0))))
        return list(takewhile(lambda step: step <= high, (2.0**power for power in range(first, 64))))
    low = max(low, sys.float_info.min)  # smaller ones come to be 0
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (float(f"{factor * 10.0**power:.6g}") for power in powers for factor in _TENS)
    return [step for step in steps if low <= step <= high]
