"""From a scenario to a plan: pipelines built, agents drawn, traces read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from subsecond.engine.budgets import budgets_of
from subsecond.engine.catalog import Catalog, catalog
from subsecond.engine.core.config import NOT_SCHEDULED, Workload
from subsecond.engine.errors import InputError
from subsecond.engine.faults import faults_of
from subsecond.engine.latency.pipelines import BuiltPipeline, build_pipeline
from subsecond.engine.run import Plan, Reserve
from subsecond.engine.scenario import AgentsTable, Scenario
from subsecond.engine.workload.assembly import limit_turns, merge
from subsecond.engine.workload.outside import outside_sessions, outside_workload
from subsecond.engine.workload.steady import steady_sessions
from subsecond.engine.workload.traces import SAMPLE_PREFIX, read_traces

from .plan_cache import PlanCache
from .reply_script import read_replies

__all__ = ["AGENT_KINDS", "pipelines_of", "plan_run"]

AGENT_KINDS = ("coding", "voice")
#: Stages of a voice turn before its request and after its milestone.
VOICE_STAGES = (("audio_in", "endpointing", "speech_to_text"), ("text_to_speech", "audio_out"))
#: Prefixes that prompts of outside agents may share at one time: instructions and tools.
OUTSIDE_GROUPS = 256

#: Sessions that follow one another at one place in a virtual hour: coding ones take 40 minutes, calls five and a half.
_FOLLOW_PER_HOUR = {"coding": 2, "voice": 12}
#: Most sessions of a kind that wait, at about 8 kB each on two lanes.
MOST_WAITING = 8_000


def plan_run(
    scenario: Scenario,
    *,
    traces: Sequence[Path] = (),
    trace_format: str | None = None,
    time_scale: float | None = None,
    sample: int | None = None,
    reserve: int = 0,
    reserve_hours: float = 0.0,
    outside: int = 0,
    cache: PlanCache | None = None,
) -> Plan:
    """Build pipelines, draw agents, read traces.

    Args:
        reserve: least number of sessions of each kind of agents beyond the scenario's, which wait for
            `Engine.start_session`.
        reserve_hours: virtual hours for which the reserve is to replace those of the scenario's sessions that end, up
            to `MOST_WAITING` of a kind.
        outside: sessions that stand ready for agents from outside, of every kind.
        traces: instead of the scenario's agents and traces, with their format, time scale and sample.
        cache: of workloads and pipelines that plans have in common.

    Raises:
        InputError: something in the scenario, a trace or the catalog cannot be used.
    """
    read_replies(list(scenario.replies), scenario.where)  # what is wrong with them is said by every command
    facts = _facts(scenario)
    pipelines = pipelines_of(scenario, cache)
    if traces:
        workload = read_traces(
            traces,
            trace_format=trace_format,
            time_scale=1.0 if time_scale is None else time_scale,
            sample=sample,
            seed=scenario.seed,
        )
        if scenario.turns is not None:
            workload = limit_turns(workload, scenario.turns)
    else:
        workload = _workload(scenario, facts, _window(facts, pipelines.values()), reserve, reserve_hours, cache)
    if outside:
        workload = merge([workload, outside_workload(outside, OUTSIDE_GROUPS, AGENT_KINDS, *VOICE_STAGES)])
    return Plan(
        scenario=scenario,
        workload=workload,
        pipelines=pipelines,
        faults=faults_of(scenario.faults, {n: p.core for n, p in pipelines.items()}, scenario.where),
        budgets=budgets_of(
            scenario.budgets, workload.kinds, facts, scenario.where, is_recorded=bool(traces or scenario.traces)
        ),
        outside=outside_sessions(workload, outside),
        reserve=Reserve(reserve, reserve_hours, outside),
    )


def _facts(scenario: Scenario) -> Catalog:
    return Catalog(scenario.catalog, scenario.where) if scenario.catalog else catalog()


def pipelines_of(scenario: Scenario, cache: PlanCache | None = None) -> dict[str, BuiltPipeline]:
    """The pipelines of a scenario, built.

    Args:
        cache: of pipelines that were built before.

    Raises:
        InputError: a value or name that they cannot be built with.
    """
    facts = _facts(scenario)
    pipelines = {}
    for name, overrides in scenario.pipelines.items():
        values = dict(overrides)
        base, model = values.pop("base", name), values.pop("model", scenario.model)
        for key, value in (("base", base), ("model", model)):
            if value is not None and not isinstance(value, str):
                raise InputError(scenario.where, f"pipelines.{name}.{key}", value, "a name")
        for key, value in values.items():
            if not isinstance(value, bool | int | float | str):
                raise InputError(scenario.where, f"pipelines.{name}.{key}", value, "a number or a word")
        with _within(scenario.where), _reckonable(scenario, name):
            build = partial(build_pipeline, base, model=model, overrides=values, catalog=facts)
            made_from = _key(base, model, values, scenario.catalog)
            pipelines[name] = build() if cache is None else cache.pipeline(made_from, build)
    return pipelines


@contextmanager
def _within(where: str) -> Iterator[None]:
    """What is wrong in here was written in a scenario: its file stands first in the message."""
    try:
        yield
    except InputError as error:
        if error.where == where:
            raise
        raise InputError(f"{where}: {error.where}", error.field, error.value, error.expected) from None


@contextmanager
def _reckonable(scenario: Scenario, name: str) -> Iterator[None]:
    """Facts of a scenario's own may be beyond all that costs can be reckoned from; shipped ones are not."""
    if not scenario.catalog:
        yield
        return
    try:
        with np.errstate(all="ignore"):
            yield
    except (ArithmeticError, ValueError) as error:
        expected = f"facts that the costs of {name} can be reckoned from ({error})"
        raise InputError(scenario.where, "catalog", scenario.catalog, expected) from None


def _window(facts: Catalog, pipelines: Iterable[BuiltPipeline]) -> int:
    """Most tokens that every pipeline's model takes: one script serves all of them."""
    return min(int(facts.entry("models", built.model).number("max_context")) for built in pipelines)


def _key(*parts: object) -> bytes:
    """What was made from equal parts is equal."""
    return msgspec.json.encode(parts)


def _workload(
    scenario: Scenario,
    facts: Catalog,
    max_context: int,
    reserve: int,
    reserve_hours: float,
    cache: PlanCache | None,
) -> Workload:
    """The scenario's sessions, drawn and read, cut to its turns."""

    def draw() -> Workload:
        workload = _all_sessions(scenario, facts, max_context, reserve, reserve_hours)
        return workload if scenario.turns is None else limit_turns(workload, scenario.turns)

    if cache is None:
        return draw()
    where = (str(scenario.folder), scenario.seed, scenario.duration_s, scenario.turns, scenario.catalog)
    return cache.workload(_key(scenario.agents, scenario.traces, where, max_context, reserve, reserve_hours), draw)


def _all_sessions(scenario: Scenario, facts: Catalog, max_context: int, reserve: int, reserve_hours: float) -> Workload:
    tables = scenario.agents
    if reserve or reserve_hours:  # whoever asks for it replaces sessions that end
        tables = tuple(msgspec.structs.replace(table, steady=False) for table in tables)
    with _within(scenario.where):
        try:
            parts = [_drawn(table, scenario, i, facts, max_context) for i, table in enumerate(tables)]
        except InputError as error:
            if error.field != "max_context":  # which nobody sets: it is the smallest window of the models
                raise
            raise InputError(scenario.where, "model", f"a window of {max_context} tokens", error.expected) from None
        for i, agents in enumerate(scenario.agents):
            follow = math.ceil(agents.sessions * _FOLLOW_PER_HOUR.get(agents.kind, 0) * reserve_hours)
            if waiting := max(reserve, min(follow, MOST_WAITING)):
                parts.append(_waiting(agents, scenario, i, facts, max_context, waiting))
        for table in scenario.traces:
            parts.append(
                read_traces(
                    [Path(file) if file.startswith(SAMPLE_PREFIX) else scenario.folder / file for file in table.files],
                    trace_format=table.format,
                    time_scale=table.time_scale,
                    sample=table.sample,
                    seed=scenario.seed,
                )
            )
    return merge(parts) if len(parts) > 1 else parts[0]


def _waiting(
    table: AgentsTable, scenario: Scenario, place: int, facts: Catalog, max_context: int, sessions: int
) -> Workload:
    """Sessions of the same sort that have no start; their seed is that of tables which no scenario has so many of."""
    more = msgspec.structs.replace(table, sessions=sessions, arrival_rate_per_s=None, ramp_s=0.0, steady=False)
    work = _drawn(more, scenario, 1000 + place, facts, max_context)
    starts = np.where(work.session_parent_request < 0, NOT_SCHEDULED, 0)
    return replace(work, session_start_ps=starts)


def _drawn(table: AgentsTable, scenario: Scenario, place: int, facts: Catalog, max_context: int) -> Workload:
    draw = partial(_drawer(table, scenario, place, facts), max_turns=table.max_turns, max_context=max_context)
    # Two tables of one kind must not draw the same sessions; the first keeps the scenario's own seed.
    seed = scenario.seed + place * 1_000_003
    if table.steady:
        assert scenario.duration_s is not None  # `parse_scenario` has seen to it
        return steady_sessions(partial(draw, seed=seed, at_once=True), table.sessions, scenario.duration_s, seed)
    return draw(
        seed=seed,
        sessions=table.sessions,
        arrival_rate_per_s=table.arrival_rate_per_s,
        ramp_s=table.ramp_s,
        duration_s=scenario.duration_s,
    )


def _drawer(table: AgentsTable, scenario: Scenario, place: int, facts: Catalog) -> Callable[..., Workload]:
    """What draws sessions of this kind, its parameters settled."""
    if table.kind == "coding":
        from subsecond.agents.coding import coding_parameters, draw_coding

        if table.profile is not None:
            raise InputError(scenario.where, f"agents.{place}.profile", table.profile, "no profile for coding agents")
        return partial(draw_coding, coding_parameters(table.parameters))
    if table.kind == "voice":
        from subsecond.agents.voice import draw_voice, voice_parameters

        return partial(draw_voice, voice_parameters(table.profile, table.parameters, facts))
    raise InputError(scenario.where, f"agents.{place}.kind", table.kind, "one of " + ", ".join(AGENT_KINDS))
