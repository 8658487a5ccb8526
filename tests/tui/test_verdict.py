"""What a snapshot comes to in words."""

from __future__ import annotations

import msgspec
import pytest

from subsecond.engine.feed import BudgetInfo, Clock, Hello, LaneInfo, TurnEnd
from subsecond.engine.turns import TurnState
from subsecond.tui.model import Model
from subsecond.tui.snapshot import Snapshot
from subsecond.tui.verdict import budget_words, clock_words, remedy_words, verdict

MS = 10**9
STAGES = ("prefill_queue", "prefill", "decode_rest")
STEP = BudgetInfo("step", "coding", 1000 * MS, None, None, 95.0, "")


def hello(*lanes: str, budgets: tuple[BudgetInfo, ...] = (STEP,)) -> Hello:
    infos = tuple(LaneInfo(name, name, "m", "shipping", (), ()) for name in lanes)
    return Hello(1, "r", "s", "t", 1, ("coding",), STAGES, infos, budgets, None, "")


def turn(lane: int, number: int, *stages_ms: int, state: int = TurnState.ANSWERED) -> TurnEnd:
    latency = sum(stages_ms) * MS
    met = int(state == TurnState.ANSWERED and latency <= 1000 * MS)
    stages = tuple(ms * MS for ms in stages_ms)
    return TurnEnd(lane, number, 0, number, 0, state, 0, latency, 1, 0, stages, (met,), 1, 1, 0, 1, 0)


def snapshot(first: Hello, *turns: TurnEnd) -> Snapshot:
    model = Model(first)
    for one in turns:
        model.add(one)
    model.add(Clock(10 * 10**12, 0.0, 1.0, False, 0.0, 0.0))
    return model.snapshot()


def test_nothing_has_ended() -> None:
    assert verdict(snapshot(hello("a", "b"))) == "No turn has ended yet: the first ones are under way."


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ([100], [300], "a ahead by 200 ms p50 on coding, on each of 1 turn. Both keep the budgets."),
        ([300], [100], "b ahead by 200 ms p50 on coding, on each of 1 turn. Both keep the budgets."),
        ([200], [200], "a and b even on coding. Both keep the budgets."),
        ([100, 100, 500, 100], [300, 300, 400, 300], "a ahead by 200 ms p50 on coding, behind on 25 % of 4 turns."),
        ([100], [1300], "a ahead by 1.20 s p50 on coding, on each of 1 turn. a keeps the budgets."),
        ([1100], [1300], "a ahead by 200 ms p50 on coding, on each of 1 turn. Nobody keeps the budgets."),
    ],
)
def test_two_pipelines(a: list[int], b: list[int], words: str) -> None:
    turns = [turn(lane, i, ms, 0, 0) for lane, times in enumerate((a, b)) for i, ms in enumerate(times)]
    assert verdict(snapshot(hello("a", "b"), *turns)).startswith(words)


def test_of_three_the_two_furthest_apart_are_named() -> None:
    found = snapshot(hello("a", "b", "c"), turn(0, 0, 500, 0, 0), turn(1, 0, 400, 0, 0), turn(2, 0, 900, 0, 0))
    assert verdict(found) == "b ahead of c by 500 ms p50 on coding, on each of 1 turn. All keep the budgets."


def test_one_alone_keeps_or_misses() -> None:
    assert verdict(snapshot(hello("a"), turn(0, 0, 10, 0, 0))) == "a keeps the budgets."
    assert verdict(snapshot(hello("a"), turn(0, 0, 1010, 0, 0))) == "a misses the budgets."


def test_what_would_have_met_the_budget() -> None:
    usual = [turn(0, i, 100, 200, 300) for i in range(1, 6)]
    late = turn(0, 0, 800, 200, 300)
    two = turn(0, 9, 700, 200, 900)
    none = turn(0, 8, 650, 750, 850)
    found = snapshot(hello("a"), *usual, late, two, none)
    assert list(remedy_words(found, late)) == [
        "step: over by 300 ms; met with wait for prefill 500 ms instead of 800 ms"
    ]
    assert list(remedy_words(found, two)) == [
        "step: over by 800 ms; met with decode 300 ms instead of 900 ms and wait for prefill 500 ms instead of 700 ms"
    ]
    assert "no two stages alone would do" in next(remedy_words(found, none))


def test_turns_that_were_not_answered() -> None:
    failed, given_up = turn(0, 0, 100, 0, 0, state=TurnState.FAILED), turn(0, 1, 100, 0, 0, state=TurnState.CANCELLED)
    found = snapshot(hello("a"), failed, given_up)
    assert next(remedy_words(found, failed)) == "step: failed after 100 ms; a failed turn meets no budget"
    assert next(remedy_words(found, given_up)) == "step: given up after 100 ms; it does not count"


def test_a_turn_that_met_its_budget_needs_no_remedy() -> None:
    kept = turn(0, 0, 100, 0, 0)
    assert list(remedy_words(snapshot(hello("a"), kept), kept)) == []


def test_a_limit_on_the_first_token_alone() -> None:
    budget = msgspec.structs.replace(STEP, turn_ps=None, ttft_ps=450 * MS, tpot_ps=40 * MS)
    missed = msgspec.structs.replace(turn(0, 0, 100, 0, 0), met=(0,))
    found = snapshot(hello("a", budgets=(budget,)), missed)
    assert list(remedy_words(found, missed)) == ["step: missed TTFT <= 450 ms, TPOT <= 40 ms"]
    assert budget_words(budget) == "TTFT <= 450 ms, TPOT <= 40 ms"


@pytest.mark.parametrize(("s", "words"), [(0, "0:00.0"), (62.55, "1:02.5"), (3599.99, "59:59.9"), (3600, "1:00:00.0")])
def test_the_time(s: float, words: str) -> None:
    assert clock_words(round(s * 10**12)) == words
