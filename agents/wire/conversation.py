"""Conversations of the Responses protocol: what the server has of one, and where the next request goes on from."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import msgspec

from subsecond.agents.tokens import TokenCounter

from .prompt import Content, Prompt, content_of
from .reading import Refused, shown

__all__ = ["Conversation", "ConversationStore"]

#: Bytes that a conversation takes in memory, by what it holds: measured with CPython 3.11, rounded up. Segments are
#: shared by the conversations that follow each other.
_BYTES: Final = 1_000
_BYTES_PER_SEGMENT: Final = 40
_BYTES_PER_MARK: Final = 120


class Conversation:
    """Everything that was said, without instructions and tools: those come with every request.

    Attributes:
        root: id of the response that it began with; "" before there is one.
        prompt: what was said, in segments.
    """

    def __init__(self, counter: TokenCounter) -> None:
        self.root = ""
        self.prompt = Prompt(counter)
        self._seen: frozenset[str] = frozenset()

    def copy(self) -> Conversation:
        """The same conversation, to go on from."""
        other = Conversation.__new__(Conversation)
        other.root, other.prompt, other._seen = self.root, self.prompt.copy(), self._seen
        return other

    @property
    def size_bytes(self) -> int:
        """About what it takes in memory."""
        return _BYTES + _BYTES_PER_SEGMENT * len(self.prompt.segments) + _BYTES_PER_MARK * len(self._seen)

    def add(self, items: list[Any]) -> None:
        """Input of a request. What the server has already is left out: some clients send it again.

        Raises:
            Refused: an item that is no object, or a message of an unknown role.
        """
        marks = set(self._seen)
        for i, item in enumerate(items):
            if not isinstance(item, dict):
                raise Refused(f"input[{i}]: got {shown(item)}, expected an item", f"input[{i}]", "invalid_type")
            new = _marks(item)
            if not new & marks:
                self._add(item, f"input[{i}]")
            marks |= new
        self._seen = frozenset(marks)

    def _add(self, item: Mapping[str, Any], where: str) -> None:
        kind = item.get("type") or ("message" if "role" in item else "")
        if kind == "message":
            self._message(item, where)
        elif kind == "reasoning":
            parts = [*_list(item.get("summary")), *_list(item.get("content"))]
            if parts:
                self.prompt.model(content_of(parts))
        elif isinstance(kind, str) and kind.endswith("_output"):
            self.prompt.tool(content_of(item.get("output")))
        elif isinstance(kind, str) and kind.endswith("_call"):
            given = item.get("arguments", item.get("input", item.get("action", "")))
            self.prompt.call(str(item.get("name", kind)), given if isinstance(given, str) else _json(given))
        elif kind != "item_reference":
            self.prompt.instructions(_json(item), "item")

    def _message(self, item: Mapping[str, Any], where: str) -> None:
        role, content = item.get("role"), content_of(item.get("content"))
        if role in ("system", "developer"):
            self.prompt.instructions(content.text)
        elif role == "user":
            self.prompt.user(content)
        elif role == "assistant":
            self.prompt.model(content)
        else:
            expected = "user, assistant, system or developer"
            raise Refused(f"{where}.role: got {shown(role)}, expected {expected}", f"{where}.role")


class ConversationStore:
    """Conversations by the response that they end with; the ones that were not used for longest go first.

    Args:
        most: how many.
        most_bytes: how much they take in memory.
    """

    def __init__(self, most: int = 10_000, most_bytes: int = 256_000_000) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._all: OrderedDict[str, Conversation] = OrderedDict()

    def __len__(self) -> int:
        return len(self._all)

    @property
    def size_bytes(self) -> int:
        """About what all of them take in memory."""
        return self._bytes

    def get(self, response_id: str) -> Conversation | None:
        """The conversation up to a response."""
        found = self._all.get(response_id)
        if found is not None:
            self._all.move_to_end(response_id)
        return found

    def put(self, response_id: str, conversation: Conversation) -> None:
        """Keep a conversation; it must not be changed any more."""
        self._all[response_id] = conversation
        self._bytes += conversation.size_bytes
        while len(self._all) > self._most or self._bytes > self._most_bytes:
            _, oldest = self._all.popitem(last=False)
            self._bytes -= oldest.size_bytes


def _marks(item: Mapping[str, Any]) -> set[str]:
    """What tells an item apart from those that the server has."""
    marks = set()
    kind, ident, call = item.get("type"), item.get("id"), item.get("call_id")
    if isinstance(ident, str) and kind != "item_reference":
        marks.add(f"id {ident[:100]}")
    if isinstance(call, str):
        side = "output" if isinstance(kind, str) and kind.endswith("_output") else "call"
        marks.add(f"{side} {call[:100]}")
    if item.get("role") == "assistant":
        content: Content = content_of(item.get("content"))
        text = content.text.strip().encode()
        marks.add(f"text {blake2b(text, digest_size=16).hexdigest()}")
    return marks


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
