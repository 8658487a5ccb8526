"""The figures of a sweep: lines over one axis, maps over two, clouds over each of several."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

from subsecond.engine.sweep.document import GroupDoc, PointDoc, SweepDoc
from subsecond.engine.sweep.manifest import Axis, Value

from .figures import LANE_COLOURS, TIMES

__all__ = ["cloud", "heat_map", "lines", "plain"]

Figure = dict[str, Any]
#: From missed to kept, told apart without colour by their lightness.
_SCALE = [[0.0, "#7a2317"], [0.5, "#d9730d"], [0.9, "#f2dba0"], [1.0, "#0f8a7e"]]
#: Cells of a map that have their numbers in them.
_MOST_WORDS = 220


def plain(text: str) -> str:
    """A text for plotly, which takes some tags and fills in `%{...}`."""
    return html.escape(text).replace("%{", "% {")


def lines(document: SweepDoc, kind: str, budget: str | None) -> list[tuple[Figure, str]]:
    """Share in time and p95 over the only axis, a line per lane, with their captions."""
    (axis,) = document.axes
    points = sorted(document.points, key=lambda point: _order(axis, point.settings[axis.key]))
    x = [_at(point.settings[axis.key]) for point in points]
    found = []
    if budget is not None:
        shares = [_share_lines(document, points, x, lane, kind, budget) for lane in document.lanes]
        layout = _layout(axis, {"title": {"text": "turns in time"}, "tickformat": ".0%"})
        layout["shapes"] = [_level(document.budgets[budget].percentile / 100)]
        caption = "Share of turns within the budget. Dashed: the share that shall be. Thin: each seed by itself."
        figure = {"data": [line for of_lane in shares for line in of_lane], "layout": layout, "height": 340}
        found.append((figure, caption if len(document.seeds) > 1 else caption.rpartition(" Thin")[0]))
    times = [_line(document, lane, x, _p95(points, lane, kind), "ms") for lane in document.lanes]
    layout = _layout(axis, {"title": {"text": "p95"}, **TIMES})
    return [*found, ({"data": times, "layout": layout, "height": 320}, "95th percentile of the latency.")]


def _share_lines(
    document: SweepDoc, points: Sequence[PointDoc], x: Sequence[Value], lane: str, kind: str, budget: str
) -> list[Figure]:
    counts = [None if g is None else g.budgets.get(budget) for g in _groups(points, lane, kind)]
    drawn = [_line(document, lane, x, [None if count is None else count.attainment for count in counts], "share")]
    replicas = max((len(count.attainment_by_replica) for count in counts if count is not None), default=0)
    for replica in range(replicas if replicas > 1 else 0):
        own = [
            count.attainment_by_replica[replica]
            if count is not None and replica < len(count.attainment_by_replica)
            else None
            for count in counts
        ]
        thin = _line(document, lane, x, own, "share")
        drawn.append(
            {**thin, "mode": "lines", "showlegend": False, "hoverinfo": "skip", "opacity": 0.35}
            | {"line": {"color": _colour(document, lane), "width": 0.8}}
        )
    return drawn


def _line(document: SweepDoc, lane: str, x: Sequence[Value], y: Sequence[float | None], unit: str) -> Figure:
    shown = "%{y:,.1%}" if unit == "share" else "%{y:,.0f} ms"
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": plain(lane),
        "x": list(x),
        "y": list(y),
        "line": {"color": _colour(document, lane), "width": 2},
        "hovertemplate": f"{plain(lane)}: {shown} at %{{x}}<extra></extra>",
    }


def heat_map(document: SweepDoc, kind: str, lane: str, budget: str) -> Figure:
    """Share in time over two grid axes: the first down, the second across."""
    down, across = document.axes
    found = {tuple(map(repr, point.settings.values())): point for point in document.points}
    rows: list[list[float | None]] = []
    for value in down.values:
        points = [found.get((repr(value), repr(other))) for other in across.values]
        groups = [None if point is None else _group(point, lane, kind) for point in points]
        counts = [None if group is None else group.budgets.get(budget) for group in groups]
        shares = [None if count is None else count.attainment for count in counts]
        rows.append([None if share is None else math.floor(1000 * share) / 1000 for share in shares])
    words = len(down.values) * len(across.values) <= _MOST_WORDS
    trace = {
        "type": "heatmap",
        "x": [_word(value) for value in across.values],
        "y": [_word(value) for value in down.values],
        "z": rows,
        "zmin": 0,
        "zmax": 1,
        "colorscale": _SCALE,
        "colorbar": {"tickformat": ".0%", "thickness": 12},
        "texttemplate": "%{z:.1%}" if words else "",
        "xgap": 1,
        "ygap": 1,
        "hovertemplate": f"{plain(down.key)} %{{y}}, {plain(across.key)} %{{x}}: %{{z:.1%}}<extra></extra>",
    }
    layout = {
        "showlegend": False,
        "xaxis": {"title": {"text": plain(across.key)}, "type": "category"},
        "yaxis": {"title": {"text": plain(down.key)}, "type": "category"},
    }
    return {"data": [trace], "layout": layout, "height": 150 + 34 * max(len(down.values), 3)}


def cloud(document: SweepDoc, kind: str, axis: Axis, budget: str) -> Figure:
    """Share in time of every point over one of several axes."""
    traces = []
    for lane in document.lanes:
        points = [point for point in document.points if _group(point, lane, kind) is not None]
        counts = [group.budgets.get(budget) for group in _groups(points, lane, kind) if group is not None]
        line = _line(
            document,
            lane,
            [_at(point.settings[axis.key]) for point in points],
            [None if count is None else count.attainment for count in counts],
            "share",
        )
        traces.append(
            line | {"mode": "markers", "marker": {"color": _colour(document, lane), "size": 7, "opacity": 0.7}}
        )
    layout = _layout(axis, {"title": {"text": "turns in time"}, "tickformat": ".0%"})
    layout["shapes"] = [_level(document.budgets[budget].percentile / 100)]
    return {"data": traces, "layout": layout, "height": 280}


def _groups(points: Sequence[PointDoc], lane: str, kind: str) -> list[GroupDoc | None]:
    return [_group(point, lane, kind) for point in points]


def _group(point: PointDoc, lane: str, kind: str) -> GroupDoc | None:
    return point.pipelines[lane].by_agents.get(kind) if lane in point.pipelines else None


def _p95(points: Sequence[PointDoc], lane: str, kind: str) -> list[float | None]:
    return [None if group is None else group.latency_ms["p95"] for group in _groups(points, lane, kind)]


def _layout(axis: Axis, vertical: Figure) -> Figure:
    horizontal: Figure = {"title": {"text": plain(axis.key)}}
    if any(isinstance(value, bool | str) for value in axis.values):
        horizontal["type"] = "category"
    return {"xaxis": horizontal, "yaxis": vertical}


def _order(axis: Axis, value: Value) -> float:
    """Place of a value on the axis: numbers by size, words as the sweep has them."""
    if isinstance(value, bool | str) or any(isinstance(other, str) for other in axis.values):
        return float(axis.values.index(value)) if value in axis.values else 0.0
    return float(value)


def _at(value: Value) -> Value:
    return _word(value) if isinstance(value, bool | str) else value


def _word(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else plain(f"{value}")


def _colour(document: SweepDoc, lane: str) -> str:
    return LANE_COLOURS[document.lanes.index(lane) % len(LANE_COLOURS)]


def _level(at: float) -> Figure:
    place = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": at, "y1": at, "layer": "below"}
    return place | {"line": {"width": 1, "dash": "dash", "color": "#8a8f98"}}
