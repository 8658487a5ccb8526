"""What a run's turns and tokens cost: each figure with its formula and everything that went into it.

A pipeline is paid for by the hour whether it works or not, so a figure is always that of a load: the same pipeline with
half the turns costs twice as much for each. People, storage, network and what stands around the model (speech, tools)
are not in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from subsecond.engine.catalog import PROVENANCES, Value
from subsecond.engine.economics.amount import Amount, hourly_amount
from subsecond.engine.economics.rates import HourlyCost

__all__ = ["Cost", "Work", "costs_of", "simulated"]

#: Weakest last: a result is to be trusted as far as the weakest of what went into it.
_TRUST: Final = {provenance: rank for rank, provenance in enumerate(PROVENANCES)}
_MILLION: Final = 1e6


@dataclass(frozen=True, slots=True)
class Work:
    """What a pipeline did in some time, all kinds of agents or one of them.

    Attributes:
        hours: in which the counted turns began.
        turns: answered ones.
        in_time: of these, those that met every budget of their kind, or the budget that is asked about.
        prompt_tokens, hit_tokens, output_tokens: of their requests; of the prompts those found in a cache.
    """

    hours: float
    turns: int
    in_time: int
    prompt_tokens: int
    hit_tokens: int
    output_tokens: int

    def per_hour(self, count: float) -> float:
        """A count of this work per hour."""
        return count / self.hours if self.hours > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Cost:
    """A figure that can be traced.

    Attributes:
        key: `turn_in_time`, `m_output_tokens`...
        words: what it is the price of.
        amount: None: there is nothing to divide by.
        inputs: by name; the prices of hire, the shares and the counts.
    """

    key: str
    words: str
    amount: Amount | None
    formula: str
    inputs: Mapping[str, Value]

    @property
    def usd(self) -> float | None:
        """The figure; None: it hangs on a price that is not public, or there is nothing to divide by."""
        return None if self.amount is None else self.amount.known

    @property
    def provenance(self) -> str:
        """How far to trust it: as far as the weakest input, and never more than what is derived."""
        weakest = max((_TRUST[value.provenance] for value in self.inputs.values()), default=0)
        return PROVENANCES[max(weakest, _TRUST["derived"])]


def simulated(number: float, unit: str = "count") -> Value:
    """A count of a simulated run as a value."""
    return Value(float(number), unit, "counted in this run", "", "derived", "simulated")


def costs_of(cost: HourlyCost, work: Work, shares: Mapping[str, float] | None = None) -> tuple[Cost, ...]:
    """The costs of a pipeline at a load.

    Input and output tokens have prices of their own where different machines read and write.

    Args:
        shares: pool -> the part of it that this work is charged with (`sharing.shares_of`); None: all.
    """
    return tuple(_costs(cost, work, shares))


def _costs(cost: HourlyCost, work: Work, shares: Mapping[str, float] | None) -> Iterator[Cost]:
    written, read = work.output_tokens, work.prompt_tokens
    whole = _Payer(cost, shares, "hourly cost" if shares is None else "its share of the hourly cost")
    yield Cost("hour", "an hour", whole.amount, "sum of machines x price of a machine-hour", whole.inputs)
    yield whole.per("turn", "a turn", work, work.turns, "turns answered")
    yield whole.per("turn_in_time", "a turn in time", work, work.in_time, "turns in time")
    yield whole.per("m_output_tokens", "1e6 tokens written, all in", work, written, "tokens written", _MILLION)
    yield whole.per("m_tokens", "1e6 tokens read or written", work, read + written, "tokens read and written", _MILLION)
    if {part.devices.pool for part in cost.parts} >= {"prefill", "decode"}:
        prefill, decode = (whole.only(pool) for pool in ("prefill", "decode"))
        yield prefill.per("m_prefill", "1e6 tokens read, prefill alone", work, read, "tokens read", _MILLION)
        yield decode.per("m_decode", "1e6 tokens written, decode alone", work, written, "tokens written", _MILLION)


@dataclass(frozen=True, slots=True)
class _Payer:
    """Machines, or shares of them, whose cost is divided by something."""

    cost: HourlyCost
    shares: Mapping[str, float] | None
    words: str

    @property
    def amount(self) -> Amount:
        return hourly_amount(self.cost, self.shares)

    @property
    def inputs(self) -> dict[str, Value]:
        return _inputs(self.cost, self.shares)

    def only(self, pool: str) -> _Payer:
        """One pool of them."""
        share = 1.0 if self.shares is None else self.shares.get(pool, 0.0)
        return _Payer(self.cost, {pool: share}, f"{self.words} of {pool}")

    def per(self, key: str, words: str, work: Work, count: int, name: str, unit: float = 1.0) -> Cost:
        """The cost of `unit` things of which the work has `count`."""
        scale = f" x {unit:,.0f}" if unit != 1 else ""
        inputs = {**self.inputs, "hours": simulated(work.hours, "h"), name: simulated(count)}
        formula = f"{self.words} x hours{scale} / {name}"
        return Cost(key, words, self.amount.over(work.per_hour(count) / unit), formula, inputs)


def _inputs(cost: HourlyCost, shares: Mapping[str, float] | None) -> dict[str, Value]:
    """Prices of machines, and how many of them and what share is charged."""
    found = {}
    for part in cost.parts:
        share = 1.0 if shares is None else shares.get(part.devices.pool, 0.0)
        if share == 0.0:
            continue
        name = f"{part.devices.role}: {part.rate.machine}"
        found[f"{name}, {part.rate.way}"] = part.rate.price
        count = f"{part.devices.count:g} devices, {part.rate.each} in a machine"
        found[f"{name}, machines"] = Value(part.machines, "count", "the pipeline's parameters", "", "derived", count)
        if shares is not None:
            found[f"{name}, share"] = simulated(share, "share")
    return found
