"""Results of a sweep as tables for the terminal: points and pipelines, or a matrix of two axes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from subsecond.engine.findings import counted
from subsecond.engine.outcome import BudgetCount, LaneOutcome, Outcome
from subsecond.engine.shares import cut_share
from subsecond.engine.sweep.influence import influence
from subsecond.engine.sweep.manifest import Axis, Value
from subsecond.engine.sweep.reader import PointResult, SweepResults
from subsecond.tui.widgets.text import clean

from .grid import Grid, output_console, print_point, time_cell

__all__ = ["show_sweep"]

#: Correlation that stands out.
_STRONG = 0.5
#: Most rows of a table, most columns of a matrix, and most failures that are shown.
_ROWS, _COLUMNS, _FAILURES = 48, 12, 8


def show_sweep(results: SweepResults, folder: Path) -> None:
    """Print results to standard output."""
    console = output_console()
    console.print(Text(clean(_headline(results)), style="bold"))
    for kind in results.kinds:
        _show_kind(console, results, kind)
    for text in _sentences(results, folder):
        print_point(console, text)
    console.print(Text(f" digest {results.digest}", style="dim"))


def _headline(results: SweepResults) -> str:
    manifest = results.manifest
    replicas = f" x {counted(len(manifest.seeds), 'seed')}" if len(manifest.seeds) > 1 else ""
    parts = [
        manifest.name,
        manifest.base,
        f"{counted(len(manifest.points), 'point')}{replicas}",
        counted(results.turns, "turn"),
    ]
    return " · ".join(parts)


def _show_kind(console: Console, results: SweepResults, kind: str) -> None:
    budget = _main_budget(results, kind)
    console.print()
    limit = f": {budget.budget.name}, {budget.budget.shown} for {budget.budget.percentile:g} %" if budget else ""
    console.print(Text(clean(f" {kind}{limit}")))
    axes = results.manifest.axes
    if _is_matrix(axes):
        for grid in _matrices(results, kind, axes):
            console.print(*grid.tables(console), sep="")
        return
    same = [lane for lane in results.lanes if _is_constant(results, lane, kind)]
    varied = [lane for lane in results.lanes if lane not in same]
    grids = [_list(results, kind, varied)]
    if any(axis.design == "random" for axis in axes):
        grids.append(_influences(results, kind, varied))
    for grid in grids:
        grid.print(console)
    for text in _constants(results, kind, same):
        print_point(console, text)


def _is_matrix(axes: Sequence[Axis]) -> bool:
    return len(axes) == 2 and all(axis.design == "grid" for axis in axes) and len(axes[1].values) <= _COLUMNS


def _main_budget(results: SweepResults, kind: str) -> BudgetCount | None:
    """The first budget of a kind, which the tables are about."""
    for point in results.points:
        if any(row.kind == kind and row.budgets for run in point.runs for row in run):
            groups = [lane.groups[kind] for lane in point.lanes.values() if kind in lane.groups]
            return next((group.budgets[0] for group in groups if group.budgets), None)
    return None


def _matrices(results: SweepResults, kind: str, axes: Sequence[Axis]) -> Iterator[Grid]:
    """Per pipeline the share in time and the p95, first axis down, second axis across."""
    down, across = axes
    names = _short_names(axes)
    found = {tuple(map(repr, point.settings.values())): (point, point.lanes) for point in results.points}
    for lane in results.lanes:
        grid = Grid([f"{lane}\n{names[0]} \\ {names[1]}", *(_shown(value) for value in across.values)])
        for value in down.values:
            cells = [_cell(found.get((repr(value), repr(other))), lane, kind) for other in across.values]
            grid.add(_shown(value), *cells)
        yield grid


def _cell(found: tuple[PointResult, Mapping[str, LaneOutcome]] | None, lane: str, kind: str) -> Text:
    """Share in time and p95 of a point, one below the other."""
    if found is None:
        return Text("")
    point, lanes = found
    outcome = lanes.get(lane)
    if outcome is None or kind not in outcome.groups:
        return Text("failed" if point.failures else "-", style="red" if point.failures else "")
    group = outcome.groups[kind]
    return Text("\n").join([_in_time(group), Text(time_cell(group.latency_ps.get("p95")), style="dim")])


def _list(results: SweepResults, kind: str, lanes: Sequence[str]) -> Grid:
    """A row per point: what it sets, and share in time, p95 and goodput of some pipelines."""
    axes = results.manifest.axes
    measures = [f"{clean(lane)}\n{word}" for lane in lanes for word in ("in time", "p95", "goodput/s")]
    grid = Grid(["point", *map(_heading, _short_names(axes)), *measures])
    for point in results.points[:_ROWS]:
        cells: list[str | Text] = []
        outcomes = point.lanes
        for name in lanes:
            lane = outcomes.get(name)
            if lane is None or kind not in lane.groups:
                cells += ["failed" if point.failures else "-", "-", "-"]
                continue
            group = lane.groups[kind]
            times = time_cell(group.latency_ps.get("p95")), f"{lane.goodput_per_s(kind):.2f}"
            cells += [_in_time(group), *times]
        grid.add(f"{point.point}", *map(_shown, point.settings.values()), *cells)
    return grid


def _is_constant(results: SweepResults, lane: str, kind: str) -> bool:
    """Whether several points came to the same on a lane: nothing that is varied concerns it."""
    found = [
        [(row.buckets, row.counts, row.met_all, row.requests) for row in point.rows_of(lane, kind)]
        for point in results.points
    ]
    return len(found) > 1 and bool(found[0]) and all(rows == found[0] for rows in found)


def _constants(results: SweepResults, kind: str, lanes: Sequence[str]) -> Iterator[str]:
    for name in lanes:
        lane = results.points[0].lanes[name]
        group = lane.groups[kind]
        times = f"p95 {time_cell(group.latency_ps.get('p95'))}, goodput {lane.goodput_per_s(kind):.2f}/s"
        yield f"{name} is the same at all points: {_in_time(group).plain.strip()}, {times}"


def _influences(results: SweepResults, kind: str, lanes: Sequence[str]) -> Grid:
    """A row per axis: how its value and the share in time go together on some pipelines."""
    grid = Grid(["rank correlation with the share in time", *lanes])
    found = [influence(results, lane, kind) for lane in lanes]
    for axis in results.manifest.axes:
        if any(of_lane[axis.key] is not None for of_lane in found):
            grid.add(axis.key, *(_correlation(of_lane[axis.key]) for of_lane in found))
    return grid


def _correlation(value: float | None) -> Text:
    if value is None:
        return Text("-")
    return Text(f"{value:+.2f}", style="bold" if abs(value) >= _STRONG else "")


def _in_time(group: Outcome) -> Text:
    """Share of turns within the main budget; a star says that it is kept."""
    share = group.budgets[0].attainment if group.budgets else None
    if share is None:
        return Text("-")
    is_kept = group.budgets[0].is_kept
    return Text(f"{cut_share(share)}{' *' if is_kept else '  '}", style="green" if is_kept else "")


def _short_names(axes: Sequence[Axis]) -> list[str]:
    """The last two words of each key, or all if that is not enough to tell them apart."""
    keys = [axis.key for axis in axes]
    shorts = [".".join(key.split(".")[-2:]) for key in keys]
    return [short if shorts.count(short) == 1 else key for key, short in zip(keys, shorts, strict=True)]


def _heading(name: str) -> str:
    """A name over several short lines."""
    return "\n".join(word for part in clean(name).split(".") for word in textwrap.wrap(part.replace("_", " "), 12))


def _shown(value: Value) -> str:
    if isinstance(value, bool | str):
        return str(value).lower() if isinstance(value, bool) else value[:24]
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _sentences(results: SweepResults, folder: Path) -> Iterator[str]:
    manifest = results.manifest
    if results.kinds:
        below = " Below it: p95." if _is_matrix(manifest.axes) else ""
        yield f"In time: share of turns within the budget; * it is kept.{below}"
    left = manifest.runs - results.runs
    if left:
        yield f"{counted(left, 'run')} of {manifest.runs:,} are not done yet: the sweep was interrupted."
    failures = results.failures
    for failure in failures[:_FAILURES]:
        settings = dict(manifest.settings(failure.point))
        what = ", ".join(f"{key}={_shown(value)}" for key, value in settings.items()) or "the point"
        yield f"Failed: {what}, seed {failure.seed}: {failure.error}"
    if len(failures) > _FAILURES:
        yield f"{len(failures) - _FAILURES:,} more failed."
    if not _is_matrix(manifest.axes) and len(results.points) > _ROWS:
        yield f"{len(results.points) - _ROWS:,} more points: --json OUT, or the tables in {folder / 'tasks'}"
    yield f"Results: {folder}"
