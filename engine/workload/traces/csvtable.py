"""Rows of a CSV file with a header, column by name, with numbers checked; errors name line, column and value."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence

from subsecond.engine.errors import InputError

from .jsonlines import MAX_TOKENS
from .source import Source, shown

__all__ = ["Row", "csv_rows", "header_of"]

#: Longest time in a column; what the core's clock can hold is checked after the time scale.
MAX_S = 1e9


class Row:
    """One row: its fields by column name."""

    __slots__ = ("_columns", "_fields", "_source", "line")

    def __init__(self, source: Source, line: int, columns: Mapping[str, int], fields: Sequence[str]) -> None:
        self._source, self.line, self._columns, self._fields = source, line, columns, fields

    def text(self, column: str) -> str:
        """A field that may be empty."""
        return self._fields[self._columns[column]].strip()

    def name(self, column: str) -> str:
        """A field that must not be empty."""
        value = self.text(column)
        if not value:
            raise self.error(column, "an empty field", "a name")
        return value

    def tokens(self, column: str, least: int = 0) -> int:
        """A whole number of tokens from `least` to `MAX_TOKENS`."""
        value = self.number(column, 0, math.inf, f"a whole number from {least} to {MAX_TOKENS}")
        if not value.is_integer() or not least <= value <= MAX_TOKENS:
            raise self.error(column, self.text(column), f"a whole number from {least} to {MAX_TOKENS}")
        return int(value)

    def seconds(self, column: str, empty: float | None = None) -> float:
        """A time from 0 to `MAX_S`; an empty field gives `empty`, if that is not None."""
        if empty is not None and not self.text(column):
            return empty
        return self.number(column, 0, MAX_S, f"seconds from 0 to {MAX_S:g}")

    def number(self, column: str, low: float, high: float, expected: str) -> float:
        text = self.text(column)
        try:
            value = float(text)
        except ValueError:
            raise self.error(column, text, expected) from None
        if math.isnan(value) or not low <= value <= high:
            raise self.error(column, text, expected)
        return value

    def error(self, column: str, value: object, expected: str) -> InputError:
        return InputError(self._source.at(self.line), column, value, expected)


def header_of(line: bytes) -> tuple[str, ...]:
    """Column names of a header line; empty for what cannot be one."""
    try:
        fields = next(csv.reader([line.decode("utf-8")]))
    except (UnicodeDecodeError, csv.Error, StopIteration):
        return ()
    return tuple(field.strip() for field in fields)


def csv_rows(source: Source, required: Sequence[str]) -> Iterator[Row]:
    """Rows below the header.

    Raises:
        InputError: a missing column, a row with another number of fields, no row at all.
    """
    lines = source.lines()
    number, head = next(lines)
    names = header_of(head)
    columns = {name: index for index, name in enumerate(names)}
    for name in required:
        if name not in columns:
            raise InputError(source.at(number), "header", shown(head), f"a column {name}")
    count = 0
    for number, line in lines:
        try:
            fields = next(csv.reader([line.decode("utf-8")], strict=True))
        except (UnicodeDecodeError, csv.Error, StopIteration):
            raise InputError(source.at(number), "", shown(line), "a row of comma-separated values") from None
        if len(fields) != len(names):
            raise InputError(source.at(number), "", shown(line), f"{len(names)} fields, as in the header")
        count += 1
        yield Row(source, number, columns, fields)
    if not count:
        raise InputError(source.name, "", "a header and no rows", "a trace with at least one request")
