"""What a reader of a study of drills should know besides its numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from subsecond.agents.study.drill_policies import FALLBACK_GPUS
from subsecond.agents.study.drilling import Stage
from subsecond.engine.core.config import Workload

__all__ = ["remarks"]

_CLOSED = (
    "Loops are closed: who waits asks for nothing meanwhile, so that a long outage puts turns off rather than breaking "
    "many."
)
_OPEN = (
    "Every request comes at a time of its own, whoever waits: what comes in an outage is queued when it ends, and "
    "nothing is put off."
)
_BOTH = (
    "Requests of {kinds} come at times of their own, whoever waits, so that an outage leaves a queue. The other loops "
    "are closed: who waits asks for nothing meanwhile, which puts turns off."
)


def remarks(stage: Stage, work: Workload, *, policies: bool) -> Iterator[str]:
    """The remarks.

    Args:
        work: of one of the runs.
        policies: whether the drills were held under each policy, too.
    """
    scenario = stage.base.scenario
    if stage.is_steady:
        yield (
            f"The load is constant: as many sessions as the scenario has are at work all the time, found at a random "
            f"point of their work; turns count from {scenario.warm_up_s:g} s on, when caches are warm."
        )
    else:
        yield "The load is what the scenario says, and not constant: before and after may differ by themselves."
    if scenario.faults:
        yield "The scenario's own faults strike in both runs."
    if policies:
        yield (
            f"Under fallback {FALLBACK_GPUS} H200 stand ready, where a pipeline has no fallback_gpus of its own: an "
            "assumption. A pipeline whose servers do both has nothing to fall back to."
        )
    yield f"{_loops(work)} Nobody hangs up or times out."


def _loops(work: Workload) -> str:
    """Who asks on while others wait: kinds whose every session is a single request that no other brings about."""
    single = (np.diff(work.session_first_request) == 1) & (work.session_parent_request < 0)
    present = np.unique(work.session_kind)
    is_open = {work.kinds[kind]: bool(single[work.session_kind == kind].all()) for kind in present}
    if all(is_open.values()):
        return _OPEN
    kinds = [kind for kind, found in is_open.items() if found]
    return _BOTH.format(kinds=", ".join(kinds)) if kinds else _CLOSED
