"""The chapter of drills: what each did to the turns, over time without it and with it, and under each policy."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from typing import Any

from subsecond.engine.drills.reading import HeldDoc, KindDoc, LaneDoc, StripDoc, StudyDoc, study_from
from subsecond.engine.findings import counted

from .figures import LANE_COLOURS, TIMES
from .markup import Html, element
from .shell import Figures
from .tables import NONE, table

__all__ = ["chapter"]

Figure = dict[str, Any]


def chapter(raw: dict[str, Any], figures: Figures, where: str) -> list[Html]:
    """The elements of the chapter.

    Raises:
        InputError: the document is not what it says.
    """
    document = study_from(raw, where)
    body = [element("h2", f"Drills: {document.scenario}"), _facts(document)]
    for place, drill in enumerate(document.drills):
        body += _drill(drill, figures)
        if document.policies:
            body += [element("h3", f"{drill.name}: policies side by side"), _policies(document, place)]
    body.append(element("ul", *(element("li", text) for text in document.remarks)))
    return body


def _facts(document: StudyDoc) -> Html:
    models = dict.fromkeys(lane.model for drill in document.drills for lane in drill.pipelines.values())
    facts = [", ".join(models), "constant load" if document.constant_load else "load as in the scenario"]
    facts += [f"{counted(len(drill.seeds), 'run')} of {drill.stops_s:,.0f} s" for drill in document.drills[:1]]
    facts += document.settings
    return element("div", *(element("span", fact) for fact in facts if fact), class_="facts")


def _drill(drill: HeldDoc, figures: Figures) -> Iterator[Html]:
    yield element("h3", f"{drill.name}: {drill.title}")
    told = f"It begins at {drill.begin_s:g} s. Durations: {drill.durations}."
    yield element("p", f"To look at: {drill.look_at}. {told}" if drill.look_at else told)
    for name, lane in drill.pipelines.items():
        if lane.reason:
            what = "left alone" if not lane.faults else "struck in part"
            yield element("p", f"{name} is {what}: {lane.reason}.", class_="soft")
    yield _impacts(drill)
    words = (
        "Over budget because of it; met instead of missed, since loops are closed; put off beyond the end of the run."
    )
    yield element("p", words, class_="soft")
    yield _work(drill)
    for kind in _kinds(drill):
        caption = f"{kind}: p95 of the turns by when they begin. Dotted: the same sessions without the fault."
        yield figures.add(_over_time(drill, kind), caption)


def _kinds(drill: HeldDoc) -> list[str]:
    return list(dict.fromkeys(kind for lane in drill.pipelines.values() for kind in lane.by_agents))


def _name(names: Sequence[str], name: str) -> Html:
    """A pipeline with its colour."""
    colour = LANE_COLOURS[names.index(name) % len(LANE_COLOURS)]
    return element("span", element("i", class_="dot", style=f"background:{colour}"), name, class_="name")


def _impacts(drill: HeldDoc) -> Html:
    names, rows = list(drill.pipelines), []
    for kind in _kinds(drill):
        for i, (name, found) in enumerate(_of_kind(drill, kind)):
            cells = [f"{found.turns[0]:,}", *_counts(found), f"{found.mended:,}"]
            rows.append([kind if not i else "", _name(names, name), *cells, *_times(found)])
    heads = ("agents", "pipeline", "turns", "lost", "over budget", "put off", "met instead")
    more = ("in budget without it", "with it", "longest turn", "silence", "back after")
    return table((*heads, *more), rows, numbers=range(2, len(heads) + len(more)))


def _of_kind(drill: HeldDoc, kind: str) -> list[tuple[str, KindDoc]]:
    return [(name, lane.by_agents[kind]) for name, lane in drill.pipelines.items() if kind in lane.by_agents]


def _counts(found: KindDoc) -> list[str]:
    return [f"{found.lost:,}", f"{found.broken:,}", f"{found.put_off - found.brought_forward:,}"]


def _times(found: KindDoc) -> list[str]:
    shares = [NONE if share is None else f"{100 * share:.1f} %" for share in found.attainment]
    return [*shares, _seconds(found.longest_turn_ms[1]), _seconds(found.longest_silence_ms[1]), _back(found)]


def _seconds(ms: float) -> str:
    return f"{ms / 1000:,.2f} s" if ms < 100_000 else f"{ms / 1000:,.0f} s"


def _back(found: KindDoc) -> str:
    after = found.recovery.after_s
    if found.recovery.p95_before_ms is None:
        return "no turns before"
    return "not within the run" if after is None else f"{after:,.0f} s" if after else "never away"


def _work(drill: HeldDoc) -> Html:
    names, rows = list(drill.pipelines), []
    for name, lane in drill.pipelines.items():
        work = lane.work
        if work is not None:
            counts = (work.computed_again_tokens, work.cold_cache_tokens, work.repeated_tokens, work.spared_tokens)
            more = (work.struck_turns[1] - work.struck_turns[0], work.attempts[1] - work.attempts[0])
            sent = [f"{tokens:,}" if any(work.handed_over_tokens) else NONE for tokens in work.handed_over_tokens]
            rows.append([_name(names, name), *(f"{count:,}" for count in (*counts, *more)), *sent])
    heads = ("prompt tokens", "computed again", "cold caches", "lost work", "spared instead", "turns struck")
    return table((*heads, "attempts lost", "KV sent without", "with it"), rows, numbers=range(1, 9))


def _over_time(drill: HeldDoc, kind: str) -> Figure:
    names, traces = list(drill.pipelines), list[Figure]()
    for name, found in _of_kind(drill, kind):
        colour = LANE_COLOURS[names.index(name) % len(LANE_COLOURS)]
        for strip, words, dash, width in zip(
            found.over_time, (f"{name} without", name), ("dot", "solid"), (1.5, 2.0), strict=True
        ):
            traces.append(_line(strip, words, {"color": colour, "width": width, "dash": dash}))
    lanes = [(names.index(name), lane) for name, lane in drill.pipelines.items() if kind in lane.by_agents]
    limits = {
        found.budget.turn_ms for _, found in _of_kind(drill, kind) if found.budget and found.budget.turn_ms is not None
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


def _policies(document: StudyDoc, place: int) -> Html:
    drill, rows = document.drills[place], list[list[str]]()
    for kind in _kinds(drill):
        for name, _ in _of_kind(drill, kind):
            for i, policy in enumerate(document.policies):
                lane = policy.drills[place].pipelines.get(name) if policy.drills else None
                found = None if lane is None else lane.by_agents.get(kind)
                cells = [NONE] * 8 if found is None else [*_counts(found), *_times(found)]
                first = ("", "") if i else (kind, _name(list(drill.pipelines), name))
                rows.append([*first, policy.policy, *cells])
    heads = ("agents", "pipeline", "policy", "lost", "over budget", "put off")
    more = ("in budget without it", "with it", "longest turn", "silence", "back after")
    return table((*heads, *more), rows, numbers=range(3, 11))
