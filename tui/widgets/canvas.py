"""A widget that draws rows of runs: one segment per run of equal ink, and only rows that changed are painted again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.events import Resize
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from subsecond.tui.widgets.text import clean, width_of

__all__ = ["INKS", "INK_CSS", "Canvas", "Line", "Row", "note", "strip_of"]

#: A drawn line: runs of text and the ink they have. Its cells may be fewer than the widget's, never more.
Row = tuple[tuple[str, str], ...]

#: Meanings that text and bars may have; the style sheet gives them colours of the theme.
INKS = (
    "plain",
    "quiet",
    "strong",
    "good",
    "bad",
    "budget",
    "cursor",
    "header",
    "prefill",
    "handoff",
    "decode",
    "wait",
    "audio",
    "other",
    "line0",
    "line1",
    "line2",
    "line3",
)

INK_CSS = """
    .ink--plain { color: $foreground; }
    .ink--quiet { color: $text-muted; }
    .ink--strong { color: $foreground; text-style: bold; }
    .ink--good { color: $success; }
    .ink--bad { color: $error; text-style: bold; }
    .ink--budget { color: $error; text-style: bold; }
    .ink--cursor { color: $foreground; text-style: bold reverse; }
    .ink--header { color: $foreground; text-style: bold underline; }
    .ink--prefill { color: $primary; }
    .ink--handoff { color: $secondary; }
    .ink--decode { color: $success; }
    .ink--wait { color: $warning; }
    .ink--audio { color: $accent; }
    .ink--other { color: $foreground; }
    .ink--line0 { color: $primary; }
    .ink--line1 { color: $warning; }
    .ink--line2 { color: $success; }
    .ink--line3 { color: $secondary; }
"""


#: Inks that change how a space looks.
_SEEN_IN_SPACES = ("", "cursor", "header")


class Line:
    """A line under construction: cells with an ink each, written left to right or over one another."""

    __slots__ = ("_cells", "_inks", "width")

    def __init__(self, width: int) -> None:
        self.width = max(0, width)
        self._cells = [" "] * self.width
        self._inks = ["plain"] * self.width

    def put(self, x: int, text: str, ink: str = "plain") -> int:
        """Write text from cell `x` on, cut at both ends of the line; returns the cell behind it."""
        text = clean(text)
        if width_of(text) == len(text):
            end = x + len(text)
            low, high = max(0, x), min(self.width, end)
            if low < high:
                self._free(low)
                self._free(high)
                self._cells[low:high] = text[low - x : high - x]
                self._inks[low:high] = [ink] * (high - low)
            return end
        for letter in text:
            wide = width_of(letter)
            if x >= 0 and x + wide <= self.width:
                self._free(x)
                self._free(x + wide)
                self._cells[x] = letter
                self._inks[x] = ink
                if wide == 2:
                    self._cells[x + 1] = ""
                    self._inks[x + 1] = ink
            x += wide
        return x

    def put_right(self, text: str, ink: str = "plain", end: int | None = None) -> int:
        """Write text so that it ends before cell `end`, or at the end of the line; returns its first cell."""
        text = clean(text)
        start = (self.width if end is None else end) - width_of(text)
        self.put(start, text, ink)
        return start

    def paste(self, x: int, cells: Sequence[str], inks: Sequence[str]) -> None:
        """Write single-cell letters with an ink each; they must fit."""
        end = x + len(cells)
        self._free(x)
        self._free(end)
        self._cells[x:end] = cells
        self._inks[x:end] = inks

    def mark(self, x: int, glyph: str, ink: str) -> None:
        """Write one cell if it is on the line."""
        if 0 <= x < self.width:
            self.put(x, glyph, ink)

    def is_blank(self, x: int) -> bool:
        """Whether nothing is written in a cell."""
        return 0 <= x < self.width and self._cells[x] == " "

    def _free(self, x: int) -> None:
        """Make a cut in front of cell `x` legal: a wide letter across it becomes spaces."""
        if 0 < x < self.width and self._cells[x] == "":
            self._cells[x] = self._cells[x - 1] = " "

    def row(self) -> Row:
        """What was written, in runs; cells that nothing was written in join the run beside them."""
        cells, inks = self._cells, self._inks
        runs: list[tuple[str, str]] = []
        start, current = 0, ""
        for x, ink in enumerate(inks):
            if ink == current or (ink == "plain" and cells[x] == " " and current not in _SEEN_IN_SPACES):
                continue
            if current:
                runs.append(("".join(cells[start:x]), current))
                start = x
            current = ink
        if self.width:
            runs.append(("".join(cells[start:]), current))
        return tuple(runs)


def strip_of(row: Row, width: int, styles: dict[str, Style], base: Style) -> Strip:
    """A row as a strip of exactly `width` cells."""
    segments = [Segment(text, styles.get(ink, base)) for text, ink in row]
    return Strip(segments).adjust_cell_length(width, base)


class Canvas(Widget):
    """Base of the widgets that are drawn as a whole from data.

    A subclass keeps the data that its `update` got, calls `redraw`, and makes rows in `draw`. With `height: auto` the
    widget is as high as `draw` makes it for unlimited height.

    Attributes:
        empty: what to press or wait for, shown while `draw` returns None.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"ink--{ink}" for ink in INKS}
    DEFAULT_CSS = "Canvas {\n    height: 1fr;\n" + INK_CSS + "}\n"
    #: Rows that a widget may have if its height is `auto`.
    MOST_ROWS: ClassVar[int] = 400

    def __init__(self, *, empty: str, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.empty = empty
        self._rows: list[Row] = []
        self._drawn_for = Size(-1, -1)
        self._styles: dict[str, Style] = {}
        self._strips: dict[Row, Strip] = {}

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        """Rows for so many cells, at most `height` of them; None while there is nothing to show. Pure."""
        raise NotImplementedError  # each widget draws its own; Textual's metaclass rules out ABC

    @property
    def rows(self) -> tuple[Row, ...]:
        """What is on the screen."""
        return tuple(self._rows)

    def redraw(self) -> None:
        """Draw what is known, and paint the rows that differ."""
        size = self.content_size
        if not self.is_mounted or not size:
            self._drawn_for = Size(-1, -1)
            self.refresh()  # hidden: what is kept of its lines must not be shown again
            return
        if self.styles.is_auto_height:
            wanted = self.get_content_height(size, size, size.width)
            if wanted != size.height:
                self.refresh(layout=True)
        new, old = self._draw(size.width, size.height), self._rows
        same_size = size == self._drawn_for
        self._rows, self._drawn_for = new, size
        if not same_size:
            self.refresh()
            return
        changed = [y for y in range(max(len(new), len(old))) if _at(new, y) != _at(old, y)]
        if changed:
            self.refresh(*(Region(0, y, size.width, 1) for y in changed))

    def _draw(self, width: int, height: int) -> list[Row]:
        rows = self.draw(width, height)
        if rows is None:
            return note(self.empty, width, height)
        return list(rows[:height])

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        rows = self.draw(width, self.MOST_ROWS)
        return len(rows) if rows is not None else min(3, self.MOST_ROWS)

    def on_resize(self, event: Resize) -> None:
        self.redraw()

    def notify_style_update(self) -> None:
        self._styles.clear()
        self._strips.clear()
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        size = self.content_size
        if size != self._drawn_for:
            self._rows, self._drawn_for = self._draw(size.width, size.height), size
        base = self.rich_style
        if y >= len(self._rows):
            return Strip.blank(size.width, base)
        row = self._rows[y]
        strip = self._strips.get(row)
        if strip is None or strip.cell_length != size.width:
            if not self._styles:
                self._styles = {ink: self.get_component_rich_style(f"ink--{ink}") for ink in INKS}
            if len(self._strips) > 512:
                self._strips.clear()
            strip = self._strips[row] = strip_of(row, size.width, self._styles, base)
        return strip


def _at(rows: Sequence[Row], y: int) -> Row:
    return rows[y] if y < len(rows) else ()


def note(text: str, width: int, height: int) -> list[Row]:
    """A sentence in the middle, broken between words."""
    lines, line = [], ""
    for word in clean(text).split():
        if line and width_of(line) + 1 + width_of(word) > width - 2:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    lines.append(line)
    lines = lines[:height]
    rows: list[Row] = [()] * ((height - len(lines)) // 2 if height < Canvas.MOST_ROWS else 0)
    for one in lines:
        drawn = Line(width)
        drawn.put(max(0, (width - width_of(one)) // 2), one, "quiet")
        rows.append(drawn.row())
    return rows
