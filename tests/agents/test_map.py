"""The map of two pipelines: its cells are runs, its rows are contexts that really differ."""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec
import pytest

from subsecond.agents.coding import coding_parameters
from subsecond.agents.study.attainment import runs_for
from subsecond.agents.study.contexts import SCALED, scaled_parameters
from subsecond.agents.study.map import FlipMap, MapQuestion, flip_map
from subsecond.agents.study.map_document import map_document
from subsecond.agents.study.points import Base, Point, load_base, run_point
from subsecond.engine.catalog import catalog
from subsecond.engine.errors import InputError
from subsecond.engine.outcome import merged
from subsecond.engine.scenario import AgentsTable

QUESTION = {"sessions": (2, 60), "contexts": (0.2, 0.5), "replicas": 2, "duration_s": 100.0, "warm_up_s": 40.0}


def base(*settings: str, pipelines: tuple[str, ...] = ("trn-cs3", "gpu")) -> Base:
    found = load_base("playground", pipelines=pipelines, settings=settings)
    tables = {**found.tables, "agents": found.tables["agents"][:1], "budgets": {"coding": ["agent-step"]}}
    return Base(tables, Path("small.toml"))


def question(**changes: object) -> MapQuestion:
    return MapQuestion(**{**QUESTION, **changes})  # type: ignore[arg-type]  # by a test


@pytest.fixture(scope="module")
def found() -> FlipMap:
    return flip_map(base(), question(percentile=80), threads=2)


def test_cells_are_runs_of_the_scenario(found: FlipMap) -> None:
    for factor, row in zip(found.question.contexts, found.cells, strict=True):
        table = found.base.scenario.agents[0]
        tables = {**found.base.tables, "agents": [{**found.base.tables["agents"][0]}]}
        tables["agents"][0]["parameters"] = scaled_parameters(table, factor, catalog())
        scaled = Base(tables, found.base.path)
        for sessions, cell in zip(found.question.sessions, row, strict=True):
            seeds = range(1, 1 + runs_for(sessions, 2))
            runs = [run_point(scaled, Point((f"coding.sessions={sessions}",), seed)) for seed in seeds]
            for place, side in enumerate((cell.first, cell.second)):
                direct = merged([run[place] for run in runs])
                count = direct.groups["coding"].budget("agent-step")
                assert side.share.value == count.attainment
                assert side.outcome.groups["coding"].latency_ps == direct.groups["coding"].latency_ps
                assert side.is_kept == (100 * side.share.value >= 80)
    assert found.runs == sum(runs_for(n, 2) for n in found.question.sessions) * 2


def test_who_keeps_it_and_by_how_much(found: FlipMap) -> None:
    for cell in itertools.chain(*found.cells):
        kept = (cell.first.is_kept, cell.second.is_kept)
        names = {"both": (True, True), "first": (True, False), "second": (False, True), "neither": (False, False)}
        assert names[cell.who] == kept
        latencies = [side.outcome.groups["coding"].latency_ps["p95"] for side in (cell.first, cell.second)]
        assert cell.ratio == latencies[1] / latencies[0]
    assert {cell.who for cell in itertools.chain(*found.cells)} == {"both", "first"}  # at 80 %


def test_rows_have_the_contexts_that_they_say(found: FlipMap) -> None:
    short, long = found.mean_prompts
    assert 2.2 < long / short < 2.8  # 0.5 / 0.2, less what windows and whole tokens make of it
    (voice,) = flip_map(
        load_base("call-center", pipelines=("trn-cs3", "gpu"), settings=["budgets.voice=['voice-sub-second']"]),
        question(contexts=(4.0,), sessions=(10,)),
    ).mean_prompts
    (plain,) = flip_map(
        load_base("call-center", pipelines=("trn-cs3", "gpu"), settings=["budgets.voice=['voice-sub-second']"]),
        question(contexts=(1.0,), sessions=(10,)),
    ).mean_prompts
    assert 2.5 < voice / plain < 4


def test_a_factor_of_one_leaves_agents_as_they_are() -> None:
    table = AgentsTable(kind="coding", sessions=1, parameters={"prompt.fresh.scale": 0.5, "prompt.break_share": 0.1})
    scaled = coding_parameters(scaled_parameters(table, 1.0, catalog()))
    plain = coding_parameters(table.parameters)
    for key in SCALED["coding"]:
        for (p, value), (q, other) in zip(scaled.entries[key].points, plain.entries[key].points, strict=True):
            assert (p, value) == (pytest.approx(q), pytest.approx(other))
        assert scaled.entries[key].value == plain.entries[key].value
    assert scaled.entries["prompt.break_share"].value == 0.1


def test_the_number_of_threads_changes_nothing(found: FlipMap) -> None:
    again = flip_map(base(), question(percentile=80), threads=1)
    assert msgspec.json.encode(map_document(again)) == msgspec.json.encode(map_document(found))


def test_other_agents_may_be_left_out() -> None:
    mixed = load_base("playground", settings=["voice.sessions=200"])
    turns = {}
    for others in ("held", "none"):
        ((cell,),) = flip_map(mixed, question(contexts=(0.2,), sessions=(50,), others=others)).cells
        turns[others] = {kind: group.turns for kind, group in cell.second.outcome.groups.items()}
    assert set(turns["held"]) == {"coding", "voice"}
    assert set(turns["none"]) == {"coding"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sessions": ()}, "--sessions"),
        ({"sessions": (4, 2)}, "--sessions: got '4,2', expected numbers"),
        ({"sessions": (0, 2)}, "--sessions"),
        ({"contexts": (0.0,)}, "--contexts"),
        ({"contexts": (float("nan"),)}, "--contexts"),
        ({"contexts": tuple(n / 100 for n in range(1, 200)), "sessions": tuple(range(1, 200))}, "cells in all"),
        ({"replicas": 0}, "--replicas"),
        ({"others": "scaled"}, "--others"),
        ({"kind": "voice"}, "--agents"),
        ({"duration_s": 0.01, "warm_up_s": 0.0}, "turns that count"),
    ],
)
def test_bad_questions_are_answered_in_a_line(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        flip_map(base(), question(**changes))


@pytest.mark.parametrize("pipelines", [("gpu",), ("gpu", "trn-cs3", "gpu-b200")])
def test_it_takes_two_pipelines(pipelines: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="two pipelines"):
        flip_map(base(pipelines=pipelines), question())


def test_agents_that_arrive_at_a_rate_are_kept_at_work_instead() -> None:
    arriving = base("coding.arrival_rate_per_s=0.1")
    ((cell,),) = flip_map(arriving, question(contexts=(0.2,), sessions=(50,), replicas=1)).cells
    ((same,),) = flip_map(base(), question(contexts=(0.2,), sessions=(50,), replicas=1)).cells
    assert cell.first.share == same.first.share
