"""Parameters of agents: every one says where it comes from, overrides reach what they name, mistakes are explained."""

from __future__ import annotations

import math

import pytest

from subsecond.agents.coding import coding_parameters
from subsecond.agents.parameters import PROVENANCES, Parameters, load_document, parse_parameters
from subsecond.agents.voice import voice_parameters
from subsecond.engine.errors import InputError

ALL = [coding_parameters(), voice_parameters(), voice_parameters("fast"), voice_parameters("slow+telephone")]
FIELDS = {"unit": "s", "source": "a test", "date": "2026-01-01", "provenance": "assumed"}


def parsed(**table: object) -> Parameters:
    return parse_parameters("test", {"a": {"b": {**FIELDS, **table}}}, "test.toml")


@pytest.mark.parametrize("parameters", ALL, ids=lambda p: f"{p.name}-{p.profile}")
def test_every_parameter_has_unit_source_date_and_provenance(parameters: Parameters) -> None:
    for entry in parameters:
        assert entry.unit
        assert len(entry.source) > 3
        assert entry.date[:2] == "20"
        assert entry.provenance in PROVENANCES
        assert entry.key in parameters.entries


@pytest.mark.parametrize("parameters", ALL, ids=lambda p: f"{p.name}-{p.profile}")
def test_every_distribution_can_be_drawn_from(parameters: Parameters) -> None:
    for entry in parameters:
        if entry.is_distribution:
            assert parameters.table(entry.key).mean() > 0


def test_nothing_changes_without_overrides() -> None:
    assert coding_parameters({}) == coding_parameters()


def test_a_number_replaces_a_number() -> None:
    changed = coding_parameters({"subagents.share": 0.25})
    assert changed.number("subagents.share") == 0.25
    assert changed.entries["subagents.share"].source == "set by the user"
    assert changed.entries["subagents.share"].provenance == "assumed"


def test_a_number_makes_a_distribution_constant() -> None:
    assert set(coding_parameters({"tools.execute.time": 2}).table("tools.execute.time").nodes.tolist()) == {2_000_000}


def test_a_mapping_replaces_a_whole_distribution() -> None:
    table = coding_parameters({"output.tool_use": {"min": 10, "p50": 20, "max": 40}}).table("output.tool_use")
    assert [table.quantile(p) for p in (0, 0.5, 1)] == [10, 20, 40]


def test_one_quantile_is_replaced() -> None:
    old, new = coding_parameters(), coding_parameters({"output.tool_use.p50": 250})
    assert new.table("output.tool_use").quantile(0.5) == 250
    assert new.table("output.tool_use").quantile(0.9) == old.table("output.tool_use").quantile(0.9)


def test_a_quantile_that_was_not_printed_is_added() -> None:
    points = dict(voice_parameters(None, {"tools.time.p99.9": 6000}).entries["tools.time"].points)
    assert points[0.999] == 6000


def test_scale_multiplies_a_distribution() -> None:
    old, new = voice_parameters(), voice_parameters(None, {"reply.tokens.scale": 2})
    assert new.table("reply.tokens").mean() == pytest.approx(2 * old.table("reply.tokens").mean(), rel=0.01)


def test_nested_tables_stand_for_dotted_keys() -> None:
    nested = {
        "tools": {"execute": {"time": {"scale": 2}, "share": 0.5}},
        "output": {"tool_use": {"p50": 200, "max": 9000}},
    }
    flat = {"tools.execute.time.scale": 2, "tools.execute.share": 0.5, "output.tool_use": {"p50": 200, "max": 9000}}
    assert coding_parameters(nested) == coding_parameters(flat)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("lottery.share", 1, "one of "),
        ("zzz", 1, "one of session.steps, .*, window.tokens"),
        ("subagents", 1, "one of subagents.s"),
        ("subagents.share.p50", 1, "one of subagents.share"),
        ("subagents.share", "many", "a number"),
        ("subagents.share", True, "a number"),
        ("subagents.share", None, "a number"),
        ("subagents.share", 1.5, "from 0 to 1"),
        ("subagents.share", -0.1, "not negative"),
        ("subagents.share", math.nan, "finite"),
        ("subagents.share", math.inf, "finite"),
        ("subagents.share", 10**400, "finite"),
        ("subagents.share", [0.5], "a number"),
        ("prompt.shared_prefix", 0, "from 1 to"),
        ("output.tool_use", 0, "from 1 to"),
        ("output.tool_use", 1e12, "from 1 to"),
        ("output.tool_use", {}, "quantiles such as"),
        ("output.tool_use", {"p50": 20, "p10": 40}, "ascend"),
        ("output.tool_use", {"p50": 20, "p50.0": 20}, "each once"),
        ("output.tool_use", {"median": 20}, "min, max"),
        ("output.tool_use", {"p0": 20}, "min, max"),
        ("output.tool_use", {"p100": 20}, "min, max"),
        ("output.tool_use", {"p50": "few"}, "a number"),
        ("output.tool_use.p50", 10**6, "ascend"),
        ("output.tool_use.often", 3, "min, max"),
        ("output.tool_use.scale", "twice", "a number"),
        ("output.tool_use.scale", 1e9, "from 1 to"),
        ("output.tool_use.scale", 0, "from 1 to"),
        ("session.user_gap", 10**7, "from 0 to 200000"),
    ],
)  # fmt: skip
def test_an_override_that_cannot_be_used_is_explained(key: str, value: object, expected: str) -> None:
    with pytest.raises(InputError, match=expected) as error:
        coding_parameters({key: value})
    assert error.value.where == "coding parameters"
    assert key in str(error.value)


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ({"value": 1, "unit": "parsec"}, "a.b.unit"),
        ({"value": 1, "unit": 3}, "a.b.unit"),
        ({"value": 1, "source": None}, "a.b.source"),
        ({"value": 1, "provenance": "rumour"}, "a.b.provenance"),
        ({"value": "one"}, "a.b"),
        ({"value": 3, "maximum": 2}, "a.b"),
        ({"value": 1, "minimum": "low"}, "a.b.minimum"),
        ({"quantiles": [1, 2]}, "a.b.quantiles"),
        ({"quantiles": {"p50": -1}}, "a.b.quantiles.p50"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_explained(table: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as error:
        parsed(**table)
    assert error.value.where == "test.toml"
    assert error.value.field == field


def test_a_document_without_parameters_is_refused() -> None:
    with pytest.raises(InputError, match="no parameters"):
        parse_parameters("test", {}, "test.toml")


def test_a_value_outside_a_table_is_refused() -> None:
    with pytest.raises(InputError, match="a table with unit"):
        parse_parameters("test", {"a": {"speed": 3}}, "test.toml")


def test_units_become_whole_tokens_counts_or_microseconds() -> None:
    assert parsed(value=1.5).whole("a.b") == 1_500_000
    assert parsed(value=1.5, unit="ms").whole("a.b") == 1_500
    assert parsed(value=7, unit="tokens").whole("a.b") == 7


def test_the_shipped_files_hold_nothing_else() -> None:
    assert set(load_document("subsecond.agents", "data/voice.toml")) - {"stages", "profiles"} == {
        key.split(".")[0] for key in voice_parameters().entries
    }
