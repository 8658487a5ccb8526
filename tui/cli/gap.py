"""`subsecond gap`: from the options to the picture and the sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from subsecond.agents.study.changes import load_changes
from subsecond.agents.study.gap import GapQuestion, GapStudy, LaneGap, Variant, gap_study
from subsecond.agents.study.gap_document import gap_document
from subsecond.agents.study.points import Base
from subsecond.engine.findings import counted, stage_words

from .capacity import counting
from .grid import output_console, print_point, time_cell
from .output import check_writable, write_json
from .tornado import Bar, show_tornado

__all__ = ["gap_command"]

_ROLES = {"worth": "worth", "bound": "bound", "unknown": "not public"}


def gap_command(
    *,
    base: Base,
    question: GapQuestion,
    changes: Path | None,
    threads: int | None,
    json_out: Path | None,
    quiet: bool,
) -> None:
    """Try the changes on every pipeline, and show what they do.

    Raises:
        InputError: an option, the scenario or the file of changes cannot be used.
    """
    if json_out is not None:
        check_writable(json_out)
    known = load_changes(changes)
    with counting("runs", quiet) as tell:
        study = gap_study(base, known, question, threads=threads, progress=tell)
    if json_out is not None:
        write_json(json_out, gap_document(study))
    if not quiet and str(json_out) != "-":
        _show(study)


def _show(study: GapStudy) -> None:
    console = output_console()
    scenario, budget = study.base.scenario, study.budget
    runs = f"{study.runs:,} runs of {counted(study.question.replicas, 'replica')} each"
    console.print(f"{scenario.name} · which change closes the gap · {runs} · seed {scenario.seed}", markup=False)
    console.print(
        f"{budget.agents} turns in time, {budget.name}: {budget.shown} for {budget.percentile:g} %", markup=False
    )
    for lane in study.lanes:
        console.print()
        _show_lane(console, study, lane)


def _show_lane(console: Console, study: GapStudy, lane: LaneGap) -> None:
    plain = lane.plain
    console.print(
        f"{lane.lane}, as it is: {_share(plain)} in time, p95 {_p95(study, plain)}", markup=False, style="bold"
    )
    if not lane.singles:
        print_point(console, f"No change is known for pipeline {lane.base_name}.")
    built = [variant for variant in lane.singles if variant.share is not None]
    differing = [variant for variant in built if not _is_same(variant, plain)]
    ordered = sorted(differing, key=lambda v: -abs(v.attainment - plain.attainment))
    bars = [_bar(study, lane, variant) for variant in ordered]
    together = [(lane.software, "all software together"), (lane.everything, "everything together")]
    bars += [_bar(study, lane, variant, name) for variant, name in together if variant is not None]
    if bars:
        show_tornado(console, ("in time", "p95", "effort"), bars)
    for sentence in _sentences(study, lane):
        print_point(console, sentence)


def _bar(study: GapStudy, lane: LaneGap, variant: Variant, name: str = "") -> Bar:
    roles = [_ROLES[change.role] for change in variant.changes if change.role in _ROLES]
    effort = roles[0] if roles else variant.effort
    mark = " " if variant.is_kept == lane.plain.is_kept else "*"
    cells = (_share(variant) + mark, _p95(study, variant), effort)
    return Bar(name or variant.name, variant.attainment - lane.plain.attainment, cells)


def _share(variant: Variant) -> str:
    return f"{100 * variant.attainment:.1f} %"


def _p95(study: GapStudy, variant: Variant) -> str:
    assert variant.outcome is not None  # only what was run is shown
    return time_cell(variant.outcome.groups[study.budget.agents].latency_ps.get("p95"))


def _is_same(variant: Variant, plain: Variant) -> bool:
    return variant.outcome is not None and plain.outcome is not None and variant.outcome.digest == plain.outcome.digest


def _sentences(study: GapStudy, lane: LaneGap) -> Iterator[str]:
    same = [v.name for v in lane.singles if _is_same(v, lane.plain)]
    if same:
        yield f"Changes nothing here: {', '.join(same)}."
    for variant in lane.singles:
        if variant.problem:
            yield f"Cannot be done here: {variant.name}: {variant.problem}."
    others = [v for v in (*lane.singles, lane.software, lane.everything) if v is not None and v.share is not None]
    if any(v.is_kept != lane.plain.is_kept for v in others):
        yield f"*: {'no longer keeps' if lane.plain.is_kept else 'keeps'} {study.budget.name}."
    yield _verdict(study, lane)
    if not lane.plain.is_kept and lane.answer is None:
        yield from _what_is_missing(study, lane)


def _verdict(study: GapStudy, lane: LaneGap) -> str:
    budget = study.budget.name
    if lane.plain.is_kept:
        return f"{lane.lane} keeps {budget} as it is: {_share(lane.plain)} in time."
    if lane.answer is None:
        best = lane.best
        text = f"None of these changes, alone or combined, lets {lane.lane} keep {budget}"
        if not best.changes:
            return f"{text}: none of them helps."
        return f"{text}: the most is {_share(best)} in time, with {best.name}."
    found = lane.answer
    sources = ", ".join(dict.fromkeys(change.provenance for change in found.changes))
    effort = found.effort if len(found.changes) == 1 else f"{counted(len(found.changes), 'change')}, {found.effort}"
    return (
        f"The smallest change with which {lane.lane} keeps {budget} is {found.name} ({effort}; {sources}): "
        f"{_share(found)} in time."
    )


def _what_is_missing(study: GapStudy, lane: LaneGap) -> Iterator[str]:
    bounds = [v for v in lane.singles if v.changes[0].role == "bound" and v.share is not None]
    if bounds:
        best = max(bounds, key=lambda v: v.attainment)
        word = "would keep it" if best.is_kept else "would not be enough"
        yield f"What no change could exceed, {best.name} alone, {word}: {_share(best)} in time."
    possible = [need for need in lane.needs if need.share is not None]
    if possible:
        need = possible[0]
        assert need.share is not None
        stage = f"{stage_words(need.stage)} (mean {time_cell(need.mean_ps)})"
        yield f"With the most of them, {stage} would still have to take {_percent(need.share)} less in every turn."
    elif lane.needs:
        longest = max(lane.needs, key=lambda need: need.mean_ps)
        stage = f"{stage_words(longest.stage)} (mean {time_cell(longest.mean_ps)})"
        yield f"No single stage is enough: even without {stage}, the longest, too few turns are in time."


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else f"{100 * share:.1f} %"
