"""The screen of a running dashboard as text or SVG."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from textual.app import App

from subsecond.engine.errors import InputError

__all__ = ["SUFFIXES", "picture_of", "screen_text", "write_picture"]

#: Endings of a file's name, which say how a picture is written.
SUFFIXES: Final = (".txt", ".svg")


def screen_text(app: App[Any]) -> str:
    """What the screen shows, line by line, without colours."""
    lines = app.screen._compositor.render_strips()  # what Textual itself exports from
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines) + "\n"


def picture_of(app: App[Any], suffix: str) -> str:
    """The screen as one of `SUFFIXES`; an SVG loads nothing from anywhere: the reader's own monospace font will do."""
    if suffix == ".txt":
        return screen_text(app)
    svg = re.sub(r"\s*@font-face \{.*?\}", "", app.export_screenshot(title="subsecond"), flags=re.DOTALL)
    return svg.replace("Fira Code", "monospace")


def write_picture(pictures: Mapping[str, str], path: str, *, may_replace: bool = False) -> Path:
    """Write one of several pictures to a file, whose ending says which; returns the file.

    Args:
        pictures: by ending.

    Raises:
        FileExistsError: a file is there, and it may not be replaced.
        InputError: another ending, or the file cannot be written.
    """
    try:
        out = Path(path).expanduser().absolute()
        if out.is_dir():
            raise InputError("picture", "", path, "a file, not a folder")
        if out.suffix not in pictures:
            raise InputError("picture", "", path, f"a name that ends in {' or '.join(pictures)}")
        if not out.parent.is_dir():
            raise InputError("picture", "", path, "a file in a folder that exists")
        with out.open("w" if may_replace else "x", encoding="utf-8") as file:
            file.write(pictures[out.suffix])
    except FileExistsError:
        raise
    except (OSError, ValueError, RuntimeError) as error:  # no rights, a zero byte, no home
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError("picture", "", path, f"a file that can be written ({reason})") from None
    return out
