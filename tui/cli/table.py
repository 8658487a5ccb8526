"""A run as tables for the terminal: outcome per agent kind and pipeline, time by stage, who wins, what it says."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from subsecond.engine.findings import counted, findings_of, stage_words
from subsecond.engine.metrics import BudgetOutcome
from subsecond.engine.run import Run

__all__ = ["show_run"]

PS_PER_MS = 10**9
PS_PER_S = 10**12
#: Widest output that still reads well, and the width of output that goes into a file.
MAX_WIDTH, FILE_WIDTH = 110, 100


def show_run(run: Run, traces: list[str]) -> None:
    """Print a run to standard output; a table with more columns than fit continues below itself."""
    width = min(shutil.get_terminal_size().columns, MAX_WIDTH) if sys.stdout.isatty() else FILE_WIDTH
    console = Console(width=width, highlight=False)
    console.print(Text(_headline(run, traces)), style="bold")
    for grid in (_outcomes(run), _budgets(run), _stages(run)):
        for table in grid.tables(console):
            console.print(table)
    for text in _sentences(run):
        console.print(Padding(Text(text), (0, 0, 0, 1)))
    console.print(Text(f" digest {run.digest}", style="dim"))


@dataclass(slots=True)
class _Grid:
    """A table before its columns are shared out: words in the first `num_labels` columns, numbers in the others."""

    names: list[str]
    num_labels: int = 1
    sections: list[list[list[Text]]] = field(default_factory=lambda: [[]])

    def add(self, *cells: str | Text) -> None:
        self.sections[-1].append([cell if isinstance(cell, Text) else Text(cell) for cell in cells])

    def end_section(self) -> None:
        self.sections.append([])

    def tables(self, console: Console) -> Iterator[Table]:
        """As few tables as the width allows, each with the words and as many of the numbers as fit."""
        if len(self.names) == self.num_labels or not any(self.sections):
            return
        begin = self.num_labels
        while begin < len(self.names):
            end = begin + 1
            while end < len(self.names) and self._width(console, begin, end + 1) <= console.width:
                end += 1
            yield self._table(begin, end)
            begin = end

    def _width(self, console: Console, begin: int, end: int) -> int:
        unbounded = console.options.update(max_width=10_000)
        return console.measure(self._table(begin, end), options=unbounded).maximum

    def _table(self, begin: int, end: int) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
        chosen = [*range(self.num_labels), *range(begin, end)]
        for i in chosen:
            table.add_column(Text(self.names[i]), justify="left" if i < self.num_labels else "right", no_wrap=True)
        for section in self.sections:
            for row in section:
                table.add_row(*(row[i] for i in chosen))
            table.add_section()
        return table


def _headline(run: Run, traces: list[str]) -> str:
    scenario, workload = run.plan.scenario, run.plan.workload
    what = ", ".join(Path(trace).name for trace in traces) or scenario.name
    models = dict.fromkeys(lane.pipeline.model for lane in run.lanes.values())
    parts = [
        what,
        ", ".join(models),
        f"{counted(workload.num_sessions, 'session')}, {counted(workload.num_turns, 'turn')}",
        f"seed {scenario.seed}",
    ]
    if scenario.duration_s is not None:
        parts.insert(3, f"{scenario.duration_s:,g} s")
    return " · ".join(parts)


def _kinds(run: Run) -> list[str]:
    return list(run.plan.workload.kinds)


def _outcomes(run: Run) -> _Grid:
    """Turns and latencies, a row per agent kind and pipeline."""
    has_failed = any(lane.whole.failed for lane in run.lanes.values())
    has_open = any(lane.whole.unfinished for lane in run.lanes.values())
    counts = ["turns", *(["failed"] if has_failed else []), *(["open"] if has_open else [])]
    grid = _Grid(["agents", "pipeline", *counts, "p50", "p95", "p99", "goodput/s"], num_labels=2)
    for kind in _kinds(run):
        for i, (name, lane) in enumerate(run.lanes.items()):
            group = lane.groups[kind]
            failed = [_count(group.failed)] if has_failed else []
            unfinished = [_count(group.unfinished)] if has_open else []
            times = [_time(group.latency_ps.get(q)) for q in ("p50", "p95", "p99")]
            goodput = f"{group.goodput_per_s:.2f}"
            grid.add("" if i else kind, name, f"{group.turns:,}", *failed, *unfinished, *times, goodput)
        grid.end_section()
    return grid


def _budgets(run: Run) -> _Grid:
    """Share of turns that met each budget, a column per pipeline; without colour words tell whether that will do."""
    grid = _Grid(["turns in time", *run.lanes])
    for kind in _kinds(run):
        groups = [lane.groups[kind] for lane in run.lanes.values()]
        for outcomes in zip(*(group.budgets for group in groups), strict=True):
            budget = outcomes[0].budget
            share = f"{budget.percentile:g} %" if budget.percentile < 100 else "all"
            grid.add(f"{kind}: {budget.shown} for {share}", *(_attainment(outcome) for outcome in outcomes))
    return grid


def _attainment(outcome: BudgetOutcome) -> Text:
    share = outcome.attainment
    if share is None:
        return Text("-")
    shown = f"{math.floor(1000 * share) / 10:.1f} %"
    return Text(f"{shown}, kept", style="green") if outcome.is_kept else Text(f"{shown}, not kept", style="red")


def _stages(run: Run) -> _Grid:
    """Mean time per answered turn, a column per agent kind and pipeline."""
    lanes = [(kind, name, lane.groups[kind]) for kind in _kinds(run) for name, lane in run.lanes.items()]
    lanes = [lane for lane in lanes if lane[2].stages_ps]
    several = len(_kinds(run)) > 1
    grid = _Grid(["mean ms per turn", *(f"{kind}\n{name}" if several else name for kind, name, _ in lanes)])
    stages = list(dict.fromkeys(stage for _, _, group in lanes for stage in group.stages_ps))
    for stage in stages:
        means = [group.stages_ps.get(stage, (0.0, 0))[0] for _, _, group in lanes]
        if any(mean > 0 for mean in means):
            cells = []
            for mean, (_, _, group) in zip(means, lanes, strict=True):
                style = "bold" if mean and stage == group.largest_stage() else ""
                cells.append(Text(_milliseconds(mean), style=style))
            grid.add(stage_words(stage), *cells)
    grid.end_section()
    grid.add("whole turn", *(_milliseconds(group.mean_ps) for _, _, group in lanes))
    return grid


def _sentences(run: Run) -> Iterator[str]:
    if not any(lane.whole.turns for lane in run.lanes.values()):
        yield "• No turn ended before the run did."
    for finding in findings_of(run):
        yield f"• {finding}"
    for budget in run.plan.budgets:
        yield f"• {budget.name}, {budget.shown}: {budget.source}"
    for built in {lane.pipeline.name: lane.pipeline for lane in run.lanes.values()}.values():
        secret = sum(value.provenance == "not public" for value in built.parameters.values())
        status = "" if built.status == "shipping" or built.status in built.label else f" ({built.status})"
        text = f"• {built.name}: {built.label}{status}"
        if secret:
            text += f"; {secret} of its {len(built.parameters)} parameters are not public"
        yield f"{text}: subsecond catalog show {built.name}"


def _count(count: int) -> str:
    return f"{count:,}" if count else "-"


def _time(ps: int | None) -> str:
    if ps is None:
        return "-"
    ms = ps / PS_PER_MS
    if ms < 1000:
        return f"{ms:.0f} ms" if ms >= 10 else f"{ms:.1f} ms"
    return f"{ms / 1000:.2f} s" if ms < 100_000 else f"{ms / 1000:,.0f} s"


def _milliseconds(ps: float) -> str:
    ms = ps / PS_PER_MS
    if ms == 0:
        return "-"
    return f"{ms:,.0f}" if ms >= 100 else f"{ms:,.1f}" if ms >= 1 else f"{ms:.2g}"
