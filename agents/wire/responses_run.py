"""One response of the Responses protocol, from `response.created` to its last event."""

from __future__ import annotations

from typing import Any, Final

from .base import End, Outcome, Reply, Send, ToolCall
from .decomposition import metadata_of, refusal_of
from .giving import Giving
from .responses_request import ResponsesRequest
from .stamps import Stamps

__all__ = ["ResponseRun"]

#: Codes of errors that a response may carry; strict clients know no other.
_RESPONSE_CODES: Final = ("server_error", "rate_limit_exceeded")


class ResponseRun:
    """Makes the events of one response.

    Args:
        asked: what the client wants.
        lane: the `stream_id` that every event repeats; "" for none.

    Attributes:
        output: items so far, as they were streamed.
        is_begun: the client knows of it.
    """

    def __init__(self, asked: ResponsesRequest, stamps: Stamps, lane: str = "") -> None:
        self.asked = asked
        self.lane = lane
        self.output: list[dict[str, Any]] = []
        self.is_begun = False
        self._stamps = stamps
        self._created_at = int(stamps.wall_s())
        self._sequence = 0
        self._giving = Giving(Reply(()))
        self._part: int | None = None

    @property
    def ident(self) -> str:
        """Id of the response."""
        return self.asked.request.ident

    def begin(self, reply: Reply | None = None) -> list[Send]:
        """The pipeline has taken the request."""
        if self.is_begun:
            return []
        self.is_begun = True
        self._giving = Giving(reply or Reply(()))
        response = self.response("in_progress")
        return [
            self._event("response.created", response=response),
            self._event("response.in_progress", response=response),
        ]

    def advance(self, given: int) -> list[Send]:
        """More of the reply."""
        events = []
        for part, text in self._giving.advance(given):
            if part != self._part:
                events += self._close("completed") + self._open(part)
            events.append(self._delta(text))
        return events

    def finish(self, outcome: Outcome) -> list[Send]:
        """The reply is over, complete or not."""
        events = self.begin() + self.advance(outcome.given)
        usage = self._usage(outcome)
        metadata = metadata_of(outcome, self.asked.request.metadata)
        if outcome.end is End.DONE:
            is_cut = self._giving.reply.is_cut and not self.asked.request.is_exact
            status = "incomplete" if is_cut else "completed"
        else:
            status = "cancelled" if outcome.end is End.CANCELLED else "failed"
        events += self._close("completed" if status == "completed" else "incomplete")
        response = self.response(status) | {"usage": usage, "metadata": metadata}
        if status == "incomplete":
            response["incomplete_details"] = {"reason": "max_output_tokens"}
        if status == "failed":
            refused = refusal_of(outcome)
            code = refused.code if refused.code in _RESPONSE_CODES else "server_error"
            response["error"] = {"code": code, "message": refused.message}
        if status == "completed":
            response["completed_at"] = int(self._stamps.wall_s())
        name = "incomplete" if status == "cancelled" else status
        return [*events, self._event(f"response.{name}", is_last=True, response=response)]

    def warm_up(self) -> list[Send]:
        """Nothing is generated: the response is complete at once, and there to go on from."""
        zero = Outcome(End.DONE, 0, 0, None, 0.0, {}, "")
        events = self.begin()
        response = self.response("completed") | {"usage": self._usage(zero, 0)}
        return [*events, self._event("response.completed", is_last=True, response=response)]

    def error(self, outcome: Outcome) -> Send:
        """For an end that a response cannot tell of itself, in a stream over HTTP."""
        refused = refusal_of(outcome)
        return self._event("error", is_last=True, code=refused.code, message=refused.message, param=refused.param)

    def response(self, status: str) -> dict[str, Any]:
        """The response as it stands."""
        return {
            "id": self.ident,
            "object": "response",
            "created_at": self._created_at,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "metadata": dict(self.asked.request.metadata),
            "output": list(self.output),
            "usage": None,
            **self.asked.echo,
        }

    def _event(self, kind: str, *, is_last: bool = False, **fields: Any) -> Send:
        message = {"type": kind, "sequence_number": self._sequence, **fields}
        self._sequence += 1
        if self.lane:
            message["stream_id"] = self.lane
        return Send(message, kind, is_last)

    def _call(self, part: int) -> ToolCall:
        return self._giving.reply.calls[part - 1]

    def _open(self, part: int) -> list[Send]:
        """The first events of an item."""
        self._part = part
        index = len(self.output)
        if part == 0:
            item = _message(f"msg_{self._stamps.new_id()}", None, "in_progress")
        else:
            item = _call_item(self._call(part), self._stamps.new_id(), "", "in_progress")
        self.output.append(item)
        events = [self._event("response.output_item.added", output_index=index, item=item)]
        if part == 0:
            place = {"item_id": item["id"], "output_index": index, "content_index": 0}
            events.append(self._event("response.content_part.added", **place, part=_text_part("")))
        return events

    def _delta(self, text: str) -> Send:
        item = self.output[-1]
        place = {"item_id": item["id"], "output_index": len(self.output) - 1}
        if item["type"] == "message":
            return self._event("response.output_text.delta", **place, content_index=0, delta=text, logprobs=[])
        kind = "function_call_arguments" if item["type"] == "function_call" else "custom_tool_call_input"
        return self._event(f"response.{kind}.delta", **place, delta=text)

    def _close(self, status: str) -> list[Send]:
        """The last events of the item that is open, if one is."""
        part, self._part = self._part, None
        if part is None:
            return []
        text = self._giving.text_so_far(part)
        ident, index = self.output[-1]["id"], len(self.output) - 1
        place = {"item_id": ident, "output_index": index}
        if part == 0:
            item = _message(ident, text, status)
            content = place | {"content_index": 0}
            events = [
                self._event("response.output_text.done", **content, text=text, logprobs=[]),
                self._event("response.content_part.done", **content, part=_text_part(text)),
            ]
        else:
            call = self._call(part)
            item = _call_item(call, ident.partition("_")[2], text, status)
            if item["type"] == "function_call":
                done = self._event(
                    "response.function_call_arguments.done", **place, arguments=text, name=call.tool.name
                )
            else:
                done = self._event("response.custom_tool_call_input.done", **place, input=text)
            events = [done]
        self.output[-1] = item
        return [*events, self._event("response.output_item.done", output_index=index, item=item)]

    def _usage(self, outcome: Outcome, prompt_tokens: int | None = None) -> dict[str, Any]:
        prompt = self.asked.request.prompt_tokens if prompt_tokens is None else prompt_tokens
        given = self._giving.given
        cached = min(outcome.cached_tokens, prompt)
        return {
            "input_tokens": prompt,
            "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": prompt - cached},
            "output_tokens": given,
            "output_tokens_details": {"reasoning_tokens": self._giving.reasoning_given},
            "total_tokens": prompt + given,
        }


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _message(ident: str, text: str | None, status: str) -> dict[str, Any]:
    content = [] if text is None else [_text_part(text)]
    return {"id": ident, "type": "message", "role": "assistant", "status": status, "content": content}


def _call_item(call: ToolCall, ident: str, text: str, status: str) -> dict[str, Any]:
    fields = {"call_id": call.call_id, "name": call.tool.name, "status": status}
    if call.tool.kind == "function":
        return {"id": f"fc_{ident}", "type": "function_call", **fields, "arguments": text}
    return {"id": f"ctc_{ident}", "type": "custom_tool_call", **fields, "input": text}
