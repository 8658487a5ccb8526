"""What a budget asks of the stages of turns, reckoned by taking the share away."""

from __future__ import annotations

import numpy as np
import pytest
from support.plans import tool_turns
from support.small import MS, colocated, workload

from subsecond.engine.budgets import Budget
from subsecond.engine.core.engine import simulate
from subsecond.engine.shrink import stage_needs
from subsecond.engine.turns import Turns, TurnState, turns_of


@pytest.fixture(scope="module")
def turns() -> Turns:
    work = tool_turns(workload(sessions=12, requests=6, kinds=("coding", "voice")))
    return turns_of(work, simulate(colocated(), work, [], compiled=False))


def budget(turn_ms: float, percentile: float = 90.0) -> Budget:
    return Budget("own", "coding", round(turn_ms * MS), None, None, percentile, "test")


@pytest.mark.parametrize("percentile", [50.0, 90.0, 100.0])
@pytest.mark.parametrize("share_of_median", [0.3, 0.7, 0.95])
def test_taking_the_share_away_is_just_enough(turns: Turns, percentile: float, share_of_median: float) -> None:
    own = np.flatnonzero((turns.kind == 0) & (turns.state == TurnState.ANSWERED))
    latency = turns.latency_ps[own]
    limit = share_of_median * float(np.median(latency)) / MS
    needs = stage_needs([turns], budget(limit, percentile))
    assert needs

    def kept(stage: str, share: float) -> bool:
        return bool(np.mean(latency - share * turns.stage_ps(stage)[own] <= limit * MS) * 100 >= percentile)

    for need in needs:
        if need.share is None:
            assert not kept(need.stage, 1.0)
        else:
            assert kept(need.stage, need.share + 1e-9)
            assert need.share == 0 or not kept(need.stage, need.share - 1e-9)
    known = [need.share for need in needs if need.share is not None]
    assert known == sorted(known)


def test_runs_count_together(turns: Turns) -> None:
    assert stage_needs([turns, turns], budget(8)) == stage_needs([turns], budget(8))


def test_a_budget_that_is_kept_asks_for_nothing(turns: Turns) -> None:
    assert {need.share for need in stage_needs([turns], budget(10_000))} == {0.0}


def test_a_budget_on_tokens_and_no_runs_ask_for_nothing(turns: Turns) -> None:
    on_tokens = Budget("own", "coding", None, MS, None, 90.0, "test")
    assert stage_needs([turns], on_tokens) == stage_needs([], budget(8)) == []
