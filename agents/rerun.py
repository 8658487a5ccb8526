"""A recording once more with something changed: the same sessions through other pipelines, in virtual time."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.commands import SetKnob
from subsecond.engine.core.execution import plan_execution
from subsecond.engine.errors import InputError
from subsecond.engine.faults import Spell, changes, spells_of
from subsecond.engine.feed import FaultNote, Hello
from subsecond.engine.hello import hello_of
from subsecond.engine.latency.knobs import changed_costs, differ_in_step_times_alone
from subsecond.engine.latency.pipelines import BuiltPipeline
from subsecond.engine.live.turnmap import turn_map
from subsecond.engine.recording.from_run import Told, turn_table, write_tables
from subsecond.engine.recording.reader import Metadata, Recording
from subsecond.engine.recording.schema import Header, catalog_digest
from subsecond.engine.rerun import LaneChanges, Stage, rerun_lane
from subsecond.engine.run import Plan, run_plan
from subsecond.engine.scenario import FaultTable, Scenario, apply_settings, parse_scenario
from subsecond.engine.script import Script, SessionNote

from .plan import pipelines_of, plan_run

__all__ = ["Changes", "Rerun", "rerun"]

Int64 = NDArray[np.int64]
PS_PER_S = 10**12

#: Parts of a scenario that say which sessions there are; of a live recording they are what they were.
_SESSIONS = ("agents", "traces", "turns", "seed", "duration_s")


@dataclass(frozen=True, slots=True)
class Changes:
    """What shall be different.

    Attributes:
        settings: as `--set` takes them.
        pipelines: names of the pipelines to run instead; None: those of the recording.
        seed: None: that of the recording. Of a live recording it changes the draws for throttling and losses alone.
        has_faults, has_knobs: whether the recording's faults, and its changes of parameters, happen again.
    """

    settings: Sequence[str] = ()
    pipelines: Sequence[str] | None = None
    seed: int | None = None
    has_faults: bool = True
    has_knobs: bool = True

    @property
    def is_none(self) -> bool:
        """Whether nothing is different."""
        return self == Changes()


@dataclass(frozen=True, slots=True, eq=False)
class Rerun:
    """What came of it.

    Attributes:
        tables: turns of each lane, in the columns of a recording's `turns` without `seq`.
        digest: of the results; None for a live recording.
        remarks: what could not be carried over, and what else a reader should know.
    """

    plan: Plan
    hello: Hello
    tables: tuple[Int64, ...]
    end_ps: int
    digest: str | None
    remarks: tuple[str, ...]
    _rest: tuple[tuple[int, Told], ...] = field(default=(), repr=False)
    _header: Header | None = None

    def write(self, path: Path, where: str = "recording") -> None:
        """Write it as a recording of its own.

        Raises:
            InputError: it cannot be written there.
        """
        assert self._header is not None
        write_tables(path, self._header, self.tables, self._rest, self.end_ps, where)


def rerun(recording: Recording, asked: Changes, *, compiled: bool | None = None) -> Rerun:
    """Run a recording's sessions again.

    Raises:
        InputError: a change cannot be made, or the recording lacks what it takes.
    """
    known = recording.metadata()
    if not known.tables:
        raise InputError(str(recording.path), "", "no scenario", "a recording that holds the scenario it came from")
    tables = copy.deepcopy(known.tables)
    if asked.pipelines is not None:
        own = tables.get("pipelines", {})
        tables["pipelines"] = {name: own.get(name, {}) for name in asked.pipelines}
    apply_settings(tables, asked.settings)
    path = Path(known.origin.folder) / f"{recording.hello().scenario}.toml"
    if known.driver == "virtual":
        return _virtual(known, tables, path, asked, recording, compiled)
    return _live(known, tables, path, asked, recording, compiled)


def _virtual(
    known: Metadata, tables: dict[str, Any], path: Path, asked: Changes, recording: Recording, compiled: bool | None
) -> Rerun:
    if asked.seed is not None:
        tables["seed"] = asked.seed
    if not asked.has_faults:
        tables.pop("faults", None)
    plan = plan_run(parse_scenario(tables, path))
    run = run_plan(plan, compiled=compiled)
    remarks = _aged(known)
    if asked.is_none and run.digest != known.digest:
        remarks.append("this is not the recorded run to the picosecond: the program, its facts or a trace have changed")
    end_ps = max((lane.turns.stop_ps for lane in run.lanes.values()), default=0)
    turns = [turn_table(number, lane.turns, plan.budgets) for number, lane in enumerate(run.lanes.values())]
    cores = {name: built.core for name, built in plan.pipelines.items()}
    spells = spells_of(plan.scenario.faults, cores, plan.scenario.where)
    notes = [spell.note(number) for number, own in enumerate(spells.values()) for spell in own]
    hello = hello_of(plan, f"{plan.scenario.name}-{run.digest[:12]}", "")
    header = Header(hello, plan.scenario.tables, "virtual", time.time(), run.digest, known.origin)
    return Rerun(plan, hello, tuple(turns), end_ps, run.digest, tuple(remarks), _by_time(notes), header)


def _live(
    known: Metadata, tables: dict[str, Any], path: Path, asked: Changes, recording: Recording, compiled: bool | None
) -> Rerun:
    for key in _SESSIONS:
        if tables.get(key) != known.tables.get(key):
            expected = "parameters of pipelines: the sessions of a live recording are as they were"
            raise InputError("--set", key, str(tables.get(key)), expected)
    reserve = known.origin.reserve
    drawn = plan_run(
        parse_scenario(known.tables, path),
        reserve=reserve.least,
        reserve_hours=reserve.hours,
        outside=reserve.outside,
    )
    scenario = parse_scenario(tables, path)
    plan = replace(drawn, scenario=scenario, pipelines=pipelines_of(scenario))
    script, until_ps = recording.script(), known.end_ps or recording.duration_ps
    _check_script(script, plan, recording)
    remarks = _aged(known)
    recorded = [lane.name for lane in recording.hello().lanes]
    knobs = recording.knobs() if asked.has_knobs else []
    faults = recording.faults() if asked.has_faults else []
    stage = Stage(
        turns=turn_map(plan.workload),
        budgets=plan.budgets,
        script=script,
        outside=plan.outside,
        seed=plan.scenario.seed if asked.seed is None else asked.seed,
        until_ps=until_ps,
        compiled=plan_execution(plan.workload.num_requests, compiled).compiled,
    )
    jobs, told = [], list[tuple[int, Told]]()
    for number, (name, built) in enumerate(plan.pipelines.items()):
        if name not in recorded:
            remarks.append(f"{name}: sessions begin when they began on {recorded[0]}; no faults or knobs of its own")
        own = [note for note in faults if name in recorded and note.lane == recorded.index(name)]
        spells = _spells(own, name, built, remarks)
        turned = _costs(plan.scenario, known.tables, name, built, knobs, remarks)
        told += _by_time([spell.note(number) for spell in spells])
        changed = LaneChanges(changes(spells), [change for change in turned if change[0] <= until_ps])
        jobs.append((number, name, built, changed, recorded.index(name) if name in recorded else 0))

    def run_lane(job: tuple[int, str, BuiltPipeline, LaneChanges, int]) -> Int64:
        number, name, built, changed, recorded_as = job
        return rerun_lane(stage, number, name, built, changed, recorded_as=recorded_as)

    with ThreadPoolExecutor(len(jobs) if stage.compiled else 1) as threads:
        turns = tuple(threads.map(run_lane, jobs))
    if not script.requests and recording.has_outside_agents:
        remarks.append("what agents from outside asked for is not in this recording: they are left out")
    hello = hello_of(plan, f"{recording.hello().run}-again", "")
    header = Header(hello, plan.scenario.tables, "re-run", time.time(), None, known.origin)
    told += [(at, knob) for at, knob in knobs if knob.lane in plan.pipelines]
    told += [(note.at_ps, note) for note in _renumbered(script, recorded, plan)]
    told += [(request.at_ps, request) for request in script.requests]
    return Rerun(plan, hello, turns, until_ps, None, tuple(remarks), tuple(told), header)


def _renumbered(script: Script, recorded: Sequence[str], plan: Plan) -> list[SessionNote]:
    """The sessions' notes for the lanes of another run."""
    sources = [recorded.index(name) if name in recorded else 0 for name in plan.pipelines]
    return [
        SessionNote(note.at_ps, number, note.session, note.is_retired)
        for number, source in enumerate(sources)
        for note in script.sessions
        if note.lane == source
    ]


def _check_script(script: Script, plan: Plan, recording: Recording) -> None:
    """Sessions are known by number: those of the recording must be there."""
    sessions = [note.session for note in script.sessions] + [request.slot for request in script.requests]
    if sessions and not 0 <= min(sessions) <= max(sessions) < plan.workload.num_sessions:
        expected = f"sessions up to {plan.workload.num_sessions - 1}, as this program draws them from its scenario"
        raise InputError(str(recording.path), "", f"session {max(sessions)}", expected)


def _aged(known: Metadata) -> list[str]:
    """What has changed since the recording that changes results."""
    if known.catalog_digest != catalog_digest():
        return [f"recorded with other facts (version {known.package_version}): the same names may mean other values"]
    return []


def _spells(notes: Sequence[FaultNote], name: str, built: BuiltPipeline, remarks: list[str]) -> list[Spell]:
    """The recording's faults of a lane, as far as its pipeline has the parts."""
    found = []
    for note in notes:
        length = None if note.until_ps is None else max(note.until_ps - note.at_ps, 10**6)
        table = FaultTable(note.kind, 0.0, None if length is None else length / PS_PER_S, None, note.target, note.value)
        try:
            (spell,) = spells_of([table], {name: built.core}, "recording")[name]
        except InputError:
            remarks.append(f"{name} has no part that {note.kind} {note.target} could strike: it is left out")
            continue
        value = note.until_ps if note.kind == "stall" and note.until_ps is not None else spell.value
        found.append(replace(spell, begin_ps=note.at_ps, end_ps=note.until_ps, value=value))
    return found


def _costs(
    scenario: Scenario,
    recorded: Mapping[str, Any],
    name: str,
    built: BuiltPipeline,
    knobs: Sequence[tuple[int, SetKnob]],
    remarks: list[str],
) -> list[tuple[int, int, Any]]:
    """Step times that the recording's knobs give a lane, on top of what is changed; what is changed stays so."""
    tables = copy.deepcopy(scenario.tables)
    fixed = {
        key
        for key, value in scenario.pipelines.get(name, {}).items()
        if recorded.get("pipelines", {}).get(name, {}).get(key) != value
    }
    found = []
    for at_ps, knob in knobs:
        if knob.lane != name:
            continue
        if knob.key in fixed:
            remarks.append(f"{name}: {knob.key} stays as set; its change to {knob.value} is left out")
            continue
        tables["pipelines"].setdefault(name, {})[knob.key] = knob.value
        path = scenario.folder / f"{scenario.name}.toml"
        after = pipelines_of(parse_scenario(_only(tables, name), path))[name]
        if not differ_in_step_times_alone(built, after):
            remarks.append(f"{name}: with {knob.key} at {knob.value} the run began anew: it ends there")
            break
        found += [(at_ps, server, cost) for server, cost in changed_costs(built, after)]
        built = after
    return found


def _only(tables: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {**tables, "pipelines": {name: tables["pipelines"][name]}, "faults": []}


def _by_time(notes: Sequence[FaultNote]) -> tuple[tuple[int, FaultNote], ...]:
    return tuple((note.at_ps, note) for note in sorted(notes, key=lambda note: note.at_ps))
