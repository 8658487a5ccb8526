"""Titles on the left, the lines of the chosen one on the right: text to copy, scrolled by keys and wheel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Blur, Click, Focus, MouseScrollDown, MouseScrollUp

from subsecond.tui.widgets.canvas import Canvas, Line, Row
from subsecond.tui.widgets.text import clean, fit, width_of

__all__ = ["Snippet", "Snippets"]

#: Widest column of titles, in cells, on a widget as narrow as that; a wider one gives them two fifths.
_TITLE_CELLS = 24


@dataclass(frozen=True, slots=True)
class Snippet:
    """Lines to copy, and what they are for."""

    title: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """As it is copied."""
        return "\n".join(self.lines) + "\n"


class Snippets(Canvas, can_focus=True):
    """Snippets, one of them chosen. Up and down choose, page up and page down scroll its lines."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "choose(-1)", "Snippet before", show=False),
        Binding("down", "choose(1)", "Next snippet", show=False),
        Binding("pageup", "scroll_lines(-1)", "Scroll up", show=False),
        Binding("pagedown", "scroll_lines(1)", "Scroll down", show=False),
    ]

    def __init__(self, *, empty: str, id: str | None = None) -> None:
        super().__init__(empty=empty, id=id)
        self._snippets: tuple[Snippet, ...] = ()
        self._chosen = 0
        self._top = 0
        self._title = ""

    @property
    def chosen(self) -> Snippet | None:
        """The snippet to copy; None: there are none."""
        return self._snippets[self._chosen] if self._snippets else None

    def update(self, snippets: Sequence[Snippet], *, title: str, empty: str) -> None:
        """Show other snippets; where there are none, `empty` says why."""
        if title != self._title:
            self._title = title
            self.border_title = Content(title)  # a string would be read as markup
        if (tuple(snippets), empty) == (self._snippets, self.empty):
            return
        self._snippets, self.empty = tuple(snippets), empty
        self._chosen = max(0, min(self._chosen, len(self._snippets) - 1))
        self._top = 0
        self.redraw()

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        if not self._snippets or height <= 0:
            return None
        titles = self._title_cells(width)
        first = max(0, min(self._chosen - height // 2, len(self._snippets) - height))
        top = self._shown_top(height)
        lines = self._snippets[self._chosen].lines
        rows = []
        for y in range(min(height, max(len(self._snippets) - first, len(lines) - top))):
            line = Line(width)
            self._put_title(line, first + y, titles)
            if top + y < len(lines):
                line.put(titles, fit(lines[top + y], max(0, width - titles)).rstrip())
            if y == height - 1 and top + height < len(lines):
                line.put_right(f" {len(lines) - top - height} more: page down ", "quiet")
            rows.append(line.row())
        return rows

    def _title_cells(self, width: int) -> int:
        """Cells of the column of titles, with what stands around them."""
        longest = max(width_of(clean(one.title)) for one in self._snippets)
        return min(longest, max(_TITLE_CELLS, width * 2 // 5)) + 3

    def _put_title(self, line: Line, place: int, cells: int) -> None:
        if place >= len(self._snippets):
            return
        title = fit(self._snippets[place].title, cells - 3).rstrip()
        if place == self._chosen:
            line.put(0, f"▸{title}", "cursor" if self.has_focus else "strong")
        else:
            line.put(1, title, "quiet")

    def _shown_top(self, height: int) -> int:
        """First line that is shown: no further down than fills the height."""
        return max(0, min(self._top, len(self._snippets[self._chosen].lines) - height))

    def action_choose(self, step: int) -> None:
        self.choose(self._chosen + step)

    def choose(self, place: int) -> None:
        """Choose a snippet by its place, from 0."""
        if self._snippets:
            self._chosen, self._top = max(0, min(place, len(self._snippets) - 1)), 0
            self.redraw()

    def action_scroll_lines(self, pages: int) -> None:
        self._scroll_by(pages * max(1, self.content_size.height - 1))

    def _scroll_by(self, lines: int) -> None:
        if self._snippets:
            height = self.content_size.height
            self._top = max(0, self._shown_top(height) + lines)
            self._top = self._shown_top(height)
            self.redraw()

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.stop()
        self._scroll_by(3)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.stop()
        self._scroll_by(-3)

    def on_click(self, event: Click) -> None:
        at = event.get_content_offset(self)
        if at is None or not self._snippets:
            return
        height = self.content_size.height
        first = max(0, min(self._chosen - height // 2, len(self._snippets) - height))
        if at.x < self._title_cells(self.content_size.width) and first + at.y < len(self._snippets):
            self.choose(first + at.y)

    def on_focus(self, _event: Focus) -> None:
        self.redraw()

    def on_blur(self, _event: Blur) -> None:
        self.redraw()
