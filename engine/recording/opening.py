"""Opens the file of a recording for reading, wherever it lies and however its writer ended."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path

from subsecond.engine.errors import InputError

from .places import companions
from .schema import APPLICATION_ID, FORMAT

__all__ = ["check", "connect", "damaged", "remove_copy"]


def connect(path: Path) -> tuple[sqlite3.Connection, Path | None]:
    """A connection that cannot write, and the folder of a copy that it reads, if it needs one.

    A recording whose writer has died, or that is being written, needs its log, and SQLite needs to write beside it to
    read the log. Where that cannot be, as on read-only media, a copy is read.

    Raises:
        InputError: it cannot be read.
    """
    try:
        connection = _read_only(path, "mode=ro")
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return connection, None
        except sqlite3.OperationalError:
            connection.close()
        log = companions(path)[0]
        if not log.exists() or log.stat().st_size == 0:
            return _read_only(path, "mode=ro&immutable=1"), None
        folder = Path(tempfile.mkdtemp(prefix="subsecond-"))
        for file in (path, log):
            shutil.copyfile(file, folder / file.name)
        return _read_only(folder / path.name, "mode=ro"), folder
    except (sqlite3.Error, OSError) as error:
        raise damaged(path, error) from None


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
    try:
        identity = connection.execute("PRAGMA application_id").fetchone()[0]
        number = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as error:
        raise damaged(path, error) from None
    if identity != APPLICATION_ID:
        raise InputError(str(path), "", "an SQLite file of another program", "a recording")
    if not 1 <= number <= FORMAT:
        expected = f"a recording of format {FORMAT} or older; a newer version of this program reads it"
        raise InputError(str(path), "", f"format {number}", expected)


def damaged(path: Path, error: Exception) -> InputError:
    """What a user is told if a file cannot be read on."""
    words = str(error)
    if "not a database" in words:
        return InputError(str(path), "", "a file of another kind", "a recording")
    if "malformed" in words:
        return InputError(str(path), "", "a file that is cut off or damaged", "a whole recording")
    return InputError(str(path), "", words, "a recording that can be read")
