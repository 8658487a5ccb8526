"""The chapter of a map: who keeps a budget over contexts and sessions, and by how much the pipelines differ."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from subsecond.engine.errors import InputError
from subsecond.engine.shares import share_words

from .markup import Html, element
from .shell import Figures
from .study_parts import BudgetDoc, Figure, Share, plain_text, read_as, time_words, verdicts
from .tables import table

__all__ = ["chapter"]

#: Who keeps the budget: place on the scale of colours, and letters that tell without it.
_WHO = {"neither": (0, "--"), "first": (1, "A"), "second": (2, "B"), "both": (3, "AB")}
_COLOURS = ("#d7dade", "#8fd1c8", "#f0b98a", "#b9c6ef")


class _Side(msgspec.Struct, frozen=True):
    attainment: Share
    p95_ms: float | None


class _Cell(msgspec.Struct, frozen=True):
    who: str
    is_sure: bool
    p95_ratio: float | None
    lanes: tuple[_Side, _Side]


class _Document(msgspec.Struct, frozen=True):
    scenario: str
    title: str
    seed: int
    agents: str
    budget: BudgetDoc
    runs: int
    lanes: tuple[str, str]
    contexts: list[float]
    mean_prompt_tokens: list[float]
    sessions: list[int]
    cells: list[list[_Cell]]
    findings: list[str]


def chapter(raw: dict[str, Any], figures: Figures, where: str) -> list[Html]:
    """The elements of the chapter.

    Raises:
        InputError: the document is not what it says.
    """
    document = read_as(raw, _Document, where)
    _check(document, where)
    first, second = document.lanes
    facts = [document.budget.words, f"{document.runs:,} runs", f"seed {document.seed}"]
    caption = (
        f"A: {first} alone keeps {document.budget.name}, B: {second} alone, AB: both, --: neither; ?: chance may have "
        f"it. The number is p95 of {second} over that of {first}."
    )
    return [
        element("h2", f"Where the answer flips: {document.scenario}"),
        element("p", document.title),
        element("div", *(element("span", fact) for fact in facts), class_="facts"),
        *verdicts(document.findings),
        figures.add(_heat_map(document), caption),
        element("details", element("summary", "Every cell"), _table(document)),
        element("p", f"{document.budget.name}: {document.budget.source}", class_="soft"),
    ]


def _check(document: _Document, where: str) -> None:
    width, height = len(document.sessions), len(document.mean_prompt_tokens)
    if len(document.cells) != height or any(len(row) != width for row in document.cells):
        raise InputError(where, "cells", len(document.cells), f"{height} rows of {width} cells")
    for row in document.cells:
        for cell in row:
            if cell.who not in _WHO:
                raise InputError(where, "cells", cell.who, "one of " + ", ".join(_WHO))


def _heat_map(document: _Document) -> Figure:
    rows = [f"{tokens:,.0f} tokens" for tokens in document.mean_prompt_tokens]
    steps = [(step, colour) for place, colour in enumerate(_COLOURS) for step in (place / 4, (place + 1) / 4)]
    trace = {
        "type": "heatmap",
        "x": [f"{sessions:,}" for sessions in document.sessions],
        "y": rows,
        "z": [[_WHO[cell.who][0] for cell in row] for row in document.cells],
        "zmin": -0.5,
        "zmax": 3.5,
        "colorscale": [[step, colour] for step, colour in steps],
        "showscale": False,
        "xgap": 2,
        "ygap": 2,
        "text": [[_words(cell) for cell in row] for row in document.cells],
        "texttemplate": "%{text}",
        "textfont": {"color": "#1b1f24"},
        "customdata": [[_hover(document, cell) for cell in row] for row in document.cells],
        "hovertemplate": "%{y}, %{x} sessions: %{customdata}<extra></extra>",
    }
    layout = {
        "xaxis": {"title": {"text": plain_text(f"{document.agents} sessions at once")}, "type": "category"},
        "yaxis": {"title": {"text": "mean prompt"}, "type": "category", "automargin": True},
    }
    return {"data": [trace], "layout": layout, "height": 150 + 44 * len(rows)}


def _words(cell: _Cell) -> str:
    ratio = "" if cell.p95_ratio is None or not math.isfinite(cell.p95_ratio) else f" {cell.p95_ratio:.1f}x"
    return f"{_WHO[cell.who][1]}{'' if cell.is_sure else '?'}{ratio}"


def _hover(document: _Document, cell: _Cell) -> str:
    sides, asked = zip(document.lanes, cell.lanes, strict=True), document.budget.percentile / 100
    return plain_text(
        "; ".join(
            f"{name} {share_words(side.attainment, asked)}, p95 {time_words(side.p95_ms)}" for name, side in sides
        )
    )


def _table(document: _Document) -> Html:
    rows, asked = [], document.budget.percentile / 100
    for tokens, row in zip(document.mean_prompt_tokens, document.cells, strict=True):
        for sessions, cell in zip(document.sessions, row, strict=True):
            sides = [(share_words(side.attainment, asked), time_words(side.p95_ms)) for side in cell.lanes]
            rows.append([f"{tokens:,.0f}", f"{sessions:,}", _words(cell), *sides[0], *sides[1]])
    first, second = document.lanes
    heads = ("mean prompt", "sessions", "kept by", f"{first} in time", "p95", f"{second} in time", "p95")
    return table(heads, rows, numbers=(0, 1, 3, 4, 5, 6))
