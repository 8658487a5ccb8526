"""Readers of what options take."""

from __future__ import annotations

from collections.abc import Callable

from subsecond.engine.errors import InputError

__all__ = ["lane_pair", "names", "number", "thread_count", "whole"]

#: More run no faster on any machine, and each takes memory.
MOST_THREADS = 1024


def whole(option: str) -> Callable[[str], int]:
    """Reads the whole number that an option takes."""

    def read(text: str) -> int:
        try:
            return int(text)
        except ValueError:
            raise InputError(option, "", text, "a whole number") from None

    return read


def number(option: str) -> Callable[[str], float]:
    """Reads the number that an option takes."""

    def read(text: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise InputError(option, "", text, "a number") from None

    return read


def thread_count(text: str) -> int:
    """The number of threads that `--threads` takes.

    Raises:
        InputError: it is none.
    """
    count = whole("--threads")(text)
    if not 1 <= count <= MOST_THREADS:
        raise InputError("--threads", "", text, f"a whole number from 1 to {MOST_THREADS}")
    return count


def names(text: str) -> list[str]:
    """The names of pipelines, each once.

    Raises:
        InputError: they are none.
    """
    chosen = [name.strip() for name in text.split(",")]
    if not all(chosen) or len(set(chosen)) != len(chosen):
        raise InputError("--pipelines", "", text, "names of pipelines with commas between them, each once")
    return chosen


def lane_pair(text: str) -> tuple[str, str]:
    """Two lanes, as `X=Y`.

    Raises:
        InputError: it is something else.
    """
    first, _, second = (part.strip() for part in text.partition("="))
    if not first or not second:
        raise InputError("--lane", "", text, "two lanes as X=Y")
    return first, second
