"""Reads the documents of studies: untrusted files of a known schema."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

import msgspec

from subsecond.engine.errors import InputError

__all__ = ["MOST_BYTES", "BudgetDoc", "Doc", "decoded", "schema_of", "sniffed"]

#: Largest document that is read.
MOST_BYTES = 500_000_000
_SNIFF = re.compile(rb'^\s*\{\s*"schema"\s*:\s*"subsecond\.([a-z_]{1,20})/(\d{1,4})"')
_EXPECTED = "a document that a study wrote with --json"

T = TypeVar("T")


class Doc(msgspec.Struct, frozen=True):
    """A part of a document; keys that it does not know are left alone."""


class BudgetDoc(Doc, frozen=True):
    """The budget of a study."""

    name: str
    limits: str
    percentile: float
    source: str = ""

    @property
    def words(self) -> str:
        return f"{self.name}: {self.limits} for {self.percentile:g} %"


class _Head(Doc, frozen=True):
    schema: str


def sniffed(path: Path) -> str:
    """The kind of a study that a file begins like; empty: it does not. Reads little."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            found = _SNIFF.match(file.read(512))
    except (OSError, ValueError):
        return ""
    return found[1].decode() if found else ""


def schema_of(content: bytes, where: str) -> tuple[str, str]:
    """Kind and version of a document.

    Raises:
        InputError: it has none.
    """
    schema = decoded(content, _Head, where).schema
    kind, _, version = schema.removeprefix("subsecond.").partition("/")
    if not schema.startswith("subsecond.") or not version:
        raise InputError(where, "schema", schema, _EXPECTED)
    return kind, version


def decoded(content: bytes, kind: type[T], where: str) -> T:
    """A document as structs.

    Raises:
        InputError: it is not what its schema says.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        words, _, field = str(error).partition(" - at ")
        raise InputError(where, field.strip("`"), words, _EXPECTED) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(where, "", str(error), _EXPECTED) from None
