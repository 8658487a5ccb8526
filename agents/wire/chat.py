"""Chat completions: one request, one answer, streamed in chunks or whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from subsecond.agents.tokens import TokenCounter

from .base import Effect, End, Outcome, Reply, Send, Submit, ToolCall
from .chat_request import ChatRequest, parse_chat
from .decomposition import decomposition, headers_of, refusal_of
from .giving import Giving
from .reading import Refused, decoded
from .stamps import Stamps

__all__ = ["ChatSession"]

#: What ends a stream of chunks.
_DONE = Send({}, text="[DONE]", is_last=True)


class ChatSession:
    """`POST /v1/chat/completions`.

    The first chunk leaves with the first token, not before: benchmarks take its arrival for the time to first token.

    Args:
        counter: counts the prompt.
        agent: "coding" or "voice": which parameters the reply's length comes from.
        is_exact: the caller is a benchmark: a limit on the reply is its length.
    """

    def __init__(
        self,
        counter: TokenCounter,
        *,
        agent: str = "coding",
        is_exact: bool = False,
        stamps: Stamps | None = None,
    ) -> None:
        self.status = 200
        self.headers: Mapping[str, str] = {}
        self.is_streamed = False
        self._counter = counter
        self._agent = agent
        self._is_exact = is_exact
        stamps = stamps or Stamps()
        self._ident = f"chatcmpl-{stamps.new_id()}"
        self._created = int(stamps.wall_s())
        self._asked: ChatRequest | None = None
        self._giving: Giving | None = None
        self._is_over = False
        self._has_begun = False
        self._begun_calls: set[int] = set()

    def opened(self) -> Sequence[Effect]:
        """Nothing happens before the body is there."""
        return ()

    def received(self, data: str | bytes, now_s: float) -> Sequence[Effect]:
        """The request's body."""
        if self._asked is not None or self._is_over:
            return ()
        try:
            self._asked = parse_chat(decoded(data), self._counter, agent=self._agent, is_exact=self._is_exact)
        except Refused as refused:
            return self._refuse(refused)
        return (Submit(self._asked.request),)

    def started(self, ident: str, reply: Reply, pipeline: str) -> Sequence[Effect]:
        """The answer waits for its first token."""
        self._giving = Giving(reply)
        return ()

    def phase(self, ident: str, stage: str, at_ms: float, position: int | None) -> Sequence[Effect]:
        """Chat clients are not told."""
        return ()

    def tokens(self, ident: str, given: int, now_s: float) -> Sequence[Effect]:
        """More of the reply: chunks, if they are wanted."""
        if self._is_over or self._giving is None or self._asked is None:
            return ()
        runs = self._giving.advance(given)
        if not self._asked.is_streamed:
            return ()
        return [effect for part, text in runs for effect in self._chunks(part, text)]

    def ended(self, ident: str, outcome: Outcome, now_s: float) -> Sequence[Effect]:
        """The answer is complete, or will never be."""
        if self._is_over or self._asked is None:
            return ()
        if outcome.end is not End.DONE or self._giving is None:
            return self._refuse(refusal_of(outcome))
        chunks = list(self.tokens(ident, outcome.given, now_s))
        self._is_over = True
        finish, usage = self._finish_reason(), self._usage(outcome.cached_tokens)
        usage["subsecond"] = decomposition(outcome)
        if not self._asked.is_streamed:
            self.headers = headers_of(outcome)
            return (Send(self._whole(finish, usage), is_last=True),)
        begin = [] if self._has_begun else [self._begin()]
        last = [self._chunk({}, finish)]
        if self._asked.has_usage:
            last.append(Send(self._head("chat.completion.chunk") | {"choices": [], "usage": usage}))
        return [*begin, *chunks, *last, _DONE]

    def due_s(self) -> float | None:
        """Time alone changes nothing."""
        return None

    def tick(self, now_s: float) -> Sequence[Effect]:
        """Time alone changes nothing."""
        return ()

    def _refuse(self, refused: Refused) -> Sequence[Effect]:
        self._is_over = True
        message = {"error": refused.body()}
        if self._has_begun:  # too late for a status: clients look for `error` in the stream
            return (Send(message), _DONE)
        self.status, self.is_streamed = refused.status, False
        return (Send(message, is_last=True),)

    def _head(self, kind: str) -> dict[str, Any]:
        assert self._asked is not None
        return {"id": self._ident, "object": kind, "created": self._created, "model": self._asked.request.model}

    def _begin(self) -> Send:
        self._has_begun = self.is_streamed = True
        return self._chunk({"role": "assistant", "content": ""}, None)

    def _chunk(self, delta: Mapping[str, Any], finish: str | None) -> Send:
        assert self._asked is not None
        message = self._head("chat.completion.chunk")
        message["choices"] = [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]
        if self._asked.has_running_usage:
            message["usage"] = self._usage(0)
        elif self._asked.has_usage:
            message["usage"] = None
        return Send(message)

    def _chunks(self, part: int, text: str) -> list[Send]:
        begin = [] if self._has_begun else [self._begin()]
        if part == 0:
            return [*begin, self._chunk({"content": text}, None)]
        assert self._giving is not None
        assert self._asked is not None
        call = self._giving.reply.calls[part - 1]
        inner = "function" if call.tool.kind == "function" else "custom"
        content = "arguments" if inner == "function" else "input"
        is_new = part not in self._begun_calls
        self._begun_calls.add(part)
        fields: dict[str, Any] = {"name": call.tool.name, content: ""} if is_new else {content: text}
        if self._asked.is_legacy:
            deltas: list[dict[str, Any]] = [{"function_call": fields}]
            if is_new:
                deltas.append({"function_call": {content: text}})
        else:
            head = {"index": part - 1}
            more = {"id": call.call_id, "type": inner} if is_new else {}
            deltas = [{"tool_calls": [head | more | {inner: fields}]}]
            if is_new:
                deltas.append({"tool_calls": [head | {inner: {content: text}}]})
        return [*begin, *(self._chunk(delta, None) for delta in deltas)]

    def _finish_reason(self) -> str:
        assert self._giving is not None
        assert self._asked is not None
        reply = self._giving.reply
        if reply.is_cut:
            return "length"
        return ("function_call" if self._asked.is_legacy else "tool_calls") if reply.calls else "stop"

    def _usage(self, cached_tokens: int) -> dict[str, Any]:
        assert self._giving is not None
        assert self._asked is not None
        prompt, given = self._asked.request.prompt_tokens, self._giving.given
        return {
            "prompt_tokens": prompt,
            "completion_tokens": given,
            "total_tokens": prompt + given,
            "prompt_tokens_details": {"cached_tokens": cached_tokens, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": self._giving.reasoning_given, "audio_tokens": 0},
        }

    def _whole(self, finish: str, usage: Mapping[str, Any]) -> dict[str, Any]:
        assert self._giving is not None
        assert self._asked is not None
        reply = self._giving.reply
        message: dict[str, Any] = {
            "role": "assistant",
            "content": "".join(reply.pieces) if reply.pieces or not reply.calls else None,
            "refusal": None,
            "annotations": [],
        }
        if reply.calls and self._asked.is_legacy:
            message["function_call"] = {"name": reply.calls[0].tool.name, "arguments": reply.calls[0].arguments}
        elif reply.calls:
            message["tool_calls"] = [_call(call) for call in reply.calls]
        choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
        return self._head("chat.completion") | {"choices": [choice], "usage": usage}


def _call(call: ToolCall) -> dict[str, Any]:
    if call.tool.kind == "function":
        fields = {"name": call.tool.name, "arguments": call.arguments}
        return {"id": call.call_id, "type": "function", "function": fields}
    return {"id": call.call_id, "type": "custom", "custom": {"name": call.tool.name, "input": call.arguments}}
