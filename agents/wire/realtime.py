"""A session of the Realtime protocol (OpenAI, GA names): what a client says, and what it hears, over one websocket.

The session holds the conversation, listens for speech in what the client sends, and paces what is said. Speech is a
cascade here: endpointing and speech-to-text pass before a request is made, text-to-speech after its first sentence.
`docs/wire.md` says what is served, and what is simulated in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from subsecond.agents.tokens import TokenCounter
from subsecond.agents.voice_delays import VoiceDelays

from . import realtime_requests as client
from .audio_input import MOST_BUFFER_MS, AudioInput, Spoken
from .base import Cancel, Effect, ModelRequest, Outcome, Reply, Send, Submit
from .reading import Refused
from .realtime_items import Conversation, Item, Part, Weight, standing
from .realtime_reading import decoded_sound, read_input, read_item
from .realtime_requests import event_id_of, parse_event, read_tools
from .realtime_response import Response, Stage, Wish
from .realtime_settings import Settings, changed, modality_of, sensitivity, shown_tool, tool_choice_of
from .speech_detector import SpeechStart

__all__ = ["RealtimeSession"]

MS_PER_S = 1000
#: Responses outside the conversation that may run side by side.
MOST_ASIDE: Final = 16
ACTIVE: Final = "conversation_already_has_active_response"
USER_CANCELLED, TURN_DETECTED = "client_cancelled", "turn_detected"


@dataclass(slots=True)
class _Transcript:
    """A user's item whose transcript is not there yet."""

    item: Item
    due_s: float
    speech_ms: float
    audio_ms: float


class RealtimeSession:
    """One connection (`WireSession`).

    Args:
        ident: of the session; ids of items and responses are made of it.
        model: from the address; None: the client will say.
        counter: counts the tokens of prompts.
        delays: of the stages around the model.
        default_model: if the client never says.
        expires_at: when the session ends, in seconds since 1970; told to the client and not acted on.
        most_audio_ms: longest audio without a commit.
    """

    def __init__(
        self,
        ident: str,
        model: str | None,
        counter: TokenCounter,
        delays: VoiceDelays,
        *,
        default_model: str = "",
        expires_at: int | None = None,
        most_audio_ms: float = MOST_BUFFER_MS,
    ) -> None:
        self._ident = ident
        self._settings = Settings(model or default_model, is_model_fixed=model is not None)
        self._counter, self._delays, self._expires_at = counter, delays, expires_at
        self._now_s = 0.0
        self._effects: list[Effect] = []
        self._num_events = self._num_ids = 0
        self._conversation = Conversation()
        self._audio = AudioInput(most_audio_ms)
        self._listen()
        self._speech_ident = ""
        self._transcripts: list[_Transcript] = []
        #: Stages of the turn before its first request, until that is made.
        self._before_ms: dict[str, float] = {}
        #: The response that the conversation has, and the one that follows it.
        self._main: Response | None = None
        self._next: Response | None = None
        self._aside: dict[str, Response] = {}
        self._handlers: dict[type[client.ClientEvent], Callable[[Any], None]] = {
            client.UpdateSession: self._update,
            client.CreateItem: self._create_item,
            client.DeleteItem: self._delete_item,
            client.RetrieveItem: self._retrieve_item,
            client.TruncateItem: self._truncate_item,
            client.Append: self._append,
            client.Commit: self._commit,
            client.ClearInput: self._clear_input,
            client.ClearOutput: self._clear_output,
            client.CreateResponse: self._create_response,
            client.Cancel: self._cancel_response,
        }

    # what the gateway calls

    def opened(self) -> Sequence[Effect]:
        """See `WireSession`."""
        self._emit("session.created", session=self._shown())
        return self._taken()

    def received(self, data: str | bytes, now_s: float) -> Sequence[Effect]:
        """See `WireSession`."""
        self._now_s = now_s
        event = None
        try:
            event = parse_event(data)
            self._handlers[type(event)](event)
        except Refused as refusal:
            event_id = event.event_id if event else event_id_of(data)
            self._emit("error", error=refusal.body() | {"event_id": event_id})
        self._go_on()
        return self._taken()

    def started(self, ident: str, reply: Reply, pipeline: str) -> Sequence[Effect]:
        """See `WireSession`."""
        response = self._find(ident)
        if response is not None:
            response.started(reply)
        return self._taken()

    def phase(self, ident: str, stage: str, at_ms: float, position: int | None) -> Sequence[Effect]:
        """Realtime clients are not told."""
        return ()

    def tokens(self, ident: str, given: int, now_s: float) -> Sequence[Effect]:
        """See `WireSession`."""
        self._now_s = now_s
        response = self._find(ident)
        if response is not None:
            response.given(given, now_s)
        self._go_on()
        return self._taken()

    def ended(self, ident: str, outcome: Outcome, now_s: float) -> Sequence[Effect]:
        """See `WireSession`."""
        self._now_s = now_s
        response = self._find(ident)
        if response is not None and response.ended(outcome, now_s):
            self._finish(response)
        self._go_on()
        return self._taken()

    def due_s(self) -> float | None:
        """See `WireSession`."""
        times: list[float | None] = [transcript.due_s for transcript in self._transcripts]
        for response in self._responses():
            if response.stage is not Stage.WAITING:
                times.append(response.due_s())
            elif response is not self._next:
                times.append(response.wish.due_s)
        return min((time for time in times if time is not None), default=None)

    def tick(self, now_s: float) -> Sequence[Effect]:
        """See `WireSession`."""
        self._now_s = now_s
        self._go_on()
        return self._taken()

    # time

    def _go_on(self) -> None:
        """Does what is due."""
        while self._transcripts and self._transcripts[0].due_s <= self._now_s:
            self._transcribe(self._transcripts.pop(0))
        for response in self._responses():
            response.play(self._now_s)
            if response.stage is Stage.RUNNING and response.is_said:
                self._finish(response)
        for response in self._responses():
            if response.stage is Stage.WAITING and response is not self._next and response.wish.due_s <= self._now_s:
                self._submit(response)

    def _responses(self) -> list[Response]:
        """All that are not over."""
        return [response for response in (self._main, self._next, *self._aside.values()) if response is not None]

    def _find(self, ident: str) -> Response | None:
        return next((response for response in self._responses() if response.ident == ident), None)

    def _finish(self, response: Response) -> None:
        """Tells the end of a response; the one that waited for it comes up."""
        response.finish()
        self._emit("rate_limits.updated", rate_limits=[])
        self._remove(response)

    def _remove(self, response: Response) -> None:
        self._aside.pop(response.ident, None)
        if response is self._next:
            self._next = None
        elif response is self._main:
            self._main, self._next = self._next, None

    # session

    def _update(self, event: client.UpdateSession) -> None:
        self._settings = changed(self._settings, event.session)
        self._listen()
        self._emit("session.updated", session=self._shown())

    def _listen(self) -> None:
        detection = self._settings.detection
        wanted = None
        if detection is not None:
            wanted = sensitivity(detection, self._delays.patience_ms(detection.eagerness or "auto"))
        self._audio.tune(self._settings.input_format, wanted)

    def _shown(self) -> dict[str, Any]:
        shown = {"id": f"sess_{self._ident}"} | self._settings.shown()
        return shown if self._expires_at is None else shown | {"expires_at": self._expires_at}

    # items

    def _create_item(self, event: client.CreateItem) -> None:
        item = read_item(event.item, self._new_ident("item"), self._settings.input_format)
        self._added(item, self._conversation.add(item, event.previous_item_id))

    def _added(self, item: Item, previous: str | None) -> None:
        self._emit("conversation.item.added", previous_item_id=previous, item=item.shown())
        self._emit("conversation.item.done", previous_item_id=previous, item=item.shown())

    def _known(self, ident: str, code: str) -> Item:
        item = self._conversation.find(ident)
        if item is None:
            raise Refused(f"no item {ident!r}", "item_id", code)
        return item

    def _delete_item(self, event: client.DeleteItem) -> None:
        self._conversation.delete(self._known(event.item_id, "item_delete_invalid_item_id"))
        self._emit("conversation.item.deleted", item_id=event.item_id)

    def _retrieve_item(self, event: client.RetrieveItem) -> None:
        item = self._known(event.item_id, "item_retrieve_invalid_item_id")
        self._emit("conversation.item.retrieved", item=item.shown())

    def _truncate_item(self, event: client.TruncateItem) -> None:
        code = "item_truncate_invalid_item_id"
        item = self._known(event.item_id, code)
        if item.kind != "message" or item.role != "assistant":
            raise Refused("only messages of the assistant are truncated", "item_id", code)
        item.truncate(event.audio_end_ms)
        for response in self._responses():
            response.mute(item)
        self._emit(
            "conversation.item.truncated",
            item_id=item.ident,
            content_index=event.content_index,
            audio_end_ms=int(event.audio_end_ms),
        )

    # audio of the user

    def _append(self, event: client.Append) -> None:
        for heard in self._audio.append(decoded_sound(event.audio, "audio")):
            if isinstance(heard, SpeechStart):
                self._speech_started(heard)
            else:
                self._speech_stopped(heard)

    def _speech_started(self, start: SpeechStart) -> None:
        self._speech_ident = self._new_ident("item")
        self._emit("input_audio_buffer.speech_started", audio_start_ms=round(start.at_ms), item_id=self._speech_ident)
        detection = self._settings.detection
        if detection is None or detection.interrupt_response is False:
            return
        for response in (self._next, self._main):
            if response is not None:
                self._cancel(response, TURN_DETECTED)

    def _speech_stopped(self, spoken: Spoken) -> None:
        ident = self._speech_ident
        self._emit("input_audio_buffer.speech_stopped", audio_end_ms=round(spoken.end_ms), item_id=ident)
        self._committed(spoken)
        detection = self._settings.detection
        if detection is not None and detection.create_response is not False:
            self._answer_speech()

    def _answer_speech(self) -> None:
        """The user's turn is over: one response follows, after the one that runs if that was not interrupted."""
        for response in (self._next, self._main):
            if response is not None and response.stage is Stage.WAITING:
                if response.wish.is_by_client:
                    return
                self._remove(response)
        self._line_up(self._wish(client.ResponseGiven(), is_by_client=False))

    def _commit(self, event: client.Commit) -> None:
        self._committed(self._audio.commit())

    def _committed(self, spoken: Spoken) -> None:
        """Audio becomes an item; its transcript follows when speech-to-text, which began with the silence, is done."""
        item = Item(self._speech_ident or self._new_ident("item"), "message", "user")
        self._speech_ident = ""
        item.parts.append(Part("input_audio", None, spoken.audio_ms, spoken.digest))
        previous = self._conversation.add(item)
        self._emit("input_audio_buffer.committed", item_id=item.ident, previous_item_id=previous)
        self._added(item, previous)
        rest_ms = max(0.0, self._delays.speech_to_text_ms - spoken.silence_ms)
        self._before_ms = {"endpointing": spoken.silence_ms, "speech_to_text": rest_ms}
        due_s = max(self._now_s + rest_ms / MS_PER_S, self._transcripts[-1].due_s if self._transcripts else 0.0)
        self._transcripts.append(_Transcript(item, due_s, spoken.speech_ms, spoken.audio_ms))

    def _transcribe(self, done: _Transcript) -> None:
        """What was said cannot be known; how long somebody spoke can."""
        part = done.item.parts[0]
        part.text = f"[speech, {done.speech_ms / MS_PER_S:.1f} s]"
        if self._settings.transcription is None:
            return
        place = {"item_id": done.item.ident, "content_index": 0}
        kind = "conversation.item.input_audio_transcription"
        self._emit(f"{kind}.delta", **place, delta=part.text)
        usage = {"type": "duration", "seconds": round(done.audio_ms / MS_PER_S, 3)}
        self._emit(f"{kind}.completed", **place, transcript=part.text, usage=usage)

    def _clear_input(self, event: client.ClearInput) -> None:
        self._audio.clear()
        self._speech_ident = ""
        self._emit("input_audio_buffer.cleared")

    # responses

    def _create_response(self, event: client.CreateResponse) -> None:
        given = event.response or client.ResponseGiven()
        wish = self._wish(given, is_by_client=True)
        if not wish.is_in_conversation:
            if len(self._aside) >= MOST_ASIDE:
                raise Refused(f"{MOST_ASIDE} responses run outside the conversation", code="rate_limit_exceeded")
            response = self._response(wish)
            self._aside[response.ident] = response
            return
        if self._next is not None or (self._main is not None and not self._main.cancelled):
            active = self._main.ident if self._main else ""
            raise Refused(f"response.create while {active} is under way: wait for its response.done", code=ACTIVE)
        self._line_up(wish)

    def _line_up(self, wish: Wish) -> None:
        """The conversation's next response; it is asked for when it is due and nothing else runs."""
        response = self._response(wish)
        if self._main is None:
            self._main = response
        else:
            self._next = response

    def _response(self, wish: Wish) -> Response:
        conversation = self._conversation if wish.is_in_conversation else None
        conversation_id = f"conv_{self._ident}" if wish.is_in_conversation else None
        return Response(self._new_ident("resp"), wish, self._emit, conversation_id, conversation, self._new_item)

    def _new_item(self, kind: str) -> Item:
        return Item(self._new_ident("item"), kind, "assistant")

    def _wish(self, given: client.ResponseGiven, *, is_by_client: bool) -> Wish:
        settings = self._settings
        tools = settings.tools if given.tools is None else read_tools(given.tools, "response.tools")
        choice = given.tool_choice or settings.tool_choice
        limit = settings.most_tokens
        if given.max_output_tokens is not None:
            limit = given.max_output_tokens if isinstance(given.max_output_tokens, int) else None
        modality = modality_of(given.output_modalities) if given.output_modalities else settings.modality
        items = None
        if given.input is not None:
            items = read_input(given.input, self._conversation, settings.input_format)
        return Wish(
            is_spoken=modality == "audio",
            instructions=settings.instructions if given.instructions is None else given.instructions,
            tools=tools,
            tool_choice=tool_choice_of(choice, tools),
            most_tokens=limit,
            metadata=given.metadata,
            items=items,
            is_in_conversation=given.conversation != "none",
            is_by_client=is_by_client,
            due_s=self._transcripts[-1].due_s if self._transcripts else self._now_s,
            speech_tokens_per_s=self._delays.speech_tokens_per_s * settings.speed,
            text_to_speech_ms=self._delays.text_to_speech_ms,
            sound=settings.output_format,
        )

    def _submit(self, response: Response) -> None:
        wish = response.wish
        items = list(self._conversation) if wish.items is None else wish.items
        weights = [self._first_weight(wish), *(item.weight(self._counter) for item in items)]
        before_ms: dict[str, float] = {}
        if wish.is_in_conversation:
            before_ms, self._before_ms = self._before_ms, {}
        response.asked(weights)
        stands = standing(items)
        request = ModelRequest(
            ident=response.ident,
            agent="voice",
            model=self._settings.model,
            segments=tuple(weight.segment for weight in weights),
            last_text=stands.last_text,
            has_tool_result=stands.has_tool_result,
            tools=wish.tools,
            tool_choice=wish.tool_choice,
            most_tokens=wish.most_tokens,
            spoken=wish.is_spoken,
            before_ms=before_ms,
            after_ms={"text_to_speech": wish.text_to_speech_ms} if wish.is_spoken else {},
            metadata=wish.metadata or {},
            conversation=response.conversation_id or "",
            is_private=wish.is_in_conversation,
            replies=stands.replies,
            tool_steps=stands.tool_steps,
        )
        self._effects.append(Submit(request))

    def _first_weight(self, wish: Wish) -> Weight:
        """Instructions and tools."""
        tools = json.dumps([shown_tool(tool) for tool in wish.tools]) if wish.tools else ""
        return Weight(self._counter.segment("system", f"{wish.instructions}\n{tools}".strip()))

    def _cancel_response(self, event: client.Cancel) -> None:
        response = self._main if event.response_id is None else self._find(event.response_id)
        if response is None or response.cancelled:
            raise Refused("Cancellation failed: no active response found", "response_id", "response_cancel_not_active")
        self._cancel(response, USER_CANCELLED)

    def _cancel(self, response: Response, reason: str) -> None:
        """A response is not wanted any more. One that the pipeline works at is over when that has let go of it."""
        if response.cancelled:
            return
        if response.stage is Stage.WAITING and not response.wish.is_by_client:
            self._remove(response)  # nobody knows of it
            return
        response.cancelled = reason
        if response.is_asked:
            response.mute()
            self._effects.append(Cancel(response.ident))
        else:
            self._finish(response)

    def _clear_output(self, event: client.ClearOutput) -> None:
        for response in self._responses():
            if response.mute():
                self._emit("output_audio_buffer.cleared", response_id=response.ident)

    # events

    def _new_ident(self, kind: str) -> str:
        """An id that nobody has; clients choose ids too."""
        while True:
            self._num_ids += 1
            ident = f"{kind}_{self._ident}_{self._num_ids}"
            if self._conversation.find(ident) is None:
                return ident

    def _emit(self, kind: str, /, **fields: Any) -> None:
        self._num_events += 1
        event_id = f"event_{self._ident}_{self._num_events}"
        self._effects.append(Send({"type": kind, "event_id": event_id, **fields}, kind))

    def _taken(self) -> Sequence[Effect]:
        """The effects so far; the list begins anew."""
        effects, self._effects = self._effects, []
        return effects
