"""`subsecond capacity`: from the options to the table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console

from subsecond.agents.study.capacity import Capacity, CapacityStudy, Question, capacity_study, kinds_of
from subsecond.agents.study.capacity_document import capacity_document, fullest
from subsecond.agents.study.capacity_words import amount_words, beside_words, capacity_sentence, capacity_words
from subsecond.agents.study.points import Base
from subsecond.engine.findings import counted
from subsecond.engine.shares import share_words

from .grid import Grid, output_console, print_point, time_cell
from .output import check_writable, write_json

__all__ = ["capacity_command", "counting"]


def capacity_command(
    *, base: Base, question: Question, threads: int | None, json_out: Path | None, quiet: bool
) -> None:
    """Search what each pipeline carries, and show it.

    Raises:
        InputError: an option or the scenario cannot be used.
    """
    if json_out is not None:
        check_writable(json_out)
    studies: list[CapacityStudy] = []
    with counting("runs", quiet) as tell:
        for kind in kinds_of(base) if question.kind is None else [question.kind]:
            done = sum(lane.runs for study in studies for lane in study.lanes)
            asked = replace(question, kind=kind)
            studies.append(capacity_study(base, asked, threads=threads, progress=partial(_tell_more, tell, done)))
    if json_out is not None:
        write_json(json_out, capacity_document(studies))
    if not quiet and str(json_out) != "-":
        _show(studies)


def _tell_more(tell: Callable[[int], None], before: int, runs: int) -> None:
    tell(before + runs)


@contextmanager
def counting(noun: str, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Says on a terminal how many runs are done; nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda done: None
        return
    with Console(stderr=True).status("starting") as status:
        yield lambda done: status.update(f"{done:,} {noun}")


def _show(studies: Sequence[CapacityStudy]) -> None:
    console = output_console()
    scenario = studies[0].base.scenario
    console.print(f"{scenario.name} · what each pipeline carries · seed {scenario.seed}", markup=False)
    for study in studies:
        _show_study(console, study)
    runs = sum(lane.runs for study in studies for lane in study.lanes)
    turns = sum(lane.turns for study in studies for lane in study.lanes)
    print_point(console, f"{counted(runs, 'run')}, {counted(turns, 'turn')}.")


def _show_study(console: Console, study: CapacityStudy) -> None:
    question, budget = study.question, study.budget
    beside = f"; {beside_words(study)}" if study.beside else ""
    what = (
        f"{budget.agents} sessions that arrive per second" if question.by_rate else f"{budget.agents} sessions at once"
    )
    console.print(f"\n{what}, {budget.name}: {budget.shown} for {budget.percentile:g} %{beside}", markup=False)
    unit = "per s" if question.by_rate else "sessions"
    names = ["pipeline", unit, "surely kept", "surely missed", "in time", "p95", "used most", "of it"]
    grid = Grid(names)
    for lane in study.lanes:
        grid.add(*_cells(study, lane))
    grid.print(console)
    if any(not lane.boundary.load and not lane.boundary.is_surely_none for lane in study.lanes):
        print_point(console, "?: chance may have it.")
    for lane in study.lanes:
        print_point(console, capacity_sentence(study, lane))


def _cells(study: CapacityStudy, lane: Capacity) -> list[str]:
    found = lane.boundary
    trial = next(t for t in found.trials if t.load == (found.load or found.trials[0].load))
    latency = lane.at_capacity.groups[study.budget.agents].latency_ps
    part, share = fullest(lane.at_capacity)
    return [
        lane.lane,
        capacity_words(study, lane),
        amount_words(study, found.surely_kept) if found.surely_kept else "-",
        "-" if found.surely_missed is None else amount_words(study, found.surely_missed),
        share_words(trial.attainment.value, trial.target),
        time_cell(latency.get("p95")),
        part,
        f"{100 * share:.0f} %",
    ]
