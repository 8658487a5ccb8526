"""The options of `subsecond price`."""

from __future__ import annotations

from typing import Annotated

import typer

from subsecond.tui.cli.common import (
    DurationOption,
    JsonOption,
    ModelOption,
    PipelinesOption,
    QuietOption,
    ScenarioArgument,
    SeedOption,
    SettingsOption,
    WarmUpOption,
)
from subsecond.tui.cli.options import whole

__all__ = ["price"]


def price(
    scenario: ScenarioArgument = "playground",
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
    duration: DurationOption = None,
    warm_up: WarmUpOption = None,
    pipelines: PipelinesOption = None,
    model: ModelOption = None,
    settings: SettingsOption = None,
    seed: SeedOption = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the formula of every cost and what went into it.")
    ] = False,
    json: JsonOption = None,
    quiet: QuietOption = False,
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
