"""Documents with numbers that no study finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from subsecond.engine.errors import InputError

__all__ = ["refuses_or_takes"]

ABSURD = (1e308, -1e308, 1e200, 10**30, -1, 0)


def refuses_or_takes(document: dict[str, Any], page: Callable[[dict[str, Any]], str], file: str) -> int:
    """Whatever number stands in a place of a document, its page is made, or one line names the file.

    Args:
        document: changed and put right again.

    Returns:
        How often it was refused.
    """
    refused = 0
    for place, (holder, key) in _places(document):
        before = holder[key]
        for value in ABSURD:
            holder[key] = value
            try:
                page(document)
            except InputError as error:
                if file not in str(error) or "\n" in str(error):
                    pytest.fail(f"{place} = {value}: {error}")
                refused += 1
            except Exception as error:
                pytest.fail(f"{place} = {value}: {error!r}")
        holder[key] = before
    return refused


def _places(document: dict[str, Any]) -> list[tuple[str, tuple[Any, Any]]]:
    """Where numbers stand: of those that only differ by the place in a list, the first."""
    return list(dict(reversed([*_numbers(document, "")])).items())


def _numbers(part: Any, place: str) -> Iterator[tuple[str, tuple[Any, Any]]]:
    items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, value in items:
        here = f"{place}.{key}" if isinstance(part, dict) else f"{place}[]"
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield here, (part, key)
        else:
            yield from _numbers(value, here)
