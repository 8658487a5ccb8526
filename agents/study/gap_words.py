"""What a gap study found, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from subsecond.engine import shares
from subsecond.engine.findings import counted, stage_words

from .gap import GapStudy, LaneGap, Variant

__all__ = ["gap_sentences", "is_same", "share_words"]

PS_PER_MS = 10**9


def share_words(variant: Variant) -> str:
    """Share of turns in time."""
    return shares.share_words(variant.attainment, variant.target)


def _time(ps: float) -> str:
    ms = ps / PS_PER_MS
    return f"{ms:,.0f} ms" if ms < 1000 else f"{ms / 1000:,.2f} s"


def is_same(variant: Variant, plain: Variant) -> bool:
    """Whether no turn differs by a picosecond."""
    return variant.outcome is not None and plain.outcome is not None and variant.outcome.digest == plain.outcome.digest


def gap_sentences(study: GapStudy, lane: LaneGap) -> Iterator[str]:
    """What changes nothing, what cannot be done, and the answer for one pipeline."""
    if not lane.singles:
        yield f"No change is known for pipeline {lane.base_name}."
    else:
        yield _verdict(study, lane)
    if not lane.plain.is_kept and lane.answer is None:
        yield from _what_is_missing(study, lane)
    same = [v.name for v in lane.singles if is_same(v, lane.plain)]
    if same:
        yield f"Changes nothing here: {', '.join(same)}."
    for variant in lane.singles:
        if variant.problem:
            yield f"Cannot be done here: {variant.name}: {variant.problem}."


def _verdict(study: GapStudy, lane: LaneGap) -> str:
    budget = study.budget.name
    if lane.plain.is_kept:
        return f"{lane.lane} keeps {budget} as it is: {share_words(lane.plain)} in time{_doubt(lane.plain)}."
    if lane.answer is None:
        best = lane.best
        text = f"None of these changes, alone or combined, lets {lane.lane} keep {budget}"
        if not best.changes:
            return f"{text}: none of them helps."
        return f"{text}: the most is {share_words(best)} in time, with {best.name}."
    found = lane.answer
    sources = ", ".join(dict.fromkeys(change.provenance for change in found.changes))
    effort = found.effort if len(found.changes) == 1 else f"{counted(len(found.changes), 'change')}, {found.effort}"
    return (
        f"The smallest change with which {lane.lane} keeps {budget} is {found.name} ({effort}; {sources}): "
        f"{share_words(found)} in time{_doubt(found)}."
    )


def _doubt(variant: Variant) -> str:
    """Whether other sessions might have missed what these kept."""
    low = None if variant.share is None else variant.share.low
    return ", which may be chance" if low is not None and low < variant.target else ""


def _what_is_missing(study: GapStudy, lane: LaneGap) -> Iterator[str]:
    bounds = [v for v in lane.singles if v.changes[0].role == "bound" and v.share is not None]
    if bounds:
        best = max(bounds, key=lambda v: v.attainment)
        word = "would keep it" if best.is_kept else "would not be enough"
        yield f"What no change could exceed, {best.name} alone, {word}: {share_words(best)} in time."
    possible = [need for need in lane.needs if need.share is not None]
    if possible:
        need = possible[0]
        assert need.share is not None
        stage = f"{stage_words(need.stage)} (mean {_time(need.mean_ps)})"
        yield f"With the most of them, {stage} would still have to take {_percent(need.share)} less in every turn."
    elif lane.needs:
        longest = max(lane.needs, key=lambda need: need.mean_ps)
        stage = f"{stage_words(longest.stage)} (mean {_time(longest.mean_ps)})"
        yield f"No single stage is enough: even without {stage}, the longest, too few turns are in time."


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else f"{100 * share:.1f} %"
