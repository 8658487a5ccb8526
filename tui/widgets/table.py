"""A table for live rows: only visible lines are formatted, only those that changed are painted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.message import Message
from textual.scroll_view import ScrollView

__all__ = ["Column", "LiveTable", "TableRow"]

#: What a row may be sorted by; None comes last in either direction.
SortValue = float | str | None


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
        values: what columns are sorted by, by place; empty: the cells.
        ink: one of `canvas.INKS`; say the same with a glyph or word in a cell.
    """

    key: int | str
    cells: tuple[str, ...]
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

    COMPONENT_CLASSES: ClassVar[set[str]] = set()

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

    @property
    def cursor_key(self) -> int | str | None:
        """Key of the row under the cursor; None: no row is shown."""
        return None

    @property
    def shown(self) -> tuple[TableRow, ...]:
        """Rows that pass the filter, in their order."""
        return ()

    @property
    def filter_text(self) -> str:
        """The filter; empty: none."""
        return ""

    @property
    def sort_key(self) -> str | None:
        """Key of the column that rows are sorted by."""
        return None

    @property
    def descending(self) -> bool:
        """Whether the largest comes first."""
        return False

    def update(self, rows: Sequence[TableRow]) -> None:
        """Show these rows instead."""

    def sort_by(self, key: str | None, descending: bool | None = None) -> None:
        """Sort by a column; None: as given."""

    def filter(self, text: str) -> None:
        """Show rows whose cells contain every word of the text; empty: all."""

    def move_cursor(self, key: int | str) -> bool:
        """Put the cursor on a row and scroll there; False: it is not shown."""
        return False
