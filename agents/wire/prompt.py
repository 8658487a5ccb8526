"""Prompts: what a client's messages come to in tokens, and where the conversation stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import msgspec

from subsecond.agents.tokens import TokenCounter, segment_key

from .base import Reply, Segment

__all__ = ["Content", "Prompt", "content_of", "said"]

#: Tokens of the marks around a message: start, role, end, as the templates of chat models have them.
MESSAGE_TOKENS: Final = 4
#: An image in tokens: 85 and 170 for each of the four tiles of 1024 x 1024 pixels, the size most pictures of a screen
#: are scaled to. Images are not decoded: this is an estimate. With `detail: "low"` 85.
IMAGE_TOKENS: Final = 765
LOW_IMAGE_TOKENS: Final = 85
#: A file that is only named, in tokens (assumed: two pages); one that is sent has a token for 4 of its bytes.
FILE_TOKENS: Final = 1500
BYTES_PER_TOKEN: Final = 4
#: Audio: ten tokens a second, of 24,000 samples with two bytes.
AUDIO_BYTES_PER_TOKEN: Final = 4800


@dataclass(frozen=True, slots=True)
class Content:
    """What a message holds.

    Attributes:
        extra_tokens: of what is no text.
        mark: tells contents apart that differ in what is no text.
    """

    text: str
    extra_tokens: int = 0
    mark: str = ""


def content_of(content: object) -> Content:
    """Content of a message: a text, or a list of parts. What is not known counts as the JSON that it is."""
    if isinstance(content, str):
        return Content(content)
    texts: list[str] = []
    extra = 0
    marks = blake2b(digest_size=8)
    for part in content if isinstance(content, list) else [] if content is None else [content]:
        text = part.get("text", part.get("refusal")) if isinstance(part, dict) else part
        if isinstance(text, str):
            texts.append(text)
        elif isinstance(part, dict) and (tokens := _media_tokens(part)):
            extra += tokens
            marks.update(msgspec.json.encode(part))
        else:
            texts.append(msgspec.json.encode(part).decode())
    return Content("\n".join(texts), extra, marks.hexdigest() if extra else "")


def _media_tokens(part: Mapping[str, Any]) -> int:
    kind = part.get("type")
    if kind in ("image_url", "input_image"):
        inner = part.get("image_url")
        detail = inner.get("detail") if isinstance(inner, dict) else part.get("detail")
        return LOW_IMAGE_TOKENS if detail == "low" else IMAGE_TOKENS
    inner = part.get(str(kind)) if kind in ("input_audio", "file") else part
    data = inner.get("data", inner.get("file_data")) if isinstance(inner, dict) else None
    sent = len(data) * 3 // 4 if isinstance(data, str) else None
    if kind in ("input_audio", "audio"):
        return max(1, (sent or 0) // AUDIO_BYTES_PER_TOKEN)
    if kind in ("file", "input_file"):
        return FILE_TOKENS if sent is None else max(1, sent // BYTES_PER_TOKEN)
    return 0


class Prompt:
    """A prompt that grows message by message.

    Attributes:
        segments: one a message; what was there before stays as it is, so that prefix caches find it again.
        last_text: of the user or a tool, whoever spoke last.
        has_tool_result: whether that was a tool.
        replies, tool_steps: as `ModelRequest` has them.
    """

    def __init__(self, counter: TokenCounter) -> None:
        self._counter = counter
        self.segments: list[Segment] = []
        self.last_text = ""
        self.has_tool_result = False
        self.replies = 0
        self.tool_steps = 0
        self._speaker = ""
        self._has_called = False

    def copy(self) -> Prompt:
        """The same prompt, to go on from."""
        other = copy(self)
        other.segments = self.segments.copy()
        return other

    def instructions(self, text: str, role: str = "system") -> None:
        """Instructions, or the tools, as text."""
        if text:
            self._add(role, Content(text), "")

    def user(self, content: Content) -> None:
        """A message of the user."""
        self._add("user", content, "user")
        self.last_text, self.has_tool_result, self.tool_steps = content.text, False, 0

    def model(self, content: Content) -> None:
        """Something that the model said, or thought."""
        self._model()
        self._add("assistant", content, "model")

    def call(self, name: str, arguments: str) -> None:
        """A tool that the model called."""
        self._model()
        if not self._has_called:
            self._has_called = True
            self.tool_steps += 1
        self._add("call", Content(_called(name, arguments)), "model")

    def tool(self, content: Content) -> None:
        """What a tool answered."""
        self._add("tool", content, "tool")
        self.last_text, self.has_tool_result = content.text, True

    def _model(self) -> None:
        if self._speaker != "model":
            self.replies += 1
            self._has_called = False

    def _add(self, role: str, content: Content, speaker: str) -> None:
        extra = MESSAGE_TOKENS + content.extra_tokens
        self.segments.append(self._counter.segment(role + content.mark, content.text, extra_tokens=extra))
        if speaker:
            self._speaker = speaker


def said(reply: Reply, given: int) -> tuple[Segment, ...]:
    """The first tokens of a reply as a prompt has them in which a client repeats them: its text, then its calls."""
    left = max(0, given - reply.reasoning_tokens)
    segments = []
    if reply.pieces[:left]:
        segments.append(_segment("assistant", reply.pieces[:left]))
    left -= len(reply.pieces)
    for call in reply.calls:
        if left > 0:
            segments.append(_segment("call", (_called(call.tool.name, ""), *call.pieces[:left])))
        left -= len(call.pieces)
    return tuple(segments)


def _segment(role: str, pieces: Sequence[str]) -> Segment:
    return Segment(segment_key(role, "".join(pieces), MESSAGE_TOKENS), len(pieces) + MESSAGE_TOKENS)


def _called(name: str, arguments: str) -> str:
    return f"{name} {arguments}"
