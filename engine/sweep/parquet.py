"""Rows of a task as one Parquet file, by pyarrow, which the extra `scale` brings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import IO, Any, Final

import msgspec
import numpy as np

from subsecond.engine.errors import InputError
from subsecond.engine.histogram import BITS
from subsecond.engine.outcome import PoolUse

from .manifest import Manifest, Value
from .rows import BUCKET, COUNT, BudgetPart, Row

__all__ = ["SET", "is_whole", "need_pyarrow", "read_rows", "write_rows"]

#: Before the names of columns that hold settings.
SET: Final = "set."
_INT, _FLOAT, _TEXT = "int64", "float64", "string"
_PLAIN: Final = {
    "point": _INT,
    "replica": _INT,
    "seed": _INT,
    "error": _TEXT,
    "lane": _TEXT,
    "kind": _TEXT,
    "span_ps": _INT,
    "answered": _INT,
    "failed": _INT,
    "cancelled": _INT,
    "unfinished": _INT,
    "met_all": _INT,
    "goodput_per_s": _FLOAT,
    "p50_ps": _INT,
    "p90_ps": _INT,
    "p95_ps": _INT,
    "p99_ps": _INT,
    "mean_ps": _FLOAT,
    "requests": _INT,
    "prompt_tokens": _INT,
    "hit_tokens": _INT,
    "output_tokens": _INT,
    "link_busy": _FLOAT,
}
_BUDGET: Final = {
    "name": _TEXT,
    "turn_ps": _INT,
    "ttft_ps": _INT,
    "tpot_ps": _INT,
    "percentile": _FLOAT,
    "source": _TEXT,
    "met": _INT,
    "missed": _INT,
}
_POOL: Final = {
    "pool": _TEXT,
    "servers": _INT,
    "busy": _FLOAT,
    "busiest": _FLOAT,
    "peak_kv": _FLOAT,
    "peak_batch": _FLOAT,
    "preemptions": _INT,
    "evictions": _INT,
}


def need_pyarrow() -> ModuleType:
    """pyarrow.

    Raises:
        InputError: it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        expected = "pyarrow, which reads and writes its results: pip install 'subsecond[scale]'"
        raise InputError("subsecond sweep", "", "no pyarrow", expected) from None
    module: ModuleType = pyarrow
    return module


def write_rows(file: IO[bytes], manifest: Manifest, task: int, rows: Sequence[Row]) -> None:
    """Write a task's rows; the same rows always give the same bytes, with the same pyarrow.

    Raises:
        InputError: there is no pyarrow.
    """
    arrow = need_pyarrow()
    columns = {name: arrow.array([getattr(row, name) for row in rows], kind) for name, kind in _PLAIN.items()}
    for place, axis in enumerate(manifest.axes):
        values = [manifest.points[row.point][place] for row in rows]
        columns[SET + axis.key] = _settings(arrow, values, [point[place] for point in manifest.points])
    for key, value in manifest.fixed.items():
        columns[SET + key] = _settings(arrow, [value] * len(rows), [value])
    columns["budgets"] = arrow.array([_dicts(row.budgets) for row in rows], _list_of(arrow, _BUDGET))
    columns["pools"] = arrow.array([_dicts(row.pools) for row in rows], _list_of(arrow, _POOL))
    columns["buckets"] = _numbers(arrow, [np.frombuffer(row.buckets, BUCKET) for row in rows], arrow.int32())
    columns["counts"] = _numbers(arrow, [np.frombuffer(row.counts, COUNT) for row in rows], arrow.int64())
    facts = {"sweep": manifest.digest, "task": str(task), "histogram_bits": str(BITS)}
    table = arrow.table(columns).replace_schema_metadata(facts)
    arrow.parquet.write_table(table, file, compression="zstd")


def _dicts(parts: Sequence[BudgetPart | PoolUse]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = msgspec.to_builtins(parts)
    return found


def _list_of(arrow: ModuleType, fields: dict[str, str]) -> Any:
    kinds = {"int64": arrow.int64(), "float64": arrow.float64(), "string": arrow.string()}
    return arrow.list_(arrow.struct([(name, kinds[kind]) for name, kind in fields.items()]))


def _numbers(arrow: ModuleType, lists: Sequence[np.ndarray[Any, Any]], kind: Any) -> Any:
    ends = np.cumsum([0, *map(len, lists)], dtype=np.int32)
    flat = np.concatenate(lists) if lists else np.zeros(0, np.int64)
    return arrow.ListArray.from_arrays(arrow.array(ends), arrow.array(flat, kind))


def _settings(arrow: ModuleType, values: Sequence[Value], every: Sequence[Value]) -> Any:
    """A column of a setting: its type is that of all values of the sweep, so that all files have the same."""
    kinds = {type(value) for value in every}
    if kinds <= {int}:
        return arrow.array(values, _INT)
    if kinds <= {int, float}:
        return arrow.array([float(value) for value in values], _FLOAT)
    if kinds <= {bool}:
        return arrow.array(values, "bool")
    return arrow.array([str(value) for value in values], _TEXT)


def is_whole(path: Path, manifest: Manifest, task: int) -> bool:
    """Whether a file holds a task of the sweep, to its end."""
    arrow = need_pyarrow()
    try:
        facts = arrow.parquet.read_schema(path).metadata or {}
    except (OSError, arrow.ArrowException):
        return False
    return facts.get(b"sweep") == manifest.digest.encode() and facts.get(b"task") == str(task).encode()


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file.

    Raises:
        InputError: there is no pyarrow, or the file is damaged.
    """
    arrow = need_pyarrow()
    names = [*_PLAIN, "budgets", "pools", "buckets", "counts"]
    try:
        table = arrow.parquet.read_table(path, columns=names)
        plain = table.select([*_PLAIN, "budgets", "pools"]).to_pylist()
        buckets, counts = list(_bytes(table.column("buckets"), BUCKET)), list(_bytes(table.column("counts"), COUNT))
    except (OSError, arrow.ArrowException, KeyError) as error:
        raise InputError(str(path), "", str(error), "a file that a sweep has written") from None
    for row, own_buckets, own_counts in zip(plain, buckets, counts, strict=True):
        row["budgets"] = [BudgetPart(**part) for part in row["budgets"]]
        row["pools"] = [PoolUse(**part) for part in row["pools"]]
        yield Row(**row, buckets=own_buckets, counts=own_counts)


def _bytes(column: Any, kind: np.dtype[Any]) -> Iterator[bytes]:
    for chunk in column.chunks:
        for item in chunk:
            yield np.asarray(item.values).astype(kind).tobytes()
