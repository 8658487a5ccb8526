"""How sure a share of turns is that a few independent runs show: Student's t interval.

It knows chance alone: which sessions there were. That the model behind a simulated run may be off it does not know.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Share", "difference_of", "share_of", "student_quantile"]


@dataclass(frozen=True, slots=True)
class Share:
    """A share of turns in all runs together, with the ends of its interval; None where a single run has none."""

    value: float
    low: float | None
    high: float | None


def share_of(met: Sequence[int], total: Sequence[int], confidence: float) -> Share:
    """The share of turns that met something, with its two-sided interval.

    Turns of a run depend on each other, so what varies are whole runs, each with the turns that it has.

    Args:
        met, total: turns by run.
        confidence: share of such intervals that hold the true share, in (0, 1), where runs are many.

    Raises:
        ValueError: there are no turns.

    Source: ratio estimator with clusters as samples (Cochran, Sampling Techniques, 6.4): the spread of
    met - share * total over the runs, t(n - 1) of it.
    """
    n, turns = len(total), sum(total)
    if not turns:
        raise ValueError("a share of nothing")
    share = sum(met) / turns
    if n == 1:
        return Share(share, None, None)
    spread = math.sqrt(math.fsum((m - share * t) ** 2 for m, t in zip(met, total, strict=True)) * n / (n - 1)) / turns
    reach = student_quantile((1 + confidence) / 2, n - 1) * spread if spread else 0.0
    return Share(share, max(0.0, share - reach), min(1.0, share + reach))


def difference_of(
    met: Sequence[int], total: Sequence[int], other_met: Sequence[int], other_total: Sequence[int], confidence: float
) -> Share:
    """By how much a share of turns exceeds another, where run by run both had the same sessions.

    What makes a run's sessions hard is hard for both, and leaves their difference alone.

    Raises:
        ValueError: one of them has no turns.

    Source: difference of two ratio estimators, linearised and paired by run (Cochran, Sampling Techniques, 6.6).
    """
    n, turns, others = len(total), sum(total), sum(other_total)
    if not turns or not others:
        raise ValueError("a difference of nothing")
    share, other = sum(met) / turns, sum(other_met) / others
    if n == 1:
        return Share(share - other, None, None)
    rows = zip(met, total, other_met, other_total, strict=True)
    residuals = [(a - share * b) / turns - (c - other * d) / others for a, b, c, d in rows]
    spread = math.sqrt(math.fsum(value**2 for value in residuals) * n / (n - 1))
    reach = student_quantile((1 + confidence) / 2, n - 1) * spread if spread else 0.0
    return Share(share - other, share - other - reach, share - other + reach)


def student_quantile(share: float, freedom: int) -> float:
    """Quantile of Student's t distribution.

    Args:
        share: in [0.5, 1).
        freedom: degrees of freedom, >= 1.

    Raises:
        ValueError: one of them is out of range.

    Source: bisection of the closed form for whole degrees of freedom (Abramowitz and Stegun 26.7.3, 26.7.4).
    """
    if not 0.5 <= share < 1 or freedom < 1:
        raise ValueError(f"share in [0.5, 1) and freedom >= 1, got {share} and {freedom}")
    low, high = 0.0, 1.0
    while _within(high, freedom) < 2 * share - 1:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        if _within(middle, freedom) < 2 * share - 1:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _within(t: float, freedom: int) -> float:
    """Probability of [-t, t]."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    if freedom == 1:
        return 2 * angle / math.pi
    is_odd = freedom % 2
    term = cosine if is_odd else 1.0
    total = term
    for k in range(2 if is_odd else 1, freedom - 2, 2):
        term *= cosine**2 * k / (k + 1)
        total += term
    return 2 / math.pi * (angle + sine * total) if is_odd else sine * total
