"""A study of drills as a JSON document; `docs/drills.md` describes it."""

from __future__ import annotations

from typing import Any

from subsecond.engine.budgets import Budget

from .course import Fate
from .impact import Impact
from .outcome import DrillOutcome, KindOutcome, LaneOutcome
from .study import DrillStudy
from .windows import FOREVER, Recovery, Strip
from .work import Rework

__all__ = ["SCHEMA", "document_of"]

#: Name and version; the number goes up when a key changes its meaning or goes away.
SCHEMA = "subsecond.drill/1"
PS_PER_S, PS_PER_MS = 10**12, 10**9


def document_of(study: DrillStudy) -> dict[str, Any]:
    """The document, made of plain JSON values. Pairs are [without the fault, with it]; counts are of all runs."""
    return {
        "schema": SCHEMA,
        "scenario": study.scenario,
        "settings": list(study.settings),
        "constant_load": study.is_steady,
        "remarks": list(study.remarks),
        "drills": [_drill(outcome) for outcome in study.outcomes],
        "policies": [
            {
                "policy": found.policy,
                "left_out": found.left_out,
                "drills": [_drill(outcome) for outcome in found.outcomes],
            }
            for found in study.policies
        ],
    }


def _drill(outcome: DrillOutcome) -> dict[str, Any]:
    drill = outcome.drill
    return {
        "name": drill.name,
        "title": drill.title,
        "look_at": drill.look,
        "durations": drill.source,
        "seeds": list(outcome.seeds),
        "begin_s": outcome.begin_s,
        "counts_from_s": outcome.from_s,
        "stops_s": outcome.stop_s,
        "pipelines": {lane.lane: _lane(lane) for lane in outcome.lanes},
    }


def _lane(lane: LaneOutcome) -> dict[str, Any]:
    return {
        "model": lane.pipeline.model,
        "reason": lane.strike.reason,
        "faults": [
            {
                "kind": spell.name,
                "target": spell.part,
                "value": spell.shown,
                "begin_s": spell.begin_ps / PS_PER_S,
                "end_s": None if spell.end_ps is None else spell.end_ps / PS_PER_S,
            }
            for spell in lane.strike.spells
        ],
        "work": None if lane.rework is None else _work(lane.rework),
        "by_agents": {kind: _kind(found) for kind, found in lane.kinds.items()},
    }


def _work(work: Rework) -> dict[str, Any]:
    return {
        "computed_again_tokens": work.again,
        "cold_cache_tokens": work.cold,
        "repeated_tokens": work.repeated,
        "spared_tokens": work.spared,
        "computed_tokens": list(work.computed),
        "attempts": list(work.attempts),
        "struck_turns": list(work.struck),
        "handed_over_tokens": list(work.sent),
        "preemptions": list(work.preemptions),
        "evictions": list(work.evictions),
    }


def _kind(found: KindOutcome) -> dict[str, Any]:
    return {
        "budget": None if found.budget is None else _budget(found.budget),
        **_impact(found.impact),
        "longest_silence_ms": [value / PS_PER_MS for value in found.silence_ps],
        "recovery": _recovery(found.recovery),
        "runs": [_impact(run) for run in found.runs],
        "other_budgets": {name: _impact(other) for name, other in found.others.items()},
        "over_time": [_strip(strip) for strip in found.strips],
    }


def _budget(budget: Budget) -> dict[str, Any]:
    return {
        "name": budget.name,
        "limit": budget.shown,
        "turn_ms": None if budget.turn_ps is None else budget.turn_ps / PS_PER_MS,
        "percentile": budget.percentile,
        "source": budget.source,
    }


def _impact(impact: Impact) -> dict[str, Any]:
    names = [fate.name.lower() for fate in Fate]
    return {
        "turns": list(impact.turns),
        "met": list(impact.met),
        "missed": list(impact.missed),
        "failed": list(impact.failed),
        "attainment": list(impact.attainment),
        "lost": impact.lost,
        "broken": impact.broken,
        "broken_by_start": {
            "before": impact.broken_before,
            "during": impact.broken_during,
            "after": impact.broken_after,
        },
        "mended": impact.mended,
        "put_off": impact.put_off,
        "brought_forward": impact.brought_forward,
        "longest_turn_ms": [value / PS_PER_MS for value in impact.longest_ps],
        "longer_in_sum_ms": impact.slower_ps / PS_PER_MS,
        "fates": {
            name: dict(zip(names, map(int, row), strict=True)) for name, row in zip(names, impact.table, strict=True)
        },
    }


def _recovery(recovery: Recovery) -> dict[str, Any]:
    return {
        "p95_before_ms": _ms(recovery.before_ps),
        "worst_p95_ms": _ms(recovery.worst_ps),
        "worst_is_failure": recovery.worst_ps is not None and recovery.worst_ps >= FOREVER,
        "after_s": None if recovery.after_ps is None else recovery.after_ps / PS_PER_S,
        "window_s": recovery.width_ps / PS_PER_S,
    }


def _strip(strip: Strip) -> dict[str, Any]:
    return {
        "window_s": strip.width_ps / PS_PER_S,
        "begin_s": [begin / PS_PER_S for begin in strip.begin_ps],
        "turns": list(strip.turns),
        "p95_ms": [_ms(value) for value in strip.p95_ps],
        "failed": [value is not None and value >= FOREVER for value in strip.p95_ps],
        "met": list(strip.kept),
    }


def _ms(ps: int | None) -> float | None:
    """A time in ms; None where there is none or it never ends."""
    return None if ps is None or ps >= FOREVER else ps / PS_PER_MS
