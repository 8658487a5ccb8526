"""Tables as CSV and as JSON lines.

In CSV a text is always in quotes and NULL is nothing at all, so that they can be told apart; in JSON NULL is `null`,
and what the recording holds as JSON is JSON.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from .tables import Chunk, Column, Table

__all__ = ["csv_begin", "csv_lines", "json_begin", "json_lines"]


def csv_begin(table: Table) -> bytes:
    """The line of names, with which a file begins."""
    return ",".join(_csv_text(column.name) for column in table.columns).encode() + b"\r\n"


def csv_lines(table: Table, chunk: Chunk) -> bytes:
    """Rows as CSV (RFC 4180)."""
    cells = [_csv_cells(column, values) for column, values in zip(table.columns, chunk, strict=True)]
    return ("\r\n".join(map(",".join, zip(*cells, strict=True))) + "\r\n").encode()


def _csv_cells(column: Column, values: list[object]) -> Iterator[str]:
    if column.kind in ("text", "json"):
        return ("" if value is None else _csv_text(str(value)) for value in values)
    if column.kind == "bool":
        return ("" if value is None else "true" if value else "false" for value in values)
    return ("" if value is None else str(value) for value in values)


def _csv_text(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def json_begin(table: Table) -> bytes:
    """What every line begins with."""
    return b"{" + msgspec.json.encode(table.columns[0].name) + b":"


def json_lines(table: Table, chunk: Chunk) -> bytes:
    """Rows as JSON objects, one per line."""
    names = [column.name for column in table.columns]
    columns = [
        [None if value is None else msgspec.Raw(value.encode()) for value in values]
        if column.kind == "json"
        else values
        for column, values in zip(table.columns, chunk, strict=True)
    ]
    return _lines.encode_lines([dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)])


_lines = msgspec.json.Encoder()
