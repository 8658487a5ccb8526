"""Prices from runs: break-evens agree with trying prices, fleets with trying sizes."""

from __future__ import annotations

import copy
import itertools
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest

from subsecond.agents.study.fleets import cheapest, replica_keys, smallest
from subsecond.agents.study.points import load_base
from subsecond.agents.study.price_document import price_document
from subsecond.agents.study.pricing import LOADS, Prices, PriceStudy, Runs, price_study
from subsecond.engine.catalog import catalog
from subsecond.engine.economics.break_even import Verdict
from subsecond.engine.economics.document import PriceDoc
from subsecond.engine.economics.priced import Basis, PricedLane, per_turn_in_time, spread
from subsecond.engine.economics.rates import own_prices
from subsecond.engine.errors import InputError
from subsecond.engine.scenario import scenario_names

QUICK: dict[str, Any] = {"duration_s": 120, "warm_up_s": 20, "runs": 1}
#: A budget that pipelines keep or miss by their number of replicas.
MINE = 'budgets={coding=["agent-step"],mine={agents="coding",ttft_ms=250,percentile=80}}'
HEAVY = (MINE, "coding.sessions=220", "gpu.max_seqs=24", "gpu.draft_tokens=0")
STEP = Basis("coding", "agent-step")


@pytest.fixture(scope="module")
def study() -> PriceStudy:
    return price_study(load_base("playground"), Prices(), **QUICK, loads=[0.5, 2])


@pytest.fixture(scope="module")
def bench() -> Runs:
    return price_study(load_base("coding-fleet", settings=HEAVY), Prices(), **QUICK, loads=[]).runs


def usd_per_turn_in_time(lane: PricedLane, basis: Basis) -> float:
    cost = next(cost for cost in lane.costs(basis) if cost.key == "turn_in_time")
    return math.inf if cost.usd is None else cost.usd


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_break_evens_agree_with_trying_prices(study: PriceStudy, factor: float) -> None:
    point = next(point for point in study.points if point.factor == factor)
    a, b = point.lanes["trn-cs3"], point.lanes["gpu"]
    for basis in study.bases:
        found = per_turn_in_time(a, b, basis)
        assert found.verdict in (Verdict.BELOW, Verdict.NEVER)
        if found.usd_per_device_hour is None:
            price = own_prices({"wse-3": 0.0}, catalog(), "test")["wse-3"]
            free = PricedLane(a.lane, a.cost.with_price("wse-3", price), a.outcome, a.shares)
            assert usd_per_turn_in_time(free, basis) >= usd_per_turn_in_time(b, basis)
            continue
        for factor in (0.0, 0.2, 0.9, 0.999, 1.001, 1.1, 5.0):
            price = own_prices({"wse-3": found.usd_per_device_hour * factor}, catalog(), "test")["wse-3"]
            tried = PricedLane(a.lane, a.cost.with_price("wse-3", price), a.outcome, a.shares)
            is_cheaper = usd_per_turn_in_time(tried, basis) < usd_per_turn_in_time(b, basis)
            assert is_cheaper == (factor < 1)
            assert per_turn_in_time(tried, b, basis) == found  # a price put in does not change what is asked for


def test_the_shares_of_the_kinds_add_up_to_the_whole(study: PriceStudy) -> None:
    for lane in study.here.lanes.values():
        parts = [lane.side(Basis(kind)).hourly for kind in lane.outcome.groups]
        whole = lane.side().hourly
        assert sum(part.usd for part in parts) == pytest.approx(whole.usd)
        assert sum(part.hours.get("wse-3", 0.0) for part in parts) == pytest.approx(whole.hours.get("wse-3", 0.0))


def test_counts_are_those_of_the_outcomes(study: PriceStudy) -> None:
    for lane in study.here.lanes.values():
        work, voice = lane.work(), lane.work(Basis("voice", "voice-sub-second"))
        assert work.hours == pytest.approx(100 / 3600)
        assert work.in_time == sum(group.met_all for group in lane.outcome.groups.values())
        assert voice.in_time == lane.outcome.groups["voice"].budget("voice-sub-second").met
        assert 0 < work.hit_tokens < work.prompt_tokens


def test_a_load_scales_the_sessions_of_all_agents(study: PriceStudy) -> None:
    assert [(p.factor, p.sessions) for p in study.points] == [
        (0.5, {"coding": 12, "voice": 24}),
        (1.0, {"coding": 24, "voice": 48}),
        (2.0, {"coding": 48, "voice": 96}),
    ]
    assert study.here.factor == 1.0


def test_agents_that_arrive_at_a_rate_arrive_more_often(tmp_path: Path) -> None:
    file = tmp_path / "rate.toml"
    file.write_text(
        "duration_s = 120\n[pipelines.gpu]\n[[agents]]\nkind = 'voice'\nsessions = 60\narrival_rate_per_s = 0.5\n"
    )
    found = price_study(load_base(str(file)), Prices(), loads=[2])
    turns = [point.lanes["gpu"].work().turns for point in found.points]
    assert 1.5 < turns[1] / turns[0] < 2.5
    with pytest.raises(InputError, match="agents that can be kept at work"):
        price_study(load_base(str(file)), Prices(), duration_s=60)
    document = price_document(found, most=1)
    assert (document.is_steady, document.points[1].break_evens) == (False, [])


def test_more_runs_count_together() -> None:
    base = load_base("playground")
    one = price_study(base, Prices(), loads=[], **QUICK).here.lanes["gpu"]
    three = price_study(base, Prices(), loads=[], **{**QUICK, "runs": 3}).here.lanes["gpu"]
    assert three.outcome.runs == 3
    assert three.work().hours == pytest.approx(3 * one.work().hours)
    assert 2.5 < three.work().turns / one.work().turns < 3.5


def test_single_runs_say_how_far_their_sum_can_be_trusted() -> None:
    runs = {"duration_s": 120, "warm_up_s": 20, "runs": 3}
    here = price_study(load_base("coding-fleet", pipelines=["trn-cs3", "gpu"]), Prices(), loads=[], **runs).here
    a, b = here.lanes["trn-cs3"], here.lanes["gpu"]
    found = spread(a, b, STEP)
    assert found is not None
    low, high = found
    whole = per_turn_in_time(a, b, STEP).usd_per_device_hour
    assert whole is not None
    assert low < whole < high
    first = price_study(
        load_base("coding-fleet", pipelines=["trn-cs3", "gpu"]), Prices(), loads=[], **{**runs, "runs": 1}
    ).here
    alone = per_turn_in_time(first.lanes["trn-cs3"], first.lanes["gpu"], STEP).usd_per_device_hour
    assert alone == per_turn_in_time(a.each[0], b.each[0], STEP).usd_per_device_hour
    assert spread(first.lanes["trn-cs3"], first.lanes["gpu"], STEP) is None


def test_what_is_too_dear_for_nothing_is_not_made_larger() -> None:
    free = Prices(own=own_prices({"h200": 0.0}, catalog(), "test"))
    bench = price_study(load_base("playground"), free, loads=[], **QUICK).runs
    gpu = cheapest(bench, "gpu", STEP, most=4)
    assert gpu is not None
    split = cheapest(bench, "trn-cs3", STEP, most=4, against=gpu.lane)
    assert split is not None
    assert split.sizes == {"prefill_replicas": 1, "decode_replicas": 1}
    assert per_turn_in_time(split.lane, gpu.lane, STEP).verdict is Verdict.NEVER


def test_price_lists_are_for_the_model_that_is_compared() -> None:
    settings = ("gpu.model=gpt-oss-20b", "trn-cs3.model=llama-3.3-70b")
    found = price_study(
        load_base("coding-fleet", settings=settings, pipelines=["gpu", "trn-cs3"]), Prices(), loads=[], **QUICK
    )
    assert found.mix == "trn-cs3"
    assert {service.label.partition(" at ")[0] for service in found.services} >= {"llama-3.3-70b"}
    assert not any("gpt-oss" in service.label for service in found.services)


def test_the_budget_is_the_first_that_is_kept_or_nearly(study: PriceStudy) -> None:
    assert study.basis == STEP
    assert price_study(load_base("call-center"), Prices(), **QUICK, loads=[]).basis.budget not in (
        "voice-target",
        "voice-slow-line",
    )
    asked = price_study(load_base("call-center"), Prices(), **QUICK, loads=[], budget="voice-target")
    assert asked.basis == Basis("voice", "voice-target")


@pytest.mark.parametrize("basis", [Basis("coding", "mine"), STEP])
def test_the_smallest_fleet_is_what_trying_all_sizes_finds(bench: Runs, basis: Basis) -> None:
    for name in bench.pipelines:
        keys = replica_keys(bench.pipelines[name])
        sizes = [dict(zip(keys, s, strict=True)) for s in itertools.product(range(1, 5), repeat=len(keys))]
        keeping = [s for s in sizes if bench.lane(1.0, name, s).keeps(basis)]
        fleet = smallest(bench, name, basis, most=4)
        assert fleet.keeps == bool(keeping)
        if keeping:
            assert fleet.sizes in keeping
            for key in keys:  # none can be spared
                fewer = [{**fleet.sizes, key: count} for count in range(1, fleet.sizes[key])]
                assert not any(sizes in keeping for sizes in fewer)
    assert smallest(bench, "gpu", Basis("coding", "mine"), most=8).sizes["replicas"] > 1


def test_the_cheapest_fleet_is_what_trying_all_sizes_finds(bench: Runs) -> None:
    gpu = cheapest(bench, "gpu", STEP, most=5)
    assert gpu is not None
    costs = [usd_per_turn_in_time(bench.lane(1.0, "gpu", {"replicas": n}), STEP) for n in range(1, 6)]
    assert usd_per_turn_in_time(gpu.lane, STEP) == pytest.approx(min(costs), rel=0.01)
    split = cheapest(bench, "trn-cs3", STEP, most=3, against=gpu.lane)
    assert split is not None
    keys = replica_keys(bench.pipelines["trn-cs3"])
    prices = [
        per_turn_in_time(bench.lane(1.0, "trn-cs3", dict(zip(keys, s, strict=True))), gpu.lane, STEP)
        for s in itertools.product(range(1, 4), repeat=2)
    ]
    best = max(found.usd_per_device_hour or 0.0 for found in prices)
    found = per_turn_in_time(split.lane, gpu.lane, STEP).usd_per_device_hour
    assert found == pytest.approx(best, rel=0.01)


def test_what_hangs_on_several_unknown_prices_has_no_cheapest_size() -> None:
    bench = price_study(load_base("announced"), Prices(), **QUICK, loads=[]).runs
    gpu = bench.lane(1.0, "gpu") if "gpu" in bench.pipelines else None
    assert cheapest(bench, "rubin-lpx", Basis(), most=2, against=gpu) is None


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_that_ships_can_be_priced(name: str) -> None:
    document = price_document(price_study(load_base(name), Prices(), loads=[], **QUICK), most=1)
    for pipeline in document.pipelines.values():
        assert all((part.usd_per_hour is None) == (part.rate.provenance == "not public") for part in pipeline.parts)
        assert pipeline.hourly.usd > 0 or pipeline.hourly.device_hours
    assert document.findings


def test_a_document_is_the_same_each_time_and_reads_back(study: PriceStudy) -> None:
    first = price_document(study, most=2)
    again = price_study(load_base("playground"), Prices(), **QUICK, loads=[0.5, 2])
    assert msgspec.json.encode(price_document(again, most=2)) == msgspec.json.encode(first)
    assert msgspec.json.decode(msgspec.json.encode(first), type=PriceDoc) == first


def test_a_trace_has_one_load(tmp_path: Path) -> None:
    file = tmp_path / "trace.toml"
    rows = "\n".join(
        f'{{"timestamp": {500 * n}, "input_length": 900, "output_length": 20, "hash_ids": [1, {n}]}}' for n in range(9)
    )
    (tmp_path / "requests.jsonl").write_text(rows)
    file.write_text("[pipelines.gpu]\n[pipelines.trn-cs3]\n[[traces]]\nfiles = ['requests.jsonl']\n")
    base = load_base(str(file))
    assert [point.factor for point in price_study(base, Prices()).points] == [1.0]
    with pytest.raises(InputError, match="--loads: got '2', expected a scenario with agents to scale"):
        price_study(base, Prices(), loads=[2])


def test_loads_unless_told_otherwise() -> None:
    found = price_study(load_base("playground"), Prices(), duration_s=30, warm_up_s=5, runs=1)
    assert tuple(point.factor for point in found.points) == LOADS


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"against": "tpu"}, "--against: got 'tpu', expected one of trn-cs3, gpu"),
        ({"budget": "mine"}, "--budget: got 'mine', expected one of agent-step, voice-slow-line, voice-sub-second"),
        ({"loads": [0.0]}, "--loads: got '0.0', expected numbers above 0"),
        ({"loads": [-1.0]}, "--loads: got '-1.0'"),
        ({"loads": [math.nan]}, "--loads: got 'nan'"),
        ({"loads": [1e9]}, "up to 100,000 sessions"),
        ({"duration_s": 10}, "warm_up_s"),
    ],
)
def test_what_cannot_be_used_is_refused(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        price_study(load_base("playground"), Prices(), **options)


def test_the_base_is_left_as_it_is() -> None:
    base = load_base("playground")
    before = copy.deepcopy(base.tables)
    price_study(base, Prices(), loads=[2], **QUICK)
    assert base.tables == before
