"""Reports on studies: what their commands write with `--json`, one chapter after the other.

A document says what it is (`"schema": "subsecond.gap/1"`); the module of that name makes its chapter.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from subsecond.engine.errors import InputError
from subsecond.engine.sweep.document import document_of
from subsecond.engine.sweep.folder import is_sweep
from subsecond.engine.sweep.reader import read_sweep

from .markup import Html, element
from .shell import Figures, page_of

__all__ = ["STUDIES", "is_study", "read_study", "study_page"]

#: Studies with a chapter, and the version of their documents: each has a module here with `chapter(document, figures,
#: where)`, which gives the elements of its chapter and raises `InputError` for a document that is not what it says.
STUDIES: dict[str, str] = {
    "availability": "1",
    "capacity": "1",
    "drill": "1",
    "gap": "1",
    "map": "1",
    "price": "1",
    "sweep": "1",
}
#: Largest document that is read; one of a million points would be larger.
_MOST_BYTES = 200_000_000
#: Largest number that can still be made a percentage, or picoseconds of milliseconds; and keys below which numbers are
#: what somebody has set, which nothing is reckoned with.
_MOST = 1e100
_GIVEN = ("axes", "fixed", "settings", "tables")


def is_study(path: Path) -> bool:
    """Whether a path looks like a study's document or a sweep's folder, and not like a recording."""
    return path.suffix == ".json" or is_sweep(path)


def read_study(path: Path) -> dict[str, Any]:
    """A study's document; of a sweep's folder that of what is done.

    Raises:
        InputError: it cannot be read, or is no document of a study.
    """
    if is_sweep(path):
        found_there: dict[str, Any] = msgspec.to_builtins(document_of(read_sweep(path)))
        return found_there
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(str(path), "", f"{path.stat().st_size:,} bytes", f"at most {_MOST_BYTES:,}")
        document = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise InputError(str(path), "", error.strerror or str(error), "a file that can be read") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(str(path), "", str(error), "a document that a study wrote with --json") from None
    name, version = _schema(document)
    if STUDIES.get(name) != version:
        known = ", ".join(f"subsecond.{study}/{number}" for study, number in STUDIES.items())
        shown = document.get("schema", "nothing") if isinstance(document, dict) else type(document).__name__
        raise InputError(str(path), "schema", shown, f"one of {known}")
    found: dict[str, Any] = document
    return found


def _schema(document: object) -> tuple[str, str]:
    schema = document.get("schema") if isinstance(document, dict) else None
    name, _, version = schema.removeprefix("subsecond.").partition("/") if isinstance(schema, str) else ("", "", "")
    return name, version


def _check_numbers(document: object, where: str, place: str = "") -> None:
    """Refuse numbers so large that what is reckoned with them would be infinite.

    Raises:
        InputError: there is one.
    """
    if isinstance(document, dict):
        for key, value in document.items():
            if key not in _GIVEN:
                _check_numbers(value, where, f"{place}.{key}")
    elif isinstance(document, list | tuple):
        for number, value in enumerate(document):
            _check_numbers(value, where, f"{place}.{number}")
    elif isinstance(document, int | float) and not abs(document) <= _MOST:
        raise InputError(where, place.lstrip("."), document, "a number that a study could have found")


def study_page(documents: Sequence[tuple[str, dict[str, Any]]], plotting: str) -> str:
    """A report on studies.

    Args:
        documents: name of the file, and what `read_study` gave.

    Raises:
        InputError: a document is not what it says.
    """
    figures = Figures()
    body: list[Html] = []
    for where, document in documents:
        _check_numbers(document, where)
        maker = import_module(f".{_schema(document)[0]}", __package__)
        body += maker.chapter(document, figures, where)
        body.append(element("p", where, class_="soft"))
    return page_of(", ".join(where for where, _ in documents), body, figures, plotting)
