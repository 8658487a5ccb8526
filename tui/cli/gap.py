"""`subsecond gap`: from the options to the picture and the sentence."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from subsecond.agents.study.changes import load_changes
from subsecond.agents.study.gap import GapQuestion, GapStudy, LaneGap, Variant, gap_study
from subsecond.agents.study.gap_document import gap_document
from subsecond.agents.study.gap_words import gap_sentences, is_same, share_words
from subsecond.agents.study.points import Base
from subsecond.engine.findings import counted

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
        f"{lane.lane}, as it is: {share_words(plain)} in time, p95 {_p95(study, plain)}", markup=False, style="bold"
    )
    built = [variant for variant in lane.singles if variant.share is not None]
    differing = [variant for variant in built if not is_same(variant, plain)]
    ordered = sorted(differing, key=lambda v: -abs(v.attainment - plain.attainment))
    bars = [_bar(study, lane, variant) for variant in ordered]
    together = [(lane.software, "all software together"), (lane.everything, "everything together")]
    bars += [_bar(study, lane, variant, name) for variant, name in together if variant is not None]
    if bars:
        show_tornado(console, ("in time", "p95", "effort"), bars)
    marked = [v for v in (*built, lane.software, lane.everything) if v is not None and v.is_kept != plain.is_kept]
    if marked:
        print_point(console, f"*: {'no longer keeps' if plain.is_kept else 'keeps'} {study.budget.name}.")
    if any(not variant.is_clear for variant in differing):
        print_point(console, "?: the effect may be chance.")
    for sentence in gap_sentences(study, lane):
        print_point(console, sentence)


def _bar(study: GapStudy, lane: LaneGap, variant: Variant, name: str = "") -> Bar:
    roles = [_ROLES[change.role] for change in variant.changes if change.role in _ROLES]
    effort = roles[0] if roles else variant.effort
    mark = "*" if variant.is_kept != lane.plain.is_kept else " " if variant.is_clear else "?"
    cells = (share_words(variant) + mark, _p95(study, variant), effort)
    return Bar(name or variant.name, variant.attainment - lane.plain.attainment, cells)


def _p95(study: GapStudy, variant: Variant) -> str:
    assert variant.outcome is not None  # only what was run is shown
    return time_cell(variant.outcome.groups[study.budget.agents].latency_ps.get("p95"))
