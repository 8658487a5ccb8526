"""Time series of every pipeline as braille lines that differ in pattern, letter and colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from subsecond.tui.widgets.canvas import Canvas, Row
from subsecond.tui.widgets.text import time_text

__all__ = ["ChartLine", "LineChart"]


@dataclass(frozen=True, slots=True)
class ChartLine:
    """A line: the place of its pipeline (letter, pattern and colour), its name, and points in the order of x.

    Attributes:
        xs: as in `x_range`: seconds, say.
        ys: None where there is no value: the line has a gap there.
    """

    lane: int
    name: str
    xs: Sequence[float]
    ys: Sequence[float | None]


class LineChart(Canvas):
    """Lines over a fixed window with axes, legend and a budget line.

    Args:
        title: first words of the legend.
        y_text, x_text: how values on the axes are written.
        empty: shown until a line has two values.
    """

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

    def update(
        self,
        lines: Sequence[ChartLine],
        *,
        x_range: tuple[float, float],
        y_max: float | None = None,
        budget: float | None = None,
        mark_x: float | None = None,
    ) -> None:
        """Show lines.

        Args:
            x_range: the window, seconds; points outside are left out.
            y_max: upper end of the y axis (its lower end is 0); None: a round number above values and budget.
            budget: y of the budget line; None: there is none.
            mark_x: x of a mark (the moment that is shown in a rewind); None: no mark.
        """

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        return None
