"""One response of a Realtime session: from what is wanted, over what the pipeline gives, to what is told in the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from .base import End, Outcome, Reply, Tool
from .decomposition import metadata_of, refusal_of
from .realtime_items import Conversation, Item, Weight
from .realtime_outputs import CallOutput, Emit, Output, SpeechOutput, TextOutput
from .sound_formats import SoundFormat
from .speech_playing import Playing

__all__ = ["Response", "Stage", "Wish"]

MS_PER_S = 1000
#: Ends of requests that no pipeline has read.
UNREAD: Final = (End.THROTTLED, End.TOO_LONG, End.NO_PIPELINE)


class Stage(Enum):
    """How far a response is."""

    WAITING = "waiting"  # nobody has been asked
    ASKED = "asked"  # the pipeline has the request
    RUNNING = "running"  # the client knows of it
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a response shall be.

    Attributes:
        is_spoken: speech with a transcript rather than text.
        items: what it answers; None: the conversation.
        is_in_conversation: what it gives becomes part of the conversation.
        is_by_client: the client asked for it, rather than the end of the user's speech.
        due_s: when the pipeline is asked, on the session's clock.
        speech_tokens_per_s, text_to_speech_ms, sound: how it is spoken.
    """

    is_spoken: bool
    instructions: str
    tools: tuple[Tool, ...]
    tool_choice: str
    most_tokens: int | None
    metadata: Mapping[str, str] | None
    items: Sequence[Item] | None
    is_in_conversation: bool
    is_by_client: bool
    due_s: float
    speech_tokens_per_s: float
    text_to_speech_ms: float
    sound: SoundFormat


@dataclass(slots=True, eq=False)
class Response:
    """A response.

    Args:
        conversation_id: of the conversation that it belongs to; None: of none.
        conversation: where its items go; None: nowhere.
        new_item: makes an item with an id of its own, of a kind.
    """

    ident: str
    wish: Wish
    emit: Emit
    conversation_id: str | None
    conversation: Conversation | None
    new_item: Callable[[str], Item]
    stage: Stage = Stage.WAITING
    weights: Sequence[Weight] = ()
    cancelled: str = ""
    _reply: Reply = field(default_factory=lambda: Reply(()))
    _outputs: list[Output] = field(default_factory=list)
    _message: TextOutput | SpeechOutput | None = None
    _calls: list[CallOutput] = field(default_factory=list)
    _outcome: Outcome | None = None

    @property
    def is_asked(self) -> bool:
        """Whether the pipeline works at it."""
        return self.stage in (Stage.ASKED, Stage.RUNNING) and self._outcome is None

    def asked(self, weights: Sequence[Weight]) -> None:
        """The pipeline has the request, with these parts of a prompt."""
        self.stage, self.weights = Stage.ASKED, weights

    def started(self, reply: Reply) -> None:
        """The pipeline has taken it."""
        self._reply = reply
        self._announce()

    def _announce(self) -> None:
        if self.stage is not Stage.RUNNING:
            self.stage = Stage.RUNNING
            self.emit("response.created", response=self._shown("in_progress", None, self.wish.metadata, None))

    def given(self, num_tokens: int, now_s: float) -> None:
        """So many tokens of the reply are there, in all."""
        if self.cancelled or self.stage is not Stage.RUNNING:
            return
        visible = max(0, num_tokens - self._reply.reasoning_tokens)
        num_text = len(self._reply.pieces)
        if visible and num_text:
            self._write(min(visible, num_text), num_tokens >= self._reply.first_sentence, now_s)
        self._call(visible - num_text)
        self.play(now_s)

    def _write(self, num_pieces: int, is_sentence: bool, now_s: float) -> None:
        if self._message is None:
            self._message = self._begin_message()
        message, all_pieces = self._message, self._reply.pieces
        if isinstance(message, SpeechOutput):
            message.playing.written(num_pieces)
            if not message.playing.is_ready and (is_sentence or num_pieces == len(all_pieces)):
                message.playing.ready_at(now_s + self.wish.text_to_speech_ms / MS_PER_S)
        elif message.is_open:
            message.say(all_pieces, num_pieces)
            if num_pieces == len(all_pieces):
                message.close(self._full_status(is_last=not self._reply.calls))

    def _begin_message(self) -> TextOutput | SpeechOutput:
        item = self.new_item("message")
        item.role, item.pieces = "assistant", self._reply.pieces
        place = (self.emit, self.ident, len(self._outputs), item, self.conversation)
        message: TextOutput | SpeechOutput
        if self.wish.is_spoken:
            # clients run the called functions beside what is said, but go on only after the end of the response
            is_paced = not self._reply.calls
            playing = Playing(self._reply.pieces, self.wish.speech_tokens_per_s, self.wish.sound, is_paced=is_paced)
            message = SpeechOutput(*place, playing)
        else:
            message = TextOutput(*place)
        self._outputs.append(message)
        message.begin()
        return message

    def _call(self, num_tokens: int) -> None:
        """So many tokens of calls are there; the next call begins with its first token, or at once if it has none."""
        for number, call in enumerate(self._reply.calls):
            if num_tokens < min(1, len(call.pieces)):
                return
            if number == len(self._calls):
                item = self.new_item("function_call")
                item.role, item.name, item.call_id = "assistant", call.tool.name, call.call_id
                self._calls.append(CallOutput(self.emit, self.ident, len(self._outputs), item, self.conversation, call))
                self._outputs.append(self._calls[-1])
                self._calls[-1].begin()
            output = self._calls[number]
            output.give(min(num_tokens, len(call.pieces)))
            if num_tokens >= len(call.pieces) and output.is_open:
                output.close(self._full_status(is_last=number == len(self._reply.calls) - 1))
            num_tokens -= len(call.pieces)

    def _full_status(self, *, is_last: bool) -> str:
        return "incomplete" if is_last and self._reply.is_cut else "completed"

    def play(self, now_s: float) -> None:
        """Sends the sound that is due."""
        if isinstance(self._message, SpeechOutput) and self._message.is_open:
            self._message.play(now_s)
            if self._message.playing.is_over:
                self._message.close(self._full_status(is_last=not self._reply.calls))

    def due_s(self) -> float | None:
        """When the next sound is due."""
        if isinstance(self._message, SpeechOutput) and self._message.is_open:
            return self._message.playing.due_s()
        return None

    def mute(self, item: Item | None = None) -> bool:
        """Says no more of its message; whether it was saying something (of this item)."""
        message = self._message
        if not isinstance(message, SpeechOutput) or not message.is_open or item not in (None, message.item):
            return False
        message.playing.stop()
        message.close("incomplete")
        return True

    def ended(self, outcome: Outcome, now_s: float) -> bool:
        """The pipeline is done with it; whether the response is over too, and not still speaking."""
        if self.stage is Stage.ASKED:
            self._announce()
        if outcome.end is End.DONE:
            self.given(outcome.given, now_s)
        self._outcome = outcome
        message = self._message
        if outcome.end is End.DONE and not self.cancelled and isinstance(message, SpeechOutput):
            message.playing.end_early()
            if not message.playing.is_ready:
                message.playing.ready_at(now_s + self.wish.text_to_speech_ms / MS_PER_S)
            self.play(now_s)
            return not message.is_open
        return True

    @property
    def is_said(self) -> bool:
        """Whether the pipeline is done and nothing is left to be said."""
        return self._outcome is not None and (self._message is None or not self._message.is_open)

    def finish(self) -> None:
        """Tells the end of it."""
        self._announce()
        self.stage = Stage.OVER
        for output in self._outputs:
            if output.is_open:
                output.close("incomplete")
        status, details = self._ending()
        self.emit("response.done", response=self._shown(status, details, self._metadata(), self._usage()))

    def _ending(self) -> tuple[str, dict[str, Any] | None]:
        """Status, and what it says of it."""
        if self.cancelled or self._outcome is None or self._outcome.end is End.CANCELLED:
            return "cancelled", {"type": "cancelled", "reason": self.cancelled or "client_cancelled"}
        if self._outcome.end is End.DONE:
            if self._reply.is_cut:
                return "incomplete", {"type": "incomplete", "reason": "max_output_tokens"}
            return "completed", None
        refusal = refusal_of(self._outcome)
        error = {"type": refusal.kind, "code": refusal.code, "message": refusal.message}
        return "failed", {"type": "failed", "error": error}

    def _metadata(self) -> dict[str, str] | None:
        """The client's own, and where the time went as far as there is room."""
        own = self.wish.metadata or {}
        return (metadata_of(self._outcome, own) if self._outcome else dict(own)) or None

    def _usage(self) -> dict[str, Any]:
        """Tokens read and written. A reply that is spoken is written as text, so no audio is counted for it."""
        was_read = self._outcome is not None and self._outcome.end not in UNREAD
        given = self._outcome.given if self._outcome else 0
        cached = self._outcome.cached_tokens if self._outcome else 0
        read = _details(self.weights if was_read else (), None)
        found = _details(self.weights if was_read else (), cached)
        total = sum(read.values())
        return {
            "total_tokens": total + given,
            "input_tokens": total,
            "output_tokens": given,
            "input_token_details": {
                **read,
                "cached_tokens": sum(found.values()),
                "cached_tokens_details": found,
            },
            "output_token_details": {"text_tokens": given, "audio_tokens": 0},
        }

    def _shown(
        self,
        status: str,
        details: dict[str, Any] | None,
        metadata: Mapping[str, str] | None,
        usage: dict[str, Any] | None,
    ) -> dict[str, Any]:
        return {
            "object": "realtime.response",
            "id": self.ident,
            "status": status,
            "status_details": details,
            "output": [output.item.shown() for output in self._outputs],
            "conversation_id": self.conversation_id,
            "output_modalities": ["audio" if self.wish.is_spoken else "text"],
            "max_output_tokens": self.wish.most_tokens or "inf",
            "metadata": None if metadata is None else dict(metadata),
            "usage": usage,
        }


def _details(weights: Sequence[Weight], limit: int | None) -> dict[str, int]:
    """Tokens by what they are; of the first `limit` ones, where the audio of a message comes before its text."""
    audio = image = total = 0
    for weight in weights:
        tokens = weight.segment.tokens if limit is None else min(weight.segment.tokens, limit - total)
        total += tokens
        of_audio = min(weight.audio_tokens, tokens)
        audio += of_audio
        image += min(weight.image_tokens, tokens - of_audio)
    return {"text_tokens": total - audio - image, "audio_tokens": audio, "image_tokens": image}
