"""Readers of numbers that options take."""

from __future__ import annotations

from collections.abc import Callable

from subsecond.engine.errors import InputError

__all__ = ["number", "whole"]


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
