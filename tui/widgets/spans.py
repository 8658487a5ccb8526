"""Horizontal bars from a common start with intervals: a tornado of effects, or amounts that are surely kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from subsecond.tui.widgets.canvas import Canvas, Line, Row
from subsecond.tui.widgets.text import clean, fit, width_of

__all__ = ["Span", "SpanBars", "SpanMark"]


@dataclass(frozen=True, slots=True)
class Span:
    """A bar.

    Attributes:
        start, value: its ends; a value below the start is drawn lighter.
        low, high: an interval, drawn over it; None: there is none on that side.
        is_open: whether the true end may lie beyond.
        note: behind the bar.
    """

    key: int | str
    name: str
    start: float
    value: float | None
    note: str
    low: float | None = None
    high: float | None = None
    is_open: bool = False
    ink: str = "plain"


@dataclass(frozen=True, slots=True)
class SpanMark:
    """A place on the axis that all bars are held against."""

    at: float
    glyph: str
    words: str
    ink: str = "quiet"


@dataclass(frozen=True, slots=True)
class _Data:
    title: str
    spans: tuple[Span, ...]
    low: float
    high: float
    text: Callable[[float], str]
    marks: tuple[SpanMark, ...]
    cursor: int | str | None


class SpanBars(Canvas, can_focus=True):
    """Bars on one scale, those around the row under the cursor where there is no room for all."""

    help_text: ClassVar[str] = (
        "The bars in focus: █ to the right of the line is more than without the change, ▒ to the left of it less; ├─┤ "
        "is the interval within which the true value lies. The bar under the cursor of the table has ▸."
    )

    def __init__(self, *, empty: str = "There is nothing to draw.") -> None:
        super().__init__(empty=empty)
        self._data: _Data | None = None

    def update(
        self,
        spans: Sequence[Span],
        *,
        title: str,
        axis: tuple[float, float],
        text: Callable[[float], str],
        marks: Sequence[SpanMark] = (),
        cursor: int | str | None = None,
    ) -> None:
        """Show bars.

        Args:
            axis: its ends; what is beyond is drawn at them.
            text: how a value on the axis is written.
            cursor: key of the bar to point at.
        """
        low, high = axis
        is_drawn = bool(spans) and math.isfinite(low) and math.isfinite(high) and high > low
        self._data = _Data(title, tuple(spans), low, high, text, tuple(marks), cursor) if is_drawn else None
        self.redraw()

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        data = self._data
        if data is None:
            return None
        names = min(max(width_of(clean(span.name)) for span in data.spans), max(8, width * 3 // 10))
        notes = min(max(width_of(clean(span.note)) for span in data.spans), max(0, width * 2 // 5))
        columns = width - names - notes - 3
        if columns < 8:
            columns, notes = max(1, width - names - 2), 0
        head = [_head(data, width)] if height >= 4 else []
        foot = [_axis(data, width, names + 1, columns)] if height >= 5 else []
        room = max(1, height - len(head) - len(foot))
        at = next((place for place, span in enumerate(data.spans) if span.key == data.cursor), 0)
        top = max(0, min(at - room // 2, len(data.spans) - room))
        rows = [_bar(data, span, width, names, columns, notes) for span in data.spans[top : top + room]]
        return [*head, *rows, *foot][:height]


def _head(data: _Data, width: int) -> Row:
    line = Line(width)
    x = line.put(0, data.title, "strong")
    for mark in data.marks:
        x = line.put(x + 2, mark.glyph, mark.ink)
        x = line.put(x, f" {mark.words} {data.text(mark.at)}", "plain")
    return line.row()


def _axis(data: _Data, width: int, start: int, columns: int) -> Row:
    line = Line(width)
    line.put(start, data.text(data.low), "quiet")
    line.put_right(data.text(data.high), "quiet", end=start + columns)
    return line.row()


def _place(data: _Data, value: float, columns: int) -> int:
    """The column of a value; beyond the axis its ends."""
    share = (value - data.low) / (data.high - data.low)
    return int(min(1.0, max(0.0, share)) * (columns - 1) + 0.5)


def _bar(data: _Data, span: Span, width: int, names: int, columns: int, notes: int) -> Row:
    line, is_cursor = Line(width), span.key == data.cursor
    line.put(0, fit(span.name, names), "strong" if is_cursor else "plain")
    begin = names + 1
    line.put(begin - 1, "▸" if is_cursor else " ", "strong")
    for mark in data.marks:
        line.mark(begin + _place(data, mark.at, columns), mark.glyph, mark.ink)
    if span.value is not None and math.isfinite(span.value):
        one, other = _place(data, span.start, columns), _place(data, span.value, columns)
        glyph = "█" if span.value >= span.start else "▒"
        if one != other:
            low, high = (one + 1, other) if other > one else (other, one - 1)
            line.put(begin + low, glyph * (high - low + 1), span.ink)
        elif span.value != span.start:
            line.mark(begin + one, "▐" if span.value > span.start else "▌", span.ink)
        _interval(data, span, line, begin, columns)
        if span.is_open:
            line.mark(begin + min(columns - 1, other + 1), ">", span.ink)
    if notes:
        line.put(begin + columns + 1, fit(span.note, notes), span.ink)
    return line.row()


def _interval(data: _Data, span: Span, line: Line, begin: int, columns: int) -> None:
    if span.low is None and span.high is None:
        return
    low = 0 if span.low is None else _place(data, span.low, columns)
    high = columns - 1 if span.high is None else _place(data, span.high, columns)
    if high - low < 2:
        return
    line.put(begin + low, "├" if span.low is not None else "─", "strong")
    line.put(begin + low + 1, "─" * (high - low - 1), "strong")
    line.put(begin + high, "┤" if span.high is not None else "─", "strong")
