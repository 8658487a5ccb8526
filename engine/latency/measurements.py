"""Published measurements as typed rows, read from any CSV with the columns of the shipped `measurements.csv`."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from subsecond.engine.errors import InputError

__all__ = ["Measurement", "read_measurements"]

_REQUIRED: Final = ("id", "kind", "device", "model", "metric", "value")
#: Largest count in a row; no published prompt or load comes near.
_MOST: Final = 100_000_000
#: What stands in cells that nobody could fill in.
_UNKNOWN: Final = ("unknown", "n/a", "na", "-", "?", "none", "null")
_DEGREES: Final = f"a whole number from 1 to {_MOST}, one per pool as in 8+8, or nothing"
_PAIR: Final = re.compile(r"(?:^|;)\s*([a-z_]+)=([^;]*)")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One metric of one setup; an empty cell is "" or None.

    Attributes:
        tp: tensor-parallel degrees, one per pool: `8`, `8+8`.
        pairs: the `key=value;` parts of the note.
    """

    id: str
    line: int
    kind: str
    engine: str
    device: str
    num_devices: int | None
    model: str
    weight_dtype: str
    kv_dtype: str
    tp: str
    parallel: str
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    concurrency: int | None
    spec_decode: str
    metric: str
    value: float
    statistic: str
    note: str
    pairs: dict[str, str]

    @property
    def family(self) -> str:
        return self.pairs.get("family", self.kind)

    @property
    def doubtful(self) -> bool:
        return "DOUBTFUL" in self.note

    @property
    def quantile(self) -> float:
        """Share of the requests that the value is not exceeded by; 0.5 for medians and means too."""
        found = re.fullmatch(r"p(\d{2})(?:\.?(\d))?", self.statistic)
        return float(f"0.{found.group(1)}{found.group(2) or ''}") if found else 0.5

    def number(self, key: str) -> float | None:
        """A number among the note's pairs, None if there is none."""
        found = re.match(r"\s*(\d+(?:\.\d+)?)", self.pairs.get(key, ""))
        return float(found.group(1)) if found else None


def read_measurements(path: Path) -> list[Measurement]:
    """All rows of a file.

    Raises:
        InputError: the file cannot be read, has no rows or lacks a column, or a row is broken; it names file and line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(_rows(path, csv.reader(file, strict=True)))
    except OSError as error:
        raise InputError(str(path), "", error.strerror or "an unreadable file", "a readable CSV file") from None
    except UnicodeDecodeError:
        raise InputError(str(path), "", "bytes that are no text", "a CSV file in UTF-8") from None
    if not rows:
        raise InputError(str(path), "", "no rows", "a header and at least one measurement")
    return rows


def _rows(path: Path, reader: Iterator[list[str]]) -> Iterator[Measurement]:
    line = 0
    try:
        header = [name.strip() for name in next(reader, [])]
        line = 1
        for name in _REQUIRED:
            if name not in header:
                raise InputError(f"{path}:1", name, "no such column", "the columns of measurements.csv")
        for cells in reader:
            line = getattr(reader, "line_num", line + 1)
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise InputError(f"{path}:{line}", "", f"{len(cells)} cells", f"{len(header)}, as many as columns")
            cells = [cell.strip() for cell in cells]
            yield _measurement(f"{path}:{line}", line, dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise InputError(f"{path}:{line + 1}", "", str(error), "a CSV row") from None


def _measurement(where: str, line: int, row: dict[str, str]) -> Measurement:
    def text(name: str) -> str:
        return row.get(name, "")

    def lower(name: str) -> str:
        return text(name).lower()

    def count(name: str, least: int) -> int | None:
        cell = text(name)
        if not cell or cell.lower() in _UNKNOWN:
            return None
        number = _float(where, name, cell)
        if not least <= number <= _MOST or number % 1:
            raise InputError(where, name, cell, f"a whole number from {least} to {_MOST}, or nothing")
        return int(number)

    def degrees(name: str) -> str:
        """Whole numbers from 1, one per pool: `8`, `8+8`."""
        cell = text(name)
        if cell.lower() in _UNKNOWN:
            return ""
        parts = [_float(where, name, part, shown=cell, expected=_DEGREES) for part in cell.split("+") if cell]
        if not all(1 <= part <= _MOST and part % 1 == 0 for part in parts):
            raise InputError(where, name, cell, _DEGREES)
        return "+".join(str(int(part)) for part in parts)

    for name in ("id", "kind", "model", "metric"):
        if not text(name):
            raise InputError(where, name, "nothing", "a name")
    value = _float(where, "value", text("value"))
    if value <= 0:
        raise InputError(where, "value", text("value"), "a number above 0")
    note = text("note")
    return Measurement(
        id=text("id"),
        line=line,
        kind=lower("kind"),
        engine=lower("engine"),
        device=lower("device"),
        num_devices=count("n_devices", 1),
        model=lower("model"),
        weight_dtype=lower("weight_dtype"),
        kv_dtype=lower("kv_dtype"),
        tp=degrees("tp"),
        parallel=text("ep_or_dp").upper(),
        input_tokens=count("input_tokens", 1),
        cached_tokens=count("cached_tokens", 0),
        output_tokens=count("output_tokens", 1),
        concurrency=count("concurrency", 1),
        spec_decode=lower("spec_decode"),
        metric=lower("metric"),
        value=value,
        statistic=lower("statistic"),
        note=note,
        pairs={key: words.strip() for key, words in _PAIR.findall(note)},
    )


def _float(where: str, name: str, cell: str, *, shown: str | None = None, expected: str = "a finite number") -> float:
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(where, name, shown or cell or "nothing", expected)
    return number
