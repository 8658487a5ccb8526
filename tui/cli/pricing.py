"""The options of `subsecond price`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from subsecond.tui.cli.options import number, whole

__all__ = ["price"]


def price(
    scenario: Annotated[str, typer.Argument(help="A scenario file, or the name of one that ships.")] = "playground",
    way: Annotated[str, typer.Option(metavar="WAY", help="Of hire: on-demand, capacity-block or spot.")] = "on-demand",
    prices: Annotated[
        list[str] | None,
        typer.Option("--price", metavar="DEVICE=USD", help="Your own price of a device-hour, such as wse-3=120."),
    ] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="NAME", help="Budget that makes a turn one in time, for the curve.")
    ] = None,
    against: Annotated[str | None, typer.Option(metavar="P", help="Pipeline that the others are held against.")] = None,
    loads: Annotated[
        str | None, typer.Option(metavar="X,Y", help="Loads of the curve, in sessions over the scenario's: 0.5,1,2.")
    ] = None,
    sessions: Annotated[
        str | None, typer.Option(metavar="N,M", help="The same in sessions at once: 40,80,160.")
    ] = None,
    runs: Annotated[
        int, typer.Option(parser=whole("--runs"), metavar="N", help="Runs of each load, with different seeds.")
    ] = 3,
    most: Annotated[
        int, typer.Option(parser=whole("--most"), metavar="N", help="Most replicas of a pool that fleets have.")
    ] = 16,
    duration: Annotated[
        float | None, typer.Option(parser=number("--duration"), metavar="S", help="Length of a run, warm-up included.")
    ] = None,
    warm_up: Annotated[
        float | None,
        typer.Option(parser=number("--warm-up"), metavar="S", help="Beginning of a run that does not count."),
    ] = None,
    pipelines: Annotated[
        str | None, typer.Option(metavar="A,B", help="Pipelines to price instead of the scenario's.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model for all pipelines.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the scenario.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(parser=whole("--seed"), metavar="N", help="Seed of every random draw.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the formula of every cost and what went into it.")
    ] = False,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="OUT", help="Write everything as JSON; - for standard output.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Say what pipelines cost per hour, turn and token, and below which price one beats another, over loads.

    Where a price is not public the break-even says what it would have to be. Published token prices stand beside.
    """
    from subsecond.tui.cli.price import PriceOptions, price_command

    price_command(
        PriceOptions(
            scenario=scenario,
            settings=settings or (),
            pipelines=pipelines,
            model=model,
            seed=seed,
            way=way,
            prices=prices or (),
            budget=budget,
            against=against,
            loads=loads,
            sessions=sessions,
            runs=runs,
            most=most,
            duration_s=duration,
            warm_up_s=warm_up,
            explain=explain,
            json_out=json,
            quiet=quiet,
        )
    )
