"""The results of a sweep as a JSON document; `docs/sweep.md` describes it."""

from __future__ import annotations

from typing import Any

from subsecond.engine.metrics import QUANTILES
from subsecond.engine.outcome import BudgetCount, LaneOutcome, Outcome

from .manifest import SCHEMA
from .reader import PointResult, SweepResults

__all__ = ["document_of"]

PS_PER_MS = 10**9
PS_PER_S = 10**12


def document_of(results: SweepResults) -> dict[str, Any]:
    """The document, made of plain JSON values."""
    manifest = results.manifest
    budgets = {
        count.budget.name: {
            "agents": count.budget.agents,
            "limit": count.budget.shown,
            "percentile": count.budget.percentile,
            "source": count.budget.source,
        }
        for point in results.points
        for lane in point.lanes.values()
        for group in lane.groups.values()
        for count in group.budgets
    }
    return {
        "schema": SCHEMA,
        "name": manifest.name,
        "title": manifest.title,
        "scenario": manifest.base,
        "settings": manifest.scenario,
        "fixed": manifest.fixed,
        "axes": [{"key": axis.key, "design": axis.design, "values": axis.values} for axis in manifest.axes],
        "seeds": manifest.seeds,
        "version": manifest.version,
        "catalog": manifest.catalog,
        "digest": results.digest,
        "runs": {"all": manifest.runs, "finished": results.runs, "failed": len(results.failures)},
        "lanes": results.lanes,
        "agents": results.kinds,
        "budgets": budgets,
        "points": [_point(point) for point in results.points],
        "failed": [
            {"point": failure.point, "replica": failure.replica, "seed": failure.seed, "error": failure.error}
            for failure in results.failures
        ],
    }


def _point(point: PointResult) -> dict[str, Any]:
    return {
        "point": point.point,
        "settings": point.settings,
        "failed_runs": len(point.failures),
        "pipelines": {name: _lane(point, name, lane) for name, lane in point.lanes.items()},
    }


def _lane(point: PointResult, name: str, lane: LaneOutcome) -> dict[str, Any]:
    each = [lanes[name] for lanes in point.replicas if name in lanes]
    return {
        "runs": lane.runs,
        "span_s": lane.span_ps / PS_PER_S,
        "link_busy": lane.link_busy,
        "pools": {
            use.pool: {
                "servers": use.servers,
                "busy": use.busy,
                "busiest": use.busiest,
                "peak_kv_share": use.peak_kv,
                "peak_batch_share": use.peak_batch,
                "preemptions": use.preemptions,
                "evictions": use.evictions,
            }
            for use in lane.pools
        },
        "by_agents": {
            kind: _group(group, lane, [own.groups[kind] for own in each if kind in own.groups])
            for kind, group in lane.groups.items()
        },
    }


def _group(group: Outcome, lane: LaneOutcome, replicas: list[Outcome]) -> dict[str, Any]:
    return {
        "turns": group.turns,
        "answered": group.answered,
        "failed": group.failed,
        "cancelled": group.cancelled,
        "unfinished": group.unfinished,
        "latency_ms": {name: _milliseconds(group.latency_ps.get(name)) for name in QUANTILES},
        "mean_ms": group.mean_ps / PS_PER_MS if group.answered else None,
        "goodput_per_s": lane.goodput_per_s(group.kind),
        "requests": group.requests,
        "prompt_tokens": group.prompt_tokens,
        "hit_tokens": group.hit_tokens,
        "output_tokens": group.output_tokens,
        "budgets": {count.budget.name: _budget(count, replicas) for count in group.budgets},
        "latency_histogram_ms": [[upper / PS_PER_MS, count] for upper, count in group.histogram.filled()],
    }


def _budget(count: BudgetCount, replicas: list[Outcome]) -> dict[str, Any]:
    return {
        "met": count.met,
        "missed": count.missed,
        "attainment": count.attainment,
        "kept": count.is_kept,
        "attainment_by_replica": [own.budget(count.budget.name).attainment for own in replicas],
    }


def _milliseconds(ps: int | None) -> float | None:
    return None if ps is None else ps / PS_PER_MS
