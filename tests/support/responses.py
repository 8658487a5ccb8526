"""A client of Responses over a websocket, played by a test."""

from __future__ import annotations

from typing import Annotated, Any

from openai.types.responses import ResponsesServerEvent
from pydantic import Field, TypeAdapter
from support.wire import COUNTER, Gateway, stamps

from subsecond.agents.wire.base import Reply, Send, Tool, ToolCall
from subsecond.agents.wire.conversation import ConversationStore
from subsecond.agents.wire.responses import ResponsesSession
from subsecond.agents.wire.responses_request import Settings

__all__ = ["CALLS", "CREATE", "EXEC", "SCHEMA", "SUNNY", "checked", "connect", "response_of", "user"]

EVENTS: TypeAdapter[Any] = TypeAdapter(Annotated[ResponsesServerEvent, Field(discriminator="type")])
CREATE = {"type": "response.create", "model": "sim@gpu", "input": "Hello there"}
SCHEMA = {"type": "object", "properties": {"cmd": {"type": "string"}}, "required": ["cmd"]}
EXEC = {"type": "function", "name": "exec_command", "parameters": SCHEMA}
SUNNY = Reply(("It", " is", " sunny", "."), first_sentence=4)
CALLS = Reply(
    ("Let", " me", "."),
    (
        ToolCall("call_1", Tool("exec_command", {}), ('{"cmd":', '"ls"}')),
        ToolCall("call_2", Tool("shell", {}, kind="custom"), ("p", "wd")),
    ),
    reasoning_tokens=2,
)


def connect(*script: Reply, store: ConversationStore | None = None, settings: Settings | None = None) -> Gateway:
    kept = ConversationStore() if store is None else store
    return Gateway(ResponsesSession(COUNTER, kept, settings, stamps()), script=script)


def checked(frames: list[Send]) -> list[Any]:
    """Every frame through the SDK's own models, and numbered without a gap within each response."""
    for frame in frames:
        assert frame.event == frame.message["type"]
    return [EVENTS.validate_python(frame.message, strict=False) for frame in frames]


def response_of(frames: list[Send]) -> dict[str, Any]:
    assert frames[-1].is_last
    result = frames[-1].message["response"]
    assert isinstance(result, dict)
    return result


def user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
