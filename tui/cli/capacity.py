"""`subsecond capacity`: from the options to the table."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console

from subsecond.agents.study.capacity import Capacity, CapacityStudy, Question, capacity_study, kinds_of
from subsecond.agents.study.capacity_document import capacity_document, fullest
from subsecond.agents.study.points import Base
from subsecond.engine.findings import counted

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
    began = time.perf_counter()
    studies: list[CapacityStudy] = []
    with counting("runs", quiet) as tell:
        for kind in kinds_of(base) if question.kind is None else [question.kind]:
            done = sum(lane.runs for study in studies for lane in study.lanes)
            asked = replace(question, kind=kind)
            studies.append(capacity_study(base, asked, threads=threads, progress=partial(_tell_more, tell, done)))
    if json_out is not None:
        write_json(json_out, capacity_document(studies))
    if not quiet and str(json_out) != "-":
        _show(studies, time.perf_counter() - began)


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


def _show(studies: Sequence[CapacityStudy], took_s: float) -> None:
    console = output_console()
    scenario = studies[0].base.scenario
    console.print(f"{scenario.name} · what each pipeline carries · seed {scenario.seed}", markup=False)
    for study in studies:
        _show_study(console, study)
    runs = sum(lane.runs for study in studies for lane in study.lanes)
    turns = sum(lane.turns for study in studies for lane in study.lanes)
    print_point(console, f"{counted(runs, 'run')}, {counted(turns, 'turn')}, {took_s:.1f} s.")


def _show_study(console: Console, study: CapacityStudy) -> None:
    question, budget = study.question, study.budget
    what = (
        f"{budget.agents} sessions that arrive per second" if question.by_rate else f"{budget.agents} sessions at once"
    )
    console.print(f"\n{what}, {budget.name}: {budget.shown} for {budget.percentile:g} %{_beside(study)}", markup=False)
    unit = "per s" if question.by_rate else "sessions"
    names = ["pipeline", unit, "surely kept", "surely missed", "in time", "p95", "used most", "of it"]
    grid = Grid(names)
    for lane in study.lanes:
        grid.add(*_cells(study, lane))
    for table in grid.tables(console):
        console.print(table)
    for lane in study.lanes:
        print_point(console, _sentence(study, lane))


def _beside(study: CapacityStudy) -> str:
    if not study.beside:
        return ""
    parts = [counted(number, f"{kind} session") for kind, number in study.beside.items()]
    if study.question.others == "scaled":
        return "; other agents in proportion"
    return f"; {' and '.join(parts)} at work beside them"


def _cells(study: CapacityStudy, lane: Capacity) -> list[str]:
    found = lane.boundary
    trial = next(t for t in found.trials if t.load == (found.load or found.trials[0].load))
    latency = lane.at_capacity.groups[study.budget.agents].latency_ps
    part, share = fullest(lane.at_capacity)
    return [
        lane.lane,
        f"> {_amount(study, found.load)}"
        if found.missed is None
        else _amount(study, found.load)
        if found.load
        else "none",
        _amount(study, found.surely_kept) if found.surely_kept else "-",
        "-" if found.surely_missed is None else _amount(study, found.surely_missed),
        f"{100 * trial.attainment.value:.1f} %",
        time_cell(latency.get("p95")),
        part,
        f"{100 * share:.0f} %",
    ]


def _amount(study: CapacityStudy, load: int) -> str:
    return f"{study.amount(load):,.3g}" if study.question.by_rate else f"{load:,}"


def _things(study: CapacityStudy, load: int) -> str:
    if study.question.by_rate:
        return f"{_amount(study, load)} {study.budget.agents} sessions per second"
    return counted(load, f"{study.budget.agents} session")


def _sentence(study: CapacityStudy, lane: Capacity) -> str:
    found, name = lane.boundary, study.budget.name
    if found.missed is None:
        return f"{lane.lane} keeps {name} with {_things(study, found.load)}, the most that was asked about."
    if not found.load:
        least = found.trials[0]
        share = f"{100 * least.attainment.value:.1f} %"
        sure = "" if least.is_surely_missed else ", though that may be chance"
        return f"{lane.lane} does not keep {name} with {_things(study, least.load)}: {share} in time{sure}."
    text = (
        f"{lane.lane} keeps {name} with {_things(study, found.load)} and misses it with {_amount(study, found.missed)}"
    )
    return text + _surely(study, lane) + "."


def _surely(study: CapacityStudy, lane: Capacity) -> str:
    found = lane.boundary
    if all(trial.attainment.low is None for trial in found.trials):
        return "; one run of each says nothing about chance"
    kept = f"surely kept up to {_amount(study, found.surely_kept)}" if found.surely_kept else "not surely kept by any"
    missed = "" if found.surely_missed is None else f", surely missed from {_amount(study, found.surely_missed)}"
    text = f"; with {100 * study.question.confidence:g} % confidence it is {kept}{missed}"
    again = [load for load in found.exceptions if load > found.load]
    if again:
        text += (
            f". It is a close thing: {', '.join(_amount(study, load) for load in again)} of those tried keep it again"
        )
    return text
