"""The texts of outside agents: which of them a recording gets, and that it gets none unless the user asks for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from subsecond.engine.feed import Message, OutsideAgent, TurnEnd
from subsecond.engine.recording.content import Content

from .wire.base import ModelRequest, Reply

__all__ = ["LONGEST", "texts_of", "without_texts"]

#: Characters of a text that are recorded.
LONGEST: Final = 100_000
#: Where words about an error may begin to quote what the agent sent.
_QUOTE: Final = re.compile(r"\bgot |['\"`]")


def texts_of(request: ModelRequest, reply: Reply, given: int, end: TurnEnd) -> Iterator[Content]:
    """What a request said last, and what it has been answered.

    Args:
        given: tokens of the reply that were given.
    """

    def content(at_ps: int, role: str, text: str) -> Content:
        return Content(at_ps, end.lane, end.turn, role, text[:LONGEST])

    if request.last_text:
        yield content(end.start_ps, "tool" if request.has_tool_result else "user", request.last_text)
    left = max(0, given - reply.reasoning_tokens)
    text = "".join(reply.pieces[:left])
    if text:
        yield content(end.end_ps, "assistant", text)
    left -= len(reply.pieces)
    for call in reply.calls:
        if left > 0:
            yield content(end.end_ps, "tool_call", f"{call.tool.name} {''.join(call.pieces[:left])}")
        left -= len(call.pieces)


def without_texts(message: Message) -> Message:
    """A message without what may quote an agent: words about an error end where they begin to."""
    if not isinstance(message, OutsideAgent) or not message.last_error:
        return message
    words = message.last_error
    found = _QUOTE.search(words)
    if found is None:
        return message
    start = words[: found.start()].rstrip(" :,(")
    return msgspec.structs.replace(message, last_error=f"{start or 'a value'}: what came is not recorded")
