"""One turn on every pipeline on a common time axis, stage by stage, and what would have met its budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from subsecond.engine.turns import TurnState
from subsecond.tui.widgets.canvas import Canvas, Row

__all__ = ["Waterfall", "WaterfallLane"]


@dataclass(frozen=True, slots=True)
class WaterfallLane:
    """A turn on a pipeline.

    Attributes:
        stages_ps: by place in `Hello.stages`; of a turn under way: closed stages, and the open one up to now. Empty:
            the turn is not known on this pipeline.
        open_stage: place of the stage that is open; None: the turn has ended.
        state: a `TurnState`.
        met: `TurnEnd.met`; empty while open.
        notes: what a stage waited for or worked on (tokens, say), by place; places may be missing at the end.
    """

    lane: int
    name: str
    stages_ps: Sequence[int]
    open_stage: int | None = None
    state: int = TurnState.PENDING
    met: Sequence[int] = ()
    notes: Sequence[str] = ()


class Waterfall(Canvas):
    """Pipelines one below the other: a head line, one line per stage with its bar, time and note, and a verdict.

    Give it `height: auto` inside a `VerticalScroll` where it may be higher than its place.
    """

    def __init__(
        self,
        *,
        empty: str = "No turn is chosen. Press enter on a turn in the list.",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(empty=empty, id=id, classes=classes)

    def update(self, lanes: Sequence[WaterfallLane], *, stages: Sequence[str], budget_ps: int | None) -> None:
        """Show a turn; no lanes: nothing is chosen."""

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        return None
