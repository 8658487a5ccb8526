"""Turns over time as rows of block characters: p95 without the fault and with it, and the share in budget with it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text

from subsecond.engine.drills.outcome import KindOutcome, LaneOutcome
from subsecond.engine.drills.windows import FOREVER, Strip
from subsecond.tui.widgets.text import clean, clock_text, time_text

__all__ = ["picture_of"]

PS_PER_S = 10**12
_BLOCKS = "▁▂▃▄▅▆▇█"
_LABEL = 12


def picture_of(lane: LaneOutcome, found: KindOutcome) -> list[Text]:
    """The lines of one lane and agent kind."""
    without, with_fault = found.strips
    low, high = _extent([without, with_fault])
    what = f"p95 of the turns that begin in each {without.width_ps / PS_PER_S:g} s"
    head = f"{lane.lane}, {found.kind}: {what}, {time_text(low)} to {time_text(high)}"
    lines = [Text(clean(head), "bold")]
    for label, strip in (("without", without), ("with", with_fault)):
        lines.append(_line(label, "".join(_height(value, low, high) for value in strip.p95_ps)))
    kept = "".join(" " if share is None else _BLOCKS[min(7, int(share * 8))] for share in with_fault.kept)
    lines.append(_line("in budget", kept))
    lines.append(_line("fault", _marks(lane, without)))
    lines.append(_line("", _axis(without)))
    return lines


def _line(label: str, cells: str) -> Text:
    return Text(f"  {label:<{_LABEL - 2}}{cells}".rstrip(), no_wrap=True)


def _extent(strips: Sequence[Strip]) -> tuple[int, int]:
    values = [v for strip in strips for v in strip.p95_ps if v is not None and v < FOREVER]
    return min(values, default=1), max(values, default=1)


def _height(value: int | None, low: int, high: int) -> str:
    """One cell, by the logarithm; x where one turn in twenty or more fails."""
    if value is None:
        return " "
    if value >= FOREVER:
        return "x"
    span = math.log(max(high, 1) / max(low, 1))
    share = math.log(max(value, 1) / max(low, 1)) / span if span > 0 else 0.0
    return _BLOCKS[min(7, int(share * 8))]


def _marks(lane: LaneOutcome, strip: Strip) -> str:
    marks = []
    for begin in strip.begin_ps:
        end = begin + strip.width_ps
        hit = any(
            spell.begin_ps < end and (spell.end_ps is None or spell.end_ps > begin) for spell in lane.strike.spells
        )
        marks.append("━" if hit else " ")
    return "".join(marks)


def _axis(strip: Strip) -> str:
    """Times below the columns, each where it begins, as many as there is room for."""
    cells = [" "] * (len(strip.begin_ps) + 8)
    free = 0
    for place in range(0, len(strip.begin_ps), 10):
        word = clock_text(strip.begin_ps[place] / PS_PER_S)
        if place >= free and place + len(word) <= len(cells):
            cells[place : place + len(word)] = word
            free = place + len(word) + 2
    return "".join(cells)
