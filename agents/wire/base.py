"""What every protocol session has in common: what it asks of the gateway, and what it is told.

A session turns what a client sends into *effects*: messages to send, model requests to submit, requests to cancel. The
gateway submits a request to the simulated pipeline and tells the session how it goes on: `started` when the pipeline
has taken it, `tokens` as more of the reply is given, `ended` when it is over. Nothing here knows a socket or a clock;
where a session needs the time (audio that plays, speech that begins) it is handed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

__all__ = [
    "Cancel",
    "Close",
    "Effect",
    "End",
    "HttpCall",
    "ModelRequest",
    "Outcome",
    "Reply",
    "Segment",
    "Send",
    "Submit",
    "Tool",
    "ToolCall",
    "WireSession",
]


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a prompt that is computed once and found again: instructions and tools, one message, one tool result.

    Attributes:
        key: digest of all that it says, its role included; equal segments have equal keys.
        tokens: its length, >= 1.
    """

    key: bytes
    tokens: int


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the reply may call; `parameters` is its JSON schema."""

    name: str
    parameters: Mapping[str, Any]
    description: str = ""
    #: "function", or another type of tool of the Responses protocol, such as "custom".
    kind: str = "function"


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One model call that a client wants.

    Attributes:
        ident: names the request within its session; chosen by the session.
        agent: "coding" or "voice".
        model: as the client said it, perhaps with `@pipeline`.
        segments: the prompt, in order: instructions and tools first.
        last_text: what the user, or the tool, said last; for choosing a reply.
        has_tool_result: whether the last segment is the result of a tool.
        tools: those that the reply may call.
        tool_choice: "auto", "none", "required", or the name of the one that must be called.
        most_tokens: limit on the reply, >= 1; None: none.
        least_tokens: the reply must have that many at least, >= 1.
        is_exact: the reply must have exactly `most_tokens` (benchmarks).
        answer_schema: the text must be JSON that fits this schema; None: any text.
        spoken: the reply is speech: its milestone is the end of the first sentence.
        before_ms: stages of the turn that are over when the request is made, in ms: endpointing, speech_to_text.
        after_ms: stages that follow its milestone, in ms: text_to_speech.
        metadata: the client's own, to be echoed.
        conversation: names what the request continues, if the protocol says so; "" leaves it to the prompt.
        is_private: nobody else continues that conversation, and its requests continue no other.
        replies: of the model, that the prompt holds already.
        tool_steps: of these, those that called tools since the user's last message.
    """

    ident: str
    agent: str
    model: str
    segments: tuple[Segment, ...]
    last_text: str = ""
    has_tool_result: bool = False
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    most_tokens: int | None = None
    least_tokens: int = 1
    is_exact: bool = False
    answer_schema: Mapping[str, Any] | None = None
    spoken: bool = False
    before_ms: Mapping[str, float] = field(default_factory=dict)
    after_ms: Mapping[str, float] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    conversation: str = ""
    is_private: bool = False
    replies: int = 0
    tool_steps: int = 0

    @property
    def prompt_tokens(self) -> int:
        """Length of the prompt."""
        return sum(segment.tokens for segment in self.segments)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call in a reply; `pieces` joined are its arguments, as JSON that fits the tool's schema."""

    call_id: str
    tool: Tool
    pieces: tuple[str, ...]

    @property
    def arguments(self) -> str:
        """All of it."""
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model call will say: text, then calls. Known beforehand; the pipeline decides when each token is given.

    Attributes:
        pieces: the text, a token each.
        calls: tools that are called, in order, after the text.
        reasoning_tokens: given before the text and not shown.
        is_cut: it ends because `most_tokens` is reached.
        first_sentence: tokens (reasoning included) up to the end of the first sentence.
    """

    pieces: tuple[str, ...]
    calls: tuple[ToolCall, ...] = ()
    reasoning_tokens: int = 0
    is_cut: bool = False
    first_sentence: int = 1

    @property
    def output_tokens(self) -> int:
        """All tokens that the pipeline makes for it, >= 1."""
        return max(1, self.reasoning_tokens + len(self.pieces) + sum(len(call.pieces) for call in self.calls))


class End(Enum):
    """How a model request ended."""

    DONE = "done"
    CANCELLED = "cancelled"
    THROTTLED = "throttled"  # the gateway of the pipeline refused it (429)
    FAILED = "failed"  # lost for good, or no server to take it
    TOO_LONG = "too_long"  # its context does not fit the pipeline
    NO_PIPELINE = "no_pipeline"  # the model's name asks for a pipeline that the run does not have


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a model request went, in the pipeline's time.

    Attributes:
        given: tokens of the reply that were given.
        cached_tokens: of the prompt, found in a prefix cache.
        ttft_ms: from sending to the first token at the client; None: there was none.
        stages_ms: by name, in order; their sum is `latency_ms`.
        pipeline: which one it was.
        reason: in words, for anything but DONE.
        other_ms: latency of the same turn on the other pipelines, as far as known.
    """

    end: End
    given: int
    cached_tokens: int
    ttft_ms: float | None
    latency_ms: float
    stages_ms: Mapping[str, float]
    pipeline: str
    reason: str = ""
    other_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Send:
    """A message for the client: a JSON object.

    Attributes:
        event: its type where the transport wants it (SSE).
        is_last: nothing follows on this stream, or this is the whole answer.
        text: sent as it is instead of the message, such as the `[DONE]` that ends a stream of chat chunks.
    """

    message: Mapping[str, Any]
    event: str = ""
    is_last: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class Submit:
    """A model request for the pipeline."""

    request: ModelRequest


@dataclass(frozen=True, slots=True)
class Cancel:
    """The request is not wanted any more; `ended` comes with what was given so far."""

    ident: str


@dataclass(frozen=True, slots=True)
class Close:
    """The connection ends, with a websocket's code and reason."""

    code: int
    reason: str


Effect = Send | Submit | Cancel | Close


class WireSession(Protocol):
    """One connection of a client, or one HTTP request."""

    def opened(self) -> Sequence[Effect]:
        """The connection stands."""

    def received(self, data: str | bytes, now_s: float) -> Sequence[Effect]:
        """The client has sent a message; `now_s` are the gateway's monotonic seconds. Never raises for bad input."""

    def started(self, ident: str, reply: Reply, pipeline: str) -> Sequence[Effect]:
        """The pipeline has taken the request (before its prefill); the reply will be this one."""

    def phase(self, ident: str, stage: str, at_ms: float, position: int | None) -> Sequence[Effect]:
        """The request has come to a stage of the pipeline.

        Args:
            stage: as the feed names it.
            at_ms: simulated time since the request was made.
            position: its place in the stage's queue, from 0; None: not known, or no queue.
        """

    def tokens(self, ident: str, given: int, now_s: float) -> Sequence[Effect]:
        """So many tokens of the reply have been given by now, in all."""

    def ended(self, ident: str, outcome: Outcome, now_s: float) -> Sequence[Effect]:
        """The request is over; also one that was never started (it was refused)."""

    def due_s(self) -> float | None:
        """When `tick` is to be called, on the clock of `now_s`; None: not before something else happens."""

    def tick(self, now_s: float) -> Sequence[Effect]:
        """The time has come."""


class HttpCall(WireSession, Protocol):
    """One HTTP request: `received` gets its body, once; a client that goes away is told by `Cancel` of what runs.

    The gateway reads the attributes when the first `Send` comes, and begins its answer with them.

    Attributes:
        status: of the answer.
        headers: of the answer, beside those of every answer.
        is_streamed: the answer is a stream of events; else it is the message of the only `Send`.
    """

    status: int
    headers: Mapping[str, str]
    is_streamed: bool
