"""Several things at a time, and one that may be cancelled at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["answer", "first_of"]

T = TypeVar("T")


async def answer(call: Coroutine[Any, Any, T]) -> T:
    """Wait for what a call of the client library gives.

    The library waits with `asyncio.wait_for`, which in Python 3.11 forgets that it was cancelled if the answer comes in
    the same moment; whoever cancelled it would wait for ever.
    """
    task = asyncio.ensure_future(call)
    task.add_done_callback(_look_at)
    try:
        await asyncio.wait((task,))
    except asyncio.CancelledError:
        task.cancel()
        raise
    return task.result()


def _look_at(task: asyncio.Future[Any]) -> None:
    """Nobody may be left to take what it raises, and asyncio would complain."""
    if not task.cancelled():
        task.exception()


async def first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Do all of these until one ends, and then end the others; what that one raises is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
