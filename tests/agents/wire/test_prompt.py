"""Prompts, and replies as clients repeat them."""

from __future__ import annotations

import pytest

from subsecond.agents.tokens import TokenCounter, default_counter
from subsecond.agents.wire.base import Reply, Segment, Tool, ToolCall
from subsecond.agents.wire.chat_request import parse_chat
from subsecond.agents.wire.prompt import said
from subsecond.agents.wire.responses_request import Settings, parse_response

COUNTER = default_counter()
TEXT, ARGUMENTS = "Let me look. ", '{"path":"README.md"}'


@pytest.fixture
def reply() -> Reply:
    tool = Tool("read_file", {})
    return Reply(COUNTER.pieces(TEXT), (ToolCall("call_1", tool, COUNTER.pieces(ARGUMENTS)),), reasoning_tokens=3)


def chat_segments(counter: TokenCounter) -> tuple[Segment, ...]:
    call = {"id": "call_1", "type": "function", "function": {"name": "read_file", "arguments": ARGUMENTS}}
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": TEXT, "tool_calls": [call]}]
    return parse_chat({"model": "m", "messages": messages}, counter, agent="coding", is_exact=False).request.segments


def responses_segments(counter: TokenCounter) -> tuple[Segment, ...]:
    given = [
        {"role": "user", "content": "hi"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": TEXT}]},
        {"type": "function_call", "call_id": "call_1", "name": "read_file", "arguments": ARGUMENTS},
    ]
    body = {"model": "m", "input": given}
    return parse_response(body, "r", counter, Settings(), lambda _: None).request.segments


def test_clients_of_all_protocols_repeat_a_reply_alike(reply: Reply) -> None:
    whole = said(reply, reply.output_tokens)
    assert len(whole) == 2
    for segments in (chat_segments(COUNTER), responses_segments(COUNTER)):
        assert [segment.key for segment in segments[1:]] == [segment.key for segment in whole]


def test_of_a_reply_that_was_cut_there_is_what_was_given(reply: Reply) -> None:
    assert said(reply, 0) == said(reply, 3) == ()
    assert said(reply, 5) == said(Reply(reply.pieces[:2]), 2)
    text = len(reply.pieces)
    assert len(said(reply, 3 + text)) == 1
    assert len(said(reply, 3 + text + 1)) == 2
