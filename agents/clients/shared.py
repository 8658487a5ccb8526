"""What all outside agents of a process share."""

from __future__ import annotations

from dataclasses import dataclass

from .beats import Beats
from .clock import Clock
from .connection import Connector
from .measure import Tally

__all__ = ["Shared"]


@dataclass(frozen=True, slots=True)
class Shared:
    """How they connect, when their turns begin, the time, and what counts their turns.

    Attributes:
        most_turns: of each agent, after which it ends; None: the beats say.
    """

    connector: Connector
    beats: Beats
    clock: Clock
    tally: Tally
    most_turns: int | None = None
