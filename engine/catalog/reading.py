"""TOML tables to catalog entries, with checks that name the file, the key and what was expected."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from subsecond.engine.catalog.values import PROVENANCES, UNIT_FACTORS, Entry, Value
from subsecond.engine.errors import InputError

__all__ = ["entry_from_table", "read_toml"]

_VALUE_KEYS = ("number", "text", "unit", "source", "date", "provenance", "note")


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        InputError: the file cannot be read or is no TOML.
    """
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise InputError(str(path), "", error.strerror or "an unreadable file", "a readable TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(str(path), "", str(error), "TOML") from None


def entry_from_table(kind: str, name: str, table: object, where: str, base: Entry | None = None) -> Entry:
    """An entry from its table; `base` is what it changes.

    A value may stand in `[values]` or directly in the table, as a table with all its parts or, for a user, as a bare
    number or word: it then keeps the unit of `base` and has the provenance "assumed" and the file as source.

    Raises:
        InputError: something in the table is not what it should be.
    """
    if not isinstance(table, Mapping):
        raise InputError(where, name, table, "a table")
    values = dict(base.values) if base else {}
    fields = dict(base.fields) if base else {}
    label = base.label if base else name
    for key, item in table.items():
        if key == "label":
            label = _word(where, f"{name}.label", item)
        elif key == "values":
            if not isinstance(item, Mapping):
                raise InputError(where, f"{name}.values", item, "a table of values")
            for inner, value in item.items():
                values[inner] = _value(where, f"{name}.values.{inner}", value, values.get(inner))
        elif key in ("aliases", "base"):
            continue
        elif isinstance(item, str) and (base is None or key in fields):
            fields[key] = item
        else:
            values[key] = _value(where, f"{name}.{key}", item, values.get(key))
    return Entry(kind, name, label, values, fields, where)


def _word(where: str, field: str, item: object) -> str:
    if not isinstance(item, str):
        raise InputError(where, field, item, "a word in quotes")
    return item


def _number(where: str, field: str, item: object) -> float:
    if isinstance(item, bool):
        return float(item)
    if not isinstance(item, (int, float)) or not math.isfinite(item):
        raise InputError(where, field, item, "a finite number")
    return float(item)


def _value(where: str, field: str, item: object, old: Value | None) -> Value:
    if not isinstance(item, Mapping):
        unit, note = (old.unit, f"instead of {old.shown}") if old else ("count", "")
        if isinstance(item, str):
            return Value(None, unit, where, "", "assumed", note, item)
        return Value(_number(where, field, item), unit, where, "", "assumed", note)
    for key in item:
        if key not in _VALUE_KEYS:
            raise InputError(where, f"{field}.{key}", key, "one of " + ", ".join(_VALUE_KEYS))
    parts = {key: _word(where, f"{field}.{key}", item.get(key, "")) for key in _VALUE_KEYS[1:]}
    number = _number(where, f"{field}.number", item["number"]) if "number" in item else None
    if parts["provenance"] not in PROVENANCES:
        raise InputError(where, f"{field}.provenance", parts["provenance"], "one of " + ", ".join(PROVENANCES))
    if old is not None and old.unit in UNIT_FACTORS and parts["unit"] not in UNIT_FACTORS:
        raise InputError(where, f"{field}.unit", parts["unit"], f"{old.unit!r} or another known unit")
    return Value(number, **parts)
