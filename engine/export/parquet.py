"""Tables as Parquet, by pyarrow, which the extra `export` brings."""

from __future__ import annotations

from contextlib import ExitStack
from types import ModuleType
from typing import IO, Any, Final

from subsecond.engine.errors import InputError

from .tables import Chunk, Kind, Table

__all__ = ["MAGIC", "ParquetSheet"]

#: With which a file begins.
MAGIC: Final = b"PAR1"

_TYPES: Final[dict[Kind, str]] = {
    "int": "int64",
    "float": "float64",
    "text": "string",
    "bool": "bool_",
    "json": "string",
}


class ParquetSheet:
    """A Parquet file that is written chunk by chunk: each is a row group.

    Args:
        facts: about the run, kept as the file's metadata.

    Raises:
        InputError: there is no pyarrow.
    """

    def __init__(self, file: IO[bytes], table: Table, facts: dict[str, str]) -> None:
        self._arrow = _pyarrow()
        import pyarrow.parquet

        fields = [(column.name, getattr(self._arrow, _TYPES[column.kind])()) for column in table.columns]
        self._schema = self._arrow.schema(fields, metadata=facts)
        self._stack = ExitStack()
        self._writer: Any = self._stack.enter_context(
            pyarrow.parquet.ParquetWriter(file, self._schema, compression="zstd")
        )

    def write(self, chunk: Chunk) -> None:
        """Add rows."""
        arrays = [self._arrow.array(values, field.type) for values, field in zip(chunk, self._schema, strict=True)]
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        """Write the end, without which the file is none."""
        self._stack.close()


def _pyarrow() -> ModuleType:
    try:
        import pyarrow
    except ImportError:
        expected = "pyarrow, which writes it: pip install 'subsecond[export]', or pip install pyarrow"
        raise InputError("--format", "", "parquet", expected) from None
    module: ModuleType = pyarrow
    return module
