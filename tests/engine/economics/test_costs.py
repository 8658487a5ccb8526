"""Costs of turns and tokens: they add up, scale, and can be traced to prices and counts."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsecond.engine.catalog import Catalog, catalog
from subsecond.engine.economics.amount import Amount, hourly_amount
from subsecond.engine.economics.costs import Cost, Work, costs_of
from subsecond.engine.economics.ownership import ownership_of
from subsecond.engine.economics.rates import hourly_cost, own_prices
from subsecond.engine.economics.services import services_for
from subsecond.engine.economics.sharing import shares_of
from subsecond.engine.errors import InputError
from subsecond.engine.latency.pipelines import build_pipeline

GPU = hourly_cost(build_pipeline("gpu"), catalog())
SPLIT = hourly_cost(build_pipeline("trn-cs3"), catalog())
WORK = Work(0.5, 1000, 800, 4_000_000, 3_000_000, 200_000)


def by_key(found: tuple[Cost, ...]) -> dict[str, Cost]:
    return {cost.key: cost for cost in found}


def test_a_gpu_at_a_load() -> None:
    costs = by_key(costs_of(GPU, WORK))
    assert costs["hour"].usd == 63.296
    assert costs["turn"].usd == pytest.approx(63.296 * 0.5 / 1000)
    assert costs["turn_in_time"].usd == pytest.approx(63.296 * 0.5 / 800)
    assert costs["m_output_tokens"].usd == pytest.approx(63.296 * 0.5 / 0.2)
    assert costs["m_tokens"].usd == pytest.approx(63.296 * 0.5 / 4.2)
    assert "m_prefill" not in costs


def test_who_reads_and_writes_on_different_machines_has_a_price_for_each() -> None:
    costs = by_key(costs_of(SPLIT, WORK))
    assert costs["m_prefill"].usd == pytest.approx(35.7608 * 0.5 / 4)
    decode = costs["m_decode"]
    assert decode.usd is None
    assert decode.amount == Amount(0.0, {"wse-3": pytest.approx(4 * 0.5 / 0.2)})
    assert costs["turn"].amount is not None
    assert costs["turn"].amount.at({"wse-3": 100.0}) == pytest.approx((35.7608 + 400) * 0.5 / 1000)


def test_nothing_to_divide_by_is_no_price() -> None:
    for work in (Work(0.5, 0, 0, 0, 0, 0), Work(0.0, 5, 5, 5, 5, 5)):
        costs = by_key(costs_of(GPU, work))
        assert [costs[key].amount for key in ("turn", "turn_in_time", "m_output_tokens", "m_tokens")] == [None] * 4


def test_every_figure_names_what_went_into_it() -> None:
    for cost in costs_of(SPLIT, WORK):
        assert cost.formula
        assert cost.inputs
        assert all(value.source for value in cost.inputs.values())
    turn = by_key(costs_of(SPLIT, WORK))["turn_in_time"]
    assert turn.inputs["turns in time"].number == 800
    assert turn.inputs["prefill: trn2.48xlarge (16x Trainium2), capacity-block"].provenance == "vendor"
    assert turn.inputs["decode: CS-3, machines"].number == 4


def test_a_figure_is_trusted_as_far_as_its_weakest_input() -> None:
    own = hourly_cost(build_pipeline("trn-cs3"), catalog(), own=own_prices({"cs-3": 50.0}, catalog(), "--price"))
    found = {name: by_key(costs_of(cost, WORK)) for name, cost in {"gpu": GPU, "split": SPLIT, "own": own}.items()}
    assert {name: costs["turn"].provenance for name, costs in found.items()} == {
        "gpu": "derived",
        "split": "not public",
        "own": "assumed",
    }
    assert found["split"]["m_prefill"].provenance == "derived"


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.floats(0.01, 100), st.integers(2, 50))
def test_twice_the_work_in_twice_the_time_costs_the_same(turns: int, tokens: int, hours: float, times: int) -> None:
    once = Work(hours, turns, turns, 3 * tokens, tokens, tokens)
    often = Work(hours * times, turns * times, turns * times, 3 * tokens * times, tokens * times, tokens * times)
    for a, b in zip(costs_of(SPLIT, once), costs_of(SPLIT, often), strict=True):
        assert a.amount is not None
        assert b.amount is not None
        assert math.isclose(a.amount.usd, b.amount.usd, rel_tol=1e-9)
        assert all(math.isclose(a.amount.hours[d], b.amount.hours[d], rel_tol=1e-9) for d in a.amount.hours)


KINDS = st.fixed_dictionaries({"coding": st.floats(0, 1e6), "voice": st.floats(0, 1e6)})


@given(KINDS, KINDS)
def test_the_shares_of_all_kinds_are_the_whole(prefill: dict[str, float], decode: dict[str, float]) -> None:
    shares = shares_of([{"prefill": prefill, "decode": decode}])
    parts = [hourly_amount(SPLIT, share) for share in shares.values()]
    assert math.isclose(sum(part.usd for part in parts), SPLIT.known_usd, rel_tol=1e-9)
    assert math.isclose(sum(part.hours.get("wse-3", 0.0) for part in parts), 4.0, rel_tol=1e-9)


def test_a_pool_that_nobody_used_is_shared_evenly() -> None:
    idle = {"coding": 0.0, "voice": 0.0}
    shares = shares_of([{"gpu": {"coding": 3.0, "voice": 1.0}, "fallback": idle}] * 2)
    assert shares == {"coding": {"gpu": 0.75, "fallback": 0.5}, "voice": {"gpu": 0.25, "fallback": 0.5}}


def test_published_prices_of_a_model() -> None:
    services = {service.provider: service for service in services_for("gpt-oss-120b", catalog())}
    bill = services["Groq"].bill(WORK)
    assert bill is not None
    assert bill.usd == pytest.approx(1 * 0.15 + 3 * 0.075 + 0.2 * 0.6)
    assert bill.per_m_output == pytest.approx(bill.usd / 0.2)
    assert bill.per_turn == pytest.approx(bill.usd / 1000)
    full = services["Cerebras"].bill(WORK)
    assert full is not None
    assert full.usd == pytest.approx(4 * 0.35 + 0.2 * 0.75)  # no price for cached input: all of it is input
    assert services["Amazon Bedrock on Cerebras"].bill(WORK) is None


def test_a_model_is_known_by_the_names_that_services_give_it() -> None:
    for model, least in (("llama-3.3-70b", 4), ("glm-4.7", 4), ("qwen3-235b-a22b", 2), ("qwen3-coder-480b-a35b", 3)):
        assert len([s for s in services_for(model, catalog()) if s.is_public]) >= least, model


def test_an_idle_service_bills_nothing() -> None:
    for service in services_for("gpt-oss-120b", catalog()):
        bill = service.bill(Work(1.0, 0, 0, 0, 0, 0))
        assert bill is None or (bill.usd, bill.per_m_output, bill.per_turn) == (0.0, None, None)


def test_an_estimate_of_owning_says_what_it_assumes() -> None:
    found = ownership_of("wse-3", catalog())
    assert found is not None
    power = 23 * 1.3 * 0.08
    assert found.low == pytest.approx(2e6 / (4 * 8766) + power)
    assert found.high == pytest.approx(3e6 / (4 * 8766) + power)
    assert {value.provenance for value in found.inputs.values()} == {"derived", "assumed", "vendor"}
    assert ownership_of("h200-sxm", catalog()) is None


def test_a_scenario_changes_what_is_assumed_about_owning() -> None:
    half = Catalog({"prices": {"own-wse-3": {"used_share": 0.5, "years": 5}}})
    found = ownership_of("wse-3", half)
    assert found is not None
    assert found.low == pytest.approx(2 * (2e6 / (5 * 8766) + 23 * 1.3 * 0.08))


@pytest.mark.parametrize("key", ["years", "used_share"])
def test_no_time_and_no_share_are_refused(key: str) -> None:
    with pytest.raises(InputError, match=f"own-wse-3.{key}"):
        ownership_of("wse-3", Catalog({"prices": {"own-wse-3": {key: 0}}}))
