"""The chapter of drills: what each did to the turns, over time without it and with it, and under each policy."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from typing import Any

from subsecond.engine.drills.reading import FaultDoc, HeldDoc, LaneDoc, StripDoc, StudyDoc, study_from
from subsecond.engine.findings import counted

from .drill_tables import fates_table, kinds_of, of_kind, policies_table, times_table, work_table
from .figures import LANE_COLOURS, TIMES
from .markup import Html, element
from .shell import Figures

__all__ = ["chapter"]

Figure = dict[str, Any]
#: Share of turns in budget below which a budget is out of reach.
HOPELESS = 0.05
_FATES = (
    "Lost: failed with the fault alone. Over budget: because of it. Met instead: missed without it, since a session "
    "that was held up meets another load later. Put off: begun without it, and with it not before the run stopped."
)
_TIMES = (
    "Began before, during, after: when the turns over budget because of it began, by the begin of the first fault and "
    "the end of the last. At worst: p95 of a sliding window. Longest turn: that a user waited for; silence: without a "
    "token. Back after: from the begin of the fault until p95 is within 10 % of that before for good, and the last "
    "turn has ended that the fault delayed."
)
_WORK = (
    "Computed again: cold caches, found in a cache without the fault alone, and lost work, computed for attempts that "
    "were lost or preempted. Spared: the other way round; it is not taken off. KV: tokens handed over, without the "
    "fault and with it."
)
_POLICIES = "In budget, longest turn and longest silence with the fault; recomputed: prompt tokens computed again."


def chapter(raw: dict[str, Any], figures: Figures, where: str) -> list[Html]:
    """The elements of the chapter.

    Raises:
        InputError: the document is not what it says.
    """
    document = study_from(raw, where)
    body = [element("h2", f"Drills: {document.scenario}"), _facts(document)]
    body.append(element("ul", *(element("li", text) for text in _budgets(document))))
    for place, drill in enumerate(document.drills):
        body += _drill(drill, figures)
        if document.policies:
            body += [element("h3", f"{drill.name}: policies side by side"), policies_table(document, place)]
            body.append(element("p", _POLICIES, class_="soft"))
    left_out = [f"{p.policy}: without {name}, {why}." for p in document.policies for name, why in p.left_out.items()]
    body.append(element("ul", *(element("li", text) for text in (*left_out, *document.remarks))))
    return body


def _facts(document: StudyDoc) -> Html:
    models = dict.fromkeys(lane.model for drill in document.drills for lane in drill.pipelines.values())
    facts = [", ".join(models), "constant load" if document.constant_load else "load as in the scenario"]
    facts += [f"{counted(len(drill.seeds), 'run')} of {drill.stops_s:,.0f} s" for drill in document.drills[:1]]
    facts += document.settings
    return element("div", *(element("span", fact) for fact in facts if fact), class_="facts")


def _budgets(document: StudyDoc) -> Iterator[str]:
    """What turns are held against, and where it comes from."""
    found = {
        kind: own.budget for drill in document.drills for kind in kinds_of(drill) for _, own in of_kind(drill, kind)
    }
    for kind, budget in found.items():
        if budget is None:
            yield f"{kind}: no budget."
            continue
        source = f" Source: {budget.source}." if budget.source else ""
        yield f"{kind}: {budget.name}, {budget.limit} for {budget.percentile:g} % of the turns.{source}"


def _drill(drill: HeldDoc, figures: Figures) -> Iterator[Html]:
    yield element("h3", f"{drill.name}: {drill.title}")
    told = f"It begins at {drill.begin_s:g} s. Durations: {drill.durations}."
    yield element("p", f"To look at: {drill.look_at}. {told}" if drill.look_at else told)
    for name, lane in drill.pipelines.items():
        if lane.faults:
            yield element("p", f"{name}: {'; '.join(map(_fault, lane.faults))}.", class_="soft")
        if lane.reason:
            what = "left alone" if not lane.faults else "struck in part"
            yield element("p", f"{name} is {what}: {lane.reason}.", class_="soft")
    yield fates_table(drill)
    yield element("p", _FATES, class_="soft")
    yield times_table(drill)
    yield element("p", _TIMES, class_="soft")
    yield from _hopeless(drill)
    yield work_table(drill)
    yield element("p", _WORK, class_="soft")
    for kind in kinds_of(drill):
        caption = f"{kind}: p95 of the turns by when they begin. Dotted: the same sessions without the fault."
        yield figures.add(_over_time(drill, kind), caption)


def _fault(fault: FaultDoc) -> str:
    value = "" if fault.value is None else f" {fault.value:g}"
    end = "for good" if fault.end_s is None else f"to {fault.end_s:,.6g} s"
    return f"{fault.kind}{value} of part {fault.target} from {fault.begin_s:,.6g} s {end}"


def _hopeless(drill: HeldDoc) -> Iterator[Html]:
    """A budget that hardly any turn keeps anyway cannot show what a fault does."""
    for kind in kinds_of(drill):
        found = [own for _, own in of_kind(drill, kind)]
        budget = found[0].budget
        if budget is not None and max(own.attainment[0] or 0.0 for own in found) < HOPELESS:
            words = f"{kind}: hardly a turn keeps {budget.name} even without the fault, so that it shows little."
            yield element("p", words)


def _over_time(drill: HeldDoc, kind: str) -> Figure:
    names, traces = list(drill.pipelines), list[Figure]()
    for name, found in of_kind(drill, kind):
        colour = LANE_COLOURS[names.index(name) % len(LANE_COLOURS)]
        for strip, words, dash, width in zip(
            found.over_time, (f"{name} without", name), ("dot", "solid"), (1.5, 2.0), strict=True
        ):
            traces.append(_line(strip, words, {"color": colour, "width": width, "dash": dash}))
    lanes = [(names.index(name), lane) for name, lane in drill.pipelines.items() if kind in lane.by_agents]
    limits = {
        found.budget.turn_ms for _, found in of_kind(drill, kind) if found.budget and found.budget.turn_ms is not None
    }
    layout = {
        "xaxis": {"title": {"text": "virtual time, s"}, "range": [drill.counts_from_s, drill.stops_s]},
        "yaxis": {"title": {"text": "latency"}, **TIMES},
        "shapes": [*_bands(lanes, drill.stops_s), *(_limit(ms) for ms in sorted(limits))],
        "hovermode": "x unified",
    }
    return {"data": traces, "layout": layout, "height": 340}


def _line(strip: StripDoc, words: str, line: Figure) -> Figure:
    """Gaps where no turn begins, and where one in twenty or more fails."""
    text = html.escape(words).replace("%{", "% {")
    return {
        "type": "scatter",
        "mode": "lines",
        "name": text,
        "x": [begin + strip.window_s / 2 for begin in strip.begin_s],
        "y": [None if value is None else round(value, 2) for value in strip.p95_ms],
        "line": line,
        "connectgaps": False,
        "hovertemplate": f"{text}: %{{y:,.0f}} ms<extra></extra>",
    }


def _bands(lanes: Sequence[tuple[int, LaneDoc]], stops_s: float) -> Iterator[Figure]:
    seen = set()
    for number, lane in lanes:
        for fault in lane.faults:
            end = stops_s if fault.end_s is None else fault.end_s
            if (fault.begin_s, end) not in seen:  # two bands on one another are darker than either
                seen.add((fault.begin_s, end))
                shape = {"type": "rect", "yref": "paper", "x0": fault.begin_s, "x1": end, "y0": 0, "y1": 1}
                colour = LANE_COLOURS[number % len(LANE_COLOURS)]
                yield shape | {"layer": "below", "fillcolor": colour, "opacity": 0.16, "line": {"width": 0}}


def _limit(ms: float) -> Figure:
    place = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": ms, "y1": ms, "layer": "below"}
    return place | {"line": {"width": 1, "dash": "dash", "color": "#c0392b"}}
