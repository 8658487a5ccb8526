"""A gateway on a virtual clock for sessions of the Realtime protocol: it says what a pipeline would, and looks at all
that the session says through the models of the openai SDK."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec
import numpy as np
from openai.types.realtime.realtime_server_event import RealtimeServerEvent
from pydantic import Field, TypeAdapter

from subsecond.agents.tokens import TokenCounter, estimated_pieces
from subsecond.agents.voice_delays import VoiceDelays
from subsecond.agents.wire.base import Cancel, Effect, End, ModelRequest, Outcome, Reply, Send, Submit, Tool, ToolCall
from subsecond.agents.wire.realtime import RealtimeSession
from subsecond.agents.wire.sound_formats import PCM, SoundFormat
from subsecond.agents.wire.speech_sound import spoken

EVENTS: TypeAdapter[Any] = TypeAdapter(Annotated[RealtimeServerEvent, Field(discriminator="type")])
DELAYS = VoiceDelays(
    speech_to_text_ms=250, text_to_speech_ms=180, speech_tokens_per_s=4, high_ms=300, medium_ms=500, low_ms=800
)
COUNTER = TokenCounter("estimate", estimated_pieces)
TEXT = Reply(("Good", " morning", ".", " How", " are", " you", "?"), first_sentence=3)
WEATHER = Tool("weather", {"type": "object", "properties": {"city": {"type": "string"}}})

Script = Callable[[ModelRequest], Reply | End]


def call(number: int, *pieces: str) -> ToolCall:
    """A call of `weather`."""
    return ToolCall(f"call_{number}", WEATHER, pieces or ('{"city"', ': "Oslo"}'))


def speech(seconds: float, sound: SoundFormat = PCM) -> bytes:
    """Somebody speaks, a word every 250 ms."""
    words = ("hello", "please", "book", "a", "table", "for", "two", "people")
    parts = [spoken(words[n % len(words)], sound.rate // 4, sound.rate) for n in range(round(seconds * 4))]
    return sound.encode(np.concatenate(parts))


def silence(seconds: float, sound: SoundFormat = PCM) -> bytes:
    """Nobody does."""
    return sound.encode(np.zeros(round(seconds * sound.rate), np.int16))


@dataclass
class _Running:
    request: ModelRequest
    reply: Reply
    first_s: float
    given: int = 0


@dataclass
class Gateway:
    """Drives one session.

    Attributes:
        script: what the pipeline says to a request: a reply, or how it fails.
        ttft_s, tokens_per_s: its pace.
        events: all that the session has sent, with the time of each in `times`.
        requests: all that it has submitted.
        lets_go: requests that are cancelled end at once; else when `let_go` is called.
    """

    script: Script = lambda request: TEXT
    ttft_s: float = 0.1
    tokens_per_s: float = 50.0
    model: str | None = "sim@gpu"
    now_s: float = 1000.0
    lets_go: bool = True
    events: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    requests: list[ModelRequest] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    cached_tokens: int = 0
    is_checked: bool = True

    def __post_init__(self) -> None:
        self.session = RealtimeSession("1", self.model, COUNTER, DELAYS, default_model="default")
        self._running: dict[str, _Running] = {}
        self._do(self.session.opened())

    # what the client does

    def send(self, kind: str, **fields: Any) -> None:
        """An event of the client."""
        self.raw(json.dumps({"type": kind, **fields}))

    def raw(self, data: str | bytes) -> None:
        """Anything that a client may send."""
        self._do(self.session.received(data, self.now_s))

    def update(self, **settings: Any) -> None:
        """Settings of the session."""
        self.send("session.update", session={"type": "realtime", **settings})

    def say(self, text: str, **fields: Any) -> None:
        """A message of the user."""
        content = [{"type": "input_text", "text": text}]
        self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content}, **fields)

    def hear(self, sound: bytes, *, in_real_time: bool = False, piece: int = 4800) -> None:
        """Audio of the user, in pieces."""
        for start in range(0, len(sound), piece):
            data = sound[start : start + piece]
            self.send("input_audio_buffer.append", audio=base64.b64encode(data).decode())
            if in_real_time:
                self.advance(len(data) / 48000)

    # what passes

    def advance(self, seconds: float) -> None:
        """Time passes."""
        end_s = self.now_s + seconds
        while (due_s := self._due_s()) is not None and due_s <= end_s:
            self.now_s = max(self.now_s, due_s)
            self._step()
        self.now_s = end_s
        self._step()

    def finish(self, limit_s: float = 600.0) -> None:
        """Time passes until nothing is left to do."""
        end_s = self.now_s + limit_s
        while (due_s := self._due_s()) is not None and due_s <= end_s:
            self.now_s = max(self.now_s, due_s)
            self._step()

    def let_go(self) -> None:
        """The pipeline lets go of all that is cancelled."""
        for ident in self.cancelled:
            if ident in self._running:
                self._end(ident, End.CANCELLED)

    def _due_s(self) -> float | None:
        times = [self._next_s(running) for running in self._running.values()]
        due_s = self.session.due_s()
        return min((*times, due_s) if due_s is not None else times, default=None)

    def _next_s(self, running: _Running) -> float:
        return running.first_s + running.given / self.tokens_per_s

    def _step(self) -> None:
        for ident, running in list(self._running.items()):
            if ident in self._running and self._next_s(running) <= self.now_s + 1e-9:
                running.given = min(
                    running.reply.output_tokens, int((self.now_s - running.first_s) * self.tokens_per_s + 1e-6) + 1
                )
                self._do(self.session.tokens(ident, running.given, self.now_s))
                if running.given == running.reply.output_tokens and ident in self._running:
                    self._end(ident, End.DONE)
        due_s = self.session.due_s()
        if due_s is not None and due_s <= self.now_s:
            self._do(self.session.tick(self.now_s))
            later_s = self.session.due_s()
            assert later_s is None or later_s > self.now_s, "a tick does all that is due"

    def _end(self, ident: str, end: End) -> None:
        given = self._running.pop(ident).given
        self._do(self.session.ended(ident, self.outcome(end, given), self.now_s))

    def outcome(self, end: End, given: int) -> Outcome:
        """How a request went."""
        return Outcome(
            end,
            given,
            self.cached_tokens,
            123.4 if given else None,
            456.7,
            {"network": 10.0, "prefill": 113.4, "decode_rest": 333.3},
            "gpu",
            "" if end is End.DONE else f"it was {end.value}",
            {"trn-cs3": 99.5},
        )

    def _do(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self._sent(effect.message)
            elif isinstance(effect, Submit):
                self._submitted(effect.request)
            elif isinstance(effect, Cancel):
                self.cancelled.append(effect.ident)
                if self.lets_go and effect.ident in self._running:
                    self._end(effect.ident, End.CANCELLED)

    def _sent(self, message: Mapping[str, Any]) -> None:
        data = msgspec.json.encode(message)
        if self.is_checked:
            EVENTS.validate_json(data, strict=True)
        self.events.append(json.loads(data))
        self.times.append(self.now_s)

    def _submitted(self, request: ModelRequest) -> None:
        self.requests.append(request)
        said = self.script(request)
        if isinstance(said, End):
            self._do(self.session.ended(request.ident, self.outcome(said, 0), self.now_s))
            return
        self._running[request.ident] = _Running(request, said, self.now_s + self.ttft_s)
        self._do(self.session.started(request.ident, said, "gpu"))

    # what was heard

    def kinds(self, since: int = 0) -> list[str]:
        """Types of events, equal ones in a row as one."""
        kinds = [event["type"] for event in self.events[since:]]
        return [kind for place, kind in enumerate(kinds) if place == 0 or kinds[place - 1] != kind]

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Events of a type."""
        return [event for event in self.events if event["type"] == kind]

    def last(self, kind: str) -> dict[str, Any]:
        """The latest event of a type."""
        return self.all(kind)[-1]

    @property
    def errors(self) -> list[dict[str, Any]]:
        """All errors."""
        return [event["error"] for event in self.all("error")]
