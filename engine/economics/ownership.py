"""What owning a machine might come to per hour: an estimate to hold a break-even against, never a price.

    hour = (price / (years x 8,766 h) + power x overhead x electricity) / share of hours paid for

Every input is a value of the catalog (`own-*` entries of `prices`), most of them assumed; a scenario changes them. No
people, space, network, interest, margin or spare machines are in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from subsecond.engine.catalog import Catalog, Entry, Value
from subsecond.engine.errors import InputError

__all__ = ["FORMULA", "Ownership", "ownership_of"]

FORMULA: Final = "(price / (years x 8,766 h) + power x overhead x electricity) / share of hours paid for"
_HOURS_PER_YEAR: Final = 8766.0
_INPUTS: Final = ("price_low", "price_high", "years", "used_share", "power", "power_overhead", "electricity")


@dataclass(frozen=True, slots=True)
class Ownership:
    """An estimate per machine and hour, in USD, from the low and the high end of what it is thought to cost."""

    device: str
    label: str
    low: float
    high: float
    inputs: Mapping[str, Value]


def ownership_of(device: str, facts: Catalog) -> Ownership | None:
    """The estimate for a device; None: the catalog has none.

    Raises:
        InputError: an input is missing or no time, price or share that can be reckoned with.
    """
    for name in facts.names("prices"):
        entry = facts.entry("prices", name)
        if "price_low" in entry.values and facts.find("devices", entry.fields.get("machine", "")) == device:
            return _reckoned(device, entry)
    return None


def _reckoned(device: str, entry: Entry) -> Ownership:
    low, high, years, share, watts, overhead, electricity = (entry.number(key) for key in _INPUTS)
    for key, value in (("years", years), ("used_share", share)):
        if value <= 0:
            raise InputError(entry.where, f"prices.{entry.name}.{key}", value, "a number above 0")
    power = watts * 3600.0 * overhead * electricity  # joules of an hour x USD per joule
    hours = years * _HOURS_PER_YEAR
    inputs = {key: entry.get(key) for key in _INPUTS}
    return Ownership(device, entry.label, (low / hours + power) / share, (high / hours + power) / share, inputs)
