"""Where recordings lie, and whether one may be written to a place."""

from __future__ import annotations

import os
import re
import sqlite3
import tempfile
import time
from pathlib import Path

from subsecond.engine.errors import InputError

from .schema import APPLICATION_ID

__all__ = [
    "SUFFIX",
    "check_target",
    "companions",
    "is_recording",
    "new_path",
    "path_of_run",
    "recordings_folder",
    "writer_of",
]

SUFFIX = ".subsecond"
_MAGIC = b"SQLite format 3\0"
#: Where the header of an SQLite file has `application_id`.
_ID_AT = 68
#: Above the number of any process.
_MOST_PID = 1 << 31


def recordings_folder() -> Path:
    """The user's folder of recordings, made if need be; the folder for temporary files if there can be none."""
    base = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share")
    try:
        folder = base.expanduser() / "subsecond" / "recordings"
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except (OSError, RuntimeError):  # read-only, a file in the way, or no home
        pass
    return Path(tempfile.gettempdir())


def new_path(scenario: str, folder: Path | None = None) -> Path:
    """A path for the recording of a run that begins now; no file has it.

    Args:
        folder: None: `recordings_folder()`.
    """
    base = re.sub(r"[^\w.-]+", "-", scenario)[:40].strip("-.") or "run"
    stem = f"{base}-{time.strftime('%Y%m%d-%H%M%S')}"
    place = recordings_folder() if folder is None else folder
    path = place / f"{stem}-{os.getpid()}{SUFFIX}"
    number = 2
    while path.exists():
        path = place / f"{stem}-{os.getpid()}-{number}{SUFFIX}"
        number += 1
    return path


def path_of_run(path: Path, number: int) -> Path:
    """Where the `number`-th run (from 1) of one process goes, if the first one goes to `path`.

    A live run starts anew when a parameter changes that cannot change on the way, and a recording holds one run.
    """
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")


def companions(path: Path) -> tuple[Path, Path]:
    """The files that SQLite keeps beside a recording while it is written."""
    return path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def is_recording(path: Path) -> bool:
    """Whether a file says that it is a recording; `Recording.open` finds out whether it is a good one.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_ID_AT + 4)
    return head.startswith(_MAGIC) and int.from_bytes(head[_ID_AT:], "big") == APPLICATION_ID


def check_target(path: Path, where: str = "recording") -> Path:
    """Find out whether a recording can be written to a path; one that lies there already would be replaced.

    Args:
        where: for the message, such as the option.

    Returns:
        The path without links.

    Raises:
        InputError: the folder does not exist or cannot be written, `path` is a folder, a file of another program, or
            a recording that another process is writing.
    """
    try:
        target = path.expanduser().resolve()
        folder = target.parent
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            raise InputError(where, "", str(path), "a file in a folder that exists and can be written")
        if target.is_dir():
            raise InputError(where, "", str(path), "a file, not a folder")
        if target.exists():
            _check_replaceable(target, path, where)
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a name too long, a zero byte, no rights
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(where, "", str(path), f"a file that can be written ({reason})") from None
    return target


def _check_replaceable(target: Path, path: Path, where: str) -> None:
    if not target.is_file() or not is_recording(target):
        raise InputError(where, "", str(path), "a new file, or a recording to replace: this is of another program")
    if not os.access(target, os.W_OK):
        raise InputError(where, "", str(path), "a file that is not read-only")
    pid = writer_of(target)
    if pid is not None:
        raise InputError(where, "", str(path), f"a recording that is not being written: process {pid} does")


def writer_of(path: Path) -> int | None:
    """The running process that writes a recording; None if there is none."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            row = connection.execute("SELECT value FROM meta WHERE key = 'writer_pid'").fetchone()
        finally:
            connection.close()
    except (
        sqlite3.Error,
        ValueError,
    ):  # damaged, perhaps even the names in SQLite's own words: nobody writes it any more
        return None
    if row is None or not isinstance(row[0], int) or not 0 < row[0] < _MOST_PID:
        return None
    if os.name != "posix":  # elsewhere the question would end it
        return None
    try:
        os.kill(row[0], 0)
    except ProcessLookupError:
        return None
    except PermissionError:  # of another user, but there
        pass
    return row[0]
