"""Capacity studies as a document, for files, reports and the dashboard (`docs/capacity.md`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from subsecond.engine.outcome import LaneOutcome

from .capacity import Capacity, CapacityStudy
from .capacity_words import capacity_sentence
from .choice import budget_document
from .measured import share_fields, time_fields
from .search import Trial

__all__ = ["SCHEMA", "capacity_document", "fullest"]

SCHEMA = "subsecond.capacity/1"


def fullest(outcome: LaneOutcome) -> tuple[str, float]:
    """What a run used the most of what it had, in words, and the share of it that was in use.

    Of servers and links the mean over the run, of memory the peak; of places in a batch only that they were all taken.
    """
    shares = []
    for pool in outcome.pools:
        name = "GPU" if pool.pool == "gpu" else pool.pool
        shares += [(f"{name} time", pool.busiest), (f"{name} KV", pool.peak_kv)]
        if pool.peak_batch >= 1:
            shares.append((f"{name} batch", pool.peak_batch))
    if outcome.link_busy is not None:
        shares.append(("link", outcome.link_busy))
    return max(shares, key=lambda share: share[1])


def capacity_document(studies: Sequence[CapacityStudy]) -> dict[str, Any]:
    """Studies of one scenario, one for each kind of agents, as a document."""
    scenario = studies[0].base.scenario
    return {
        "schema": SCHEMA,
        "scenario": scenario.name,
        "title": scenario.title,
        "seed": scenario.seed,
        "kinds": [_kind(study) for study in studies],
    }


def _kind(study: CapacityStudy) -> dict[str, Any]:
    question, budget, scenario = study.question, study.budget, study.base.scenario
    return {
        "agents": budget.agents,
        "unit": "arrivals_per_s" if question.by_rate else "sessions",
        "budget": budget_document(budget),
        "others": question.others,
        "beside": dict(study.beside),
        "replicas": question.replicas,
        "confidence": question.confidence,
        "precision": question.precision,
        "most": study.amount(study.most),
        "findings": [capacity_sentence(study, lane) for lane in study.lanes],
        "duration_s": scenario.duration_s,
        "warm_up_s": scenario.warm_up_s,
        "tables": scenario.tables,
        "lanes": [_lane(study, lane) for lane in study.lanes],
    }


def _lane(study: CapacityStudy, lane: Capacity) -> dict[str, Any]:
    found = lane.boundary
    part, share = fullest(lane.at_capacity)
    return {
        "lane": lane.lane,
        "capacity": study.amount(found.load),
        "missed_at": study.amount(found.missed),
        "surely_kept": study.amount(found.surely_kept),
        "surely_missed": study.amount(found.surely_missed),
        "exceptions": [study.amount(load) for load in found.exceptions],
        "fullest": {"part": part, "share": share},
        "runs": lane.runs,
        "turns": lane.turns,
        "trials": [_trial(study, lane, trial) for trial in found.trials],
    }


def _trial(study: CapacityStudy, lane: Capacity, trial: Trial) -> dict[str, Any]:
    outcome = lane.outcomes[trial.load]
    group = outcome.groups[study.budget.agents]
    return {
        "load": study.amount(trial.load),
        **share_fields(trial.attainment),
        "runs": outcome.runs,
        "turns": group.turns,
        **time_fields(group),
        "in_time_per_s": outcome.in_time_per_s(group.kind, study.budget.name),
        "pools": [
            {
                "pool": pool.pool,
                "busiest": pool.busiest,
                "peak_kv": pool.peak_kv,
                "peak_batch": pool.peak_batch,
                "evictions": pool.evictions,
                "preemptions": pool.preemptions,
            }
            for pool in outcome.pools
        ],
        "link_busy": outcome.link_busy,
    }
