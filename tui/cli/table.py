"""A run as tables for the terminal: outcome per agent kind and pipeline, time by stage, who wins, what it says."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from subsecond.engine.findings import findings_of, stage_words
from subsecond.engine.metrics import BudgetOutcome
from subsecond.engine.run import Run

__all__ = ["show_run"]

PS_PER_MS = 10**9
PS_PER_S = 10**12
#: Widest output that still reads well, and the width of output that goes into a file.
MAX_WIDTH, FILE_WIDTH = 110, 100


def show_run(run: Run, traces: list[str]) -> None:
    """Print a run to standard output."""
    width = min(shutil.get_terminal_size().columns, MAX_WIDTH) if sys.stdout.isatty() else FILE_WIDTH
    console = Console(width=width, highlight=False)
    console.print(_headline(run, traces), style="bold")
    console.print(_outcomes(run))
    console.print(_budgets(run))
    console.print(_stages(run))
    for text in _sentences(run):
        console.print(Padding(Text(text), (0, 0, 0, 1)))
    console.print(Text(f" digest {run.digest}", style="dim"))


def _headline(run: Run, traces: list[str]) -> str:
    scenario, workload = run.plan.scenario, run.plan.workload
    what = ", ".join(Path(trace).name for trace in traces) or scenario.name
    models = dict.fromkeys(lane.pipeline.model for lane in run.lanes.values())
    parts = [
        what,
        ", ".join(models),
        f"{workload.num_sessions:,} sessions, {workload.num_turns:,} turns",
        f"seed {scenario.seed}",
    ]
    if scenario.duration_s is not None:
        parts.insert(3, f"{scenario.duration_s:,g} s")
    return " · ".join(parts)


def _kinds(run: Run) -> list[str]:
    return list(run.plan.workload.kinds)


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))


def _outcomes(run: Run) -> Table:
    """Turns and latencies, a row per agent kind and pipeline."""
    table = _table()
    for name in ("agents", "pipeline"):
        table.add_column(name, no_wrap=True)
    has_failed = any(lane.whole.failed for lane in run.lanes.values())
    has_open = any(lane.whole.unfinished for lane in run.lanes.values())
    counts = ["turns", *(["failed"] if has_failed else []), *(["open"] if has_open else [])]
    for name in (*counts, "p50", "p95", "p99", "goodput/s"):
        table.add_column(name, justify="right", no_wrap=True)
    for kind in _kinds(run):
        for i, (name, lane) in enumerate(run.lanes.items()):
            group = lane.groups[kind]
            failed = [_count(group.failed)] if has_failed else []
            unfinished = [_count(group.unfinished)] if has_open else []
            times = [_time(group.latency_ps.get(q)) for q in ("p50", "p95", "p99")]
            goodput = f"{group.goodput_per_s:.2f}"
            table.add_row("" if i else kind, name, f"{group.turns:,}", *failed, *unfinished, *times, goodput)
        table.add_section()
    return table


def _budgets(run: Run) -> Table:
    """Share of turns that met each budget, a column per pipeline; without colour a word tells whether that will do."""
    table = _table()
    table.add_column("budget", no_wrap=True)
    for name in run.lanes:
        table.add_column(name, justify="right", no_wrap=True)
    for kind in _kinds(run):
        groups = [lane.groups[kind] for lane in run.lanes.values()]
        for outcomes in zip(*(group.budgets for group in groups), strict=True):
            budget = outcomes[0].budget
            share = f"{budget.percentile:g} %" if budget.percentile < 100 else "all"
            table.add_row(f"{kind}: {budget.shown} for {share}", *(_attainment(outcome) for outcome in outcomes))
    return table


def _attainment(outcome: BudgetOutcome) -> Text:
    share = outcome.attainment
    if share is None:
        return Text("-")
    shown = f"{math.floor(1000 * share) / 10:.1f} %"
    return Text(f"{shown} kept", style="green") if outcome.is_kept else Text(f"{shown} late", style="red")


def _stages(run: Run) -> Table:
    """Mean time per answered turn, a column per agent kind and pipeline."""
    lanes = [(kind, name, lane.groups[kind]) for kind in _kinds(run) for name, lane in run.lanes.items()]
    lanes = [lane for lane in lanes if lane[2].stages_ps]
    table = _table()
    table.add_column("mean ms per turn", no_wrap=True)
    several = len(_kinds(run)) > 1
    for kind, name, _ in lanes:
        table.add_column(f"{kind}\n{name}" if several else name, justify="right", no_wrap=True)
    stages = list(dict.fromkeys(stage for _, _, group in lanes for stage in group.stages_ps))
    for stage in stages:
        means = [group.stages_ps.get(stage, (0.0, 0))[0] for _, _, group in lanes]
        if any(mean > 0 for mean in means):
            cells = []
            for mean, (_, _, group) in zip(means, lanes, strict=True):
                style = "bold" if mean and stage == group.largest_stage() else ""
                cells.append(Text(_milliseconds(mean), style=style))
            table.add_row(stage_words(stage), *cells)
    table.add_section()
    table.add_row("whole turn", *(_milliseconds(group.mean_ps) for _, _, group in lanes))
    return table


def _sentences(run: Run) -> Iterator[str]:
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
