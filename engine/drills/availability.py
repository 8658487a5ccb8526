"""How many turns stay in budget over weeks in which servers stop by chance.

By renewal and reward: a server works for its mean time between failures, is down for its time to repair, and so on; in
the long run incidents come at 1 / (mtbf + mttr) per server, and each costs what a drill measures. Incidents are taken
one by one: two at a time cost more or less than twice one, which matters as little as they are rare (`overlap`).

Who waits for a server that is down asks for nothing meanwhile. Turns that are put off so are no turns out of budget,
and yet somebody misses them: the share in budget is told of the turns that were due, those there would have been
without failures, and beside it of those that were asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Availability", "Baseline", "Cost", "Part", "availability_of", "breakdowns", "cost_of"]

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """Equal servers that fail each for itself.

    Attributes:
        pool: the core's name of the pool; `device`: the catalog's, `each` of it in a server.
        fault: kind of `engine/faults.py` that takes one of them down.
        mtbf_h, mttr_s: mean time between failures and time to repair of one server.
        provenance, source: of the mtbf.
    """

    pool: str
    device: str
    each: float
    servers: int
    fault: str
    mtbf_h: float
    mttr_s: float
    provenance: str
    source: str

    @property
    def incidents_per_s(self) -> float:
        """Incidents of all its servers per second."""
        return self.servers / (self.mtbf_h * 3600.0 + self.mttr_s)


@dataclass(frozen=True, slots=True)
class Baseline:
    """Turns of one kind without failures, per second; `below` is the share of minutes below the budget's percentile."""

    met_per_s: float
    judged_per_s: float
    below: float

    @property
    def attainment(self) -> float | None:
        """Share of the turns in budget; None: no turn."""
        return self.met_per_s / self.judged_per_s if self.judged_per_s else None


@dataclass(frozen=True, slots=True)
class Cost:
    """What one incident costs on average: fewer turns met, fewer judged, and more seconds below the percentile.

    Attributes:
        met_error, judged_error: standard errors of the means; 0 of a single run.
        runs: incidents that it was measured by.
    """

    met: float
    judged: float
    below_s: float
    met_error: float
    judged_error: float
    runs: int


@dataclass(frozen=True, slots=True)
class Availability:
    """What turns of one kind come to in the long run.

    Attributes:
        share: of the turns due that are in budget; None: no turn.
        of_asked: share of the turns asked for.
        error: standard error of `share`, from the measured costs alone.
        lost: of the turns that would be in budget without failures, the share that is not.
        incidents: expected, in the time asked about; `any_incident`: probability of at least one.
        below_s: seconds below the percentile that failures add in that time.
        overlap: probability that an incident begins while another one is being got over.
    """

    share: float | None
    of_asked: float | None
    error: float
    lost: float
    incidents: float
    any_incident: float
    below_s: float
    overlap: float

    @property
    def nines(self) -> float | None:
        """How many nines failures leave of what there would be without them: 3 for one turn in a thousand lost."""
        return -math.log10(self.lost) if self.lost > 0 else None


def cost_of(met: Sequence[float], judged: Sequence[float], below_s: Sequence[float]) -> Cost:
    """The cost of an incident from what each of several cost."""
    return Cost(
        met=_mean(met),
        judged=_mean(judged),
        below_s=_mean(below_s),
        met_error=_error(met),
        judged_error=_error(judged),
        runs=len(met),
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _error(values: Sequence[float]) -> float:
    n = len(values)
    if n < 2:
        return 0.0
    mean = _mean(values)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1) / n)


def availability_of(
    baseline: Baseline, parts: Sequence[tuple[Part, Cost]], span_s: float, recovery_s: float
) -> Availability:
    """The long run.

    Args:
        span_s: time that incidents are counted in.
        recovery_s: how long an incident is felt, its repair included.
    """
    rates = [part.incidents_per_s for part, _ in parts]
    met = baseline.met_per_s - math.fsum(r * cost.met for r, (_, cost) in zip(rates, parts, strict=True))
    judged = baseline.judged_per_s - math.fsum(r * cost.judged for r, (_, cost) in zip(rates, parts, strict=True))
    errors = [r * cost.met_error for r, (_, cost) in zip(rates, parts, strict=True)]
    due = baseline.judged_per_s
    total = math.fsum(rates)
    below = math.fsum(r * cost.below_s for r, (_, cost) in zip(rates, parts, strict=True))
    return Availability(
        share=met / due if due else None,
        of_asked=met / judged if judged > 0 else None,
        error=math.hypot(0.0, *errors) / due if due else 0.0,
        lost=1.0 - met / baseline.met_per_s if baseline.met_per_s else 0.0,
        incidents=total * span_s,
        any_incident=-math.expm1(-total * span_s),
        below_s=below * span_s,
        overlap=-math.expm1(-total * recovery_s),
    )


def breakdowns(part: Part, server: int, span_s: float, seed: int) -> list[tuple[float, float]]:
    """When one server is down in a span: (begin, end) in seconds, drawn from its own stream of the seed.

    It works for an exponential time with the mean mtbf, and is down for mttr.
    """
    name = f"breakdowns.{part.pool}".encode()
    generator = np.random.default_rng([seed, server, *name])
    found: list[tuple[float, float]] = []
    at = 0.0
    while True:
        at += float(generator.exponential(part.mtbf_h * 3600.0))
        if at >= span_s:
            return found
        found.append((at, at + part.mttr_s))
        at += part.mttr_s
