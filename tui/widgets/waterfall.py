"""One turn on every pipeline on a common time axis, stage by stage, and what would have met its budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from subsecond.engine.turns import TurnState
from subsecond.tui.widgets.canvas import Canvas, Line, Row
from subsecond.tui.widgets.text import (
    StageLook,
    fit,
    lane_mark,
    share_text,
    stage_looks,
    state_look,
    time_text,
    width_of,
)

__all__ = ["Waterfall", "WaterfallLane", "verdict"]


@dataclass(frozen=True, slots=True)
class WaterfallLane:
    """A turn on a pipeline.

    Attributes:
        stages_ps: by place in `Hello.stages`; of a turn under way: closed stages, and the open one up to now. Empty:
            nothing is known of them.
        open_stage: place of the stage that is open; None: the turn has ended.
        state: a `TurnState`.
        met: `TurnEnd.met`; empty while open.
        unknown: what is said where no stage is known.
        notes: what a stage waited for or worked on (tokens, say), by place; places may be missing at the end.
    """

    lane: int
    name: str
    stages_ps: Sequence[int]
    open_stage: int | None = None
    state: int = TurnState.PENDING
    met: Sequence[int] = ()
    notes: Sequence[str] = ()
    unknown: str = "not here yet"

    @property
    def total_ps(self) -> int:
        """How long it took, or has taken so far."""
        return sum(self.stages_ps)


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
        self._lanes: tuple[WaterfallLane, ...] = ()
        self._looks: tuple[StageLook, ...] = ()
        self._budget_ps: int | None = None

    def update(self, lanes: Sequence[WaterfallLane], *, stages: Sequence[str], budget_ps: int | None) -> None:
        """Show a turn; no lanes: nothing is chosen."""
        self._lanes = tuple(lanes)
        self._looks = stage_looks(stages)
        self._budget_ps = budget_ps
        self.redraw()

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        if not self._lanes:
            return None
        end = max([1, *(lane.total_ps for lane in self._lanes), int((self._budget_ps or 0) * 1.1)])
        names = 19 if width >= 50 else 3
        longest = max((width_of(note) for lane in self._lanes for note in lane.notes), default=0)
        notes = min(longest + 1, max(26, width // 4)) if width >= 110 and longest else 0
        columns = width - names - notes - (15 if width >= 50 else 9)
        rows: list[Row] = []
        for lane in self._lanes:
            if rows:
                rows.append(())
            rows.append(self._head(lane, width))
            rows += self._stages(lane, width, names, columns, end)
            text = verdict(lane, self._looks, self._budget_ps)
            if text:
                line = Line(width)
                line.put(0, fit(text, width).rstrip(), "strong" if lane.open_stage is None else "quiet")
                rows.append(line.row())
        rows.append(self._axis(width, names, columns, end))
        return rows[:height]

    def _head(self, lane: WaterfallLane, width: int) -> Row:
        line = Line(width)
        x = line.put(0, lane_mark(lane.lane), "strong")
        x = line.put(x + 1, lane.name, "strong") + 2
        if not lane.stages_ps:
            line.put(x, lane.unknown, "quiet")
            return line.row()
        look = state_look(lane.state, lane.met)
        x = line.put(x, time_text(lane.total_ps), "strong") + 2
        x = line.put(x, f"{look.glyph} {look.word}", look.ink) + 2
        if self._budget_ps is not None and look.word != "failed":
            spare = self._budget_ps - lane.total_ps
            text = f"{time_text(spare)} to spare" if spare >= 0 else f"{time_text(-spare)} over budget"
            line.put(x, text, "quiet" if spare >= 0 else "bad")
        return line.row()

    def _stages(self, lane: WaterfallLane, width: int, names: int, columns: int, end: int) -> list[Row]:
        rows, before, total = [], 0, lane.total_ps
        mark = self._mark(columns, end)
        for place, (look, ps) in enumerate(zip(self._looks, lane.stages_ps, strict=False)):
            is_open = place == lane.open_stage
            if ps <= 0 and not is_open:
                continue
            line = Line(width)
            line.put(0, look.glyph, look.ink)
            if names > 3:
                line.put(2, fit(look.label, names - 3), "plain")
            if columns > 0:
                low = max(0, min(columns - 1, int(before / end * columns)))  # a foreign file may have times below 0
                high = max(low + 1, min(columns, round((before + ps) / end * columns)))
                line.put(names + low, look.glyph * (high - low), look.ink)
                if is_open and high < columns:
                    line.put(names + high, "…", look.ink)
                if mark is not None:
                    line.mark(names + mark, "│", "budget")
            x = names + max(0, columns) + 1
            line.put(x, f"{time_text(ps):>7}", "plain")
            if width >= 50:
                line.put(x + 8, f"{share_text(ps / total if total else None):>6}", "quiet")
                if place < len(lane.notes):
                    line.put(x + 15, fit(lane.notes[place], max(0, width - x - 15)).rstrip(), "quiet")
            rows.append(line.row())
            before += ps
        return rows

    def _mark(self, columns: int, end: int) -> int | None:
        if self._budget_ps is None or columns <= 0:
            return None
        return min(columns - 1, int(self._budget_ps / end * columns))

    def _axis(self, width: int, names: int, columns: int, end: int) -> Row:
        line = Line(width)
        if columns <= 0:
            return line.row()
        line.put(names, "0", "quiet")
        mark, text = self._mark(columns, end), f"│budget {time_text(self._budget_ps)}"
        if mark is not None:
            if mark + width_of(text) <= width - names:
                line.put(names + mark, text, "budget")
            else:
                line.put(names + mark, "│", "budget")
                line.put_right(text[1:], "budget", end=names + mark)
        return line.row()


def verdict(lane: WaterfallLane, looks: Sequence[StageLook], budget_ps: int | None) -> str:
    """Which stage would have to be shorter for the turn to meet its budget; empty: nothing to say."""
    if budget_ps is None or not lane.stages_ps:
        return ""
    over = lane.total_ps - budget_ps
    if over <= 0:
        return ""
    parts = sorted(zip(lane.stages_ps, looks, strict=False), key=lambda part: -part[0])
    alone = [(ps, look) for ps, look in parts if ps >= over]
    if alone:
        texts = [f"{look.label} in {time_text(ps - over)} instead of {time_text(ps)}" for ps, look in alone[:2]]
        return "To meet the budget: " + ", or ".join(texts) + "."
    needed, rest = [], over
    for ps, look in parts:
        needed.append(look.label)
        rest -= ps
        if rest <= 0:
            break
    return f"No stage alone would meet the budget: {time_text(over)} over, take it from {' and '.join(needed)}."
