"""Subsecond's own protocol over a websocket: turns by their size, every stage as it comes, both pipelines at the end.

For agents that have no model to talk to but a load to play: they say how many tokens a turn has, and get told what the
standard protocols have no words for. `docs/native.md` shows every message.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from subsecond.agents.tokens import TokenCounter

from .base import Cancel, Close, Effect, ModelRequest, Outcome, Reply, Segment, Send, Submit
from .decomposition import decomposition
from .reading import MOST_TOKENS, Refused, decoded, mapping, shown, text, whole
from .stamps import Stamps

__all__ = ["VERSION", "NativeSession"]

VERSION: Final = 1
#: Turns of one connection that are open at a time, and conversations that it can go on with.
MOST_OPEN: Final = 256
MOST_CONVERSATIONS: Final = 256
LONGEST_NAME: Final = 100
#: Stages that an agent can say it has spent before and after the model, and the longest of them.
BEFORE: Final = ("endpointing", "speech_to_text")
AFTER: Final = ("text_to_speech",)
LONGEST_STAGE_MS: Final = 600_000.0


@dataclass(slots=True)
class _Conversation:
    segments: tuple[Segment, ...] = ()
    replies: int = 0


@dataclass(slots=True)
class _Turn:
    ident: str
    request: ModelRequest
    conversation: _Conversation
    asked_s: float
    given: int = field(default=0)


class NativeSession:
    """One websocket on `/v1/native`.

    Args:
        counter: counts turns that come as text.
        model: the one that turns are for; they choose the pipeline alone.

    Attributes:
        name: what the agent calls itself; "" before it has said so.
    """

    def __init__(self, counter: TokenCounter, model: str, stamps: Stamps | None = None) -> None:
        self.name = ""
        self._counter = counter
        self._model = model
        self._session = (stamps or Stamps()).new_id()
        self._agent = ""
        self._turns: dict[str, _Turn] = {}
        self._number = 0
        self._conversations: OrderedDict[str, _Conversation] = OrderedDict()
        self._serve: Mapping[str, Callable[[Mapping[str, Any], float], Sequence[Effect]]] = {
            "hello": self._hello,
            "turn": self._turn,
            "cancel": self._cancel,
        }

    def opened(self) -> Sequence[Effect]:
        """The agent speaks first."""
        return ()

    def received(self, data: str | bytes, now_s: float) -> Sequence[Effect]:
        """A message of the agent."""
        ident: object = None
        try:
            message = decoded(data)
            ident = message.get("id")
            op = message.get("op")
            serve = self._serve.get(op) if isinstance(op, str) else None
            if serve is None:
                raise Refused(f"op: got {shown(op)}, expected one of {', '.join(self._serve)}", "op")
            if not self._agent and op != "hello":
                raise Refused(f"op: got {shown(op)}, expected hello first", "op")
            return serve(message, now_s)
        except Refused as refused:
            error = {"op": "error", "id": ident if isinstance(ident, str) else None}
            return (Send(error | {"message": refused.message, "param": refused.param}),)

    def started(self, ident: str, reply: Reply, pipeline: str) -> Sequence[Effect]:
        """The pipeline has taken a turn."""
        if (turn := self._turns.get(ident)) is None:
            return ()
        message = {"op": "started", "id": turn.ident, "pipeline": pipeline, "output_tokens": reply.output_tokens}
        return (Send(message),)

    def phase(self, ident: str, stage: str, at_ms: float, position: int | None) -> Sequence[Effect]:
        """A turn has come to a stage."""
        if (turn := self._turns.get(ident)) is None:
            return ()
        message: dict[str, Any] = {"op": "phase", "id": turn.ident, "phase": stage, "at_ms": round(at_ms, 3)}
        if position is not None:
            message["position"] = position
        return (Send(message),)

    def tokens(self, ident: str, given: int, now_s: float) -> Sequence[Effect]:
        """So many tokens by now."""
        turn = self._turns.get(ident)
        if turn is None or given <= turn.given:
            return ()
        turn.given = given
        elapsed_ms = round((now_s - turn.asked_s) * 1e3, 3)
        return (Send({"op": "tok", "id": turn.ident, "n": given, "elapsed_ms": elapsed_ms}),)

    def ended(self, ident: str, outcome: Outcome, now_s: float) -> Sequence[Effect]:
        """A turn is over."""
        if (turn := self._turns.get(ident)) is None:
            return ()
        last = list(self.tokens(ident, outcome.given, now_s))
        del self._turns[ident]
        if outcome.given:
            said = Segment(_key(self._session, "reply", ident), outcome.given)
            turn.conversation.segments = (*turn.request.segments, said)
            turn.conversation.replies += 1
        usage = {
            "input_tokens": turn.request.prompt_tokens,
            "cached_tokens": outcome.cached_tokens,
            "output_tokens": outcome.given,
        }
        message = {"op": "end", "id": turn.ident, "end": outcome.end.value, "reason": outcome.reason, "usage": usage}
        return [*last, Send(message | decomposition(outcome))]

    def due_s(self) -> float | None:
        """Time alone changes nothing."""
        return None

    def tick(self, now_s: float) -> Sequence[Effect]:
        """Time alone changes nothing."""
        return ()

    def _hello(self, message: Mapping[str, Any], now_s: float) -> Sequence[Effect]:
        if self._agent:
            raise Refused("op: got a second hello, expected turn or cancel", "op")
        version = message.get("version")
        if version != VERSION or isinstance(version, bool):
            reason = f"version: got {shown(version)}, expected {VERSION}"
            return (Send({"op": "error", "id": None, "message": reason, "param": "version"}), Close(1002, reason[:120]))
        agent = _kind(message, "coding")
        self.name = text(message, "name", "")[:LONGEST_NAME]
        self._agent = agent
        return (Send({"op": "welcome", "version": VERSION, "session": self._session, "model": self._model}),)

    def _turn(self, message: Mapping[str, Any], now_s: float) -> Sequence[Effect]:
        ident = _name(message, "id")
        if any(turn.ident == ident for turn in self._turns.values()):
            raise Refused(f"id: got {shown(ident)}, expected one of which no turn is open", "id")
        if len(self._turns) >= MOST_OPEN:
            raise Refused(f"op: got turn {MOST_OPEN + 1}, expected at most {MOST_OPEN} open ones", "op")
        number = f"turn-{self._number}"
        said, last_text = self._said(message, number)
        name = _name(message, "conversation") if message.get("conversation") is not None else ""
        conversation = (self._conversations.get(name) if name else None) or _Conversation()
        agent = _kind(message, self._agent)
        most = whole(message, "output_tokens")
        pipeline = text(message, "pipeline", "")[:LONGEST_NAME]
        request = ModelRequest(
            ident=number,
            agent=agent,
            model=f"{self._model}@{pipeline}" if pipeline else self._model,
            segments=(*conversation.segments, said),
            last_text=last_text,
            most_tokens=most,
            is_exact=most is not None,
            spoken=agent == "voice",
            before_ms=_stages(message, "before_ms", BEFORE),
            after_ms=_stages(message, "after_ms", AFTER),
            conversation=f"{self._session}/{name}" if name else "",
            is_private=bool(name),
            replies=conversation.replies,
        )
        self._number += 1
        self._turns[number] = _Turn(ident, request, conversation, now_s)
        if name:
            self._conversations[name] = conversation
            self._conversations.move_to_end(name)
            if len(self._conversations) > MOST_CONVERSATIONS:
                self._conversations.popitem(last=False)
        return (Submit(request),)

    def _said(self, message: Mapping[str, Any], number: str) -> tuple[Segment, str]:
        tokens, said = whole(message, "input_tokens"), message.get("text")
        if (tokens is None) == (said is None):
            raise Refused(f"input_tokens: expected it or text, a number from 1 to {MOST_TOKENS}", "input_tokens")
        if tokens is not None:
            return Segment(_key(self._session, "turn", number), tokens), ""
        return self._counter.segment("user", text(message, "text")), text(message, "text")

    def _cancel(self, message: Mapping[str, Any], now_s: float) -> Sequence[Effect]:
        """A turn that is over already is nothing to complain about."""
        ident = _name(message, "id")
        return [Cancel(number) for number, turn in self._turns.items() if turn.ident == ident]


def _key(*parts: str) -> bytes:
    return blake2b("\0".join(parts).encode(), digest_size=16).digest()


def _name(message: Mapping[str, Any], key: str) -> str:
    name = text(message, key)
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Refused(f"{key}: got {shown(name)}, expected 1 to {LONGEST_NAME} letters", key)
    return name


def _kind(message: Mapping[str, Any], default: str) -> str:
    kind = text(message, "kind", default)
    if kind not in ("coding", "voice"):
        raise Refused(f"kind: got {shown(kind)}, expected coding or voice", "kind")
    return kind


def _stages(message: Mapping[str, Any], key: str, known: Sequence[str]) -> dict[str, float]:
    stages = {}
    for name, value in mapping(message, key).items():
        if name not in known:
            raise Refused(f"{key}: got {shown(name)}, expected one of {', '.join(known)}", key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_STAGE_MS:
            expected = f"milliseconds from 0 to {LONGEST_STAGE_MS:g}"
            raise Refused(f"{key}.{name}: got {shown(value)}, expected {expected}", f"{key}.{name}")
        stages[name] = float(value)
    return stages
