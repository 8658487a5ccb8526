"""A sweep as `subsecond sweep --json` wrote it."""

from __future__ import annotations

from subsecond.engine.errors import InputError
from subsecond.engine.outcome import PoolUse
from subsecond.engine.sweep.document import BudgetDoc, GroupDoc, LaneDoc, PointDoc, PoolDoc, document_from

from .documents import decoded
from .sweep_points import BudgetSeen, GroupSeen, LaneSeen, SweepPoint, SweepSeen

__all__ = ["sweep_of"]


def sweep_of(content: bytes, where: str) -> SweepSeen:
    """What the document says.

    Raises:
        InputError: it is no document of a sweep.
    """
    found = document_from(decoded(content, dict[str, object], where), where)
    numbers = [point.point for point in found.points]
    if len(set(numbers)) < len(numbers):
        raise InputError(where, "points", "the same point twice", "each point once")
    failures: dict[int, list[tuple[int, str]]] = {}
    for failure in found.failed:
        failures.setdefault(failure.point, []).append((failure.seed, failure.error))
    points = tuple(_point(point, found.budgets, tuple(failures.get(point.point, ()))) for point in found.points)
    return SweepSeen(
        name=found.name,
        title=found.title,
        base=found.scenario,
        scenario=found.settings,
        fixed=found.fixed,
        axes=tuple(found.axes),
        seeds=tuple(found.seeds),
        num_points=max(len(points), found.runs.all // max(1, len(found.seeds))),
        num_runs=found.runs.all,
        done_runs=found.runs.finished,
        points=points,
    )


def _point(point: PointDoc, limits: dict[str, BudgetDoc], failures: tuple[tuple[int, str], ...]) -> SweepPoint:
    lanes = {name: _lane(lane, limits) for name, lane in point.pipelines.items()}
    runs = max((lane.runs for lane in lanes.values()), default=0) + point.failed_runs
    return SweepPoint(point.point, point.settings, lanes, runs, failures)


def _lane(lane: LaneDoc, limits: dict[str, BudgetDoc]) -> LaneSeen:
    return LaneSeen(
        runs=lane.runs,
        span_s=lane.span_s,
        link_busy=lane.link_busy,
        pools=tuple(_pool(name, pool) for name, pool in lane.pools.items()),
        groups={kind: _group(group, limits) for kind, group in lane.by_agents.items()},
    )


def _pool(name: str, pool: PoolDoc) -> PoolUse:
    return PoolUse(
        pool=name,
        servers=pool.servers,
        busy=pool.busy,
        busiest=pool.busiest,
        peak_kv=pool.peak_kv_share,
        peak_batch=pool.peak_batch_share,
        preemptions=pool.preemptions,
        evictions=pool.evictions,
    )


def _group(group: GroupDoc, limits: dict[str, BudgetDoc]) -> GroupSeen:
    return GroupSeen(
        turns=group.turns,
        answered=group.answered,
        failed=group.failed,
        cancelled=group.cancelled,
        unfinished=group.unfinished,
        times_ms={**group.latency_ms, "mean": group.mean_ms},
        goodput_per_s=group.goodput_per_s,
        requests=group.requests,
        prompt_tokens=group.prompt_tokens,
        hit_tokens=group.hit_tokens,
        output_tokens=group.output_tokens,
        budgets={
            name: BudgetSeen(
                met=own.met,
                missed=own.missed,
                percentile=limits[name].percentile,
                share=own.attainment,
                is_kept=own.kept,
                by_replica=tuple(own.attainment_by_replica),
                turn_ms=limits[name].turn_ms,
                shown=limits[name].limit,
            )
            for name, own in group.budgets.items()
        },
    )
