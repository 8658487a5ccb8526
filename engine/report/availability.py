"""The chapter of the long run: turns in budget over weeks in which servers stop by chance."""

from __future__ import annotations

from typing import Any

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
        element("h3", "What stops, and how often"),
        _parts(document),
        element("h3", "Turns in budget"),
        _outcomes(document),
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
            numbers = (f"{part.mtbf_h:,.0f} h", f"{part.mttr_s:,.0f} s", f"{part.incidents_per_year:.2f}")
            rows.append([_name(document, name), what, *numbers, badge, part.source])
    return table(("pipeline", "servers", "mtbf of one", "repair", "a year", "", "source"), rows, numbers=(2, 3, 4))


def _outcomes(document: AvailabilityDoc) -> Html:
    rows = []
    for name, lane in document.pipelines.items():
        for kind, found in lane.by_agents.items():
            run, budget = found.long_run, found.budget
            cells = [_share(found.without_failures.attainment), _share(run.share), f"{100 * run.lost:.2g} %"]
            nines = NONE if run.nines is None else f"{run.nines:.1f}"
            limit = f"{budget.name}, {budget.limit}"
            rows.append([_name(document, name), kind, limit, *cells, nines, f"{run.incidents:.2g}"])
    heads = ("pipeline", "agents", "budget", "without failures", "of turns due, with them", "lost to failures")
    return table((*heads, "nines", "incidents"), rows, numbers=(3, 4, 5, 6, 7))


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
