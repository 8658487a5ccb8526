"""What agents from outside said and were answered: recorded only if the user asks for it, and no message."""

from __future__ import annotations

import msgspec

__all__ = ["Content"]


class Content(msgspec.Struct, frozen=True):
    """A text of a turn.

    Attributes:
        role: user or tool for what was asked, assistant or tool_call for the answer.
    """

    at_ps: int
    lane: int
    turn: int
    role: str
    text: str
