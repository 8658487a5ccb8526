"""Puts the commands together and turns what a user got wrong into one line and exit code 2."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from subsecond.engine.errors import SubsecondError
from subsecond.tui.cli.catalog import app as catalog_app

__all__ = ["app", "main"]

app = typer.Typer(
    name="subsecond",
    help="Does my agent stay under a second, on which pipeline, and what decides it?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("subsecond"))
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def run(
    scenario: Annotated[str, typer.Argument(help="A scenario file, or the name of one that ships.")] = "playground",
    trace: Annotated[
        list[str] | None,
        typer.Option("--trace", metavar="FILE", help="Replay this trace instead of the scenario's agents; repeatable."),
    ] = None,
    trace_format: Annotated[str | None, typer.Option(help="Format of the traces; found out by default.")] = None,
    time_scale: Annotated[float | None, typer.Option(help="Stretch the times of the traces by this factor.")] = None,
    sample: Annotated[int | None, typer.Option(help="Replay at most so many sessions, drawn by the seed.")] = None,
    pipelines: Annotated[
        str | None, typer.Option(metavar="A,B", help="Pipelines to run instead of the scenario's.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model for all pipelines.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a value: gpu.replicas=2, coding.sessions=99."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every random draw.")] = None,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="OUT", help="Write the results as JSON; - for standard output.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Run a scenario in virtual time and show who kept the budgets, who was ahead and where the time went."""
    from subsecond.tui.cli.run import run_command

    run_command(
        scenario=scenario,
        traces=trace or [],
        trace_format=trace_format,
        time_scale=time_scale,
        sample=sample,
        pipelines=pipelines,
        model=model,
        settings=settings or [],
        seed=seed,
        json_out=json,
        quiet=quiet,
    )


app.add_typer(catalog_app, name="catalog")


@app.command()
def scenarios() -> None:
    """List the scenarios that ship."""
    from subsecond.engine.scenario import load_tables, scenario_names

    names = scenario_names()
    for name in names:
        tables, _ = load_tables(name)
        typer.echo(f"{name:<{max(map(len, names))}}  {tables.get('title', '')}")


@app.command()
def validate(
    file: Annotated[
        Path | None, typer.Argument(help="Measurements as CSV; by default the published ones that ship.")
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option("--json", metavar="OUT", help="Write rows and summary as JSON; - for standard output."),
    ] = None,
) -> None:
    """Predict published measurements and show how far off the predictions are."""
    from subsecond.tui.cli.validate import validate as validate_command

    validate_command(file, json)


def main() -> None:
    """Entry point of `subsecond`."""
    try:
        app()
    except SubsecondError as error:
        fail(str(error))
    except KeyboardInterrupt:
        sys.stderr.write("subsecond: interrupted\n")
        raise SystemExit(130) from None
    except BrokenPipeError:  # the reader of our output, such as `head`, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None


def fail(message: str) -> None:
    """Say what is wrong in one line and end with exit code 2."""
    sys.stderr.write(f"subsecond: {' '.join(message.split())}\n")
    raise SystemExit(2)
