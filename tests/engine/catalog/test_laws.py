"""Laws of the shipped catalog: every value can be converted, says where it comes from and how far to trust it."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from subsecond.engine import catalog as package
from subsecond.engine.catalog import KINDS, MEASUREMENTS, PROVENANCES, Catalog, Entry, Value, catalog
from subsecond.engine.catalog.loader import plain_name
from subsecond.engine.catalog.values import UNITS, known_unit

FOLDER = Path(package.__file__).parent
ALIASES = tomllib.loads((FOLDER / "aliases.toml").read_text())
ENTRIES = [catalog().entry(kind, name) for kind in KINDS for name in catalog().names(kind)]
VALUES = [(f"{e.kind}/{e.name}.{key}", value) for e in ENTRIES for key, value in e.values.items()]
DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?(\.\.\d{2})?|-\d{4})?")


def broken(law: Callable[[Value], object], values: list[tuple[str, Value]] = VALUES) -> list[str]:
    return [f"{where}: {value}" for where, value in values if not law(value)]


def test_there_is_something_of_every_kind() -> None:
    for kind in KINDS:
        assert any(entry.kind == kind for entry in ENTRIES), kind
    assert len(VALUES) > 800
    assert MEASUREMENTS.is_file()


def test_every_value_has_a_known_unit() -> None:
    assert broken(lambda v: known_unit(v.unit) is not None) == []


def test_every_value_says_where_and_when_it_was_read() -> None:
    assert broken(lambda v: v.source.strip() == v.source != "") == []
    assert broken(lambda v: DATE.fullmatch(v.date)) == []


def test_every_value_says_how_far_to_trust_it() -> None:
    assert broken(lambda v: v.provenance in PROVENANCES) == []


def test_every_value_is_a_number_or_words_or_not_public() -> None:
    assert broken(lambda v: (v.number is None) != (v.text == "") or v.provenance == "not public") == []
    assert broken(lambda v: v.number is None or not v.text) == []


def test_every_number_converts_to_a_finite_one() -> None:
    numbers = [(where, value) for where, value in VALUES if value.number is not None]
    assert broken(lambda v: math.isfinite(v.si()), numbers) == []


def test_every_number_is_written_as_a_person_would() -> None:
    """A middle of a range such as 2.0999999999999996 is an artefact of arithmetic."""
    assert broken(lambda v: v.number is None or v.number == float(f"{v.number:.10g}")) == []


def test_what_is_derived_from_a_range_keeps_the_range() -> None:
    middles = [(where, value) for where, value in VALUES if "the middle is given" in value.note]
    assert len(middles) > 5
    assert broken(lambda v: re.search(r"range ~?[\d.]+-[\d.]+", v.note), middles) == []


def test_every_entry_has_a_label_and_a_plain_name() -> None:
    for entry in ENTRIES:
        assert entry.label.strip(), entry.name
        assert re.fullmatch(r"[a-z0-9.+-]+", entry.name), entry.name


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_names_or_aliases_are_spelled_alike(kind: str) -> None:
    names = [plain_name(name) for name in (*catalog().names(kind), *ALIASES.get(kind, {}))]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", [*ALIASES])
def test_every_alias_resolves_to_an_entry(kind: str) -> None:
    for alias, target in ALIASES[kind].items():
        assert catalog().find(kind, alias) == target
        assert catalog().entry(kind, alias).name == target
        assert alias in catalog().aliases(kind, target)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind}/{entry.name}")
def test_an_entry_is_found_by_any_spelling_of_its_name(entry: Entry) -> None:
    for spelling in (entry.name, entry.name.upper(), entry.name.replace("-", " "), entry.name.replace("-", "_")):
        assert catalog().entry(entry.kind, spelling) is entry


def test_no_file_is_left_out() -> None:
    files = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.toml")}
    read = {entry.where for entry in ENTRIES}
    assert files - read == {"aliases.toml"}


def test_two_catalogs_share_no_changes() -> None:
    changed = Catalog({"devices": {"wse-3": {"mem_capacity": 50}}})
    assert changed.entry("devices", "wse-3").number("mem_capacity") == 50e9
    assert Catalog().entry("devices", "wse-3").number("mem_capacity") == 44e9


@pytest.mark.parametrize(
    ("unit", "dimension", "factor"),
    [
        ("GB/s/GPU/direction", "bytes per second", 1e9),
        ("GiB/s/chip", "bytes per second", 2.0**30),
        ("Tb/s", "bytes per second", 0.125e12),
        ("us/layer", "time", 1e-6),
        ("s/token", "time", 1.0),
        ("tok/s/user", "rate", 1.0),
        ("tokens/step", "count", 1.0),
        ("% of 667 TF BF16", "ratio", 0.01),
        ("1e9 parameters", "count", 1e9),
        ("USD/h", "money per second", 1 / 3600),
    ],
)
def test_a_unit_may_say_per_what_or_of_what(unit: str, dimension: str, factor: float) -> None:
    assert known_unit(unit) == (dimension, factor)


def test_unknown_units_stay_unknown() -> None:
    assert known_unit("furlongs") is None
    assert known_unit("gb") is None  # GB and Gb differ by eight: case counts
    assert "furlongs" not in UNITS


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Value(27.44705, "USD/h", "s", "2026", "vendor"), "27.44705 USD/h"),
        (Value(900000, "count", "s", "2026", "vendor"), "900,000"),
        (Value(62914560.0, "bytes", "s", "2026", "vendor"), "62,914,560 bytes"),
        (Value(33, "% of 667 TF BF16", "s", "2026", "derived"), "33% of 667 TF BF16"),
        (Value(None, "", "s", "2026", "vendor", text="bf16"), "bf16"),
        (Value(None, "W", "s", "2026", "not public"), "unknown"),
    ],
)
def test_a_value_is_shown_with_its_unit_and_all_its_digits(value: Value, shown: str) -> None:
    assert value.shown == shown
