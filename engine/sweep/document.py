"""The results of a sweep as a JSON document, and back; `docs/sweep.md` describes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec

from subsecond.engine.errors import InputError
from subsecond.engine.metrics import QUANTILES
from subsecond.engine.outcome import BudgetCount, LaneOutcome, Outcome

from .manifest import SCHEMA, Axis, Value
from .reader import PointResult, SweepResults
from .rows import outcomes_of

__all__ = ["BudgetDoc", "CountDoc", "GroupDoc", "LaneDoc", "PointDoc", "SweepDoc", "document_from", "document_of"]

#: A share of things, from 0 to 1.
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
PS_PER_MS = 10**9
PS_PER_S = 10**12
#: Points up to which the document has histograms, about 5 kB each; the tables always have them.
MOST_HISTOGRAMS = 1_000


class BudgetDoc(msgspec.Struct, frozen=True):
    """A budget: whose it is, its limit in words, the share in percent that shall keep it.

    `turn_ms` is its limit of a whole turn; None: it has none, or an older version wrote the document.
    """

    agents: str
    limit: str
    percentile: float
    source: str
    turn_ms: float | None = None


class CountDoc(msgspec.Struct, frozen=True):
    """How a budget was kept, over all replicas and by each of them."""

    met: int
    missed: int
    attainment: Share | None
    kept: bool
    attainment_by_replica: list[Share | None]


class GroupDoc(msgspec.Struct, frozen=True):
    """One agent kind on one lane at one point; see `engine.outcome.Outcome`."""

    turns: int
    answered: int
    failed: int
    cancelled: int
    unfinished: int
    latency_ms: dict[str, float | None]
    mean_ms: float | None
    goodput_per_s: float
    requests: int
    prompt_tokens: int
    hit_tokens: int
    output_tokens: int
    budgets: dict[str, CountDoc]
    latency_histogram_ms: list[tuple[float, int]]


class PoolDoc(msgspec.Struct, frozen=True):
    """How full a pool was; see `engine.outcome.PoolUse`."""

    servers: int
    busy: float
    busiest: float
    peak_kv_share: float
    peak_batch_share: float
    preemptions: int
    evictions: int


class LaneDoc(msgspec.Struct, frozen=True):
    """One lane at one point."""

    runs: int
    span_s: float
    link_busy: float | None
    pools: dict[str, PoolDoc]
    by_agents: dict[str, GroupDoc]


class PointDoc(msgspec.Struct, frozen=True):
    """One point, with what it sets."""

    point: int
    settings: dict[str, Value]
    failed_runs: int
    pipelines: dict[str, LaneDoc]


class FailureDoc(msgspec.Struct, frozen=True):
    """A run that failed, and why."""

    point: int
    replica: int
    seed: int
    error: str


class RunsDoc(msgspec.Struct, frozen=True):
    """Runs of the sweep, those that are done, and of these those that failed."""

    all: int
    finished: int
    failed: int


class SweepDoc(msgspec.Struct, frozen=True):
    """A sweep's results; points in their order, lanes and agents in those of the scenario."""

    schema: str
    name: str
    title: str
    scenario: str
    settings: dict[str, Any]
    fixed: dict[str, Value]
    axes: list[Axis]
    seeds: list[int]
    version: str
    catalog: str
    digest: str
    runs: RunsDoc
    lanes: list[str]
    agents: list[str]
    budgets: dict[str, BudgetDoc]
    points: list[PointDoc]
    failed: list[FailureDoc]

    def budgets_of(self, kind: str) -> list[str]:
        """Names of a kind's budgets; the first is what tables and figures are about."""
        return [name for name, budget in self.budgets.items() if budget.agents == kind]


def document_of(results: SweepResults) -> SweepDoc:
    """The document of results."""
    manifest = results.manifest
    return SweepDoc(
        schema=SCHEMA,
        name=manifest.name,
        title=manifest.title,
        scenario=manifest.base,
        settings=manifest.scenario,
        fixed=manifest.fixed,
        axes=manifest.axes,
        seeds=manifest.seeds,
        version=manifest.version,
        catalog=manifest.catalog,
        digest=results.digest,
        runs=RunsDoc(manifest.runs, results.runs, len(results.failures)),
        lanes=results.lanes,
        agents=results.kinds,
        budgets=dict(_budgets(results)),
        points=[_point(point, has_histograms=len(results.points) <= MOST_HISTOGRAMS) for point in results.points],
        failed=[FailureDoc(f.point, f.replica, f.seed, f.error) for f in results.failures],
    )


def _budgets(results: SweepResults) -> Iterator[tuple[str, BudgetDoc]]:
    seen: set[str] = set()
    for row in (row for point in results.points for run in point.runs for row in run):
        if all(part.name in seen for part in row.budgets):
            continue
        for lane in outcomes_of([row]):
            for own in (count.budget for group in lane.groups.values() for count in group.budgets):
                seen.add(own.name)
                turn_ms = _milliseconds(own.turn_ps)
                yield own.name, BudgetDoc(own.agents, own.shown, own.percentile, own.source, turn_ms)


def _point(point: PointResult, *, has_histograms: bool) -> PointDoc:
    replicas = point.replicas
    lanes = {
        name: _lane(lane, [own[name] for own in replicas if name in own], has_histograms)
        for name, lane in point.lanes.items()
    }
    return PointDoc(point.point, point.settings, len(point.failures), lanes)


def _lane(lane: LaneOutcome, each: Sequence[LaneOutcome], has_histograms: bool) -> LaneDoc:
    return LaneDoc(
        runs=lane.runs,
        span_s=lane.span_ps / PS_PER_S,
        link_busy=lane.link_busy,
        pools={
            use.pool: PoolDoc(
                use.servers, use.busy, use.busiest, use.peak_kv, use.peak_batch, use.preemptions, use.evictions
            )
            for use in lane.pools
        },
        by_agents={
            kind: _group(group, lane, [own.groups[kind] for own in each if kind in own.groups], has_histograms)
            for kind, group in lane.groups.items()
        },
    )


def _group(group: Outcome, lane: LaneOutcome, replicas: Sequence[Outcome], has_histograms: bool) -> GroupDoc:
    filled = group.histogram.filled() if has_histograms else []
    return GroupDoc(
        turns=group.turns,
        answered=group.answered,
        failed=group.failed,
        cancelled=group.cancelled,
        unfinished=group.unfinished,
        latency_ms={name: _milliseconds(group.latency_ps.get(name)) for name in QUANTILES},
        mean_ms=group.mean_ps / PS_PER_MS if group.answered else None,
        goodput_per_s=lane.goodput_per_s(group.kind),
        requests=group.requests,
        prompt_tokens=group.prompt_tokens,
        hit_tokens=group.hit_tokens,
        output_tokens=group.output_tokens,
        budgets={count.budget.name: _count(count, replicas) for count in group.budgets},
        latency_histogram_ms=[(upper / PS_PER_MS, count) for upper, count in filled],
    )


def _count(count: BudgetCount, replicas: Sequence[Outcome]) -> CountDoc:
    each = [own.budget(count.budget.name).attainment for own in replicas]
    return CountDoc(count.met, count.missed, count.attainment, count.is_kept, each)


def _milliseconds(ps: int | None) -> float | None:
    return None if ps is None else ps / PS_PER_MS


def document_from(raw: object, where: str) -> SweepDoc:
    """The document that plain JSON values hold.

    Raises:
        InputError: they are not what `subsecond sweep` writes.
    """
    try:
        document = msgspec.convert(raw, SweepDoc)
    except msgspec.ValidationError as error:
        raise InputError(where, "", str(error), "what `subsecond sweep --json` writes") from None
    if document.schema != SCHEMA:
        raise InputError(where, "schema", document.schema, SCHEMA)
    keys = [axis.key for axis in document.axes]
    for place, point in enumerate(document.points):
        if list(point.settings) != keys:
            raise InputError(where, f"points.{place}.settings", point.settings, f"values of {', '.join(keys)}")
        for name, lane in point.pipelines.items():
            field = f"points.{place}.pipelines.{name}"
            if name not in document.lanes:
                raise InputError(where, field, name, "one of " + ", ".join(document.lanes))
            _check_groups(document, lane, where, field)
    return document


def _check_groups(document: SweepDoc, lane: LaneDoc, where: str, field: str) -> None:
    for kind, group in lane.by_agents.items():
        if kind not in document.agents:
            raise InputError(where, f"{field}.by_agents", kind, "one of " + ", ".join(document.agents))
        if any(name not in document.budgets for name in group.budgets):
            known = ", ".join(document.budgets)
            raise InputError(where, f"{field}.by_agents.{kind}.budgets", list(group.budgets), f"some of {known}")
        if any(name not in group.latency_ms for name in QUANTILES):
            raise InputError(where, f"{field}.by_agents.{kind}.latency_ms", group.latency_ms, ", ".join(QUANTILES))
