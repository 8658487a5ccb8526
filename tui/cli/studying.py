"""The commands of studies: questions that take many runs of a scenario."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    ThreadsOption,
    WarmUpOption,
)
from subsecond.tui.cli.drilling import drill
from subsecond.tui.cli.options import names, number, whole
from subsecond.tui.cli.pricing import price
from subsecond.tui.cli.sweeping import sweep

if TYPE_CHECKING:
    from subsecond.agents.study.points import Base

__all__ = ["add_commands"]

_Budget = Annotated[
    str | None, typer.Option("--budget", metavar="NAME", help="A budget of the scenario or of the catalog.")
]
_Percentile = Annotated[
    float | None,
    typer.Option(parser=number("--percentile"), metavar="P", help="Share of turns, in %, that shall keep it."),
]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to those of `subsecond`."""
    app.command(short_help="How many sessions each pipeline carries while a budget holds.")(capacity)
    app.command(short_help="Break something on purpose, and say what that does to the turns.")(drill)
    app.command(short_help="Say what pipelines cost, and at which price one beats another.")(price)
    app.command(short_help="Run many points of a scenario, on threads or on a cluster.")(sweep)
    app.command(short_help="Which change lets a pipeline keep a budget: a tornado of all of them.")(gap)
    app.command("map", short_help="Where the answer flips, over contexts and sessions at once.")(flip_map)


def _base(
    scenario: str, settings: Sequence[str] | None, pipelines: str | None, model: str | None, seed: int | None
) -> Base:
    """The scenario that is meant, with what was asked of it."""
    from subsecond.agents.study.points import load_base

    chosen = None if pipelines is None else names(pipelines)
    return load_base(scenario, settings=settings or [], pipelines=chosen, model=model, seed=seed)


def capacity(
    scenario: ScenarioArgument = "playground",
    pipelines: PipelinesOption = None,
    agents: Annotated[
        str | None, typer.Option(metavar="KIND", help="Agents to count; by default each kind of the scenario in turn.")
    ] = None,
    budget: _Budget = None,
    percentile: _Percentile = None,
    rate: Annotated[
        bool, typer.Option("--rate", help="Count arrivals per second instead of sessions at work at once.")
    ] = False,
    others: Annotated[
        str, typer.Option(help="The scenario's other agents: held as they are, scaled in proportion, or none.")
    ] = "held",
    replicas: Annotated[
        int, typer.Option(parser=whole("--replicas"), metavar="R", help="Runs of each number, at least.")
    ] = 8,
    confidence: Annotated[
        float, typer.Option(parser=number("--confidence"), metavar="C", help="Of what is called sure.")
    ] = 0.95,
    most: Annotated[
        float | None,
        typer.Option("--max", parser=number("--max"), metavar="N", help="Largest number to ask about."),
    ] = None,
    precision: Annotated[
        float,
        typer.Option(parser=number("--precision"), metavar="SHARE", help="How close is close enough; 0: to the last."),
    ] = 0.01,
    duration: DurationOption = None,
    warm_up: WarmUpOption = None,
    model: ModelOption = None,
    settings: SettingsOption = None,
    seed: SeedOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Search how many sessions at once, or arrivals a second, each pipeline carries while a budget holds.

    Every number is run several times with other sessions, the same for every pipeline.
    """
    from subsecond.agents.study.capacity import Question
    from subsecond.tui.cli.capacity import capacity_command

    capacity_command(
        base=_base(scenario, settings, pipelines, model, seed),
        question=Question(
            kind=agents,
            budget=budget,
            percentile=percentile,
            by_rate=rate,
            others=others,
            replicas=replicas,
            confidence=confidence,
            most=(100 if rate else 4096) if most is None else most,
            precision=precision,
            duration_s=duration,
            warm_up_s=warm_up,
        ),
        threads=threads,
        json_out=json,
        quiet=quiet,
    )


def gap(
    scenario: ScenarioArgument = "playground",
    pipelines: PipelinesOption = None,
    agents: Annotated[
        str | None, typer.Option(metavar="KIND", help="Agents whose turns count; by default those of the budget.")
    ] = None,
    budget: _Budget = None,
    percentile: _Percentile = None,
    changes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Changes of your own instead of those that ship.")
    ] = None,
    replicas: Annotated[
        int, typer.Option(parser=whole("--replicas"), metavar="R", help="Runs of each change, with other sessions.")
    ] = 5,
    steps: Annotated[
        int, typer.Option(parser=whole("--steps"), metavar="K", help="Most changes of a combination to search for.")
    ] = 3,
    model: ModelOption = None,
    settings: SettingsOption = None,
    seed: SeedOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Try changes of software and hardware on each pipeline, alone and combined, on the same sessions.

    Says which is the smallest change with which a pipeline keeps a budget, or that none does and what is missing.
    """
    from subsecond.agents.study.gap import GapQuestion
    from subsecond.tui.cli.gap import gap_command

    gap_command(
        base=_base(scenario, settings, pipelines, model, seed),
        question=GapQuestion(kind=agents, budget=budget, percentile=percentile, replicas=replicas, steps=steps),
        changes=changes,
        threads=threads,
        json_out=json,
        quiet=quiet,
    )


def flip_map(
    scenario: ScenarioArgument = "playground",
    pipelines: PipelinesOption = None,
    agents: Annotated[
        str | None, typer.Option(metavar="KIND", help="Agents that are varied; by default those of the budget.")
    ] = None,
    budget: _Budget = None,
    percentile: _Percentile = None,
    contexts: Annotated[
        str | None, typer.Option(metavar="X,X", help="Factors on the length of contexts, a row each.")
    ] = None,
    sessions: Annotated[str | None, typer.Option(metavar="N,N", help="Sessions at once, a column each.")] = None,
    others: Annotated[str, typer.Option(help="The scenario's other agents: held as they are, or none.")] = "held",
    replicas: Annotated[
        int, typer.Option(parser=whole("--replicas"), metavar="R", help="Runs of each cell, with other sessions.")
    ] = 4,
    duration: DurationOption = None,
    warm_up: WarmUpOption = None,
    model: ModelOption = None,
    settings: SettingsOption = None,
    seed: SeedOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Draw who keeps a budget, of two pipelines, over the length of contexts and the number of sessions at once."""
    from subsecond.agents.study.map import DEFAULT_CONTEXTS, DEFAULT_SESSIONS, MapQuestion
    from subsecond.tui.cli.map import map_command

    rows = DEFAULT_CONTEXTS if contexts is None else tuple(map(number("--contexts"), contexts.split(",")))
    columns = DEFAULT_SESSIONS if sessions is None else tuple(map(whole("--sessions"), sessions.split(",")))
    map_command(
        base=_base(scenario, settings, pipelines, model, seed),
        question=MapQuestion(
            kind=agents,
            budget=budget,
            percentile=percentile,
            contexts=rows,
            sessions=columns,
            others=others,
            replicas=replicas,
            duration_s=duration,
            warm_up_s=warm_up,
        ),
        threads=threads,
        json_out=json,
        quiet=quiet,
    )
