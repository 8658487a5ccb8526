"""`subsecond drill`: from the options to tables and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from subsecond.agents.plan_cache import PlanCache
from subsecond.agents.study.drill_policies import run_policies
from subsecond.agents.study.drilling import Stage, drill_of_scenario, run_drills, set_stage
from subsecond.agents.study.points import Base, Point, load_base, plan_point
from subsecond.engine.budgets import Budget
from subsecond.engine.drills.catalog import Drill, drill_named
from subsecond.engine.drills.document import document_of
from subsecond.engine.drills.outcome import DrillOutcome
from subsecond.engine.drills.study import DrillStudy
from subsecond.engine.errors import InputError

from .compare import main_budgets
from .drill_options import REPLICAS, LongRun, check_alone, refuse, runs_of
from .drill_remarks import remarks
from .drill_words import check_faults, drills_of
from .grid import output_console
from .options import names
from .output import check_writable, write_json

__all__ = ["drill_command", "list_command"]

#: What breaks if nobody says what.
_DEFAULT = "server-lost"


def drill_command(
    *,
    scenario: str,
    drills: Sequence[str],
    faults: Sequence[str],
    pipelines: str | None,
    model: str | None,
    settings: Sequence[str],
    seed: int | None,
    replicas: int | None,
    budget: str | None,
    policies: bool,
    as_written: bool,
    brief: bool,
    long_run: LongRun,
    json_out: Path | None,
) -> None:
    """Hold drills on a scenario and show what they do.

    Raises:
        InputError: an option, the scenario or a drill cannot be used.
    """
    if json_out is not None:
        check_writable(json_out)
    runs_of(replicas, varies=True)
    base = load_base(
        scenario,
        settings=settings,
        pipelines=None if pipelines is None else names(pipelines),
        model=model,
        seed=seed,
    )
    if long_run.weeks is not None:
        refuse({"--drill": drills, "--fault": faults}, "no drill beside --weeks: failures come by chance")
        refuse({"--policies": policies}, "no --weeks beside it: those go by the policies of the pipelines")
        refuse({"--as-written": as_written}, "no --weeks beside it: those are weeks of a constant load")
        refuse({"--brief": brief}, "no --weeks beside it, which has no drills to be brief about")
        _hold_long_run(base, long_run, replicas or REPLICAS, budget, json_out)
        return
    check_alone(long_run)
    runs = runs_of(replicas, varies=bool(base.scenario.agents))
    chosen = drills_of(drills, faults)
    cache = PlanCache()
    first = plan_point(base, Point(), cache)
    check_faults(faults, {name: built.core for name, built in first.pipelines.items()})
    base, chosen = _chosen(base, chosen)
    lasts = any(text.partition("=")[0].strip() == "duration_s" for text in settings)
    stage = set_stage(base, chosen, keeps_length=lasts or as_written, steady=not as_written)
    seeds = tuple(range(base.scenario.seed, base.scenario.seed + runs))
    main = _main(stage, budget, cache)
    outcomes = run_drills(stage, chosen, seeds, main, cache=cache)
    _check_struck(outcomes)
    found = run_policies(stage, chosen, seeds, main, cache=cache) if policies else []
    study = DrillStudy(
        scenario=base.scenario.name,
        settings=tuple(settings),
        is_steady=stage.is_steady,
        outcomes=tuple(outcomes),
        policies=tuple(found),
        remarks=tuple(remarks(stage, first.workload, policies=policies)),
    )
    if json_out is not None:
        write_json(json_out, document_of(study))
    if str(json_out) != "-":
        from .drill_tables import show_study

        show_study(study, output_console(), brief=brief)


def _hold_long_run(
    base: Base,
    asked: LongRun,
    replicas: int,
    budget: str | None,
    json_out: Path | None,
) -> None:
    from .availability import availability_command

    availability_command(
        base,
        weeks=asked.weeks or 0.0,
        mtbf=asked.mtbf,
        mttr=asked.mttr,
        direct=asked.direct,
        replicas=replicas,
        budget=budget,
        json_out=json_out,
    )


def list_command(json_out: Path | None) -> None:
    """Show the drills that ship."""
    import msgspec

    from subsecond.engine.drills.catalog import shipped_drills

    from .drill_tables import show_drills

    if json_out is not None:
        write_json(json_out, msgspec.to_builtins(shipped_drills()))
    if str(json_out) != "-":
        show_drills(list(shipped_drills().values()), output_console())


def _chosen(base: Base, chosen: list[Drill]) -> tuple[Base, list[Drill]]:
    """The drills that count: those asked for, or the scenario's own faults, or the one that is the default.

    Faults of a scenario that are not the drill strike in both runs.
    """
    if chosen:
        return base, chosen
    bare, own = drill_of_scenario(base)
    return (bare, [own]) if own is not None else (base, [drill_named(_DEFAULT)])


def _main(stage: Stage, budget: str | None, cache: PlanCache) -> dict[str, Budget]:
    plan = plan_point(stage.base, Point(), cache)
    return main_budgets(plan.budgets, plan.workload.kinds, budget)


def _check_struck(outcomes: Sequence[DrillOutcome]) -> None:
    """A drill that leaves every pipeline alone says nothing."""
    for outcome in outcomes:
        if not any(lane.strike.spells for lane in outcome.lanes) and len(outcomes) == 1:
            reasons = "; ".join(f"{lane.lane}: {lane.strike.reason}" for lane in outcome.lanes)
            raise InputError("drill", outcome.drill.name, "no pipeline that it strikes", f"another drill ({reasons})")
