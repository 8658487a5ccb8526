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

Where faults of one kind overlap on one part, the worst of them counts, and the part is mended when the last one ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from subsecond.engine.core.config import Fault, FaultKind, Pipeline, Role
from subsecond.engine.errors import InputError
from subsecond.engine.feed import FaultNote
from subsecond.engine.scenario import MAX_DURATION_S, FaultTable

__all__ = ["FAULT_KINDS", "Spell", "changes", "faults_of", "parts_of", "spells_of"]

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
#: Kinds that `value` says something about.
_WITH_VALUE = ("slow", "link_degraded", "handoff_loss", "throttle")
_NORMAL = 64  # slowness and link rate of a healthy part
_CERTAIN = 1 << 31
PS_PER_S = 10**12


@dataclass(frozen=True, slots=True)
class Spell:
    """One fault on one pipeline, from its beginning to its end.

    Attributes:
        name, part, shown: kind, target and value as a scenario has them.
        kind, target, value: of the core's fault that begins it; the value of a stall is the end that it was given.
        end_ps: None: it is never mended.
        drill: name of the drill that it belongs to; empty: of none.
    """

    name: str
    part: int
    shown: float | None
    kind: FaultKind
    target: int
    begin_ps: int
    end_ps: int | None
    value: int
    drill: str = ""

    def is_in_effect(self, at_ps: int) -> bool:
        """Whether it has begun at a time, and not ended."""
        return self.begin_ps <= at_ps and (self.end_ps is None or at_ps < self.end_ps)

    def note(self, lane: int) -> FaultNote:
        """What the feed says about it."""
        return FaultNote(self.begin_ps, lane, self.name, self.part, self.shown, self.end_ps, self.drill)


def faults_of(tables: Sequence[FaultTable], pipelines: dict[str, Pipeline], where: str) -> dict[str, list[Fault]]:
    """The core's faults of each pipeline, by time.

    A fault that names no pipeline strikes every one that has the part.

    Raises:
        InputError: unknown kind or pipeline, a part that no pipeline has, or a value out of range.
    """
    return {name: changes(spells) for name, spells in spells_of(tables, pipelines, where).items()}


def spells_of(tables: Sequence[FaultTable], pipelines: dict[str, Pipeline], where: str) -> dict[str, list[Spell]]:
    """The faults that strike each pipeline, in the order of the tables; errors as in `faults_of`."""
    found: dict[str, list[Spell]] = {name: [] for name in pipelines}
    for i, table in enumerate(tables):
        field = f"faults.{i}"
        if table.kind not in FAULT_KINDS:
            raise InputError(where, f"{field}.kind", table.kind, "one of " + ", ".join(FAULT_KINDS))
        if table.pipeline is not None and table.pipeline not in pipelines:
            raise InputError(where, f"{field}.pipeline", table.pipeline, "one of " + ", ".join(pipelines))
        names = pipelines if table.pipeline is None else [table.pipeline]
        struck = [name for name in names if parts_of(table.kind, pipelines[name])]
        if not struck:
            fitting = [kind for kind in FAULT_KINDS if any(parts_of(kind, pipelines[name]) for name in names)]
            raise InputError(where, f"{field}.kind", table.kind, f"for {', '.join(names)} one of " + ", ".join(fitting))
        for name in struck:
            found[name].append(_spell(table, pipelines[name], where, field))
    return found


def changes(spells: Sequence[Spell]) -> list[Fault]:
    """What changes when, by time: of spells that overlap on a part the worst counts."""
    found: list[Fault] = []
    for kind, target in dict.fromkeys((spell.kind, spell.target) for spell in spells):
        found += _changes(kind, target, [spell for spell in spells if (spell.kind, spell.target) == (kind, target)])
    return sorted(found, key=lambda fault: fault.at_ps)


def _changes(kind: FaultKind, target: int, spells: Sequence[Spell]) -> Iterator[Fault]:
    """What changes on one part."""
    level = healthy = _healthy(kind)
    for at in sorted({t for spell in spells for t in (spell.begin_ps, spell.end_ps) if t is not None}):
        active = [spell.value for spell in spells if spell.is_in_effect(at)]
        worst = max(active, key=lambda value: _severity(kind, value), default=healthy)
        if worst == level:
            continue
        if kind is FaultKind.SERVER_DOWN:
            yield Fault(at, FaultKind.SERVER_UP if worst == healthy else kind, target)
        elif kind is not FaultKind.STALL_UNTIL or worst != healthy:
            yield Fault(at, kind, target, worst)
        elif level > at:  # a stall ends by itself unless it is mended
            yield Fault(at, kind, target, at)
        level = worst


def _healthy(kind: FaultKind) -> int:
    return _NORMAL if kind in (FaultKind.SERVER_SLOW, FaultKind.LINK_RATE) else 0


def _severity(kind: FaultKind, value: int) -> float:
    return math.inf if kind is FaultKind.LINK_RATE and value == 0 else value


def parts_of(kind: str, pipeline: Pipeline) -> int:
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


def _spell(table: FaultTable, pipeline: Pipeline, where: str, field: str) -> Spell:
    parts = parts_of(table.kind, pipeline)
    if not 0 <= table.target < parts:
        raise InputError(where, f"{field}.target", table.target, f"a number from 0 to {parts - 1}")
    if table.value is not None and table.kind not in _WITH_VALUE:
        raise InputError(where, f"{field}.value", table.value, f"no value for {table.kind}")
    told = table.kind, table.target, table.value
    at = round(table.at_s * PS_PER_S)
    end = None if table.duration_s is None else at + round(table.duration_s * PS_PER_S)
    if end is not None and end > MAX_DURATION_S * PS_PER_S:
        expected = f"at_s and duration_s of at most {MAX_DURATION_S:g} s together"
        raise InputError(where, f"{field}.duration_s", table.duration_s, expected)
    if table.kind == "stall":
        if end is None:
            raise InputError(where, f"{field}.duration_s", "nothing", "how long the router stalls")
        return Spell(*told, FaultKind.STALL_UNTIL, 0, at, end, end)
    if table.kind in ("prefill_down", "decode_down", "gpu_down"):
        server = table.target + (pipeline.entry.num_servers if table.kind == "decode_down" else 0)
        return Spell(*told, FaultKind.SERVER_DOWN, server, at, end, 1)
    kind, value = _level(table, where, field)
    target = table.target if kind in (FaultKind.SERVER_SLOW, FaultKind.LINK_RATE) else 0
    return Spell(*told, kind, target, at, end, value)


def _level(table: FaultTable, where: str, field: str) -> tuple[FaultKind, int]:
    """Kind, and value while it lasts."""
    if table.kind == "link_cut":
        return FaultKind.LINK_RATE, 0
    if table.kind == "slow":
        factor = _value(table, 1.0, 10_000.0, "how many times slower, from 1 to 10000", where, field)
        return FaultKind.SERVER_SLOW, round(factor * _NORMAL)
    if table.kind == "link_degraded":
        share = _value(table, 1e-4, 1.0, "the share of the rate that is left, from 0.0001 to 1", where, field)
        return FaultKind.LINK_RATE, round(_NORMAL / share)
    chance = round(_value(table, 0.0, 1.0, "a probability from 0 to 1", where, field) * _CERTAIN)
    return (FaultKind.HANDOFF_LOSS if table.kind == "handoff_loss" else FaultKind.THROTTLE), chance


def _value(table: FaultTable, low: float, high: float, expected: str, where: str, field: str) -> float:
    if table.value is None or not math.isfinite(table.value) or not low <= table.value <= high:
        shown = "nothing" if table.value is None else table.value
        raise InputError(where, f"{field}.value", shown, expected)
    return table.value
