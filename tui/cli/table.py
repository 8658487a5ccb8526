"""A run as tables for the terminal: outcome per agent kind and pipeline, time by stage, who wins, what it says."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from subsecond.engine.findings import findings_of, stage_words
from subsecond.engine.metrics import BudgetOutcome, Group
from subsecond.engine.run import Lane, Run

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
    console.print(_stages(run))
    for text in _sentences(run):
        console.print(Padding(Text(text), (0, 0, 0, 1)))
    console.print(Text(f" digest {run.digest}", style="dim"))


def _headline(run: Run, traces: list[str]) -> str:
    scenario, workload = run.plan.scenario, run.plan.workload
    what = ", ".join(traces) if traces else scenario.name
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


def _group(lane: Lane, kind: str) -> Group:
    return lane.groups[kind]


def _outcomes(run: Run) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("agents", "pipeline"):
        table.add_column(name, no_wrap=True)
    has_failed = any(lane.whole.failed for lane in run.lanes.values())
    for name in ("turns", *(("failed",) if has_failed else ()), "p50", "p95", "p99"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("budget", no_wrap=True)
    table.add_column("met", justify="right", no_wrap=True)
    table.add_column("good/s", justify="right", no_wrap=True)
    for kind in _kinds(run):
        for i, (name, lane) in enumerate(run.lanes.items()):
            _add_group(table, kind if i == 0 else "", name, _group(lane, kind), has_failed)
        table.add_section()
    return table


def _add_group(table: Table, kind: str, name: str, group: Group, has_failed: bool) -> None:
    budgets = [_budget_cells(outcome) for outcome in group.budgets] or [("-", Text("-"))]
    first, *rest = budgets
    turns = f"{group.turns:,}" + (f" +{group.unfinished:,}" if group.unfinished else "")
    failed = [f"{group.failed:,}" if group.failed else "-"] if has_failed else []
    times = [_time(group.latency_ps.get(q)) for q in ("p50", "p95", "p99")]
    table.add_row(kind, name, turns, *failed, *times, *first, f"{group.goodput_per_s:.2f}")
    for cells in rest:
        table.add_row(*[""] * (6 + has_failed), *cells, "")


def _budget_cells(outcome: BudgetOutcome) -> tuple[str, Text]:
    share = outcome.attainment
    shown = "-" if share is None else f"{100 * share:.1f} %"
    # the word tells without colour
    kept = "kept" if outcome.is_kept else "late"
    return outcome.budget.shown, Text(f"{shown} {kept}", style="green" if outcome.is_kept else "red")


def _stages(run: Run) -> Table:
    """Mean time per answered turn, a column per agent kind and pipeline."""
    lanes = [(kind, name, _group(lane, kind)) for kind in _kinds(run) for name, lane in run.lanes.items()]
    lanes = [lane for lane in lanes if lane[2].stages_ps]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
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
        share = f"{budget.percentile:g} % of the turns" if budget.percentile < 100 else "every turn"
        yield f"• {budget.name}: {budget.shown} for {share} ({budget.source})"
    secret = {
        name: sum(value.provenance == "not public" for value in lane.pipeline.parameters.values())
        for name, lane in run.lanes.items()
    }
    for name, count in secret.items():
        if count:
            yield f"• {name} rests on {count} parameters that nobody has published: subsecond catalog show {name}"


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
