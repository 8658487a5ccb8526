"""What a comparison says, in a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator

from subsecond.engine.budgets import Budget
from subsecond.engine.findings import stage_words
from subsecond.engine.shares import cut_share

from .bootstrap import LEAST_SESSIONS, Estimate
from .compare import KindComparison

__all__ = ["sides_named", "time_words", "verdict"]

PS_PER_MS = 10**9
#: A stage makes the difference if it makes at least this share of what changes to the same side.
DECISIVE = 0.25


def sides_named(first: tuple[str, str], second: tuple[str, str]) -> tuple[str, str]:
    """What two sides are called: by lane if they are of one recording, by recording if the lanes are the same."""
    if first[0] == second[0]:
        return first[1], second[1]
    if first[1] == second[1]:
        return first[0], second[0]
    return f"{first[1]} ({first[0]})", f"{second[1]} ({second[0]})"


def verdict(found: KindComparison, names: tuple[str, str], budget: Budget | None) -> str:
    """A sentence about an agent kind: by how much, which stage, what it means for a budget, and whether it is chance.

    Args:
        names: of the two sides.
        budget: the one that counts; None: there is none.
    """
    parts = [*_latency(found, names), *_kept(found, budget)]
    if not parts:
        return f"{found.kind}: nothing to compare, since a side has answered no turn."
    return f"{found.kind}: {'; '.join(parts)}; {_chance(found, budget)}."


def _latency(found: KindComparison, names: tuple[str, str]) -> Iterator[str]:
    tail = found.latency_ps.get("p95")
    if tail is None:
        return
    if tail.value == 0:
        yield f"{names[1]} is as fast as {names[0]} at p95"
        return
    word = "faster" if tail.value < 0 else "slower"
    text = f"{names[1]} is {time_words(abs(tail.value))} {word} than {names[0]} at p95"
    yield text + _interval(tail) + _decisive(found.tail_stages_ps, tail.value)


def _interval(tail: Estimate) -> str:
    if tail.low is None or tail.high is None:
        return ""
    ends = sorted((tail.low, tail.high)) if tail.value > 0 else sorted((-tail.low, -tail.high))
    return f" (95 % interval {_signed_ms(ends[0])} .. {_signed_ms(ends[1])} ms)"


def _decisive(stages_ps: dict[str, float], difference_ps: float) -> str:
    """The stages that make most of a difference, the largest first, with their shares of it."""
    sign = math.copysign(1.0, difference_ps)
    if sum(stages_ps.values()) * sign <= 0:  # turns around the quantile do not follow it: nothing can be said
        return ""
    same = {name: change * sign for name, change in stages_ps.items() if change * sign > 0}
    shares = {name: change / sum(same.values()) for name, change in same.items()}
    large = [f"{100 * part:.0f} % {stage_words(name)}" for name, part in shares.items() if part >= DECISIVE]
    return f", of which {' and '.join(large[:2])}" if large else ""


def _kept(found: KindComparison, budget: Budget | None) -> Iterator[str]:
    if budget is None:
        return
    first, second = (m.attainment(budget.name) for m in (found.first, found.second))
    if first is None or second is None:
        return
    yield f"{budget.name} is met in {cut_share(first)} -> {cut_share(second)} of the turns"


def _chance(found: KindComparison, budget: Budget | None) -> str:
    if found.sessions < LEAST_SESSIONS:
        return f"of {found.sessions} sessions nobody can tell whether that is chance"
    tail = found.latency_ps.get("p95")
    attainment = None if budget is None else found.attainment.get(budget.name)
    clear = [estimate.is_clear for estimate in (tail, attainment) if estimate is not None]
    if all(clear):
        return "more than chance"
    if not any(clear):
        same = all(estimate.value == 0 for estimate in (tail, attainment) if estimate is not None)
        return "no difference" if same else "it may be chance"
    return "the latency alone is more than chance" if clear[0] else "the share in time alone is more than chance"


def time_words(ps: float) -> str:
    """A time for people: `9.5 ms`, `124 ms`, `2.35 s`."""
    ms = ps / PS_PER_MS
    if ms < 1000:
        return f"{ms:.0f} ms" if ms >= 10 else f"{ms:.1f} ms" if ms >= 0.1 or ms == 0 else f"{ms:.2g} ms"
    return f"{ms / 1000:.2f} s" if ms < 100_000 else f"{ms / 1000:,.0f} s"


def _signed_ms(ps: float) -> str:
    ms = ps / PS_PER_MS
    return f"{ms:,.0f}" if abs(ms) >= 10 else f"{ms:.1f}"
