"""Agents with shorter or longer contexts: what of their parameters is scaled so that prompts really change."""

from __future__ import annotations

from typing import Any

from subsecond.agents.parameters import Parameters
from subsecond.engine.catalog import Catalog
from subsecond.engine.errors import InputError
from subsecond.engine.scenario import AgentsTable

__all__ = ["SCALED", "scaled_parameters"]

#: Parameters that are multiplied together, by kind of agents. Of coding agents the whole life of a context: how it
#: begins, grows, when it is compacted and to what; replies stay as they are. A call's context is mostly instructions
#: and tool schemas, and what tools have said.
SCALED = {
    "coding": (
        "prompt.shared_prefix",
        "prompt.fresh",
        "prompt.resumed",
        "prompt.growth_at_start",
        "prompt.growth_after_tool",
        "prompt.growth_after_user",
        "compaction.at",
        "compaction.to",
        "subagents.shared_prefix",
        "subagents.first_prompt",
    ),
    "voice": ("prompt.shared_prefix", "tools.result_tokens"),
}


def scaled_parameters(table: AgentsTable, factor: float, facts: Catalog) -> dict[str, Any]:
    """Overrides of the agents' parameters with contexts multiplied by a factor.

    A model's window bounds them: beyond it contexts are compacted earlier, and grow no further.

    Raises:
        InputError: a factor that leads out of a parameter's range, or the agents' parameters cannot be used.
    """
    found = _parameters(table, facts)
    chosen = dict(table.parameters)
    for key in SCALED[table.kind]:
        entry = found.entries[key]
        chosen.pop(key, None)  # what is said last counts
        if entry.is_distribution:
            chosen.pop(f"{key}.scale", None)
            chosen[key] = {_label(p): max(entry.minimum, value * factor) for p, value in entry.points}
        else:
            chosen[key] = max(1, round(entry.value * factor))
    return chosen


def _label(probability: float) -> str:
    return {0.0: "min", 1.0: "max"}.get(probability, f"p{round(probability * 100, 7):g}")


def _parameters(table: AgentsTable, facts: Catalog) -> Parameters:
    if table.kind == "coding":
        from subsecond.agents.coding import coding_parameters

        return coding_parameters(table.parameters)
    if table.kind == "voice":
        from subsecond.agents.voice import voice_parameters

        return voice_parameters(table.profile, table.parameters, facts)
    raise InputError("scenario", "agents", table.kind, "one of " + ", ".join(SCALED))
