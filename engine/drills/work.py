"""What a fault made the servers do over again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from subsecond.engine.core.config import Pipeline, Status
from subsecond.engine.core.results import Results
from subsecond.engine.turns import Turns

__all__ = ["Rework", "all_rework", "repeated_tokens", "rework_of"]


@dataclass(frozen=True, slots=True)
class Rework:
    """Work without and with a fault, over the whole run.

    Attributes:
        computed: prompt tokens that the servers computed, as they count them.
        cold: prompt tokens of the requests prefilled in both runs that were found in a cache without the fault and had
            to be computed with it.
        repeated: tokens computed for a request once more, since its work was lost or it was preempted, beyond those
            without the fault; of a request that goes on, those of its reply so far are among them.
        spared: the other way round, tokens computed without the fault alone: found in a cache with it, or not computed
            twice with it.
        attempts: how often work or a handoff was lost, or a request refused.
        struck: turns with such an attempt.
        sent: tokens of KV that went over the links, also those that were lost on the way.
        preemptions, evictions: as the servers count them.
    """

    computed: tuple[int, int]
    cold: int
    repeated: int
    spared: int
    attempts: tuple[int, int]
    struck: tuple[int, int]
    sent: tuple[int, int]
    preemptions: tuple[int, int]
    evictions: tuple[int, int]

    @property
    def again(self) -> int:
        """Prompt tokens computed again because of the fault; what it spared is not taken off."""
        return self.cold + self.repeated


def repeated_tokens(turns: Turns, under_way: int) -> int:
    """Tokens that servers computed beyond what each request needed in the end.

    What was computed of a prompt whose user hung up meanwhile is among them. Exact, but for users that barge in while a
    reply that was lost is read again: that prompt counts as read to its end, so that the number is too low by what was
    left of it.

    Args:
        under_way: as of `Engine.computed_under_way`.
    """
    results = turns.results
    prefilled = (results.first_ps >= 0) | (results.stages["prefill"] > 0)
    ended = prefilled & (results.status != Status.UNFINISHED)
    needed = turns.workload.prompt_tokens.astype(np.int64) - results.hit_tokens
    return _sum(results, "prefill_tokens") - int(needed[ended].sum()) - under_way


def rework_of(pipeline: Pipeline, without: Turns, with_fault: Turns, under_way: tuple[int, int] = (0, 0)) -> Rework:
    """The rework of a lane, from two runs of one workload.

    Args:
        under_way: as of `Engine.computed_under_way`, of both; 0: everything has ended.
    """
    both = [turns.results for turns in (without, with_fault)]
    done = [(results.first_ps >= 0) | (results.stages["prefill"] > 0) for results in both]
    shared = done[0] & done[1]
    hits = [results.hit_tokens.astype(np.int64) for results in both]
    lost_hits = (hits[0] - hits[1])[shared]
    repeated = repeated_tokens(with_fault, under_way[1]) - repeated_tokens(without, under_way[0])
    computed = [_sum(results, "prefill_tokens") for results in both]
    unit = pipeline.entry.units_per_token
    return Rework(
        computed=(computed[0], computed[1]),
        cold=int(np.maximum(lost_hits, 0).sum()),
        repeated=max(0, repeated),
        spared=int(np.maximum(-lost_hits, 0).sum()) + max(0, -repeated),
        attempts=(int(both[0].attempts.sum()), int(both[1].attempts.sum())),
        struck=(_struck(without), _struck(with_fault)),
        sent=(_sum(both[0], "transferred_units") // unit, _sum(both[1], "transferred_units") // unit),
        preemptions=(_sum(both[0], "preemptions"), _sum(both[1], "preemptions")),
        evictions=(_sum(both[0], "evictions"), _sum(both[1], "evictions")),
    )


def _sum(results: Results, counter: str) -> int:
    return sum(int(getattr(server, counter)) for server in results.servers)


def _struck(turns: Turns) -> int:
    tried = turns.results.attempts > 0
    return len(np.unique(turns.workload.turn[tried]))


def all_rework(works: Sequence[Rework]) -> Rework:
    """The rework of several runs, added up."""

    def pair(name: str) -> tuple[int, int]:
        values = [getattr(work, name) for work in works]
        return sum(value[0] for value in values), sum(value[1] for value in values)

    return Rework(
        computed=pair("computed"),
        cold=sum(work.cold for work in works),
        repeated=sum(work.repeated for work in works),
        spared=sum(work.spared for work in works),
        attempts=pair("attempts"),
        struck=pair("struck"),
        sent=pair("sent"),
        preemptions=pair("preemptions"),
        evictions=pair("evictions"),
    )
