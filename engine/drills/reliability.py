"""How often the servers of a pipeline stop by themselves: what is known, and what has to be assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from subsecond.engine.catalog import Catalog
from subsecond.engine.core.config import Role
from subsecond.engine.economics.parts import FALLBACK, devices_of
from subsecond.engine.errors import InputError
from subsecond.engine.latency.pipelines import BuiltPipeline

from .availability import Part

__all__ = ["MTTR_S", "POOLS", "parts_of_pipeline"]

#: Pools whose servers can fail; `POOL` or `PIPELINE.POOL` names them.
POOLS: Final = ("prefill", "decode", "gpu")
_FAULT: Final = {"prefill": "prefill_down", "decode": "decode_down", "gpu": "gpu_down"}
#: Time to repair, unless somebody says otherwise: an assumption; a cold start of an engine alone takes 279-504 s as
#: measured on Trn2 (catalog, reliability).
MTTR_S: Final = 600.0
#: Devices that are no GPUs: nobody has published how often they stop.
_NO_GPUS: Final = ("trainium", "trn", "wse", "groq")
#: GPUs of the node that others are assumed to be as reliable as.
_NODE: Final = 8


def parts_of_pipeline(
    name: str, built: BuiltPipeline, facts: Catalog, mtbf_h: Mapping[str, float], mttr_s: float
) -> tuple[Part, ...]:
    """The servers of a pipeline that can fail, by pool.

    GPUs fail as the H100 of the Llama 3 training did, one unplanned stop per GPU in 50,677 h (derived there, assumed of
    other GPUs). Of Trainium, CS-3 and LPX nothing is public: one of their servers is assumed to be as reliable as a
    node of eight such GPUs. A fallback pool is not struck: the core has no fault for it.

    Args:
        name: of the pipeline in the scenario.
        mtbf_h: by `POOL` or `PIPELINE.POOL`; the latter counts where both are there.

    Raises:
        InputError: a time that is not above 0.
    """
    core = built.core
    counts = {
        "prefill": core.entry.num_servers if core.entry.role is Role.PREFILL else 0,
        "decode": core.decode.num_servers if core.decode else 0,
        "gpu": core.entry.num_servers if core.entry.role is Role.COLOCATED else 0,
    }
    found = []
    for devices in devices_of(built, facts):
        if devices.role == FALLBACK:
            continue
        servers = counts[devices.pool]
        each = devices.count / servers
        part = Part(
            pool=devices.pool,
            device=devices.device,
            each=each,
            servers=servers,
            fault=_FAULT[devices.pool],
            mtbf_h=_gpu_mtbf_h(facts) / each,
            mttr_s=mttr_s,
            provenance="derived" if devices.device.startswith("h100") else "assumed",
            source=f"one unplanned stop per H100 in {_gpu_mtbf_h(facts):,.0f} h (Llama 3), {each:g} of them",
        )
        if devices.device.startswith(_NO_GPUS):
            hours = _gpu_mtbf_h(facts) / _NODE
            source = f"assumed as a node of {_NODE} H100; nothing is published about {devices.device}"
            part = replace(part, mtbf_h=hours, provenance="not public", source=source)
        for key in (devices.pool, f"{name}.{devices.pool}"):
            if key in mtbf_h:
                part = replace(part, mtbf_h=mtbf_h[key], provenance="assumed", source="as asked for")
        if part.mtbf_h <= 0:
            raise InputError("--mtbf", devices.pool, part.mtbf_h, "a time above 0")
        found.append(part)
    return tuple(found)


def _gpu_mtbf_h(facts: Catalog) -> float:
    return facts.entry("workloads", "reliability").number("mtbf_per_gpu_all_causes") / 3600.0
