"""Budgets by name and a user's own, and faults by name."""

from __future__ import annotations

import pytest
from support.small import MS, colocated, disaggregated

from subsecond.engine.budgets import budgets_of, catalog_budget
from subsecond.engine.catalog import catalog
from subsecond.engine.core.config import FaultKind
from subsecond.engine.errors import InputError
from subsecond.engine.faults import FAULT_KINDS, faults_of
from subsecond.engine.scenario import BudgetTable, FaultTable

PIPELINES = {"gpu": colocated(servers=2), "split": disaggregated(decoders=2)}


def test_limits_come_from_the_catalog_with_their_source() -> None:
    turn = catalog_budget("voice-slow-line", "voice", catalog(), "test")
    tokens = catalog_budget("mlperf-llama-2-70b-interactive", "chat", catalog(), "test")
    assert (turn.turn_ps, turn.ttft_ps, turn.tpot_ps, turn.percentile) == (800 * MS, None, None, 95.0)
    assert (tokens.turn_ps, tokens.ttft_ps, tokens.tpot_ps, tokens.percentile) == (None, 450 * MS, 40 * MS, 99.0)
    assert turn.source
    assert turn.shown == "<= 800 ms"


@pytest.mark.parametrize("name", ["no-such-budget", "nielsen-instantaneous-flow-attention"])
def test_a_budget_that_limits_no_turn_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="agent-step"):
        catalog_budget(name, "coding", catalog(), "test")


def test_kinds_without_a_budget_get_the_usual_ones() -> None:
    found = budgets_of({}, ["coding", "voice", "chat"], catalog(), "test")
    assert [b.name for b in found if b.agents == "coding"] == ["agent-step"]
    assert {b.agents for b in found} == {"coding", "voice", "chat"}


def test_an_own_budget_stands_beside_or_instead() -> None:
    own = BudgetTable("coding", turn_ms=700, percentile=99)
    beside = budgets_of({"coding": ["agent-step"], "mine": own}, ["coding"], catalog(), "test")
    instead = budgets_of({"mine": own}, ["coding"], catalog(), "test")
    assert [b.name for b in beside] == ["agent-step", "mine"]
    assert [(b.name, b.turn_ps, b.percentile) for b in instead] == [("mine", 700 * MS, 99)]


@pytest.mark.parametrize(
    "own",
    [
        BudgetTable("coding"),
        BudgetTable("coding", turn_ms=0),
        BudgetTable("coding", ttft_ms=float("nan")),
        BudgetTable("coding", turn_ms=5, percentile=0),
    ],
)
def test_an_impossible_budget_is_refused(own: BudgetTable) -> None:
    with pytest.raises(InputError, match=r"budgets\.mine"):
        budgets_of({"mine": own}, ["coding"], catalog(), "test")


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (FaultTable("prefill_down", 1, 2, target=1), {"split": [("SERVER_DOWN", 1, 0), ("SERVER_UP", 1, 0)]}),
        (FaultTable("decode_down", 1, target=1), {"split": [("SERVER_DOWN", 3, 0)]}),
        (FaultTable("gpu_down", 1, target=1), {"gpu": [("SERVER_DOWN", 1, 0)]}),
        (FaultTable("link_cut", 1, 2), {"split": [("LINK_RATE", 0, 0), ("LINK_RATE", 0, 64)]}),
        (FaultTable("link_degraded", 1, value=0.5), {"split": [("LINK_RATE", 0, 128)]}),
        (
            FaultTable("handoff_loss", 1, 2, value=0.5),
            {"split": [("HANDOFF_LOSS", 0, 1 << 30), ("HANDOFF_LOSS", 0, 0)]},
        ),
        (FaultTable("slow", 1, pipeline="gpu", value=2), {"gpu": [("SERVER_SLOW", 0, 128)]}),
        (FaultTable("stall", 1, 2, pipeline="gpu"), {"gpu": [("STALL_UNTIL", 0, 3 * 10**12)]}),
    ],
)
def test_a_fault_becomes_what_the_core_knows(
    table: FaultTable, expected: dict[str, list[tuple[str, int, int]]]
) -> None:
    found = faults_of([table], PIPELINES, "test")
    shown = {n: [(FaultKind(f.kind).name, f.target, f.value) for f in faults] for n, faults in found.items() if faults}
    assert shown == expected


def test_a_throttle_strikes_every_pipeline() -> None:
    found = faults_of([FaultTable("throttle", 1, value=1.0)], PIPELINES, "test")
    assert [f.value for faults in found.values() for f in faults] == [1 << 31, 1 << 31]


@pytest.mark.parametrize(
    ("table", "field"),
    [
        (FaultTable("meteor", 1), "kind"),
        (FaultTable("stall", 1, 1, pipeline="nowhere"), "pipeline"),
        (FaultTable("decode_down", 1, pipeline="gpu"), "kind"),
        (FaultTable("decode_down", 1, target=2), "target"),
        (FaultTable("decode_down", 1, target=-1), "target"),
        (FaultTable("stall", 1), "duration_s"),
        (FaultTable("slow", 1), "value"),
        (FaultTable("slow", 1, value=0.5), "value"),
        (FaultTable("throttle", 1, value=1.5), "value"),
        (FaultTable("gpu_down", 1, value=2), "value"),
        (FaultTable("gpu_down", 900_000, 900_000), "duration_s"),
        (FaultTable("link_degraded", 1, value=float("nan")), "value"),
    ],
)
def test_an_impossible_fault_is_refused(table: FaultTable, field: str) -> None:
    with pytest.raises(InputError) as caught:
        faults_of([table], PIPELINES, "test")
    assert caught.value.field == f"faults.0.{field}"


def _shown(*tables: FaultTable) -> list[tuple[int, str, int]]:
    found = faults_of(tables, PIPELINES, "test")["split"]
    return [(fault.at_ps // 10**12, FaultKind(fault.kind).name, fault.value) for fault in found]


def test_of_overlapping_faults_the_worst_counts_until_the_last_ends() -> None:
    assert _shown(FaultTable("decode_down", 2, 3), FaultTable("decode_down", 4, 6)) == [
        (2, "SERVER_DOWN", 0),
        (10, "SERVER_UP", 0),
    ]
    assert _shown(FaultTable("link_degraded", 1, 9, value=0.5), FaultTable("link_cut", 3, 2)) == [
        (1, "LINK_RATE", 128),
        (3, "LINK_RATE", 0),
        (5, "LINK_RATE", 128),
        (10, "LINK_RATE", 64),
    ]
    assert _shown(FaultTable("stall", 1, 8), FaultTable("stall", 2, 1)) == [(1, "STALL_UNTIL", 9 * 10**12)]


def test_faults_of_different_parts_do_not_touch() -> None:
    assert _shown(FaultTable("decode_down", 2, 3), FaultTable("decode_down", 4, 6, target=1)) == [
        (2, "SERVER_DOWN", 0),
        (4, "SERVER_DOWN", 0),
        (5, "SERVER_UP", 0),
        (10, "SERVER_UP", 0),
    ]


def test_a_fault_that_fits_nowhere_names_those_that_fit() -> None:
    with pytest.raises(InputError, match="for gpu one of gpu_down, slow, throttle, stall"):
        faults_of([FaultTable("decode_down", 1, pipeline="gpu")], PIPELINES, "test")


def test_the_documented_kinds_are_all() -> None:
    from subsecond.engine import faults

    assert faults.__doc__
    assert [kind for kind in FAULT_KINDS if f"`{kind}`" not in faults.__doc__] == []


@pytest.mark.parametrize(
    ("named", "field"),
    [
        ({"codng": ["agent-step"]}, "budgets.codng"),
        ({"mine": BudgetTable("codng", turn_ms=5)}, "budgets.mine.agents"),
        ({"coding": ["agent-step", "agent-step"]}, "budgets.coding"),
        ({"coding": ["agent-step"], "agent-step": BudgetTable("coding", turn_ms=5)}, "budgets.coding"),
    ],
)
def test_a_budget_that_would_be_lost_is_refused(named: dict[str, list[str] | BudgetTable], field: str) -> None:
    with pytest.raises(InputError) as caught:
        budgets_of(named, ["coding", "voice"], catalog(), "test")
    assert caught.value.field == field


def test_budgets_may_be_for_kinds_that_a_trace_does_not_have() -> None:
    found = budgets_of({"voice": ["agent-step"]}, ["request"], catalog(), "test", is_recorded=True)
    assert {budget.agents for budget in found} == {"request"}


def test_a_budget_that_two_kinds_share_has_two_names() -> None:
    named = {"coding": ["agent-step"], "voice": ["agent-step", "voice-natural"]}
    found = budgets_of(named, ["coding", "voice"], catalog(), "test")
    assert [budget.name for budget in found] == ["agent-step:coding", "agent-step:voice", "voice-natural"]
