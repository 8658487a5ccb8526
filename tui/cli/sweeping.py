"""The command of sweeps, with what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from subsecond.tui.cli.common import JsonOption, QuietOption
from subsecond.tui.cli.options import thread_count

__all__ = ["sweep"]


def sweep(
    sweep: Annotated[
        str | None,
        typer.Argument(metavar="SWEEP", help="Sweep file, name of a shipped one, or the folder of a finished one."),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the sweeps that ship.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Folder of the results; by default SWEEP.sweep.")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(parser=thread_count, metavar="N", help="Threads, or processes of --cluster local."),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Scheduler of dask.distributed; local: processes of this machine."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Setting of every point, such as duration_s=60; repeatable."),
    ] = None,
    json: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Run every point of a grid or a random design, and keep the results in a folder.

    The same sweep gives the same bytes on one thread, on many and on a cluster. Ctrl-C ends it; the same command goes
    on from there. Needs the extra `scale`.

    Exit codes: 0, 1 if a run failed (the others are kept), 2 for what cannot be run at all, 130 after Ctrl-C.
    """
    from subsecond.tui.cli.sweep import sweep_command

    sweep_command(
        sweep=sweep,
        has_list=list_,
        out=out,
        threads=threads,
        cluster=cluster,
        settings=settings or [],
        json_out=json,
        quiet=quiet,
    )
