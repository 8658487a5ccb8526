"""Which budget of which agents a study is about."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from subsecond.agents.plan_cache import PlanCache
from subsecond.engine.budgets import Budget, catalog_budget
from subsecond.engine.catalog import Catalog, catalog
from subsecond.engine.errors import InputError

from .points import Base, Point, plan_point

__all__ = ["Choice", "budget_document", "choose"]


@dataclass(frozen=True, slots=True)
class Choice:
    """A base whose scenario has the budget, and the budget with the percentile that counts."""

    base: Base
    budget: Budget

    @property
    def kind(self) -> str:
        return self.budget.agents

    @property
    def target(self) -> float:
        """Share of turns that shall meet the budget."""
        return self.budget.percentile / 100


def choose(
    base: Base,
    *,
    kind: str | None = None,
    budget: str | None = None,
    percentile: float | None = None,
    cache: PlanCache | None = None,
) -> Choice:
    """The budget of a study.

    Args:
        kind: of agents; None: the first kind that has the budget.
        budget: of the scenario or the catalog; None: the first of the kind.
        percentile: instead of the budget's own.

    Raises:
        InputError: no such agents or budget, or a percentile out of range.
    """
    if percentile is not None and not 0 < percentile <= 100:
        raise InputError("--percentile", "", percentile, "a number above 0, up to 100")
    plan = plan_point(base, Point(), cache)
    kinds = plan.workload.kinds
    if kind is not None and kind not in kinds:
        raise InputError("--agents", "", kind, "agents of the scenario: " + ", ".join(kinds))
    own = [found for found in plan.budgets if kind in (None, found.agents)]
    named = [found for found in own if budget in (None, found.name, found.name.partition(":")[0])]
    if named:
        found = named[0]
    elif budget is None:
        raise InputError("--budget", "", "none", f"a name: the scenario has no budget for {kind or 'its agents'}")
    else:
        base, found = _added(base, kind, kinds, budget, cache)
    return Choice(base, found if percentile is None else replace(found, percentile=percentile))


def _added(
    base: Base, kind: str | None, kinds: Sequence[str], name: str, cache: PlanCache | None
) -> tuple[Base, Budget]:
    """The base with a budget of the catalog added to its scenario's, for the agents that it is meant for."""
    scenario = base.scenario
    facts = Catalog(scenario.catalog, scenario.where) if scenario.catalog else catalog()
    entry = facts.find("budgets", name)
    use = "" if entry is None else facts.entry("budgets", entry).fields.get("use", "")
    kind = kind or (use if use in kinds else kinds[0])
    try:
        found = catalog_budget(name, kind, facts, "--budget")
    except InputError as error:
        own = [b.name for b in plan_point(base, Point(), cache).budgets]
        raise InputError("--budget", "", name, f"{', '.join(own)}; or of the catalog {error.expected}") from None
    tables = copy.deepcopy(base.tables)
    budgets = tables.setdefault("budgets", {})
    budgets[kind] = [*budgets.get(kind, []), found.name]
    return replace(base, tables=tables), found


def budget_document(budget: Budget) -> dict[str, Any]:
    """A budget as documents of studies have it."""
    return {
        "name": budget.name,
        "limits": budget.shown,
        "percentile": budget.percentile,
        "source": budget.source,
    }
