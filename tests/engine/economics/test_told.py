"""Parts and prices in the first message: whoever reads it comes to the costs that the engine comes to."""

from __future__ import annotations

import math

import msgspec
import pytest

from subsecond.agents.study.points import Point, load_base, plan_point
from subsecond.engine.catalog import catalog
from subsecond.engine.economics.rates import NOT_PUBLIC, WAYS, hourly_cost
from subsecond.engine.economics.services import services_for
from subsecond.engine.economics.told import hourly_cost_of, services_of
from subsecond.engine.feed import Hello, PartInfo, decode_message, encode
from subsecond.engine.hello import hello_of
from subsecond.engine.run import Plan

EVERY = ("trn-cs3", "gpu", "gpu-b200", "gpu-disagg", "cs3-alone", "rubin-lpx", "rubin-cpx")


@pytest.fixture(scope="module")
def plan() -> Plan:
    base = load_base("playground", pipelines=EVERY, settings=("duration_s=1", "trn-cs3.fallback_gpus=4"))
    return plan_point(base, Point())


@pytest.fixture(scope="module")
def hello(plan: Plan) -> Hello:
    """As it comes out at the other end of the wire."""
    found = decode_message(encode(hello_of(plan, "run", "")))
    assert isinstance(found, Hello)
    return found


@pytest.mark.parametrize("way", WAYS)
def test_costs_are_those_of_the_catalog(plan: Plan, hello: Hello, way: str) -> None:
    for lane, built in zip(hello.lanes, plan.pipelines.values(), strict=True):
        mine, theirs = hourly_cost_of(lane, way), hourly_cost(built, catalog(), way=way)
        assert mine is not None
        assert mine.usd == theirs.usd
        assert mine.unknown == theirs.unknown
        for one, other in zip(mine.parts, theirs.parts, strict=True):
            assert one.devices == other.devices
            assert (one.shown, one.usd_per_hour, one.remark) == (other.shown, other.usd_per_hour, other.remark)
            assert (one.rate.way, one.rate.asked, one.rate.is_published) == (
                other.rate.way,
                other.rate.asked,
                other.rate.is_published,
            )
            price = other.rate.price
            assert (one.rate.price.source, one.rate.price.date) == (price.source, price.date)
            assert one.rate.price.provenance == ("not public" if price.number is None else price.provenance)


def test_price_lists_are_those_of_the_catalog(plan: Plan, hello: Hello) -> None:
    for lane in hello.lanes:
        told = services_of(hello, lane.model)
        assert [(s.provider, s.input.number, s.output.number) for s in told] == [
            (s.provider, s.input.number, s.output.number) for s in services_for(lane.model, catalog())
        ]
        assert any(service.is_public for service in told)


def test_owning_is_estimated_only_for_what_nobody_hires_out(hello: Hello) -> None:
    parts = {part.device: part for lane in hello.lanes for part in lane.parts}
    owning = parts["wse-3"].owning
    assert owning is not None
    assert 0 < owning.low < owning.high
    assert {key for key, _ in owning.inputs} >= {"price_low", "years", "power"}
    assert all(part.owning is None for part in parts.values() if part.is_published)


def test_a_first_message_without_them_is_read_and_says_nothing(hello: Hello) -> None:
    old = msgspec.json.decode(encode(hello))
    del old["services"]
    for lane in old["lanes"]:
        del lane["parts"]
    found = decode_message(msgspec.json.encode(old))
    assert isinstance(found, Hello)
    assert [hourly_cost_of(lane) for lane in found.lanes] == [None] * len(EVERY)
    assert services_of(found, "gpt-oss-120b") == ()


@pytest.mark.parametrize(
    "wrong",
    [{"each": 0}, {"groups": -1}, {"devices_per_machine": 0}, {"each": 1 << 70}, {"hire": ()}],
    ids=lambda wrong: str(list(wrong)),
)
def test_parts_that_no_pipeline_has_are_no_cost(hello: Hello, wrong: dict[str, object]) -> None:
    lane = hello.lanes[0]
    parts: list[PartInfo] = [msgspec.structs.replace(lane.parts[0], **wrong), *lane.parts[1:]]
    assert hourly_cost_of(msgspec.structs.replace(lane, parts=tuple(parts))) is None


@pytest.mark.parametrize("number", [-1.0, math.inf, math.nan, 1e300])
def test_a_price_that_is_none_counts_as_not_public(hello: Hello, number: float) -> None:
    lane = hello.lanes[1]
    hire = [
        msgspec.structs.replace(h, price=msgspec.structs.replace(h.price, number=number)) for h in lane.parts[0].hire
    ]
    part = msgspec.structs.replace(lane.parts[0], hire=tuple(hire))
    found = hourly_cost_of(msgspec.structs.replace(lane, parts=(part,)))
    assert found is not None
    assert found.usd is None
    assert found.parts[0].rate.way == NOT_PUBLIC


def test_the_scenario_comes_along_but_for_what_models_say() -> None:
    base = load_base("playground", settings=("duration_s=1", "gpu.replicas=2"))
    base.tables["replies"] = [{"text": "a secret"}]
    hello = decode_message(encode(hello_of(plan_point(base, Point()), "run", "")))
    assert isinstance(hello, Hello)
    assert hello.tables["pipelines"]["gpu"] == {"replicas": 2}
    assert "replies" not in hello.tables
