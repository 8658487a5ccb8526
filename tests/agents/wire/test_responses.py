"""Responses over a websocket: order and shape of events, chains, cancelling, failures."""

from __future__ import annotations

from typing import Any

import pytest
from support.responses import CALLS, CREATE, EXEC, SCHEMA, SUNNY, checked, connect, response_of, user
from support.wire import COUNTER, Gateway, types

from subsecond.agents.wire.base import End
from subsecond.agents.wire.conversation import ConversationStore
from subsecond.agents.wire.responses import ResponsesSession
from subsecond.agents.wire.responses_request import Settings


def test_the_order_of_events() -> None:
    gateway = connect(SUNNY)
    assert gateway.send(CREATE) == []
    [ident] = gateway.requests
    assert types(gateway.start(ident)) == ["response.created", "response.in_progress"]
    assert types(gateway.give(ident, 2)) == [
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
    ]
    assert types(gateway.end(ident)) == [
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    checked(gateway.frames)
    assert [frame.message["sequence_number"] for frame in gateway.frames] == list(range(10))
    response = response_of(gateway.frames)
    assert response["status"] == "completed"
    assert response["output"][0]["content"][0]["text"] == "It is sunny."
    assert response["usage"] == {
        "input_tokens": 6,
        "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 3},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 10,
    }


def test_the_response_says_where_the_time_went() -> None:
    gateway = connect(SUNNY)
    gateway.send(CREATE | {"metadata": {"run": "7"}})
    assert response_of(gateway.serve())["metadata"] == {
        "run": "7",
        "subsecond_pipeline": "trn-cs3",
        "subsecond_ttft_ms": "50.000",
        "subsecond_latency_ms": "100.000",
        "subsecond_stages_ms": '{"network":10.0,"prefill":40.0,"decode":50.0}',
        "subsecond_other_pipelines_ms": '{"gpu":300.0}',
    }
    gateway.send(CREATE | {"metadata": {str(i): "x" for i in range(15)}})
    assert len(response_of(gateway.serve())["metadata"]) == 16


@pytest.mark.parametrize("step", [1, 3, 100])
def test_text_and_calls_are_streamed_and_repeated_at_the_end(step: int) -> None:
    gateway = connect(CALLS)
    gateway.send(CREATE | {"tools": [EXEC, {"type": "custom", "name": "shell"}]})
    frames = gateway.serve(step=step)
    checked(frames)
    done = [frame.message["item"] for frame in frames if frame.message["type"] == "response.output_item.done"]
    response = response_of(frames)
    assert response["output"] == done
    assert [item["type"] for item in done] == ["message", "function_call", "custom_tool_call"]
    assert (done[1]["call_id"], done[1]["arguments"], done[2]["input"]) == ("call_1", '{"cmd":"ls"}', "pwd")
    for item, kind in zip(done, ("output_text", "function_call_arguments", "custom_tool_call_input"), strict=True):
        deltas = [f.message["delta"] for f in frames if f.message["type"] == f"response.{kind}.delta"]
        assert "".join(deltas) in (item.get("arguments"), item.get("input"), "Let me.")
    assert response["usage"]["output_tokens_details"]["reasoning_tokens"] == 2


def test_a_warm_up_is_complete_at_once_and_there_to_go_on_from() -> None:
    gateway = connect(SUNNY)
    frames = gateway.send(CREATE | {"generate": False, "input": [user("A long start")], "store": False})
    assert types(frames) == ["response.created", "response.in_progress", "response.completed"]
    checked(frames)
    assert gateway.requests == {}
    first = response_of(frames)
    assert first["output"] == []
    gateway.send(CREATE | {"previous_response_id": first["id"]})
    [request] = gateway.requests.values()
    assert len(request.segments) == 2
    assert request.conversation == first["id"]


def test_a_chain_holds_all_that_was_said() -> None:
    gateway = connect(CALLS, SUNNY)
    body = CREATE | {"instructions": "Be brief.", "tools": [EXEC], "store": False}
    gateway.send(body)
    first = response_of(gateway.serve())
    gateway.send(body | {"previous_response_id": first["id"], "input": [output("call_1", "README.md")]})
    one, two = gateway.requests.values()
    assert len(one.segments) == 3
    assert two.segments[:3] == one.segments
    assert len(two.segments) == 7
    assert (two.last_text, two.has_tool_result, two.tool_steps, two.replies) == ("README.md", True, 1, 1)
    assert two.conversation == first["id"]


def output(call: str, text: str) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call, "output": text}


def test_items_that_the_server_has_are_not_counted_again() -> None:
    gateway = connect(CALLS)
    gateway.send(CREATE | {"tools": [EXEC]})
    first = response_of(gateway.serve())
    said, called, free = first["output"]
    repeated = [
        {"type": "message", "role": "assistant", "content": " Let me. "},
        {key: called[key] for key in ("type", "call_id", "name", "arguments")},
        free,
        output("call_1", "README.md"),
    ]
    gateway.send(CREATE | {"previous_response_id": first["id"], "tools": [EXEC], "input": repeated})
    gateway.send(
        CREATE | {"stream_id": "b", "previous_response_id": first["id"], "tools": [EXEC], "input": [said, repeated[3]]}
    )
    one, two, three = gateway.requests.values()
    assert len(two.segments) == len(one.segments) + 4
    assert two.segments == three.segments


@pytest.mark.parametrize("ident", ["resp_nowhere", 5])
def test_an_unknown_response_is_an_error_and_the_socket_stays_open(ident: Any) -> None:
    gateway = connect()
    [frame] = gateway.send(CREATE | {"previous_response_id": ident, "stream_id": "a"})
    checked([frame])
    assert frame.message == {
        "type": "error",
        "status": 400,
        "error": {
            "type": "invalid_request_error",
            "code": "previous_response_not_found",
            "message": f"Previous response with id {ident!r} not found.",
            "param": "previous_response_id",
        },
        "stream_id": "a",
    }
    assert gateway.closed is None
    gateway.send(CREATE | {"stream_id": "a"})
    assert response_of(gateway.serve())["status"] == "completed"


def test_only_what_is_stored_is_known_to_other_connections() -> None:
    store = ConversationStore()
    idents = []
    for is_stored in (True, False):
        gateway = Gateway(ResponsesSession(COUNTER, store))
        gateway.send(CREATE | {"store": is_stored})
        idents.append(response_of(gateway.serve())["id"])
    for ident, is_known in zip(idents, (True, False), strict=True):
        other = Gateway(ResponsesSession(COUNTER, store))
        other.send(CREATE | {"previous_response_id": ident})
        assert bool(other.requests) == is_known


def test_the_store_forgets_what_was_not_used_for_longest() -> None:
    store = ConversationStore(most=2)
    gateway = connect(store=store)
    idents = []
    for i in range(3):
        gateway.send(CREATE | {"generate": False, "input": str(i)})
        idents.append(response_of(gateway.frames)["id"])
        store.get(idents[0])
    assert [store.get(ident) is not None for ident in idents] == [True, False, True]
    assert len(store) == 2
    size = store.size_bytes
    small = ConversationStore(most_bytes=size // 2)
    gateway = connect(store=small)
    for _ in range(20):
        gateway.send(CREATE | {"generate": False})
    assert 0 < small.size_bytes <= size // 2


@pytest.mark.parametrize("with_ident", [True, False])
def test_cancelling(with_ident: bool) -> None:
    gateway = connect(SUNNY)
    gateway.send(CREATE)
    [ident] = gateway.requests
    gateway.start(ident)
    gateway.give(ident, 2)
    frames = gateway.send({"type": "response.cancel"} | ({"response_id": ident} if with_ident else {}))
    checked(frames)
    assert types(frames)[-2:] == ["response.output_item.done", "response.incomplete"]
    response = response_of(frames)
    assert (response["status"], response["incomplete_details"]) == ("cancelled", None)
    assert response["output"][0]["status"] == "incomplete"
    assert response["output"][0]["content"][0]["text"] == "It is"
    assert response["usage"]["output_tokens"] == 2
    assert gateway.send({"type": "response.cancel", "response_id": ident}) == []
    gateway.send(CREATE)
    assert response_of(gateway.serve())["status"] == "completed"


def test_cancelling_before_the_pipeline_has_taken_it() -> None:
    gateway = connect()
    gateway.send(CREATE)
    frames = gateway.send({"type": "response.cancel"})
    assert types(frames) == ["response.created", "response.in_progress", "response.incomplete"]
    checked(frames)


@pytest.mark.parametrize(
    ("end", "status", "code", "kind"),
    [
        (End.THROTTLED, 429, "rate_limit_exceeded", "rate_limit_error"),
        (End.TOO_LONG, 400, "context_length_exceeded", "invalid_request_error"),
        (End.FAILED, 503, "server_error", "server_error"),
    ],
)
def test_requests_that_never_started(end: End, status: int, code: str, kind: str) -> None:
    gateway = connect()
    gateway.send(CREATE)
    [ident] = gateway.requests
    [frame] = gateway.end(ident, end, reason="because")
    checked([frame])
    error = {"type": kind, "code": code, "message": "because", "param": None}
    assert frame.message == {"type": "error", "status": status, "error": error}


@pytest.mark.parametrize(("end", "code"), [(End.THROTTLED, "rate_limit_exceeded"), (End.FAILED, "server_error")])
def test_responses_that_fail_on_the_way(end: End, code: str) -> None:
    gateway = connect(SUNNY)
    gateway.send(CREATE)
    [ident] = gateway.requests
    gateway.start(ident)
    gateway.give(ident, 2)
    frames = gateway.end(ident, end, reason="because")
    checked(frames)
    response = response_of(frames)
    assert (frames[-1].event, response["status"]) == ("response.failed", "failed")
    assert response["error"] == {"code": code, "message": "because"}


def test_a_limit_makes_a_response_incomplete() -> None:
    gateway = connect()
    gateway.send(CREATE | {"max_output_tokens": 5})
    frames = gateway.serve()
    checked(frames)
    response = response_of(frames)
    assert (frames[-1].event, response["status"]) == ("response.incomplete", "incomplete")
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["usage"]["output_tokens"] == 5


def test_for_a_benchmark_the_limit_is_the_length() -> None:
    gateway = connect(settings=Settings(is_exact=True))
    gateway.send(CREATE | {"max_output_tokens": 500})
    response = response_of(gateway.serve(step=40))
    assert (response["status"], response["usage"]["output_tokens"]) == ("completed", 500)


def test_steering_is_refused_and_the_input_given_back() -> None:
    gateway = connect()
    [frame] = gateway.send({"type": "response.steer", "previous_response_id": "resp_1", "input": [user("Stop")]})
    checked([frame])
    assert frame.message["error"]["code"] == "steering_not_supported"
    assert frame.message["steer"] == {"previous_response_id": "resp_1", "input": [user("Stop")]}


def test_what_is_not_known_does_no_harm() -> None:
    gateway = connect()
    assert gateway.send({"type": "response.processed", "response_id": "x"}) == []
    [frame] = gateway.send({"type": "response.sing"})
    assert frame.message["error"]["code"] == "unknown_event"
    gateway.send(CREATE)
    assert gateway.send({"type": "response.sing"}) == []
    assert gateway.closed is None


@pytest.mark.parametrize(
    ("sent", "expected"), [("1750000000123", 1_750_000_000_123.0), (5, 5.0), ("soon", None), ("²", None), (True, None)]
)
def test_when_codex_sent_it(sent: Any, expected: float | None) -> None:
    gateway = connect()
    gateway.send(CREATE | {"client_metadata": {"x-codex-ws-stream-request-start-ms": sent}})
    assert gateway.session.client_sent_ms == expected  # type: ignore[attr-defined]  # of this session alone


def test_codex_tools_and_items_are_accepted() -> None:
    gateway = connect()
    tools = [
        EXEC,
        {"type": "custom", "name": "apply_patch", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
        {"type": "namespace", "name": "agents", "description": "", "tools": [EXEC]},
        {"type": "web_search"},
        {"type": "from_the_future", "x": 1},
    ]
    items = [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Rules"}], "id": "i1"},
        user("Do it"),
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "gAAA"},
        {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": "*** Begin Patch"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "ok"},
        {"type": "local_shell_call", "call_id": "c2", "action": {"type": "exec", "command": ["ls"]}},
        {"type": "item_reference", "id": "msg_1"},
        {"type": "from_the_future", "x": 1},
        {"role": "user", "content": [{"type": "input_image", "image_url": "data:,", "detail": "low"}]},
    ]
    gateway.send(CREATE | {"tools": tools, "input": items})
    [request] = gateway.requests.values()
    assert [tool.name for tool in request.tools] == ["exec_command", "apply_patch"]
    assert len(request.segments) == 1 + 8
    assert request.segments[-1].tokens == 4 + 85
    checked(gateway.serve(step=50))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ("{", "the message is not JSON"),
        (b"\x00", "the message is not JSON"),
        ('{"a":' * 300 + "1" + "}" * 300, "the message is nested deeper"),
        ({"type": 5}, "type: got 5, expected one of response.create, response.cancel"),
        (CREATE | {"stream_id": "a b"}, "stream_id: got 'a b', expected 1 to 256"),
        (CREATE | {"stream_id": "a" * 257}, "stream_id: got 'aaa"),
        (CREATE | {"input": None}, "input: got nothing"),
        (CREATE | {"input": 5}, "input: got 5, expected a text or a list"),
        (CREATE | {"input": [5]}, "input[0]: got 5, expected an item"),
        (CREATE | {"input": [{"role": "boss"}]}, "input[0].role: got 'boss', expected user"),
        (CREATE | {"model": None}, "model: got None, expected a text"),
        (CREATE | {"background": True}, "background: got True, expected False"),
        (CREATE | {"max_output_tokens": 0}, "max_output_tokens: got 0, expected a whole number"),
        (CREATE | {"temperature": 3}, "temperature: got 3, expected a number from 0 to 2"),
        (CREATE | {"tools": [5]}, "tools[0]: got 5, expected an object"),
        (CREATE | {"tools": [{"type": "function"}]}, "tools[0].name: got None, expected the name"),
        (CREATE | {"tool_choice": {"type": "function", "name": "x"}}, "tool_choice: got 'x', expected the name"),
        (CREATE | {"client_metadata": 5}, "client_metadata: got 5, expected an object"),
        ({"type": "response.steer", "previous_response_id": 5}, "previous_response_id: got 5, expected a text"),
    ],
)
def test_what_cannot_be_served_is_refused_with_a_status(frame: Any, message: str) -> None:
    gateway = connect()
    [error] = gateway.send(frame)
    checked([error])
    assert error.message["status"] == 400
    assert error.message["error"]["message"].startswith(message)
    gateway.send(CREATE)
    assert response_of(gateway.serve())["status"] == "completed"


@pytest.mark.parametrize("choice", ["auto", "required", "none", {"type": "function", "name": "exec_command"}])
def test_what_is_echoed_is_what_strict_clients_know(choice: Any) -> None:
    gateway = connect(settings=Settings(model="sim"))
    gateway.send(
        {
            "type": "response.create",
            "input": "x",
            "tools": [EXEC],
            "tool_choice": choice,
            "reasoning": {"effort": "extreme"},
            "text": {"format": {"type": "json_schema", "name": "a", "schema": SCHEMA}, "verbosity": 5},
            "truncation": "never",
            "temperature": 0.5,
            "instructions": "Be brief.",
        }
    )
    frames = gateway.serve(step=50)
    checked(frames)
    response = response_of(frames)
    assert (response["model"], response["instructions"], response["tool_choice"]) == ("sim", "Be brief.", choice)
