"""A reply as it is given: which part each new token belongs to."""

from __future__ import annotations

from .base import Reply

__all__ = ["Giving"]


class Giving:
    """How far a reply has been given: thoughts, then its text, then its calls.

    Attributes:
        given: tokens so far.
    """

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.given = 0
        parts = (reply.pieces, *(call.pieces for call in reply.calls))
        self._where = [(index, piece) for index, pieces in enumerate(parts) for piece in pieces]

    def advance(self, given: int) -> list[tuple[int, str]]:
        """What is new with `given` tokens: runs of (part, text). Part 0 is the text, part n the n-th call."""
        first, last = (max(0, n - self.reply.reasoning_tokens) for n in (self.given, given))
        self.given = max(self.given, given)
        runs: list[tuple[int, list[str]]] = []
        for part, piece in self._where[first:last]:
            if not runs or runs[-1][0] != part:
                runs.append((part, []))
            runs[-1][1].append(piece)
        return [(part, "".join(pieces)) for part, pieces in runs]

    @property
    def reasoning_given(self) -> int:
        """Of them, thoughts."""
        return min(self.given, self.reply.reasoning_tokens)

    def text_so_far(self, part: int) -> str:
        """What a part says as far as it has been given."""
        shown = max(0, self.given - self.reply.reasoning_tokens)
        return "".join(piece for at, piece in self._where[:shown] if at == part)
