"""Trace files as blocks of whole lines, plain or gzipped, with bounded memory and errors that name the line.

Nothing here knows a format.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from subsecond.engine.errors import InputError

__all__ = ["MAX_DOCUMENT_BYTES", "MAX_LINE_BYTES", "Source", "shown"]

#: Bytes read at a time; a block of lines is about this long.
BLOCK_BYTES = 1 << 20
#: A longer line is no line of a trace: reading on would only fill the memory.
MAX_LINE_BYTES = 64 << 20
#: Longest file that is read as one document (raw WEKA JSON); most of them are one line.
MAX_DOCUMENT_BYTES = MAX_LINE_BYTES

GZIP_MAGIC = b"\x1f\x8b"
UTF8_MARK = b"\xef\xbb\xbf"


def shown(line: bytes, limit: int = 80) -> str:
    """The start of a line as text for a message."""
    text = line[: limit + 1].decode("utf-8", "backslashreplace").strip()
    return text if len(line) <= limit else text[:limit] + "..."


class Source:
    """One trace file.

    Attributes:
        path: where it lies.
        name: the path as the user wrote it, for messages.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)

    def at(self, line: int) -> str:
        """`file:line` for a message."""
        return f"{self.name}:{line}"

    def line_blocks(self) -> Iterator[tuple[int, bytes]]:
        """Blocks of whole lines with the number of their first line, from 1.

        Raises:
            InputError: a file that cannot be read, a broken gzip stream, a line beyond `MAX_LINE_BYTES`.
        """
        number, rest = 1, b""
        for data in self._data():
            cut = data.rfind(b"\n") + 1
            if not cut:
                rest += data
                self._check_line(number, rest)
                continue
            block = rest + data[:cut]
            rest = data[cut:]
            if len(block) > MAX_LINE_BYTES:
                self._check_line(number, block[: block.index(b"\n")])
            yield number, block
            number += block.count(b"\n")
        if rest:
            yield number, rest

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Lines that are not blank, with their numbers."""
        for first, block in self.line_blocks():
            for offset, line in enumerate(block.split(b"\n")):
                text = line.strip()
                if text:
                    yield first + offset, text

    def line_of_row(self, row: int) -> int:
        """Number of the `row`-th line that is not blank, counted from 0. Reads the file again: for messages only."""
        for index, (number, _) in enumerate(self.lines()):
            if index == row:
                return number
        return 0

    def first_line(self) -> bytes:
        """First line that is not blank.

        Raises:
            InputError: see `line_blocks`, or the file holds nothing.
        """
        for _, line in self.lines():
            return line
        raise InputError(self.name, "", "an empty file", "a trace with at least one request")

    def document(self) -> bytes:
        """The whole file.

        Raises:
            InputError: see `line_blocks`, or it is longer than `MAX_DOCUMENT_BYTES`.
        """
        parts: list[bytes] = []
        size = 0
        for data in self._data():
            size += len(data)
            if size > MAX_DOCUMENT_BYTES:
                raise InputError(
                    self.name, "", f"{size >> 20} MB or more", f"at most {MAX_DOCUMENT_BYTES >> 20} MB of JSON"
                )
            parts.append(data)
        return b"".join(parts)

    def _check_line(self, number: int, line: bytes) -> None:
        if len(line) > MAX_LINE_BYTES:
            raise InputError(
                self.at(number), "", shown(line), f"a line of at most {MAX_LINE_BYTES >> 20} MB; is this a trace?"
            )

    def _data(self) -> Iterator[bytes]:
        """The bytes of the file in pieces, unpacked, without a byte order mark."""
        try:
            with self.path.open("rb") as raw:
                yield from self._unpacked(raw)
        except FileNotFoundError:
            raise InputError(self.name, "", "no such file", "the path of a trace") from None
        except IsADirectoryError:
            raise InputError(self.name, "", "a directory", "a trace file") from None
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(self.name, "", f"broken gzip data ({error})", "a complete gzip file") from None
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError(self.name, "", reason, "a file that can be read") from None

    def _unpacked(self, raw: BinaryIO) -> Iterator[bytes]:
        magic = raw.read(2)
        raw.seek(0)
        stream: BinaryIO = raw
        if magic == GZIP_MAGIC:
            stream = io.BufferedReader(gzip.GzipFile(fileobj=raw), BLOCK_BYTES)
        first = True
        while data := stream.read(BLOCK_BYTES):
            if first:
                data = data.removeprefix(UTF8_MARK)
                first = False
            if data:
                yield data
