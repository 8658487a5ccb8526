"""The commands about recordings that were made: list, look into, take elsewhere, clear away, save what can be saved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

__all__ = ["add_commands"]


class _ListsByDefault(TyperGroup):
    """A group whose first argument may be a folder to list instead of the name of a command."""

    def resolve_command(self, ctx: typer.Context, args: list[str]):  # type: ignore[no-untyped-def,override]  # its types are not exported
        """The command that arguments mean, its name, and what is left for it."""
        known = args and (args[0] in self.commands or args[0].startswith("-"))
        return super().resolve_command(ctx, args if known else ["list", *args])


_recordings = typer.Typer(cls=_ListsByDefault, help="List the recordings in a folder; clear them away; rescue one.")

_Recording = Annotated[Path, typer.Argument(help="The file.")]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to those of `subsecond`."""
    app.command(short_help="Show what is in a recording.")(show)
    app.command(short_help="Write a recording as Parquet, CSV, JSON lines or OpenTelemetry traces.")(export)
    app.add_typer(_recordings, name="recordings", short_help="List recordings, clear them away, rescue one.")


def show(
    recording: _Recording,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="OUT", help="Write it all as JSON; - for standard output.")
    ] = None,
    contents: Annotated[
        bool, typer.Option("--contents", help="Print the texts of outside agents, if they were recorded.")
    ] = False,
) -> None:
    """Show what is in a recording: the run, how it ended, what each pipeline came to, and what happened on the way."""
    from subsecond.tui.cli.show import show_command

    show_command(recording=recording, json_out=json, with_contents=contents)


def export(
    recording: _Recording,
    kind: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="F", help="parquet, csv, jsonl or otlp-json; by default by the suffix of OUT."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="OUT", help="Where to; - for standard output.")
    ] = None,
    table: Annotated[str, typer.Option(metavar="T", help="Table: turns, gauges, server_gauges, faults, ...")] = "turns",
    lane: Annotated[str | None, typer.Option(metavar="NAME", help="Rows of this pipeline alone.")] = None,
    since: Annotated[str | None, typer.Option(metavar="T", help="Rows after this instant, such as 90s.")] = None,
    until: Annotated[str | None, typer.Option(metavar="T", help="Rows up to this instant, such as 2m.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of another kind.")] = False,
) -> None:
    """Write a table of a recording for other programs, or its turns as OpenTelemetry traces."""
    from subsecond.tui.cli.export import export_command

    export_command(
        recording=recording, kind=kind, out=out, table=table, lane=lane, since=since, until=until, force=force
    )


@_recordings.callback(invoke_without_command=True)
def _all(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_them()


@_recordings.command("list")
def list_them(
    folder: Annotated[
        Path | None, typer.Argument(help="Where to look; by default the folder of live recordings.")
    ] = None,
) -> None:
    """List the recordings in a folder, the youngest first."""
    from subsecond.tui.cli.recordings import show_recordings

    show_recordings(folder)


@_recordings.command("rescue")
def rescue(
    recording: _Recording,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="The new recording.")],
) -> None:
    """Save what can be read of a damaged recording into a new one."""
    from subsecond.tui.cli.recordings import rescue_recording

    rescue_recording(recording, out)


@_recordings.command("prune", short_help="Clear recordings away.")
def prune(
    folder: Annotated[
        Path | None, typer.Argument(help="Where to look; by default the folder of live recordings.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="AGE", help="Only those older than that, such as 7d or 12h.")
    ] = None,
    keep: Annotated[int | None, typer.Option(metavar="N", help="Spare the N youngest.")] = None,
    temporary: Annotated[
        bool, typer.Option("--temporary", help="Only those that nobody kept, left behind by services that were killed.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Clear away recordings that fulfil all that is asked for; one being written, or another file, never goes."""
    from subsecond.tui.cli.recordings import prune_recordings

    prune_recordings(folder=folder, older_than=older_than, keep=keep, temporary=temporary, dry_run=dry_run, yes=yes)
