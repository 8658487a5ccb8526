"""A panel whose lines a function makes of a snapshot, and helpers to put such lines together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.content import Content

from subsecond.tui.widgets.canvas import Canvas, Line, Row
from subsecond.tui.widgets.text import clean, fit, width_of

__all__ = ["Draw", "Panel", "columns_row", "row", "wrapped"]

#: Rows for a width and a height; None while there is nothing to show.
Draw = Callable[[int, int], Sequence[Row] | None]


class Panel(Canvas, can_focus=True):
    """Shows what a function draws; its title stands in the upper border.

    Args:
        help: what it shows, for the help screen.
    """

    DEFAULT_CSS = """
    Panel { height: 1fr; border-top: solid $primary 40%; border-title-color: $foreground; border-title-style: bold; }
    Panel.-bare { border-top: none; }
    Panel:focus { border-top: heavy $primary; }
    """

    def __init__(
        self, title: str = "", *, empty: str = "", help: str = "", id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(empty=empty, id=id, classes=classes)
        self._title = title
        self.border_title = title
        self.help_text = help
        self._maker: Draw | None = None

    def show(self, maker: Draw, title: str | None = None) -> None:
        """Draw by another function."""
        self._maker = maker
        if title is not None and title != self._title:
            self._title = title
            # As Content: a string would be read as markup, and names in titles may come from strangers.
            self.border_title = Content(title)
        self.redraw()

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        return None if self._maker is None else self._maker(width, height)


def row(*runs: tuple[str, str] | str) -> Row:
    """A row of runs; plain text needs no ink."""
    return tuple((clean(run), "plain") if isinstance(run, str) else (clean(run[0]), run[1]) for run in runs)


def columns_row(cells: Sequence[tuple[str, str]], widths: Sequence[int]) -> Row:
    """Cells side by side: a positive width aligns left, a negative one right; a blank between them."""
    runs: list[tuple[str, str]] = []
    for (text, ink), width in zip(cells, widths, strict=True):
        if runs:
            runs.append((" ", "plain"))
        runs.append((fit(text, abs(width), width < 0), ink))
    return tuple(runs)


def wrapped(text: str, width: int, most: int) -> list[str]:
    """Text in at most `most` lines, broken between words; the last one ends with an ellipsis if there is more."""
    lines: list[str] = [""]
    for word in clean(text).split():
        joined = f"{lines[-1]} {word}".lstrip()
        if width_of(joined) <= width:
            lines[-1] = joined
        elif len(lines) < most:
            lines.append(word)
        else:
            lines[-1] = fit(f"{lines[-1]} {word}", width).rstrip()
            break
    return lines


def cut(text: str, width: int) -> str:
    """Text in at most `width` cells."""
    return fit(text, width).rstrip()


def blank(width: int) -> Line:
    """An empty line to write on."""
    return Line(width)
