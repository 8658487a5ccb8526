"""The chapter of the long run: turns in budget over weeks in which servers stop by chance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from subsecond.engine.drills.long_run_words import (
    DUE,
    MINUTES_BELOW,
    cost_words,
    length_words,
    minutes_words,
    repair_words,
)
from subsecond.engine.drills.reading import AvailabilityDoc, availability_from

from .figures import LANE_COLOURS
from .markup import Html, element
from .shell import Figures
from .tables import NONE, SECRET, table

__all__ = ["chapter"]


def chapter(raw: dict[str, Any], figures: Figures, where: str) -> list[Html]:
    """The elements of the chapter; it has no figures.

    Raises:
        InputError: the document is not what it says.
    """
    document = availability_from(raw, where)
    return [
        element("h2", f"In the long run: {document.scenario}"),
        element("p", f"Servers stop by chance, over {document.weeks:g} weeks, under a constant load."),
        element("p", repair_words(document.repair_s)),
        element("h3", "What stops, and how often"),
        _parts(document),
        element("h3", "Turns in budget"),
        _outcomes(document),
        element("ul", *(element("li", text) for text in (*_incidents(document), *_budgets(document)))),
        element("p", DUE, class_="soft"),
        element("p", MINUTES_BELOW, class_="soft"),
        *_simulated(document),
        element("h3", "If what is not public were otherwise"),
        _varied(document),
    ]


def _name(document: AvailabilityDoc, name: str) -> Html:
    colour = LANE_COLOURS[list(document.pipelines).index(name) % len(LANE_COLOURS)]
    return element("span", element("i", class_="dot", style=f"background:{colour}"), name, class_="name")


def _parts(document: AvailabilityDoc) -> Html:
    rows = []
    for name, lane in document.pipelines.items():
        for part in lane.parts:
            badge = element("span", part.provenance, class_="badge secret" if part.provenance == SECRET else "badge")
            what = f"{part.servers} x {part.pool} ({part.each:g} {part.device})"
            numbers = (f"{part.mtbf_h:,.0f} h", length_words(part.mttr_s), f"{part.incidents_per_year:.2f}")
            rows.append([_name(document, name), what, *numbers, badge, part.source])
    return table(("pipeline", "servers", "mtbf of one", "repair", "a year", "", "source"), rows, numbers=(2, 3, 4))


def _outcomes(document: AvailabilityDoc) -> Html:
    rows = []
    for name, lane in document.pipelines.items():
        for kind, found in lane.by_agents.items():
            run = found.long_run
            cells = [_share(found.without_failures.attainment), _share(run.share), f"{100 * run.lost:.2g} %"]
            nines = NONE if run.nines is None else f"{run.nines:.1f}"
            below = minutes_words(found.without_failures.below, run.below_s, document.weeks)
            rows.append([_name(document, name), kind, *cells, nines, below])
    heads = ("pipeline", "agents", "without failures", "of turns due, with them", "lost to failures")
    return table((*heads, "nines", "minutes below a week"), rows, numbers=range(2, 7))


def _incidents(document: AvailabilityDoc) -> Iterator[str]:
    """How many incidents there are to be, and what one costs."""
    for name, lane in document.pipelines.items():
        for run in [found.long_run for found in lane.by_agents.values()][:1]:
            expected = f"{run.incidents:.2g} incidents to be expected in {document.weeks:g} weeks"
            chance = f"at least one with a probability of {100 * run.any_incident:.3g} %"
            yield f"{name}: {expected}, {chance}, and {100 * run.overlap:.2g} % meet another one."
        for kind, found in lane.by_agents.items():
            pairs = zip(found.incident_costs, lane.parts, strict=True)
            yield f"{name}, {kind}: an incident costs {', '.join(cost_words(cost, part.pool) for cost, part in pairs)}."


def _budgets(document: AvailabilityDoc) -> Iterator[str]:
    found = {kind: own.budget for lane in document.pipelines.values() for kind, own in lane.by_agents.items()}
    for kind, budget in found.items():
        source = f" Source: {budget.source}." if budget.source else ""
        yield f"Budget of {kind}: {budget.name}, {budget.limit} for {budget.percentile:g} % of the turns.{source}"


def _simulated(document: AvailabilityDoc) -> Iterator[Html]:
    """The weeks as they were simulated turn by turn; nothing if they were not."""
    rows = []
    for name, lane in document.pipelines.items():
        for kind, found in lane.by_agents.items():
            if found.simulated is None:
                continue
            calm, struck = found.simulated
            lost = f"{100 * (1 - struck.met / calm.met):.2g} %" if calm.met else NONE
            down = NONE if lane.simulated_down_s is None else f"{lane.simulated_down_s:,.0f} s"
            turns = (f"{calm.judged:,}", f"{calm.met:,}", f"{struck.met:,}")
            rows.append([_name(document, name), kind, f"{lane.simulated_incidents or 0:,}", down, *turns, lost])
    if not rows:
        return
    yield element("h3", "The same weeks simulated turn by turn")
    heads = ("pipeline", "agents", "incidents", "down", "turns without", "in budget without", "with them", "lost")
    yield table(heads, rows, numbers=range(2, 8))


def _share(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:.3f} %"


def _varied(document: AvailabilityDoc) -> Html:
    rows = []
    for name, lane in document.pipelines.items():
        hours = {part.pool: part.mtbf_h for part in lane.parts}
        for kind, found in lane.by_agents.items():
            for run in found.sensitivity:
                nines = NONE if run.nines is None else f"{run.nines:.1f}"
                told = f"{run.mtbf_factor * hours.get(run.pool, 0.0):,.0f} h"
                rows.append([_name(document, name), run.pool, kind, told, f"{100 * run.lost:.2g} %", nines])
    return table(("pipeline", "servers", "agents", "mtbf of one", "lost to failures", "nines"), rows, numbers=(3, 4, 5))
