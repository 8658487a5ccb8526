"""From a drill to the faults of each pipeline, or to the reason why it leaves one alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from subsecond.engine.core.config import Pipeline, Role
from subsecond.engine.faults import FAULT_KINDS, Spell, parts_of, spells_of
from subsecond.engine.scenario import FaultTable

from .catalog import EACH, Drill, Step

__all__ = ["Strike", "strike"]

#: What a pipeline has to have for a kind of fault.
_NEEDS = {
    "prefill_down": "prefill servers of its own",
    "decode_down": "decode servers of its own",
    "gpu_down": "servers that do prefill and decode",
    "link_cut": "a link between prefill and decode",
    "link_degraded": "a link between prefill and decode",
    "handoff_loss": "a handoff between prefill and decode",
}


@dataclass(frozen=True, slots=True)
class Strike:
    """What a drill does to one pipeline.

    Attributes:
        spells: its faults, by time; empty: it leaves the pipeline alone.
        reason: why it does so, or why a part of it is left out; empty: nothing is.
    """

    spells: tuple[Spell, ...]
    reason: str = ""

    @property
    def begin_ps(self) -> int | None:
        """When the first fault begins; None: there is none."""
        return min((spell.begin_ps for spell in self.spells), default=None)

    @property
    def last_begin_ps(self) -> int | None:
        """When the last fault begins."""
        return max((spell.begin_ps for spell in self.spells), default=None)

    @property
    def end_ps(self) -> int | None:
        """When everything is mended; None: never, or there is nothing."""
        ends = [spell.end_ps for spell in self.spells]
        return None if None in ends else max((end for end in ends if end is not None), default=None)


def strike(drill: Drill, pipelines: Mapping[str, Pipeline], begin_s: float, where: str) -> dict[str, Strike]:
    """The faults of each pipeline.

    Args:
        begin_s: when the drill begins.

    Raises:
        InputError: a kind, pipeline, target or value that cannot be.
    """
    for step in drill.steps:  # a kind or a pipeline that nobody has is a slip, not a reason to leave pipelines alone
        _check(step, pipelines, begin_s, where)
    return {name: _struck(drill, name, pipeline, begin_s, where) for name, pipeline in pipelines.items()}


def _check(step: Step, pipelines: Mapping[str, Pipeline], begin_s: float, where: str) -> None:
    for kind in dict.fromkeys((step.disaggregated, step.colocated)):
        if kind is not None and (kind not in FAULT_KINDS or step.pipeline not in (None, *pipelines)):
            spells_of([FaultTable(kind, begin_s, step.duration_s, step.pipeline)], dict(pipelines), where)


def _struck(drill: Drill, name: str, pipeline: Pipeline, begin_s: float, where: str) -> Strike:
    tables: list[FaultTable] = []
    lacking: list[str] = []
    reasons: list[str] = []
    end_s = begin_s
    for step in drill.steps:
        if step.pipeline not in (None, name):
            continue
        start = (end_s if step.then else begin_s) + step.after_s
        found = list(_tables(step, pipeline, start, lacking, reasons))
        tables += found
        end_s = max([end_s, *(table.at_s + (table.duration_s or 0.0) + step.pause_s for table in found)])
    spells = spells_of(tables, {name: pipeline}, where)[name] if tables else []
    named = any(step.pipeline in (None, name) for step in drill.steps)
    # what a drill has for the other design alone is no reason, unless it has nothing for this one
    reasons = reasons if tables else [*reasons, *lacking]
    reason = "; ".join(dict.fromkeys(reasons)) if named else "it is for other pipelines"
    return Strike(tuple(sorted(spells, key=lambda spell: spell.begin_ps)), reason)


def _tables(
    step: Step, pipeline: Pipeline, start_s: float, lacking: list[str], reasons: list[str]
) -> Iterator[FaultTable]:
    """The faults of one step.

    Args:
        lacking, reasons: get why it has none, for want of a kind of part and for want of one of a number.
    """
    kind = step.disaggregated if pipeline.entry.role is Role.PREFILL else step.colocated
    parts = parts_of(kind, pipeline) if kind is not None else 0
    if kind is None or not parts:
        needed = kind or step.disaggregated or step.colocated or ""
        lacking.append(f"it has no {_NEEDS.get(needed, needed).removeprefix('a ')}")
        return
    if step.target == EACH:
        for place, target in enumerate(_servers(kind, step, pipeline)):
            at = start_s + place * ((step.duration_s or 0.0) + step.pause_s)
            yield FaultTable(kind, at, step.duration_s, None, target, step.value)
        return
    servers = _servers(kind, step, pipeline)
    if step.target >= len(servers) > 0 and step.pipeline is None:
        reasons.append(f"it has {_counted(len(servers))} that {kind} can strike")
        return
    target = servers[step.target] if 0 <= step.target < len(servers) else step.target
    yield FaultTable(kind, start_s, step.duration_s, None, target, step.value)


def _servers(kind: str, step: Step, pipeline: Pipeline) -> Sequence[int]:
    """The numbers that `FaultTable.target` has for the parts that a step counts."""
    if kind != "slow" or step.pool == "all":
        return range(parts_of(kind, pipeline))
    entry = pipeline.entry.num_servers
    if step.pool == "decode" and pipeline.decode is not None:
        return range(entry, entry + pipeline.decode.num_servers)
    return range(entry)


def _counted(count: int) -> str:
    return "only one" if count == 1 else f"only {count}"
