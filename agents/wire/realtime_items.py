"""Items of a Realtime conversation: messages, calls and their results; how they are told, and how long each is.

Sources of lengths: audio of the user is 1 token per 100 ms and audio of the assistant 1 per 50 ms (OpenAI, "Managing
costs" of the Realtime API, developers.openai.com/api/docs/guides/realtime-costs).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from subsecond.agents.tokens import TokenCounter

from .base import Segment
from .reading import Refused

__all__ = ["MOST_ITEMS", "Conversation", "Item", "Part", "Standing", "Weight", "standing"]

USER_MS_PER_TOKEN: Final = 100.0
ASSISTANT_MS_PER_TOKEN: Final = 50.0
#: Tokens of the marks around a message: start, role, message, end (the harmony format of gpt-oss).
MARK_TOKENS: Final = 4
#: An image of 1024 x 1024 pixels: 85 + 4 tiles of 170 (OpenAI, images and vision, gpt-4o); of low detail: 85. The
#: real size is not looked at.
IMAGE_TOKENS, LOW_IMAGE_TOKENS = 765, 85
MOST_ITEMS: Final = 4096
DIGEST_BYTES = 16


@dataclass(slots=True)
class Part:
    """A part of a message.

    Attributes:
        kind: input_text, input_audio, input_image, output_text or output_audio.
        text: of audio the transcript; None: not known.
        audio_ms: its length; 0 for audio that is known by its transcript alone.
        digest: tells audio or images apart that have no text.
        image: address and detail.
    """

    kind: str
    text: str | None = None
    audio_ms: float = 0.0
    digest: bytes = b""
    image: tuple[str, str] = ("", "")

    def shown(self) -> dict[str, Any]:
        """As the protocol says it. Audio is not kept, so it is not told."""
        if self.kind == "input_image":
            return {"type": self.kind, "image_url": self.image[0], "detail": self.image[1] or "auto"}
        return {"type": self.kind, ("transcript" if self.is_audio else "text"): self.text}

    @property
    def is_audio(self) -> bool:
        return self.kind.endswith("_audio")


@dataclass(frozen=True, slots=True)
class Weight:
    """A segment of a prompt, and how many of its tokens are audio and images."""

    segment: Segment
    audio_tokens: int = 0
    image_tokens: int = 0


@dataclass(slots=True, eq=False)
class Item:
    """One item.

    Attributes:
        kind: message, function_call or function_call_output.
        role: system, user or assistant; a result's is tool.
        status: in_progress, completed or incomplete.
        output: of a function_call_output.
        pieces, piece_ms: of spoken text: what is said how fast, so that it can be cut where it was not heard any more.
    """

    ident: str
    kind: str
    role: str
    status: str = "completed"
    parts: list[Part] = field(default_factory=list)
    name: str = ""
    call_id: str = ""
    arguments: str = ""
    output: str = ""
    pieces: tuple[str, ...] = ()
    piece_ms: float = 0.0
    _weight: tuple[Any, Weight] | None = None

    def shown(self) -> dict[str, Any]:
        """As the protocol says it."""
        shown: dict[str, Any] = {
            "id": self.ident,
            "object": "realtime.item",
            "type": self.kind,
            "status": self.status,
        }
        if self.kind == "message":
            return shown | {"role": self.role, "content": [part.shown() for part in self.parts]}
        if self.kind == "function_call":
            return shown | {"name": self.name, "call_id": self.call_id, "arguments": self.arguments}
        return shown | {"call_id": self.call_id, "output": self.output}

    @property
    def words(self) -> str:
        """What it says, in text."""
        if self.kind == "message":
            return " ".join(part.text for part in self.parts if part.text)
        return self.output or self.arguments

    def say(self, part: Part, heard_ms: float) -> None:
        """Spoken text has been said up to here."""
        part.audio_ms = heard_ms
        part.text = "".join(self.pieces[: math.ceil(heard_ms / self.piece_ms - 1e-6)]) if self.piece_ms else ""

    def truncate(self, heard_ms: float) -> None:
        """The client has played no more than this of what was said."""
        for part in self.parts:
            if part.kind == "output_audio" and part.audio_ms > heard_ms:
                part.audio_ms = heard_ms
                # a word that was not heard to its end is not known to have been understood
                heard = int(heard_ms / self.piece_ms + 1e-6) if self.piece_ms else 0
                part.text = "".join(self.pieces[:heard])

    def weight(self, counter: TokenCounter) -> Weight:
        """Its part of a prompt."""
        state = (self.arguments, self.output, tuple((part.text, part.audio_ms, part.digest) for part in self.parts))
        if self._weight is None or self._weight[0] != state:
            self._weight = (state, self._weighed(counter))
        return self._weight[1]

    def _weighed(self, counter: TokenCounter) -> Weight:
        if self.kind != "message":
            text = f"{self.name}\n{self.arguments}{self.output}" if self.kind == "function_call" else self.output
            return Weight(counter.segment(self.role, text, extra_tokens=MARK_TOKENS))
        pace_ms = USER_MS_PER_TOKEN if self.role == "user" else ASSISTANT_MS_PER_TOKEN
        audio = sum(math.ceil(part.audio_ms / pace_ms) for part in self.parts)
        image = sum(_image_tokens(part) for part in self.parts if part.kind == "input_image")
        # audio of known length counts by it, and its transcript does not count
        text = "\n".join(part.text for part in self.parts if part.text and not part.audio_ms)
        segment = counter.segment(self.role, text, extra_tokens=MARK_TOKENS + audio + image)
        digests = b"".join(part.digest or (part.text or "").encode(errors="replace") for part in self.parts)
        if audio or image:
            key = hashlib.blake2b(segment.key + digests, digest_size=DIGEST_BYTES).digest()
            segment = Segment(key, segment.tokens)
        return Weight(segment, audio, image)


def _image_tokens(part: Part) -> int:
    return LOW_IMAGE_TOKENS if part.image[1] == "low" else IMAGE_TOKENS


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a conversation has come, as `ModelRequest` has it.

    Attributes:
        last_text: what the user, or a tool, said last.
    """

    last_text: str
    has_tool_result: bool
    replies: int
    tool_steps: int


def standing(items: Sequence[Item]) -> Standing:
    """Where these items lead. Messages and calls of the model in a row are one reply."""
    replies = tool_steps = 0
    last_text = speaker = ""
    has_called = False
    for item in items:
        if item.role == "assistant":
            if speaker != "assistant":
                replies, has_called = replies + 1, False
            if item.kind == "function_call" and not has_called:
                tool_steps, has_called = tool_steps + 1, True
        elif item.role in ("user", "tool"):
            last_text = item.words
            tool_steps = tool_steps if item.role == "tool" else 0
        if item.role != "system":
            speaker = item.role
    return Standing(last_text, speaker == "tool", replies, tool_steps)


class Conversation:
    """Items in order, by id."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._by_ident: dict[str, Item] = {}

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def find(self, ident: str) -> Item | None:
        """The item of that id."""
        return self._by_ident.get(ident)

    @property
    def last_ident(self) -> str | None:
        """Id of the latest item."""
        return self._items[-1].ident if self._items else None

    def add(self, item: Item, after: str | None = None) -> str | None:
        """Puts an item at the end, at the front (`after` "root"), or behind another.

        Returns:
            Id of the item before it.

        Raises:
            Refused: an id that is taken, one that is not known, or too many items.
        """
        if len(self._items) >= MOST_ITEMS:
            raise Refused(f"a conversation holds {MOST_ITEMS} items", "item", "conversation_full")
        if self.find(item.ident) is not None:
            raise Refused(f"item {item.ident!r} is there already", "item.id", "item_create_duplicate_item_id")
        place = len(self._items)
        if after == "root":
            place = 0
        elif after is not None:
            before = self.find(after)
            if before is None:
                raise Refused(f"no item {after!r}", "previous_item_id", "item_create_invalid_previous_item_id")
            place = self._items.index(before) + 1
        self._items.insert(place, item)
        self._by_ident[item.ident] = item
        return self._items[place - 1].ident if place else None

    def append(self, item: Item) -> str | None:
        """Puts an item of a response at the end, where there is always room; gives the id of the one before it."""
        before = self.last_ident
        self._items.append(item)
        self._by_ident[item.ident] = item
        return before

    def delete(self, item: Item) -> None:
        """Takes an item out."""
        self._items.remove(item)
        del self._by_ident[item.ident]
