"""Responses over a websocket: order and shape of events, lanes, chains, cancelling, failures."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import ResponsesServerEvent
from pydantic import Field, TypeAdapter
from support.wire import COUNTER, Gateway, stamps, types

from subsecond.agents.wire.base import End, Reply, Send, Tool, ToolCall
from subsecond.agents.wire.conversation import ConversationStore
from subsecond.agents.wire.responses import MOST_LANES, MOST_WAITING, ResponsesSession
from subsecond.agents.wire.responses_request import Settings

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


def test_lanes_run_side_by_side_and_in_order_inside() -> None:
    gateway = connect()
    for lane in ("a", "a", "b"):
        gateway.send(CREATE | {"stream_id": lane})
    assert len(gateway.requests) == 2
    frames = gateway.serve(step=50)
    checked(frames)
    assert len(gateway.requests) == 3
    for lane, count in (("a", 2), ("b", 1)):
        mine = [frame for frame in frames if frame.message["stream_id"] == lane]
        assert types(mine).count("response.completed") == count
        first = [frame.message["sequence_number"] for frame in mine if frame.message["type"] == "response.created"]
        assert first == [0] * count
        open_ones = 0
        for frame in mine:
            open_ones += (frame.message["type"] == "response.created") - frame.is_last
            assert open_ones in (0, 1)


def test_a_lane_can_go_on_from_what_is_still_running() -> None:
    gateway = connect(SUNNY, SUNNY)
    gateway.send(CREATE)
    gateway.send(CREATE | {"previous_response_id": "resp_1"})
    assert len(gateway.requests) == 1
    frames = gateway.serve()
    assert types(frames).count("response.completed") == 2
    assert "error" not in types(frames)


def test_a_lane_is_bounded() -> None:
    gateway = connect()
    for _ in range(MOST_WAITING + 1):
        assert gateway.send(CREATE) == []
    [refused] = gateway.send(CREATE)
    assert (refused.message["status"], refused.message["error"]["code"]) == (429, "rate_limit_exceeded")


def test_the_bytes_that_wait_are_bounded_in_all_lanes_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subsecond.agents.wire.responses.MOST_WAITING_BYTES", 1000)
    gateway = connect()
    long = CREATE | {"input": "x" * 800}
    for lane in "ab":
        assert gateway.send(CREATE | {"stream_id": lane}) == []
    assert gateway.send(long | {"stream_id": "a"}) == []
    [refused] = gateway.send(long | {"stream_id": "b"})
    assert (refused.message["status"], refused.message["stream_id"]) == (429, "b")
    gateway.serve()
    assert gateway.send(long | {"stream_id": "b"}) == []  # which runs at once
    assert gateway.send(long | {"stream_id": "b"}) == []


def test_lanes_are_bounded() -> None:
    gateway = connect()
    for i in range(MOST_LANES):
        assert gateway.send(CREATE | {"stream_id": str(i)}) == []
    [refused] = gateway.send(CREATE | {"stream_id": "more"})
    assert (refused.message["status"], refused.message["stream_id"]) == (429, "more")
    assert gateway.send(CREATE | {"stream_id": "0"}) == []


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


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["type", "model", "input", "tools", "tool_choice", "instructions", "previous_response_id", "store", "generate"]
MORE = [
    "stream_id",
    "metadata",
    "text",
    "reasoning",
    "temperature",
    "top_p",
    "truncation",
    "client_metadata",
    "response_id",
]
KINDS = ["response.create", "response.cancel", "response.steer", "response.processed"]


@settings(deadline=None)
@given(kind=st.sampled_from(KINDS), changes=st.dictionaries(st.sampled_from(FIELDS + MORE), values, max_size=3))
def test_any_value_in_any_field_leaves_the_session_usable(kind: str, changes: dict[str, Any]) -> None:
    gateway = connect()
    gateway.send(CREATE | {"type": kind} | changes)
    gateway.serve(step=500)
    checked([frame for frame in gateway.frames if frame.event != "response.steer.failed"])
    gateway.send(CREATE)
    assert response_of(gateway.serve(step=500))["status"] == "completed"


@settings(deadline=None)
@given(data=st.binary(max_size=60) | st.text(st.characters(), max_size=60))
def test_any_bytes_are_refused(data: str | bytes) -> None:
    [frame] = connect().send(data)
    assert frame.message["status"] == 400


ITEM_KEYS = ["type", "role", "content", "id", "call_id", "name", "arguments", "output", "summary", "input", "action"]
ITEM_TYPES = ["message", "function_call", "function_call_output", "reasoning", "custom_tool_call", "item_reference"]


@settings(deadline=None)
@given(item=st.dictionaries(st.sampled_from(ITEM_KEYS), values), kind=st.sampled_from(ITEM_TYPES))
def test_any_item_is_taken_or_refused(item: dict[str, Any], kind: str) -> None:
    for given_item in (item, item | {"type": kind}, item | {"type": kind, "role": "assistant"}):
        gateway = connect()
        gateway.send(CREATE | {"input": [given_item, given_item]})
        assert len(gateway.frames) + len(gateway.requests) == 1
