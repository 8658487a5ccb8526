"""Live turns of every pipeline side by side: one line per open turn, its stages filling in against its budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from subsecond.engine.feed import OpenTurn
from subsecond.tui.widgets.canvas import Canvas, Row

__all__ = ["LaneTurns", "LiveLanes"]


@dataclass(frozen=True, slots=True)
class LaneTurns:
    """The open turns of a pipeline at `at_ps`, as `feed.Gauges` gives them.

    Attributes:
        open_turns: how many are open, those that are not in `turns` included.
        alert: what must be seen, a fault, say; empty: nothing.
    """

    lane: int
    name: str
    at_ps: int
    turns: Sequence[OpenTurn]
    open_turns: int
    alert: str = ""


class LiveLanes(Canvas):
    """Pipelines side by side, or one below the other where they would be narrower than 36 cells.

    A line is a turn, oldest first: its agent kind and number, its bar from 0 to twice the longest budget with the mark
    of its own budget, the time that it is open, and `!` once it is late.
    """

    def __init__(
        self,
        *,
        empty: str = "No turn is open. Sessions are between turns, or raise the load.",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(empty=empty, id=id, classes=classes)

    def update(
        self,
        lanes: Sequence[LaneTurns],
        *,
        stages: Sequence[str],
        agents: Sequence[str],
        budgets_ps: Sequence[int | None],
    ) -> None:
        """Show turns.

        Args:
            stages, agents: names, as in `Hello`.
            budgets_ps: strictest limit on a turn by agent kind; None: it has none.
        """

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        return None
