"""Parameters of simulated agents: numbers and distributions, each with unit, source, date and provenance.

A behaviour's TOML file holds one table per parameter, with either a number

    [tools.subagent_share]
    value = 0.012
    unit = "share"
    source = "..."
    date = "2026-06-25"
    provenance = "measured"

or the quantiles of a distribution (`quantiles = { min = 1, p50 = 2, p99 = 87, "p99.9" = 120, max = 140 }`). Overrides
come by dotted key: a number (for a distribution: a constant), a mapping of quantiles (the whole distribution),
`KEY.p50` for one quantile, or `KEY.scale` for a factor on the whole distribution.
"""

from __future__ import annotations

import itertools
import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources

from subsecond.engine.errors import InputError
from subsecond.engine.workload.distributions import Table, quantiles

__all__ = ["Parameter", "Parameters", "load_document", "parse_parameters", "probability_of"]

#: Units and how many of the table's integer units (tokens, microseconds, counts) one of them is.
UNITS = {"tokens": 1.0, "turns": 1.0, "steps": 1.0, "tasks": 1.0, "s": 1e6, "ms": 1e3}
PLAIN_UNITS = ("share", "requests", "tokens/s")
PROVENANCES = ("measured", "vendor", "derived", "assumed", "not public")
#: Largest value of a parameter in its unit: ten million tokens, or two days.
LIMITS = {"tokens": 1e7, "turns": 1e6, "steps": 1e6, "tasks": 1e6, "s": 2e5, "ms": 2e8}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number (`value`) or one distribution (`points`).

    Attributes:
        value: the number; for a distribution 0.
        points: (probability, value in `unit`), ascending; empty for a number.
        minimum, maximum: bounds of every value.
    """

    key: str
    unit: str
    source: str
    date: str
    provenance: str
    note: str = ""
    value: float = 0.0
    points: tuple[tuple[float, float], ...] = ()
    minimum: float = 0.0
    maximum: float = math.inf

    @property
    def is_distribution(self) -> bool:
        return bool(self.points)

    @property
    def shown(self) -> str:
        """Value and unit for people, `p50 1, p90 14 s`."""
        if not self.is_distribution:
            return f"{_plain(self.value)} {self.unit}"
        return ", ".join(f"{_label(p)} {_plain(v)}" for p, v in self.points) + f" {self.unit}"


@dataclass(frozen=True, slots=True)
class Parameters:
    """All parameters of one behaviour.

    Attributes:
        name: what messages call it, e.g. `coding`.
        entries: parameters by dotted key, in the order of the file.
        profile: the chosen vendor profile, if any.
    """

    name: str
    entries: Mapping[str, Parameter]
    profile: str | None = None

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.entries.values())

    def number(self, key: str) -> float:
        """Value of a plain number."""
        return self.entries[key].value

    def whole(self, key: str) -> int:
        """Value of a number in its unit's integer measure: tokens, counts, or microseconds."""
        entry = self.entries[key]
        return round(entry.value * UNITS.get(entry.unit, 1.0))

    def table(self, key: str) -> Table:
        """Distribution in integer measure: tokens, counts, or microseconds."""
        entry = self.entries[key]
        points = entry.points or ((0.5, entry.value),)
        return quantiles(points, UNITS.get(entry.unit, 1.0))

    def changed(self, overrides: Mapping[str, object]) -> Parameters:
        """These parameters with some replaced.

        Args:
            overrides: dotted key -> number, or mapping of quantiles; tables in tables stand for dotted keys.

        Raises:
            InputError: unknown key, wrong type, or a value out of range.
        """
        entries = dict(self.entries)
        for key, value in _flat(overrides, "", entries):
            name, _, part = _split(key, entries, self.name)
            entries[name] = _overridden(entries[name], part, value, f"{self.name} parameters", key)
        return replace(self, entries=entries)


def load_document(package: str, name: str) -> dict[str, object]:
    """A TOML file that ships with the package `package`."""
    return tomllib.loads(resources.files(package).joinpath(name).read_text(encoding="utf-8"))


def parse_parameters(name: str, document: Mapping[str, object], where: str) -> Parameters:
    """Parameters from a parsed TOML document.

    Raises:
        InputError: a parameter that lacks a field, or holds a value that cannot be used.
    """
    entries = {entry.key: entry for entry in _entries(document, "", where)}
    if not entries:
        raise InputError(where, "", "no parameters", "at least one table with value or quantiles")
    return Parameters(name, entries)


def _entries(tables: Mapping[str, object], prefix: str, where: str) -> Iterator[Parameter]:
    for key, value in tables.items():
        path = f"{prefix}{key}"
        if not isinstance(value, Mapping):
            raise InputError(where, path, value, "a table with unit, source, date, provenance and value or quantiles")
        if "value" in value or "quantiles" in value:
            yield _entry(path, value, where)
        else:
            yield from _entries(value, f"{path}.", where)


def _entry(key: str, table: Mapping[str, object], where: str) -> Parameter:
    texts = {}
    for field in ("unit", "source", "date", "provenance", "note"):
        text = table.get(field, "" if field == "note" else None)
        if not isinstance(text, str):
            raise InputError(where, f"{key}.{field}", text, "a string")
        texts[field] = text
    if texts["unit"] not in UNITS and texts["unit"] not in PLAIN_UNITS:
        raise InputError(where, f"{key}.unit", texts["unit"], "one of " + ", ".join((*UNITS, *PLAIN_UNITS)))
    if texts["provenance"] not in PROVENANCES:
        raise InputError(where, f"{key}.provenance", texts["provenance"], "one of " + ", ".join(PROVENANCES))
    low = _number(table.get("minimum", 0.0), where, f"{key}.minimum")
    high = _number(table.get("maximum", _limit(texts["unit"])), where, f"{key}.maximum")
    unit, source, date, provenance, note = texts.values()
    empty = Parameter(key, unit, source, date, provenance, note, minimum=low, maximum=high)
    if "quantiles" in table:
        return replace(empty, points=_points(empty, table["quantiles"], where, f"{key}.quantiles"))
    return replace(empty, value=_bounded(empty, table["value"], where, key))


def _limit(unit: str) -> float:
    return 1.0 if unit == "share" else LIMITS.get(unit, 1e9)


def _split(key: str, entries: Mapping[str, Parameter], name: str) -> tuple[str, str, str]:
    """Parameter and part (`p50`, `scale`, or nothing) that an override's key names."""
    for known, entry in entries.items():
        if key == known:
            return known, "", ""
        if key.startswith(f"{known}.") and entry.is_distribution:
            return known, ".", key[len(known) + 1 :]
    import difflib  # only a mistake needs it

    near = difflib.get_close_matches(key, list(entries), 5, 0.5)
    raise InputError(f"{name} parameters", "", key, "one of " + ", ".join(near or entries))


def _flat(
    overrides: Mapping[str, object], prefix: str, entries: Mapping[str, Parameter]
) -> Iterator[tuple[str, object]]:
    """Overrides by dotted key, also from nested tables, which TOML makes of bare dotted keys."""
    for name, value in overrides.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and value and not _is_quantiles(key, value, entries):
            yield from _flat(value, f"{key}.", entries)
        else:
            yield key, value


def _is_quantiles(key: str, value: Mapping[str, object], entries: Mapping[str, Parameter]) -> bool:
    """Whether a table replaces a whole distribution. One that holds `scale` alone changes it, as `KEY.scale` does."""
    return key in entries and set(value) != {"scale"}


def _overridden(entry: Parameter, part: str, value: object, where: str, field: str) -> Parameter:
    base = replace(entry, source="set by the user", date="", provenance="assumed")
    if part == "scale":
        factor = _number(value, where, field)
        points = {_label(p): v * factor for p, v in entry.points}
        return replace(base, points=_points(base, points, where, field))
    if part:
        probability_of(part, where, field)
        points = {_label(p): v for p, v in entry.points} | {part: _number(value, where, field)}
        return replace(base, points=_points(base, points, where, field))
    if entry.is_distribution and isinstance(value, Mapping):
        return replace(base, points=_points(base, value, where, field))
    number = _bounded(base, value, where, field)
    return replace(base, points=((0.5, number),)) if entry.is_distribution else replace(base, value=number)


def _points(entry: Parameter, value: object, where: str, field: str) -> tuple[tuple[float, float], ...]:
    if not isinstance(value, Mapping) or not value:
        raise InputError(where, field, value, "quantiles such as { p50 = 2, p99 = 87, max = 140 }")
    points = sorted(
        (probability_of(label, where, field), _bounded(entry, v, where, f"{field}.{label}"))
        for label, v in value.items()
    )
    for (p, low), (q, high) in itertools.pairwise(points):
        if q == p or high < low:
            shown = f"{_label(p)} = {low:g}, {_label(q)} = {high:g}"
            raise InputError(where, field, shown, "quantiles that ascend, each once")
    return tuple(points)


def probability_of(label: object, where: str, field: str) -> float:
    """Probability that a quantile's label names: min, max, p50, p99.9.

    Raises:
        InputError: it names none.
    """
    if label == "min":
        return 0.0
    if label == "max":
        return 1.0
    text = label[1:] if isinstance(label, str) and label.startswith("p") else ""
    if text and text.replace(".", "", 1).isdigit() and text.isascii():
        percent = float(text)
        if 0 < percent < 100:
            return round(percent / 100, 9)
    raise InputError(where, field, label, "min, max, scale, or a quantile from p0 to p100 such as p50 or p99.9")


def _plain(number: float) -> str:
    return f"{number:,.10g}"


def _label(probability: float) -> str:
    return {0.0: "min", 1.0: "max"}.get(probability, f"p{round(probability * 100, 7):g}")


def _bounded(entry: Parameter, value: object, where: str, field: str) -> float:
    number = _number(value, where, field)
    if not entry.minimum <= number <= entry.maximum:
        expected = f"a number from {entry.minimum:g} to {entry.maximum:g} ({entry.unit})"
        raise InputError(where, field, value, expected)
    return number


def _number(value: object, where: str, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(where, field, value, "a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or number < 0:
        raise InputError(where, field, value, "a finite number that is not negative")
    return number
