"""Time series of every pipeline as braille lines that differ in pattern, letter and colour."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from subsecond.tui.widgets.canvas import Canvas, Line, Row
from subsecond.tui.widgets.text import clean, clock_text, lane_mark, round_above, time_text, width_of

__all__ = ["PATTERNS", "ChartLine", "LineChart"]

#: Bits of a braille letter by column and row of its dots.
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_BRAILLE = [" ", *(chr(0x2800 + bits) for bits in range(1, 256))]
#: Which dots of a line are drawn, repeated along it; by the place of the pipeline.
PATTERNS = (
    (True,),
    (True, True, True, False, False),
    (True, False, False),
    (True, True, True, True, False, True, False),
)
#: The same for lines of what was before, which are sparse beside them.
GHOSTS = (
    (True, False, False, False),
    (True, False, False, False, False, False),
    (True, True, False, False, False, False, False, False),
    (True, False, False, False, False, False, False, False, False),
)
_LABEL_CELLS = 8


@dataclass(frozen=True, slots=True)
class ChartLine:
    """A line: the place of its pipeline (letter, pattern and colour), its name, and points in the order of x.

    Attributes:
        xs: as in `x_range`: seconds, say.
        ys: None where there is no value: the line has a gap there.
        is_ghost: what was before: drawn sparsely under the others, with a small letter at its end.
        sign: what stands for it, one cell wide, where the lines are not of pipelines; empty: its pipeline's letter.
    """

    lane: int
    name: str
    xs: Sequence[float]
    ys: Sequence[float | None]
    is_ghost: bool = False
    sign: str = ""

    @property
    def mark(self) -> str:
        """What stands for it."""
        return self.sign or lane_mark(self.lane)


@dataclass(frozen=True, slots=True)
class _Data:
    lines: tuple[ChartLine, ...]
    low: float
    high: float
    top: float
    budget: float | None
    budget_word: str
    marks: tuple[float, ...]
    ticks: tuple[tuple[float, str], ...]


class LineChart(Canvas):
    """Lines over a fixed window with axes, legend and a budget line.

    Args:
        title: first words of the legend.
        y_text, x_text: how values on the axes are written; x is a moment in seconds by default.
        empty: shown until a line has two values.

    Attributes:
        is_over_time: the legend holds the values at the end of the window, none of a line that has ended; else the last
            one of each line.
    """

    is_over_time: ClassVar[bool] = True

    def __init__(
        self,
        title: str,
        *,
        y_text: Callable[[float], str] = time_text,
        x_text: Callable[[float], str] | None = None,
        empty: str = "The chart begins with the second sample.",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(empty=empty, id=id, classes=classes)
        self._title = title
        self._y_text = y_text
        self._x_text = x_text or clock_text
        self._data: _Data | None = None

    def call(self, title: str, y_text: Callable[[float], str]) -> None:
        """Be about something else: first words of the legend, and how values are written."""
        self._title, self._y_text = title, y_text

    def update(
        self,
        lines: Sequence[ChartLine],
        *,
        x_range: tuple[float, float],
        y_max: float | None = None,
        budget: float | None = None,
        budget_word: str = "budget",
        mark_x: float | None = None,
        marks: Sequence[float] = (),
        ticks: Sequence[tuple[float, str]] = (),
    ) -> None:
        """Show lines.

        Args:
            x_range: the window, seconds; points outside are left out.
            y_max: upper end of the y axis (its lower end is 0); None: a round number above values and budget.
            budget: y of the budget line; None: there is none. `budget_word`: what the legend calls it.
            mark_x: x of a mark (the moment that is shown in a rewind); None: no mark. `marks`: of more.
            ticks: places on the x axis with their labels, from left to right; empty: its ends are written.
        """
        low, high = x_range
        drawn = tuple(_within(line, low, high) for line in lines)
        self._data = None
        if high > low and any(sum(y is not None for y in line.ys) >= 2 for line in drawn):
            values = [y for line in drawn for y in line.ys if y is not None]
            top = y_max if y_max is not None and y_max > 0 else round_above(max([*values, budget or 0.0]))
            at = tuple(marks) if mark_x is None else (*marks, mark_x)
            self._data = _Data(drawn, low, high, top, budget, budget_word, at, tuple(ticks))
        self.redraw()

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        data = self._data
        if data is None:
            return None
        legend = [self._legend(data, width)] if height >= 3 else []
        has_axis = height >= 4
        plot_height = height - len(legend) - has_axis
        label = _LABEL_CELLS if width >= 30 else 0
        rows = [*legend, *self._plot(data, width, plot_height, label)]
        if has_axis:
            rows.append(self._axis(data, width, label))
        return rows

    def _legend(self, data: _Data, width: int) -> Row:
        line = Line(width)
        x = line.put(0, self._title, "strong")
        for one in (line for line in data.lines if not line.is_ghost):
            values = one.ys[-1:] if self.is_over_time else one.ys
            last = next((y for y in reversed(values) if y is not None), None)
            ink = line_ink(one.lane)
            x = line.put(x + 2, one.mark, ink)
            x = line.put(x, f" {one.name} ", "plain")
            x = line.put(x, "-" if last is None else self._y_text(last), ink)
        if any(one.is_ghost for one in data.lines):
            x = line.put(x + 2, "⠂⠂ before", "quiet")
        if data.budget is not None:
            text = self._y_text(data.budget)
            fitting = (
                words for words in (f"╌ {data.budget_word} {text}", f"╌ {text}") if x + 2 + width_of(words) <= width
            )
            line.put(x + 2, next(fitting, ""), "budget")
        return line.row()

    def _axis(self, data: _Data, width: int, label: int) -> Row:
        line = Line(width)
        if data.ticks:
            return _ticks(data, line, label)
        start, end = self._x_text(data.low), self._x_text(data.high)
        line.put(label, start, "quiet")
        if width - label >= width_of(start) + width_of(end) + 2:
            line.put_right(end, "quiet")
        return line.row()

    def _plot(self, data: _Data, width: int, height: int, label: int) -> list[Row]:
        columns = width - label
        bits = [_trace(line, data, columns, height) for line in data.lines]
        budget_row = _row_of(data.budget, data.top, height) if data.budget is not None else None
        texts = {0: data.top, height - 1: 0.0}
        middle = (height - 1) // 2
        if height >= 7 and (budget_row is None or abs(budget_row - middle) > 2):
            texts[middle] = data.top * (1 - middle / (height - 1))
        if budget_row is not None and data.budget is not None and data.budget <= data.top:
            texts[budget_row] = data.budget
        marks = [int((x - data.low) / (data.high - data.low) * columns) for x in data.marks]
        rows = []
        for y in range(height):
            line = Line(width)
            if label and y in texts:
                ink = "budget" if y == budget_row else "quiet"
                line.put_right(self._y_text(texts[y]), ink, end=label - 1)
            blank, blank_ink = ("╌", "budget") if y == budget_row else (" ", "plain")
            cells, inks = [blank] * columns, [blank_ink] * columns
            for mark in (mark for mark in marks if 0 <= mark < columns):
                cells[mark], inks[mark] = "│", "strong"
            for one, dots in zip(data.lines, bits, strict=True):
                _overlay(dots, y * columns, columns, _ink(one), cells, inks)
            line.paste(label, cells, inks)
            rows.append(line)
        _letters(data, rows, label, columns, height)
        return [line.row() for line in rows]


def _ink(line: ChartLine) -> str:
    return "quiet" if line.is_ghost else line_ink(line.lane)


def _ticks(data: _Data, line: Line, label: int) -> Row:
    """Labels below their places, as many as there is room for."""
    free, columns = label, line.width - label
    for at, text in data.ticks:
        middle = label + int((at - data.low) / (data.high - data.low) * (columns - 1))
        cells = width_of(clean(text))
        start = min(max(label, middle - cells // 2), line.width - cells)
        if start >= free:
            free = line.put(start, text, "quiet") + 1
    return line.row()


def line_ink(lane: int) -> str:
    """The ink of a pipeline's line."""
    return f"line{lane % 4}"


def _within(line: ChartLine, low: float, high: float) -> ChartLine:
    """The line's points in the window, as floats; what is not finite counts as no value."""
    xs, ys = [], []
    for x, y in zip(line.xs, line.ys, strict=False):
        if low <= x <= high:
            xs.append(float(x))
            ys.append(float(y) if y is not None and math.isfinite(y) else None)
    return ChartLine(line.lane, line.name, tuple(xs), tuple(ys), line.is_ghost, line.sign)


def _row_of(value: float, top: float, rows: int) -> int:
    """Row of a value, 0 at the top; values beyond the axis are drawn at its end."""
    return rows - 1 - int(min(1.0, max(0.0, value / top)) * (rows - 1) + 0.5)


def _trace(line: ChartLine, data: _Data, columns: int, rows: int) -> bytearray:
    """Braille bits by cell, row after row."""
    cells = bytearray(columns * rows)
    if columns <= 0 or rows <= 0:
        return cells
    wide, high = columns * 2, rows * 4
    patterns = GHOSTS if line.is_ghost else PATTERNS
    pattern = patterns[line.lane % len(patterns)]
    scale = (wide - 1) / (data.high - data.low)
    column, row = -1, -1
    for x, y in zip(line.xs, line.ys, strict=True):
        if y is None:
            column = -1
            continue
        next_column, next_row = int((x - data.low) * scale), _row_of(y, data.top, high)
        if column < 0:
            _fill(cells, columns, next_column, next_row, next_row, pattern)
        elif next_column == column:
            if next_row != row:
                _fill(cells, columns, column, row, next_row, pattern)
        else:
            slope, before = (next_row - row) / (next_column - column), row
            for step in range(1, next_column - column + 1):
                at = row + round(slope * step)
                _fill(cells, columns, column + step, before, at, pattern)
                before = at
        column, row = next_column, next_row
    return cells


def _fill(cells: bytearray, columns: int, x: int, start: int, end: int, pattern: Sequence[bool]) -> None:
    """Set the dots between two rows of a dot column; steep parts are patterned along their height."""
    low, high = (start, end) if start <= end else (end, start)
    is_steep = high - low >= 3
    if not is_steep and not pattern[x % len(pattern)]:
        return
    dots, column = _DOTS[x & 1], x >> 1
    for y in range(low, high + 1):
        if not is_steep or pattern[y % len(pattern)]:
            cells[(y >> 2) * columns + column] |= dots[y & 3]


def _overlay(dots: bytearray, start: int, columns: int, ink: str, cells: list[str], inks: list[str]) -> None:
    row = dots[start : start + columns]
    if not any(row):
        return
    for x, bits in enumerate(row):
        if bits:
            under = cells[x]
            if 0x2800 < ord(under) <= 0x28FF:
                cells[x] = _BRAILLE[bits | (ord(under) - 0x2800)]
            else:
                cells[x], inks[x] = _BRAILLE[bits], ink


def _letters(data: _Data, rows: list[Line], label: int, columns: int, height: int) -> None:
    """Put every line's letter at its last value, beside a letter that is there."""
    taken: set[tuple[int, int]] = set()
    for line in sorted(data.lines, key=lambda line: line.is_ghost):  # of those, letters give way
        last = next(((x, y) for x, y in zip(reversed(line.xs), reversed(line.ys), strict=True) if y is not None), None)
        if last is None or height <= 0:
            continue
        x, y = int((last[0] - data.low) / (data.high - data.low) * (columns - 1)), _row_of(last[1], data.top, height)
        while (x, y) in taken and x > 0:
            x -= 1
        taken.add((x, y))
        rows[y].mark(label + x, line.mark.lower() if line.is_ghost else line.mark, _ink(line))
