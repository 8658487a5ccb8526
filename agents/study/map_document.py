"""The map of two pipelines as a document, for files, reports and the dashboard (`docs/gap.md`)."""

from __future__ import annotations

from typing import Any

from .choice import budget_document
from .map import Cell, FlipMap, Side
from .map_words import map_sentences
from .measured import share_fields, time_fields

__all__ = ["SCHEMA", "map_document"]

SCHEMA = "subsecond.map/1"


def map_document(found: FlipMap) -> dict[str, Any]:
    """The map as a document."""
    scenario, budget, question = found.base.scenario, found.budget, found.question
    return {
        "schema": SCHEMA,
        "scenario": scenario.name,
        "title": scenario.title,
        "seed": scenario.seed,
        "agents": budget.agents,
        "budget": budget_document(budget),
        "others": question.others,
        "replicas": question.replicas,
        "confidence": question.confidence,
        "duration_s": scenario.duration_s,
        "warm_up_s": scenario.warm_up_s,
        "tables": scenario.tables,
        "findings": list(map_sentences(found)),
        "runs": found.runs,
        "lanes": list(found.lanes),
        "contexts": list(question.contexts),
        "mean_prompt_tokens": list(found.mean_prompts),
        "sessions": list(question.sessions),
        "cells": [[_cell(found, cell) for cell in row] for row in found.cells],
    }


def _cell(found: FlipMap, cell: Cell) -> dict[str, Any]:
    return {
        "who": cell.who,
        "is_sure": cell.is_sure,
        "p95_ratio": cell.ratio,
        "lanes": [_side(found, side) for side in (cell.first, cell.second)],
    }


def _side(found: FlipMap, side: Side) -> dict[str, Any]:
    group = side.outcome.groups[found.budget.agents]
    return {
        **share_fields(side.share),
        "is_kept": side.is_kept,
        **time_fields(group),
        "turns": group.turns,
    }
