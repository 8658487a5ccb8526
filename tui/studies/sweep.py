"""A sweep as a study: choices of axes, measure, pipeline and agents; its points as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from subsecond.engine.sweep.manifest import Axis
from subsecond.tui.widgets.table import Column, TableRow
from subsecond.tui.widgets.text import NOTHING, clean, lane_mark

from .scales import Scale, scale_of
from .study import Choice, Chosen, Detail, HeatPicture, LinePicture, Table, option
from .sweep_detail import detail_of
from .sweep_measures import Measure, measures_of
from .sweep_picture import Slice, heat_of, lines_of, slice_of
from .sweep_points import SweepPoint, SweepSeen
from .text import counted_runs, value_text

__all__ = ["SweepStudy"]

#: What stands for no axis.
_NONE = "nothing"
#: Points whose rows are made while the screen waits.
_MANY = 1500


@dataclass(frozen=True, slots=True)
class SweepStudy:
    """A sweep, as far as it has been read."""

    seen: SweepSeen
    kind: str = "sweep"
    about: str = (
        "The points of a sweep. x chooses the setting that the picture has across, y one to have down: a map then, "
        "instead of lines. m chooses what is measured, l the pipeline of a map, k the kind of agents. Settings that "
        "the picture does not show are as at the point under the cursor; where an axis has many values, the picture "
        "shows means over ranges. Enter shows all of a point, and the command that runs it again. A sweep under way "
        "is looked at again every second."
    )
    scales: dict[str, Scale] = field(init=False)
    by_number: dict[int, SweepPoint] = field(init=False)
    measures: dict[str, list[Measure]] = field(init=False)
    #: Maps that were drawn, by what is chosen and held; only where they point at is still to be set.
    maps: dict[object, HeatPicture] = field(init=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        seen = self.seen
        scales = {
            axis.key: scale_of(axis, [p.settings[axis.key] for p in seen.points if axis.key in p.settings])
            for axis in seen.axes
        }
        object.__setattr__(self, "scales", scales)
        object.__setattr__(self, "by_number", {point.number: point for point in seen.points})
        object.__setattr__(self, "measures", {kind: measures_of(seen, kind) for kind in seen.kinds})

    @property
    def headline(self) -> str:
        seen = self.seen
        points = f"{len(seen.points):,} of {seen.num_points:,}" if len(seen.points) < seen.num_points else ""
        count = f"{points or f'{seen.num_points:,}'} point{'' if seen.num_points == 1 else 's'}"
        seeds = f" x {len(seen.seeds):,} seeds" if len(seen.seeds) > 1 else ""
        return f"{seen.name} · {seen.base} · {count}{seeds}" + (f" · {seen.title}" if seen.title else "")

    @property
    def state(self) -> str:
        failed = f", {self.seen.num_failed:,} failed" if self.seen.num_failed else ""
        words = "reading: " if self.seen.is_reading else ""
        return words + counted_runs(self.seen.done_runs, self.seen.num_runs) + failed

    @property
    def problem(self) -> str:
        return self.seen.problem

    @property
    def is_large(self) -> bool:
        return len(self.seen.points) > _MANY

    # -- what is chosen

    def choices(self, chosen: Chosen) -> Sequence[Choice]:
        seen = self.seen
        keys = tuple(axis.key for axis in seen.axes)
        found = []
        if len(keys) > 1:
            found += [Choice("x", keys), Choice("y", _downs(keys, self._across(chosen), _is_grid(seen.axes)))]
        kind = self._kind(chosen)
        if kind:
            found.append(Choice("m", tuple(measure.name for measure in self.measures[kind])))
        if len(seen.lanes) > 1 and self._down(chosen):
            found.append(Choice("l", seen.lanes))
        if len(seen.kinds) > 1:
            found.append(Choice("k", seen.kinds))
        return found

    def _across(self, chosen: Chosen) -> str:
        axes = self.seen.axes
        return axes[min(chosen.get("x", 0), len(axes) - 1)].key if axes else ""

    def _down(self, chosen: Chosen) -> str:
        """The axis that the picture has down; empty: it has lines."""
        keys = tuple(axis.key for axis in self.seen.axes)
        if len(keys) < 2:
            return ""
        downs = _downs(keys, self._across(chosen), _is_grid(self.seen.axes))
        found = downs[option(Choice("y", downs), chosen)]
        return "" if found == _NONE else found

    def _kind(self, chosen: Chosen) -> str:
        kinds = self.seen.kinds
        return kinds[min(chosen.get("k", 0), len(kinds) - 1)] if kinds else ""

    def _lane(self, chosen: Chosen) -> str:
        lanes = self.seen.lanes
        return lanes[min(chosen.get("l", 0), len(lanes) - 1)] if lanes else ""

    def _measure(self, chosen: Chosen) -> Measure | None:
        own = self.measures.get(self._kind(chosen), [])
        return own[min(chosen.get("m", 0), len(own) - 1)] if own else None

    # -- what is shown

    def picture(self, chosen: Chosen, key: int | str | None) -> LinePicture | HeatPicture:
        seen, measure, across, down = self.seen, self._measure(chosen), self._across(chosen), self._down(chosen)
        if measure is None or not across:
            return LinePicture("", (), (0.0, 1.0), (), str, empty="No point has come to anything yet.")
        at = self.by_number.get(int(key)) if isinstance(key, int) else None
        at = at or (seen.points[0] if seen.points else None)
        shown = [across, down] if down else [across]
        cut = slice_of(seen, shown, self.scales, at)
        if down:
            return self._map(chosen, (across, down), cut, measure, at)
        return lines_of(seen, cut, across, self.scales[across], self._kind(chosen), measure, at)

    def _map(
        self, chosen: Chosen, axes: tuple[str, str], cut: Slice, measure: Measure, at: SweepPoint | None
    ) -> HeatPicture:
        scales = self.scales[axes[0]], self.scales[axes[1]]
        lane, kind = self._lane(chosen), self._kind(chosen)
        key = (axes, lane, kind, measure.name, tuple((cut.held or {}).items()))
        if key not in self.maps:
            self.maps[key] = heat_of(cut, axes, scales, lane, kind, measure)
        places = (
            (None, None)
            if at is None
            else tuple(scale.place(at.settings.get(axis)) for axis, scale in zip(axes, scales, strict=True))
        )
        column, row = places
        return replace(self.maps[key], cursor=None if row is None or column is None else (row, column))

    def words(self, chosen: Chosen, key: int | str | None) -> Sequence[str]:
        across, down = self._across(chosen), self._down(chosen)
        others = [axis.key for axis in self.seen.axes if axis.key not in (across, down)]
        point = self.by_number.get(key) if isinstance(key, int) else None
        found = []
        lanes = self.seen.lanes
        if lanes:
            found.append(" · ".join(f"{lane_mark(n)} {lane}" for n, lane in enumerate(lanes)))
        if point is not None and others:
            ranges = [k for k in (*others, across, *([down] if down else [])) if self.scales[k].is_ranges]
            if ranges:
                found.append(f"Means over {', '.join(others)}.")
            else:
                held = ", ".join(f"{k} = {value_text(point.settings[k])}" for k in others if k in point.settings)
                found.append(f"At {held}, as at the point under the cursor.")
        if point is not None and point.failures:
            seed, error = point.failures[0]
            found.append(f"Point {point.number}, seed {seed}, failed: {error}")
        return found

    def table(self, chosen: Chosen) -> Table:
        seen, kind, measure = self.seen, self._kind(chosen), self._measure(chosen)
        columns = [Column("point", "point", 6, right=True)]
        columns += [
            Column(f"set{n}", _short(axis, seen.axes), max(6, min(16, len(_short(axis, seen.axes)))), right=True)
            for n, axis in enumerate(seen.axes)
        ]
        others = _beside(self.measures.get(kind, []), measure)
        if measure is not None:
            columns += [
                Column(f"lane{n}", f"{lane_mark(n)} {measure.short}", 11, right=True, descending=True)
                for n in range(len(seen.lanes))
            ]
        columns.append(Column("state", "state", 10))
        for m, other in enumerate(others):
            columns += [
                Column(f"more{m}-{n}", f"{lane_mark(n)} {other.short}", 10, right=True, since=100, descending=True)
                for n, _ in enumerate(seen.lanes)
            ]
        rows = tuple(self._row(point, kind, measure, others) for point in seen.points)
        return Table(tuple(columns), rows, "No point is finished yet. This looks again every second.")

    def _row(self, point: SweepPoint, kind: str, measure: Measure | None, others: Sequence[Measure]) -> TableRow:
        settings = [point.settings.get(axis.key) for axis in self.seen.axes]
        cells = [str(point.number), *(NOTHING if v is None else value_text(v) for v in settings)]
        values: list[float | str | None] = [float(point.number)]
        values += [v if isinstance(v, str) else None if v is None else float(v) for v in settings]
        failed, left = len(point.failures), len(self.seen.seeds) - point.runs
        words = f"x {failed} failed" if failed else f"» {left} to do" if left > 0 else "done"
        measured = [measure, *others] if measure is not None else []
        for number, one in enumerate(measured):
            for lane in self.seen.lanes:
                own = point.lanes.get(lane)
                group = None if own is None else own.groups.get(kind)
                value = None if group is None else one.of(group)
                is_good = None if group is None else one.is_good(group)
                mark = {True: " ✓", False: " !", None: ""}[is_good]
                values.append(value)
                cells.append(NOTHING if value is None else one.text(value) + mark)
            if number == 0:
                cells.append(words)
                values.append(words)
        if not measured:
            cells.append(words)
            values.append(words)
        return TableRow(point.number, tuple(cells), tuple(values), "bad" if failed else "plain")

    def detail(self, chosen: Chosen, key: int | str) -> Detail:
        point = self.by_number.get(key) if isinstance(key, int) else None
        if point is None:
            return Detail("", ("This point is not there any more.",))
        return detail_of(self.seen, point)


def _is_grid(axes: Sequence[Axis]) -> bool:
    return all(axis.design == "grid" for axis in axes)


def _downs(keys: Sequence[str], across: str, is_grid: bool) -> tuple[str, ...]:
    """Axes to have down; of a grid of two or more a map comes first."""
    others = tuple(key for key in keys if key != across)
    return (*others, _NONE) if is_grid else (_NONE, *others)


def _beside(every: Sequence[Measure], measure: Measure | None) -> list[Measure]:
    """Measures in the columns further right: those that are asked for most, besides the one that is chosen."""
    first = [m for m in every if m.short == "in time"][:1] + [m for m in every if m.short in ("p95", "good/s")]
    return [m for m in first if measure is None or m.name != measure.name]


def _short(axis: Axis, axes: Sequence[Axis]) -> str:
    """The last word of a key, or as many as tell it apart from the others."""
    words = axis.key.split(".")
    for count in range(1, len(words)):
        short = ".".join(words[-count:])
        if sum(f".{other.key}".endswith(f".{short}") for other in axes) == 1:
            return clean(short)
    return clean(axis.key)
