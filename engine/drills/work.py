"""What a fault made the servers do over again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from subsecond.engine.core.config import Pipeline
from subsecond.engine.core.results import Results
from subsecond.engine.turns import Turns

__all__ = ["Rework", "all_rework", "rework_of"]


@dataclass(frozen=True, slots=True)
class Rework:
    """Work without and with a fault, over the whole run.

    Attributes:
        computed: prompt tokens that the servers computed, as they count them.
        cold: prompt tokens of the requests prefilled in both runs that were found in a cache without the fault and had
            to be computed with it, less those the other way round.
        repeated: prompt tokens computed for a request once more, since its work was lost or it was preempted: what the
            servers count beyond what each request needed, with the fault less without it. Prompts in work when a run
            stops blur it by a prompt or two; 0 if as much was lost and preempted in both runs.
        attempts: how often work or a handoff was lost, or a request refused.
        struck: turns with such an attempt.
        sent: tokens of KV that went over the links, also those that were lost on the way.
        preemptions, evictions: as the servers count them.
    """

    computed: tuple[int, int]
    cold: int
    repeated: int
    attempts: tuple[int, int]
    struck: tuple[int, int]
    sent: tuple[int, int]
    preemptions: tuple[int, int]
    evictions: tuple[int, int]

    @property
    def again(self) -> int:
        """Prompt tokens computed again because of the fault."""
        return self.cold + self.repeated


def rework_of(pipeline: Pipeline, without: Turns, with_fault: Turns) -> Rework:
    """The rework of a lane, from two runs of one workload."""
    prompt = without.workload.prompt_tokens.astype(np.int64)
    both = [turns.results for turns in (without, with_fault)]
    done = [(results.first_ps >= 0) | (results.stages["prefill"] > 0) for results in both]
    shared = done[0] & done[1]
    hits = [results.hit_tokens.astype(np.int64) for results in both]
    computed = [_sum(results, "prefill_tokens") for results in both]
    over = [total - int((prompt - hit)[ended].sum()) for total, hit, ended in zip(computed, hits, done, strict=True)]
    unit = pipeline.entry.units_per_token
    causes = [(int(results.attempts.sum()), _sum(results, "preemptions")) for results in both]
    return Rework(
        computed=(computed[0], computed[1]),
        cold=int((hits[0] - hits[1])[shared].sum()),
        repeated=over[1] - over[0] if causes[0] != causes[1] else 0,
        attempts=(causes[0][0], causes[1][0]),
        struck=(_struck(without), _struck(with_fault)),
        sent=(_sum(both[0], "transferred_units") // unit, _sum(both[1], "transferred_units") // unit),
        preemptions=(causes[0][1], causes[1][1]),
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
        attempts=pair("attempts"),
        struck=pair("struck"),
        sent=pair("sent"),
        preemptions=pair("preemptions"),
        evictions=pair("evictions"),
    )
