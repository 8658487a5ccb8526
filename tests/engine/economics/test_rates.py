"""What pipelines cost per hour: every part resolves to a price or to "not public", never to nothing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsecond.engine.catalog import Catalog, catalog
from subsecond.engine.economics.parts import devices_of
from subsecond.engine.economics.rates import (
    NOT_PUBLIC,
    OWN,
    WAYS,
    HourlyCost,
    hourly_cost,
    own_prices,
    rate_of,
)
from subsecond.engine.errors import InputError
from subsecond.engine.latency.parameters import Override
from subsecond.engine.latency.pipelines import build_pipeline

PIPELINES = catalog().names("pipelines")
#: Trainium1 is no device of the catalog: no pipeline can be built of it.
HIRES = [name for name in catalog().names("prices") if name.startswith("hire-") and name != "hire-trn1-32xlarge"]


def cost(name: str, way: str = "on-demand", own: dict[str, float] | None = None, **overrides: Override) -> HourlyCost:
    built = build_pipeline(name, overrides=overrides)
    return hourly_cost(built, catalog(), way=way, own=own_prices(own or {}, catalog(), "--price"))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", PIPELINES)
def test_every_part_of_every_pipeline_has_a_price_or_is_not_public(name: str, way: str) -> None:
    found = cost(name, way)
    assert found.parts
    for part in found.parts:
        assert part.devices.count > 0
        assert part.rate.price.source
        if part.usd_per_hour is None:
            assert part.rate.way == NOT_PUBLIC
            assert part.rate.price.provenance == "not public"
            assert not part.rate.is_published
            assert part.rate.device in found.unknown
        else:
            assert part.usd_per_hour > 0
            assert part.rate.way in WAYS
            assert part.rate.price.provenance != "not public"
    assert (found.usd is None) == bool(found.unknown)


@pytest.mark.parametrize("name", HIRES)
def test_every_machine_for_hire_is_found_by_what_it_carries(name: str) -> None:
    facts = catalog()
    machine = facts.entry("devices", facts.entry("prices", name).fields["machine"])
    device = machine.values["accelerator"].text if "accelerator" in machine.values else machine.name
    rate = rate_of(device, facts, each=round(machine.number("accelerators", 1)))
    assert rate.each == round(machine.number("accelerators", 1))


def test_the_parts_are_those_that_the_parameters_name() -> None:
    found = cost("trn-cs3", prefill_replicas=2, decode_replicas=3, fallback_gpus=4)
    assert [(part.devices.role, part.shown) for part in found.parts] == [
        ("prefill", "2 x trn2.48xlarge (16x Trainium2)"),
        ("decode", "12 x CS-3"),
        ("fallback", "0.5 x p5en.48xlarge (8x H200)"),
    ]
    assert found.unknown == {"wse-3": 12}
    assert found.known_usd == pytest.approx(2 * 35.7608 + 63.296 / 2)
    assert found.parts[0].remark == "no price on demand: capacity block"
    assert "share of a machine" in found.parts[2].remark


def test_wafers_are_those_that_a_copy_takes() -> None:
    assert cost("trn-cs3", decode_wafers=7).unknown == {"wse-3": 7}
    assert cost("trn-cs3", decode_kv_wafers=5).unknown == {"wse-3": 7}
    built = build_pipeline("cs3-alone", "llama-3.1-405b")
    assert hourly_cost(built, catalog()).unknown == {"wse-3": round(built.summary["wafers_per_copy"])}


def test_the_machine_is_the_smallest_that_holds_a_group() -> None:
    assert rate_of("h100", catalog(), each=1).machine == "p5.4xlarge (1x H100)"
    assert rate_of("h100", catalog(), each=2).machine == "p5.48xlarge (8x H100)"
    assert rate_of("h100", catalog(), each=32).machine == "p5.48xlarge (8x H100)"
    assert rate_of("trn2", catalog(), each=1).machine == "trn2.3xlarge (1x Trainium2)"
    assert rate_of("trn2", catalog(), each=16).machine == "trn2.48xlarge (16x Trainium2)"


def test_another_way_stands_in_where_the_one_asked_for_is_not_offered() -> None:
    trainium = rate_of("trainium2", catalog(), way="on-demand", each=16)
    assert (trainium.way, trainium.is_substitute) == ("capacity-block", True)
    assert rate_of("trainium2", catalog(), way="spot", each=16).price.number == 15.343
    assert rate_of("b200", catalog(), way="spot", each=8).way == "on-demand"
    assert rate_of("h200", catalog(), way="capacity-block", each=8).price.number == 63.158


def test_a_device_without_a_machine_has_no_price_rather_than_none_to_pay() -> None:
    rate = rate_of("mi300x", catalog())
    assert (rate.way, rate.price.number, rate.price.provenance) == (NOT_PUBLIC, None, "not public")


def test_a_price_of_ones_own_counts_whatever_the_way() -> None:
    found = cost("trn-cs3", "spot", {"cs-3": 120.0, "trn2": 2.0})
    assert found.usd == pytest.approx(4 * 120 + 16 * 2)
    assert [part.rate.way for part in found.parts] == [OWN, OWN]
    assert {part.rate.price.provenance for part in found.parts} == {"assumed"}
    assert cost("trn-cs3", own={"wse-3": 0.0}).usd == pytest.approx(35.7608)


def test_a_scenario_changes_a_price_in_the_catalog() -> None:
    changed = Catalog({"prices": {"hire-wse-3": {"price_on_demand": 99}, "hire-p5en-48xlarge": {"price_spot": 11}}})
    assert hourly_cost(build_pipeline("cs3-alone"), changed).usd == 4 * 99
    assert rate_of("wse-3", changed, way="spot").is_substitute
    assert rate_of("h200", changed, way="spot", each=8).price.number == 11


def test_a_scenario_adds_a_machine() -> None:
    facts = Catalog(
        {
            "prices": {
                "hire-mi300x": {
                    "machine": "mi300x",
                    "values": {
                        "price_on_demand": {"number": 3, "unit": "USD/h", "source": "x", "provenance": "assumed"}
                    },
                }
            }
        }
    )
    assert rate_of("mi300x", facts, each=8).usd_per_device_hour == 3


@given(st.integers(1, 6), st.integers(1, 6), st.floats(0, 1000))
def test_cost_is_linear_in_replicas_and_in_a_price(prefills: int, copies: int, usd: float) -> None:
    one = cost("trn-cs3", own={"wse-3": usd})
    many = cost("trn-cs3", own={"wse-3": usd}, prefill_replicas=prefills, decode_replicas=copies)
    assert one.usd is not None
    assert many.usd is not None
    assert math.isclose(many.usd, 35.7608 * prefills + 4 * copies * usd, rel_tol=1e-12)
    free = cost("trn-cs3")
    assert math.isclose(one.usd, free.known_usd + free.unknown["wse-3"] * usd, rel_tol=1e-12)


def test_prices_can_be_put_in_and_taken_out_again() -> None:
    free = cost("trn-cs3")
    price = own_prices({"cs-3": 50.0}, catalog(), "slider")["wse-3"]
    priced = free.with_price("wse-3", price)
    assert priced.usd == pytest.approx(35.7608 + 200)
    assert priced.with_price("wse-3", None).unknown == {"wse-3": 4}
    assert free.with_price("h200-sxm", price) == free


def test_gpus_of_a_machine_count_by_their_number() -> None:
    assert cost("gpu", gpus=4, tensor_parallel=4, replicas=3).usd == pytest.approx(1.5 * 63.296)
    assert [d.count for d in devices_of(build_pipeline("gpu-disagg"), catalog())] == [8, 8]


@pytest.mark.parametrize(
    ("name", "usd", "expected"),
    [
        ("cs-4", 1.0, "one of cs-3"),
        ("wse-3", -1.0, "from 0 to 1,000,000"),
        ("wse-3", math.nan, "from 0 to 1,000,000"),
        ("wse-3", math.inf, "from 0 to 1,000,000"),
    ],
)
def test_what_is_no_price_is_refused(name: str, usd: float, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        own_prices({name: usd}, catalog(), "--price")


def test_a_device_has_one_price() -> None:
    with pytest.raises(InputError, match="one price for wse-3"):
        own_prices({"wse-3": 1.0, "cs-3": 2.0}, catalog(), "--price")


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(InputError, match="one of on-demand, capacity-block, spot"):
        rate_of("h200", catalog(), way="leasing")
