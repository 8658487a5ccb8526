"""What outside agents measured, as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from subsecond.agents.clients.fleet import Fleet
from subsecond.agents.clients.measure import RECENT, Quantiles, Report
from subsecond.engine.findings import counted, stage_words

__all__ = ["FILE_WIDTH", "progress_line", "progress_table", "report_tables"]

#: Width of output that goes into a file.
FILE_WIDTH = 100
#: What is timed, in words, by agent kind.
TIMED = {
    "coding": {"ttft_ms": "first token", "latency_ms": "whole turn"},
    "voice": {"latency_ms": "first sound"},
}
SIDES = ("client", "server", "difference")


def progress_line(fleet: Fleet) -> str:
    """How it goes, in one line."""
    tally = fleet.tally
    parts = [f"{fleet.wall_s:.0f} s", counted(tally.turns, "turn"), f"{tally.under_way} under way"]
    latest = tally.quantiles("client latency_ms", RECENT)
    if latest is not None:
        what = TIMED[fleet.orders.kind]["latency_ms"]
        parts.append(f"{what} p50 {_time(latest.p50)}, p95 {_time(latest.p95)}")
    if tally.errors:
        parts.append(counted(tally.errors.total(), "error"))
    return ", ".join(parts)


def progress_table(fleet: Fleet) -> RenderableType:
    """How it goes, for a terminal."""
    table = _table("latest turns", "p50", "p95", "p99")
    for name, words in TIMED[fleet.orders.kind].items():
        for side in SIDES[:2]:
            table.add_row(f"{words}, {side}", *_cells(fleet.tally.quantiles(f"{side} {name}", RECENT)))
    ends = "waits for turns under way, ctrl+c again does not" if fleet.is_ending else "ctrl+c ends"
    return Group(table, Text(f"{progress_line(fleet)} · {ends}"))


def report_tables(report: Report) -> Iterator[RenderableType]:
    """The end of a run."""
    yield Text(_headline(report), style="bold")
    yield _times(report)
    if report.stages_ms:
        yield _stages(report)
    for sentence in _sentences(report):
        yield Padding(Text(f"• {sentence}"), (0, 0, 0, 1))


def _headline(report: Report) -> str:
    loop = "closed loop" if report.rate_per_s is None else f"open loop, {report.rate_per_s:g} turns/s"
    sessions = counted(report.sessions, "session")
    return f"{report.agents} · {report.model} · {sessions} · {loop} · {report.wall_s:.0f} s · seed {report.seed}"


def _times(report: Report) -> Table:
    table = _table(counted(report.turns, "turn"), "p50", "p95", "p99", "max")
    for name, words in TIMED[report.agents].items():
        for side in SIDES:
            quantiles: Quantiles | None = getattr(report, side)[name]
            table.add_row(f"{words}, {side}", *_cells(quantiles), _time(quantiles.max) if quantiles else "-")
        table.add_section()
    return table


def _stages(report: Report) -> Table:
    table = _table("mean ms per turn", "server")
    for name, ms in report.stages_ms.items():
        table.add_row(stage_words(name), f"{ms:,.1f}")
    table.add_section()
    table.add_row("whole turn", f"{sum(report.stages_ms.values()):,.1f}")
    return table


def _sentences(report: Report) -> Iterator[str]:
    yield f"{report.turns_per_s:.2f} turns/s, {counted(report.output_tokens, 'token')} given"
    if report.difference["latency_ms"] is not None and report.timer_ms is not None:
        yield (
            "difference: client lag, the way through this machine and what the gateway adds; timers of this program "
            f"were {_time(report.timer_ms.p50)} late at p50, {_time(report.timer_ms.p99)} at p99"
        )
    elif report.turns and report.server["latency_ms"] is None:
        yield "the server says nothing about its stages: no Subsecond"
    sends = report.sends
    if sends.delay_ms is not None:
        yield (
            f"{sends.late:,} of {sends.delay_ms.count:,} sends more than {sends.late_ms:g} ms late, the latest by "
            f"{_time(sends.delay_ms.max)}; all times count from when a turn was meant to be sent"
        )
    if sends.unsent or sends.unfinished:
        waiting = f"{counted(sends.unsent, 'turn')} had not found a free session"
        yield f"at the end {waiting}, {sends.unfinished:,} were under way"
    if report.interrupted:
        took = report.interruption_ms
        after = f", {_time(took.p50)} after the caller's first sound at p50" if took else ""
        yield f"{counted(report.interrupted, 'turn')} ended by interruption{after}"
    if report.reconnects:
        yield f"{counted(report.reconnects, 'connection')} replaced"
    for kind, count in report.errors.items():
        yield f"{count:,} x {kind}"


def _table(first: str, *names: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(first, no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _cells(quantiles: Quantiles | None) -> tuple[str, str, str]:
    if quantiles is None:
        return "-", "-", "-"
    return _time(quantiles.p50), _time(quantiles.p95), _time(quantiles.p99)


def _time(ms: float) -> str:
    if abs(ms) >= 1000:
        return f"{ms / 1000:,.2f} s"
    return f"{ms:.0f} ms" if abs(ms) >= 100 else f"{ms:.1f} ms"
