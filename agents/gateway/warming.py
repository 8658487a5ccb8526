"""Counts the tokens of large messages in a thread, so that nobody's tokens wait while a long context is taken apart."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec

from subsecond.agents.tokens import TokenCounter

__all__ = ["warm"]

#: Bytes of a message from which on a thread is worth its while (about a millisecond of counting), and of a text in it.
LARGE_BYTES: Final = 32 * 1024
LONG_TEXT: Final = 512


async def warm(counter: TokenCounter, data: str | bytes) -> None:
    """Let the counter know the texts of a message, if that would take long; it remembers them."""
    if len(data) >= LARGE_BYTES:
        await asyncio.to_thread(_count, counter, data)


def _count(counter: TokenCounter, data: str | bytes) -> None:
    try:
        open_values: list[Any] = [msgspec.json.decode(data)]
    except (msgspec.DecodeError, RecursionError, ValueError):  # the session says what is wrong
        return
    while open_values:
        value = open_values.pop()
        if isinstance(value, str):
            if len(value) >= LONG_TEXT:
                counter.count(value)
        elif isinstance(value, dict):
            open_values.extend(value.values())
        elif isinstance(value, list):
            open_values.extend(value)
