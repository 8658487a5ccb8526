"""The whole run in one line, with what happened to it, and the instant that is shown; a click goes elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from textual.binding import Binding, BindingType
from textual.events import Blur, Focus, MouseDown, MouseMove, MouseUp
from textual.message import Message

from subsecond.tui.widgets.canvas import Canvas, Line, Row
from subsecond.tui.widgets.text import clock_text, width_of

__all__ = ["Timeline", "TimelineData"]

PS_PER_S = 10**12
#: From no late turn to as many as in the column that has most of them.
_LEVELS = "·▁▂▃▄▅▆▇█"
#: Faults, knobs, annotations: what is written over the bar.
_MARKS = "FKA"


@dataclass(frozen=True, slots=True, eq=False)
class TimelineData:
    """A run at a glance.

    Attributes:
        end_ps: how far it has come.
        late: late turns by the second of their end, [seconds].
        faults_ps, knobs_ps, notes_ps: when a fault began, when a parameter was changed, what somebody wrote about.
    """

    end_ps: int
    late: NDArray[np.int64]
    faults_ps: Sequence[int]
    knobs_ps: Sequence[int]
    notes_ps: Sequence[int] = ()


class Timeline(Canvas, can_focus=True):
    """One line: start, bar, end.

    In the bar the height of a block is the number of late turns, `F` the begin of a fault, `K` a change of a parameter,
    `A` an annotation, and the letter in reverse the instant that is shown. Columns are made once for data and width;
    another instant changes two cells.
    """

    class Seek(Message):
        """The user asks for an instant."""

        def __init__(self, at_ps: int) -> None:
            super().__init__()
            self.at_ps = at_ps

    DEFAULT_CSS = """
    Timeline { height: 1; background: $surface; }
    Timeline:focus { background: $panel; text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "go(-1)", "Back 1 s", show=False, tooltip="Show what was 1 s before"),
        Binding("right", "go(1)", "On 1 s", show=False, tooltip="Show what was 1 s later"),
        Binding("shift+left", "go(-10)", "Back 10 s", show=False, tooltip="Show what was 10 s before"),
        Binding("shift+right", "go(10)", "On 10 s", show=False, tooltip="Show what was 10 s later"),
        Binding("home", "start", "Start", show=False, tooltip="Show the start of the run"),
        Binding("end", "end", "End", show=False, tooltip="Show the end of the run"),
    ]
    help_text: ClassVar[str] = (
        "The line at the bottom is the whole run. A higher block means more late turns, F is a fault, K a changed "
        "parameter, A an annotation, the cell in reverse what is shown. Click or drag to go elsewhere; in focus (tab), "
        "left and right go 1 s, with shift 10 s, home and end to its ends."
    )

    def __init__(self, *, empty: str = "The run at a glance shows once there is a recording.", id: str | None = None):
        super().__init__(empty=empty, id=id)
        self._data: TimelineData | None = None
        self._at_ps = 0
        self._letters: list[str] = []
        self._letters_for: tuple[TimelineData | None, int] = (None, -1)
        self._is_dragged = False

    def update(self, data: TimelineData | None, at_ps: int) -> None:
        """Show a run and the instant of it that is on the screens."""
        self._data, self._at_ps = data, at_ps
        self.redraw()

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        data = self._data
        if data is None or height < 1:
            return None
        start, columns, end = _places(data, width)
        line = Line(width)
        line.put(0, start, "quiet")
        if columns > 0:
            if self._letters_for != (data, columns):
                self._letters, self._letters_for = _letters(data, columns), (data, columns)
            inks = [_ink(letter) for letter in self._letters]
            at = _column(self._at_ps, data.end_ps, columns)
            cells = self._letters.copy()
            cells[at], inks[at] = cells[at] if cells[at] in _MARKS else "┃", "cursor"
            line.paste(len(start), cells, inks)
        line.put_right(end, "quiet")
        return [line.row()]

    def _instant_of(self, x: int) -> int | None:
        """The instant that a cell stands for; None: there is none."""
        data = self._data
        if data is None:
            return None
        start, columns, _ = _places(data, self.content_size.width)
        place = x - len(start)
        if columns <= 0:
            return None
        return data.end_ps if place >= columns - 1 else max(0, place) * data.end_ps // max(1, columns - 1)

    def on_mouse_down(self, event: MouseDown) -> None:
        self._is_dragged = True
        self.capture_mouse()
        self._seek(self._instant_of(event.x))
        event.stop()

    def on_mouse_move(self, event: MouseMove) -> None:
        if self._is_dragged:
            self._seek(self._instant_of(event.x))
            event.stop()

    def on_mouse_up(self, event: MouseUp) -> None:
        self._is_dragged = False
        self.release_mouse()
        event.stop()

    def _seek(self, at_ps: int | None) -> None:
        if at_ps is not None and at_ps != self._at_ps:
            self._at_ps = at_ps  # the mark follows the hand, whenever the picture comes
            self.redraw()
            self.post_message(self.Seek(at_ps))

    def action_go(self, seconds: int) -> None:
        if self._data is not None:
            self._seek(min(max(0, self._at_ps + seconds * PS_PER_S), self._data.end_ps))

    def action_start(self) -> None:
        self._seek(0 if self._data is not None else None)

    def action_end(self) -> None:
        self._seek(None if self._data is None else self._data.end_ps)

    def on_focus(self, event: Focus) -> None:
        self.refresh()

    def on_blur(self, event: Blur) -> None:
        self.refresh()


def _places(data: TimelineData, width: int) -> tuple[str, int, str]:
    """What stands before the bar, its columns, what stands behind it."""
    start, end = " 0:00 ", f" {clock_text(data.end_ps / PS_PER_S)} "
    if width < width_of(start) + width_of(end) + 10:
        start, end = "", ""
    return start, max(0, width - len(start) - width_of(end)), end


def _column(at_ps: int, end_ps: int, columns: int) -> int:
    """The column of an instant; the last one is that of the end."""
    if end_ps <= 0:
        return 0
    return min(columns - 1, max(0, at_ps * (columns - 1) // end_ps))


def _letters(data: TimelineData, columns: int) -> list[str]:
    """The bar without the instant."""
    counts = _by_column(data, columns)
    most = max(1, int(counts.max()))
    letters = [_LEVELS[-(-count * (len(_LEVELS) - 1) // most)] for count in counts.tolist()]
    for instants, letter in ((data.notes_ps, "A"), (data.knobs_ps, "K"), (data.faults_ps, "F")):
        for at in instants:
            letters[_column(at, data.end_ps, columns)] = letter
    return letters


def _by_column(data: TimelineData, columns: int) -> NDArray[np.int64]:
    """Late turns that ended in the time of each column; one that is shorter than a second shows its second's."""
    begins_s = np.arange(columns + 1) * (data.end_ps / PS_PER_S / max(1, columns - 1))
    first = np.minimum(begins_s.astype(np.int64), len(data.late))
    before = np.concatenate([[0], np.cumsum(data.late)])
    low, high = first[:-1], np.minimum(np.maximum(first[1:], first[:-1] + 1), len(data.late))
    counts: NDArray[np.int64] = before[np.maximum(high, low)] - before[low]
    return counts


def _ink(letter: str) -> str:
    return "bad" if letter == "F" else "strong" if letter in "KA" else "quiet" if letter == "·" else "wait"
