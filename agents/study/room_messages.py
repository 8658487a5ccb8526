"""What is asked of the search for room, and what it answers: a JSON object each."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["LaneRoom", "RoomAnswer", "RoomQuestion"]


class RoomQuestion(msgspec.Struct, frozen=True):
    """What is asked.

    Attributes:
        name: of the scenario.
        tables: of the scenario, with the parameters as they are now.
        kind: of agents.
        sessions: at work now, by agent kind.
    """

    name: str
    tables: dict[str, Any]
    kind: str
    sessions: dict[str, int]


class LaneRoom(msgspec.Struct, frozen=True):
    """The most sessions of the kind with which a pipeline keeps the budget; 0: not even one does.

    `is_least`: as many keep it, and more were not looked at.
    """

    lane: str
    most: int
    is_least: bool = False


class RoomAnswer(msgspec.Struct, frozen=True):
    """What came of it; `error`: why it is not known, in words, else empty."""

    budget: str = ""
    percentile: float = 0.0
    lanes: tuple[LaneRoom, ...] = ()
    error: str = ""
