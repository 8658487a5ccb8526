"""Defects of the gateway: logged, and told to those who watch, but not the same one again and again."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from typing import Final

__all__ = ["Troubles"]

log = logging.getLogger("subsecond.gateway")

#: Seconds for which a defect that has been told is not told again, and how many different ones are remembered.
AGAIN_S: Final = 10.0
REMEMBERED: Final = 32


class Troubles:
    """What went wrong by nobody's fault but ours; whoever meets an exception adds it and goes on."""

    def __init__(self) -> None:
        self._told_s: OrderedDict[str, float] = OrderedDict()
        self._waiting: list[str] = []

    def add(self, what: str, error: Exception) -> None:
        """Something failed with an exception that nobody expects."""
        text = f"a defect of the gateway: {what} failed ({type(error).__name__}: {error})"
        now_s = time.monotonic()
        if now_s - self._told_s.get(text, -AGAIN_S) < AGAIN_S:
            return
        self._told_s[text] = now_s
        self._told_s.move_to_end(text)
        if len(self._told_s) > REMEMBERED:
            self._told_s.popitem(last=False)
        log.error("%s", text, exc_info=error)
        self._waiting = [*self._waiting, text][-REMEMBERED:]

    def take(self) -> list[str]:
        """What has not been told yet."""
        waiting, self._waiting = self._waiting, []
        return waiting
