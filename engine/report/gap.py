"""The chapter of a gap study: what each change does, as a tornado, and where the changes come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from subsecond.engine.shares import share_words

from .markup import Html, element
from .shell import Figures
from .study_parts import BudgetDoc, Excess, Figure, Share, plain_text, read_as, time_words, verdicts
from .tables import SECRET, table

__all__ = ["chapter"]

WORSE, BETTER, KEPT, SOFT = "#c0392b", "#4b93c9", "#0f8a7e", "#8a8f98"
#: Changes that are shown for what they are worth, not to be made.
_ROLES = {"worth": "shows what it is worth", "bound": "a bound", "unknown": "not public"}


class _Change(msgspec.Struct, frozen=True):
    name: str
    effort: str
    role: str
    stands_for: str
    source: str
    provenance: str


class _Variant(msgspec.Struct, frozen=True):
    name: str
    changes: list[_Change]
    attainment: Share | None = None
    effect: Excess | None = None
    is_kept: bool = False
    is_same: bool = False
    is_clear: bool = True
    p50_ms: float | None = None
    p95_ms: float | None = None
    problem: str = ""


class _Lane(msgspec.Struct, frozen=True):
    lane: str
    plain: _Variant
    singles: list[_Variant]
    software: _Variant | None
    everything: _Variant | None
    findings: list[str]


class _Document(msgspec.Struct, frozen=True):
    scenario: str
    title: str
    seed: int
    agents: str
    budget: BudgetDoc
    replicas: int
    runs: int
    lanes: list[_Lane]


def chapter(raw: dict[str, Any], figures: Figures, where: str) -> list[Html]:
    """The elements of the chapter.

    Raises:
        InputError: the document is not what it says.
    """
    document = read_as(raw, _Document, where)
    facts = [f"{document.agents} turns", document.budget.words, f"{document.replicas} runs of each change"]
    facts += [f"{document.runs:,} runs in all", f"seed {document.seed}"]
    body = [element("h2", f"Which change closes the gap: {document.scenario}"), element("p", document.title)]
    body.append(element("div", *(element("span", fact) for fact in facts), class_="facts"))
    for lane in document.lanes:
        body += _lane(document, lane, figures)
    body.append(element("p", f"{document.budget.name}: {document.budget.source}", class_="soft"))
    return body


def _lane(document: _Document, lane: _Lane, figures: Figures) -> Iterator[Html]:
    plain, asked = lane.plain.attainment or 0.0, document.budget.percentile / 100
    yield element(
        "h3", f"{lane.lane}: {share_words(plain, asked)} in time as it is, p95 {time_words(lane.plain.p95_ms)}"
    )
    yield from verdicts(lane.findings)
    bars = _bars(lane)
    if bars:
        caption = (
            f"Share of turns in time with each change by itself; the line in the middle is {lane.lane} as it is, "
            f"the dashed one what {document.budget.name} asks for. Green: keeps it. Grey: not a change to make. "
            "?: may be chance."
        )
        yield figures.add(_tornado(document, lane, bars), caption)
    yield element("details", element("summary", f"Every change of {lane.lane}, with its source"), _table(lane, asked))


def _bars(lane: _Lane) -> list[tuple[str, _Variant]]:
    """What differs from the pipeline as it is, the largest effect first."""
    singles = [v for v in lane.singles if v.effect is not None and not v.is_same]
    bars = [(v.name, v) for v in sorted(singles, key=lambda v: -abs(v.effect or 0.0))]
    for name, variant in (("all software together", lane.software), ("everything together", lane.everything)):
        if variant is not None:
            bars.append((name, variant))
    return bars


def _tornado(document: _Document, lane: _Lane, bars: list[tuple[str, _Variant]]) -> Figure:
    plain, target = 100 * (lane.plain.attainment or 0.0), document.budget.percentile
    shares = [share_words(variant.attainment or 0.0, target / 100) for _, variant in bars]
    trace = {
        "type": "bar",
        "orientation": "h",
        "y": [plain_text(name) for name, _ in bars],
        "x": [round(100 * (variant.effect or 0.0), 4) for _, variant in bars],
        "base": [round(plain, 4)] * len(bars),
        "marker": {"color": [_colour(variant) for _, variant in bars]},
        "text": [share + ("" if variant.is_clear else " ?") for share, (_, variant) in zip(shares, bars, strict=True)],
        "customdata": [f"{share}, p95 {time_words(v.p95_ms)}" for share, (_, v) in zip(shares, bars, strict=True)],
        "hovertemplate": "%{y}: %{customdata}<extra></extra>",
    }
    layout = {
        "showlegend": False,
        "xaxis": {"title": {"text": f"{document.agents} turns in time, %"}, "range": _range(plain, target, bars)},
        "yaxis": {"autorange": "reversed", "automargin": True},
        "shapes": [_line(plain, "solid", SOFT), _line(target, "dash", WORSE)],
        "bargap": 0.25,
    }
    return {"data": [trace], "layout": layout, "height": 120 + 24 * len(bars)}


def _colour(variant: _Variant) -> str:
    if any(change.role != "change" for change in variant.changes):
        return SOFT
    if variant.is_kept:
        return KEPT
    return WORSE if (variant.effect or 0.0) < 0 else BETTER


def _range(plain: float, target: float, bars: list[tuple[str, _Variant]]) -> list[float]:
    values = [plain, target, *(100 * (variant.attainment or 0.0) for _, variant in bars)]
    room = 0.06 * (max(values) - min(values)) or 1.0
    return [max(0.0, min(values) - room), max(values) + room]


def _line(at: float, dash: str, colour: str) -> Figure:
    place = {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": at, "x1": at}
    return place | {"line": {"width": 1, "dash": dash, "color": colour}}


def _table(lane: _Lane, asked: float) -> Html:
    rows = []
    for variant in lane.singles:
        (change,) = variant.changes
        badge = element("span", change.provenance, class_="badge secret" if change.provenance == SECRET else "badge")
        doubt = "" if variant.is_clear else " ?"
        shown = variant.problem or (
            "no effect" if variant.is_same else share_words(variant.attainment or 0.0, asked) + doubt
        )
        role = _ROLES.get(change.role, change.effort)
        rows.append(
            [change.name, role, shown, time_words(variant.p95_ms), badge, f"{change.stands_for}; {change.source}"]
        )
    return table(("change", "effort", "in time", "p95", "", "what it stands for, and source"), rows, numbers=(2, 3))
