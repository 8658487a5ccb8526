"""What a user's TOML changes or adds, and what is said when it cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from subsecond.engine.catalog import Catalog
from subsecond.engine.errors import InputError


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def refused(changes: Any) -> InputError:
    """The error of a change to the catalog."""
    try:
        Catalog(changes)
    except InputError as error:
        return error
    pytest.fail("nothing is wrong with it")


def test_a_bare_number_changes_the_number_alone(tmp_path: Path) -> None:
    path = written(tmp_path, "[devices.wse-3]\nmem_capacity = 50\n")
    changed, shipped = (c.entry("devices", "wse-3") for c in (Catalog(path), Catalog()))
    value = changed.get("mem_capacity")
    assert (value.number, value.unit, value.provenance, value.source) == (50.0, "GB", "assumed", str(path))
    assert value.note == "instead of 44 GB"
    assert {k: v for k, v in changed.values.items() if k != "mem_capacity"} == {
        k: v for k, v in shipped.values.items() if k != "mem_capacity"
    }
    assert (changed.label, changed.fields) == (shipped.label, shipped.fields)


@pytest.mark.parametrize("name", ["cs-3", "CS3", "WSE-3", "cerebras"])
def test_an_entry_is_changed_by_any_of_its_names(name: str) -> None:
    catalog = Catalog({"devices": {name: {"mem_capacity": 50}}})
    assert catalog.names("devices") == Catalog().names("devices")
    assert catalog.entry("devices", "wse-3").number("mem_capacity") == 50e9
    assert catalog.entry("devices", name).get("io_bw").number == 1.2


def test_a_table_gives_its_own_origin() -> None:
    told = {"number": 3.0, "unit": "TB/s", "source": "my lab", "date": "2026-11", "provenance": "measured", "note": "n"}
    value = (
        Catalog({"devices": {"h100": {"values": {"mem_bandwidth": told}}}})
        .entry("devices", "h100")
        .get("mem_bandwidth")
    )
    assert (value.si(), value.source, value.date, value.provenance, value.note) == (
        3e12,
        "my lab",
        "2026-11",
        "measured",
        "n",
    )


def test_a_table_may_leave_out_what_the_old_value_and_the_file_say() -> None:
    value = (
        Catalog({"devices": {"h100": {"mem_bandwidth": {"number": 3.0}}}}, "s.toml")
        .entry("devices", "h100")
        .get("mem_bandwidth")
    )
    assert (value.si(), value.source, value.provenance) == (3e12, "s.toml", "assumed")


def test_another_unit_of_the_same_dimension_will_do() -> None:
    value = Catalog({"devices": {"h100": {"mem_bandwidth": {"number": 3000, "unit": "GB/s"}}}}).entry("devices", "h100")
    assert value.number("mem_bandwidth") == 3e12


def test_words_change_words_and_fields() -> None:
    catalog = Catalog(
        {
            "pipelines": {"trn-cs3": {"model": "llama-3.3-70b", "kv_return": True}},
            "budgets": {"agent-step": {"statistic": "p95"}},
        }
    )
    pipeline = catalog.entry("pipelines", "trn-cs3")
    assert (pipeline.get("model").text, pipeline.get("model").provenance) == ("llama-3.3-70b", "assumed")
    assert pipeline.number("kv_return") == 1
    assert catalog.entry("budgets", "agent-step").fields["statistic"] == "p95"


def test_a_number_takes_the_place_of_what_is_not_public() -> None:
    value = Catalog({"devices": {"trainium3": {"power": 800}}}).entry("devices", "trainium3").get("power")
    assert (value.si(), value.provenance, value.note) == (800.0, "assumed", "instead of unknown")


def test_nought_and_less_are_kept_where_they_mean_something() -> None:
    catalog = Catalog({"models": {"gpt-oss-120b": {"experts_shared": 0, "window_layers": 0}}})
    assert catalog.entry("models", "gpt-oss-120b").number("window_layers") == 0
    assert Catalog({"links": {"mooncake-pd": {"itl_effect": -20}}}).entry("links", "mooncake-pd").number(
        "itl_effect"
    ) == pytest.approx(-0.2)


def test_base_copies_an_entry_and_leaves_it_alone(tmp_path: Path) -> None:
    path = written(tmp_path, '[devices.my-gpu]\nbase = "h100"\nlabel = "My GPU"\nmem_capacity = 141\n')
    catalog = Catalog(path)
    mine, theirs = catalog.entry("devices", "my-gpu"), catalog.entry("devices", "h100")
    assert (mine.name, mine.label, mine.where) == ("my-gpu", "My GPU", str(path))
    assert (mine.number("mem_capacity"), theirs.number("mem_capacity")) == (141e9, 85.9e9)
    assert mine.get("mem_bandwidth") == theirs.get("mem_bandwidth")
    assert "my-gpu" in catalog.names("devices")
    assert catalog.find("devices", "My GPU") == "my-gpu"


def test_a_copy_without_a_label_has_its_own_name() -> None:
    assert Catalog({"devices": {"mine": {"base": "h100"}}}).entry("devices", "mine").label == "mine"


def test_a_copy_of_a_copy_has_the_changes_of_both() -> None:
    changes = {"devices": {"b": {"base": "a", "power": 500}, "a": {"base": "h100", "mem_capacity": 141}}}
    entry = Catalog(changes).entry("devices", "b")
    assert (entry.number("mem_capacity"), entry.number("power")) == (141e9, 500.0)


def test_a_copy_starts_from_the_changed_entry() -> None:
    changes = {"devices": {"h100": {"power": 600}, "mine": {"base": "h100-sxm"}}}
    assert Catalog(changes).entry("devices", "mine").number("power") == 600


def test_a_copy_may_take_the_place_of_an_alias() -> None:
    catalog = Catalog({"devices": {"h100": {"base": "h200"}}})
    assert catalog.entry("devices", "h100").number("mem_capacity") == 151.4e9
    assert catalog.entry("devices", "h100-sxm").number("mem_capacity") == 85.9e9
    assert catalog.aliases("devices", "h100-sxm") == []


def test_a_new_entry_stands_alone() -> None:
    told = {"number": 900, "unit": "ms", "source": "our contract", "date": "2026-10", "provenance": "vendor"}
    entry = Catalog({"budgets": {"ours": {"use": "voice", "limit": told}}}).entry("budgets", "ours")
    assert (entry.number("limit"), entry.fields, entry.label) == (0.9, {"use": "voice"}, "ours")


def test_lookup_finds_a_name_in_every_kind() -> None:
    assert [e.kind for e in Catalog().lookup("p5-48xlarge")] == ["devices", "links"]
    assert Catalog().lookup("no such thing") == []
    assert "wse-3" in Catalog().names_near("wse3x")


WHOLE = {"number": 1, "unit": "GB", "source": "s", "date": "2026", "provenance": "vendor"}


@pytest.mark.parametrize(
    ("changes", "field", "value", "expected"),
    [
        ({"gadgets": {}}, "gadgets", "gadgets", "one of devices, models"),
        ({"devices": 3}, "devices", 3, "a table of entries"),
        ({"devices": {"h100": 3}}, "devices.h100-sxm", 3, "a table"),
        ({"devices": {"cs-3": {}, "wse-3": {}}}, "devices.wse-3", "wse-3", "one table for wse-3"),
        ({"devices": {"h100": {"values": 3}}}, "devices.h100-sxm.values", 3, "a table"),
        ({"devices": {"h100": {"label": 3}}}, "devices.h100-sxm.label", 3, "a word in quotes"),
        ({"devices": {"h100": {"mem_bandwith": 3}}}, "devices.h100-sxm.mem_bandwith", 3, "one of mem_bandwidth"),
        ({"devices": {"h100": {"mem_bandwidth": "fast"}}}, "devices.h100-sxm.mem_bandwidth", "fast", "as in 3.35 TB/s"),
        ({"devices": {"h100": {"mem_bandwidth": True}}}, "devices.h100-sxm.mem_bandwidth", True, "as in 3.35 TB/s"),
        (
            {"devices": {"h100": {"mem_bandwidth": float("nan")}}},
            "devices.h100-sxm.mem_bandwidth",
            float("nan"),
            "finite",
        ),
        ({"devices": {"h100": {"power": float("inf")}}}, "devices.h100-sxm.power", float("inf"), "a finite number"),
        ({"devices": {"h100": {"power": [1]}}}, "devices.h100-sxm.power", [1], "a finite number"),
        ({"devices": {"h100": {"power": {"number": "1"}}}}, "devices.h100-sxm.power.number", "1", "a finite number"),
        (
            {"devices": {"h100": {"power": {**WHOLE, "unit": "ms"}}}},
            "devices.h100-sxm.power.unit",
            "ms",
            "'W' or another unit",
        ),
        ({"devices": {"h100": {"power": {**WHOLE, "unit": 3}}}}, "devices.h100-sxm.power.unit", 3, "a word in quotes"),
        ({"devices": {"h100": {"tdp": {**WHOLE, "unit": "GBs"}}}}, "devices.h100-sxm.tdp.unit", "GBs", "GB/s"),
        ({"devices": {"h100": {"tdp": {"number": 1}}}}, "devices.h100-sxm.tdp.unit", "", "a unit"),
        (
            {"devices": {"h100": {"tdp": {"unit": "W"}}}},
            "devices.h100-sxm.tdp",
            "neither number nor text",
            "one of them",
        ),
        (
            {"devices": {"h100": {"power": {**WHOLE, "provenance": "sure"}}}},
            "devices.h100-sxm.power.provenance",
            "sure",
            "not",
        ),
        (
            {"devices": {"h100": {"power": {"nummer": 1}}}},
            "devices.h100-sxm.power.nummer",
            "nummer",
            "one of number, text",
        ),
        ({"devices": {"h100": {"power": -1}}}, "devices.h100-sxm.power", "-1 W", "of at least 0"),
        ({"devices": {"h100": {"mem_bandwidth": 0}}}, "devices.h100-sxm.mem_bandwidth", "0 TB/s", "above 0"),
        ({"devices": {"h100": {"dense_fp8": {"number": -5}}}}, "devices.h100-sxm.dense_fp8", "-5 TFLOPS", "above 0"),
        ({"devices": {"h100": {"gemm_utilisation": 50}}}, "devices.h100-sxm.gemm_utilisation", "50 share", "0 to 1"),
        ({"devices": {"mine": {"power": 3}}}, "devices.mine.power", 3, "for a new value a table"),
        ({"devices": {"mine": {"base": "h1000"}}}, "devices.mine.base", "h1000", "h100"),
        ({"devices": {"mine": {"base": 3}}}, "devices.mine.base", 3, "one of"),
        ({"devices": {"mine": {"base": "mine"}}}, "devices.mine.base", "mine", "not copied from this one"),
        ({"devices": {"a": {"base": "b"}, "b": {"base": "a"}}}, "devices.b.base", "a", "not copied from this one"),
        ({"devices": {"h100-sxm": {"base": "h200"}}}, "devices.h100-sxm.base", "h200", "no base"),
    ],
)
def test_a_faulty_change_is_named_with_field_value_and_what_was_expected(
    changes: dict[str, Any], field: str, value: object, expected: str
) -> None:
    error = refused(changes)
    assert (error.where, error.field) == ("catalog changes", field)
    assert repr(error.value) == repr(value)
    assert expected in error.expected
    assert str(error).startswith(f"catalog changes: {field}: got ")


def test_a_file_that_is_missing_or_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent.toml: got 'No such file or directory', expected a readable TOML"):
        Catalog(tmp_path / "absent.toml")
    with pytest.raises(InputError, match=r"mine.toml: got .*line 2.*expected TOML"):
        Catalog(written(tmp_path, "[devices]\nx = \n"))
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"mine.toml: got .*expected TOML"):
        Catalog(tmp_path / "mine.toml")
    for text in (f"x = {'[' * 3000}{']' * 3000}", f"x = {'9' * 5000}"):
        with pytest.raises(InputError, match=r"mine.toml: got .*expected TOML"):
            Catalog(written(tmp_path, text))


def test_a_mark_in_front_of_the_file_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[devices.wse-3]\r\nmem_capacity = 50\r\n", encoding="utf-8-sig")
    assert Catalog(tmp_path / "mine.toml").entry("devices", "wse-3").number("mem_capacity") == 50e9


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        Catalog().entry("devices", "h1000")
    assert (caught.value.field, caught.value.value) == ("devices", "h1000")
    assert "h100" in caught.value.expected
    with pytest.raises(InputError) as caught:
        Catalog().entry("gadgets", "h100")
    assert "devices" in caught.value.expected


def test_a_value_that_is_missing_or_no_number_is_named() -> None:
    entry = Catalog().entry("devices", "cs-3")
    with pytest.raises(InputError, match=r"devices/wse-3.toml: wse-3.nothing: got 'nothing', expected a value"):
        entry.number("nothing")
    with pytest.raises(InputError, match=r"wse-3.prefill_mfu: got 'unknown', expected a number.*not public"):
        entry.number("prefill_mfu")
    assert entry.number("prefill_mfu", 0.5) == 0.5
    assert entry.number("nothing", 0.5) == 0.5


def test_what_nothing_asks_for_is_checked_too(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mine.toml: devices.mine.mem_bw.unit: got 'parsec', expected one of"):
        Catalog(written(tmp_path, '[devices.mine]\nmem_bw = {number = 1, unit = "parsec", provenance = "assumed"}\n'))
    sound = written(tmp_path, '[devices.mine]\nmem_bw = {number = 1, unit = "TB/s", provenance = "assumed"}\n')
    assert Catalog(sound).entry("devices", "mine").number("mem_bw") == 1e12


def test_a_misspelt_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mine.toml: devices.wse-33.mem_capacity: got '50', .*is wse-3 .*meant"):
        Catalog(written(tmp_path, "[devices.wse-33]\nmem_capacity = 50\n"))
