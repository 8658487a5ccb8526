"""A run as tables for the terminal: outcome per agent kind and pipeline, time by stage, who wins, what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.padding import Padding
from rich.text import Text

from subsecond.engine.findings import counted, findings_of, stage_words
from subsecond.engine.metrics import BudgetOutcome
from subsecond.engine.run import Run
from subsecond.engine.shares import cut_share

from .grid import Grid, count_cell, milliseconds_cell, output_console, time_cell

__all__ = ["show_run"]


def show_run(run: Run, traces: list[str]) -> None:
    """Print a run to standard output; a table with more columns than fit continues below itself."""
    console = output_console()
    console.print(Text(_headline(run, traces)), style="bold")
    for grid in (_outcomes(run), _budgets(run), _stages(run)):
        grid.print(console)
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
        f"{counted(workload.num_sessions, 'session')}, {counted(workload.num_turns, 'turn')}",
        f"seed {scenario.seed}",
    ]
    if scenario.duration_s is not None:
        warming = f", of which {scenario.warm_up_s:,g} s warm up" if scenario.warm_up_s else ""
        parts.insert(3, f"{scenario.duration_s:,g} s{warming}")
    return " · ".join(parts)


def _kinds(run: Run) -> list[str]:
    return list(run.plan.workload.kinds)


def _outcomes(run: Run) -> Grid:
    """Turns and latencies, a row per agent kind and pipeline."""
    has_failed = any(lane.whole.failed for lane in run.lanes.values())
    has_open = any(lane.whole.unfinished for lane in run.lanes.values())
    counts = ["turns", *(["failed"] if has_failed else []), *(["open"] if has_open else [])]
    grid = Grid(["agents", "pipeline", *counts, "p50", "p95", "p99", "goodput/s"], num_labels=2)
    for kind in _kinds(run):
        for i, (name, lane) in enumerate(run.lanes.items()):
            group = lane.groups[kind]
            failed = [count_cell(group.failed)] if has_failed else []
            unfinished = [count_cell(group.unfinished)] if has_open else []
            times = [time_cell(group.latency_ps.get(q)) for q in ("p50", "p95", "p99")]
            goodput = f"{group.goodput_per_s:.2f}"
            grid.add("" if i else kind, name, f"{group.turns:,}", *failed, *unfinished, *times, goodput)
        grid.end_section()
    return grid


def _budgets(run: Run) -> Grid:
    """Share of turns that met each budget, a column per pipeline; without colour words tell whether that will do."""
    grid = Grid(["turns in time", *run.lanes])
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
    shown = cut_share(share)
    return Text(f"{shown}, kept", style="green") if outcome.is_kept else Text(f"{shown}, not kept", style="red")


def _stages(run: Run) -> Grid:
    """Mean time per answered turn, a column per agent kind and pipeline."""
    lanes = [(kind, name, lane.groups[kind]) for kind in _kinds(run) for name, lane in run.lanes.items()]
    lanes = [lane for lane in lanes if lane[2].stages_ps]
    several = len(_kinds(run)) > 1
    grid = Grid(["mean ms per turn", *(f"{kind}\n{name}" if several else name for kind, name, _ in lanes)])
    stages = list(dict.fromkeys(stage for _, _, group in lanes for stage in group.stages_ps))
    for stage in stages:
        means = [group.stages_ps.get(stage, (0.0, 0))[0] for _, _, group in lanes]
        if any(mean > 0 for mean in means):
            cells = []
            for mean, (_, _, group) in zip(means, lanes, strict=True):
                style = "bold" if mean and stage == group.largest_stage() else ""
                cells.append(Text(milliseconds_cell(mean), style=style))
            grid.add(stage_words(stage), *cells)
    grid.end_section()
    grid.add("whole turn", *(milliseconds_cell(group.mean_ps) for _, _, group in lanes))
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
