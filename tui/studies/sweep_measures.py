"""What a sweep measures of an agent kind at a point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .sweep_points import BudgetSeen, GroupSeen, SweepSeen
from .text import finite, ms_text, rate_text, share_words

__all__ = ["Measure", "measures_of"]

_TIMES = ("p50", "p90", "p95", "p99", "mean")


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure.

    Attributes:
        name: in words.
        of: its value; None: there is none.
        text: how values are written.
        is_share: whether values go from 0 to 1.
        is_good: whether a value keeps the budget; None: there is no budget to keep, or it cannot be told.
        line: where the budget lies among the values; None: nowhere.
        budget: what the line is called.
    """

    name: str
    short: str
    of: Callable[[GroupSeen], float | None]
    text: Callable[[float], str]
    is_good: Callable[[GroupSeen], bool | None]
    is_share: bool = False
    line: float | None = None
    budget: str = ""


def measures_of(sweep: SweepSeen, kind: str) -> list[Measure]:
    """Measures of a kind: shares within its budgets, times, turns in time per second, failures."""
    budgets = _budgets(sweep, kind)
    found = [_share(name, budget) for name, budget in budgets.items()]
    first = next(iter(budgets.items()), None)
    found += [_time(name, first) for name in _TIMES]
    found.append(Measure("turns in time per second", "good/s", _goodput, rate_text, lambda g: None))
    found.append(Measure("turns that failed", "failed", _failed, share_words, lambda g: None, True))
    return found


def _budgets(sweep: SweepSeen, kind: str) -> dict[str, BudgetSeen]:
    """Budgets of a kind, from the first point that has any."""
    for point in sweep.points:
        for lane in point.lanes.values():
            group = lane.groups.get(kind)
            if group is not None and group.budgets:
                return dict(group.budgets)
    return {}


def _share(name: str, budget: BudgetSeen) -> Measure:
    def value(group: GroupSeen) -> float | None:
        own = group.budgets.get(name)
        return None if own is None else finite(own.share)

    def is_good(group: GroupSeen) -> bool | None:
        own = group.budgets.get(name)
        return None if own is None or own.share is None else own.is_kept

    words = f"in time, {name}" + (f" {budget.shown}" if budget.shown else "")
    return Measure(words, "in time", value, share_words, is_good, True, budget.percentile / 100, "asked for")


def _time(name: str, first: tuple[str, BudgetSeen] | None) -> Measure:
    budget = None if first is None else first[1]
    limit = None if budget is None or name == "mean" else budget.turn_ms
    # The percentile of the budget is what the limit holds for.
    is_own = budget is not None and name == f"p{budget.percentile:g}"

    def is_good(group: GroupSeen) -> bool | None:
        value = group.times_ms.get(name)
        return None if limit is None or not is_own or value is None else value <= limit

    words = f"{name} of a turn"
    return Measure(words, name, lambda g: finite(g.times_ms.get(name)), ms_text, is_good, False, limit, "budget")


def _goodput(group: GroupSeen) -> float | None:
    return finite(group.goodput_per_s)


def _failed(group: GroupSeen) -> float | None:
    return group.failed / group.turns if group.turns else None
