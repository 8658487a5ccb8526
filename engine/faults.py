"""What can break, by the names that scenarios use, and the core's faults that it becomes.

| kind | target | value | breaks |
| --- | --- | --- | --- |
| `prefill_down` | prefill replica | - | the replica and its prefix cache |
| `decode_down` | decode group | - | the group and the KV of every session on it |
| `gpu_down` | replica | - | a server that does prefill and decode |
| `slow` | server | times slower | a server, counted through all pools |
| `link_cut` | link | - | the way into a decode group |
| `link_degraded` | link | share of the rate that is left | the same |
| `handoff_loss` | - | probability | each handoff is lost with that probability |
| `throttle` | - | probability | each request is refused (429) with that probability |
| `stall` | - | - | the router forwards nothing until the fault ends |
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from subsecond.engine.core.config import Fault, FaultKind, Pipeline, Role
from subsecond.engine.errors import InputError
from subsecond.engine.scenario import FaultTable

__all__ = ["FAULT_KINDS", "faults_of"]

FAULT_KINDS = (
    "prefill_down",
    "decode_down",
    "gpu_down",
    "slow",
    "link_cut",
    "link_degraded",
    "handoff_loss",
    "throttle",
    "stall",
)
_NORMAL = 64  # slowness and link rate of a healthy part
_CERTAIN = 1 << 31
PS_PER_S = 10**12


def faults_of(tables: Sequence[FaultTable], pipelines: dict[str, Pipeline], where: str) -> dict[str, list[Fault]]:
    """The core's faults of each pipeline, by time.

    A fault that names no pipeline strikes every one that has the part.

    Raises:
        InputError: unknown kind or pipeline, a part that no pipeline has, or a value out of range.
    """
    found: dict[str, list[Fault]] = {name: [] for name in pipelines}
    for i, table in enumerate(tables):
        field = f"faults.{i}"
        if table.kind not in FAULT_KINDS:
            raise InputError(where, f"{field}.kind", table.kind, "one of " + ", ".join(FAULT_KINDS))
        if table.pipeline is not None and table.pipeline not in pipelines:
            raise InputError(where, f"{field}.pipeline", table.pipeline, "one of " + ", ".join(pipelines))
        names = pipelines if table.pipeline is None else [table.pipeline]
        struck = [name for name in names if _parts(table.kind, pipelines[name])]
        if not struck:
            raise InputError(where, f"{field}.kind", table.kind, "a part that a pipeline of the scenario has")
        for name in struck:
            found[name] += _faults(table, pipelines[name], where, field)
    return {name: sorted(faults, key=lambda fault: fault.at_ps) for name, faults in found.items()}


def _parts(kind: str, pipeline: Pipeline) -> int:
    """How many targets of a kind of fault a pipeline has; 1 for faults without a target."""
    is_split = pipeline.entry.role is Role.PREFILL
    decode = pipeline.decode.num_servers if pipeline.decode else 0
    fallback = pipeline.fallback.num_servers if pipeline.fallback else 0
    return {
        "prefill_down": pipeline.entry.num_servers if is_split else 0,
        "gpu_down": 0 if is_split else pipeline.entry.num_servers,
        "decode_down": decode,
        "link_cut": decode,
        "link_degraded": decode,
        "handoff_loss": min(decode, 1),
        "slow": pipeline.entry.num_servers + decode + fallback,
    }.get(kind, 1)


def _faults(table: FaultTable, pipeline: Pipeline, where: str, field: str) -> list[Fault]:
    parts = _parts(table.kind, pipeline)
    if not 0 <= table.target < parts:
        raise InputError(where, f"{field}.target", table.target, f"a number from 0 to {parts - 1}")
    at = round(table.at_s * PS_PER_S)
    end = None if table.duration_s is None else at + round(table.duration_s * PS_PER_S)
    if table.kind == "stall":
        if end is None:
            raise InputError(where, f"{field}.duration_s", "nothing", "how long the router stalls")
        return [Fault(at, FaultKind.STALL_UNTIL, 0, end)]
    if table.kind in ("prefill_down", "decode_down", "gpu_down"):
        server = table.target + (pipeline.entry.num_servers if table.kind == "decode_down" else 0)
        down = [Fault(at, FaultKind.SERVER_DOWN, server)]
        return down if end is None else [*down, Fault(end, FaultKind.SERVER_UP, server)]
    kind, value, normal = _level(table, where, field)
    target = table.target if kind in (FaultKind.SERVER_SLOW, FaultKind.LINK_RATE) else 0
    begin = [Fault(at, kind, target, value)]
    return begin if end is None else [*begin, Fault(end, kind, target, normal)]


def _level(table: FaultTable, where: str, field: str) -> tuple[FaultKind, int, int]:
    """Kind, value while it lasts, and value after it."""
    if table.kind == "link_cut":
        return FaultKind.LINK_RATE, 0, _NORMAL
    if table.kind == "slow":
        factor = _value(table, 1.0, 10_000.0, "how many times slower, from 1 to 10000", where, field)
        return FaultKind.SERVER_SLOW, round(factor * _NORMAL), _NORMAL
    if table.kind == "link_degraded":
        share = _value(table, 1e-4, 1.0, "the share of the rate that is left, from 0.0001 to 1", where, field)
        return FaultKind.LINK_RATE, round(_NORMAL / share), _NORMAL
    chance = round(_value(table, 0.0, 1.0, "a probability from 0 to 1", where, field) * _CERTAIN)
    return (FaultKind.HANDOFF_LOSS if table.kind == "handoff_loss" else FaultKind.THROTTLE), chance, 0


def _value(table: FaultTable, low: float, high: float, expected: str, where: str, field: str) -> float:
    if table.value is None or not math.isfinite(table.value) or not low <= table.value <= high:
        shown = "nothing" if table.value is None else table.value
        raise InputError(where, f"{field}.value", shown, expected)
    return table.value
