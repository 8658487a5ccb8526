"""The chapter of a price study: what was found, the break-evens over loads, and where every figure comes from."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator
from typing import Any

from subsecond.engine.economics.document import (
    BreakEvenDoc,
    CostDoc,
    InputDoc,
    LaneDoc,
    PointDoc,
    PriceDoc,
    document_from,
)
from subsecond.engine.economics.words import load_words, money, number_words, sizes_words, sum_words, verdict_words
from subsecond.engine.shares import cut_share

from .figures import LANE_COLOURS
from .markup import Html, element
from .shell import Figures
from .tables import NONE, SECRET, table

__all__ = ["chapter"]

Figure = dict[str, Any]


def chapter(raw: dict[str, Any], figures: Figures, where: str) -> list[Html]:
    """The elements of the chapter.

    Raises:
        InputError: the document is not what it says.
    """
    document = document_from(raw, where)
    body = [element("h2", f"Price: {document.scenario}"), _facts(document)]
    body += [
        element("p", text, class_="verdict" if number == 0 else "") for number, text in enumerate(document.findings)
    ]
    body += [element("h3", "Machines, at the scenario's load"), _parts(document)]
    body += [element("h3", f"What turns and tokens cost there ({document.basis})"), _costs(document)]
    body += [element("h3", f"Cheaper than {document.against} for a turn in time"), _break_evens(document)]
    for name in _with_price(document):
        caption = (
            "Solid: each pipeline at its cheapest size. Dotted: as the scenario has them. Band: an estimate of owning."
        )
        body += [
            element("h3", f"{name}: the price of an hour, over loads"),
            figures.add(_hours(document, name), caption),
        ]
    if len(document.points) > 1:
        body += [element("h3", "The price of a million tokens written, all in, over loads")]
        caption = (
            "Below the line buying by the token beats running the machines. Dashed: published prices, for this mix."
        )
        body.append(figures.add(_tokens(document), caption))
    body += [element("h3", "Over loads"), _loads(document)]
    body += [element("h3", "The smallest fleets that keep a budget"), _fleets(document)]
    if document.services:
        body += [element("h3", "Published prices by the token"), _services(document)]
    body += [element("h3", "Where the numbers come from"), *_sources(document)]
    return body


def _facts(document: PriceDoc) -> Html:
    here = ", ".join(f"{count:,} {kind}" for kind, count in document.here.sessions.items())
    facts = [
        f"{here} sessions {'at once' if document.is_steady else 'in all'}" if here else "a trace",
        ", ".join(dict.fromkeys(pipeline.model for pipeline in document.pipelines.values())),
        f"hire {document.way.replace('-', ' ')}",
        f"{document.runs} run{'s' if document.runs != 1 else ''} of each load, seed {document.seed}",
    ]
    return element("div", *(element("span", fact) for fact in facts), class_="facts")


def _badge(provenance: str) -> Html:
    return element("span", provenance, class_="badge secret" if provenance == SECRET else "badge")


def _parts(document: PriceDoc) -> Html:
    rows = []
    for name, pipeline in document.pipelines.items():
        busy = document.here.lanes[name].busy
        for number, part in enumerate(pipeline.parts):
            used = busy.get(part.role, busy.get("gpu"))
            usd = NONE if part.usd_per_hour is None else f"{part.usd_per_hour:,.2f}"
            way = f"{part.way.replace('-', ' ')}{f'; {part.remark}' if part.remark else ''}"
            share = NONE if used is None else f"{100 * used:.0f} %"
            cells = [_name(document, name) if number == 0 else "", part.role, part.shown, usd, way]
            rows.append([*cells, _badge(part.rate.provenance), share])
    return table(("pipeline", "for", "machines", "USD/h", "hire", "", "busy"), rows, numbers=(3, 6))


def _name(document: PriceDoc, name: str) -> Html:
    """A pipeline with its colour."""
    return element(
        "span", element("i", class_="dot", style=f"background:{_colour(document, name)}"), name, class_="name"
    )


def _colour(document: PriceDoc, name: str) -> str:
    return LANE_COLOURS[list(document.pipelines).index(name) % len(LANE_COLOURS)]


def _costs(document: PriceDoc) -> Html:
    own = {name: pipeline.costs[document.basis] for name, pipeline in document.pipelines.items()}
    labels = dict.fromkeys((cost.key, cost.words) for costs in own.values() for cost in costs)

    def cell(costs: list[CostDoc], key: str) -> str:
        found = next((cost for cost in costs if cost.key == key), None)
        return NONE if found is None else sum_words(found.sum, document.device_names)

    rows = [[words, *(cell(costs, key) for costs in own.values())] for key, words in labels]
    return table(("cost of", *own), rows, numbers=range(1, len(own) + 1))


def _break_evens(document: PriceDoc) -> Html:
    rows = []
    for even in document.here.break_evens:
        shares = [_share(document.here.lanes[name], even.basis) for name in (even.pipeline, document.against)]
        rows.append([even.basis, _name(document, even.pipeline), *shares, *_prices(document, even)])
    heads = ("in time by", "pipeline", "in time", document.against, "cheaper", "USD/1e6 written")
    return table(heads, rows, numbers=(2, 3, 4, 5))


def _share(lane: LaneDoc, basis: str) -> str:
    share = lane.attainment.get(basis)
    return f"{lane.in_time[basis]:,} turns" if share is None else cut_share(share)


def _prices(document: PriceDoc, even: BreakEvenDoc | None) -> tuple[str, str]:
    if even is None:
        return NONE, NONE
    return verdict_words(even, document.device_names), _money(even.usd_per_m_output)


def _money(usd: float | None) -> str:
    return NONE if usd is None else money(usd)


def _with_price(document: PriceDoc) -> list[str]:
    """Pipelines that have a break-even price of an hour at several loads."""
    if len(document.points) < 2:
        return []
    others = [name for name in document.pipelines if name != document.against]
    return [
        name for name in others if any(y is not None for y in _curve(document, name, "usd_per_device_hour", True)[1])
    ]


def _curve(document: PriceDoc, name: str, what: str, cheapest: bool) -> tuple[list[float], list[float | None]]:
    """A break-even over loads: loads and prices, None where there is none."""
    x, y = [], list[float | None]()
    for point in document.points:
        evens = point.cheapest_break_evens if cheapest else point.break_evens
        even = next((e for e in evens if e.pipeline == name and e.basis == document.basis), None)
        x.append(point.factor)
        y.append(None if even is None else getattr(even, what))
    return x, y


def _hours(document: PriceDoc, name: str) -> Figure:
    x, best = _curve(document, name, "usd_per_device_hour", True)
    traces = [_line(document, name, x, best, "solid", f"{name}, cheapest sizes")]
    traces.append(
        _line(document, name, x, _curve(document, name, "usd_per_device_hour", False)[1], "dot", f"{name}, as it is")
    )
    device = next(
        (e.device for p in document.points for e in p.cheapest_break_evens if e.pipeline == name and e.device), ""
    )
    shapes = [_band(own.low, own.high) for own in document.owned if own.device == device]
    shapes += [_level(usd, "#c0392b") for put, usd in document.put_in.items() if put == device and usd > 0]
    words = document.device_names.get(device, device)
    return {"data": traces, "layout": _layout(document, f"USD per {words}-hour", shapes, []), "height": 330}


def _tokens(document: PriceDoc) -> Figure:
    traces = []
    for name in document.pipelines:
        if name != document.against:
            x, y = _curve(document, name, "usd_per_m_output", True)
            traces.append(_line(document, name, x, y, "solid", f"{name} instead of {document.against}"))
    prices: dict[float, list[str]] = {}
    for service in document.services:
        if service.per_m_output is not None and service.per_m_output > 0:
            prices.setdefault(service.per_m_output, []).append(service.provider)
    shapes = [_level(price, "#8a8f98") for price in prices]
    words = [_word(price, ", ".join(names)) for price, names in prices.items()]
    return {"data": traces, "layout": _layout(document, "USD per 1e6 tokens written", shapes, words), "height": 380}


def _line(document: PriceDoc, name: str, x: list[float], y: list[float | None], dash: str, words: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": _text(words),
        "x": x,
        "y": [None if value is None or value <= 0 else round(value, 6) for value in y],
        "line": {"color": _colour(document, name), "width": 2, "dash": dash},
        "hovertemplate": f"{_text(words)}: %{{y:,.4g}} USD at %{{x}}x<extra></extra>",
    }


def _layout(document: PriceDoc, title: str, shapes: list[Figure], words: list[Figure]) -> Figure:
    ticks = [point.factor for point in document.points]
    counts = ["+".join(f"{count:,}" for count in point.sessions.values()) for point in document.points]
    labels = [f"{load_words(p.factor)}<br>{n}" for p, n in zip(document.points, counts, strict=True)]
    return {
        "xaxis": {"title": {"text": "load"}, "type": "log", "tickvals": ticks, "ticktext": labels},
        "yaxis": {"title": {"text": _text(title)}, "type": "log"},
        "shapes": shapes,
        "annotations": words,
    }


def _load(point: PointDoc) -> str:
    sessions = " + ".join(f"{count:,} {kind}" for kind, count in point.sessions.items())
    return f"{load_words(point.factor)}: {sessions}" if sessions else load_words(point.factor)


def _band(low: float, high: float) -> Figure:
    place = {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": low, "y1": high, "layer": "below"}
    return place | {"fillcolor": "#8a8f98", "opacity": 0.22, "line": {"width": 0}}


def _level(at: float, colour: str) -> Figure:
    place = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": at, "y1": at, "layer": "below"}
    return place | {"line": {"width": 1, "dash": "dash", "color": colour}}


def _word(price: float, text: str) -> Figure:
    """Words beside a level; places on a logarithmic axis are logarithms."""
    place = {"x": 1, "xref": "paper", "xanchor": "right", "y": math.log10(price), "yanchor": "bottom"}
    return place | {"showarrow": False, "text": _text(f"{text}: {price:.1f}"), "font": {"size": 11}}


def _text(text: str) -> str:
    """A text for plotly, which takes some tags and fills in `%{...}`."""
    return html.escape(text).replace("%{", "% {")


def _loads(document: PriceDoc) -> Html:
    rows = []
    for point in document.points:
        for even in (e for e in point.break_evens if e.basis == document.basis):
            so = next((e for e in point.cheapest_break_evens if e.pipeline == even.pipeline), None)
            sizes = [point.cheapest.get(name) for name in (even.pipeline, document.against)]
            shown = [NONE if size is None else sizes_words(size) for size in sizes]
            as_it_is = verdict_words(even, document.device_names)
            rows.append([_load(point), _name(document, even.pipeline), as_it_is, *shown, *_prices(document, so)])
    heads = ("load", "pipeline", "cheaper as it is", "cheapest size", document.against, "cheaper so", "USD/1e6 written")
    return table(heads, rows, numbers=(2, 5, 6))


def _fleets(document: PriceDoc) -> Html:
    rows = []
    for fleet in document.fleets:
        for name, lane in fleet.lanes.items():
            even = next((e for e in fleet.break_evens if e.pipeline == name), None)
            share = lane.attainment.get(fleet.basis)
            best = "" if share is None else f" ({cut_share(share)})"
            size = sizes_words(lane.sizes) if lane.keeps else f"none up to {document.most_replicas}{best}"
            cost = sum_words(lane.hourly, document.device_names) if lane.keeps else NONE
            rows.append([fleet.basis, _name(document, name), size, cost, _prices(document, even)[0]])
    return table(("budget", "pipeline", "replicas", "an hour", "cheaper"), rows, numbers=(3, 4))


def _services(document: PriceDoc) -> Html:
    def price(value: InputDoc | None) -> str:
        return "as input" if value is None else NONE if value.number is None else number_words(value.number, 6)

    rows = []
    for one in document.services:
        figures = [
            price(one.input),
            price(one.cached),
            price(one.output),
            _money(one.per_m_output),
            _money(one.per_turn),
        ]
        rows.append([one.provider, *figures, _badge(one.output.provenance), f"{one.output.source} {one.output.date}"])
    heads = ("USD per 1e6 tokens", "input", "cached", "output", "this mix, per 1e6 written", "a turn", "", "source")
    return table(heads, rows, numbers=(1, 2, 3, 4, 5))


def _sources(document: PriceDoc) -> Iterator[Html]:
    """Every cost at the scenario's load with its formula and inputs, and the estimates of owning."""
    for name, pipeline in document.pipelines.items():
        parts = [element("summary", f"{name}: {pipeline.label}")]
        for cost in pipeline.costs[document.basis]:
            total = sum_words(cost.sum, document.device_names)
            parts.append(element("p", f"{cost.words}: {total} = {cost.formula} ", _badge(cost.provenance)))
            parts.append(_inputs(cost.inputs))
        yield element("details", *parts)
    for own in document.owned:
        hour = f"{own.low:.0f} to {own.high:.0f} USD an hour = {own.formula}"
        words = f"Owning a {own.name}, an estimate and no offer: {hour}"
        yield element("details", element("summary", words), _inputs(own.inputs))
    budgets = [
        f"{name}: {b.limit} for {b.percentile:g} % of {b.agents} turns; {b.source}"
        for name, b in document.budgets.items()
    ]
    yield element("ul", *(element("li", text) for text in budgets))


def _inputs(inputs: dict[str, InputDoc]) -> Html:
    rows = []
    for key, value in inputs.items():
        number = NONE if value.number is None else number_words(value.number, 6)
        unit = "" if value.unit == "count" else value.unit
        source = f"{value.source} {value.date}{f'; {value.note}' if value.note else ''}"
        rows.append([key, f"{number} {unit}".strip(), _badge(value.provenance), source])
    return table(("input", "value", "", "source"), rows, numbers=(1,))
