"""Items that a Realtime response gives: text, speech and calls, each told from its first event to its last."""

from __future__ import annotations

import base64
from typing import Any, Protocol

from .base import ToolCall
from .realtime_items import Conversation, Item, Part
from .speech_playing import Playing

__all__ = ["CallOutput", "Emit", "Output", "SpeechOutput", "TextOutput"]


class Emit(Protocol):
    """Sends an event."""

    def __call__(self, kind: str, /, **fields: Any) -> None: ...


class Output:
    """One item of a response.

    Args:
        conversation: what it is added to; None: the response is kept out of it.
    """

    def __init__(
        self, emit: Emit, response_id: str, output_index: int, item: Item, conversation: Conversation | None
    ) -> None:
        self._emit = emit
        self._place = {"response_id": response_id, "output_index": output_index}
        self._conversation = conversation
        self._previous: str | None = None
        self.item = item
        self.is_open = True
        item.status = "in_progress"

    def begin(self) -> None:
        """The item is there."""
        self._emit("response.output_item.added", **self._place, item=self.item.shown())
        if self._conversation is not None:
            self._previous = self._conversation.append(self.item)
            self._emit("conversation.item.added", previous_item_id=self._previous, item=self.item.shown())

    def close(self, status: str) -> None:
        """The item is complete, or ends incomplete."""
        self.is_open = False
        self.item.status = status
        self._finish(status)
        self._emit("response.output_item.done", **self._place, item=self.item.shown())
        if self._conversation is not None:
            self._emit("conversation.item.done", previous_item_id=self._previous, item=self.item.shown())

    def _finish(self, status: str) -> None:
        """What is told before the item is."""

    def _tell(self, kind: str, **fields: Any) -> None:
        """An event about this item."""
        self._emit(kind, **self._place, item_id=self.item.ident, **fields)


class TextOutput(Output):
    """A message in text."""

    def __init__(
        self, emit: Emit, response_id: str, output_index: int, item: Item, conversation: Conversation | None
    ) -> None:
        super().__init__(emit, response_id, output_index, item, conversation)
        self._part = Part("output_text", "")
        self._num_said = 0

    def begin(self) -> None:
        super().begin()
        self.item.parts.append(self._part)
        self._tell("response.content_part.added", content_index=0, part={"type": "text", "text": ""})

    def say(self, pieces: tuple[str, ...], num_written: int) -> None:
        """The text up to here."""
        if num_written > self._num_said:
            delta = "".join(pieces[self._num_said : num_written])
            self._num_said = num_written
            self._part.text = (self._part.text or "") + delta
            self._tell("response.output_text.delta", content_index=0, delta=delta)

    def _finish(self, status: str) -> None:
        text = self._part.text
        self._tell("response.output_text.done", content_index=0, text=text)
        self._tell("response.content_part.done", content_index=0, part={"type": "text", "text": text})


class SpeechOutput(Output):
    """A message that is spoken, with its transcript."""

    def __init__(
        self,
        emit: Emit,
        response_id: str,
        output_index: int,
        item: Item,
        conversation: Conversation | None,
        playing: Playing,
    ) -> None:
        super().__init__(emit, response_id, output_index, item, conversation)
        self._part = Part("output_audio", "")
        self.playing = playing
        item.piece_ms = playing.piece_ms

    def begin(self) -> None:
        super().begin()
        self.item.parts.append(self._part)
        self._tell("response.content_part.added", content_index=0, part={"type": "audio", "transcript": ""})

    def play(self, now_s: float) -> None:
        """Sends the sound that is due, and the words that begin in it."""
        while (due_s := self.playing.due_s()) is not None and due_s <= now_s:
            sound = base64.b64encode(self.playing.next_chunk(now_s)).decode()
            before = self._part.text or ""
            self.item.say(self._part, self.playing.heard_ms)
            delta = (self._part.text or "")[len(before) :]
            if delta:
                self._tell("response.output_audio_transcript.delta", content_index=0, delta=delta)
            self._tell("response.output_audio.delta", content_index=0, delta=sound)

    def _finish(self, status: str) -> None:
        self.playing.stop()
        transcript = self._part.text
        self._tell("response.output_audio.done", content_index=0)
        self._tell("response.output_audio_transcript.done", content_index=0, transcript=transcript)
        self._tell("response.content_part.done", content_index=0, part={"type": "audio", "transcript": transcript})


class CallOutput(Output):
    """A call of a function."""

    def __init__(
        self,
        emit: Emit,
        response_id: str,
        output_index: int,
        item: Item,
        conversation: Conversation | None,
        call: ToolCall,
    ) -> None:
        super().__init__(emit, response_id, output_index, item, conversation)
        self._call = call
        self._num_given = 0

    def give(self, num_pieces: int) -> None:
        """The arguments up to here."""
        if num_pieces > self._num_given:
            delta = "".join(self._call.pieces[self._num_given : num_pieces])
            self._num_given = num_pieces
            self.item.arguments += delta
            self._tell("response.function_call_arguments.delta", call_id=self.item.call_id, delta=delta)

    def _finish(self, status: str) -> None:
        if status == "completed":
            self._tell(
                "response.function_call_arguments.done",
                call_id=self.item.call_id,
                name=self.item.name,
                arguments=self.item.arguments,
            )
