"""Axes of a sweep as places side by side: a place per value, or per range of values where there are many."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from subsecond.engine.sweep.manifest import Axis, Value

from .text import range_text, value_text

__all__ = ["Scale", "scale_of"]

#: Values above which numbers of a random axis are put together in ranges.
_MOST_VALUES = 16
#: Most ranges.
_RANGES = 12


@dataclass(frozen=True, slots=True)
class Scale:
    """Places of an axis.

    Attributes:
        labels: of the places.
        values: of the places, as `key_of` has them; empty if the places are ranges.
        edges: upper ends of all ranges but the last.
    """

    labels: tuple[str, ...]
    values: dict[str, int]
    edges: tuple[float, ...] = ()

    @property
    def is_ranges(self) -> bool:
        """Whether a place stands for many values."""
        return not self.values

    def place(self, value: Value | None) -> int | None:
        """Where a value lies; None: nowhere."""
        if self.values:
            return self.values.get(key_of(value))
        if value is None or isinstance(value, str) or not math.isfinite(value):
            return None
        return bisect.bisect_left(self.edges, float(value))


def key_of(value: Value | None) -> str:
    """Tells values apart, `True` from 1 as well."""
    return repr(value)


def scale_of(axis: Axis, seen: Sequence[Value]) -> Scale:
    """The scale of an axis.

    Args:
        seen: what points have, in any order.
    """
    own = axis.values if axis.design == "grid" and axis.values else _sorted(seen)
    distinct = {key_of(value): value for value in own}
    numbers = sorted({float(v) for v in own if not isinstance(v, str) and math.isfinite(v)})
    if axis.design == "grid" or len(distinct) <= _MOST_VALUES or len(numbers) < len(distinct):
        labels = tuple(value_text(value) for value in distinct.values())
        return Scale(labels, {key: place for place, key in enumerate(distinct)})
    count = max(2, min(_RANGES, round(math.sqrt(len(numbers)))))
    low, high = numbers[0], numbers[-1]
    is_log = low > 0 and high / low > 10
    ends = [low * (high / low) ** (n / count) if is_log else low + (high - low) * n / count for n in range(count + 1)]
    labels = tuple(range_text(a, b) for a, b in pairwise(ends))
    return Scale(labels, {}, tuple(ends[1:-1]))


def _sorted(values: Sequence[Value]) -> list[Value]:
    return sorted(values, key=lambda v: (isinstance(v, str), v if isinstance(v, str) else float(v), str(v)))
