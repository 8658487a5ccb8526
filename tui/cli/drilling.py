"""What `subsecond drill` takes."""

from __future__ import annotations

from typing import Annotated

import typer

from subsecond.tui.cli.common import (
    JsonOption,
    ModelOption,
    PipelinesOption,
    ScenarioArgument,
    SeedOption,
    SettingsOption,
)
from subsecond.tui.cli.options import number, whole

__all__ = ["drill"]


def drill(
    scenario: ScenarioArgument = "playground",
    drills: Annotated[
        list[str] | None,
        typer.Option("--drill", metavar="NAME[@TIME]", help="A drill that ships, or all; repeatable, each by itself."),
    ] = None,
    faults: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            metavar="FAULT",
            help="NAME@TIME:DURATION[=VALUE][/TARGET], as decode_down@5m:60s; repeatable, all in one drill.",
        ),
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="Show the drills that ship, and nothing else.")] = False,
    pipelines: PipelinesOption = None,
    model: ModelOption = None,
    settings: SettingsOption = None,
    seed: SeedOption = None,
    replicas: Annotated[
        int | None,
        typer.Option(
            parser=whole("--replicas"),
            metavar="N",
            help="Runs, each with the next seed, all together; 4, or 1 of a trace.",
        ),
    ] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="NAME", help="Budget that counts, instead of the first of each kind.")
    ] = None,
    policies: Annotated[
        bool, typer.Option("--policies", help="Also under retry, reprefill, fallback and fail, side by side.")
    ] = False,
    weeks: Annotated[
        float | None,
        typer.Option(
            parser=number("--weeks"), metavar="N", help="Servers stop by chance, over so many weeks, instead."
        ),
    ] = None,
    mtbf: Annotated[
        list[str] | None,
        typer.Option(
            "--mtbf", metavar="PART=TIME", help="With --weeks: mean time between failures of a gpu, prefill or decode."
        ),
    ] = None,
    mttr: Annotated[str | None, typer.Option("--mttr", metavar="TIME", help="With --weeks: time to repair.")] = None,
    direct: Annotated[bool, typer.Option("--direct", help="With --weeks: simulate them turn by turn, too.")] = False,
    as_written: Annotated[
        bool, typer.Option("--as-written", help="Sessions and length as in the scenario, not a constant load.")
    ] = False,
    brief: Annotated[bool, typer.Option("--brief", help="Print a row for each drill, and nothing of its own.")] = False,
    json: JsonOption = None,
) -> None:
    """Break something on purpose: the same sessions without the fault and with it, turn by turn.

    Without --drill and --fault the scenario's own faults are the drill, or else the loss of a server. With --weeks no
    drill is held: servers stop by chance, and the share of turns in budget in the long run is told, and the minutes a
    week in which fewer of them are in budget than the budget asks for.
    """
    from subsecond.tui.cli.drill import drill_command, list_command
    from subsecond.tui.cli.drill_options import LongRun, refuse

    if listing:
        chosen = {"--drill": drills, "--fault": faults, "--pipelines": pipelines, "--model": model, "--set": settings}
        runs = {"--seed": seed, "--replicas": replicas, "--budget": budget, "--policies": policies, "--weeks": weeks}
        rest = {"--mtbf": mtbf, "--mttr": mttr, "--direct": direct, "--as-written": as_written, "--brief": brief}
        refuse({**chosen, **runs, **rest}, "no --list beside it, which holds no drill")
        list_command(json)
        return
    drill_command(
        scenario=scenario,
        drills=drills or [],
        faults=faults or [],
        pipelines=pipelines,
        model=model,
        settings=settings or [],
        seed=seed,
        replicas=replicas,
        budget=budget,
        policies=policies,
        as_written=as_written,
        brief=brief,
        long_run=LongRun(weeks, mtbf or [], mttr, direct),
        json_out=json,
    )
