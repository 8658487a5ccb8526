"""The folder of a sweep: its manifest, the sweep's own file, and a table per finished task.

A table gets its name when it is whole and on the disk: whatever lies there is finished work, and work that was
interrupted is done again. One process at a time writes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import msgspec

from subsecond.engine.errors import InputError

from .manifest import MANIFEST, Manifest, differences, read_manifest
from .parquet import is_whole, need_pyarrow, write_rows
from .rows import Row

__all__ = ["SweepFolder", "is_sweep", "task_path"]

_TASKS, _OWN = "tasks", "sweep.toml"
_PART = ".part"
#: Most things that are named as having changed.
_MOST_DIFFERENCES = 4


def is_sweep(folder: Path) -> bool:
    """Whether a folder looks like that of a sweep."""
    return (folder / MANIFEST).is_file()


def task_path(folder: Path, task: int) -> Path:
    """The table of a task."""
    return folder / _TASKS / f"task-{task:05d}.parquet"


class SweepFolder:
    """A folder that a sweep writes to.

    Args:
        text: the sweep's own file.

    Raises:
        InputError: the folder holds another sweep or something else, is in use, or cannot be written; or there is no
            pyarrow.
    """

    def __init__(self, path: Path, manifest: Manifest, text: str) -> None:
        need_pyarrow()
        self.path, self.manifest = path, manifest
        with _writable(path):
            path.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(path)  # before anything is looked at: another process may be about to begin there
            try:
                self._begin(text)
            except BaseException:
                self.close()
                raise

    def _begin(self, text: str) -> None:
        """Find what belongs to the sweep, or nothing; make it what a sweep can go on in."""
        is_new = _is_new(self.path)
        if not is_new:
            _check_same(self.path, self.manifest)
        (self.path / _TASKS).mkdir(exist_ok=True)
        self._clear()
        if is_new:
            manifest = msgspec.json.format(msgspec.json.encode(self.manifest), indent=1) + b"\n"
            _write(self.path / MANIFEST, manifest)
        if not (self.path / _OWN).exists():
            _write(self.path / _OWN, text.encode())

    def finished(self) -> set[int]:
        """Tasks that need not be done again."""
        every = range(len(self.manifest.tasks))
        return {task for task in every if is_whole(task_path(self.path, task), self.manifest, task)}

    def write(self, task: int, rows: Sequence[Row]) -> None:
        """Keep the rows of a task.

        Raises:
            InputError: they cannot be written.
        """
        with _writable(self.path), _replacing(task_path(self.path, task)) as file:
            write_rows(file, self.manifest, task, rows)

    def close(self) -> None:
        """Let others write."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _clear(self) -> None:
        """Remove what a process that was killed had begun to write."""
        for folder in (self.path, self.path / _TASKS):
            for path in folder.glob(f".*{_PART}"):
                path.unlink(missing_ok=True)


def _is_new(path: Path) -> bool:
    """Whether nothing is there but what a sweep has that was killed as it began."""
    parts = f".*{_PART}"
    for found in path.iterdir():
        is_begun = found.name == _TASKS and found.is_dir() and all(own.match(parts) for own in found.iterdir())
        if not is_begun and not found.match(parts):
            return False
    return True


def _check_same(path: Path, manifest: Manifest) -> None:
    if not is_sweep(path):
        raise InputError("--out", "", str(path), "a new folder, or the one of this sweep")
    old = read_manifest(path)
    if old == manifest:
        return
    found = ", ".join(list(differences(old, manifest))[:_MOST_DIFFERENCES])
    expected = f"the folder of this sweep; since it was begun, these have changed: {found}. Another --out begins anew"
    raise InputError("--out", "", str(path), expected)


def _locked(path: Path) -> int | None:
    """A lock on the folder, which ends with the process however that ends; None: locks do not exist here.

    Raises:
        InputError: another process has it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    number = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(number)
        raise InputError("--out", "", str(path), "a folder of one's own: another process is at work in it") from None
    except OSError:  # a file system without locks
        pass
    return number


def _write(path: Path, content: bytes) -> None:
    with _replacing(path) as file:
        file.write(content)


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that gets its name when its content is on the disk."""
    part = path.with_name(f".{path.name}.{os.getpid()}{_PART}")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # Windows opens no folders
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError("--out", "", str(path), f"a folder that can be written ({error.strerror or error})") from None
