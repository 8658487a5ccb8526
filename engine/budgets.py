"""Budgets: what a turn may take, by name, from the catalog or a user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.catalog import Catalog, Entry
from subsecond.engine.errors import InputError
from subsecond.engine.scenario import BudgetTable
from subsecond.engine.turns import TurnState

__all__ = ["Budget", "budgets_of", "catalog_budget"]

PS_PER_MS = 10**9

#: Budgets of an agent kind for which a scenario names none; "" stands for every other kind.
_DEFAULTS = {
    "coding": ["agent-step"],
    "voice": ["voice-slow-line", "voice-sub-second"],
    "": ["mlperf-llama-2-70b-interactive"],
}
#: What the `span` of a catalog budget with one limit is about.
_SPANS = ("turn", "ttft", "tpot")


class Measured(Protocol):
    """Turns as columns; see `Turns`."""

    @property
    def state(self) -> NDArray[Any]: ...
    @property
    def latency_ps(self) -> NDArray[np.int64]: ...
    @property
    def ttft_ps(self) -> NDArray[np.int64]: ...
    @property
    def tpot_ps(self) -> NDArray[np.int64]: ...


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits in ps on a turn, on the time to first token and on the time per later token; None: no limit.

    Attributes:
        percentile: the share of turns, in percent, that shall keep the limits.
        source: where the limits come from.
    """

    name: str
    agents: str
    turn_ps: int | None
    ttft_ps: int | None
    tpot_ps: int | None
    percentile: float
    source: str

    def met(self, turns: Measured) -> NDArray[np.bool_]:
        """Per turn whether it was answered within every limit, [num_turns]."""
        met: NDArray[np.bool_] = turns.state == TurnState.ANSWERED
        for limit, column in (
            (self.turn_ps, turns.latency_ps),
            (self.ttft_ps, turns.ttft_ps),
            (self.tpot_ps, turns.tpot_ps),
        ):
            if limit is not None:
                met &= column <= limit
        return met

    @property
    def shown(self) -> str:
        """The limits for people: `<= 800 ms`, `TTFT <= 450 ms, TPOT <= 40 ms`."""
        named = (("", self.turn_ps), ("TTFT ", self.ttft_ps), ("TPOT ", self.tpot_ps))
        return ", ".join(f"{name}<= {limit / PS_PER_MS:g} ms" for name, limit in named if limit is not None)


def budgets_of(
    named: Mapping[str, Sequence[str] | BudgetTable],
    kinds: Sequence[str],
    catalog: Catalog,
    where: str,
    *,
    is_recorded: bool = False,
) -> tuple[Budget, ...]:
    """The budgets of a scenario for the agent kinds of its workload, in the order of the kinds.

    Args:
        is_recorded: the workload holds traces; which kinds those have, and which a sample has left, only a run shows.

    Raises:
        InputError: no such kind or budget, or a budget that a simulated turn cannot be held against.
    """
    if not is_recorded:
        _check_kinds(named, kinds, where)
    budgets: list[Budget] = []
    for kind in kinds:
        names = named.get(kind)
        if isinstance(names, BudgetTable):
            raise InputError(where, f"budgets.{kind}", kind, "a name for the budget that is no agent kind")
        own = [_own_budget(n, t, where) for n, t in named.items() if isinstance(t, BudgetTable) and t.agents == kind]
        if names is None and not own:
            names = _DEFAULTS.get(kind, _DEFAULTS[""])
        budgets += [catalog_budget(name, kind, catalog, f"{where}: budgets.{kind}") for name in names or ()]
        budgets += own
    return _named_once(budgets, where)


def _named_once(budgets: Sequence[Budget], where: str) -> tuple[Budget, ...]:
    """Results are found by a budget's name: one that several kinds share is told apart by the kind."""
    seen: set[tuple[str, str]] = set()
    for budget in budgets:
        if (budget.agents, budget.name) in seen:
            raise InputError(where, f"budgets.{budget.agents}", budget.name, "each budget of a kind once")
        seen.add((budget.agents, budget.name))
    kinds = {budget.name: {b.agents for b in budgets if b.name == budget.name} for budget in budgets}
    return tuple(b if len(kinds[b.name]) == 1 else replace(b, name=f"{b.name}:{b.agents}") for b in budgets)


def _check_kinds(named: Mapping[str, Sequence[str] | BudgetTable], kinds: Sequence[str], where: str) -> None:
    """A slip in the name of an agent kind must not lose a budget."""
    for name, table in named.items():
        own = isinstance(table, BudgetTable)
        kind = table.agents if isinstance(table, BudgetTable) else name
        if kind not in kinds:
            expected = f"a kind of agents of this workload: {', '.join(kinds)}"
            raise InputError(where, f"budgets.{name}.agents" if own else f"budgets.{name}", kind, expected)


def catalog_budget(name: str, kind: str, catalog: Catalog, where: str) -> Budget:
    """A budget of the catalog, for one agent kind.

    Raises:
        InputError: there is none of that name, or it limits something that is no part of a turn.
    """
    found = catalog.find("budgets", name)
    if found is None:
        raise InputError(where, "", name, "one of " + ", ".join(_usable(catalog)))
    entry = catalog.entry("budgets", found)
    limits = _limits(entry)
    if limits is None:
        raise InputError(where, "", name, "a budget on turns or tokens: " + ", ".join(_usable(catalog)))
    source = "; ".join(dict.fromkeys(value.source for value in entry.values.values()))
    return Budget(found, kind, *limits, _percentile(entry.fields.get("statistic", "")), source)


def _usable(catalog: Catalog) -> list[str]:
    return [name for name in catalog.names("budgets") if _limits(catalog.entry("budgets", name)) is not None]


def _limits(entry: Entry) -> tuple[int | None, int | None, int | None] | None:
    span = entry.fields.get("span")
    if span in _SPANS and "limit" in entry.values:
        limit = _ps(entry.number("limit") * 1000)
        turn, ttft, tpot = (limit if s == span else None for s in _SPANS)
        return turn, ttft, tpot
    ttft, tpot = (_ps(entry.number(k) * 1000) if k in entry.values else None for k in ("ttft", "tpot"))
    return (None, ttft, tpot) if ttft is not None or tpot is not None else None


def _percentile(statistic: str) -> float:
    """`p99`, `p95 target`, `TTFT p50` or `90% attainment` as a number; a bare target is meant for 95 of 100."""
    for word in statistic.lower().replace("%", " ").split()[:2]:
        digits = word.removeprefix("p")
        if digits.isdigit() and 0 < int(digits) < 100:
            return float(digits)
    return 95.0


def _own_budget(name: str, table: BudgetTable, where: str) -> Budget:
    field = f"budgets.{name}"
    limits = {"turn_ms": table.turn_ms, "ttft_ms": table.ttft_ms, "tpot_ms": table.tpot_ms}
    for key, limit in limits.items():
        if limit is not None and not 0 < limit < 1e9:
            raise InputError(where, f"{field}.{key}", limit, "a number of ms above 0")
    turn, ttft, tpot = (None if limit is None else _ps(limit) for limit in limits.values())
    if turn is ttft is tpot is None:
        raise InputError(where, field, "no limit", "turn_ms, ttft_ms or tpot_ms")
    if not 0 < table.percentile <= 100:
        raise InputError(where, f"{field}.percentile", table.percentile, "a number above 0, up to 100")
    return Budget(name, table.agents, turn, ttft, tpot, table.percentile, where)


def _ps(ms: float) -> int:
    return round(ms * PS_PER_MS)
