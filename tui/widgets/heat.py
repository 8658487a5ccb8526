"""A map over two settings: a shade and a figure per cell, readable without colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Blur, Click, Focus
from textual.message import Message

from subsecond.tui.widgets.canvas import Canvas, Line, Row
from subsecond.tui.widgets.text import clean, fit, width_of

__all__ = ["SHADES", "HeatCell", "HeatMap"]

#: From least to most.
SHADES = "·░▒▓█"
#: Fewest and most cells of the screen that a column takes, and most of a row's label.
_LEAST, _MOST, _LABEL = 2, 16, 16
#: Most lines of a row.
_HIGH = 3


@dataclass(frozen=True, slots=True)
class HeatCell:
    """A cell: `level` from 0 to 1 is its shade, `text` its figure; `mark` says the same as `ink`."""

    level: float
    text: str
    mark: str = ""
    ink: str = "plain"

    @property
    def words(self) -> str:
        """Figure and mark."""
        return f"{self.text} {self.mark}".strip()


@dataclass(frozen=True, slots=True)
class _Data:
    across: str
    down: str
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    cells: tuple[tuple[HeatCell | None, ...], ...]
    title: str
    legend: str
    wanted: int
    cursor: tuple[int, int] | None


class HeatMap(Canvas, can_focus=True):
    """Rows and columns of cells around a cursor; arrows and clicks move it, enter opens."""

    help_text: ClassVar[str] = (
        "The map in focus: arrows move to another point, enter opens it, a click does both. Shade and figure say the "
        "same; ✓ and ! say whether the budget is kept. Settings that are not shown stay as they are."
    )

    class Moved(Message):
        """The user points at another cell."""

        def __init__(self, row: int, column: int) -> None:
            super().__init__()
            self.row, self.column = row, column

    class Opened(Message):
        """The user opens the cell at the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", show=False),
        Binding("up", "go(-1, 0)", "Up", show=False),
        Binding("down", "go(1, 0)", "Down", show=False),
        Binding("left", "go(0, -1)", "Left", show=False),
        Binding("right", "go(0, 1)", "Right", show=False),
    ]

    def __init__(self, *, empty: str = "A map needs two settings.") -> None:
        super().__init__(empty=empty)
        self._data: _Data | None = None
        #: Cells as they were given last, and how wide they want to be.
        self._given: tuple[object, int] | None = None
        #: First row and column on the screen, first cell of the columns, cells and lines of one.
        self._window = (0, 0, 0, 1, 1)

    def update(
        self,
        *,
        title: str,
        across: str,
        down: str,
        columns: Sequence[str],
        rows: Sequence[str],
        cells: Sequence[Sequence[HeatCell | None]],
        legend: str = "",
        cursor: tuple[int, int] | None = None,
    ) -> None:
        """Show cells by row and column; `across` and `down` name the settings, `legend` says what shades mean."""
        self._data = None
        if columns and rows:
            before, whole = self._given, tuple(map(tuple, cells))
            if before is None or before[0] is not cells:
                self._given = before = cells, _wanted(columns, whole)
            self._data = _Data(across, down, tuple(columns), tuple(rows), whole, title, legend, before[1], cursor)
        self.redraw()

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        data = self._data
        if data is None:
            return None
        label = min(_LABEL, max(width_of(clean(name)) for name in (*data.rows, data.down)), max(0, width // 3)) + 1
        room = width - label
        each = min(_MOST, data.wanted, max(_LEAST, room // len(data.columns)) - 1) + 1
        shown = min(len(data.columns), max(1, room // each))
        head = [_head(data, width)] if height >= 5 else []
        legend = [_foot(data, width)] if height >= 8 and data.legend else []
        lines = min(len(data.rows), max(1, height - len(head) - len(legend) - 1))
        high = max(1, min(_HIGH, (height - len(head) - len(legend) - 1) // lines))
        row, column = data.cursor or (0, 0)
        top, left = _first(row, lines, len(data.rows)), _first(column, shown, len(data.columns))
        self._window = (top, left, label, each, high)
        drawn = [*head, _titles(data, width, label, each, left, shown)]
        for y in range(top, top + lines):
            drawn += [self._line(data, y, width, (label, each, left, shown), n == high // 2) for n in range(high)]
        return [*drawn, *legend][:height]

    def _line(self, data: _Data, y: int, width: int, columns: tuple[int, int, int, int], has_text: bool) -> Row:
        """One of the lines of a row of cells; one of them has the figures, the others only shades."""
        label, each, left, shown = columns
        line = Line(width)
        line.put(0, fit(data.rows[y] if has_text else "", label - 1, True), "plain")
        for place in range(shown):
            column = left + place
            cell = data.cells[y][column] if y < len(data.cells) and column < len(data.cells[y]) else None
            x, is_cursor = label + place * each, data.cursor == (y, column)
            if not has_text:
                line.put(x, "" if cell is None else _shade(cell) * (each - 1), "plain" if cell is None else cell.ink)
                continue
            text = "-" if cell is None else _cell_text(cell, each - 1)
            ink = "quiet" if cell is None else cell.ink
            if is_cursor:
                line.put(x - 1, "▸" if not self.has_focus else " ", "cursor" if self.has_focus else "strong")
                ink = "cursor" if self.has_focus else ink
            line.put(x, fit(text, each - 1), ink)
        return line.row()

    def action_go(self, down: int, right: int) -> None:
        data = self._data
        if data is None:
            return
        row, column = data.cursor or (0, 0)
        self._move(row + down, column + right)

    def _move(self, row: int, column: int) -> None:
        data = self._data
        if data is not None and 0 <= row < len(data.rows) and 0 <= column < len(data.columns):
            self.post_message(self.Moved(row, column))

    def action_open(self) -> None:
        self.post_message(self.Opened())

    def on_click(self, event: Click) -> None:
        at, data = event.get_content_offset(self), self._data
        if at is None or data is None:
            return
        top, left, label, each, high = self._window
        heads = (1 if self.content_size.height >= 5 else 0) + 1
        row, column = top + (at.y - heads) // high, left + (at.x - label) // each
        if at.y < heads or at.x < label:
            return
        if data.cursor == (row, column):
            self.action_open()
        else:
            self._move(row, column)

    def on_focus(self, _event: Focus) -> None:
        self.redraw()

    def on_blur(self, _event: Blur) -> None:
        self.redraw()


def _wanted(columns: Sequence[str], cells: Sequence[Sequence[HeatCell | None]]) -> int:
    """Cells of the screen that a column takes if there is room for all of its text."""
    titles = [width_of(clean(name)) for name in columns]
    return max([*titles, *(width_of(cell.words) + 3 for row in cells for cell in row if cell is not None)])


def _first(at: int, shown: int, every: int) -> int:
    """First of those that are shown, so that one of them is in their midst."""
    return max(0, min(at - shown // 2, every - shown))


def _head(data: _Data, width: int) -> Row:
    line = Line(width)
    x = line.put(0, data.title, "strong")
    line.put(x + 2, f"across: {data.across}   down: {data.down}", "quiet")
    return line.row()


def _foot(data: _Data, width: int) -> Row:
    line = Line(width)
    line.put(0, data.legend, "quiet")
    return line.row()


def _titles(data: _Data, width: int, label: int, each: int, left: int, shown: int) -> Row:
    line = Line(width)
    line.put(0, " " * width, "header")
    names = data.columns[left : left + shown]
    free = label
    for place, name in enumerate(names):
        x, text = label + place * each, clean(name)
        if width_of(text) >= each and place and len(names) > 2:  # too long for its column: as many as there is room for
            if x >= free and x + width_of(text) <= width:
                free = line.put(x, text, "header") + 1
        elif x >= free:
            free = line.put(x, fit(text, max(each - 1, min(width_of(text), _MOST))), "header")
    hidden = len(data.columns) - shown
    if hidden:
        line.put_right(f" {hidden} more", "header")
    return line.row()


def _shade(cell: HeatCell) -> str:
    return SHADES[min(len(SHADES) - 1, max(0, int(cell.level * len(SHADES))))]


def _cell_text(cell: HeatCell, width: int) -> str:
    """Shade, figure and mark, or only what there is room for."""
    shade, words = _shade(cell), cell.words
    if width >= width_of(words) + 3:
        return f"{shade * 2} {words}"
    if width >= width_of(words) + 1:
        return f"{shade}{words}"
    marked = cell.mark if width_of(cell.mark) < width else ""
    return shade * (width - width_of(marked)) + marked
