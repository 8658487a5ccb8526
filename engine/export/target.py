"""The file that an export goes to: seen when it is whole, and never in the place of something else."""

from __future__ import annotations

import io
import os
import stat
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from subsecond.engine.errors import InputError
from subsecond.engine.recording.places import is_recording

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["STDOUT", "writing"]

#: Stands for standard output.
STDOUT = Path("-")


@contextmanager
def writing(path: Path, begin: bytes, *, force: bool) -> Iterator[IO[bytes]]:
    """A file to write to, which gets its name when all is written; whatever goes wrong leaves nothing behind.

    A device or a pipe, and standard output, are written to as they are; a terminal gets no characters that steer it.

    Args:
        begin: what a file of this kind begins with: one that lies there and does not is of another kind.
        force: replace such a file, too; a recording is never replaced.

    Raises:
        InputError: it cannot be written, or something else lies there.
    """
    if path == STDOUT:
        sys.stdout.flush()
        yield _Terminal(sys.stdout.buffer) if sys.stdout.isatty() else sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = _checked(path, begin, force=force)
    if target.exists() and not target.is_file():
        with _saying(path), target.open("wb") as file:
            yield file
        return
    part = target.with_name(f".{target.name[:200]}.{os.getpid()}.part")
    try:
        with _saying(path):
            with part.open("xb") as file:
                yield file
            if target.exists():
                part.chmod(stat.S_IMODE(target.stat().st_mode))
            part.replace(target)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


class _Terminal(io.BytesIO):
    """Hands text on to a terminal, with `?` for what would steer it; what is written is whole lines."""

    def __init__(self, to: IO[bytes]) -> None:
        super().__init__()
        self._to = to

    def write(self, data: Buffer, /) -> int:
        text = bytes(data).decode("utf-8", "replace")
        self._to.write("".join("?" if _steers(letter) else letter for letter in text).encode())
        return len(text)


def _steers(letter: str) -> bool:
    return letter not in "\t\r\n" and unicodedata.category(letter) in ("Cc", "Cf")


def _checked(path: Path, begin: bytes, *, force: bool) -> Path:
    """The path without links, if it may be written."""
    try:
        target = path.expanduser().resolve()
        if target.is_dir():
            raise InputError("-o", "", str(path), "a file, not a folder")
        if target.is_file() and not _is_replaceable(target, path, begin, force=force):
            raise InputError("-o", "", str(path), "a new file, or one of the same kind; --force replaces it anyway")
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a name too long, a zero byte, no rights
        raise _unwritable(path, error) from None
    return target


def _is_replaceable(target: Path, path: Path, begin: bytes, *, force: bool) -> bool:
    if is_recording(target):
        raise InputError("-o", "", str(path), "a file that is no recording")
    with target.open("rb") as file:
        return force or file.read(len(begin)) in (begin, b"")


@contextmanager
def _saying(path: Path) -> Iterator[None]:
    """Turns what goes wrong while a file is written into what a user is told."""
    try:
        yield
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or str(error)
    return InputError("-o", "", str(path), f"a file that can be written ({reason})")
