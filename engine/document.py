"""A run as a JSON document; `docs/run-json.md` describes it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .core.config import Status
from .findings import findings_of
from .metrics import QUANTILES, BudgetOutcome, Group, PairedTurns
from .run import Lane, Run

__all__ = ["SCHEMA", "document_of"]

#: Name and version; the number goes up when a key changes its meaning or goes away.
SCHEMA = "subsecond.run/1"
PS_PER_MS = 10**9
PS_PER_S = 10**12


def document_of(run: Run) -> dict[str, Any]:
    """The document of a run, made of plain JSON values."""
    scenario = run.plan.scenario
    return {
        "schema": SCHEMA,
        "scenario": scenario.name,
        "seed": scenario.seed,
        "digest": run.digest,
        "sessions": run.plan.workload.num_sessions,
        "requests": run.plan.workload.num_requests,
        "agents": list(run.plan.workload.kinds),
        "duration_s": scenario.duration_s,
        "settings": scenario.tables,
        "budgets": {b.name: {"agents": b.agents, "limit": b.shown, "source": b.source} for b in run.plan.budgets},
        "pipelines": {name: _lane(lane) for name, lane in run.lanes.items()},
        "paired": {" vs ".join(paired.names): _paired(paired) for paired in run.paired},
        "findings": findings_of(run),
    }


def _lane(lane: Lane) -> dict[str, Any]:
    results = lane.results
    counts = np.bincount(results.status, minlength=len(Status))
    return {
        **_group(lane.whole),
        "by_agents": {kind: _group(group) for kind, group in lane.groups.items() if kind != "all"},
        "label": lane.pipeline.label,
        "model": lane.pipeline.model,
        "digest": results.digest(),
        "end_s": lane.turns.stop_ps / PS_PER_S,
        "requests": {status.name.lower(): int(counts[status]) for status in Status},
        "prompt_tokens": int(lane.turns.workload.prompt_tokens[results.finish_ps >= 0].sum(dtype=np.int64)),
        "hit_tokens": int(results.hit_tokens[results.finish_ps >= 0].sum(dtype=np.int64)),
        "output_tokens": int(results.emitted_tokens.sum(dtype=np.int64)),
        "servers": [
            {
                "name": server.name,
                "busy_s": server.busy_ps / PS_PER_S,
                "iterations": server.iterations,
                "mean_batch": server.sequence_steps / server.iterations if server.iterations else 0.0,
                "peak_batch": server.peak_seqs,
                "peak_kv_share": server.peak_used_units / server.capacity_units,
                "preemptions": server.preemptions,
                "evictions": server.evictions,
            }
            for server in results.servers
        ],
        "parameters": {
            key: {
                "value": value.number if value.number is not None else value.text,
                "unit": value.unit,
                "provenance": value.provenance,
                "source": value.source,
            }
            for key, value in lane.pipeline.parameters.items()
        },
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "turns": group.turns,
        "answered": group.answered,
        "failed": group.failed,
        "cancelled": group.cancelled,
        "unfinished": group.unfinished,
        "latency_ms": _milliseconds(group.latency_ps),
        "ttft_ms": _milliseconds(group.ttft_ps),
        "tpot_ms": _milliseconds(group.tpot_ps),
        "stages_ms": {
            stage: {"mean": mean / PS_PER_MS, "p95": p95 / PS_PER_MS} for stage, (mean, p95) in group.stages_ps.items()
        },
        "budgets": {outcome.budget.name: _outcome(outcome) for outcome in group.budgets},
        "goodput_per_s": group.goodput_per_s,
        "latency_histogram_ms": [[upper / PS_PER_MS, count] for upper, count in group.histogram.filled()],
    }


def _milliseconds(quantiles: dict[str, int]) -> dict[str, float | None]:
    return {name: quantiles[name] / PS_PER_MS if name in quantiles else None for name in QUANTILES}


def _outcome(outcome: BudgetOutcome) -> dict[str, Any]:
    return {
        "met": outcome.met,
        "missed": outcome.missed,
        "attainment": outcome.attainment,
        "percentile": outcome.budget.percentile,
        "kept": outcome.is_kept,
        "median_excess_ms": None if outcome.excess_ps is None else outcome.excess_ps / PS_PER_MS,
        "blame": outcome.blame,
    }


def _paired(paired: PairedTurns) -> dict[str, Any]:
    first, second = paired.names
    return {
        kind: {
            "wins": {first: duel.wins[0], second: duel.wins[1]},
            "ties": duel.ties,
            "median_latency_ratio": duel.ratio,
        }
        for kind, duel in paired.kinds.items()
    }
