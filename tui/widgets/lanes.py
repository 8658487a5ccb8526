"""Live turns of every pipeline side by side: one line per open turn, its stages filling in against its budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from subsecond.engine.feed import OpenTurn
from subsecond.tui.widgets.canvas import Canvas, Line, Row
from subsecond.tui.widgets.text import (
    StageLook,
    clean,
    count_text,
    fit,
    lane_mark,
    round_above,
    stage_looks,
    time_text,
    width_of,
)

__all__ = ["LaneTurns", "LiveLanes", "turn_bar"]

#: Narrowest block that stands beside another one.
_BLOCK_CELLS = 36
_TIME_CELLS = 9


@dataclass(frozen=True, slots=True)
class LaneTurns:
    """The open turns of a pipeline at `at_ps`, as `feed.Gauges` gives them.

    Attributes:
        open_turns: how many are open, those that are not in `turns` included.
        alert: what must be seen, a fault, say; empty: nothing.
        names: by session, the name that its turns have instead of their agent kind.
    """

    lane: int
    name: str
    at_ps: int
    turns: Sequence[OpenTurn]
    open_turns: int
    alert: str = ""
    names: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Scale:
    """What all lines share."""

    looks: tuple[StageLook, ...]
    agents: tuple[str, ...]
    budgets_ps: tuple[int | None, ...]
    end_ps: float
    longest_ps: int | None


class LiveLanes(Canvas):
    """Pipelines side by side, or one below the other where they would be narrower than 36 cells.

    A line is a turn, those with a name first, then the oldest: its name or agent kind and its number, its bar from 0 to
    twice the longest budget with the mark of its own budget, the time that it is open, and `!` once it is late.
    """

    def __init__(
        self,
        *,
        empty: str = "No turn is open. Sessions are between turns, or raise the load.",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(empty=empty, id=id, classes=classes)
        self._lanes: tuple[LaneTurns, ...] = ()
        self._scale: _Scale | None = None

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
        self._lanes = tuple(lanes)
        limits = [limit for limit in budgets_ps if limit is not None and limit > 0]
        ages = [lane.at_ps - turn.start_ps for lane in lanes for turn in lane.turns]
        longest = max(limits, default=None)
        end = 2 * longest if longest is not None else round_above(max(ages, default=0))
        self._scale = _Scale(stage_looks(stages), tuple(agents), tuple(budgets_ps), end, longest)
        self.redraw()

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        scale = self._scale
        if scale is None or not any(lane.turns or lane.open_turns or lane.alert for lane in self._lanes):
            return None
        count = len(self._lanes)
        if count == 1 or (width + 1) // count - 1 < _BLOCK_CELLS:
            return self._stacked(scale, width, height)
        wide = (width + 1) // count - 1
        # Wide enough for the widest list: `height: auto` asks for what there is.
        blocks = [_block(lane, scale, wide, height) for lane in self._lanes]
        rows = []
        for parts in zip_longest(*blocks):
            row: list[tuple[str, str]] = []
            for place, part in enumerate(parts):
                if place:
                    row.append(("│", "quiet"))
                row += part.row() if part is not None else Line(wide).row()
            rows.append(tuple(row))
        return rows

    def _stacked(self, scale: _Scale, width: int, height: int) -> list[Row]:
        count = len(self._lanes)
        rows: list[Row] = []
        for place, lane in enumerate(self._lanes):
            room = height // count + (place < height % count)
            rows += [line.row() for line in _block(lane, scale, width, room)]
        return rows


def _block(lane: LaneTurns, scale: _Scale, width: int, height: int) -> list[Line]:
    """Head, axis and turns of a pipeline, in at most `height` lines; the head alone says what does not fit."""
    if height <= 0:
        return []
    names = _name_cells(lane, scale, width) if width >= 34 else 0
    columns = max(0, width - names - _TIME_CELLS)
    has_axis = height >= 4
    room = height - 1 - has_axis
    turns = sorted(lane.turns, key=lambda turn: (turn.session not in lane.names, turn.start_ps, turn.turn))
    head = Line(width)
    x = head.put(0, lane_mark(lane.lane), "strong")
    text = f"{count_text(lane.open_turns)} open"
    x = head.put(x + 1, fit(lane.name, min(width_of(clean(lane.name)), max(4, width - width_of(text) - 5))), "strong")
    late = sum(_is_late(turn, lane.at_ps, scale) for turn in turns)
    x = head.put(x + 2, text, "quiet")
    if late and x + 8 <= width:
        x = head.put(x + 2, f"! {count_text(late)} late", "bad")
    if lane.alert:
        head.put(x + 2, f" {lane.alert} ", "cursor")
    lines = [head]
    if has_axis:
        lines.append(_axis(scale, width, names, columns))
    if not turns and room > 0:
        note = Line(width)
        note.put(0, "no turn is open" if not lane.open_turns else "no details of its turns yet", "quiet")
        return [*lines, note]
    return [*lines, *(_turn(turn, lane, scale, width, names, columns) for turn in turns[: max(0, room)])]


def _name_cells(lane: LaneTurns, scale: _Scale, width: int) -> int:
    """Cells for agent kind and number, with a space behind each."""
    own = [lane.names[turn.session] for turn in lane.turns if turn.session in lane.names]
    agents = max((width_of(clean(name)) for name in (*scale.agents, *own)), default=1)
    numbers = max((len(str(turn.turn)) for turn in lane.turns), default=1)
    return min(agents + numbers + 2, width // 3)


def _budget_of(turn: OpenTurn, scale: _Scale) -> int | None:
    return scale.budgets_ps[turn.agent] if 0 <= turn.agent < len(scale.budgets_ps) else None


def _is_late(turn: OpenTurn, at_ps: int, scale: _Scale) -> bool:
    budget = _budget_of(turn, scale)
    return budget is not None and at_ps - turn.start_ps > budget


def _axis(scale: _Scale, width: int, start: int, columns: int) -> Line:
    line = Line(width)
    line.put(start, "0", "quiet")
    end, text = time_text(scale.end_ps), ""
    if scale.longest_ps is not None and columns >= 16:
        text = f"│{time_text(scale.longest_ps)}"
        line.put(start + int(scale.longest_ps / scale.end_ps * columns), text, "budget")
    if columns // 2 > width_of(text) + width_of(end):
        line.put_right(end, "quiet", end=start + columns)
    return line


def _turn(turn: OpenTurn, lane: LaneTurns, scale: _Scale, width: int, names: int, columns: int) -> Line:
    line = Line(width)
    at_ps = lane.at_ps
    age, budget = max(0, at_ps - turn.start_ps), _budget_of(turn, scale)
    is_late = budget is not None and age > budget
    if names:
        kind = scale.agents[turn.agent] if 0 <= turn.agent < len(scale.agents) else "?"
        own = lane.names.get(turn.session)
        number = str(turn.turn)
        line.put(0, fit(own or kind, max(3, names - 2 - width_of(number))), "strong" if own else "plain")
        line.put_right(number[-max(1, names - 5) :], "quiet", end=names - 1)
    line.put_right(time_text(age) + (" !" if is_late else "  "), "bad" if is_late else "plain")
    if columns > 0:
        _bar(line, names, columns, turn, at_ps, scale.looks, budget, scale.end_ps)
    return line


def turn_bar(
    turn: OpenTurn, at_ps: int, *, looks: tuple[StageLook, ...], budget_ps: int | None, end_ps: float, width: int
) -> Row:
    """A turn under way as a bar from 0 to `end_ps`, filled stage by stage, with the mark of its budget."""
    line = Line(width)
    if width > 0 and end_ps > 0:
        _bar(line, 0, width, turn, at_ps, looks, budget_ps, end_ps)
    return line.row()


def _bar(
    line: Line,
    start: int,
    columns: int,
    turn: OpenTurn,
    at_ps: int,
    looks: tuple[StageLook, ...],
    budget: int | None,
    end_ps: float,
) -> None:
    """Draw a turn's bar on `columns` cells of a line, from cell `start` on."""
    parts = [(look, ps) for look, ps in zip(looks, turn.stages_ps, strict=False) if ps > 0]
    is_known = 0 <= turn.stage < len(looks)
    if is_known:
        parts.append((looks[turn.stage], max(0, at_ps - turn.since_ps)))
    factor, total, x = columns / end_ps, 0, 0
    for look, ps in parts:
        total += ps
        next_x = min(columns, round(total * factor))
        if next_x > x:
            line.put(start + x, look.glyph * (next_x - x), look.ink)
            x = next_x
    if total * factor > columns:
        line.put(start + columns - 1, "»", "bad")
    mark = None if budget is None or budget <= 0 else min(columns - 1, int(budget * factor))
    if is_known and total * factor <= columns:
        label = " " + looks[turn.stage].label
        if mark is not None and x <= mark < x + len(label):
            x = mark + 1
        if x + len(label) <= columns:
            line.put(start + x, label, "quiet")
    if mark is not None:
        line.mark(start + mark, "│", "budget")
