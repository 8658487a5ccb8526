"""Opens the file of a recording for reading, wherever it lies and however its writer ended."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from subsecond.engine.errors import InputError

from .places import companions
from .schema import APPLICATION_ID, FORMAT

__all__ = ["TROUBLE", "check", "connect", "reading", "remove_copy"]

_HINT = "`subsecond recordings rescue` saves what can be read"
#: What reading a damaged file may raise.
TROUBLE = (
    sqlite3.Error,
    zlib.error,
    msgspec.MsgspecError,
    OSError,
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
)


def connect(path: Path) -> tuple[sqlite3.Connection, Path | None]:
    """A connection that cannot write, and the folder of a copy that it reads, if it needs one.

    A recording whose writer has died, or that is being written, needs its log, and SQLite needs to write beside it to
    read the log. Where that cannot be, as on read-only media, a copy is read.

    Raises:
        InputError: it cannot be read.
    """
    with reading(path):
        with suppress(sqlite3.OperationalError):
            return _looked_at(_read_only(path, "mode=ro")), None
        log = companions(path)[0]
        if not log.exists() or log.stat().st_size == 0:
            return _looked_at(_read_only(path, "mode=ro&immutable=1")), None
        folder = Path(tempfile.mkdtemp(prefix="subsecond-"))
        try:
            for file in (path, log):
                shutil.copyfile(file, folder / file.name)
            return _looked_at(_read_only(folder / path.name, "mode=ro")), folder
        except BaseException:
            remove_copy(folder)
            raise


def _looked_at(connection: sqlite3.Connection) -> sqlite3.Connection:
    """The connection, after a first look at the file: opening alone does not read it."""
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _read_only(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, check_same_thread=False)


def remove_copy(folder: Path | None) -> None:
    """Remove what `connect` has copied."""
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse what is no recording, or one that this version does not understand.

    Raises:
        InputError: so it is.
    """
    with reading(path):
        identity = connection.execute("PRAGMA application_id").fetchone()[0]
        number = connection.execute("PRAGMA user_version").fetchone()[0]
    if identity != APPLICATION_ID:
        raise InputError(str(path), "", "an SQLite file of another program", "a recording")
    if not 1 <= number <= FORMAT:
        expected = f"a recording of format {FORMAT} or older; {_reader_of(connection)} of this program reads it"
        raise InputError(str(path), "", f"format {number}", expected)


def _reader_of(connection: sqlite3.Connection) -> str:
    """Which version reads a recording of a newer format: the one that wrote it, if that says which it is."""
    with suppress(sqlite3.Error):
        row = connection.execute("SELECT value FROM meta WHERE key = 'package_version'").fetchone()
        if row is not None and isinstance(row[0], str):
            return f"version {row[0][:40]}"
    return "a newer version"


@contextmanager
def reading(path: Path, trouble: tuple[type[Exception], ...] = TROUBLE) -> Iterator[None]:
    """Turns what goes wrong while a file is read into what a user is told.

    SQLite finds most damage, but not in the values: text that is none, JSON that is none, a word for a number.

    Args:
        trouble: errors that speak of the file; others are not touched.

    Raises:
        InputError: something has gone wrong.
    """
    try:
        yield
    except trouble as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> InputError:
    words = str(error)
    if "not a database" in words:
        return InputError(str(path), "", "a file of another kind", "a recording")
    if isinstance(error, sqlite3.OperationalError | OSError):
        return InputError(str(path), "", words, "a recording that can be read")
    return InputError(str(path), "", "a file that is cut off or damaged", f"a whole recording ({words}); {_HINT}")
