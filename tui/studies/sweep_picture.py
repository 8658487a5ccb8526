"""Pictures of a sweep: lines over one axis, or a map over two; the other axes stand still, or are averaged over."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from subsecond.tui.widgets.chart import ChartLine
from subsecond.tui.widgets.heat import HeatCell

from .scales import Scale, key_of
from .study import HeatPicture, LinePicture
from .sweep_measures import Measure
from .sweep_points import GroupSeen, SweepPoint, SweepSeen

__all__ = ["Slice", "heat_of", "lines_of", "slice_of"]


@dataclass(frozen=True, slots=True)
class Slice:
    """The points that a picture is about.

    Attributes:
        points: those that share the settings in `held`; all, if `held` is None.
        held: axis -> value of the axes that the picture does not show; None: it shows means over them.
    """

    points: tuple[SweepPoint, ...]
    held: dict[str, str] | None


def slice_of(sweep: SweepSeen, shown: Sequence[str], scales: dict[str, Scale], at: SweepPoint | None) -> Slice:
    """Points whose other settings are those of a point, if the axes have few values; else all."""
    others = [axis.key for axis in sweep.axes if axis.key not in shown]
    if any(scales[key].is_ranges for key in (*others, *shown)) or at is None:
        return Slice(sweep.points, None if others else {})
    held = {key: key_of(at.settings.get(key)) for key in others}
    points = (p for p in sweep.points if all(key_of(p.settings.get(key)) == value for key, value in held.items()))
    return Slice(tuple(points), held)


def _group(point: SweepPoint, lane: str, kind: str) -> GroupSeen | None:
    own = point.lanes.get(lane)
    return None if own is None else own.groups.get(kind)


def lines_of(
    sweep: SweepSeen, cut: Slice, axis: str, scale: Scale, kind: str, measure: Measure, at: SweepPoint | None
) -> LinePicture:
    """A line per pipeline over the places of an axis."""
    lines = []
    for number, lane in enumerate(sweep.lanes):
        sums: list[list[float]] = [[] for _ in scale.labels]
        for place, value in _values(cut.points, axis, scale, lane, kind, measure):
            sums[place].append(value)
        ys = tuple(math.fsum(values) / len(values) if values else None for values in sums)
        lines.append(ChartLine(number, lane, tuple(map(float, range(len(ys)))), ys))
    mark = None if at is None else scale.place(at.settings.get(axis))
    return LinePicture(
        title=measure.name,
        lines=tuple(lines),
        x_range=(0.0, float(max(1, len(scale.labels) - 1))),
        ticks=tuple((float(place), label) for place, label in enumerate(scale.labels)),
        y_text=measure.text,
        y_max=1.0 if measure.is_share else None,
        budget=measure.line,
        budget_word=measure.budget,
        mark_x=None if mark is None else float(mark),
    )


def _values(
    points: Sequence[SweepPoint], axis: str, scale: Scale, lane: str, kind: str, measure: Measure
) -> Iterator[tuple[int, float]]:
    for point in points:
        group, place = _group(point, lane, kind), scale.place(point.settings.get(axis))
        value = None if group is None else measure.of(group)
        if place is not None and value is not None:
            yield place, value


def heat_of(
    cut: Slice,
    axes: tuple[str, str],
    scales: tuple[Scale, Scale],
    lane: str,
    kind: str,
    measure: Measure,
) -> HeatPicture:
    """A map: the first axis across, the second one down."""
    by_cell: dict[tuple[int, int], list[SweepPoint]] = {}
    for point in cut.points:
        across, down = (scale.place(point.settings.get(key)) for key, scale in zip(axes, scales, strict=True))
        if across is not None and down is not None:
            by_cell.setdefault((down, across), []).append(point)
    means = {cell: _mean(points, lane, kind, measure) for cell, points in by_cell.items()}
    known = [mean for mean in means.values() if mean is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    size = len(scales[1].labels), len(scales[0].labels)

    def cell(row: int, column: int) -> HeatCell | None:
        points = by_cell.get((row, column))
        if points is None:
            return None
        mean = means[row, column]
        if mean is None:
            return HeatCell(0.0, "failed" if any(p.failures for p in points) else "no turn", "x", "bad")
        groups = [g for p in points if (g := _group(p, lane, kind)) is not None]
        is_good = measure.is_good(groups[0]) if len(groups) == 1 else None
        mark, ink = {True: ("✓", "good"), False: ("!", "bad"), None: ("", "plain")}[is_good]
        return HeatCell(_level(mean, low, high, measure.is_share), measure.text(mean), mark, ink)

    rows, columns = range(size[0]), range(size[1])
    return HeatPicture(
        title=f"{lane}: {measure.name}",
        across=axes[0],
        down=axes[1],
        columns=scales[0].labels,
        rows=scales[1].labels,
        cells=tuple(tuple(cell(row, column) for column in columns) for row in rows),
        legend=f"· {measure.text(low)} ░▒▓ █ {measure.text(high)}    ✓ budget kept, ! not kept, x failed, - no point",
        keys=tuple(
            tuple(by_cell[row, column][0].number if (row, column) in by_cell else None for column in columns)
            for row in rows
        ),
    )


def _mean(points: Sequence[SweepPoint], lane: str, kind: str, measure: Measure) -> float | None:
    values = [v for p in points if (g := _group(p, lane, kind)) is not None and (v := measure.of(g)) is not None]
    return math.fsum(values) / len(values) if values else None


def _level(value: float, low: float, high: float, is_share: bool) -> float:
    """From 0 to 1; amounts by their logarithm."""
    if is_share or low <= 0:
        return min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 1.0
    return math.log(value / low) / math.log(high / low) if high > low else 1.0
