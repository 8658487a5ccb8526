"""How latencies are spread: one histogram per pipeline over the same bins, with the budget mark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subsecond.tui.widgets.canvas import Canvas, Line, Row
from subsecond.tui.widgets.chart import line_ink
from subsecond.tui.widgets.text import count_text, lane_mark, round_above, share_text, time_text, width_of

__all__ = ["Histogram", "Latencies"]

_EIGHTHS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True, eq=False)
class Latencies:
    """Latencies of the answered turns of a pipeline, in ps, in any order; not to be written to."""

    lane: int
    name: str
    values_ps: NDArray[np.int64]


class Histogram(Canvas):
    """Histograms one below the other on one scale; the last bin holds all that is beyond the axis."""

    def __init__(
        self,
        *,
        empty: str = "Latencies show once a turn has ended.",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(empty=empty, id=id, classes=classes)
        self._lanes: tuple[Latencies, ...] = ()
        self._budget_ps: float | None = None
        self._limit_ps: float | None = None

    def update(self, lanes: Sequence[Latencies], *, budget_ps: float | None, limit_ps: float | None = None) -> None:
        """Show latencies.

        Args:
            budget_ps: None: no mark.
            limit_ps: end of the axis; None: twice the budget, or a round number above the longest if there is none.
        """
        self._lanes = tuple(lanes)
        self._budget_ps = budget_ps
        self._limit_ps = limit_ps
        self.redraw()

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        if not any(len(lane.values_ps) for lane in self._lanes):
            return None
        limit = self._limit()
        has_axis = height > len(self._lanes)
        # A widget as high as it likes has eight rows per pipeline.
        blocks = _heights(min(height, 9 * len(self._lanes) + 1) - has_axis, len(self._lanes))
        counts = [_binned(lane.values_ps, limit, width) for lane in self._lanes]
        # The bin of all that is beyond the axis may be cut: it must not make the others flat.
        most = max(int(column[:-1].max(initial=0)) for column in counts) or max(int(column[-1]) for column in counts)
        mark = None
        if self._budget_ps is not None and self._budget_ps < limit:
            mark = min(width - 2, int(self._budget_ps / limit * (width - 1)))
        rows: list[Row] = []
        for lane, column, block in zip(self._lanes, counts, blocks, strict=True):
            if block >= 2:
                rows.append(self._head(lane, width))
            rows += _bars(column, most, block - (block >= 2), mark, line_ink(lane.lane))
        if has_axis:
            rows.append(_axis(width, limit, self._budget_ps, mark))
        return rows

    def _limit(self) -> float:
        if self._limit_ps is not None and self._limit_ps > 0:
            return self._limit_ps
        if self._budget_ps is not None and self._budget_ps > 0:
            return 2 * self._budget_ps
        return round_above(max(int(lane.values_ps.max()) for lane in self._lanes if len(lane.values_ps)) * 1.01)

    def _head(self, lane: Latencies, width: int) -> Row:
        line, values = Line(width), lane.values_ps
        x = line.put(0, lane_mark(lane.lane), line_ink(lane.lane))
        x = line.put(x + 1, lane.name, "strong") + 2
        if not len(values):
            line.put(x, "no turn", "quiet")
            return line.row()
        late = "" if self._budget_ps is None else f"late {share_text(float((values > self._budget_ps).mean()))}"
        for text in (
            f"p50 {_rank(values, 0.5)}",
            f"p95 {_rank(values, 0.95)}",
            late,
            f"{count_text(len(values))} turns",
        ):
            if text and x + width_of(text) <= width:
                x = line.put(x, text, "quiet") + 2
        return line.row()


def _rank(values: NDArray[np.int64], q: float) -> str:
    """The value of rank ceil(q * n)."""
    rank = math.ceil(q * len(values)) - 1
    return time_text(int(np.partition(values, rank)[rank]))


def _heights(rows: int, blocks: int) -> list[int]:
    """Rows shared out evenly; the first ones get what is over."""
    rows = max(0, rows)
    return [rows // blocks + (place < rows % blocks) for place in range(blocks)]


def _binned(values: NDArray[np.int64], limit: float, bins: int) -> NDArray[np.int64]:
    """Counts; the last bin holds what is at or beyond the limit."""
    if bins <= 0:
        return np.zeros(1, np.int64)
    per_bin = limit / (bins - 1) if bins > 1 else math.inf
    places = np.clip(values / per_bin, 0, bins - 1).astype(np.int64)
    return np.bincount(places, minlength=bins)


def _bars(counts: NDArray[np.int64], most: int, rows: int, mark: int | None, ink: str) -> list[Row]:
    if rows <= 0:
        return []
    # Any turn shows: its column has at least one eighth.
    eighths = np.where(counts > 0, np.maximum(1, np.round(counts * (rows * 8 / max(1, most)))), 0).astype(np.int64)
    drawn = []
    for y in range(rows):
        levels = np.clip(eighths - (rows - 1 - y) * 8, 0, 8).tolist()
        line = Line(len(levels))
        cells = [_EIGHTHS[level] for level in levels]
        if mark is None or mark < 0:
            line.paste(0, cells, [ink] * len(cells))
        else:
            line.paste(0, cells, [ink] * mark + ["bad"] * (len(cells) - mark))
            if cells[mark] == " ":
                line.mark(mark, "│", "budget")
        drawn.append(line.row())
    return drawn


def _axis(width: int, limit: float, budget: float | None, mark: int | None) -> Row:
    line = Line(width)
    line.put(0, "0", "quiet")
    end = line.put_right(f"≥{time_text(limit)}", "quiet")
    if mark is not None:
        text = f"│ budget {time_text(budget)}"
        if mark + width_of(text) + 1 > end:
            text = "│"
        line.put(mark, text, "budget")
    return line.row()
