"""`subsecond run`: from the options to the table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from subsecond.agents.plan import plan_run
from subsecond.engine.core.execution import plan_execution
from subsecond.engine.errors import InputError
from subsecond.engine.run import Plan, Run, run_plan
from subsecond.engine.scenario import apply_settings, load_tables, parse_scenario

from .options import names
from .output import check_writable, write_json

__all__ = ["run_command"]

#: A run longer than this shows its progress on a terminal.
_REQUESTS_WORTH_A_BAR = 20_000


def run_command(
    *,
    scenario: str,
    traces: list[str],
    trace_format: str | None,
    time_scale: float | None,
    sample: int | None,
    pipelines: str | None,
    model: str | None,
    settings: list[str],
    seed: int | None,
    json_out: Path | None,
    record: Path | None,
    quiet: bool,
) -> None:
    """Run a scenario and show the outcome.

    Raises:
        InputError: an option, the scenario or a trace cannot be used.
    """
    if json_out is not None:
        check_writable(json_out)
    if record is not None:
        from subsecond.engine.recording.places import check_target

        check_target(record, "--record")
    if not traces:
        for option, value in (("--trace-format", trace_format), ("--time-scale", time_scale), ("--sample", sample)):
            if value is not None:
                raise InputError(option, "", str(value), "a --trace that it belongs to")
    if sample is not None and sample < 1:
        raise InputError("--sample", "", sample, "a whole number from 1")
    tables, path = load_tables(scenario)
    if traces:  # arrivals and gaps of a trace say how long the run lasts
        tables.pop("duration_s", None)
    if pipelines is not None:
        _choose(tables, names(pipelines))
    if model is not None:
        tables["model"] = model
    if seed is not None:
        tables["seed"] = seed
    apply_settings(tables, settings)
    plan = plan_run(
        parse_scenario(tables, path),
        traces=[Path(trace) for trace in traces],
        trace_format=trace_format,
        time_scale=time_scale,
        sample=sample,
    )
    if traces:
        plan = _with_traces(plan, traces, format=trace_format, time_scale=time_scale, sample=sample)
    run = _run(plan, quiet)
    if record is not None:
        from subsecond.engine.recording.from_run import write_run

        write_run(record, run, "--record")
    if json_out is not None:
        from subsecond.engine.document import document_of

        write_json(json_out, document_of(run))
    if not quiet and str(json_out) != "-":
        from .table import show_run

        show_run(run, traces)


def _choose(tables: dict[str, Any], chosen: Sequence[str]) -> None:
    known = tables.get("pipelines", {})
    tables["pipelines"] = {name: known.get(name, {}) if isinstance(known, dict) else {} for name in chosen}


def _with_traces(plan: Plan, traces: Sequence[str], **how: Any) -> Plan:
    """The plan with its traces in the scenario's tables, so that these are enough to run it again."""
    table = {"files": [str(Path(t).absolute()) if Path(t).exists() else t for t in traces]}
    table |= {key: value for key, value in how.items() if value is not None}
    tables = {**plan.scenario.tables, "agents": [], "traces": [table]}
    return replace(plan, scenario=replace(plan.scenario, tables=tables))


def _run(plan: Plan, quiet: bool) -> Run:
    requests = plan.workload.num_requests * len(plan.pipelines)
    execution = plan_execution(requests)
    if execution.notice and not quiet:
        sys.stderr.write(f"subsecond: {execution.notice}\n")
    slow = requests >= (_REQUESTS_WORTH_A_BAR if execution.compiled and not execution.notice else 1000)
    if quiet or not slow or not sys.stderr.isatty():
        return run_plan(plan, compiled=execution.compiled)
    return _run_with_bar(plan, execution.compiled)


def _run_with_bar(plan: Plan, compiled: bool) -> Run:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks = {name: bar.add_task(name, total=plan.workload.num_requests) for name in plan.pipelines}

        def tell(name: str, ended: int, total: int) -> None:
            bar.update(tasks[name], completed=ended, total=total)

        return run_plan(plan, compiled=compiled, progress=tell)
