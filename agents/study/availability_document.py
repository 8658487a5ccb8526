"""The long run as a JSON document; `docs/drills.md` describes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from subsecond.engine.drills.availability import Availability

from .availability import LaneAvailability, Question, Reliability

__all__ = ["SCHEMA", "document_of"]

#: Name and version; the number goes up when a key changes its meaning or goes away.
SCHEMA = "subsecond.availability/1"


def document_of(scenario: str, asked: Question, lanes: Sequence[LaneAvailability]) -> dict[str, Any]:
    """The document, made of plain JSON values."""
    return {
        "schema": SCHEMA,
        "scenario": scenario,
        "weeks": asked.weeks,
        "repair_s": asked.mttr_s,
        "pipelines": {lane.lane: _lane(lane) for lane in lanes},
    }


def _lane(lane: LaneAvailability) -> dict[str, Any]:
    return {
        "parts": [
            {**msgspec.to_builtins(part), "incidents_per_year": part.incidents_per_s * 8766 * 3600}
            for part in lane.parts
        ],
        "by_agents": {kind: _kind(found) for kind, found in lane.kinds.items()},
        "simulated_incidents": lane.incidents,
        "simulated_down_s": lane.seconds_down,
    }


def _kind(found: Reliability) -> dict[str, Any]:
    return {
        "budget": {
            "name": found.budget.name,
            "limit": found.budget.shown,
            "percentile": found.budget.percentile,
            "source": found.budget.source,
        },
        "without_failures": {**msgspec.to_builtins(found.baseline), "attainment": found.baseline.attainment},
        "incident_costs": [msgspec.to_builtins(cost) for cost in found.costs],
        "long_run": _result(found.result),
        "sensitivity": [
            {"pool": pool, "mtbf_factor": factor, **_result(result)}
            for (pool, factor), result in found.sensitivity.items()
        ],
        "simulated": None if found.direct is None else [msgspec.to_builtins(counts) for counts in found.direct],
    }


def _result(result: Availability) -> dict[str, Any]:
    return {**msgspec.to_builtins(result), "nines": result.nines}
