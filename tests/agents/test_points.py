"""Outcomes count what metrics explain, and those of parts are those of the whole."""

from __future__ import annotations

import pytest
from support.small import MS

from subsecond.agents.plan_cache import PlanCache
from subsecond.agents.study.points import Base, Point, lane_turns, load_base, plan_point, run_point, steadied
from subsecond.engine.errors import InputError
from subsecond.engine.metrics import groups_of
from subsecond.engine.outcome import lane_outcome, merged


@pytest.fixture(scope="module")
def base() -> Base:
    return load_base("playground", settings=["duration_s=120", "warm_up_s=30"])


def test_an_outcome_counts_as_metrics_do(base: Base) -> None:
    plan = plan_point(base, Point())
    for name, built in plan.pipelines.items():
        turns = lane_turns(plan, name)
        outcome, groups = lane_outcome(name, built, turns, plan.budgets), groups_of(turns, plan.budgets)
        for kind, found in outcome.groups.items():
            group = groups[kind]
            assert found.turns == group.turns + group.unfinished > 0
            assert found.latency_ps == group.latency_ps
            assert found.mean_ps == pytest.approx(group.mean_ps)
            assert (found.histogram.counts == group.histogram.counts).all()
            assert [(c.met, c.missed) for c in found.budgets] == [(o.met, o.missed) for o in group.budgets]
            assert outcome.goodput_per_s(kind) == pytest.approx(group.goodput_per_s)
        assert outcome.span_ps == 90_000 * MS


def test_the_warm_up_does_not_count(base: Base) -> None:
    with_it = run_point(base.changed(["warm_up_s=0"]))
    without = run_point(base)
    plan = plan_point(base, Point())
    for whole, part in zip(with_it, without, strict=True):
        turns = lane_turns(plan, whole.lane)
        early = ((turns.start_ps >= 0) & (turns.start_ps < 30_000 * MS)).sum()
        assert early > 0
        assert sum(g.turns for g in whole.groups.values()) - sum(g.turns for g in part.groups.values()) == early


def test_merged_runs_are_the_sum_of_them(base: Base) -> None:
    runs = [run_point(base, Point(seed=seed))[0] for seed in (1, 2, 3)]
    whole = merged(runs)
    assert whole.runs == 3
    assert whole.span_ps == sum(run.span_ps for run in runs)
    for kind, group in whole.groups.items():
        parts = [run.groups[kind] for run in runs]
        assert group.turns == sum(part.turns for part in parts)
        assert group.histogram.total == group.answered
        assert group.mean_ps == pytest.approx(sum(p.mean_ps * p.answered for p in parts) / group.answered)
        assert group.latency_ps["p50"] >= min(p.latency_ps["p50"] for p in parts)
        assert [c.met for c in group.budgets] == [
            sum(p.budgets[i].met for p in parts) for i in range(len(group.budgets))
        ]


def test_a_cache_changes_nothing(base: Base) -> None:
    cache, alone = PlanCache(), [o.digest for o in run_point(base, digest=True)]
    for settings in ((), ("gpu.replicas=2",), ()):
        found = [o.digest for o in run_point(base, Point(settings), cache=cache, digest=True)]
        assert (found == alone) == (not settings)
    again = plan_point(base, Point(("gpu.replicas=2",)), cache)
    assert again.workload is plan_point(base, Point(), cache).workload
    assert again.pipelines["trn-cs3"] is plan_point(base, Point(), cache).pipelines["trn-cs3"]


def test_different_lanes_are_not_merged(base: Base) -> None:
    with pytest.raises(ValueError, match="different lanes"):
        merged(run_point(base))


def test_steadied_keeps_what_a_steady_scenario_says(base: Base) -> None:
    steady = steadied(base)
    assert [agents.steady for agents in steady.scenario.agents] == [True, True]
    own = steady.changed(["duration_s=77", "warm_up_s=7"])
    assert (steadied(own).scenario.duration_s, steadied(own).scenario.warm_up_s) == (77, 7)
    with pytest.raises(InputError, match="arrival_rate_per_s"):
        steadied(base.changed(["coding.arrival_rate_per_s=1.0"]))
