"""A picture of prices over loads for the terminal: a row per load, a logarithmic axis, marks to hold them against."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.text import Text

from subsecond.tui.widgets.text import clean

__all__ = ["Mark", "Row", "picture"]

_WIDTH = 44


@dataclass(frozen=True, slots=True)
class Row:
    """A load and its price; None: there is none, and `words` say why."""

    label: str
    price: float | None
    words: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Something to compare with: one price, or a band of them; `sign` stands for it."""

    sign: str
    words: str
    low: float
    high: float


def picture(title: str, rows: Sequence[Row], marks: Sequence[Mark]) -> list[Text]:
    """Lines of the picture; none if no row has a price."""
    prices = [row.price for row in rows if row.price is not None and row.price > 0]
    if not prices:
        return []
    ends = [*prices, *(end for mark in marks for end in (mark.low, mark.high) if end > 0)]
    first, last = math.floor(3 * math.log10(min(ends))) / 3, math.ceil(3 * math.log10(max(ends))) / 3
    span = max(last - first, 1 / 3)
    pad = max(len(row.label) for row in rows)

    def at(price: float) -> int:
        return min(max(round((math.log10(max(price, 1e-300)) - first) / span * (_WIDTH - 1)), 0), _WIDTH - 1)

    lines = [Text(f" {clean(title)}", style="bold")]
    for row in rows:
        track = [" "] * _WIDTH
        for mark in marks:
            for place in range(at(mark.low), at(mark.high) + 1):
                track[place] = "░" if mark.high > mark.low else "·"
        if row.price is not None:
            track[at(row.price)] = "●"
        lines.append(Text(f" {clean(row.label):<{pad}} ▕{''.join(track)}▏ {clean(row.words)}"))
    lines.append(Text(f" {'':<{pad}} ▕{_signs(marks, at)}▏"))
    lines.append(Text(f" {'':<{pad}}  {_axis(first, last, at)}", style="dim"))
    lines += [Text(f" {'':<{pad}}  {mark.sign} {clean(mark.words)}", style="dim") for mark in marks]
    return lines


def _signs(marks: Sequence[Mark], at: Callable[[float], int]) -> str:
    """The marks' signs at their places; of those at one place the first."""
    line = [" "] * _WIDTH
    for mark in reversed(marks):
        line[(at(mark.low) + at(mark.high)) // 2] = mark.sign
    return "".join(line)


def _axis(first: float, last: float, at: Callable[[float], int]) -> str:
    """Figures of the axis, as far apart as they need."""
    line, free = [" "] * (_WIDTH + 8), 0
    for power in range(math.floor(first), math.ceil(last) + 1):
        for step in (1, 2, 5):
            price = step * 10.0**power
            if not first - 1e-9 <= math.log10(price) <= last + 1e-9:
                continue
            words = f"{price:g}" if price < 1e5 else f"{price:.0e}"
            place = at(price)
            if place >= free:
                line[place : place + len(words)] = words
                free = place + len(words) + 1
    return "".join(line).rstrip()
