"""Parameters of a lane beside the catalog: their numbers, their defaults, and changes that only a notice tells."""

from __future__ import annotations

import msgspec
import pytest
from support.feeds import playground

from subsecond.engine.feed import Hello, LaneInfo, Notice, ParameterInfo
from subsecond.tui.knobs import SET, default_of, knobs_of, number_of, shown, typed_value, with_change
from subsecond.tui.model import Model

HELLO = playground()[0]
assert isinstance(HELLO, Hello)
TRN = HELLO.lanes[0]


def parameter(lane: LaneInfo, key: str) -> ParameterInfo:
    return next(p for p in lane.parameters if p.key == key)


def with_value(lane: LaneInfo, key: str, value: str) -> LaneInfo:
    parameters = tuple(msgspec.structs.replace(p, value=value) if p.key == key else p for p in lane.parameters)
    return msgspec.structs.replace(lane, parameters=parameters)


@pytest.mark.parametrize(
    ("value", "unit", "number"),
    [
        ("5 ms", "ms", 5),
        ("8,192 tokens", "tokens", 8192),
        ("1", "", 1),
        ("0.01 share", "share", 0.01),
        ("bf16", "", None),
        ("inf ms", "ms", None),
        ("", "", None),
    ],
)
def test_numbers_are_read_as_they_are_written(value: str, unit: str, number: float | None) -> None:
    assert number_of(ParameterInfo("key", value, unit, "assumed", "")) == number
    if number is not None:
        assert shown(number, unit) == value


def test_what_is_typed_is_a_number_a_switch_or_a_word() -> None:
    typed = [typed_value(text) for text in ("12.5", "true", "false", "fp8", "nan", "inf")]
    assert typed == [12.5, True, False, "fp8", "nan", "inf"]


def test_every_default_is_the_catalogs() -> None:
    for lane in HELLO.lanes:
        for p in lane.parameters:
            default = default_of(lane, p)
            assert default is not None
            assert default.shown == p.value


def test_a_pipeline_is_known_by_what_it_is_and_not_by_what_a_scenario_calls_it() -> None:
    renamed = msgspec.structs.replace(TRN, name="mine")
    assert default_of(renamed, parameter(TRN, "network_ms")) is not None
    assert knobs_of(renamed) is not None
    strange = msgspec.structs.replace(TRN, label="Abacus")
    assert default_of(strange, parameter(TRN, "network_ms")) is None
    assert knobs_of(strange) is None


def test_knobs_have_the_values_that_are_set() -> None:
    knobs = knobs_of(with_value(TRN, "network_ms", "9 ms"))
    assert knobs is not None
    assert knobs.acts_at_once("network_ms", 9.0)
    assert not knobs.acts_at_once("network_ms", 5.0)
    assert knobs_of(with_value(TRN, "prefill_device", "abacus")) is None


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("trn-cs3: prefill_utilisation_factor is 0.5 from now on", "prefill_utilisation_factor", "0.5 ratio"),
        ("trn-cs3: prefill_token_budget is 4096.0 from now on", "prefill_token_budget", "4,096 tokens"),
        ("trn-cs3: overlap is False from now on", "overlap", "0"),
        ("trn-cs3: kv_dtype is fp8 from now on", "kv_dtype", "fp8"),
    ],
)
def test_a_change_in_flight_is_seen_in_the_next_snapshot(text: str, key: str, value: str) -> None:
    model = Model(HELLO)
    before = model.snapshot()
    model.add(Notice("info", text))
    changed = parameter(model.snapshot().lanes[0].info, key)
    assert (changed.value, changed.source) == (value, SET)
    assert parameter(before.lanes[0].info, key) == parameter(TRN, key)
    assert model.snapshot().lanes[1].info == HELLO.lanes[1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x from now on",
        "nobody: network_ms is 9 from now on",
        "trn-cs3: nothing is 9 from now on",
        "trn-cs3: network_ms is 9; the run starts anew",
        "trn-cs3: network_ms from now on",
    ],
)
def test_other_notices_change_nothing(text: str) -> None:
    assert with_change(HELLO.lanes, text) is None
