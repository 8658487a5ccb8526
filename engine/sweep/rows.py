"""A row of a sweep: what one run came to for one agent kind on one lane, or why it came to nothing.

Rows hold all that an outcome holds, so that outcomes made from rows of several runs merge as exactly as if the runs had
been counted together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

import msgspec
import numpy as np

from subsecond.engine.budgets import Budget
from subsecond.engine.histogram import Histogram
from subsecond.engine.metrics import QUANTILES
from subsecond.engine.outcome import BudgetCount, LaneOutcome, Outcome, PoolUse

__all__ = ["BUCKET", "COUNT", "BudgetPart", "Row", "digest_of", "failed_row", "outcomes_of", "rows_of"]

#: Numbers in the bytes of a row's histogram.
BUCKET, COUNT = np.dtype("<i4"), np.dtype("<i8")


class BudgetPart(msgspec.Struct, frozen=True):
    """A budget of the row's agent kind, with the turns that met it and those that missed it."""

    name: str
    turn_ps: int | None
    ttft_ps: int | None
    tpot_ps: int | None
    percentile: float
    source: str
    met: int
    missed: int


class Row(msgspec.Struct, frozen=True):
    """One agent kind on one lane in one run; a run that failed has one row, with its `error` and without lane and kind.

    Attributes:
        point: number of the point in the sweep's design.
        replica, seed: which of its runs, and the seed of its draws.
        span_ps: time in which the counted turns began.
        p50_ps ... p99_ps: exact quantiles of the answered turns' latency; None: no turn was answered.
        buckets, counts: those of the latency histogram that hold something (`engine.histogram`), as the bytes of
            little-endian numbers of 4 and 8 bytes: a sweep has many rows.
    """

    point: int
    replica: int
    seed: int
    error: str | None = None
    lane: str | None = None
    kind: str | None = None
    span_ps: int = 0
    answered: int = 0
    failed: int = 0
    cancelled: int = 0
    unfinished: int = 0
    met_all: int = 0
    goodput_per_s: float = 0.0
    p50_ps: int | None = None
    p90_ps: int | None = None
    p95_ps: int | None = None
    p99_ps: int | None = None
    mean_ps: float = 0.0
    requests: int = 0
    prompt_tokens: int = 0
    hit_tokens: int = 0
    output_tokens: int = 0
    link_busy: float | None = None
    budgets: list[BudgetPart] = []
    pools: list[PoolUse] = []
    buckets: bytes = b""
    counts: bytes = b""


def failed_row(point: int, replica: int, seed: int, error: str) -> Row:
    """The row of a run that failed."""
    return Row(point, replica, seed, error=error)


def rows_of(point: int, replica: int, seed: int, outcomes: Sequence[LaneOutcome]) -> list[Row]:
    """The rows of a run, by lane and agent kind in their order."""
    return [_row(point, replica, seed, lane, group) for lane in outcomes for group in lane.groups.values()]


def _row(point: int, replica: int, seed: int, lane: LaneOutcome, group: Outcome) -> Row:
    buckets, counts = group.histogram.sparse()
    return Row(
        point=point,
        replica=replica,
        seed=seed,
        lane=lane.lane,
        kind=group.kind,
        span_ps=lane.span_ps,
        answered=group.answered,
        failed=group.failed,
        cancelled=group.cancelled,
        unfinished=group.unfinished,
        met_all=group.met_all,
        goodput_per_s=lane.goodput_per_s(group.kind),
        p50_ps=group.latency_ps.get("p50"),
        p90_ps=group.latency_ps.get("p90"),
        p95_ps=group.latency_ps.get("p95"),
        p99_ps=group.latency_ps.get("p99"),
        mean_ps=group.mean_ps,
        requests=group.requests,
        prompt_tokens=group.prompt_tokens,
        hit_tokens=group.hit_tokens,
        output_tokens=group.output_tokens,
        link_busy=lane.link_busy,
        budgets=[_budget_part(count) for count in group.budgets],
        pools=list(lane.pools),
        buckets=buckets.astype(BUCKET).tobytes(),
        counts=counts.astype(COUNT).tobytes(),
    )


def _budget_part(count: BudgetCount) -> BudgetPart:
    budget = count.budget
    return BudgetPart(
        name=budget.name,
        turn_ps=budget.turn_ps,
        ttft_ps=budget.ttft_ps,
        tpot_ps=budget.tpot_ps,
        percentile=budget.percentile,
        source=budget.source,
        met=count.met,
        missed=count.missed,
    )


def outcomes_of(rows: Iterable[Row]) -> list[LaneOutcome]:
    """The outcomes that the rows of one run were made from, without digests of the results."""
    lanes: dict[str, list[Row]] = {}
    for row in rows:
        if row.lane is not None:
            lanes.setdefault(row.lane, []).append(row)
    return [_lane(name, own) for name, own in lanes.items()]


def _lane(name: str, rows: Sequence[Row]) -> LaneOutcome:
    return LaneOutcome(
        lane=name,
        span_ps=rows[0].span_ps,
        groups={row.kind: _group(row, row.kind) for row in rows if row.kind is not None},
        pools=tuple(rows[0].pools),
        link_busy=rows[0].link_busy,
    )


def _group(row: Row, kind: str) -> Outcome:
    quantiles = {name: getattr(row, f"{name}_ps") for name in QUANTILES}
    return Outcome(
        kind=kind,
        answered=row.answered,
        failed=row.failed,
        cancelled=row.cancelled,
        unfinished=row.unfinished,
        met_all=row.met_all,
        budgets=tuple(_budget_counts(row.budgets, kind)),
        latency_ps={name: value for name, value in quantiles.items() if value is not None},
        mean_ps=row.mean_ps,
        histogram=Histogram.of(np.frombuffer(row.buckets, BUCKET), np.frombuffer(row.counts, COUNT)),
        requests=row.requests,
        prompt_tokens=row.prompt_tokens,
        hit_tokens=row.hit_tokens,
        output_tokens=row.output_tokens,
    )


def _budget_counts(parts: Iterable[BudgetPart], kind: str) -> Iterator[BudgetCount]:
    for part in parts:
        limits = (part.turn_ps, part.ttft_ps, part.tpot_ps)
        yield BudgetCount(Budget(part.name, kind, *limits, part.percentile, part.source), part.met, part.missed)


def digest_of(rows: Iterable[Row]) -> str:
    """Hash over rows in the order of runs, whichever order they come in; lanes and kinds of a run stay in theirs."""
    digest = blake2b(digest_size=16)
    encoder = msgspec.msgpack.Encoder()
    for row in sorted(rows, key=lambda row: (row.point, row.replica)):
        digest.update(encoder.encode(row))
    return digest.hexdigest()
