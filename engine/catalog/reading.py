"""TOML tables to catalog entries, with checks that name the file, the key and what was expected."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from subsecond.engine.catalog.values import PROVENANCES, UNITS, Entry, Value, known_unit
from subsecond.engine.errors import InputError

__all__ = ["entry_from_table", "near", "read_toml"]

_VALUE_KEYS = ("number", "text", "unit", "source", "date", "provenance", "note")
_WHOLE = "a table { number (or text), unit, source, date, provenance, note }"


def near(name: str, names: Iterable[str], keep: int = 5) -> list[str]:
    """The names most like `name`, best first; none if nothing is alike."""
    from difflib import SequenceMatcher  # only a mistake needs it

    wanted = name.lower()
    likeness = {known: SequenceMatcher(None, wanted, known.lower()).ratio() for known in names}
    found = [known for known in likeness if likeness[known] >= 0.5 or (len(wanted) > 1 and wanted in known.lower())]
    return sorted(found, key=lambda known: (-likeness[known], known))[:keep]


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        InputError: the file cannot be read or is no TOML.
    """
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))  # editors of Windows put a mark in front
    except OSError as error:
        raise InputError(str(path), "", error.strerror or "an unreadable file", "a readable TOML file") from None
    except RecursionError:
        raise InputError(str(path), "", "brackets in brackets in brackets", "TOML") from None
    except ValueError as error:  # no TOML, no UTF-8, or a number of thousands of digits
        raise InputError(str(path), "", str(error), "TOML") from None


def entry_from_table(
    kind: str, name: str, table: object, where: str, base: Entry | None = None, *, is_change: bool = False
) -> Entry:
    """An entry from its table; `base` is what it starts from.

    A value stands in `[values]` or directly in the table, as a table with all its parts. In a user's change
    (`is_change`) it may be a bare number or word in the unit of the value it replaces, and a table may leave parts
    out: the unit is that of the value replaced, the provenance "assumed", the source the file.

    Raises:
        InputError: something in the table is not what it should be.
    """
    values = dict(base.values) if base else {}
    fields = dict(base.fields) if base else {}
    label = base.label if base else name
    read = _changed_value if is_change else _value
    place = f"{kind}.{name}"
    for key, item in _table(where, place, table).items():
        if key == "label":
            label = _word(where, f"{place}.label", item)
        elif key == "values":
            for inner, value in _table(where, f"{place}.values", item).items():
                values[inner] = read(where, f"{place}.{inner}", value, values, inner)
        elif isinstance(item, str) and (base is None or key in fields):
            fields[key] = item
        elif key != "base":
            values[key] = read(where, f"{place}.{key}", item, values, key)
    return Entry(kind, name, label, values, fields, where)


def _table(where: str, field: str, item: object) -> Mapping[str, object]:
    if not isinstance(item, Mapping):
        raise InputError(where, field, item, "a table")
    return item


def _word(where: str, field: str, item: object) -> str:
    if not isinstance(item, str):
        raise InputError(where, field, item, "a word in quotes")
    return item


def _number(where: str, field: str, item: object) -> float:
    if not isinstance(item, (int, float)) or not math.isfinite(item):
        raise InputError(where, field, item, "a finite number")
    return float(item)


def _value(where: str, field: str, item: object, values: Mapping[str, Value], key: str) -> Value:
    """A value that says everything about itself; what it replaces must be of the same dimension."""
    if not isinstance(item, Mapping):
        raise InputError(where, field, item, _WHOLE)
    for part in item:
        if part not in _VALUE_KEYS:
            raise InputError(where, f"{field}.{part}", part, "one of " + ", ".join(_VALUE_KEYS))
    parts = {part: _word(where, f"{field}.{part}", item.get(part, "")) for part in _VALUE_KEYS[1:]}
    number = _number(where, f"{field}.number", item["number"]) if "number" in item else None
    unit, provenance = parts["unit"], parts["provenance"]
    if provenance not in PROVENANCES:
        raise InputError(where, f"{field}.provenance", provenance, "one of " + ", ".join(PROVENANCES))
    if number is None and not parts["text"] and provenance != "not public":
        raise InputError(where, field, "neither number nor text", 'one of them, or the provenance "not public"')
    known, old = known_unit(unit), values.get(key)
    if known is None:
        raise InputError(where, f"{field}.unit", unit, "one of " + ", ".join(near(unit, UNITS) or filter(None, UNITS)))
    if old is not None and known[0] != (dimension := (known_unit(old.unit) or known)[0]):
        raise InputError(where, f"{field}.unit", unit, f"{old.unit or 'count'!r} or another unit of {dimension}")
    value = Value(number, **parts)
    _check_range(where, field, value, old)
    return value


def _check_range(where: str, field: str, value: Value, old: Value | None) -> None:
    """A share is a share, and a number keeps the sign of the one it replaces; nothing runs at no rate at all."""
    number = value.number
    if number is None:
        return
    if value.unit == "share" and not 0 <= number <= 1:
        raise InputError(where, field, value.shown, "a share from 0 to 1")
    if old is not None and old.number is not None and number <= 0 <= old.number:
        dimension, _ = known_unit(old.unit) or ("", 1.0)
        is_rate = old.number > 0 and dimension.endswith("per second")
        if number < 0 or is_rate:
            raise InputError(where, field, value.shown, f"a number {'above' if is_rate else 'of at least'} 0")


def _changed_value(where: str, field: str, item: object, values: Mapping[str, Value], key: str) -> Value:
    """A user's value: whole, or completed from the one it replaces."""
    old = values.get(key)
    if isinstance(item, Mapping):
        if old is None and "number" in item and "unit" not in item:
            raise InputError(where, f"{field}.unit", "", "a unit, as in " + _WHOLE)
        start = {"unit": old.unit if old else "", "source": where, "provenance": "assumed"}
        return _value(where, field, {**start, **item}, values, key)
    if old is None:
        alike = near(key, values)
        expected = f"one of {', '.join(alike)}, or for a new value " if alike else "for a new value "
        raise InputError(where, field, item, expected + _WHOLE)
    note = f"instead of {old.shown}"
    if isinstance(item, str) and old.number is None:
        return Value(None, old.unit, where, "", "assumed", note, item)
    is_switch = isinstance(item, bool) and old.unit not in ("", "count")  # true is no number of GB/s
    if not isinstance(item, (int, float)) or not math.isfinite(item) or is_switch:
        raise InputError(where, field, item, f"a finite number, as in {old.shown}")
    value = Value(float(item), old.unit, where, "", "assumed", note)
    _check_range(where, field, value, old)
    return value
