"""A drill as it went: each pipeline without the fault and with it, in one run or in several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from subsecond.engine.budgets import Budget
from subsecond.engine.latency.pipelines import BuiltPipeline

from .catalog import Drill
from .course import Course
from .impact import Impact, impact_of, together
from .striking import Strike
from .windows import Recovery, Strip, picture_width, recovery_of, spans_of, strip_of, window_for
from .work import Rework, all_rework

__all__ = ["DrillOutcome", "KindOutcome", "LaneOutcome", "Pair", "lane_outcome"]

PS_PER_S = 10**12


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """One lane in one run, without the fault and with it.

    Attributes:
        silence_ps: by agent kind, the longest silence without and with it.
    """

    without: Course
    with_fault: Course
    rework: Rework
    silence_ps: dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True, eq=False)
class KindOutcome:
    """What a drill did to the turns of one agent kind on one lane, all runs together.

    Attributes:
        budget: what they are held against; None: the scenario has none for the kind.
        impact: of all runs; `runs`: of each.
        others: the impact by name of the kind's other budgets.
        silence_ps: longest time without a token, without and with the fault.
        strips: turns over time, without and with it.
    """

    kind: str
    budget: Budget | None
    impact: Impact
    runs: tuple[Impact, ...]
    others: dict[str, Impact]
    silence_ps: tuple[int, int]
    recovery: Recovery
    strips: tuple[Strip, Strip]


@dataclass(frozen=True, slots=True, eq=False)
class LaneOutcome:
    """What a drill did to one lane; `kinds` is empty where it leaves the lane alone."""

    lane: str
    pipeline: BuiltPipeline
    strike: Strike
    kinds: dict[str, KindOutcome]
    rework: Rework | None


@dataclass(frozen=True, slots=True, eq=False)
class DrillOutcome:
    """A drill on every lane.

    Attributes:
        begin_s: when it begins; turns count from `from_s` on and the run stops at `stop_s`.
    """

    drill: Drill
    seeds: tuple[int, ...]
    begin_s: float
    from_s: float
    stop_s: float
    lanes: tuple[LaneOutcome, ...]


def lane_outcome(
    lane: str,
    pipeline: BuiltPipeline,
    strike: Strike,
    pairs: Sequence[Pair],
    budgets: Sequence[Budget],
    main: Mapping[str, Budget],
) -> LaneOutcome:
    """The outcome of one lane.

    Args:
        pairs: of each run, at least one if the drill strikes the lane.
        main: by agent kind the budget that counts.
    """
    if not strike.spells:
        return LaneOutcome(lane, pipeline, strike, {}, None)
    present = [
        kind
        for kind in pairs[0].without.kinds
        if any((pair.without.of_kind(kind) & pair.without.counted).any() for pair in pairs)
    ]
    kinds = {
        kind: _kind_outcome(kind, strike, pairs, [b for b in budgets if b.agents == kind], main.get(kind))
        for kind in present
    }
    return LaneOutcome(lane, pipeline, strike, kinds, all_rework([pair.rework for pair in pairs]))


def _kind_outcome(
    kind: str, strike: Strike, pairs: Sequence[Pair], budgets: Sequence[Budget], main: Budget | None
) -> KindOutcome:
    begin, last = strike.begin_ps or 0, strike.last_begin_ps or 0

    def impacts(chosen: Sequence[Budget]) -> list[Impact]:
        return [impact_of(p.without, p.with_fault, kind, chosen, begin, strike.end_ps) for p in pairs]

    chosen = [main] if main else []
    runs = impacts(chosen)
    usual = [pair.without for pair in pairs]
    without = spans_of(usual, kind, chosen)
    with_fault = spans_of([pair.with_fault for pair in pairs], kind, chosen, usual)
    picture = picture_width(without.stop_ps - without.from_ps)
    silences = [pair.silence_ps.get(kind, (0, 0)) for pair in pairs]
    return KindOutcome(
        kind=kind,
        budget=main,
        impact=together(runs),
        runs=tuple(runs),
        others={b.name: together(impacts([b])) for b in budgets if b != main},
        silence_ps=(max(s[0] for s in silences), max(s[1] for s in silences)),
        recovery=recovery_of(with_fault, begin, last, window_for(without), strike.end_ps),
        strips=(strip_of(without, picture), strip_of(with_fault, picture)),
    )
