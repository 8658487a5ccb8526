"""What a pipeline is made of: which machines' devices, how many, and for what; `rates` says what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from subsecond.engine.catalog import Catalog
from subsecond.engine.latency.pipelines import BuiltPipeline

__all__ = ["FALLBACK", "Devices", "devices_of"]

#: Role of the GPUs that take requests which a disaggregated pipeline gives up.
FALLBACK: Final = "fallback"


@dataclass(frozen=True, slots=True)
class Devices:
    """Devices of one kind that serve one role of a pipeline.

    Attributes:
        role: "prefill", "decode", "prefill and decode" or "fallback"; `pool` is the core's name for its servers.
        device: the catalog's name.
        groups: nodes, Trainium servers or model copies on wafers.
        each: devices of a group.
    """

    role: str
    pool: str
    device: str
    groups: int
    each: int

    @property
    def count(self) -> int:
        """Devices in all."""
        return self.groups * self.each


def devices_of(built: BuiltPipeline, facts: Catalog) -> tuple[Devices, ...]:
    """The devices of a pipeline, as its parameters give them; wafers as many as the model copies really take.

    None if its parameters name no device: it was made from numbers alone.

    Args:
        facts: the catalog that the pipeline was built with.
    """
    values = built.parameters
    if "prefill_device" in values:
        found = [_devices(built, facts, "prefill", "prefill", "prefill_"), _decoders(built, facts, "decode", "decode")]
    elif "decode_device" in values:
        found = [_decoders(built, facts, "prefill and decode", "gpu")]
    elif "device" in values:
        found = [_devices(built, facts, "prefill and decode", "gpu", "")]
    else:
        found = []
    gpus = _count(built, "fallback_gpus") if "fallback_gpus" in values else 0
    if gpus:
        device = facts.entry("pipelines", "gpu").get("device").text
        found.append(Devices(FALLBACK, FALLBACK, _named(facts, device), 1, gpus))
    return tuple(found)


def _decoders(built: BuiltPipeline, facts: Catalog, role: str, pool: str) -> Devices:
    if "decode_wafers" not in built.parameters:
        return _devices(built, facts, role, pool, "decode_")
    device, copies = built.parameters["decode_device"].text, _count(built, "decode_replicas")
    return Devices(role, pool, _named(facts, device), copies, round(built.summary["wafers_per_copy"]))


def _devices(built: BuiltPipeline, facts: Catalog, role: str, pool: str, prefix: str) -> Devices:
    size = prefix + ("chips" if prefix + "chips" in built.parameters else "gpus")
    device = _named(facts, built.parameters[prefix + "device"].text)
    return Devices(role, pool, device, _count(built, prefix + "replicas"), _count(built, size))


def _named(facts: Catalog, device: str) -> str:
    return facts.entry("devices", device).name


def _count(built: BuiltPipeline, key: str) -> int:
    return round(built.parameters[key].number or 0)
