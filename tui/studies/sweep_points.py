"""The points of a sweep, small: what tables and pictures show of each, without its histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from subsecond.engine.metrics import QUANTILES
from subsecond.engine.outcome import LaneOutcome, Outcome, PoolUse
from subsecond.engine.sweep.manifest import Axis, Value
from subsecond.engine.sweep.reader import PointResult

__all__ = ["BudgetSeen", "GroupSeen", "LaneSeen", "SweepPoint", "SweepSeen", "point_of"]

PS_PER_MS, PS_PER_S = 10**9, 10**12


@dataclass(frozen=True, slots=True)
class BudgetSeen:
    """A budget at a point.

    Attributes:
        share: of turns that met it; None: there are none.
        by_replica: the same of each run.
        turn_ms: its limit of a whole turn; None: it limits something else, too, or it is not known.
    """

    met: int
    missed: int
    percentile: float
    share: float | None
    is_kept: bool
    by_replica: tuple[float | None, ...] = ()
    turn_ms: float | None = None
    shown: str = ""


@dataclass(frozen=True, slots=True)
class GroupSeen:
    """Turns of an agent kind at a point, replicas together; times in ms by name: p50, p90, p95, p99, mean."""

    turns: int
    answered: int
    failed: int
    cancelled: int
    unfinished: int
    times_ms: Mapping[str, float | None]
    goodput_per_s: float
    requests: int
    prompt_tokens: int
    hit_tokens: int
    output_tokens: int
    budgets: Mapping[str, BudgetSeen]


@dataclass(frozen=True, slots=True)
class LaneSeen:
    """A pipeline at a point."""

    runs: int
    span_s: float
    link_busy: float | None
    pools: tuple[PoolUse, ...]
    groups: Mapping[str, GroupSeen]


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """A point: what it sets, what came of it, and what failed, as seed and reason."""

    number: int
    settings: Mapping[str, Value]
    lanes: Mapping[str, LaneSeen]
    runs: int
    failures: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SweepSeen:
    """A sweep as far as it is known.

    Attributes:
        scenario: its tables, with what the sweep sets at every point; `fixed` is what its file sets.
        seeds: of the replicas of a point; empty: not known.
        problem: what could not be read.
        is_reading: whether there is more to read already.
    """

    name: str
    title: str
    base: str
    scenario: Mapping[str, object]
    fixed: Mapping[str, Value]
    axes: tuple[Axis, ...]
    seeds: tuple[int, ...]
    num_points: int
    num_runs: int
    done_runs: int
    points: tuple[SweepPoint, ...]
    problem: str = ""
    is_reading: bool = False
    lanes: tuple[str, ...] = field(init=False)
    kinds: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        lanes = dict.fromkeys(name for point in self.points for name in point.lanes)
        kinds = dict.fromkeys(kind for point in self.points for lane in point.lanes.values() for kind in lane.groups)
        object.__setattr__(self, "lanes", tuple(lanes))
        object.__setattr__(self, "kinds", tuple(kinds))

    @property
    def num_failed(self) -> int:
        """Runs that failed."""
        return sum(len(point.failures) for point in self.points)


def point_of(result: PointResult, runs: int) -> SweepPoint:
    """What is shown of a point's results; `runs` of it are finished."""
    replicas = result.replicas
    return SweepPoint(
        number=result.point,
        settings=result.settings,
        lanes={
            name: _lane(lane, [lanes[name] for lanes in replicas if name in lanes])
            for name, lane in result.lanes.items()
        },
        runs=runs,
        failures=tuple((failure.seed, failure.error) for failure in result.failures),
    )


def _lane(lane: LaneOutcome, each: Sequence[LaneOutcome]) -> LaneSeen:
    return LaneSeen(
        runs=lane.runs,
        span_s=lane.span_ps / PS_PER_S,
        link_busy=lane.link_busy,
        pools=lane.pools,
        groups={
            kind: _group(lane, group, [own.groups[kind] for own in each if kind in own.groups])
            for kind, group in lane.groups.items()
        },
    )


def _group(lane: LaneOutcome, group: Outcome, replicas: list[Outcome]) -> GroupSeen:
    times = {name: _ms(group.latency_ps.get(name)) for name in QUANTILES}
    return GroupSeen(
        turns=group.turns,
        answered=group.answered,
        failed=group.failed,
        cancelled=group.cancelled,
        unfinished=group.unfinished,
        times_ms={**times, "mean": group.mean_ps / PS_PER_MS if group.answered else None},
        goodput_per_s=lane.goodput_per_s(group.kind),
        requests=group.requests,
        prompt_tokens=group.prompt_tokens,
        hit_tokens=group.hit_tokens,
        output_tokens=group.output_tokens,
        budgets={
            count.budget.name: BudgetSeen(
                met=count.met,
                missed=count.missed,
                percentile=count.budget.percentile,
                share=count.attainment,
                is_kept=count.is_kept,
                by_replica=tuple(own.budget(count.budget.name).attainment for own in replicas),
                turn_ms=_ms(count.budget.turn_ps),
                shown=count.budget.shown,
            )
            for count in group.budgets
        },
    )


def _ms(ps: int | None) -> float | None:
    return None if ps is None else ps / PS_PER_MS
