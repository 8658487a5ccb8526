"""The chapter of a sweep: figures by the number of its axes, all points, failed runs, sources of the budgets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from subsecond.engine.comparison.words import time_words
from subsecond.engine.findings import counted
from subsecond.engine.shares import cut_share
from subsecond.engine.sweep.document import CountDoc, GroupDoc, PointDoc, SweepDoc, document_from
from subsecond.engine.sweep.manifest import Value

from .figures import LANE_COLOURS
from .markup import Html, element
from .shell import Figures
from .sweep_figures import cloud, heat_map, lines
from .tables import NONE, table

__all__ = ["chapter"]

#: Most points of the table, and most axes that have a figure of their own.
_MOST_ROWS, _MOST_CLOUDS = 500, 8
PS_PER_MS = 10**9


def chapter(raw: dict[str, Any], figures: Figures, where: str) -> list[Html]:
    """The elements of the chapter.

    Raises:
        InputError: the document is not what it says.
    """
    document = document_from(raw, where)
    body = [element("h2", f"Sweep: {document.title or document.name}"), _facts(document)]
    if document.runs.failed or document.runs.finished < document.runs.all:
        body.append(element("p", _left_and_failed(document), class_="verdict"))
    for kind in document.agents:
        body += _of_kind(document, kind, figures)
    if document.failed:
        body += [element("h3", "Runs that failed"), _failures(document)]
    body += [element("h3", "What the numbers are held against"), _sources(document)]
    return body


def _facts(document: SweepDoc) -> Html:
    seeds = f"{counted(len(document.seeds), 'seed')} from {document.seeds[0]}" if document.seeds else "no seed"
    facts = [
        f"scenario {document.scenario}",
        f"{counted(len(document.points), 'point')}, {seeds}",
        *(f"{key} = {_shown(value)}" for key, value in document.fixed.items()),
        f"digest {document.digest}",
    ]
    return element("div", *(element("span", fact) for fact in facts), class_="facts")


def _left_and_failed(document: SweepDoc) -> str:
    runs = document.runs
    words = []
    if runs.finished < runs.all:
        words.append(f"{runs.all - runs.finished:,} of {counted(runs.all, 'run')} are not done yet.")
    if runs.failed:
        words.append(f"{runs.failed:,} of {counted(runs.finished, 'run')} failed; they are listed below.")
    return " ".join(words)


def _of_kind(document: SweepDoc, kind: str, figures: Figures) -> Iterator[Html]:
    budget = next(iter(document.budgets_of(kind)), None)
    held = f": {budget}, {document.budgets[budget].limit}" if budget is not None else ""
    yield element("h3", f"{kind}{held}")
    axes = document.axes
    if len(axes) == 1:
        for figure, caption in lines(document, kind, budget):
            yield figures.add(figure, caption)
    elif budget is not None and len(axes) == 2 and all(axis.design == "grid" for axis in axes):
        for lane in document.lanes:
            caption = f"{lane}: share of turns within the budget; {document.budgets[budget].percentile:g} % keep it."
            yield figures.add(heat_map(document, kind, lane, budget), caption)
    elif budget is not None:
        for axis in axes[:_MOST_CLOUDS]:
            yield figures.add(cloud(document, kind, axis, budget), f"Every point over {axis.key}.")
    yield _points(document, kind, budget)


def _points(document: SweepDoc, kind: str, budget: str | None) -> Html:
    keys = [axis.key for axis in document.axes]
    heads = ("point", *keys, "pipeline", "in time", "p50", "p95", "p99", "turns", "goodput/s")
    rows = [row for point in document.points[:_MOST_ROWS] for row in _rows(document, point, kind, budget)]
    words = f"All {counted(len(document.points), 'point')}"
    if len(document.points) > _MOST_ROWS:
        words = f"The first {_MOST_ROWS} of {counted(len(document.points), 'point')}"
    numbers = [*range(len(keys) + 1), *range(len(keys) + 2, len(heads))]
    return element("details", element("summary", words), table(heads, rows, numbers=numbers))


def _rows(document: SweepDoc, point: PointDoc, kind: str, budget: str | None) -> Iterator[list[str]]:
    first = [f"{point.point}", *map(_shown, point.settings.values())]
    for lane, found in point.pipelines.items():
        group = found.by_agents.get(kind)
        if group is None:
            continue
        times = [_time(group, name) for name in ("p50", "p95", "p99")]
        share = _share(group.budgets.get(budget) if budget is not None else None)
        yield [*first, _lane(document, lane), share, *times, f"{group.turns:,}", f"{group.goodput_per_s:.2f}"]
        first = [""] * len(first)


def _time(group: GroupDoc, name: str) -> str:
    ms = group.latency_ms[name]
    return NONE if ms is None else time_words(round(ms * PS_PER_MS))


def _share(count: CountDoc | None) -> Html:
    if count is None or count.attainment is None:
        return Html(NONE)
    shown = cut_share(count.attainment)
    return element("span", shown if not count.kept else f"{shown}, kept", class_="good" if count.kept else "")


def _lane(document: SweepDoc, lane: str) -> Html:
    colour = LANE_COLOURS[document.lanes.index(lane) % len(LANE_COLOURS)]
    return element("span", element("i", class_="dot", style=f"background:{colour}"), lane, class_="name")


def _failures(document: SweepDoc) -> Html:
    settings = {point.point: point.settings for point in document.points}
    rows = []
    for failure in document.failed[:_MOST_ROWS]:
        what = ", ".join(f"{key} = {_shown(value)}" for key, value in settings.get(failure.point, {}).items())
        rows.append([f"{failure.point}", what or NONE, f"{failure.seed}", failure.error])
    return table(("point", "settings", "seed", "why"), rows, numbers=(0, 2))


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else f"{value}"


def _sources(document: SweepDoc) -> Html:
    budgets = [
        f"{name}: {budget.limit} for {budget.percentile:g} % of {budget.agents} turns; {budget.source}"
        for name, budget in document.budgets.items()
    ]
    package = f"Subsecond {document.version}, facts {document.catalog}"
    parameters = "parameters of the pipelines with their sources: subsecond catalog show NAME"
    return element("ul", *(element("li", text) for text in (*budgets, package, parameters)))
