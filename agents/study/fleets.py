"""How many replicas of a pipeline it takes: to keep a promise, or to be cheapest for each turn in time.

Pools are sized by their replicas alone; what a replica is (GPUs, chips, wafers) stays as the scenario has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from subsecond.agents.study.pricing import Runs
from subsecond.engine.economics.break_even import Side
from subsecond.engine.economics.priced import Basis, PricedLane, asked
from subsecond.engine.latency.pipelines import BuiltPipeline

__all__ = ["MOST_REPLICAS", "Fleet", "cheapest", "replica_keys", "smallest"]

#: Replicas of a pool that a search goes up to, unless told otherwise.
MOST_REPLICAS = 16
_KEYS = ("replicas", "prefill_replicas", "decode_replicas")
#: Gain below which more replicas are not worth having: runs differ by as much.
_LEAST_GAIN = 1e-3

Sizes = dict[str, int]


@dataclass(frozen=True, slots=True)
class Fleet:
    """A pipeline with so many replicas of each pool.

    Attributes:
        keeps: whether it keeps what was asked; if not, it has the most replicas that were tried.
    """

    sizes: Sizes
    lane: PricedLane
    keeps: bool


def replica_keys(built: BuiltPipeline) -> list[str]:
    """The parameters that say how many replicas the pools have."""
    return [key for key in _KEYS if key in built.parameters]


def smallest(bench: Runs, name: str, basis: Basis, factor: float = 1.0, most: int = MOST_REPLICAS) -> Fleet:
    """The smallest fleet that keeps every budget of a basis at its percentile.

    Where not even the most replicas keep it, none is said to. Else all pools grow together from one replica
    until it is kept, and then each shrinks as far as it still is: decode first, which is the dearer part.
    """
    keys = replica_keys(bench.pipelines[name])

    def kept(sizes: Mapping[str, int]) -> bool:
        return bench.lane(factor, name, sizes).keeps(basis)

    def kept_with(key: str, count: int) -> bool:
        return kept({**sizes, key: count})

    whole = dict.fromkeys(keys, most)
    if not kept(whole):
        return Fleet(whole, bench.lane(factor, name, whole), False)
    count = _least(most, lambda count: kept(dict.fromkeys(keys, count)))
    sizes = dict.fromkeys(keys, count)
    if len(keys) > 1:
        for key in reversed(keys):
            sizes[key] = _least(sizes[key], partial(kept_with, key))
    return Fleet(sizes, bench.lane(factor, name, sizes), True)


def _least(high: int, holds: Callable[[int], bool]) -> int:
    """The least number from 1 that it holds for, given that it holds for `high`."""
    return next((count for count in range(1, high) if holds(count)), high)


def cheapest(
    bench: Runs,
    name: str,
    basis: Basis,
    factor: float = 1.0,
    most: int = MOST_REPLICAS,
    against: PricedLane | None = None,
) -> Fleet | None:
    """The fleet with the least cost per turn in time, however many turns are late.

    Where one price is unknown it is the fleet that can bear the highest one `against` another. Searched uphill from one
    replica of each pool; None: what is cheapest hangs on several unknown prices.
    """
    keys = replica_keys(bench.pipelines[name])
    other = None if against is None else against.side(basis)

    def worth(sizes: tuple[int, ...]) -> float:
        lane = bench.lane(factor, name, dict(zip(keys, sizes, strict=True)))
        return _worth((lane if against is None else asked(lane, lane)).side(basis), other)

    best = _climb(len(keys), worth, most)
    if best is None:
        return None
    sizes = dict(zip(keys, best, strict=True))
    lane = bench.lane(factor, name, sizes)
    return Fleet(sizes, lane, lane.keeps(basis))


def _worth(side: Side, other: Side | None) -> float:
    """Turns in time for the money, or the price of a device-hour that can be borne; not a number: neither is one."""
    if side.good_per_hour <= 0:
        return -math.inf
    if side.hourly.known is not None:
        return -side.hourly.known / side.good_per_hour
    if other is None or other.hourly.known is None or len(side.hourly.hours) > 1:
        return math.nan
    if other.good_per_hour <= 0:
        return math.inf
    (hours,) = side.hourly.hours.values()
    room = other.hourly.known * side.good_per_hour / other.good_per_hour - side.hourly.usd
    return room / hours if room > 0 else room  # what is too dear already gets no better by more of what is free


def _climb(pools: int, worth: Callable[[tuple[int, ...]], float], most: int) -> tuple[int, ...] | None:
    """The sizes of most worth, one step after the other; None: worth is not a number."""
    here = (1,) * pools
    value = worth(here)
    while True:
        if math.isnan(value):
            return None
        if value == math.inf:
            return here
        steps = [tuple(size + (pool == i) for i, size in enumerate(here)) for pool in range(pools)]
        if pools > 1:
            steps.append(tuple(size + 1 for size in here))
        steps = [step for step in steps if max(step) <= most]
        if not steps:
            return here
        if value == -math.inf:  # too small for any turn in time: only more of everything can help
            here, value = steps[-1], worth(steps[-1])
            continue
        gain = max(steps, key=worth)
        if worth(gain) <= value + _LEAST_GAIN * abs(value):
            return here
        here, value = gain, worth(gain)
