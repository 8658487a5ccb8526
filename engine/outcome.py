"""What a run comes to in numbers that add up: outcomes of several runs of one point merge exactly.

`metrics` explains a run (stages, blame, duels); an outcome only counts, so that a run of a million turns is counted in
a fraction of the time that it takes to simulate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .budgets import Budget
from .core.results import Results
from .histogram import Histogram
from .latency.pipelines import BuiltPipeline
from .metrics import QUANTILES, quantiles_ps
from .turns import Turns, TurnState

__all__ = ["BudgetCount", "LaneOutcome", "Outcome", "PoolUse", "lane_outcome", "merged"]

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
PS_PER_S = 10**12


@dataclass(frozen=True, slots=True)
class BudgetCount:
    """Turns that met a budget and turns that missed it; which are which says `metrics.BudgetOutcome`."""

    budget: Budget
    met: int
    missed: int

    @property
    def attainment(self) -> float | None:
        """Share of turns that met the budget; None if there is no turn."""
        total = self.met + self.missed
        return self.met / total if total else None

    @property
    def is_kept(self) -> bool:
        """Whether there are turns, and as many met it as its percentile asks for."""
        share = self.attainment
        return share is not None and 100 * share >= self.budget.percentile


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Turns of one agent kind on one lane, in one run or in several.

    Attributes:
        answered, failed, cancelled, unfinished: turns by how they ended.
        met_all: answered turns that met every budget of their kind.
        latency_ps: exact quantiles by name of a single run; of merged runs upper ends of the histogram's buckets.
        mean_ps: mean latency of the answered turns.
        histogram: latencies of the answered turns.
        prompt_tokens, hit_tokens, output_tokens: of the requests of the counted turns that were sent; of the prompts,
            those found in a prefix cache.
    """

    kind: str
    answered: int
    failed: int
    cancelled: int
    unfinished: int
    met_all: int
    budgets: tuple[BudgetCount, ...]
    latency_ps: dict[str, int]
    mean_ps: float
    histogram: Histogram
    requests: int
    prompt_tokens: int
    hit_tokens: int
    output_tokens: int

    @property
    def turns(self) -> int:
        """Turns that have begun."""
        return self.answered + self.failed + self.cancelled + self.unfinished

    def budget(self, name: str) -> BudgetCount:
        """The count of a budget.

        Raises:
            KeyError: the kind has no such budget.
        """
        for count in self.budgets:
            if count.budget.name == name:
                return count
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class PoolUse:
    """How full a pool of servers was.

    Attributes:
        pool: `prefill`, `decode`, `gpu`, `fallback`.
        busy: share of the run in which its servers worked, mean over them.
        busiest: the same of the server that worked most.
        peak_kv: largest share of a server's KV memory in use by requests.
        peak_batch: largest share of its places for sequences in use; of several runs the largest of all.
        preemptions, evictions: of requests, of kept contexts.
    """

    pool: str
    servers: int
    busy: float
    busiest: float
    peak_kv: float
    peak_batch: float
    preemptions: int
    evictions: int


@dataclass(frozen=True, slots=True, eq=False)
class LaneOutcome:
    """One lane in one run, or in several.

    Attributes:
        span_ps: time in which the counted turns began, all runs together.
        groups: outcome by agent kind, in the order of the kinds.
        link_busy: share of the run in which the links carried KV at their full rate, mean over them; None: no link.
        digest: of the results; of merged runs, of their digests one after the other.
    """

    lane: str
    span_ps: int
    groups: dict[str, Outcome]
    pools: tuple[PoolUse, ...]
    link_busy: float | None
    runs: int = 1
    digest: str = ""

    def goodput_per_s(self, kind: str | None = None) -> float:
        """Turns per second that met every budget of their kind; None: of all kinds."""
        groups = self.groups.values() if kind is None else [self.groups[kind]]
        return sum(group.met_all for group in groups) * PS_PER_S / self.span_ps if self.span_ps > 0 else 0.0

    def in_time_per_s(self, kind: str, budget: str) -> float:
        """Turns of a kind per second that met one budget, whatever came of its others.

        Raises:
            KeyError: the kind has no such budget.
        """
        return self.rate_per_s(self.groups[kind].budget(budget).met)

    def rate_per_s(self, count: int) -> float:
        """A count of this outcome per second of the run."""
        return count * PS_PER_S / self.span_ps if self.span_ps > 0 else 0.0


def lane_outcome(
    name: str, pipeline: BuiltPipeline, turns: Turns, budgets: Sequence[Budget], *, digest: bool = False
) -> LaneOutcome:
    """Count a lane's run.

    Args:
        digest: whether to compute the digest, which reads every column.
    """
    counted = turns.counted
    tokens = _tokens_by_turn(turns)
    groups = {}
    for number, kind in enumerate(turns.kinds):
        pick = counted if len(turns.kinds) == 1 else counted & (turns.kind == number)
        own = [budget for budget in budgets if budget.agents == kind]
        groups[kind] = _outcome(kind, turns, own, pick, tokens)
    return LaneOutcome(
        lane=name,
        span_ps=max(0, turns.stop_ps - turns.from_ps),
        groups=groups,
        pools=tuple(_pools(pipeline, turns.results, turns.stop_ps)),
        link_busy=_link_busy(pipeline, turns.results, turns.stop_ps),
        digest=turns.results.digest() if digest else "",
    )


def _tokens_by_turn(turns: Turns) -> tuple[Int64, Int64, Int64, Int64]:
    """Requests that were sent, their prompt tokens, hits and output tokens, [num_turns] each."""
    results = turns.results
    sent = results.arrival_ps >= 0
    columns = (
        sent.astype(np.int64),
        np.where(sent, turns.workload.prompt_tokens, 0).astype(np.int64),
        results.hit_tokens.astype(np.int64),
        results.emitted_tokens.astype(np.int64),
    )
    if turns.is_single:
        return columns
    requests, prompt, hit, output = (np.add.reduceat(column, turns.first) for column in columns)
    return requests, prompt, hit, output


def _outcome(
    kind: str, turns: Turns, budgets: Sequence[Budget], pick: Bool, tokens: tuple[Int64, Int64, Int64, Int64]
) -> Outcome:
    at = np.flatnonzero(pick)
    state = turns.state[at]
    counts = np.bincount(state, minlength=len(TurnState))
    latency = turns.latency_ps[at][state == TurnState.ANSWERED]
    histogram = Histogram()
    histogram.add(latency)
    met_all = state == TurnState.ANSWERED
    kept = []
    for budget in budgets:
        met = budget.met(turns)[at]
        met_all &= met
        kept.append(BudgetCount(budget, int(np.count_nonzero(met)), _missed(turns, budget, at, state, met)))
    requests, prompt, hit, output = (int(column[at].sum()) for column in tokens)
    return Outcome(
        kind=kind,
        answered=int(counts[TurnState.ANSWERED]),
        failed=int(counts[TurnState.FAILED]),
        cancelled=int(counts[TurnState.CANCELLED]),
        unfinished=int(counts[TurnState.PENDING]),
        met_all=int(np.count_nonzero(met_all)),
        budgets=tuple(kept),
        latency_ps=quantiles_ps(latency),
        mean_ps=float(latency.mean()) if len(latency) else 0.0,
        histogram=histogram,
        requests=requests,
        prompt_tokens=prompt,
        hit_tokens=hit,
        output_tokens=output,
    )


def _missed(turns: Turns, budget: Budget, at: Int64, state: NDArray[np.int8], met: Bool) -> int:
    """Answered turns that were late, failed ones, and open ones that have waited longer than the limit."""
    missed = np.count_nonzero((state == TurnState.ANSWERED) & ~met) + np.count_nonzero(state == TurnState.FAILED)
    if budget.turn_ps is not None:
        waited = turns.stop_ps - turns.start_ps[at]
        missed += np.count_nonzero((state == TurnState.PENDING) & (waited > budget.turn_ps))
    return int(missed)


def _pools(pipeline: BuiltPipeline, results: Results, stop_ps: int) -> Iterator[PoolUse]:
    core, begin = pipeline.core, 0
    entry = "prefill" if core.decode is not None else "gpu"
    for name, pool in ((entry, core.entry), ("decode", core.decode), ("fallback", core.fallback)):
        if pool is None:
            continue
        own = results.servers[begin : begin + pool.num_servers]
        begin += pool.num_servers
        busy = [server.busy_ps / stop_ps if stop_ps > 0 else 0.0 for server in own]
        yield PoolUse(
            pool=name,
            servers=pool.num_servers,
            busy=sum(busy) / len(busy),
            busiest=max(busy),
            peak_kv=max(server.peak_used_units / server.capacity_units for server in own),
            peak_batch=max(server.peak_seqs for server in own) / pool.max_seqs,
            preemptions=sum(server.preemptions for server in own),
            evictions=sum(server.evictions for server in own),
        )


def _link_busy(pipeline: BuiltPipeline, results: Results, stop_ps: int) -> float | None:
    core = pipeline.core
    if core.decode is None or core.link is None or stop_ps <= 0:
        return None
    first = core.entry.num_servers
    own = results.servers[first : first + core.decode.num_servers]
    return sum(server.transferred_units for server in own) * core.link.unit_ps / (stop_ps * len(own))


def merged(outcomes: Sequence[LaneOutcome]) -> LaneOutcome:
    """Several runs of one lane as one: counts and histograms add up, shares are weighed by the time of the runs.

    Raises:
        ValueError: there are none, or they are of different lanes or kinds.
    """
    if not outcomes:
        raise ValueError("nothing to merge")
    first = outcomes[0]
    if len(outcomes) == 1:
        return first
    if any(o.lane != first.lane or list(o.groups) != list(first.groups) for o in outcomes):
        raise ValueError("outcomes of different lanes or agent kinds cannot be merged")
    groups = {kind: _merged_group([o.groups[kind] for o in outcomes]) for kind in first.groups}
    links = [o.link_busy for o in outcomes if o.link_busy is not None]
    return LaneOutcome(
        lane=first.lane,
        span_ps=sum(o.span_ps for o in outcomes),
        groups=groups,
        pools=tuple(_merged_pool(uses) for uses in zip(*(o.pools for o in outcomes), strict=True)),
        link_busy=math.fsum(links) / len(links) if links else None,
        runs=sum(o.runs for o in outcomes),
        digest=" ".join(o.digest for o in outcomes).strip(),
    )


def _merged_group(parts: Sequence[Outcome]) -> Outcome:
    histogram = Histogram()
    for part in parts:
        histogram.merge(part.histogram)
    answered = sum(part.answered for part in parts)
    counts = zip(*(part.budgets for part in parts), strict=True)
    return replace(
        parts[0],
        answered=answered,
        failed=sum(part.failed for part in parts),
        cancelled=sum(part.cancelled for part in parts),
        unfinished=sum(part.unfinished for part in parts),
        met_all=sum(part.met_all for part in parts),
        budgets=tuple(
            BudgetCount(same[0].budget, sum(c.met for c in same), sum(c.missed for c in same)) for same in counts
        ),
        latency_ps={name: histogram.quantile_ps(q) for name, q in QUANTILES.items()} if answered else {},
        mean_ps=math.fsum(part.mean_ps * part.answered for part in parts) / answered if answered else 0.0,
        histogram=histogram,
        requests=sum(part.requests for part in parts),
        prompt_tokens=sum(part.prompt_tokens for part in parts),
        hit_tokens=sum(part.hit_tokens for part in parts),
        output_tokens=sum(part.output_tokens for part in parts),
    )


def _merged_pool(uses: Sequence[PoolUse]) -> PoolUse:
    return replace(
        uses[0],
        busy=math.fsum(use.busy for use in uses) / len(uses),
        busiest=math.fsum(use.busiest for use in uses) / len(uses),
        peak_kv=max(use.peak_kv for use in uses),
        peak_batch=max(use.peak_batch for use in uses),
        preemptions=sum(use.preemptions for use in uses),
        evictions=sum(use.evictions for use in uses),
    )
