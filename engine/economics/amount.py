"""Sums of money that hang on prices nobody publishes: so much, plus so much per USD of each such price."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from subsecond.engine.economics.rates import HourlyCost

__all__ = ["Amount", "hourly_amount"]


@dataclass(frozen=True, slots=True)
class Amount:
    """`usd + sum(hours[d] * price of a device-hour of d)`, in USD.

    Attributes:
        usd: what is known.
        hours: device -> device-hours that are paid at its unknown price.
    """

    usd: float
    hours: Mapping[str, float] = field(default_factory=dict)

    @property
    def known(self) -> float | None:
        """The sum; None: it hangs on a price that is not public."""
        return None if self.hours else self.usd

    def at(self, prices: Mapping[str, float]) -> float:
        """The sum at prices per device-hour.

        Raises:
            KeyError: a device has none.
        """
        return self.usd + math.fsum(hours * prices[device] for device, hours in self.hours.items())

    def over(self, count: float) -> Amount | None:
        """The sum per one of `count`; None if there are none."""
        if count <= 0:
            return None
        return Amount(self.usd / count, {device: hours / count for device, hours in self.hours.items()})


def hourly_amount(cost: HourlyCost, shares: Mapping[str, float] | None = None) -> Amount:
    """What a pipeline, or the share of each of its pools that somebody uses, costs per hour.

    Args:
        shares: pool -> share, 0 to 1; None: all of everything.
    """
    usd, hours = [], dict[str, float]()
    for part in cost.parts:
        share = 1.0 if shares is None else shares.get(part.devices.pool, 0.0)
        if part.usd_per_hour is not None:
            usd.append(part.usd_per_hour * share)
        else:
            hours[part.rate.device] = hours.get(part.rate.device, 0.0) + part.devices.count * share
    return Amount(math.fsum(usd), {device: count for device, count in hours.items() if count})
