"""`subsecond show`: what is in a recording."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from subsecond.engine.errors import InputError
from subsecond.engine.feed import FaultNote, OutsideAgent
from subsecond.engine.recording.reader import Recording
from subsecond.engine.recording.summary import BudgetSummary, LaneSummary, Summary, summarise
from subsecond.engine.shares import cut_share
from subsecond.tui.verdict import clock_words
from subsecond.tui.widgets.text import clean

from .grid import Grid, count_cell, output_console, time_cell
from .output import check_writable, write_json

__all__ = ["show_command", "size_words"]

#: Rows of a list that can be long, such as that of outside agents.
MOST = 20
#: Settings that have a place of their own on the page.
_SHOWN = frozenset({"title", "seed", "duration_s", "pipelines", "budgets"})


def show_command(*, recording: Path, json_out: Path | None, with_contents: bool) -> None:
    """Print what a recording holds, or write it as JSON.

    Args:
        with_contents: print the texts of outside agents, too, if there are any.

    Raises:
        InputError: no recording, or a file that cannot be written.
    """
    if json_out is not None:
        check_writable(json_out)
    if with_contents and json_out is not None:
        raise InputError("--contents", "", "--json", "no --json: `export --table contents` writes texts for programs")
    with Recording.open(recording) as opened:
        summary = summarise(opened)
    if json_out is not None:
        write_json(json_out, summary)
    if str(json_out) != "-":
        _print(summary, output_console())
    if with_contents:
        _print_contents(recording)


def _print_contents(path: Path) -> None:
    """Texts as they are, but for what would change the terminal; a line each."""
    with Recording.open(path) as recording:
        lanes = [lane.name for lane in recording.hello().lanes]
        for content in recording.contents():
            lane = lanes[content.lane] if 0 <= content.lane < len(lanes) else f"lane {content.lane}"
            head = f"{clock_words(content.at_ps)} {lane} turn {content.turn} {content.role}: "
            print(clean(head + content.text))


def _print(summary: Summary, console: Console) -> None:
    console.print(Text(clean(summary.title or summary.scenario)), style="bold")
    _pairs(console, _facts(summary))
    for grid in (_turns(summary), _budgets(summary)):
        grid.print(console)
    for line in _events(summary):
        console.print(Padding(Text(clean(line)), (0, 0, 0, 1)))
    console.print(Text(f" digest {summary.digest}" if summary.digest else " no digest: a live run", style="dim"))


def _pairs(console: Console, pairs: Iterator[tuple[str, str]]) -> None:
    table = Table.grid(padding=(0, 0, 0, 1))
    table.add_column(no_wrap=True, style="dim")
    table.add_column()
    for name, value in pairs:
        table.add_row(Text(clean(name)), Text(clean(value)))
    console.print(table)


def _facts(summary: Summary) -> Iterator[tuple[str, str]]:
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(summary.created_unix_s))
    driver = "live" if summary.driver == "live" else "virtual time"
    yield "file", f"{summary.file}, {size_words(summary.size_bytes)}, format {summary.format}"
    yield "run", f"{summary.scenario}, seed {summary.seed}, {driver}, {summary.run}"
    yield "recorded", f"{began} by version {summary.package_version}, catalog {summary.catalog_digest[:12]}"
    yield "length", f"{clock_words(summary.duration_ps)}, {_END_WORDS.get(summary.end, summary.end)}"
    settings = ", ".join(_flat(summary.settings))
    if settings:
        yield "settings", settings
    if summary.contents:
        yield "texts", f"{summary.contents:,} of outside agents were recorded; --contents prints them"
    if summary.dropped_gauges:
        yield "left out", f"{summary.dropped_gauges:,} gauges, clocks and loads, since the disk was slow"
    for lane in summary.lanes:
        yield lane.name, _lane_words(lane)


_END_WORDS = {
    "finished": "finished",
    "being written": "still being written",
    "cut off": "cut off: its writer did not end in order",
}


def _lane_words(lane: LaneSummary) -> str:
    status = "" if lane.status == "shipping" or lane.status in lane.label else f" ({lane.status})"
    servers = f"{lane.servers} server{'s' if lane.servers != 1 else ''}"
    words = f"{lane.label}{status}, {lane.model}, {servers}"
    if lane.not_public:
        words += (
            f"; not public are {len(lane.not_public)} of {lane.parameters} parameters: {', '.join(lane.not_public)}"
        )
    return words


def _flat(settings: Mapping[str, Any]) -> Iterator[str]:
    """Settings as `--set` takes them, but for what is on the page anyway."""
    for key, value in settings.items():
        if key == "agents" and isinstance(value, list):
            for table in value:
                own = {k: v for k, v in table.items() if k != "kind"}
                yield from _flat_table(str(table.get("kind", "agents")), own)
        elif key == "pipelines" and isinstance(value, dict):
            for name, table in value.items():
                yield from _flat_table(name, table)
        elif key not in _SHOWN:
            yield from _flat_table(key, value)


def _flat_table(name: str, value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat_table(f"{name}.{key}", inner)
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        yield f"{len(value)} {name}"
    else:
        yield f"{name}={value}"


def _turns(summary: Summary) -> Grid:
    """Turns by how they ended, a row per agent kind and lane."""
    groups = [group for lane in summary.lanes for group in lane.agents]
    ends = [end for end in ("failed", "cancelled", "pending") if any(getattr(group, end) for group in groups)]
    grid = Grid(["agents", "pipeline", "turns", "answered", *ends, "p50", "p95"], num_labels=2)
    for place in range(len(summary.lanes[0].agents) if summary.lanes else 0):
        for i, lane in enumerate(summary.lanes):
            group = lane.agents[place]
            counts = [count_cell(getattr(group, end)) for end in ends]
            times = (time_cell(group.p50_ps), time_cell(group.p95_ps))
            name = "" if i else clean(group.agents)
            grid.add(name, clean(lane.name), f"{group.turns:,}", f"{group.answered:,}", *counts, *times)
        grid.end_section()
    return grid


def _budgets(summary: Summary) -> Grid:
    grid = Grid(["turns in time", *(clean(lane.name) for lane in summary.lanes)])
    for own in zip(*(lane.budgets for lane in summary.lanes), strict=True):
        grid.add(clean(_limit_words(own[0])), *map(_attainment, own))
    return grid


def _limit_words(budget: BudgetSummary) -> str:
    limits = {"": budget.turn_ps, "TTFT ": budget.ttft_ps, "TPOT ": budget.tpot_ps}
    words = ", ".join(f"{name}<= {ps / 10**9:g} ms" for name, ps in limits.items() if ps is not None)
    share = "all" if budget.percentile >= 100 else f"{budget.percentile:g} %"
    return f"{budget.agents}: {budget.name}, {words} for {share}"


def _attainment(budget: BudgetSummary) -> Text:
    if budget.attainment is None:
        return Text("-")
    shown = cut_share(budget.attainment)
    return Text(f"{shown}, kept", style="green") if budget.is_kept else Text(f"{shown}, not kept", style="red")


def _events(summary: Summary) -> Iterator[str]:
    """What happened on the way, by kind."""
    lanes = [lane.name for lane in summary.lanes]
    yield from _some([f"fault at {clock_words(fault.at_ps)}: {_fault_words(fault, lanes)}" for fault in summary.faults])
    yield from _some(
        [f"knob at {clock_words(knob.at_ps)}: {knob.lane}.{knob.key} = {knob.value}" for knob in summary.knobs]
    )
    yield from _some([f"note at {clock_words(note.at_ps)}: {note.text}" for note in summary.annotations])
    yield from _some([f"{notice.level}: {notice.text}" for notice in summary.notices])
    yield from _some([_agent_words(agent, lanes) for agent in summary.outside_agents])


def _some(lines: list[str]) -> Iterator[str]:
    yield from (f"• {line}" for line in lines[:MOST])
    if len(lines) > MOST:
        yield f"• and {len(lines) - MOST:,} more like the last: --json has them all"


def _fault_words(fault: FaultNote, lanes: list[str]) -> str:
    lane = lanes[fault.lane] if 0 <= fault.lane < len(lanes) else f"lane {fault.lane}"
    value = "" if fault.value is None else f", {fault.value:g}"
    until = "to the end" if fault.until_ps is None else f"until {clock_words(fault.until_ps)}"
    return f"{fault.kind} of {lane}, part {fault.target}{value}, {until}"


def _agent_words(agent: OutsideAgent, lanes: list[str]) -> str:
    lane = f" on {lanes[agent.lane]}" if 0 <= agent.lane < len(lanes) else ""
    errors = f", {agent.errors:,} errors, the last: {agent.last_error}" if agent.errors else ""
    return f"agent {agent.name}, {agent.protocol}{lane}: {agent.turns:,} turns, {agent.missed:,} missed{errors}"


def size_words(size_bytes: int) -> str:
    """A size in the unit that suits it."""
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"
