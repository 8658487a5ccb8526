"""Exports a recording: which formats there are, and the way from rows to a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from subsecond.engine.errors import InputError
from subsecond.engine.recording.opening import reading
from subsecond.engine.recording.reader import Recording

from .otlp import BEGIN, TraceLines
from .parquet import MAGIC, ParquetSheet
from .tables import Chunk, Table, Window, chunks, table_of
from .target import STDOUT, writing
from .text import csv_begin, csv_lines, json_begin, json_lines

__all__ = ["FORMATS", "export", "format_of"]

#: Format -> suffixes of its files.
FORMATS: Final = {
    "parquet": (".parquet", ".pq"),
    "csv": (".csv",),
    "jsonl": (".jsonl", ".ndjson"),
    "otlp-json": (".json",),
}
#: Turns in one line of traces: some hundred kilobytes.
_TURNS_PER_LINE: Final = 250

Write = Callable[[Chunk], None]


def format_of(wanted: str | None, out: Path) -> str:
    """The format that is asked for, or that of the file's suffix.

    Raises:
        InputError: there is no such format, or the suffix says nothing, or it goes to a file only.
    """
    found = wanted or next((name for name, suffixes in FORMATS.items() if out.suffix.lower() in suffixes), None)
    if found is None or found not in FORMATS:
        known = ", ".join(FORMATS)
        if wanted is not None:
            raise InputError("--format", "", wanted, f"one of {known}")
        raise InputError("-o", "", str(out), f"a file whose suffix says the format, or --format with one of {known}")
    if found == "parquet" and out == STDOUT:
        raise InputError("-o", "", "-", "a file: Parquet is no text")
    return found


def export(
    recording: Recording, kind: str, out: Path, *, table: str = "turns", window: Window, force: bool = False
) -> int:
    """Write a table of a recording to a file, or its turns as traces.

    Args:
        kind: of `FORMATS`.
        force: replace a file of another kind.

    Returns:
        Rows written.

    Raises:
        InputError: the recording turns out to be damaged, the file cannot be written, there is no such table or lane.
    """
    if kind == "otlp-json" and table != "turns":
        raise InputError("--table", "", table, "turns: traces are made of nothing else")
    what = table_of(table, recording.hello())
    size = {"rows": _TURNS_PER_LINE} if kind == "otlp-json" else {}
    parts, begin, count = chunks(recording, what, window, **size), _begin(kind, what), 0
    with writing(out, begin, force=force) as file:
        write, close = _writer(kind, recording, what, file)
        try:
            for part in parts:
                with reading(recording.path, (ValueError, TypeError, OverflowError)):  # a number that no column holds
                    write(part)
                count += len(part[0])
        finally:
            close()
    return count


def _begin(kind: str, table: Table) -> bytes:
    return {"parquet": MAGIC, "csv": csv_begin(table), "jsonl": json_begin(table), "otlp-json": BEGIN}[kind]


def _writer(kind: str, recording: Recording, table: Table, file: IO[bytes]) -> tuple[Write, Callable[[], None]]:
    """What takes the rows, and what ends the file."""
    if kind == "parquet":
        sheet = ParquetSheet(file, table, _facts(recording))
        return sheet.write, sheet.close
    if kind == "otlp-json":
        traces = TraceLines(recording, table)
        return lambda part: file.writelines(traces.lines(part)), _nothing
    if kind == "csv":
        file.write(csv_begin(table))
        return lambda part: _put(file, csv_lines(table, part)), _nothing
    return lambda part: _put(file, json_lines(table, part)), _nothing


def _put(file: IO[bytes], data: bytes) -> None:
    file.write(data)


def _nothing() -> None:
    """A file of text needs no end."""


def _facts(recording: Recording) -> dict[str, str]:
    hello, meta = recording.hello(), recording.metadata()
    return {
        "subsecond.run": hello.run,
        "subsecond.scenario": hello.scenario,
        "subsecond.seed": str(hello.seed),
        "subsecond.version": meta.package_version,
        "subsecond.created_unix_s": repr(meta.created_unix_s),
    }
