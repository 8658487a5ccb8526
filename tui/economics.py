"""What the lanes of a snapshot cost at its load, at published prices and at one's own, and where one beats another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import permutations
from types import MappingProxyType

import numpy as np

from subsecond.engine.catalog import Value
from subsecond.engine.economics.amount import Amount, hourly_amount
from subsecond.engine.economics.break_even import BreakEven, Side, break_even
from subsecond.engine.economics.costs import Cost, Work, costs_of
from subsecond.engine.economics.rates import WAYS, HourlyCost
from subsecond.engine.economics.told import hourly_cost_of
from subsecond.tui.snapshot import LaneView, Snapshot
from subsecond.tui.work import LaneWork

__all__ = ["BreakEvenLine", "LaneMoney", "Pair", "Prices", "busy_share", "moneys_of", "pairs_of"]

PS_PER_S = 10**12


@dataclass(frozen=True, slots=True)
class Prices:
    """How machines are paid for.

    Attributes:
        way: of hire.
        own: device -> the user's own price of a device-hour, in USD.
        basis: which turns are in time; see `work.num_bases`.
    """

    way: str = WAYS[0]
    basis: int = 0
    own: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def with_own(self, device: str, usd: float | None) -> Prices:
        """The same with another price of a device-hour; None: with none of one's own."""
        others = {name: price for name, price in self.own.items() if name != device}
        return replace(self, own=MappingProxyType(others if usd is None else {**others, device: usd}))

    def next_way(self) -> Prices:
        """The same with the next way of hire."""
        return replace(self, way=WAYS[(WAYS.index(self.way) + 1) % len(WAYS)])

    def next_basis(self, snapshot: Snapshot) -> Prices:
        """The same with other turns in time."""
        return replace(self, basis=(self.basis + 1) % len(snapshot.lanes[0].works))


@dataclass(frozen=True, slots=True, eq=False)
class LaneMoney:
    """A lane and what it costs.

    Attributes:
        work: what it did.
        listed: at published prices; `cost`: with one's own in their place.
    """

    place: int
    lane: LaneView
    work: LaneWork
    listed: HourlyCost
    cost: HourlyCost

    @property
    def name(self) -> str:
        return self.lane.info.name

    def costs(self, work: Work, *, as_listed: bool = False) -> tuple[Cost, ...]:
        """What some work of it costs, at published prices alone or with one's own."""
        return costs_of(self.listed if as_listed else self.cost, work)

    def hourly(self, open_device: str | None = None) -> Amount:
        """What it costs per hour, a device's price left open."""
        return hourly_amount(self.cost if open_device is None else self.cost.with_price(open_device, None))

    def per_turn_in_time(self, work: Work) -> float | None:
        """In USD; None: a price is not known, or no turn was in time."""
        return next(cost.usd for cost in self.costs(work) if cost.key == "turn_in_time")


def moneys_of(snapshot: Snapshot, prices: Prices) -> tuple[LaneMoney, ...]:
    """The lanes whose parts are told, with what they cost."""
    found = []
    for place, lane in enumerate(snapshot.lanes):
        listed = _listed(lane.info, prices.way)
        if listed is not None:
            work = lane.works[min(prices.basis, len(lane.works) - 1)]  # another run may have fewer budgets
            found.append(LaneMoney(place, lane, work, listed, _with_own(listed, prices.own)))
    return tuple(found)


_listed = lru_cache(64)(hourly_cost_of)


def _with_own(cost: HourlyCost, own: Mapping[str, float]) -> HourlyCost:
    for device, usd in own.items():
        price = Value(usd, "USD/h", "set here by you", "", "assumed", f"{usd:g} USD per device-hour")
        cost = cost.with_price(device, price)
    return cost


def busy_share(lane: LaneView, pool: str, window_s: int | None = None) -> float | None:
    """Share of the time for which a pool's servers computed, mean over them; None: it is not known.

    Args:
        window_s: how far to look back; None: over the run.
    """
    places = [place for place, server in enumerate(lane.info.servers) if server.role == pool]
    gauges = lane.gauges
    if not places or gauges is None:
        return None
    if window_s is None:
        total = sum(gauges.servers[place].busy_ps for place in places)
        return min(1.0, max(0.0, total / gauges.at_ps / len(places))) if gauges.at_ps > 0 else None
    busy = lane.servers.busy[-window_s:, places]
    known = busy[busy >= 0]
    return float(np.mean(known)) if known.size else None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two lanes that are held against each other: A, and B that A is to beat.

    Attributes:
        device: of A, whose price is asked for; None: all prices of A are known.
    """

    a: LaneMoney
    b: LaneMoney
    device: str | None

    @property
    def now(self) -> tuple[Work, Work]:
        """What both did in the window."""
        return self.a.work.now, self.b.work.now

    @property
    def whole(self) -> tuple[Work, Work]:
        """What both did in the run."""
        return self.a.work.whole, self.b.work.whole

    @property
    def as_listed(self) -> Pair:
        """The same without prices of one's own."""
        a, b = (replace(money, cost=money.listed) for money in (self.a, self.b))
        return replace(self, a=a, b=b)

    def break_even(self, a: Work, b: Work) -> BreakEven:
        """The price of the device at which both cost the same for some work of each."""
        return break_even(self._side(self.a, a), self._side(self.b, b))

    def _side(self, money: LaneMoney, work: Work) -> Side:
        return _side(money.hourly(self.device), work)


def _side(hourly: Amount, work: Work) -> Side:
    return Side(hourly, work.per_hour(work.in_time), work.per_hour(work.output_tokens))


def pairs_of(moneys: Sequence[LaneMoney]) -> list[Pair]:
    """Pairs worth looking at: a lane with a device without a public price first, against one whose prices are public.

    Where every price is public, each two lanes are a pair once.
    """
    open_ones = [money for money in moneys if money.listed.unknown]
    if not open_ones:
        return [Pair(a, b, None) for a, b in permutations(moneys, 2) if a.place < b.place]
    found = [Pair(a, b, _asked(a)) for a in open_ones for b in moneys if a is not b]
    return sorted(found, key=lambda pair: bool(pair.b.listed.unknown))


def _asked(money: LaneMoney) -> str:
    """The device whose price is asked for: the first without any, or else the last that has one of one's own."""
    unknown = list(money.listed.unknown)
    return next((device for device in unknown if device in money.cost.unknown), unknown[-1])


class BreakEvenLine:
    """The break-even of a pair over time; what was found for a second is kept while prices stay as they are."""

    #: Seconds that are kept.
    _MOST = 4096
    #: Hours that a point looks back at least, once there are as many: the first turns of a run say little.
    _LEAST_HOURS = 20 / 3600

    def __init__(self) -> None:
        self._key: object = None
        self._known: dict[tuple[int, ...], float | None] = {}

    def points(self, pair: Pair) -> tuple[list[int], list[float | None]]:
        """Whole seconds, and the price at which both cost the same; None where there is no such price."""
        sides = [(money.place, money.hourly(pair.device)) for money in (pair.a, pair.b)]
        if sides != self._key or len(self._known) > self._MOST:
            self._key, self._known = sides, {}
        seconds, values = [], []
        series = pair.a.work.series
        least = min(self._LEAST_HOURS, float(series.hours[-1]) if len(series) else 0.0)
        for (second, a), (_, b) in _both(pair):
            if a.hours < least:
                continue
            key = (second, a.in_time, b.in_time, a.output_tokens)
            if key not in self._known:
                self._known[key] = break_even(_side(sides[0][1], a), _side(sides[1][1], b)).usd_per_device_hour
            seconds.append(second)
            values.append(self._known[key])
        return seconds, values


def _both(pair: Pair) -> Iterable[tuple[tuple[int, Work], tuple[int, Work]]]:
    """Seconds that the series of both lanes have."""
    a, b = (money.work.series for money in (pair.a, pair.b))
    first = max(a.first_s, b.first_s)
    ours = (point for point in a.points() if point[0] >= first)
    theirs = (point for point in b.points() if point[0] >= first)
    return zip(ours, theirs, strict=False)
