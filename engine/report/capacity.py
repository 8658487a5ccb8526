"""The chapter of a capacity study: what each pipeline carries, and how attainment falls with the load."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from subsecond.engine.shares import share_words

from .markup import Html, element
from .shell import Figures
from .study_parts import BudgetDoc, Figure, Share, lane_colour, plain_text, read_as, time_words, verdicts
from .tables import NONE, table

__all__ = ["chapter"]


class _Fullest(msgspec.Struct, frozen=True):
    part: str
    share: float


class _Trial(msgspec.Struct, frozen=True):
    load: float
    attainment: Share
    low: Share | None
    high: Share | None
    runs: int
    turns: int
    p50_ms: float | None
    p95_ms: float | None
    in_time_per_s: float


class _Lane(msgspec.Struct, frozen=True):
    lane: str
    capacity: float
    missed_at: float | None
    surely_kept: float
    surely_missed: float | None
    fullest: _Fullest
    runs: int
    turns: int
    trials: Annotated[list[_Trial], msgspec.Meta(min_length=1)]


class _Kind(msgspec.Struct, frozen=True):
    agents: str
    unit: str
    budget: BudgetDoc
    others: str
    beside: dict[str, int]
    confidence: float
    replicas: int
    duration_s: float
    warm_up_s: float
    findings: list[str]
    lanes: Annotated[list[_Lane], msgspec.Meta(min_length=1)]

    @property
    def things(self) -> str:
        return f"{self.agents} sessions " + ("at once" if self.unit == "sessions" else "that arrive per second")


class _Document(msgspec.Struct, frozen=True):
    scenario: str
    title: str
    seed: int
    kinds: list[_Kind]


def chapter(raw: dict[str, Any], figures: Figures, where: str) -> list[Html]:
    """The elements of the chapter.

    Raises:
        InputError: the document is not what it says.
    """
    document = read_as(raw, _Document, where)
    body = [element("h2", f"Capacity: {document.scenario}"), element("p", document.title)]
    for kind in document.kinds:
        body += _kind(kind, figures)
    return body


def _kind(kind: _Kind, figures: Figures) -> Iterator[Html]:
    yield element("h3", f"How many {kind.things}")
    facts = [kind.budget.words, f"at least {kind.replicas} runs of each number", f"{kind.duration_s:,.0f} s each"]
    facts += [f"the first {kind.warm_up_s:,.0f} s do not count"]
    if kind.beside:
        others = ", ".join(f"{count:,} {name}" for name, count in kind.beside.items())
        facts.append(f"beside {others} sessions ({kind.others})")
    yield element("div", *(element("span", fact) for fact in facts), class_="facts")
    yield from verdicts(kind.findings)
    caption = (
        f"Share of turns in time over the load, with the interval of {100 * kind.confidence:g} %. "
        "Dashed: what the budget asks for. none ?: chance may have it."
    )
    yield figures.add(_curves(kind), caption)
    yield _table(kind)
    yield element("p", f"{kind.budget.name}: {kind.budget.source}", class_="soft")


def _curves(kind: _Kind) -> Figure:
    traces = []
    for number, lane in enumerate(kind.lanes):
        name, colour = plain_text(lane.lane), lane_colour(number)
        x = [trial.load for trial in lane.trials]
        up = [None if t.high is None else 100 * (t.high - t.attainment) for t in lane.trials]
        down = [None if t.low is None else 100 * (t.attainment - t.low) for t in lane.trials]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": name,
                "x": x,
                "y": [round(100 * trial.attainment, 4) for trial in lane.trials],
                "error_y": {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "thickness": 1},
                "line": {"color": colour, "width": 2},
                "hovertemplate": f"{name}, %{{x:,}}: %{{y:.1f}} %<extra></extra>",
            }
        )
    target = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": kind.budget.percentile}
    target |= {"y1": kind.budget.percentile, "line": {"width": 1, "dash": "dash", "color": "#c0392b"}}
    layout = {
        "xaxis": {"title": {"text": plain_text(kind.things)}, "type": "log"},
        "yaxis": {"title": {"text": "turns in time, %"}, "range": _range(kind)},
        "shapes": [target],
    }
    return {"data": traces, "layout": layout, "height": 360}


def _range(kind: _Kind) -> list[float]:
    least = min(trial.attainment if trial.low is None else trial.low for lane in kind.lanes for trial in lane.trials)
    return [max(0.0, min(100 * least, kind.budget.percentile) - 4), 101]


def _carried(kind: _Kind, lane: _Lane) -> str:
    """What a pipeline carries; `none ?`: chance may have it."""
    if lane.missed_at is None:
        return f"more than {lane.capacity:,g}"
    high = lane.trials[0].high
    is_sure = high is not None and high < kind.budget.percentile / 100
    return f"{lane.capacity:,g}" if lane.capacity else "none" if is_sure else "none ?"


def _table(kind: _Kind) -> Html:
    rows = []
    for lane in kind.lanes:
        at = next((trial for trial in lane.trials if trial.load == lane.capacity), lane.trials[0])
        rows.append(
            [
                lane.lane,
                _carried(kind, lane),
                f"{lane.surely_kept:,g}" if lane.surely_kept else NONE,
                NONE if lane.surely_missed is None else f"{lane.surely_missed:,g}",
                share_words(at.attainment, kind.budget.percentile / 100),
                time_words(at.p95_ms),
                f"{at.in_time_per_s:.2f}",
                f"{lane.fullest.part}: {100 * lane.fullest.share:.0f} %",
                f"{lane.runs:,}",
            ]
        )
    heads = ("pipeline", "capacity", "surely kept", "surely missed", "in time", "p95", "in time/s", "used most", "runs")
    return table(heads, rows, numbers=(1, 2, 3, 4, 5, 6, 8))
