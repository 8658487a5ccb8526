"""Writes a document whole or not at all."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from subsecond.engine.errors import InputError

__all__ = ["check_writable", "write_json"]


def check_writable(path: Path) -> None:
    """Find out before the work whether its result can be written.

    Raises:
        InputError: the folder does not exist or cannot be written, or `path` is a folder.
    """
    if str(path) == "-":
        return
    folder = path.parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError("--json", "", str(path), "a file in a folder that exists and can be written")


def write_json(path: Path, document: Any) -> None:
    """Write a document to a file, or to standard output for `-`; a reader never sees half of it.

    Raises:
        InputError: it cannot be written.
    """
    text = msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
    if str(path) == "-":
        sys.stdout.write(text.decode())
        return
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            file.write(text)
        try:
            os.chmod(file.name, 0o644)
            os.replace(file.name, path)
        except OSError:
            os.unlink(file.name)
            raise
    except OSError as error:
        raise InputError("--json", "", str(path), f"a file that can be written ({error.strerror})") from None
