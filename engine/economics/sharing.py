"""Who uses how much of the machines that several kinds of agents share.

A pool's cost is shared by the time that requests of each kind are at work in it: in prefill, and in decode from
the first to the last token. Requests of one batch count alike, and what a pool idles is shared in the same proportion.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from subsecond.engine.turns import Turns

__all__ = ["PoolTimes", "pool_times", "shares_of"]

PS_PER_S = 10**12

#: Pool -> agent kind -> time at work, in s.
PoolTimes = Mapping[str, Mapping[str, float]]

#: Stages in which a request is at work in a pool; `gpu` and `fallback` do both.
_STAGES = {"prefill": ("prefill",), "decode": ("decode_first", "decode_rest")}
_BOTH = ("prefill", "decode_first", "decode_rest")


def pool_times(turns: Turns, pools: Sequence[str]) -> PoolTimes:
    """Time at work by pool and agent kind, over the requests of a run.

    A result does not say which requests fell back: the pool `fallback` is shared as all work is.
    """
    workload = turns.workload
    kind = np.repeat(workload.session_kind.astype(np.int64), np.diff(workload.session_first_request))
    times = {}
    for pool in pools:
        spent = np.zeros(len(turns.kinds))
        for stage in _STAGES.get(pool, _BOTH):
            column = turns.results.stages[stage].astype(np.float64)
            spent += np.bincount(kind, column, minlength=len(spent)) / PS_PER_S
        times[pool] = {name: float(seconds) for name, seconds in zip(turns.kinds, spent, strict=True)}
    return times


def shares_of(runs: Sequence[PoolTimes]) -> dict[str, dict[str, float]]:
    """Agent kind -> pool -> its share, of several runs together; a pool where nobody was is shared evenly."""
    kinds = list(dict.fromkeys(kind for run in runs for spent in run.values() for kind in spent))
    shares: dict[str, dict[str, float]] = {kind: {} for kind in kinds}
    for pool in dict.fromkeys(pool for run in runs for pool in run):
        spent = {kind: math.fsum(run[pool].get(kind, 0.0) for run in runs if pool in run) for kind in kinds}
        total = math.fsum(spent.values())
        for kind in kinds:
            shares[kind][pool] = spent[kind] / total if total else 1 / len(kinds)
    return shares
