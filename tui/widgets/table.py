"""A table for live rows: only visible lines are formatted, only those that changed are painted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Blur, Click, Focus, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from subsecond.tui.widgets.canvas import INK_CSS, INKS, Line, Row, note, strip_of
from subsecond.tui.widgets.text import clean, count_text, fit, width_of

__all__ = ["Cell", "Column", "LiveTable", "TableRow"]

#: What a row may be sorted by; None comes last in either direction.
SortValue = float | str | None
#: What a cell shows: text, or runs of text with inks of their own, no wider than the column.
Cell = str | Row


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        key: its name in `LiveTable.sort_by`.
        width: cells; the column with `grow` takes what is left in addition.
        right: aligned to the right, as numbers are.
        since: it is shown if the table is at least so wide.
        descending: direction in which it is sorted first.
    """

    key: str
    title: str
    width: int
    right: bool = False
    since: int = 0
    grow: bool = False
    descending: bool = False


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row.

    Attributes:
        key: says which row it is, whatever its place.
        cells: by place in the columns.
        values: what columns are sorted by, by place; empty: the cells' text.
        ink: one of `canvas.INKS`; say the same with a glyph or word in a cell.
    """

    key: int | str
    cells: tuple[Cell, ...]
    values: tuple[SortValue, ...] = ()
    ink: str = "plain"


class LiveTable(ScrollView, can_focus=True):
    """Rows with a cursor that stays on its row's key while rows change and move.

    Until the cursor is moved it stays on the first line, whichever row that is; `home` brings that back. Keys: arrows,
    page up and down, home, end; enter opens; `<` and `>` choose the column to sort by, `i` turns the direction around.
    Mouse: wheel, a click moves the cursor, a click on the cursor's row opens; a click on a title sorts.
    """

    class Selected(Message):
        """A row was opened. `table` is the sender, `key` the row's."""

        def __init__(self, table: LiveTable, key: int | str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> LiveTable:
            return self.table

    class Highlighted(Message):
        """The user moved the cursor to another row."""

        def __init__(self, table: LiveTable, key: int | str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> LiveTable:
            return self.table

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"ink--{ink}" for ink in INKS}
    DEFAULT_CSS = (
        "LiveTable {\n    height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size: 1 1;\n" + INK_CSS + "}\n"
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open"),
        Binding("up", "move(-1)", "Up", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "first", "First", show=False),
        Binding("end", "last", "Last", show=False),
        Binding("less_than_sign", "sort_column(-1)", "Sort by column before", key_display="<", show=False),
        Binding("greater_than_sign", "sort_column(1)", "Sort by next column", key_display=">", show=False),
        Binding("i", "invert", "Turn the order around", show=False),
    ]

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        sort: str | None = None,
        descending: bool | None = None,
        empty: str = "Nothing to show yet.",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """Args: `sort`: key of the column; None: rows stay in the order given. `descending`: None: the column's own."""
        super().__init__(id=id, classes=classes)
        self.empty = empty
        self._columns = tuple(columns)
        self._given: tuple[TableRow, ...] = ()
        self._shown: tuple[TableRow, ...] = ()
        self._places: dict[int | str, int] = {}
        self._filter = ""
        self._sort: int | None = None
        self._descending = False
        self._set_sort(sort, descending)
        self._cursor = 0
        self._follows_key = False
        self._painted: list[object] = []
        self._layout: tuple[tuple[int, int, int], ...] = ()
        self._layout_for: tuple[int, int | None] = (-1, None)
        self._styles: dict[str, Style] = {}
        self._strips: dict[object, Strip] = {}

    @property
    def cursor_key(self) -> int | str | None:
        """Key of the row under the cursor; None: no row is shown."""
        return self._shown[self._cursor].key if self._shown else None

    @property
    def shown(self) -> tuple[TableRow, ...]:
        """Rows that pass the filter, in their order."""
        return self._shown

    @property
    def sort_key(self) -> str | None:
        """Key of the column that rows are sorted by."""
        return None if self._sort is None else self._columns[self._sort].key

    @property
    def descending(self) -> bool:
        """Whether the largest comes first."""
        return self._descending

    def update(self, rows: Sequence[TableRow]) -> None:
        """Show these rows instead."""
        self._given = tuple(rows)
        self._arrange()

    def sort_by(self, key: str | None, descending: bool | None = None) -> None:
        """Sort by a column; None: as given. `descending`: None: the column's own direction.

        Raises:
            KeyError: no such column.
        """
        self._set_sort(key, descending)
        self._arrange()

    def filter(self, text: str) -> None:
        """Show rows whose cells contain every word of the text; empty: all."""
        self._filter = clean(text).strip()
        self._arrange()

    def move_cursor(self, key: int | str) -> bool:
        """Put the cursor on a row and scroll there; False: it is not shown."""
        place = self._places.get(key)
        if place is None:
            return False
        self._cursor, self._follows_key = place, True
        self._show_cursor()
        self._repaint()
        return True

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Have other columns; the column that rows are sorted by stays if it is among them."""
        if tuple(columns) == self._columns:
            return
        key, descending = self.sort_key, self._descending
        self._columns = tuple(columns)
        is_there = any(column.key == key for column in columns)
        self._set_sort(key if is_there else None, descending)
        self._layout_for = (-1, None)
        self._arrange()

    # Rows and their order.

    def _set_sort(self, key: str | None, descending: bool | None) -> None:
        if key is None:
            self._sort, self._descending = None, False
            return
        places = {column.key: place for place, column in enumerate(self._columns)}
        self._sort = places[key]
        self._descending = self._columns[self._sort].descending if descending is None else descending

    def _arrange(self) -> None:
        key = self.cursor_key
        rows: Sequence[TableRow] = self._given
        if self._filter:
            words = self._filter.lower().split()
            rows = [row for row in rows if _contains(row, words)]
        if self._sort is not None:
            rows = _sorted(rows, self._sort, self._descending)
        self._shown = tuple(rows)
        self._places = {row.key: place for place, row in enumerate(self._shown)}
        place = self._places.get(key) if key is not None and self._follows_key else None
        if place is not None:
            moved, self._cursor = place != self._cursor, place
        else:
            # The row is gone or none was chosen: stay where the eye is.
            moved, self._cursor = False, max(0, min(self._cursor, len(self._shown) - 1))
        height = len(self._shown) + self._head_lines
        # Width 0 fits whatever the scroll bar leaves: rows are never wider than the table.
        if self.virtual_size.height != height:
            self.virtual_size = Size(0, height)
            moved = True
        if moved and self._follows_key:
            self._show_cursor()
        self._repaint()

    # Drawing.

    @property
    def _head_lines(self) -> int:
        return 2 if self._filter else 1

    @property
    def _area(self) -> Size:
        """Cells that rows have: without border and scroll bar."""
        return self.scrollable_content_region.size

    @property
    def _page(self) -> int:
        return max(1, self._area.height - self._head_lines)

    def _row_at(self, y: int) -> int:
        """Place of the row on line `y` of the content; may be out of range."""
        return y - self._head_lines + round(self.scroll_y)

    def _line_key(self, y: int) -> object:
        """Says all that line `y` shows: equal keys, equal lines."""
        if not self._shown:
            return ("empty", y, self.empty, self._filter, self._sort, self._descending)
        if y < self._head_lines:
            return ("head", y, self._filter, self._sort, self._descending, len(self._shown), len(self._given))
        place = self._row_at(y)
        if not 0 <= place < len(self._shown):
            return None
        row = self._shown[place]
        cursor = 0 if place != self._cursor else 2 if self.has_focus else 1
        return (row.cells, row.ink, cursor)

    def _repaint(self) -> None:
        """Paint lines that show something else than before."""
        size = self._area
        if not self.is_mounted or not size:
            self.refresh()  # hidden: what is kept of its lines must not be shown again
            return
        if (size.width, self._sort) != self._layout_for:
            self._painted = []
        keys = [self._line_key(y) for y in range(size.height)]
        old = self._painted
        changed = [y for y, key in enumerate(keys) if y >= len(old) or key != old[y]]
        self._painted = keys
        if changed:
            self.refresh(*(Region(0, y, size.width, 1) for y in changed))

    def render_line(self, y: int) -> Strip:
        width, base = self._area.width, self.rich_style
        if (width, self._sort) != self._layout_for:
            self._layout, self._layout_for = _layout(self._columns, width, self._sort), (width, self._sort)
            self._strips.clear()
        key = self._line_key(y)
        if y < len(self._painted):
            self._painted[y] = key
        strip = self._strips.get(key)
        if strip is None:
            if not self._styles:
                self._styles = {ink: self.get_component_rich_style(f"ink--{ink}") for ink in INKS}
            if len(self._strips) > 1024:
                self._strips.clear()
            strip = self._strips[key] = strip_of(self._row(y, width), width, self._styles, base)
        return strip

    def _row(self, y: int, width: int) -> Row:
        if y == self._head_lines - 1:
            return self._titles(width)
        if y < self._head_lines:
            line = Line(width)
            line.put(0, f"/{self._filter}", "strong")
            line.put_right(f" {count_text(len(self._shown))} of {count_text(len(self._given))}", "quiet")
            return line.row()
        if not self._shown:
            text = f"Nothing matches {self._filter}. Clear the filter." if self._given and self._filter else self.empty
            rows = note(text, width, self._page)
            place = y - self._head_lines
            return rows[place] if place < len(rows) else ()
        place = self._row_at(y)
        if not 0 <= place < len(self._shown):
            return ()
        row, is_cursor = self._shown[place], place == self._cursor
        line = Line(width)
        ink = row.ink
        if is_cursor:
            ink = "cursor" if self.has_focus else "strong"
            line.put(0, "▸" + " " * (width - 1), ink)
        for column, x, cells in self._layout:
            if column < len(row.cells):
                self._put(line, x, row.cells[column], cells, self._columns[column].right, ink)
        return line.row()

    @staticmethod
    def _put(line: Line, x: int, cell: Cell, cells: int, right: bool, ink: str) -> None:
        if isinstance(cell, str) or ink == "cursor":
            line.put(x, fit(_text(cell), cells, right), ink)
            return
        end = x + cells
        for text, own in cell:
            x = line.put(x, fit(text, max(0, min(width_of(clean(text)), end - x))), own)

    def _titles(self, width: int) -> Row:
        line = Line(width)
        line.put(0, " " * width, "header")
        for column, x, cells in self._layout:
            one = self._columns[column]
            title = one.title
            if column == self._sort:
                arrow = "▼" if self._descending else "▲"
                title = fit(title, min(len(clean(title)), cells - 1)) + arrow
            line.put(x, fit(title, cells, one.right), "header")
        return line.row()

    def notify_style_update(self) -> None:
        self._styles.clear()
        self._strips.clear()
        super().notify_style_update()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self._repaint()

    def on_resize(self, event: Resize) -> None:
        self._painted = []
        self._arrange()
        if self._follows_key:
            self._show_cursor()

    def on_focus(self, event: Focus) -> None:
        self._repaint()

    def on_blur(self, event: Blur) -> None:
        self._repaint()

    # Keys and mouse.

    def _show_cursor(self) -> None:
        """Scroll as little as shows the cursor's line; before there is a size, the first one does it."""
        if not self.is_mounted or not self._area:
            return
        top, page = round(self.scroll_y), self._page
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, force=True, immediate=True)
        elif self._cursor >= top + page:
            self.scroll_to(y=self._cursor - page + 1, animate=False, force=True, immediate=True)

    def _go(self, place: int, follow: bool = True) -> None:
        if not self._shown:
            return
        before = self.cursor_key
        self._cursor = max(0, min(place, len(self._shown) - 1))
        self._follows_key = follow
        self._show_cursor()
        self._repaint()
        key = self.cursor_key
        if key is not None and key != before:
            self.post_message(self.Highlighted(self, key))

    def action_move(self, step: int) -> None:
        self._go(self._cursor + step)

    def action_page(self, pages: int) -> None:
        self._go(self._cursor + pages * self._page)

    def action_first(self) -> None:
        self._go(0, follow=False)

    def action_last(self) -> None:
        self._go(len(self._shown) - 1)

    def action_open(self) -> None:
        key = self.cursor_key
        if key is not None:
            self.post_message(self.Selected(self, key))

    def action_sort_column(self, step: int) -> None:
        """Sort by the next column that is on the screen."""
        visible = [column for column, _, _ in self._layout] or list(range(len(self._columns)))
        if not visible:
            return
        place = visible.index(self._sort) + step if self._sort in visible else min(step, 0)
        self.sort_by(self._columns[visible[place % len(visible)]].key)

    def action_invert(self) -> None:
        if self._sort is not None:
            self.sort_by(self.sort_key, not self._descending)

    def on_click(self, event: Click) -> None:
        at = event.get_content_offset(self)
        if at is None:
            return
        if at.y < self._head_lines:
            if at.y == self._head_lines - 1:
                self._click_title(at.x)
            return
        place = self._row_at(at.y)
        if not 0 <= place < len(self._shown):
            return
        if place == self._cursor:
            self.action_open()
        else:
            self._go(place)

    def _click_title(self, x: int) -> None:
        for column, start, cells in self._layout:
            if start <= x < start + cells:
                same = column == self._sort
                self.sort_by(self._columns[column].key, not self._descending if same else None)


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else "".join(text for text, _ in cell)


def _contains(row: TableRow, words: Sequence[str]) -> bool:
    text = " ".join(map(_text, row.cells)).lower()
    return all(word in text for word in words)


def _sorted(rows: Sequence[TableRow], column: int, descending: bool) -> list[TableRow]:
    """Rows by their values in a column: equal ones stay as given, those without a value come last."""
    with_value: list[tuple[SortValue, TableRow]] = []
    without: list[TableRow] = []
    for row in rows:
        values = row.values or tuple(map(_text, row.cells))
        value = values[column] if column < len(values) else None
        if value is None:
            without.append(row)
        else:
            with_value.append((value, row))
    with_value.sort(key=_by_value, reverse=descending)
    return [row for _, row in with_value] + without


def _by_value(pair: tuple[SortValue, TableRow]) -> tuple[bool, SortValue]:
    """Numbers before words, so that a column may hold both."""
    return isinstance(pair[0], str), pair[0]


def _layout(columns: Sequence[Column], width: int, sort: int | None) -> tuple[tuple[int, int, int], ...]:
    """Columns that are shown: place, first cell, cells. Cell 0 is the cursor's; what does not fit is left out."""
    shown = [place for place, column in enumerate(columns) if width >= column.since]
    if sort is not None and sort not in shown:
        shown = sorted([*shown, sort])
    while len(shown) > 1 and sum(columns[place].width + 1 for place in shown) > width:
        # The first column says what a row is, the one that is sorted by why it stands there.
        shown.remove(next((place for place in reversed(shown[1:]) if place != sort), shown[-1]))
    spare = width - sum(columns[place].width + 1 for place in shown)
    layout, x = [], 1
    for place in shown:
        column = columns[place]
        cells = max(0, min(width - x, column.width + (max(0, spare) if column.grow else 0)))
        if column.grow:
            spare = 0
        layout.append((place, x, cells))
        x += cells + 1
    return tuple(layout)
