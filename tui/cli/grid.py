"""Tables for the terminal that continue below themselves when their columns do not fit side by side."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from subsecond.tui.widgets.text import clean

__all__ = ["Grid", "count_cell", "milliseconds_cell", "output_console", "print_point", "time_cell"]

PS_PER_MS = 10**9
#: Widest output that still reads well, and the width of output that goes into a file.
MAX_WIDTH, FILE_WIDTH = 110, 100


def output_console() -> Console:
    """Standard output at a width that reads well."""
    width = min(shutil.get_terminal_size().columns, MAX_WIDTH) if sys.stdout.isatty() else FILE_WIDTH
    return Console(width=width, highlight=False)


@dataclass(slots=True)
class Grid:
    """A table before its columns are shared out: words in the first `num_labels` columns, numbers in the others."""

    names: list[str]
    num_labels: int = 1
    sections: list[list[list[Text]]] = field(default_factory=lambda: [[]])

    def add(self, *cells: str | Text) -> None:
        """A row."""
        self.sections[-1].append([cell if isinstance(cell, Text) else Text(clean(cell)) for cell in cells])

    def end_section(self) -> None:
        """A gap before the next row."""
        self.sections.append([])

    def print(self, console: Console) -> None:
        """Print it; what does not fit beside each other comes below."""
        for table in self.tables(console):
            console.print(table)

    def tables(self, console: Console) -> Iterator[Table]:
        """As few tables as the width allows, each with the words and as many of the numbers as fit."""
        if len(self.names) == self.num_labels or not any(self.sections):
            return
        begin = self.num_labels
        while begin < len(self.names):
            end = begin + 1
            while end < len(self.names) and self._width(console, begin, end + 1) <= console.width:
                end += 1
            yield self._table(begin, end)
            begin = end

    def _width(self, console: Console, begin: int, end: int) -> int:
        unbounded = console.options.update(max_width=10_000)
        return console.measure(self._table(begin, end), options=unbounded).maximum

    def _table(self, begin: int, end: int) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
        chosen = [*range(self.num_labels), *range(begin, end)]
        for i in chosen:
            name = "\n".join(map(clean, self.names[i].split("\n")))
            table.add_column(Text(name), justify="left" if i < self.num_labels else "right", no_wrap=True)
        for section in self.sections:
            for row in section:
                table.add_row(*(row[i] for i in chosen))
            table.add_section()
        return table


def print_point(console: Console, text: str) -> None:
    """A sentence of a list."""
    console.print(Padding(Text(f"• {clean(text)}"), (0, 0, 0, 1)))


def count_cell(count: int) -> str:
    """A number of things; a dash for none."""
    return f"{count:,}" if count else "-"


def time_cell(ps: float | None) -> str:
    """A time with its unit; a dash if there is none."""
    if ps is None:
        return "-"
    ms = ps / PS_PER_MS
    if ms < 1000:
        return f"{ms:.0f} ms" if ms >= 10 else f"{ms:.1f} ms"
    return f"{ms / 1000:.2f} s" if ms < 100_000 else f"{ms / 1000:,.0f} s"


def milliseconds_cell(ps: float) -> str:
    """A time in milliseconds without the unit; a dash for none."""
    ms = ps / PS_PER_MS
    if ms == 0:
        return "-"
    return f"{ms:,.0f}" if ms >= 100 else f"{ms:,.1f}" if ms >= 1 else f"{ms:.2g}"
