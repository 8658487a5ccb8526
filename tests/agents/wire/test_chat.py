"""Chat completions: chunks and whole answers, as OpenAI's and vLLM's clients read them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from support.wire import COUNTER, Gateway, stamps

from subsecond.agents.wire.base import End, ModelRequest, Reply, Send, Tool, ToolCall
from subsecond.agents.wire.chat import ChatSession

HELLO = {"model": "sim@gpu", "messages": [{"role": "user", "content": "Hello there"}]}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CALL = {"id": "c", "type": "function", "function": {"name": "a", "arguments": "{}"}}
NAMED = {"type": "function", "function": {"name": "x"}}
SUNNY = Reply(("It", " is", " sunny", "."), first_sentence=4)
CALLS = Reply(
    ("Let", " me", "."),
    (
        ToolCall("call_1", Tool("get_weather", {}), ('{"city":', '"Paris"}')),
        ToolCall("call_2", Tool("get_weather", {}), ("{}",)),
    ),
    reasoning_tokens=2,
)


def chat(body: dict[str, Any] | str | bytes, reply: Reply | None = None, **options: Any) -> Gateway:
    gateway = Gateway(ChatSession(COUNTER, stamps=stamps(), **options), script=[reply] if reply else ())
    gateway.send(body)
    return gateway


def asked(body: dict[str, Any], **options: Any) -> ModelRequest:
    gateway = chat(body, **options)
    assert not gateway.frames, gateway.frames
    return gateway.requests["chat"]


def chunks(frames: list[Send]) -> list[ChatCompletionChunk]:
    assert frames[-1] == Send({}, text="[DONE]", is_last=True)
    return [ChatCompletionChunk.model_validate(frame.message) for frame in frames[:-1]]


def whole(gateway: Gateway) -> ChatCompletion:
    [frame] = gateway.serve()
    assert frame.is_last
    assert not gateway.session.is_streamed
    return ChatCompletion.model_validate(frame.message)


def test_a_stream_begins_with_the_role_and_its_first_token() -> None:
    gateway = chat(HELLO | {"stream": True, "stream_options": {"include_usage": True}}, SUNNY)
    assert gateway.start("chat") == []
    first = [ChatCompletionChunk.model_validate(frame.message) for frame in gateway.give("chat", 1)]
    assert [(c.choices[0].delta.role, c.choices[0].delta.content) for c in first] == [("assistant", ""), (None, "It")]
    assert gateway.session.is_streamed
    assert gateway.session.status == 200
    rest = chunks(gateway.give("chat", 2) + gateway.end("chat"))
    assert [c.choices[0].delta.content for c in rest[:-1]] == [" is sunny", ".", None]
    assert rest[-2].choices[0].finish_reason == "stop"
    assert rest[-1].choices == []
    usage = rest[-1].usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (6, 4, 10)
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == 3
    assert {c.id for c in first + rest} == {"chatcmpl-1"}


def test_usage_says_where_the_time_went() -> None:
    gateway = chat(HELLO, SUNNY)
    [frame] = gateway.serve()
    assert frame.message["usage"]["subsecond"] == {
        "pipeline": "trn-cs3",
        "ttft_ms": 50.0,
        "latency_ms": 100.0,
        "stages_ms": {"network": 10.0, "prefill": 40.0, "decode": 50.0},
        "other_pipelines_ms": {"gpu": 300.0},
    }
    assert gateway.session.headers == {
        "subsecond-pipeline": "trn-cs3",
        "subsecond-ttft-ms": "50.000",
        "subsecond-latency-ms": "100.000",
        "subsecond-stages-ms": '{"network":10.0,"prefill":40.0,"decode":50.0}',
        "subsecond-other-pipelines-ms": '{"gpu":300.0}',
    }


def test_a_whole_answer() -> None:
    answer = whole(chat(HELLO, SUNNY))
    assert answer.choices[0].message.content == "It is sunny."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "sim@gpu"


def test_usage_runs_along_if_it_is_wanted() -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    frames = chat(HELLO | {"stream": True, "stream_options": options}, SUNNY).serve(step=2)
    counts = [chunk.usage.completion_tokens for chunk in chunks(frames) if chunk.usage]
    assert counts == [2, 2, 4, 4, 4]


def test_without_it_there_is_no_usage() -> None:
    assert not any("usage" in frame.message for frame in chat(HELLO | {"stream": True}, SUNNY).serve())


def test_calls_are_streamed_piece_by_piece() -> None:
    gateway = chat(HELLO | {"stream": True, "tools": [WEATHER]}, CALLS)
    got = chunks(gateway.serve(step=1))
    calls: dict[int, dict[str, str]] = {}
    for chunk in got:
        for delta in chunk.choices[0].delta.tool_calls or []:
            call = calls.setdefault(delta.index, {"arguments": ""})
            assert delta.function is not None
            if delta.id:
                call |= {"id": delta.id, "name": str(delta.function.name)}
            call["arguments"] += delta.function.arguments or ""
    assert calls == {
        0: {"id": "call_1", "name": "get_weather", "arguments": '{"city":"Paris"}'},
        1: {"id": "call_2", "name": "get_weather", "arguments": "{}"},
    }
    assert got[-1].choices[0].finish_reason == "tool_calls"


def test_calls_in_a_whole_answer() -> None:
    answer = whole(chat(HELLO | {"tools": [WEATHER]}, CALLS))
    assert [call.id for call in answer.choices[0].message.tool_calls or []] == ["call_1", "call_2"]
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == CALLS.output_tokens
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 2


@pytest.mark.parametrize("is_streamed", [False, True])
def test_functions_of_old_clients(is_streamed: bool) -> None:
    body = HELLO | {"functions": [WEATHER["function"]], "function_call": {"name": "get_weather"}, "stream": is_streamed}
    assert asked(body).tool_choice == "get_weather"
    frames = chat(body, Reply((), CALLS.calls[:1])).serve(step=1)
    if is_streamed:
        parts = [chunk.choices[0].delta.function_call for chunk in chunks(frames)]
        assert "".join(part.arguments or "" for part in parts if part) == '{"city":"Paris"}'
        assert chunks(frames)[-1].choices[0].finish_reason == "function_call"
    else:
        message = ChatCompletion.model_validate(frames[0].message).choices[0].message
        assert message.function_call is not None
        assert message.function_call.name == "get_weather"
        assert message.content is None


def test_a_reply_that_is_cut() -> None:
    answer = whole(chat(HELLO | {"max_tokens": 3}))
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 3


@pytest.mark.parametrize(
    ("fields", "options", "expected"),
    [
        ({"max_tokens": 9}, {}, (9, 1, False)),
        ({"max_tokens": 9, "max_completion_tokens": 5}, {}, (5, 1, False)),
        ({"max_tokens": 9, "ignore_eos": True}, {}, (9, 1, True)),
        ({"max_tokens": 9}, {"is_exact": True}, (9, 1, True)),
        ({"ignore_eos": True}, {"is_exact": True}, (None, 1, False)),
        ({"min_tokens": 4, "max_tokens": 9}, {}, (9, 4, False)),
        ({"min_tokens": 40, "max_tokens": 9}, {}, (9, 9, False)),
        ({"min_tokens": 0}, {}, (None, 1, False)),
    ],
)
def test_lengths(fields: dict[str, Any], options: dict[str, Any], expected: tuple[Any, ...]) -> None:
    request = asked(HELLO | fields, **options)
    assert (request.most_tokens, request.least_tokens, request.is_exact) == expected


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, "auto"),
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "function": {"name": "get_weather"}}, "get_weather"),
        ({"type": "function", "name": "get_weather"}, "get_weather"),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [WEATHER]}}, "required"),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}, "auto"),
        ({"type": "web_search"}, "auto"),
    ],
)
def test_tool_choice(choice: Any, expected: str) -> None:
    request = asked(HELLO | {"tools": [WEATHER], "tool_choice": choice})
    assert request.tool_choice == expected


def test_what_a_prompt_comes_to() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    body = {
        "model": "sim",
        "metadata": {"run": "7"},
        "tools": [WEATHER],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Look at this"}, image]},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c", "content": "18 degrees"},
        ],
    }  # fmt: skip
    request = asked(body, agent="voice")
    assert len(request.segments) == 5
    assert request.segments[2].tokens == 3 + 4 + 765
    assert (request.last_text, request.has_tool_result) == ("18 degrees", True)
    assert (request.replies, request.tool_steps, request.agent) == (1, 1, "voice")
    assert request.metadata == {"run": "7"}
    longer = asked(body | {"messages": [*body["messages"], {"role": "user", "content": "Thanks"}]})
    assert longer.segments[:5] == request.segments
    assert longer.tool_steps == 0
    other = {"type": "image_url", "image_url": {"url": "data:image/png;base64,BBBB"}}
    changed = asked(json.loads(json.dumps(body).replace(json.dumps(image), json.dumps(other))))
    assert changed.segments[2].key != request.segments[2].key


def test_answers_with_a_schema() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    content = whole(chat(HELLO | {"response_format": form})).choices[0].message.content
    assert json.loads(content or "") == {"n": 3}


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ("not json", None, "the message is not JSON that can be read"),
        ("[1]", None, "got [1], expected a JSON object"),
        (b"\xff", None, "the message is not JSON"),
        ('{"a":' * 200 + "1" + "}" * 200, None, "the message is nested deeper than 128 levels"),
        ("[" * 100_000, None, "the message is not JSON"),
        ({}, "model", "model: got None, expected a text"),
        (HELLO | {"model": 5}, "model", "model: got 5, expected a text"),
        (HELLO | {"messages": []}, "messages", "messages: got none, expected at least one"),
        (HELLO | {"messages": {}}, "messages", "messages: got {}, expected a list"),
        (HELLO | {"messages": ["hi"]}, "messages[0]", "messages[0]: got 'hi', expected an object"),
        (HELLO | {"messages": [{"role": "boss"}]}, "messages[0].role", "messages[0].role: got 'boss', expected system"),
        (HELLO | {"n": 2}, "n", "n: got 2, expected 1"),
        (HELLO | {"max_tokens": 0}, "max_tokens", "max_tokens: got 0, expected a whole number from 1"),
        (HELLO | {"max_tokens": "9"}, "max_tokens", "max_tokens: got '9', expected a whole number"),
        (HELLO | {"max_tokens": True}, "max_tokens", "max_tokens: got True, expected a whole number"),
        (HELLO | {"stream": "yes"}, "stream", "stream: got 'yes', expected true or false"),
        (HELLO | {"tools": [5]}, "tools[0]", "tools[0]: got 5, expected an object"),
        (HELLO | {"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name", "tools[0].function.name"),
        (HELLO | {"tool_choice": "any"}, "tool_choice", "tool_choice: got 'any', expected auto, none"),
        (HELLO | {"tool_choice": "required"}, "tool_choice", "tool_choice: got 'required', expected tools"),
        (HELLO | {"tool_choice": NAMED}, "tool_choice", "tool_choice: got 'x'"),
        (HELLO | {"metadata": {"a": 1}}, "metadata.a", "metadata.a: got 1, expected a text"),
        (HELLO | {"metadata": {str(i): "" for i in range(17)}}, "metadata", "metadata: got 17 keys"),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_refused_with_its_field(body: Any, param: str | None, message: str) -> None:
    gateway = chat(body)
    [frame] = gateway.frames
    assert frame.is_last
    assert gateway.session.status == 400
    assert not gateway.session.is_streamed
    error = frame.message["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert error["message"].startswith(message)
    assert gateway.requests == {}


@pytest.mark.parametrize(
    ("end", "status", "code"),
    [
        (End.THROTTLED, 429, "rate_limit_exceeded"),
        (End.TOO_LONG, 400, "context_length_exceeded"),
        (End.FAILED, 503, "server_error"),
        (End.CANCELLED, 499, "request_cancelled"),
    ],
)
@pytest.mark.parametrize("is_streamed", [False, True])
def test_requests_that_were_not_answered(end: End, status: int, code: str, is_streamed: bool) -> None:
    gateway = chat(HELLO | {"stream": is_streamed})
    [frame] = gateway.end("chat", end, reason="because")
    assert (gateway.session.status, gateway.session.is_streamed) == (status, False)
    assert (frame.message["error"]["code"], frame.message["error"]["message"]) == (code, "because")


def test_a_stream_that_breaks_off_says_so() -> None:
    gateway = chat(HELLO | {"stream": True}, SUNNY)
    gateway.start("chat")
    gateway.give("chat", 2)
    error, done = gateway.end("chat", End.FAILED)
    assert error.message["error"]["code"] == "server_error"
    assert (done.text, done.is_last) == ("[DONE]", True)


def test_only_the_first_body_counts() -> None:
    gateway = chat(HELLO, SUNNY)
    assert gateway.send(HELLO) == []
    gateway.serve()
    assert gateway.send(HELLO) == []
    assert gateway.session.ended("chat", None, 0.0) == ()  # type: ignore[arg-type]  # it is not looked at


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [
    "model",
    "messages",
    "tools",
    "tool_choice",
    "functions",
    "function_call",
    "stream_options",
    "n",
    "max_tokens",
]
MORE = ["stream", "metadata", "response_format", "min_tokens", "ignore_eos", "max_completion_tokens"]


@settings(deadline=None)
@given(changes=st.dictionaries(st.sampled_from(FIELDS + MORE), values, min_size=1, max_size=3))
def test_any_value_in_any_field_is_answered_or_refused(changes: dict[str, Any]) -> None:
    gateway = chat(HELLO | changes)
    assert bool(gateway.frames) != bool(gateway.requests)
    gateway.serve(step=500)
    assert gateway.frames[-1].is_last


@settings(deadline=None)
@given(data=st.binary(max_size=60) | st.text(st.characters(), max_size=60))
def test_any_bytes_are_refused(data: str | bytes) -> None:
    [frame] = chat(data).frames
    assert "error" in frame.message


@settings(deadline=None)
@given(
    message=st.dictionaries(st.sampled_from(["role", "content", "tool_calls", "function_call", "reasoning"]), values)
)
def test_any_message_is_answered_or_refused(message: dict[str, Any]) -> None:
    for role in ("user", "assistant", "tool", "system"):
        gateway = chat(HELLO | {"messages": [{**message, "role": role}]})
        assert bool(gateway.frames) != bool(gateway.requests)


def test_halves_of_letters_do_no_harm() -> None:
    gateway = chat('{"model": "sim", "messages": [{"role": "user", "content": "a \\ud83d b \\ud83d\\ude00"}]}')
    assert gateway.requests["chat"].last_text == "a ? b \U0001f600"
