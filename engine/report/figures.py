"""The figures of a report, as plotly takes them; every one is small, however many turns there were."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np

from subsecond.engine.comparison.sides import Side
from subsecond.engine.findings import stage_words

from .chapter import Chapter, series_of

__all__ = ["LANE_COLOURS", "STAGE_COLOURS", "distribution", "over_time", "stage_colour", "stages"]

PS_PER_S = 10**12
Figure = dict[str, Any]

#: Colours that people with colour blindness can tell apart, readable on light and dark.
LANE_COLOURS = ("#0f8a7e", "#d9730d", "#5468d4", "#b8478c", "#7a8b1a", "#b35c44", "#4b93c9", "#8f6fc7")
STAGE_COLOURS = (
    *("#5b8def", "#7fb2ff", "#8d7ae6", "#c39bff", "#e2a336", "#f2c76e", "#2aa198", "#67c7bd", "#d96a5b", "#f09a8e"),
    *("#7c9a43", "#aac574", "#8a8f98", "#bfc4cc", "#b45f96", "#dd97c3"),
)
#: An axis of times in ms: tails are a hundred times as long as what is usual.
_TICKS_MS = [step * 10**power for power in range(-1, 7) for step in (1, 2, 5)]
TIMES: Figure = {
    "type": "log",
    "tickvals": _TICKS_MS,
    "ticktext": [f"{ms:g} ms" if ms < 1000 else f"{ms / 1000:,g} s" for ms in _TICKS_MS],
}
#: Points of a distribution.
STEPS = 160
#: Marks over time that have their words beside them; more would cover one another.
MOST_WORDS = 12


def over_time(chapter: Chapter, kind: str) -> Figure:
    """Median and 95th percentile of an agent kind over time, with what happened to the run."""
    traces = []
    begin_ps, end_ps = chapter.window_ps
    for number, side in enumerate(chapter.sides):
        series = series_of(side.of_kind(kind), end_ps, begin_ps)
        for name, values, dash, width in (("p95", series.p95_ms, "solid", 2.0), ("p50", series.p50_ms, "dot", 1.5)):
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": f"{_text(side.lane)} {name}",
                    "x": [round(x, 3) for x in series.at_s],
                    "y": _rounded(values),
                    "line": {"color": _lane(number), "width": width, "dash": dash, "shape": "linear"},
                    "hovertemplate": f"{_text(side.lane)} {name}: %{{y:,.0f}} ms<extra></extra>",
                }
            )
    shapes, words = _marks(chapter)
    layout = {
        "xaxis": {"title": {"text": "virtual time, s"}, "range": [begin_ps / PS_PER_S, end_ps / PS_PER_S]},
        "yaxis": {"title": {"text": "latency"}, **TIMES},
        "shapes": [*shapes, *_limits(chapter, kind, "y")],
        "annotations": words,
        "hovermode": "x unified",
    }
    return {"data": traces, "layout": layout, "height": 340}


def _marks(chapter: Chapter) -> tuple[list[Figure], list[Figure]]:
    """Faults as bands, turned knobs and annotations as lines, each with its words."""
    first_s, end_s = (at_ps / PS_PER_S for at_ps in chapter.window_ps)
    names = [lane.name for lane in chapter.hello.lanes]
    bands, words = [], []
    for fault in chapter.faults:
        begin = max(fault.at_ps / PS_PER_S, first_s)
        until = end_s if fault.until_ps is None else min(fault.until_ps / PS_PER_S, end_s)
        if begin > until:
            continue
        lane = fault.lane if 0 <= fault.lane < len(names) else 0
        bands.append(_band(begin, until, _lane(lane)))
        words.append((begin, f"{fault.kind.replace('_', ' ')} · {names[lane]}"))
    for at_ps, knob in chapter.knobs:
        bands.append(_line(at_ps / PS_PER_S, "dot"))
        words.append((at_ps / PS_PER_S, f"{knob.lane}: {knob.key} = {knob.value}"))
    for note in chapter.annotations:
        bands.append(_line(note.at_ps / PS_PER_S, "solid"))
        words.append((note.at_ps / PS_PER_S, note.text))
    shown = sorted(dict.fromkeys(word for word in words if first_s <= word[0] <= end_s))[:MOST_WORDS]
    return bands, [_word(at, text, row % 3) for row, (at, text) in enumerate(shown)]


def _band(begin: float, end: float, colour: str) -> Figure:
    shape = {"type": "rect", "yref": "paper", "x0": begin, "x1": end, "y0": 0, "y1": 1, "layer": "below"}
    return shape | {"fillcolor": colour, "opacity": 0.16, "line": {"width": 0}}


def _line(at: float, dash: str) -> Figure:
    shape = {"type": "line", "yref": "paper", "x0": at, "x1": at, "y0": 0, "y1": 1}
    return shape | {"line": {"width": 1, "dash": dash, "color": "#8a8f98"}}


def _word(at: float, text: str, row: int) -> Figure:
    short = text if len(text) <= 40 else text[:39] + "…"
    place = {"x": at, "y": 1.0 - 0.075 * row, "yref": "paper", "xanchor": "left", "yanchor": "top", "showarrow": False}
    return place | {"text": _text(short), "font": {"size": 11}}


def _limits(chapter: Chapter, kind: str, axis: str) -> list[Figure]:
    """The budgets' limits on a turn as lines."""
    found = []
    for budget in chapter.budgets:
        if budget.agents == kind and budget.turn_ps is not None:
            at = budget.turn_ps / 1e9
            line = {"line": {"width": 1, "dash": "dash", "color": "#c0392b"}, "type": "line", "layer": "below"}
            place: Figure = {"xref": "paper", "x0": 0, "x1": 1, "y0": at, "y1": at}
            if axis == "x":
                place = {"yref": "paper", "y0": 0, "y1": 1, "x0": at, "x1": at}
            found.append(line | place)
    return found


def stages(chapter: Chapter) -> Figure:
    """Mean time by stage, a bar per agent kind and lane."""
    rows = [(kind, side.lane) for kind in chapter.kinds for side in chapter.sides]
    rows = [row for row in rows if chapter.measures[row].answered][::-1]
    labels = [_text(f"{kind} · {lane}" if len(chapter.kinds) > 1 else lane) for kind, lane in rows]
    traces = []
    for number, name in enumerate(chapter.hello.stages):
        means = [chapter.measures[row].stages_ps.get(name, 0.0) / 1e9 for row in rows]
        if any(means):
            traces.append(
                {
                    "type": "bar",
                    "orientation": "h",
                    "name": _text(stage_words(name)),
                    "y": labels,
                    "x": _rounded(means),
                    "marker": {"color": stage_colour(number), "line": {"width": 0}},
                    "hovertemplate": f"{_text(stage_words(name))}: %{{x:,.1f}} ms<extra>%{{y}}</extra>",
                }
            )
    layout = {
        "barmode": "stack",
        "bargap": 0.35,
        "xaxis": {"title": {"text": "mean ms per answered turn"}},
        "yaxis": {"automargin": True, "showgrid": False},
        "legend": {"traceorder": "normal"},
    }
    return {"data": traces, "layout": layout, "height": 150 + 46 * max(len(rows), 2)}


def distribution(chapter: Chapter, kind: str) -> Figure:
    """Which share of the turns of an agent kind was answered within a time, by lane."""
    traces = []
    for number, side in enumerate(chapter.sides):
        x, y = _steps(side.of_kind(kind))
        if x:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": _text(side.lane),
                    "x": x,
                    "y": y,
                    "line": {"color": _lane(number), "width": 2},
                    "hovertemplate": f"{_text(side.lane)}: %{{y:.1f}} % within %{{x:,.0f}} ms<extra></extra>",
                }
            )
    layout = {
        "xaxis": {"title": {"text": "latency"}, **TIMES},
        "yaxis": {"title": {"text": "% of answered turns"}, "range": [0, 101]},
        "shapes": _limits(chapter, kind, "x"),
    }
    return {"data": traces, "layout": layout, "height": 320}


def _steps(side: Side) -> tuple[list[float], list[float]]:
    latency = np.sort(side.latency_ps[side.answered])
    if not len(latency):
        return [], []
    tail = 1 - np.geomspace(1e-4, 0.05, STEPS // 4)[::-1]
    shares = np.concatenate([np.linspace(0, 0.95, STEPS - len(tail), endpoint=False), tail, [1.0]])
    ranks = np.unique(np.clip(np.ceil(shares * len(latency)).astype(np.int64) - 1, 0, None))
    return [round(v / 1e9, 2) for v in latency[ranks].tolist()], [
        round(100 * (r + 1) / len(latency), 3) for r in ranks.tolist()
    ]


def _rounded(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else round(value, 2) for value in values]


def _lane(number: int) -> str:
    return LANE_COLOURS[number % len(LANE_COLOURS)]


def stage_colour(number: int) -> str:
    """Colour of a stage by its place in the run."""
    return STAGE_COLOURS[number % len(STAGE_COLOURS)]


def _text(text: str) -> str:
    """A text for plotly, which takes some tags and fills in `%{...}`."""
    return html.escape(text).replace("%{", "% {")
