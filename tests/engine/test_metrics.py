"""Metrics of runs: counts add up, quantiles are those of the sorted values, stages tile, budgets and duels are fair."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.small import MS, S, colocated, disaggregated, workload

from subsecond.engine.budgets import Budget
from subsecond.engine.core.config import Fault, FaultKind, Policy
from subsecond.engine.core.engine import simulate
from subsecond.engine.metrics import QUANTILES, duel, groups_of, quantiles_ps
from subsecond.engine.turns import Turns, TurnState, turns_of


def budget(turn_ps: int | None, agents: str = "coding", **limits: int) -> Budget:
    return Budget("own", agents, turn_ps, limits.get("ttft_ps"), limits.get("tpot_ps"), 95.0, "test")


def ran(kinds: tuple[str, ...] = ("coding", "voice"), stop_ps: int | None = None, split: bool = False) -> Turns:
    work = workload(sessions=6, requests=4, kinds=kinds)
    results = simulate(disaggregated() if split else colocated(), work, compiled=False, until_ps=stop_ps)
    return turns_of(work, results, stop_ps)


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=300))
def test_quantiles_are_ranks_of_the_sorted_values(values: list[int]) -> None:
    found = quantiles_ps(np.array(values, np.int64))
    for name, q in QUANTILES.items():
        assert found[name] == sorted(values)[math.ceil(q * len(values)) - 1]


def test_no_values_have_no_quantiles() -> None:
    assert quantiles_ps(np.zeros(0, np.int64)) == {}


@pytest.mark.parametrize("split", [False, True])
def test_groups_share_the_turns_out(split: bool) -> None:
    groups = groups_of(ran(split=split), [budget(15 * MS), budget(8 * MS, "voice")])
    assert list(groups) == ["coding", "voice", "all"]
    for count in ("answered", "failed", "cancelled", "unfinished"):
        assert getattr(groups["all"], count) == sum(getattr(groups[k], count) for k in ("coding", "voice"))
    whole = sum(groups[kind].goodput_per_s for kind in ("coding", "voice"))
    assert groups["all"].goodput_per_s == pytest.approx(whole)
    assert [o.budget.agents for o in groups["all"].budgets] == ["coding", "voice"]
    assert [o.budget.agents for o in groups["voice"].budgets] == ["voice"]


def test_one_kind_is_the_whole() -> None:
    assert list(groups_of(ran(kinds=("coding",)), [])) == ["coding"]


@pytest.mark.parametrize("split", [False, True])
def test_stage_means_add_up_to_the_mean_latency(split: bool) -> None:
    turns = ran(split=split)
    group = groups_of(turns, [])["all"]
    assert group.mean_ps == pytest.approx(float(turns.latency_ps.mean()))


def test_every_turn_meets_or_misses() -> None:
    turns = ran(kinds=("coding",))
    limit = int(np.median(turns.latency_ps))
    (outcome,) = groups_of(turns, [budget(limit)])["coding"].budgets
    assert outcome.met == int((turns.latency_ps <= limit).sum())
    assert outcome.met + outcome.missed == len(turns.state)
    assert sum(outcome.blame.values()) == outcome.missed
    assert outcome.excess_ps is not None
    assert outcome.excess_ps > 0


def test_limits_on_tokens_count_too() -> None:
    turns = ran(kinds=("coding",))
    first, later = int(turns.ttft_ps.max()), int(turns.tpot_ps.max())
    kept, slow_start, slow_tokens = (
        groups_of(turns, [budget(None, ttft_ps=a, tpot_ps=b)])["coding"].budgets[0]
        for a, b in ((first, later), (first - 1, later), (first, later - 1))
    )
    assert kept.missed == 0
    assert slow_start.missed > 0
    assert slow_tokens.missed > 0


def test_a_failed_turn_misses_every_budget_and_has_no_latency() -> None:
    work = workload()
    fault = Fault(2 * MS, FaultKind.SERVER_DOWN, 0)
    results = simulate(colocated(prefill_lost=Policy.FAIL), work, [fault], compiled=False)
    turns = turns_of(work, results)
    group = groups_of(turns, [budget(1000 * S)])["coding"]
    assert group.failed == int((turns.state == TurnState.FAILED).sum()) > 0
    assert group.budgets[0].missed == group.failed
    assert group.answered + group.failed == group.turns == len(turns.state)


def test_a_turn_still_open_after_its_limit_has_missed_it() -> None:
    stop = 8 * MS
    turns = ran(kinds=("coding",), stop_ps=stop)
    open_turns = (turns.state == TurnState.PENDING) & (turns.start_ps >= 0)
    assert open_turns.any()
    late, patient = (groups_of(turns, [budget(limit)])["coding"] for limit in (1, 1000 * S))
    assert late.unfinished == int(open_turns.sum())
    assert late.budgets[0].missed == int((stop - turns.start_ps[open_turns] > 1).sum()) + late.answered
    assert patient.budgets[0].missed == 0


def test_a_duel_counts_each_turn_once_and_mirrors() -> None:
    first, second = ran(split=False), ran(split=True)
    there, back = duel(("a", "b"), first, second), duel(("b", "a"), second, first)
    for kind in ("coding", "voice", "all"):
        one, other = there.kinds[kind], back.kinds[kind]
        assert one.wins == other.wins[::-1]
        assert one.ties == other.ties
    assert sum(there.kinds["all"].wins) + there.kinds["all"].ties == len(first.state)


def test_against_itself_everything_is_a_tie() -> None:
    turns = ran()
    for found in duel(("a", "a"), turns, turns).kinds.values():
        assert found.wins == (0, 0)
        assert found.ratio == 1.0


def test_runs_of_different_workloads_cannot_be_paired() -> None:
    work = workload(sessions=2)
    other = turns_of(work, simulate(colocated(), work, compiled=False))
    with pytest.raises(ValueError, match="paired"):
        duel(("a", "b"), ran(), other)
