"""Lanes of recordings against each other: the figures are those of the run, and differences add up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from subsecond.agents.plan import plan_run
from subsecond.engine.comparison.compare import compare
from subsecond.engine.comparison.document import document_of
from subsecond.engine.comparison.measures import measures_of
from subsecond.engine.comparison.pairing import pairs_of
from subsecond.engine.comparison.sides import Side, budgets_in, read_sides, sides_of
from subsecond.engine.comparison.words import sides_named, verdict
from subsecond.engine.errors import InputError
from subsecond.engine.hello import hello_of
from subsecond.engine.recording.from_run import turn_table, write_run
from subsecond.engine.recording.reader import Recording
from subsecond.engine.run import Run, run_plan
from subsecond.engine.scenario import parse_scenario

S = 10**12
TABLES: dict[str, Any] = {
    "seed": 5,
    "duration_s": 60,
    "pipelines": {"trn-cs3": {}, "gpu": {}},
    "agents": [
        {"kind": "coding", "sessions": 12},
        {"kind": "voice", "sessions": 12, "parameters": {"tools.share": 0.4}},
    ],
    "budgets": {
        "coding": ["agent-step"],
        "voice": ["voice-sub-second"],
        "tight": {"agents": "voice", "ttft_ms": 60, "percentile": 50},
    },
    "faults": [{"kind": "throttle", "at_s": 5.0, "duration_s": 20.0, "value": 0.5, "pipeline": "gpu"}],
}


def recorded(tmp_path: Path, name: str, **changes: object) -> tuple[Run, Path]:
    run = run_plan(plan_run(parse_scenario(TABLES | changes, Path("small.toml"))))
    write_run(tmp_path / name, run)
    return run, tmp_path / name


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    return recorded(tmp_path_factory.mktemp("recordings"), "base")


def sides(path: Path, **window: int | None) -> list[Side]:
    with Recording.open(path) as recording:
        return read_sides(recording, path.name, **window)


@pytest.mark.parametrize("warm_up_s", [0, 25])
def test_a_side_measures_what_the_run_measured(base: tuple[Run, Path], tmp_path: Path, warm_up_s: int) -> None:
    run, path = recorded(tmp_path, "warm", warm_up_s=warm_up_s) if warm_up_s else base
    for side, lane in zip(sides(path), run.lanes.values(), strict=True):
        for kind in run.plan.workload.kinds:
            group = lane.groups[kind]
            own = [budget for budget in run.plan.budgets if budget.agents == kind]
            found = measures_of(side.of_kind(kind), own)
            assert (found.answered, found.failed, found.cancelled, found.open) == (
                *(group.answered, group.failed, group.cancelled, group.unfinished),
            )
            assert found.latency_ps == group.latency_ps
            assert found.goodput_per_s == group.goodput_per_s
            assert found.mean_ps == pytest.approx(group.mean_ps)
            for name, (mean, _) in group.stages_ps.items():
                assert found.stages_ps.get(name, 0.0) == pytest.approx(mean)
            for outcome in group.budgets:
                assert found.kept[outcome.budget.name] == (outcome.met, outcome.met + outcome.missed)


def test_turns_at_hand_are_the_side_that_the_file_gives(base: tuple[Run, Path]) -> None:
    run, path = base
    tables = [turn_table(number, lane.turns, run.plan.budgets) for number, lane in enumerate(run.lanes.values())]
    hello = hello_of(run.plan, "run", "")
    for since, until in ((None, None), (10 * S, 30 * S)):
        read = sides(path, since_ps=since, until_ps=until)
        for ours, theirs in zip(sides_of(tables, hello, "base", 60 * S, since, until), read, strict=True):
            assert len(ours) == len(theirs) > 0
            assert ours.span_ps == theirs.span_ps
            for name in ("session", "index", "state", "latency_ps", "ttft_ps", "tpot_ps"):
                assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name
            for name, column in theirs.stages_ps.items():
                assert np.array_equal(ours.stages_ps.get(name, np.zeros(len(ours))), column)


def test_differences_by_stage_add_up_to_the_difference(base: tuple[Run, Path]) -> None:
    run, path = base
    found = compare(*sides(path), run.plan.budgets)
    assert [kind.kind for kind in found.kinds] == ["coding", "voice"]
    for kind in found.kinds:
        assert kind.mean_ps is not None
        assert sum(kind.stages_ps.values()) == pytest.approx(kind.mean_ps.value)
        tail = kind.second.tail_ps - kind.first.tail_ps
        assert sum(kind.tail_stages_ps.values()) == pytest.approx(tail)
        for estimate in (kind.mean_ps, *kind.latency_ps.values(), *kind.attainment.values()):
            assert estimate.low is not None
            assert estimate.high is not None
            assert estimate.low <= estimate.high


def test_lanes_of_one_run_did_the_same_work(base: tuple[Run, Path]) -> None:
    run, path = base
    duel = run.paired[0]
    for kind in compare(*sides(path), run.plan.budgets).kinds:
        assert kind.paired is not None
        assert sum(kind.paired.sooner) <= kind.paired.turns
        assert kind.paired.turns <= sum(duel.kinds[kind.kind].wins) + duel.kinds[kind.kind].ties


def test_a_side_does_not_differ_from_itself(base: tuple[Run, Path]) -> None:
    run, path = base
    side = sides(path)[0]
    for kind in compare(side, side, run.plan.budgets).kinds:
        estimates = [*kind.latency_ps.values(), *kind.attainment.values()]
        assert {(e.value, e.low, e.high) for e in estimates} == {(0.0, 0.0, 0.0)}
        assert verdict(kind, ("a", "b"), run.plan.budgets[0] if kind.kind == "coding" else None).endswith(
            "no difference."
        )


def test_another_seed_is_other_work(base: tuple[Run, Path], tmp_path: Path) -> None:
    _, other = recorded(tmp_path, "other", seed=6)
    for kind in compare(sides(base[1])[0], sides(other)[0], base[0].plan.budgets).kinds:
        assert kind.paired is None


def test_a_slower_pipeline_is_told_with_the_stage_that_made_it_so(base: tuple[Run, Path], tmp_path: Path) -> None:
    slow = {"trn-cs3": {"router_ms": 400.0}, "gpu": {}}
    run, other = recorded(tmp_path, "slow", pipelines=slow)
    found = compare(sides(base[1])[0], sides(other)[0], run.plan.budgets)
    coding = found.kinds[0]
    assert coding.paired is not None
    assert next(iter(coding.stages_ps)) == "routing"
    told = verdict(coding, sides_named(found.first, found.second), run.plan.budgets[0])
    assert "slow is " in told
    assert " slower than base at p95 (95 % interval " in told
    assert "% routing" in told
    assert told.endswith("more than chance.")


def test_lanes_are_paired_by_name_or_as_told(base: tuple[Run, Path], tmp_path: Path) -> None:
    _, other = recorded(tmp_path, "other", pipelines={"gpu": {}, "gpu-b200": {}})
    first, second = sides(base[1]), sides(other)
    assert [(a.lane, b.lane) for a, b in pairs_of([first])] == [("trn-cs3", "gpu")]
    assert [(a.lane, b.lane) for a, b in pairs_of([first, second])] == [("gpu", "gpu")]
    assert [(a.lane, b.lane) for a, b in pairs_of([first[:1], second[1:]])] == [("trn-cs3", "gpu-b200")]
    told = pairs_of([first, second], [("trn-cs3", "gpu-b200")])
    assert [(a.lane, b.lane) for a, b in told] == [("trn-cs3", "gpu-b200")]
    with pytest.raises(InputError, match="a lane of other: gpu, gpu-b200"):
        pairs_of([first, second], [("gpu", "tpu")])
    with pytest.raises(InputError, match="--lane X=Y"):
        pairs_of([first[:1], second])
    with pytest.raises(InputError, match="one lane"):
        pairs_of([first[:1]])


def test_a_side_without_an_answer_has_no_latency_to_compare(base: tuple[Run, Path]) -> None:
    run, path = base
    first, second = sides(path)
    nothing = second._picked(~second.answered)
    found = compare(first, nothing, run.plan.budgets)
    for kind in found.kinds:
        assert kind.latency_ps == {}
        assert verdict(kind, ("a", "b"), None).startswith(f"{kind.kind}: nothing to compare")
    assert document_of([found], {})["comparisons"][0]["second"] == {"recording": "base", "lane": "gpu"}


def test_damaged_or_empty_recordings_have_sides_without_turns(tmp_path: Path) -> None:
    run, path = recorded(tmp_path, "short", duration_s=1e-6)
    first, second = sides(path)
    assert len(first) == 0
    assert compare(first, second, budgets_in(hello_of(run.plan, "run", ""))).kinds == ()
