"""A value on a track of steps: arrows, home, end and the mouse move it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import MouseDown, MouseMove, MouseUp
from textual.message import Message

from subsecond.tui.widgets.canvas import Canvas, Line, Row
from subsecond.tui.widgets.text import clean, width_of

__all__ = ["BIG_STEP", "Slider"]

#: Steps of one press with shift.
BIG_STEP = 5
#: Columns below which there is no track, only the value.
LEAST_TRACK = 7


class Slider(Canvas, can_focus=True):
    """One value of an ordered few. Its line says the value in words; below stand the track, its ends and the default.

    The value may lie between two steps, as one that was typed; the next press goes to the step beside it. Keys: left
    and right, with shift five steps at once; home and end; enter takes the value. Mouse: click or drag on the track.
    """

    class Changed(Message):
        """The user moved the slider."""

        def __init__(self, slider: Slider, value: float) -> None:
            super().__init__()
            self.slider = slider
            self.value = value

        @property
        def control(self) -> Slider:
            return self.slider

    class Taken(Changed):
        """The user wants this value."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "Less", tooltip="One step less"),
        Binding("right", "move(1)", "More", tooltip="One step more"),
        Binding("shift+left", f"move(-{BIG_STEP})", "Much less", tooltip="Five steps less"),
        Binding("shift+right", f"move({BIG_STEP})", "Much more", tooltip="Five steps more"),
        Binding("home", "end(0)", "Least", tooltip="The lowest value of the track"),
        Binding("end", "end(-1)", "Most", tooltip="The highest value of the track"),
        Binding("enter", "take", "Set", tooltip="Take this value"),
    ]

    def __init__(
        self,
        *,
        empty: str = "There is nothing to choose from.",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(empty=empty, id=id, classes=classes)
        self._steps: tuple[float, ...] = ()
        self._value = 0.0
        self._default: float | None = None
        self._words: Callable[[float], str] = str

    def update(
        self,
        steps: Sequence[float],
        value: float,
        *,
        words: Callable[[float], str] = str,
        default: float | None = None,
    ) -> None:
        """Show a value among others.

        Args:
            steps: values to choose from, each above the one before.
            words: how a value is written.
            default: the value to mark on the track; None: none.
        """
        self._steps = tuple(steps)
        self._value, self._words, self._default = value, words, default
        self.redraw()

    @property
    def value(self) -> float:
        """What is chosen."""
        return self._value

    def set_value(self, value: float) -> None:
        """Choose a value, a step or not; nobody is told."""
        self._value = value
        self.redraw()

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        if not self._steps:
            return None
        words = clean(self._words(self._value))
        if width < LEAST_TRACK:
            line = Line(width)
            line.put(0, words, "strong")
            return [line.row()][:height]
        thumb = self._column(self._value, width)
        top = Line(width)
        top.put(max(0, min(thumb - width_of(words) // 2, width - width_of(words))), words, "strong")
        rows = [top.row(), self._track(width, thumb), self._ends(width)]
        return rows[:height] if height > 1 else rows[1:2]

    def _track(self, width: int, thumb: int) -> Row:
        line = Line(width)
        line.put(0, "├", "quiet")
        line.put(1, "━" * (thumb - 1), "prefill")
        line.put(thumb, "─" * (width - 1 - thumb), "quiet")
        line.put(width - 1, "┤", "quiet")
        if self._default is not None:
            line.put(self._column(self._default, width), "┼", "strong")
        line.put(thumb, "█" if self.has_focus else "▓", "strong")
        return line.row()

    def _ends(self, width: int) -> Row:
        line = Line(width)
        low, high = (clean(self._words(end)) for end in (self._steps[0], self._steps[-1]))
        if width_of(low) + width_of(high) < width:
            line.put(0, low, "quiet")
            line.put_right(high, "quiet")
        if self._default is not None:
            at = self._column(self._default, width)
            for text, start in (("▴ default", at), ("default ▴", at - 8), ("▴", at)):
                beside = range(start - 1, start + len(text) + 1)
                if start >= 0 and start + len(text) <= width and all(_is_free(line, x, width) for x in beside):
                    line.put(start, text, "quiet")
                    break
        return line.row()

    def _column(self, value: float, width: int) -> int:
        """Where a value stands on a track of so many cells, its ends aside."""
        return 1 + round(self._place(value) * (width - 3))

    def _place(self, value: float) -> float:
        """Where a value stands between the first step (0) and the last (1)."""
        after = bisect_left(self._steps, value)
        if after == 0 or len(self._steps) == 1:
            return 0.0
        if after == len(self._steps):
            return 1.0
        low, high = self._steps[after - 1], self._steps[after]
        return (after - 1 + (value - low) / (high - low)) / (len(self._steps) - 1)

    def action_move(self, steps: int) -> None:
        """Go so many steps up, or down if below 0."""
        if self._steps:
            place = bisect_right(self._steps, self._value) - 1 if steps > 0 else bisect_left(self._steps, self._value)
            self._choose(self._steps[min(max(place + steps, 0), len(self._steps) - 1)])

    def action_end(self, place: int) -> None:
        """Go to the first step (0) or the last (-1)."""
        if self._steps:
            self._choose(self._steps[place])

    def action_take(self) -> None:
        if self._steps:
            self.post_message(self.Taken(self, self._value))

    def _choose(self, value: float) -> None:
        if value != self._value:
            self._value = value
            self.redraw()
            self.post_message(self.Changed(self, value))

    def watch_has_focus(self, value: bool) -> None:
        super().watch_has_focus(value)
        self.redraw()

    def on_mouse_down(self, event: MouseDown) -> None:
        self.capture_mouse()
        self._point(event.x)

    def on_mouse_move(self, event: MouseMove) -> None:
        if self.app.mouse_captured is self:
            self._point(event.x)

    def on_mouse_up(self, _event: MouseUp) -> None:
        self.release_mouse()

    def _point(self, x: int) -> None:
        """Choose the step that stands nearest to a column of the widget."""
        width = self.content_size.width
        if self._steps and width >= LEAST_TRACK:
            share = (x - self.gutter.left - 1) / max(1, width - 3)
            last = len(self._steps) - 1
            self._choose(self._steps[min(max(round(share * last), 0), last)])


def _is_free(line: Line, x: int, width: int) -> bool:
    return line.is_blank(x) or not 0 <= x < width
