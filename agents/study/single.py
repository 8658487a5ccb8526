"""The agents whose number a study varies, and what becomes of the scenario's other ones."""

from __future__ import annotations

import copy
from dataclasses import replace

from subsecond.engine.errors import InputError

from .points import Base

__all__ = ["single_out"]


def single_out(base: Base, kind: str, *, alone: bool) -> tuple[Base, int]:
    """The base, and the place of the one table of these agents; an arrival rate of theirs is dropped.

    Args:
        alone: leave out the scenario's other agents and its traces, with their budgets.

    Raises:
        InputError: there is no such table, or several.
    """
    scenario = base.scenario
    places = [i for i, table in enumerate(scenario.agents) if table.kind == kind]
    if len(places) != 1:
        expected = f"one [[agents]] table of {kind} agents, whose number can be varied"
        raise InputError(scenario.where, "agents", f"{len(places)} of {kind}", expected)
    place, tables = places[0], copy.deepcopy(base.tables)
    tables["agents"][place].pop("arrival_rate_per_s", None)
    if alone:
        tables["agents"], tables["traces"] = [tables["agents"][place]], []
        own = tables.get("budgets", {}).items()
        tables["budgets"] = {name: b for name, b in own if (b["agents"] if isinstance(b, dict) else name) == kind}
        place = 0
    return replace(base, tables=tables), place
