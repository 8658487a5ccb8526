"""The commands that hold recordings against each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from subsecond.tui.cli.options import lane_pair, names, whole

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
    app.command(short_help="Run a recording's sessions again with something changed.")(rerun)
    app.command(short_help="Write recordings or studies as one HTML page that opens without a network.")(report)


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


def rerun(
    file: Annotated[Path, typer.Argument(help="The recording.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="What to change, such as gpu.replicas=2."),
    ] = None,
    pipelines: Annotated[str | None, typer.Option(metavar="A,B", help="Pipelines instead of those recorded.")] = None,
    seed: Annotated[
        int | None, typer.Option(parser=whole("--seed"), metavar="N", help="Another seed of every random draw.")
    ] = None,
    no_faults: Annotated[bool, typer.Option("--no-faults", help="Leave out the faults of the recording.")] = False,
    no_knobs: Annotated[bool, typer.Option("--no-knobs", help="Leave out what was turned while it ran.")] = False,
    lanes: Annotated[
        list[str] | None,
        typer.Option("--lane", metavar="X=Y", help="Hold lane Y of the re-run against lane X; repeatable."),
    ] = None,
    budget: _Budget = None,
    since: _Since = None,
    until: _Until = None,
    record: Annotated[
        Path | None, typer.Option("--record", metavar="FILE", help="Write the re-run as a recording of its own.")
    ] = None,
    json: _Json = None,
) -> None:
    """Let the sessions of a recording run again, in virtual time, with something changed; compare with what was.

    Sessions begin when they began, agents wait as long after a reply as they did, faults strike and knobs are turned
    at their times.
    """
    from subsecond.agents.rerun import Changes
    from subsecond.tui.cli.rerun import rerun_command

    rerun_command(
        file=file,
        changes=Changes(
            settings=tuple(settings or ()),
            pipelines=None if pipelines is None else names(pipelines),
            seed=seed,
            has_faults=not no_faults,
            has_knobs=not no_knobs,
        ),
        lanes=[lane_pair(text) for text in lanes or []],
        budget=budget,
        since=since,
        until=until,
        record=record,
        json_out=json,
    )


def report(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Recordings (several: compared), or studies as --json wrote them."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="The page; - for standard output.")],
    budget: _Budget = None,
    since: _Since = None,
    until: _Until = None,
) -> None:
    """Write one HTML page about recordings: verdict, budgets, latency over time, stages, longest turns, sources.

    Or about studies (price, drill, capacity, gap, sweep): their figures and tables.

    It holds everything that it shows and asks no network for anything. Needs the extra `report` (plotly).
    """
    from subsecond.tui.cli.report import report_command

    report_command(files=files, out=out, budget=budget, since=since, until=until)
