"""The same drills under every policy for work that is lost, side by side."""

from __future__ import annotations

import copy
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from subsecond.agents.plan_cache import PlanCache
from subsecond.engine.budgets import Budget
from subsecond.engine.drills.catalog import Drill
from subsecond.engine.drills.study import PolicyOutcome
from subsecond.engine.latency.pipelines import BuiltPipeline

from .drilling import Stage, run_drills
from .points import Base, Point, plan_point

__all__ = ["FALLBACK_GPUS", "POLICIES", "run_policies"]

POLICIES: Final = ("retry", "reprefill", "fallback", "fail")
#: GPUs that stand ready where a pipeline has none to fall back to: one node, an assumption.
FALLBACK_GPUS: Final = 8
_KEYS = ("prefill_lost", "decode_lost", "handoff_lost")


def run_policies(
    stage: Stage,
    drills: Sequence[Drill],
    seeds: Sequence[int],
    main: Mapping[str, Budget] | None = None,
    *,
    cache: PlanCache | None = None,
) -> list[PolicyOutcome]:
    """Hold drills once per policy.

    Raises:
        InputError: as of `run_drills`.
    """
    kept = cache or PlanCache()
    pipelines = plan_point(stage.base, Point(), kept).pipelines
    found = []
    for policy in POLICIES:
        left_out = {name: reason for name, built in pipelines.items() if (reason := _reason(policy, built))}
        changes = {name: _parameters(policy, built) for name, built in pipelines.items() if name not in left_out}
        if not changes:
            found.append(PolicyOutcome(policy, (), left_out))
            continue
        there = replace(stage, base=_only(stage.base, changes))
        held = run_drills(there, [_for(drill, changes) for drill in drills], seeds, main, cache=kept)
        found.append(PolicyOutcome(policy, tuple(held), left_out))
    return found


def _reason(policy: str, built: BuiltPipeline) -> str:
    """Why a pipeline cannot have a policy; empty if it can."""
    if "prefill_lost" not in built.parameters:
        return "its policy cannot be chosen"
    if policy == "fallback" and "fallback_gpus" not in built.parameters:
        return "it has nothing to fall back to"
    return ""


def _parameters(policy: str, built: BuiltPipeline) -> dict[str, object]:
    changed: dict[str, object] = {key: policy for key in _KEYS if key in built.parameters}
    if policy == "fallback" and not built.parameters["fallback_gpus"].number:
        changed["fallback_gpus"] = FALLBACK_GPUS
    return changed


def _for(drill: Drill, lanes: Container[str]) -> Drill:
    """The drill without what is for other pipelines alone."""
    steps = tuple(step for step in drill.steps if step.pipeline is None or step.pipeline in lanes)
    return msgspec.structs.replace(drill, steps=steps)


def _only(base: Base, changes: Mapping[str, Mapping[str, object]]) -> Base:
    """The base with these pipelines alone, changed; faults of its own on others are left out."""
    tables = copy.deepcopy(base.tables)
    tables["pipelines"] = {name: {**tables["pipelines"][name], **changes[name]} for name in changes}
    if "faults" in tables:
        tables["faults"] = [f for f in tables["faults"] if f.get("pipeline") in (None, *changes)]
    return replace(base, tables=tables)
