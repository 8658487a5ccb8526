"""Makes and finishes the file of a recording; whoever looks at it never sees half of its beginning."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from .places import companions
from .schema import Header, create_indices, create_tables

__all__ = ["begin_file", "finish_file", "note_kept", "part_of", "publish", "reason_of", "remove_file"]

#: Bytes per page: rows of a turn are 100 to 200 bytes, blobs of a gauge a few thousand.
_PAGE_BYTES = 4096


def part_of(path: Path) -> Path:
    """Where a file is made before it gets its name."""
    return path.with_name(f".{path.name[:200]}.{os.getpid()}.part")


def begin_file(path: Path, header: Header, *, is_kept: bool = True) -> sqlite3.Connection:
    """Make a recording at a path and open it for a run that goes on: write-ahead log, durable to the last commit if
    the process dies, and consistent if the machine does.

    Raises:
        sqlite3.Error, OSError: it cannot be written.
    """
    part = part_of(path)
    part.unlink(missing_ok=True)
    try:
        connection = sqlite3.connect(part)
        try:
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            create_tables(connection, header)
            create_indices(connection)
            with connection:
                connection.execute("INSERT INTO meta VALUES ('writer_pid', ?)", (os.getpid(),))
                note_kept(connection, is_kept)
        finally:
            connection.close()
        publish(part, path)
    except BaseException:
        remove_file(part)
        raise
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def note_kept(connection: sqlite3.Connection, is_kept: bool) -> None:
    """Note whether a recording stays when its run ends; within a transaction of the caller.

    Raises:
        sqlite3.Error: it cannot be written.
    """
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('kept', ?)", (int(is_kept),))


def publish(part: Path, path: Path) -> None:
    """Give a finished file its name; what an older recording of that name has left beside it would spoil it."""
    for companion in companions(path):
        companion.unlink(missing_ok=True)
    part.replace(path)


def finish_file(connection: sqlite3.Connection, end_ps: int) -> None:
    """Mark a recording as finished and close it as one plain file that needs no companions.

    Raises:
        sqlite3.Error: it cannot be written.
    """
    try:
        with connection:
            connection.execute("DELETE FROM meta WHERE key = 'writer_pid'")
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('end_ps', ?)", (end_ps,))
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with suppress(sqlite3.OperationalError):  # while somebody has it open, the log has to stay, if empty
            connection.execute("PRAGMA journal_mode = DELETE")
    finally:
        connection.close()


def remove_file(path: Path) -> None:
    """Remove a recording and what lies beside it, as far as possible."""
    for file in (path, *companions(path), path.with_name(path.name + "-journal")):
        with suppress(OSError):
            file.unlink(missing_ok=True)


def reason_of(error: Exception) -> str:
    """What went wrong, in words for a user."""
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    words = str(error)
    return {
        "database or disk is full": "the disk is full",
        "disk I/O error": "the disk is full or fails",
        "unable to open database file": "the file cannot be opened",
        "attempt to write a readonly database": "the file is read-only",
    }.get(words, words)
