"""A price study as tables, pictures and sentences for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from subsecond.engine.economics.document import InputDoc, LaneDoc, PointDoc, PriceDoc
from subsecond.engine.economics.words import load_words, money, number_words, sum_words, verdict_words
from subsecond.engine.findings import counted
from subsecond.engine.shares import cut_share

from .grid import Grid, print_point
from .price_picture import Mark, Row, picture

__all__ = ["show_prices"]

_WAYS = {"capacity-block": "block", "on-demand": "on demand"}


def show_prices(document: PriceDoc, console: Console, *, explain: bool = False) -> None:
    """Print everything.

    Args:
        explain: every cost at the scenario's load with its formula and what went into it, too.
    """
    console.print(Text(_headline(document)), style="bold")
    _parts(document).print(console)
    _costs(document).print(console)
    _break_evens(document).print(console)
    _loads(document).print(console)
    for lines in _pictures(document):
        for line in lines:
            console.print(line)
        console.print()
    _fleets(document).print(console)
    _services(document).print(console)
    if explain:
        _explain(document, console)
    for text in (*document.findings, *_remarks(document), *_sources(document)):
        print_point(console, text)


def _headline(document: PriceDoc) -> str:
    models = ", ".join(dict.fromkeys(pipeline.model for pipeline in document.pipelines.values()))
    here = ", ".join(f"{count:,} {kind}" for kind, count in document.here.sessions.items())
    at = f"{here} sessions {'at once' if document.is_steady else 'in all'}" if here else "a trace"
    seeds = f"seed {document.seed}" if document.runs == 1 else f"{document.runs} runs from seed {document.seed} on"
    return f"{document.scenario} · {models} · {at} · {seeds}"


def _parts(document: PriceDoc) -> Grid:
    """Machines, price, way of hire, and how busy they are at the scenario's load."""
    grid = Grid(["pipeline", "machines", "USD/h", "hire", "busy"], num_labels=2)
    for name, pipeline in document.pipelines.items():
        busy = document.here.lanes[name].busy
        for number, part in enumerate(pipeline.parts):
            usd = Text("?", style="bold") if part.usd_per_hour is None else f"{part.usd_per_hour:,.2f}"
            way = _WAYS.get(part.way, part.way) + ("*" if part.remark else "")
            pool = part.role if part.role in busy else "gpu"
            grid.add("" if number else name, f"{part.shown} {_role(part.role)}", usd, way, f"{100 * busy[pool]:.0f} %")
    return grid


def _gap(grid: Grid, rows: int) -> None:
    """Sets groups of rows apart; single rows need no gap."""
    if rows > 1:
        grid.end_section()


def _role(role: str) -> str:
    return "" if role == "prefill and decode" else f"· {role}"


def _costs(document: PriceDoc) -> Grid:
    """What turns and tokens cost at the scenario's load."""
    words = f"{document.basis}: cost of" if len(document.bases) > 1 else "cost of"
    grid = Grid([words, *document.pipelines])
    costs = {name: pipeline.costs[document.basis] for name, pipeline in document.pipelines.items()}
    labels = dict.fromkeys((cost.key, cost.words) for own in costs.values() for cost in own)
    for key, label in labels:
        found = [next((c for c in own if c.key == key), None) for own in costs.values()]
        grid.add(label, *("-" if c is None else sum_words(c.sum, document.device_names) for c in found))
    return grid


def _break_evens(document: PriceDoc) -> Grid:
    """Where each pipeline becomes cheaper per turn in time, by budget."""
    against = document.against
    grid = Grid(["turn in time by", "pipeline", "in time", against, f"cheaper than {against}", "1e6 out"], num_labels=2)
    for basis in document.bases:
        evens = [even for even in document.here.break_evens if even.basis == basis]
        for number, even in enumerate(evens):
            shares = [_share(document.here.lanes[name], basis) for name in (even.pipeline, against)]
            words = verdict_words(even, document.device_names)
            grid.add("" if number else basis, even.pipeline, *shares, words, _money(even.usd_per_m_output))
        _gap(grid, len(evens))
    return grid


def _share(lane: LaneDoc, basis: str) -> str:
    share = lane.attainment.get(basis)
    return f"{lane.in_time[basis]:,} turns" if share is None else cut_share(share)


def _money(usd: float | None) -> str:
    return "-" if usd is None else money(usd)


def _loads(document: PriceDoc) -> Grid:
    """The break-even over loads, as the pipelines stand and each at its cheapest size."""
    against = document.against
    names = ["load", "pipeline", "cheaper as it is", f"sizes ({against})", "cheaper so", "1e6 out"]
    grid = Grid(names, num_labels=2)
    for point in document.points:
        evens = [even for even in point.break_evens if even.basis == document.basis]
        for number, even in enumerate(evens):
            so = next((e for e in point.cheapest_break_evens if e.pipeline == even.pipeline), None)
            sizes = [_sizes(point.cheapest.get(name)) for name in (even.pipeline, against)]
            words = "-" if so is None else verdict_words(so, document.device_names)
            per_m = None if so is None else so.usd_per_m_output
            as_it_is = verdict_words(even, document.device_names)
            label = _load(document, point) if number == 0 else ""
            grid.add(label, even.pipeline, as_it_is, f"{sizes[0]} ({sizes[1]})", words, _money(per_m))
        _gap(grid, len(evens))
    return grid


def _load(document: PriceDoc, point: PointDoc) -> str:
    sessions = "+".join(f"{count:,}" for count in point.sessions.values())
    return f"{load_words(point.factor)}: {sessions}" if sessions else "the trace"


def _sizes(sizes: dict[str, int] | None) -> str:
    return "-" if sizes is None else "+".join(str(count) for count in sizes.values())


def _pictures(document: PriceDoc) -> Iterator[list[Text]]:
    """Break-even prices over loads: of an hour with what owning might cost, of tokens with published prices."""
    if len(document.points) < 2:
        return
    for name in document.pipelines:
        evens = [(p, next((e for e in p.cheapest_break_evens if e.pipeline == name), None)) for p in document.points]
        found = [(point, even) for point, even in evens if even is not None]
        devices = {even.device for _, even in found if even.usd_per_device_hour is not None}
        if len(devices) == 1:
            (device,) = devices
            unit = document.device_names.get(device or "", device or "")
            rows = [Row(_load(document, p), e.usd_per_device_hour, _value(e.usd_per_device_hour)) for p, e in found]
            marks = [
                Mark("o", f"owning one: {own.low:.0f} to {own.high:.0f} USD/h, estimated", own.low, own.high)
                for own in document.owned
                if own.device == device
            ]
            title = f"USD per {unit}-hour below which {name} beats {document.against} (cheapest sizes)"
            yield picture(title, rows, marks)
        rows = [Row(_load(document, p), e.usd_per_m_output, _value(e.usd_per_m_output)) for p, e in found]
        if name == document.services_for:
            title = f"USD per 1e6 tokens written, all in, below which buying {name} beats running {document.against}"
            yield picture(title, rows, _service_marks(document))


def _value(usd: float | None) -> str:
    return "-" if usd is None else f"{usd:,.1f}" if usd < 100 else f"{usd:,.0f}"


def _service_marks(document: PriceDoc) -> list[Mark]:
    """A letter for each published price, those of one price together."""
    prices: dict[float, list[str]] = {}
    for service in document.services:
        if service.per_m_output is not None:
            prices.setdefault(service.per_m_output, []).append(service.provider)
    letters = "abcdefghijklmnopqrstuvwxyz"
    return [
        Mark(letter, f"{', '.join(providers)}: {price:.1f}", price, price)
        for letter, (price, providers) in zip(letters, sorted(prices.items(), reverse=True), strict=False)
    ]


def _fleets(document: PriceDoc) -> Grid:
    """The smallest fleets that keep a budget at its percentile, and what they cost per hour."""
    has_even = any(fleet.break_evens for fleet in document.fleets)
    cheaper = ["cheaper"] if has_even else []
    grid = Grid([f"fleet that keeps (of {document.most_replicas})", *document.pipelines, *cheaper])
    for fleet in document.fleets:
        cells = []
        for lane in fleet.lanes.values():
            share = lane.attainment.get(fleet.basis)
            best = "" if share is None else f", {cut_share(share)}"
            cost = sum_words(lane.hourly, document.device_names)
            cells.append(f"{_sizes(lane.sizes)}: {cost}" if lane.keeps else f"none{best}")
        evens = [f"{even.pipeline} {verdict_words(even, document.device_names)}" for even in fleet.break_evens]
        grid.add(fleet.basis, *cells, *(["\n".join(evens) or "-"] if has_even else []))
    return grid


def _services(document: PriceDoc) -> Grid:
    """Published prices by the token, as they are and for this work."""
    grid = Grid(["USD per 1e6 tokens", "input", "cached", "output", "this mix, per\n1e6 written", "a turn"])
    for service in document.services:
        cached = "as input" if service.cached is None or service.cached.number is None else _price(service.cached)
        if service.input.number is None:
            cached = "?"
        prices = (_price(service.input), cached, _price(service.output))
        grid.add(service.provider, *prices, _money(service.per_m_output), _money(service.per_turn))
    return grid


def _price(value: InputDoc) -> str:
    return "?" if value.number is None else number_words(value.number, 6)


def _explain(document: PriceDoc, console: Console) -> None:
    for name, pipeline in document.pipelines.items():
        for cost in pipeline.costs[document.basis]:
            total = sum_words(cost.sum, document.device_names)
            print_point(console, f"{name}, {cost.words}: {total} = {cost.formula} ({cost.provenance})")
            for key, value in cost.inputs.items():
                note = f"; {value.note}" if value.note else ""
                console.print(
                    Text(f"     {key}: {_figure(value)}, {value.provenance}, {value.source}{note}", style="dim")
                )


def _figure(value: InputDoc) -> str:
    number = "unknown" if value.number is None else number_words(value.number, 6)
    return number if value.unit in ("", "count") else f"{number} {value.unit}"


def _remarks(document: PriceDoc) -> Iterator[str]:
    """What must be known to read the tables."""
    parts = [part for pipeline in document.pipelines.values() for part in pipeline.parts if part.remark]
    for part in {part.shown: part for part in parts}.values():
        yield f"* {part.shown}: {part.remark}"
    kinds = {budget.agents for budget in document.budgets.values()}
    if len(kinds) > 1 and document.basis in document.budgets:
        agents = document.budgets[document.basis].agents
        yield f"Machines are shared out to {agents} turns by the time that requests are at work in each pool"
    sizes = [count for point in document.points for sizes in point.cheapest.values() for count in sizes.values()]
    if document.most_replicas in sizes:
        yield f"A cheapest size has {document.most_replicas} replicas, the most that were tried: --most tries more"
    yield "Hire alone: no people, storage, network, spare machines, or what stands around the model"
    if document.services:
        cached = [s.provider for s in document.services if s.input.number is not None and s.cached is None]
        bill = f"; {', '.join(cached)} publish no price for cached input" if cached else ""
        mix = f"the mix is that of {document.services_for}"
        yield f"Published prices say nothing about how soon a turn is answered{bill}; {mix}"


def _sources(document: PriceDoc) -> Iterator[str]:
    rates = {}
    for pipeline in document.pipelines.values():
        for part in pipeline.parts:
            rates[part.shown.partition(" x ")[2], part.way] = part.rate
    for (machine, way), rate in rates.items():
        price = (
            "no public price" if rate.number is None else f"{number_words(rate.number, 6)} USD/h {_WAYS.get(way, way)}"
        )
        yield f"{machine}: {price}, {rate.provenance}, {rate.source} {rate.date}".rstrip()
    lists: dict[str, list[str]] = {}
    for service in document.services:
        trust = f"{service.output.provenance}, {service.output.source} {service.output.date}"
        lists.setdefault(trust.rstrip(), []).append(service.provider)
    for trust, providers in lists.items():
        yield f"Token prices of {', '.join(providers)}: {trust}"
    for own in document.owned:
        inputs = ", ".join(f"{key} {_figure(value)} ({value.provenance})" for key, value in own.inputs.items())
        yield f"Owning a {own.name} = {own.formula}: {inputs}"
    for name in dict.fromkeys(document.bases):
        if name in document.budgets:
            budget = document.budgets[name]
            yield f"{name}, {budget.limit} for {budget.percentile:g} %: {budget.source}"
    if len(document.points) > 1:
        yield f"Loads: {counted(len(document.points), 'point')}, sessions of all agents scaled alike"
