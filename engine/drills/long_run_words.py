"""What is said about the long run, on the terminal and in a report."""

from __future__ import annotations

from typing import Final

from subsecond.engine.findings import counted

from .availability import Cost
from .reliability import MTTR_S

__all__ = ["DUE", "MINUTES_BELOW", "cost_words", "length_words", "minutes_words", "repair_words"]

_MINUTES_A_WEEK = 7 * 24 * 60
DUE: Final = (
    "Turns due are those there would be without failures: who waits for a server asks for nothing meanwhile. What an "
    "incident costs is measured from its begin to ten minutes after its repair, under a constant load."
)
MINUTES_BELOW: Final = (
    "Minutes below a week: those in which a smaller share of the turns that begin in them is in budget than the "
    "budget's percentile; without failures, and what failures add."
)


def length_words(seconds: float) -> str:
    """A time to repair."""
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"


def repair_words(mttr_s: float) -> str:
    """How long repair takes, and whether that is an assumption."""
    told = f"Repair takes {length_words(mttr_s)}"
    is_assumed = mttr_s == MTTR_S
    return told + (": an assumption; a cold start of the engine alone takes 279-504 s (Trn2)." if is_assumed else ".")


def minutes_words(below: float, more_s: float, weeks: float) -> str:
    """Minutes a week below the percentile without failures, and how many they add.

    Args:
        below: share of minutes without failures.
        more_s: seconds that failures add in all weeks.
    """
    return f"{below * _MINUTES_A_WEEK:,.0f} {more_s / 60 / weeks:+.1f}"


def cost_words(cost: Cost, pool: str) -> str:
    """What an incident costs on average when a server of a pool stops."""
    error = f" ± {cost.met_error:.2g}" if cost.runs > 1 else ""
    fewer = f"({counted(round(cost.judged), 'turn')} fewer asked for)"
    return f"{cost.met:.3g}{error} turns in budget when a {pool} server stops {fewer}"
