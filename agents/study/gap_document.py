"""Gap studies as a document, for files, reports and the dashboard (`docs/gap.md`)."""

from __future__ import annotations

from typing import Any

from subsecond.engine.budgets import Budget

from .choice import budget_document
from .gap import GapStudy, LaneGap, Variant
from .gap_words import gap_sentences, is_same
from .measured import PS_PER_MS, share_fields, time_fields

__all__ = ["SCHEMA", "gap_document"]

SCHEMA = "subsecond.gap/1"


def gap_document(study: GapStudy) -> dict[str, Any]:
    """The study as a document."""
    scenario, budget = study.base.scenario, study.budget
    return {
        "schema": SCHEMA,
        "scenario": scenario.name,
        "title": scenario.title,
        "seed": scenario.seed,
        "agents": budget.agents,
        "budget": budget_document(budget),
        "replicas": study.question.replicas,
        "confidence": study.question.confidence,
        "runs": study.runs,
        "tables": scenario.tables,
        "lanes": [_lane(study, lane) for lane in study.lanes],
    }


def _lane(study: GapStudy, lane: LaneGap) -> dict[str, Any]:
    budget = study.budget

    def made(variant: Variant | None) -> dict[str, Any] | None:
        return None if variant is None else _variant(variant, lane.plain, budget)

    return {
        "lane": lane.lane,
        "pipeline": lane.base_name,
        "plain": made(lane.plain),
        "singles": [made(variant) for variant in lane.singles],
        "combined": [made(variant) for variant in lane.combined],
        "software": made(lane.software),
        "everything": made(lane.everything),
        "is_kept": lane.plain.is_kept,
        "answer": made(lane.answer),
        "best": made(lane.best),
        "findings": list(gap_sentences(study, lane)),
        "needs": [
            {"stage": need.stage, "share": need.share, "mean_ms": need.mean_ps / PS_PER_MS} for need in lane.needs
        ],
    }


def _variant(variant: Variant, plain: Variant, budget: Budget) -> dict[str, Any]:
    changes = [
        {
            "name": change.name,
            "effort": change.effort,
            "role": change.role,
            "settings": change.settings,
            "times": change.times,
            "facts_times": change.facts_times,
            "stands_for": change.stands_for,
            "source": change.source,
            "provenance": change.provenance,
        }
        for change in variant.changes
    ]
    if variant.share is None or variant.outcome is None:
        return {"name": variant.name, "changes": changes, "problem": variant.problem}
    group = variant.outcome.groups[budget.agents]
    assert plain.share is not None  # a pipeline that cannot be built as it is ends the study
    return {
        "name": variant.name,
        "changes": changes,
        **share_fields(variant.share),
        "effect": variant.share.value - plain.share.value,
        "effect_low": variant.effect.low if variant.effect is not None else None,
        "effect_high": variant.effect.high if variant.effect is not None else None,
        "is_clear": variant.is_clear,
        "is_kept": variant.is_kept,
        "is_same": is_same(variant, plain),
        **time_fields(group),
        "in_time_per_s": variant.outcome.in_time_per_s(budget.agents, budget.name),
        "turns": group.turns,
    }
