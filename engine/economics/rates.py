"""What a pipeline costs per hour: its parts, each with the machine that is hired for it and that machine's price.

Which machines carry a device, and what they cost by which way of hire, are entries of the catalog (`prices`, those with
a `machine`). A price that nobody publishes stays unknown: the pipeline then costs so much plus so many device-hours at
a price that the user, or a break-even, puts in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from subsecond.engine.catalog import Catalog, Entry, Value, catalog
from subsecond.engine.economics.parts import Devices, devices_of
from subsecond.engine.errors import InputError
from subsecond.engine.latency.pipelines import BuiltPipeline

__all__ = ["NOT_PUBLIC", "OWN", "WAYS", "HourlyCost", "Part", "Rate", "hourly_cost", "own_prices", "rate_of"]

#: Ways of hire that the catalog knows, in the order in which one stands in for another that is not offered.
WAYS: Final = ("on-demand", "capacity-block", "spot")
#: Where an entry of the catalog has each way's price.
_KEYS: Final = {way: f"price_{way.replace('-', '_')}" for way in WAYS}
#: Ways of a rate that is none of those: the user's own figure, and none at all.
OWN, NOT_PUBLIC = "own", "not public"
#: Dearest price of a device-hour that is taken for one.
_MOST_USD: Final = 1e6


@dataclass(frozen=True, slots=True)
class Rate:
    """Price of one machine.

    Attributes:
        device: the catalog's name of what it carries.
        machine: for people, as `p5en.48xlarge (8x H200)`.
        each: devices of one machine.
        price: of one machine, in USD/h; without a number where nobody publishes one.
        way: one of WAYS, OWN or NOT_PUBLIC.
        asked: the way that was asked for.
        is_published: whether the shipped catalog has a price for the device, by whatever way; a price that a user puts
            in makes none public.
    """

    device: str
    machine: str
    each: int
    price: Value
    way: str
    asked: str
    is_published: bool

    @property
    def usd_per_device_hour(self) -> float | None:
        """Price of one device for an hour; None: not public."""
        return None if self.price.number is None else self.price.number / self.each

    @property
    def is_substitute(self) -> bool:
        """Whether the way asked for is not offered and another stands in."""
        return self.way in WAYS and self.way != self.asked


@dataclass(frozen=True, slots=True)
class Part:
    """Devices of a pipeline and what they cost."""

    devices: Devices
    rate: Rate

    @property
    def machines(self) -> float:
        """Machines to hire, by the number of their devices; machines are hired whole, so a fraction is a share."""
        return self.devices.count / self.rate.each

    @property
    def usd_per_hour(self) -> float | None:
        """None: the price is not public."""
        return None if self.rate.price.number is None else self.machines * self.rate.price.number

    @property
    def shown(self) -> str:
        """As `2 x p5en.48xlarge (8x H200)`."""
        return f"{self.machines:g} x {self.rate.machine}"

    @property
    def remark(self) -> str:
        """What a reader must know about the price; empty if nothing."""
        remarks = []
        if self.rate.is_substitute:
            remarks.append(f"no price {self.rate.asked.replace('-', ' ')}: {self.rate.way.replace('-', ' ')}")
        if self.machines != round(self.machines):
            remarks.append("a share of a machine by its devices; machines are hired whole")
        return "; ".join(remarks)


@dataclass(frozen=True, slots=True)
class HourlyCost:
    """A pipeline's parts with their prices."""

    pipeline: str
    parts: tuple[Part, ...]

    @property
    def known_usd(self) -> float:
        """Cost per hour of the parts whose price is known."""
        return math.fsum(part.usd_per_hour or 0.0 for part in self.parts)

    @property
    def unknown(self) -> dict[str, int]:
        """Device -> how many of it the pipeline has, of those without a price."""
        return self.count_of({part.rate.device for part in self.parts if part.usd_per_hour is None})

    @property
    def usd(self) -> float | None:
        """Cost per hour; None: a price is not public."""
        return None if self.unknown else self.known_usd

    def count_of(self, devices: set[str]) -> dict[str, int]:
        """How many of these devices the pipeline has, in the order of its parts."""
        found: dict[str, int] = {}
        for part in self.parts:
            if part.rate.device in devices:
                found[part.rate.device] = found.get(part.rate.device, 0) + part.devices.count
        return found

    @property
    def put_in(self) -> dict[str, float]:
        """Device -> price of a device-hour, of those that have one only because a user put it in."""
        rates = [part.rate for part in self.parts if not part.rate.is_published]
        return {rate.device: usd for rate in rates if (usd := rate.usd_per_device_hour) is not None}

    def with_price(self, device: str, price: Value | None) -> HourlyCost:
        """The same with a price of one's own per device-hour; None: with none, as if it were not public."""

        def changed(part: Part) -> Part:
            if part.rate.device != device:
                return part
            if price is None or price.number is None:
                nothing = replace(part.rate.price, number=None, provenance="not public")
                return replace(part, rate=replace(part.rate, price=nothing, way=NOT_PUBLIC))
            return replace(part, rate=_own_rate(part.rate, price))

        return replace(self, parts=tuple(changed(part) for part in self.parts))


def hourly_cost(
    built: BuiltPipeline, facts: Catalog, *, way: str = WAYS[0], own: Mapping[str, Value] | None = None
) -> HourlyCost:
    """What a pipeline costs per hour.

    Args:
        facts: the catalog that the pipeline was built with.
        way: of hire, one of WAYS; where it is not offered, the first one that is stands in.
        own: device -> the user's own price per device-hour, in USD/h; see `own_prices`.

    Raises:
        InputError: no such way, or a machine in the catalog lacks something.
    """
    prices = own or {}

    def part(devices: Devices) -> Part:
        rate = rate_of(devices.device, facts, way=way, each=devices.each)
        price = prices.get(devices.device)
        return Part(devices, rate if price is None else _own_rate(rate, price))

    return HourlyCost(built.name, tuple(part(devices) for devices in devices_of(built, facts)))


def _own_rate(rate: Rate, price: Value) -> Rate:
    """The rate at a price per device-hour."""
    return replace(rate, price=replace(price, number=(price.number or 0.0) * rate.each), way=OWN)


def rate_of(device: str, facts: Catalog, *, way: str = WAYS[0], each: int = 1) -> Rate:
    """Price of the machine that fits so many devices that work together.

    It is the smallest machine that holds them all, or the largest where none does.

    Raises:
        InputError: no such way or device, or a machine in the catalog lacks something.
    """
    if way not in WAYS:
        raise InputError("price", "way", way, "one of " + ", ".join(WAYS))
    wanted = facts.entry("devices", device)
    machines = _machines(wanted.name, facts)
    if not machines:
        nothing = Value(None, "USD/h", "no machine with it is in the catalog's prices", "", "not public")
        return Rate(wanted.name, wanted.label, 1, nothing, NOT_PUBLIC, way, False)
    large = [machine for machine in machines if machine[0] >= each]
    size, _, entry = min(large) if large else max(machines)
    used, price = _price(entry, way)
    label = entry.fields.get("name") or facts.entry("devices", entry.fields["machine"]).label
    return Rate(wanted.name, label, size, price, used, way, _is_published(wanted.name))


@cache
def _is_published(device: str) -> bool:
    machines = _machines(device, catalog())
    return any(_price(entry, WAYS[0])[0] != NOT_PUBLIC for _, _, entry in machines)


def own_prices(given: Mapping[str, float], facts: Catalog, where: str) -> dict[str, Value]:
    """Prices of the user's own per device-hour, by the catalog's names of the devices.

    Raises:
        InputError: no such device, or a number that is no price.
    """
    found = {}
    for name, usd in given.items():
        try:
            device = facts.entry("devices", name).name
        except InputError as error:
            raise InputError(where, "", name, error.expected) from None
        if not 0 <= usd <= _MOST_USD:
            raise InputError(where, name, usd, f"USD per device-hour from 0 to {_MOST_USD:,.0f}")
        if device in found:
            raise InputError(where, name, usd, f"one price for {device}, which has another")
        found[device] = Value(float(usd), "USD/h", where, "", "assumed", f"{usd:g} USD per device-hour")
    return found


def _machines(device: str, facts: Catalog) -> list[tuple[int, str, Entry]]:
    """The machines for hire that carry a device: how many of it, the entry's name, the entry."""
    found = []
    for name in facts.names("prices"):
        entry = facts.entry("prices", name)
        if "machine" not in entry.fields or not any(key in entry.values for key in _KEYS.values()):
            continue
        machine = facts.entry("devices", entry.fields["machine"])
        carried = machine.values["accelerator"].text if "accelerator" in machine.values else machine.name
        if facts.find("devices", carried) == device:
            found.append((round(machine.number("accelerators", 1.0)), name, entry))
    return found


def _price(entry: Entry, way: str) -> tuple[str, Value]:
    """The price by this way of hire, or by the first other that is offered, and by which it is."""
    for offered in (way, *WAYS):
        value = entry.values.get(_KEYS[offered])
        if value is not None and value.number is not None:
            return offered, value
    return NOT_PUBLIC, next(entry.values[key] for key in _KEYS.values() if key in entry.values)
