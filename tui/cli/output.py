"""Writes a document whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Any

import msgspec

from subsecond.engine.errors import InputError

__all__ = ["check_writable", "write_json", "write_text"]


def check_writable(path: Path, option: str = "--json") -> None:
    """Find out before the work whether its result can be written.

    Raises:
        InputError: the folder does not exist or cannot be written, or `path` is a folder or a file that is read-only.
    """
    if str(path) == "-":
        return
    try:
        target = path.resolve()
        places = [target] if target.exists() else []
        if not _is_special(target):
            places.append(target.parent)
        fits = not target.is_dir() and target.parent.is_dir() and all(os.access(place, os.W_OK) for place in places)
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name too long, a zero byte
        fits = False
    if not fits:
        raise InputError(option, "", str(path), "a file in a folder that exists and can be written")


def write_json(path: Path, document: Any) -> None:
    """Write a document to a file, or to standard output for `-`; see `write_text`.

    Raises:
        InputError: it cannot be written.
    """
    write_text(path, (msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n").decode(), "--json")


def write_text(path: Path, content: str, option: str) -> None:
    """Write a text as UTF-8 to a file, or to standard output for `-`; a reader never sees half of it.

    A link is followed. A device or a pipe is written to as it is, never replaced by a file.

    Raises:
        InputError: it cannot be written.
    """
    text = content.encode()
    if str(path) == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(text)  # UTF-8 whatever the terminal speaks
        return
    try:
        target = path.resolve()
        if _is_special(target):
            with target.open("wb") as file:
                file.write(text)
        else:
            _replace(target, text)
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(option, "", str(path), f"a file that can be written ({reason})") from None


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _replace(path: Path, text: bytes) -> None:
    """Write beside the file and rename; whatever goes wrong or interrupts leaves nothing behind."""
    part = path.with_name(f".subsecond-{os.getpid()}.part")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
            file.write(text)
        if path.exists():
            part.chmod(stat.S_IMODE(path.stat().st_mode))
        part.replace(path)
    except FileExistsError:
        raise
    except BaseException:
        part.unlink(missing_ok=True)
        raise
