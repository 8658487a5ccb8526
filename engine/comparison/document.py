"""Comparisons as a JSON document; `docs/compare.md` describes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from subsecond.engine.budgets import Budget

from .bootstrap import Estimate
from .compare import Comparison, KindComparison
from .measures import Measures
from .words import sides_named, verdict

__all__ = ["SCHEMA", "document_of"]

#: Name and version; the number goes up when a key changes its meaning or goes away.
SCHEMA = "subsecond.compare/1"
PS_PER_MS = 10**9


def document_of(comparisons: Sequence[Comparison], main: dict[str, Budget]) -> dict[str, Any]:
    """The document of comparisons, made of plain JSON values.

    Args:
        main: by agent kind the budget that its verdict is about.
    """
    budgets = {budget.name: budget for comparison in comparisons for budget in comparison.budgets}
    return {
        "schema": SCHEMA,
        "budgets": {b.name: {"agents": b.agents, "limit": b.shown, "source": b.source} for b in budgets.values()},
        "comparisons": [_comparison(comparison, main) for comparison in comparisons],
    }


def _comparison(comparison: Comparison, main: dict[str, Budget]) -> dict[str, Any]:
    names = sides_named(comparison.first, comparison.second)
    return {
        "first": {"recording": comparison.first[0], "lane": comparison.first[1]},
        "second": {"recording": comparison.second[0], "lane": comparison.second[1]},
        "by_agents": {
            found.kind: {"verdict": verdict(found, names, main.get(found.kind)), **_kind(found)}
            for found in comparison.kinds
        },
    }


def _kind(found: KindComparison) -> dict[str, Any]:
    paired = found.paired
    return {
        "sessions": found.sessions,
        "first": _measures(found.first),
        "second": _measures(found.second),
        "difference": {
            "latency_ms": {name: _estimate(value, PS_PER_MS) for name, value in found.latency_ps.items()},
            "mean_ms": None if found.mean_ps is None else _estimate(found.mean_ps, PS_PER_MS),
            "attainment": {name: _estimate(value, 1) for name, value in found.attainment.items()},
            "stages_ms": _ms(found.stages_ps),
            "tail_stages_ms": _ms(found.tail_stages_ps),
        },
        "paired": None
        if paired is None
        else {
            "turns": paired.turns,
            "sooner": list(paired.sooner),
            "median_difference_ms": paired.difference_ps / PS_PER_MS,
        },
    }


def _measures(found: Measures) -> dict[str, Any]:
    return {
        "turns": found.turns,
        "answered": found.answered,
        "failed": found.failed,
        "cancelled": found.cancelled,
        "unfinished": found.open,
        "latency_ms": _ms(found.latency_ps),
        "mean_ms": found.mean_ps / PS_PER_MS if found.answered else None,
        "stages_ms": _ms(found.stages_ps),
        "tail_stages_ms": _ms(found.tail_stages_ps),
        "attainment": {name: found.attainment(name) for name in found.kept},
        "goodput_per_s": found.goodput_per_s,
    }


def _estimate(found: Estimate, unit: float) -> dict[str, float | None]:
    ends = [None if end is None else end / unit for end in (found.low, found.high)]
    return {"value": found.value / unit, "low": ends[0], "high": ends[1]}


def _ms(times: dict[str, int] | dict[str, float]) -> dict[str, float]:
    return {name: value / PS_PER_MS for name, value in times.items()}
