"""Parts and prices of a run as its first message tells them, and the same again for whoever got the message.

What a watcher makes of the message is what the engine makes of its catalog: `hourly_cost_of(lane, way)` equals
`rates.hourly_cost(built, facts, way=way)`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from subsecond.engine.catalog import Catalog, Value
from subsecond.engine.economics.ownership import FORMULA, ownership_of
from subsecond.engine.economics.parts import Devices
from subsecond.engine.economics.rates import NOT_PUBLIC, WAYS, HourlyCost, Part, Rate, hourly_cost
from subsecond.engine.economics.services import Service, services_for
from subsecond.engine.feed import Hello, HireInfo, LaneInfo, OwningInfo, PartInfo, PriceInfo, ServiceInfo
from subsecond.engine.latency.pipelines import BuiltPipeline

__all__ = ["hourly_cost_of", "parts_told", "services_of", "services_told", "value_of"]

#: Beyond it a number is no price and no count of machines.
_MOST = 1e9


def parts_told(built: BuiltPipeline, facts: Catalog) -> tuple[PartInfo, ...]:
    """A pipeline's parts with their prices by every way of hire.

    Args:
        facts: the catalog that the pipeline was built with.

    Raises:
        InputError: a machine in the catalog lacks something.
    """
    by_way = {way: hourly_cost(built, facts, way=way).parts for way in WAYS}
    return tuple(
        _part_told(dict(zip(by_way, parts, strict=True)), facts) for parts in zip(*by_way.values(), strict=True)
    )


def _part_told(by_way: Mapping[str, Part], facts: Catalog) -> PartInfo:
    part = next(iter(by_way.values()))
    devices, rate = part.devices, part.rate
    owned = None if rate.is_published else ownership_of(rate.device, facts)
    inputs = () if owned is None else tuple((key, _price_told(value)) for key, value in owned.inputs.items())
    return PartInfo(
        role=devices.role,
        pool=devices.pool,
        device=rate.device,
        label=facts.entry("devices", rate.device).label,
        groups=devices.groups,
        each=devices.each,
        machine=rate.machine,
        devices_per_machine=rate.each,
        is_published=rate.is_published,
        hire=tuple(HireInfo(way, one.rate.way, _price_told(one.rate.price)) for way, one in by_way.items()),
        owning=None if owned is None else OwningInfo(owned.low, owned.high, FORMULA, inputs),
    )


def services_told(models: Iterable[str], facts: Catalog) -> tuple[ServiceInfo, ...]:
    """Published price lists for models."""
    return tuple(
        ServiceInfo(
            service.provider,
            service.label,
            model,
            _price_told(service.input),
            _price_told(service.output),
            None if service.cached is None else _price_told(service.cached),
        )
        for model in dict.fromkeys(models)
        for service in services_for(model, facts)
    )


def _price_told(value: Value) -> PriceInfo:
    return PriceInfo(value.number, value.unit, value.provenance, value.source, value.date, value.note or value.text)


def value_of(price: PriceInfo) -> Value:
    """A told price as a value; a number that cannot be one counts as not public."""
    number = price.number
    if number is not None and not (math.isfinite(number) and 0 <= number <= _MOST):
        number = None
    provenance = "not public" if number is None else price.provenance
    return Value(number, price.unit, price.source, price.date, provenance, price.note)


def hourly_cost_of(lane: LaneInfo, way: str = WAYS[0]) -> HourlyCost | None:
    """What a lane costs per hour as its parts tell; None: they are not told, or cannot be of any pipeline.

    Args:
        way: of hire; one that was not told takes the first that was.
    """
    parts = tuple(part for told in lane.parts if (part := _part_of(told, way)) is not None)
    return HourlyCost(lane.name, parts) if parts and len(parts) == len(lane.parts) else None


def _part_of(told: PartInfo, way: str) -> Part | None:
    counts = (told.groups, told.each, told.devices_per_machine)
    if not told.hire or not all(1 <= count <= _MOST for count in counts):
        return None
    hire = next((one for one in told.hire if one.asked == way), told.hire[0])
    price = value_of(hire.price)
    used = NOT_PUBLIC if price.number is None else hire.way
    rate = Rate(told.device, told.machine, told.devices_per_machine, price, used, hire.asked, told.is_published)
    return Part(Devices(told.role, told.pool, told.device, told.groups, told.each), rate)


def services_of(hello: Hello, model: str) -> tuple[Service, ...]:
    """Price lists for a model of the run, in the order in which they were told."""
    return tuple(
        Service(
            told.provider,
            told.label,
            value_of(told.input),
            value_of(told.output),
            None if told.cached is None else value_of(told.cached),
        )
        for told in hello.services
        if told.model == model
    )
