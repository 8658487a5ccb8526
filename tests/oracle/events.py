"""Kinds of events in the order in which they are handled at one time (section 2 of `docs/semantics.md`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ARRIVE, ENQUEUE, LINK, LAND, RETURN, END, FAULT, CANCEL = range(8)

#: From outside: (time, "cancel", session) or (time, "costs", server, step cost).
External = tuple[Any, ...]


@dataclass(eq=False)
class Event:
    """Something that will happen, unless it is called off."""

    action: Callable[[int], object] | None

    def call_off(self) -> None:
        self.action = None
