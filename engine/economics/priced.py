"""A pipeline that was run at a load, with what it costs: the side of a break-even."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from subsecond.engine.economics.amount import hourly_amount
from subsecond.engine.economics.break_even import BreakEven, Side, Verdict, break_even
from subsecond.engine.economics.costs import Cost, Work, costs_of
from subsecond.engine.economics.rates import HourlyCost
from subsecond.engine.outcome import BudgetCount, LaneOutcome, Outcome

__all__ = ["Basis", "PricedLane", "asked", "keeping", "per_turn_in_time", "spread"]

PS_PER_HOUR = 3600 * 10**12


@dataclass(frozen=True, slots=True)
class Basis:
    """Which turns are in time: those that met a budget of a kind of agents, or every budget of their kind.

    Attributes:
        kind: that the cost is shared out to; None: all kinds together.
        budget: None: every budget of a turn's kind.
    """

    kind: str | None = None
    budget: str | None = None

    @property
    def words(self) -> str:
        """For people."""
        return self.budget or ("every budget of its kind" if self.kind is None else f"every budget of {self.kind}")


@dataclass(frozen=True, slots=True)
class PricedLane:
    """One pipeline at one load.

    Attributes:
        shares: agent kind -> pool -> share of it that the kind is charged with.
        each: the single runs that are counted together here, if there are several.
    """

    lane: str
    cost: HourlyCost
    outcome: LaneOutcome
    shares: Mapping[str, Mapping[str, float]]
    each: tuple[PricedLane, ...] = ()

    def work(self, basis: Basis = Basis()) -> Work:
        """What it did: turns, turns in time, tokens."""
        groups = self._groups(basis)
        return Work(
            hours=self.outcome.span_ps / PS_PER_HOUR,
            turns=sum(group.answered for group in groups),
            in_time=sum(_in_time(group, basis) for group in groups),
            prompt_tokens=sum(group.prompt_tokens for group in groups),
            hit_tokens=sum(group.hit_tokens for group in groups),
            output_tokens=sum(group.output_tokens for group in groups),
        )

    def costs(self, basis: Basis = Basis()) -> tuple[Cost, ...]:
        """Its costs per hour, turn and token."""
        return costs_of(self.cost, self.work(basis), self._shares(basis))

    def side(self, basis: Basis = Basis()) -> Side:
        """The same for a break-even."""
        work = self.work(basis)
        hourly = hourly_amount(self.cost, self._shares(basis))
        return Side(hourly, work.per_hour(work.in_time), work.per_hour(work.output_tokens))

    def budgets(self, basis: Basis) -> list[BudgetCount]:
        """The counts of the budgets that a basis is about."""
        counts = [count for group in self._groups(basis) for count in group.budgets]
        return [count for count in counts if basis.budget in (None, count.budget.name)]

    def keeps(self, basis: Basis) -> bool:
        """Whether every budget of a basis is kept by as many turns as its percentile asks for."""
        return all(count.is_kept for count in self.budgets(basis))

    def _groups(self, basis: Basis) -> list[Outcome]:
        groups = self.outcome.groups
        return list(groups.values()) if basis.kind is None else [groups[basis.kind]]

    def _shares(self, basis: Basis) -> Mapping[str, float] | None:
        return None if basis.kind is None or len(self.outcome.groups) == 1 else self.shares[basis.kind]


def _in_time(group: Outcome, basis: Basis) -> int:
    return group.met_all if basis.budget is None else group.budget(basis.budget).met


def per_turn_in_time(a: PricedLane, b: PricedLane, basis: Basis) -> BreakEven:
    """Where A costs less than B for each turn in time.

    Prices that a user put in for A's machines that have no public one are left out: they are what is asked for.
    """
    a, b = asked(a, a), asked(b, a)
    return break_even(a.side(basis), b.side(basis))


def spread(a: PricedLane, b: PricedLane, basis: Basis) -> tuple[float, float] | None:
    """Least and largest price of a device-hour below which A costs less, over the single runs.

    None: they are not several, or not each has such a price.
    """
    found = [per_turn_in_time(x, y, basis) for x, y in zip(a.each, b.each, strict=True)]
    prices = [even.usd_per_device_hour for even in found if even.verdict is Verdict.BELOW]
    known = [price for price in prices if price is not None]
    return (min(known), max(known)) if len(known) == len(found) > 1 else None


def keeping(a: PricedLane, b: PricedLane) -> BreakEven:
    """Where A's machines cost less than B's, whole: for fleets of which both keep what is promised."""

    def side(lane: PricedLane) -> Side:
        work = lane.work()
        return Side(hourly_amount(lane.cost), 1.0, work.per_hour(work.output_tokens))

    return break_even(side(asked(a, a)), side(asked(b, a)))


def asked(lane: PricedLane, a: PricedLane) -> PricedLane:
    """A lane without the prices that a user put in for A's machines."""
    cost = lane.cost
    for device in a.cost.put_in:
        cost = cost.with_price(device, None)
    return replace(lane, cost=cost)
