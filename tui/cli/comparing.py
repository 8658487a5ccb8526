"""The commands that hold recordings against each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["add_commands"]

_Json = Annotated[
    Path | None, typer.Option("--json", metavar="OUT", help="Write everything as JSON; - for standard output.")
]
_Budget = Annotated[
    str | None, typer.Option("--budget", metavar="NAME", help="Budget that the verdict is about, instead of the first.")
]
_Since = Annotated[str | None, typer.Option("--since", metavar="T", help="Only turns that began from then on.")]
_Until = Annotated[str | None, typer.Option("--until", metavar="T", help="Only turns that began until then.")]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to those of `subsecond`."""
    app.command(short_help="Hold recordings, or the lanes of one, against each other.")(compare)


def compare(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Recordings; the others against the first.")],
    lanes: Annotated[
        list[str] | None,
        typer.Option(
            "--lane", metavar="X=Y", help="Hold lane Y of the others against lane X of the first; repeatable."
        ),
    ] = None,
    budget: _Budget = None,
    since: _Since = None,
    until: _Until = None,
    json: _Json = None,
) -> None:
    """Say what differs between recordings, which stage makes the difference, and whether it may be chance.

    Lanes are paired by their names; the lanes of a single recording are held against each other.
    """
    from subsecond.tui.cli.compare import compare_command

    compare_command(files=files, lanes=lanes or [], budget=budget, since=since, until=until, json_out=json)
