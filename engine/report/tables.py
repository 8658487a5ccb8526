"""The tables of a report: attainment, worst turns, agents from outside, where every parameter comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from subsecond.engine.budgets import Budget
from subsecond.engine.comparison.bootstrap import Estimate
from subsecond.engine.comparison.compare import Comparison, KindComparison
from subsecond.engine.comparison.words import sides_named, time_words
from subsecond.engine.feed import LaneInfo
from subsecond.engine.findings import counted, stage_words
from subsecond.engine.shares import cut_share

from .chapter import Chapter, Worst, worst_of
from .figures import LANE_COLOURS, stage_colour
from .markup import Html, element, joined

__all__ = ["agents_table", "attainment_table", "differences_table", "provenance", "table", "worst_table"]

PS_PER_MS, PS_PER_S = 10**9, 10**12
SECRET = "not public"
#: What stands where there is no value.
NONE = "-"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> Html:
    """A table; columns in `numbers` are set to the right."""

    def cell(tag: str, place: int, content: str) -> Html:
        return element(tag, content, class_="number") if place in numbers else element(tag, content)

    head = element("tr", *(cell("th", i, name) for i, name in enumerate(heads)))
    body = [element("tr", *(cell("td", i, content) for i, content in enumerate(row))) for row in rows]
    return element("div", element("table", element("thead", head), element("tbody", *body)), class_="wide")


def lane_name(chapter: Chapter, lane: str) -> Html:
    """A lane with its colour."""
    number = [side.lane for side in chapter.sides].index(lane)
    dot = element("i", class_="dot", style=f"background:{LANE_COLOURS[number % len(LANE_COLOURS)]}")
    return element("span", dot, lane, class_="name")


def attainment_table(chapter: Chapter) -> Html:
    """A row per agent kind, budget and lane."""
    heads = ("agents", "budget", "pipeline", "in time", "", "p50", "p95", "p99", "turns", "failed", "goodput/s")
    rows = [row for kind in chapter.kinds for row in _attainment_rows(chapter, kind)]
    return table(heads, rows, numbers=(5, 6, 7, 8, 9, 10))


def _attainment_rows(chapter: Chapter, kind: str) -> Iterator[list[str]]:
    budgets: list[Budget | None] = [budget for budget in chapter.budgets if budget.agents == kind]
    for i, budget in enumerate(budgets or [None]):
        for j, side in enumerate(chapter.sides):
            found = chapter.measures[kind, side.lane]
            times = [found.latency_ps.get(name) for name in ("p50", "p95", "p99")]
            yield [
                element("span", kind, class_="name") if i == j == 0 else "",
                "" if budget is None or j else f"{budget.name}, {budget.shown} for {budget.percentile:g} %",
                lane_name(chapter, side.lane),
                *_in_time(budget, None if budget is None else found.attainment(budget.name)),
                *("" if i else NONE if ps is None else time_words(ps) for ps in times),
                "" if i else f"{found.turns:,}",
                "" if i else f"{found.failed:,}" if found.failed else NONE,
                "" if i else f"{found.goodput_per_s:.2f}",
            ]


def _in_time(budget: Budget | None, attainment: float | None) -> tuple[Html, Html]:
    if budget is None or attainment is None:
        return Html(NONE), Html("")
    is_kept = 100 * attainment >= budget.percentile
    word = "kept" if is_kept else "not kept"
    kind = "good" if is_kept else "bad"
    bar = element("i", style=f"width:{100 * attainment:.1f}%;background:var(--{kind})")
    mark = element("b", style=f"left:{budget.percentile:.1f}%")
    meter = element("div", bar, mark, class_="meter", role="img", aria_label=f"{cut_share(attainment)} of the turns")
    return element("span", f"{cut_share(attainment)}, {word}", class_=kind), meter


def worst_table(chapter: Chapter) -> Html:
    """The longest turns taken apart, and a key of the stages in them."""
    stages = chapter.hello.stages
    found = [worst for kind in chapter.kinds for side in chapter.sides for worst in worst_of(side, kind, stages)]
    if not found:
        return element("p", "No turn has ended.")
    longest = max(max(worst.latency_ps for worst in found), 1)
    heads = ("agents", "pipeline", "turn", "began", "took", "where the time went")
    rows = [_worst_row(chapter, worst, longest) for worst in found]
    used = [name for name in stages if any(name in worst.stages_ps for worst in found)]
    key = [element("span", _swatch(chapter, name), stage_words(name)) for name in used]
    return joined(element("div", *key, class_="key"), table(heads, rows, numbers=(3, 4)))


def _swatch(chapter: Chapter, stage: str) -> Html:
    return element("i", style=f"background:{stage_colour(chapter.hello.stages.index(stage))}")


def _worst_row(chapter: Chapter, worst: Worst, longest: int) -> list[str]:
    parts = [
        element(
            "i",
            style=f"width:{100 * ps / longest:.2f}%;background:{stage_colour(chapter.hello.stages.index(name))}",
            title=f"{stage_words(name)} {time_words(ps)}",
        )
        for name, ps in worst.stages_ps.items()
    ]
    largest = max(worst.stages_ps, key=lambda name: worst.stages_ps[name], default="")
    words = f"{stage_words(largest)} {time_words(worst.stages_ps[largest])}" if largest else ""
    took = joined(time_words(worst.latency_ps), element("span", " failed", class_="bad") if worst.is_failed else "")
    return [
        worst.kind,
        lane_name(chapter, worst.lane),
        f"session {worst.session}, turn {worst.index}",
        f"{worst.start_ps / PS_PER_S:,.1f} s",
        took,
        joined(element("div", *parts, class_="water"), element("span", f"most: {words}", class_="soft")),
    ]


def agents_table(chapter: Chapter) -> Html:
    """Agents that came from outside."""
    heads = ("agent", "speaks", "kind", "last served by", "turns", "late or failed", "bytes in / out", "errors")
    lanes, kinds = [lane.name for lane in chapter.hello.lanes], chapter.hello.agents
    rows = [
        [
            agent.name,
            agent.protocol,
            kinds[agent.kind] if 0 <= agent.kind < len(kinds) else NONE,
            lanes[agent.lane] if 0 <= agent.lane < len(lanes) else NONE,
            f"{agent.turns:,}",
            f"{agent.missed:,}",
            f"{agent.bytes_in:,} / {agent.bytes_out:,}",
            f"{agent.errors:,}: {agent.last_error}" if agent.errors else NONE,
        ]
        for agent in chapter.agents
    ]
    return table(heads, rows, numbers=(4, 5, 6))


def provenance(chapter: Chapter) -> Html:
    """Every parameter of every pipeline, with where it comes from."""
    return joined(*(_lane_parameters(lane) for lane in chapter.hello.lanes))


def _lane_parameters(lane: LaneInfo) -> Html:
    secret = sum(parameter.provenance == SECRET for parameter in lane.parameters)
    words = f"{lane.name}: {lane.label}, {lane.model}; {counted(len(lane.parameters), 'parameter')}"
    rows = [
        [
            element("code", parameter.key),
            parameter.value,
            element("span", parameter.provenance, class_="badge secret" if parameter.provenance == SECRET else "badge"),
            parameter.source,
        ]
        for parameter in sorted(lane.parameters, key=lambda parameter: parameter.provenance != SECRET)
    ]
    status = "" if lane.status == "shipping" or lane.status in lane.label else f" ({lane.status})"
    badge = element("span", f"{secret} not public", class_="badge secret") if secret else Html("")
    summary = element("summary", words + status + " ", badge)
    return element("details", summary, table(("parameter", "value", "provenance", "source"), rows))


def differences_table(comparison: Comparison) -> Html:
    """Both sides, the difference and its interval, a row per agent kind and measure."""
    names = sides_named(comparison.first, comparison.second)
    rows = [row for found in comparison.kinds for row in _difference_rows(found)]
    return table(("agents", "", *names, "difference", "95 % interval"), rows, numbers=(2, 3, 4, 5))


def _difference_rows(found: KindComparison) -> Iterator[list[str]]:
    first, second = found.first, found.second
    yield [found.kind, "turns", f"{first.turns:,}", f"{second.turns:,}", "", ""]
    for name in ("p50", "p95"):
        times = [m.latency_ps.get(name) for m in (first, second)]
        shown = [NONE if ps is None else time_words(ps) for ps in times]
        yield ["", name, *shown, *_difference(found.latency_ps.get(name), PS_PER_MS, " ms", 0)]
    for name, estimate in found.attainment.items():
        shares = [m.attainment(name) for m in (first, second)]
        shown = [NONE if value is None else cut_share(value) for value in shares]
        yield ["", name, *shown, *_difference(estimate, 0.01, " points", 1)]
    for name, change in list(found.stages_ps.items())[:3]:
        if abs(change) >= PS_PER_MS / 10:
            means = [m.stages_ps.get(name, 0.0) for m in (first, second)]
            label = f"mean of {stage_words(name)}"
            yield ["", label, *(time_words(mean) for mean in means), f"{change / PS_PER_MS:+,.1f} ms", ""]


def _difference(found: Estimate | None, unit: float, word: str, digits: int) -> tuple[str, str]:
    if found is None:
        return NONE, ""
    value = f"{found.value / unit:+,.{digits}f}{word}"
    shown = element("span", value, class_="clear") if found.is_clear else value
    if found.low is None or found.high is None:
        return shown, "too few sessions"
    return shown, f"{found.low / unit:+,.{digits}f} .. {found.high / unit:+,.{digits}f}"
