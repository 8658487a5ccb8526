"""Capacity on a small case, against a scan of all numbers of sessions."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from subsecond.agents.plan_cache import PlanCache
from subsecond.agents.study import attainment
from subsecond.agents.study.attainment import runs_for
from subsecond.agents.study.capacity import RATE_STEP_PER_S, Question, capacity_study
from subsecond.agents.study.capacity_document import capacity_document
from subsecond.agents.study.points import Base, Point, run_point
from subsecond.engine.confidence import share_of
from subsecond.engine.errors import InputError

#: Machines so slow that a few calls fill them.
PIPELINES = {"gpu": {"utilisation_factor": 0.001}, "trn-cs3": {"prefill_utilisation_factor": 0.002}}
BUDGETS = {"mine": {"agents": "voice", "ttft_ms": 600, "percentile": 60}}


@pytest.fixture(autouse=True)
def _few_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of few sessions fewer runs than a user wants."""
    monkeypatch.setattr(attainment, "LEAST_SESSIONS", 12)


def base(**tables: object) -> Base:
    voice = {"kind": "voice", "sessions": 4, "steady": True}
    small = {"duration_s": 120.0, "warm_up_s": 40.0, "pipelines": PIPELINES, "agents": [voice], "budgets": BUDGETS}
    return Base({**small, **tables}, Path("small.toml"))


def question(**changes: object) -> Question:
    return Question(**{"replicas": 3, "most": 20, "precision": 0.0, **changes})  # type: ignore[arg-type]  # by a test


def crossings(kept: dict[int, bool]) -> list[int]:
    return [load for load in kept if kept[load] and not kept.get(load + 1, True)]


def test_sessions_are_those_that_a_scan_of_all_numbers_finds() -> None:
    study = capacity_study(base(), question(), threads=2)
    cache = PlanCache()
    steady = study.base
    for lane in study.lanes:
        kept = {}
        for load in range(1, 21):
            seeds = range(1, 1 + runs_for(load, 3))
            runs = [run_point(steady, Point((f"voice.sessions={load}",), seed), cache=cache) for seed in seeds]
            counts = [o.groups["voice"].budget("mine") for run in runs for o in run if o.lane == lane.lane]
            if lane.lane == "gpu" and load > 13:
                assert not any(c.met + c.missed for c in counts)  # so slow that nothing comes out any more
                kept[load] = False
                continue
            share = share_of([c.met for c in counts], [c.met + c.missed for c in counts], 0.95)
            kept[load] = share.value >= 0.6
            tried = [trial for trial in lane.boundary.trials if trial.load == load]
            assert all(trial.attainment == share for trial in tried)
        assert crossings(kept) == [lane.boundary.load]
        assert lane.runs == sum(o.runs for o in lane.outcomes.values()) < 120


def test_arrivals_are_those_that_a_scan_of_rates_finds() -> None:
    asked = question(by_rate=True, most=0.032, duration_s=600.0, warm_up_s=200.0)
    study = capacity_study(base(pipelines={"gpu": PIPELINES["gpu"]}), asked)
    (lane,) = study.lanes
    cache, kept = PlanCache(), {}
    for load in range(12, 33):
        seeds = range(1, 1 + runs_for(load / 1000 * 400, 3))
        rate = f"agents.0.arrival_rate_per_s={load / 1000}"
        runs = [run_point(study.base, Point((rate,), seed), cache=cache)[0] for seed in seeds]
        counts = [outcome.groups["voice"].budget("mine") for outcome in runs]
        kept[load] = sum(c.met for c in counts) >= 0.6 * sum(c.met + c.missed for c in counts)
    assert crossings(kept) == [lane.boundary.load]
    assert study.amount(lane.boundary.load) == pytest.approx(lane.boundary.load * RATE_STEP_PER_S)


def test_the_number_of_threads_changes_nothing() -> None:
    documents = [capacity_document([capacity_study(base(), question(most=8), threads=n)]) for n in (1, 3)]
    assert msgspec.json.encode(documents[0]) == msgspec.json.encode(documents[1])
    assert documents[0]["schema"] == "subsecond.capacity/1"


def test_a_better_machine_and_a_looser_budget_carry_no_less() -> None:
    asked, same = question(most=32), base()
    least = {lane.lane: lane.boundary.load for lane in capacity_study(same, asked).lanes}
    better = {"gpu": {"utilisation_factor": 0.002}, "trn-cs3": {"prefill_utilisation_factor": 0.004}}
    for changed, other in ((base(pipelines=better), asked), (same, question(most=32, percentile=40))):
        for lane in capacity_study(changed, other).lanes:
            assert lane.boundary.load >= least[lane.lane] + (lane.lane != "gpu" or changed is not same)


def test_not_even_one_and_more_than_the_most_are_said() -> None:
    (never,) = capacity_study(base(pipelines={"gpu": {}}), question(budget="voice-target")).lanes
    assert (never.boundary.load, never.boundary.missed, never.boundary.surely_missed) == (0, 1, 1)
    assert never.at_capacity.groups["voice"].turns
    (always,) = capacity_study(base(pipelines={"gpu": {}}), question(most=3)).lanes
    assert (always.boundary.load, always.boundary.missed, always.boundary.surely_missed) == (3, None, None)


def test_turns_in_time_per_second_are_those_of_the_budget_asked_for() -> None:
    both = {**BUDGETS, "never": {"agents": "voice", "turn_ms": 1}}
    study = capacity_study(base(budgets=both, pipelines={"gpu": {}}), question(most=4))
    (lane,) = study.lanes
    trials = capacity_document([study])["kinds"][0]["lanes"][0]["trials"]
    assert [trial["load"] for trial in trials] == sorted(lane.outcomes)
    for trial in trials:
        outcome = lane.outcomes[trial["load"]]
        assert (outcome.groups["voice"].met_all, outcome.runs) == (0, trial["runs"])
        met = trial["in_time_per_s"] * 80 * trial["runs"]  # of the 120 s of a run 40 do not count
        assert met == pytest.approx(outcome.groups["voice"].budget("mine").met)
        assert met > 0


def test_other_agents_are_held_scaled_or_left_out() -> None:
    agents = [{"kind": "voice", "sessions": 4}, {"kind": "coding", "sessions": 2}]
    mixed = base(agents=agents, budgets={**BUDGETS, "coding": ["agent-step"]}, pipelines={"gpu": {}})
    turns = {}
    for others in ("held", "scaled", "none"):
        study = capacity_study(mixed, question(others=others, most=8, replicas=1, kind="voice"))
        assert study.beside == ({} if others == "none" else {"coding": 2})
        outcome = study.lanes[0].outcomes[8]
        turns[others] = outcome.groups["coding"].turns if others != "none" else len(outcome.groups) - 1
    assert turns["none"] == 0 < turns["held"] < turns["scaled"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"replicas": 0}, "--replicas: got '0'"),
        ({"confidence": 1.0}, "--confidence"),
        ({"precision": 2}, "--precision"),
        ({"most": 0}, "--max"),
        ({"by_rate": True, "most": 0}, "--max"),
        ({"others": "some"}, "--others"),
        ({"percentile": 0}, "--percentile"),
        ({"kind": "pilots"}, "--agents"),
        ({"budget": "none-such"}, "--budget"),
        ({"by_rate": True, "others": "scaled"}, "--others"),
        ({"duration_s": 10.0, "warm_up_s": 20.0}, "warm_up_s"),
        ({"duration_s": 0.5, "warm_up_s": 0.1}, "turns that count"),
    ],
)
def test_bad_questions_are_answered_in_a_line(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        capacity_study(base(), question(**changes))


def test_agents_in_two_tables_cannot_be_counted() -> None:
    twice = base(agents=[{"kind": "voice", "sessions": 1, "steady": True}] * 2)
    with pytest.raises(InputError, match=r"one \[\[agents\]\] table"):
        capacity_study(twice, question())
