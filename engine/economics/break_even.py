"""Below which price of an hour, or of a million tokens, one pipeline is cheaper than another at a load.

Cheaper means: less for each turn that met its budget. With hourly costs `k + n X` (X: the price of a device-hour that
nobody publishes) and g turns in time per hour, A is cheaper than B where

    (k_A + n_A X) / g_A  <  (k_B + n_B X) / g_B

which is linear in X. Bought by the token at Y for a million tokens written, everything else included, A costs Y O_A per
hour (O_A: millions of tokens that it writes per hour) and is cheaper than running B where `Y O_A / g_A < cost_B / g_B`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from subsecond.engine.economics.amount import Amount

__all__ = ["BreakEven", "Side", "Verdict", "break_even"]

_MILLION = 1e6


class Verdict(Enum):
    """What a break-even says of A against B.

    BELOW, ABOVE: A is cheaper below, or above, the price. ANY: A is cheaper at any price, because only A has turns in
    time, or because what it takes more costs nothing. NEVER: not even for nothing. NEITHER: no turn in time on either.
    CHEAPER, DEARER: every price is known, and A costs less, or does not. UNKNOWN: more prices are unknown than one can
    be found from.
    """

    BELOW = "below"
    ABOVE = "above"
    ANY = "at any price"
    NEVER = "never"
    NEITHER = "neither"
    CHEAPER = "cheaper"
    DEARER = "not cheaper"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Side:
    """A pipeline at a load.

    Attributes:
        hourly: what it costs per hour.
        good_per_hour: turns in time; for fleets that both keep the budget 1, so that their whole costs are compared.
        output_tokens_per_hour: that it writes.
    """

    hourly: Amount
    good_per_hour: float
    output_tokens_per_hour: float


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Prices at which A and B cost the same.

    Attributes:
        device: whose price is unknown; None: none is, or several are.
        usd_per_device_hour: X. None: there is no such price, or several are unknown.
        usd_per_hour: what all parts of A without a price may cost together, where B's cost is known.
        usd_per_m_output: Y. None: B's cost is not known, or one of them has no turn in time.
    """

    verdict: Verdict
    device: str | None = None
    usd_per_device_hour: float | None = None
    usd_per_hour: float | None = None
    usd_per_m_output: float | None = None


def break_even(a: Side, b: Side) -> BreakEven:
    """Where A becomes cheaper than B per turn in time; an equal cost is not cheaper."""
    if a.good_per_hour <= 0:
        return BreakEven(Verdict.NEVER if b.good_per_hour > 0 else Verdict.NEITHER)
    if b.good_per_hour <= 0:
        return BreakEven(Verdict.ANY)
    share = a.good_per_hour / b.good_per_hour
    cost_b, service = b.hourly.known, None
    if cost_b is not None and a.output_tokens_per_hour > 0:
        service = cost_b * share / a.output_tokens_per_hour * _MILLION
    unknown = list(dict.fromkeys([*a.hourly.hours, *b.hourly.hours]))
    room = None if cost_b is None or not a.hourly.hours else cost_b * share - a.hourly.usd
    if not unknown:
        is_cheaper = a.hourly.usd < b.hourly.usd * share
        return BreakEven(Verdict.CHEAPER if is_cheaper else Verdict.DEARER, None, None, None, service)
    if len(unknown) > 1:
        verdict = Verdict.UNKNOWN if room is None else Verdict.BELOW if room > 0 else Verdict.NEVER
        return BreakEven(verdict, None, None, room, service)
    (device,) = unknown
    slope = a.hourly.hours.get(device, 0.0) - b.hourly.hours.get(device, 0.0) * share
    verdict, price = _solved(b.hourly.usd * share - a.hourly.usd, slope)
    return BreakEven(verdict, device, price, room, service)


def _solved(room: float, slope: float) -> tuple[Verdict, float | None]:
    """Prices X >= 0 with `slope * X < room`."""
    if slope > 0:
        return (Verdict.BELOW, room / slope) if room > 0 else (Verdict.NEVER, None)
    if room > 0:  # what A has less of only makes it better
        return Verdict.ANY, None
    return (Verdict.ABOVE, room / slope) if slope < 0 else (Verdict.NEVER, None)
