"""`subsecond agent`: outside agents that load a gateway and time it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from rich.console import Console
from rich.live import Live

from subsecond.agents.clients.fleet import Fleet, Orders
from subsecond.agents.clients.measure import Report
from subsecond.tui.cli.agent_report import FILE_WIDTH, progress_line, progress_table, report_tables
from subsecond.tui.cli.output import check_writable, write_json

__all__ = ["agent_command"]

#: Seconds between two pictures on a terminal, and between two lines elsewhere.
PICTURE_S = 0.5
LINE_S = 5.0


def agent_command(
    *,
    kind: str,
    url: str,
    model: str,
    sessions: int,
    rate_per_s: float | None,
    turns: int | None,
    duration_s: float | None,
    pace: float,
    token: str,
    seed: int,
    json_out: Path | None,
) -> None:
    """Run outside agents until they are done or the user ends them; then report.

    Raises:
        InputError: an option cannot be used, the gateway cannot be reached or refuses, or the report cannot be written.
    """
    orders = Orders(kind, url, model, sessions, seed, rate_per_s, turns, duration_s, pace, token)
    if json_out is not None:
        check_writable(json_out)
    report = asyncio.run(_run(Fleet(orders)))
    if json_out is not None:
        write_json(json_out, report)
    if json_out is None or str(json_out) != "-":
        console = Console(highlight=False, width=None if sys.stdout.isatty() else FILE_WIDTH)
        for part in report_tables(report):
            console.print(part)


async def _run(fleet: Fleet) -> Report:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    running = asyncio.create_task(fleet.run(stop))

    def interrupt() -> None:
        """Once: no other turn begins, and those under way end. Twice: they are not waited for."""
        if stop.is_set():
            fleet.hurry()
        stop.set()

    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # where loops know no signals, Ctrl-C still interrupts
            loop.add_signal_handler(name, interrupt)
    showing = asyncio.create_task(_show(fleet))
    try:
        return await running
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)


async def _show(fleet: Fleet) -> None:
    """What goes on, on standard error: a picture on a terminal, lines elsewhere."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        while True:
            await asyncio.sleep(LINE_S)
            sys.stderr.write(f"subsecond: {progress_line(fleet)}\n")
            sys.stderr.flush()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(progress_table(fleet), refresh=True)
            await asyncio.sleep(PICTURE_S)
