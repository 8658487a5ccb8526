"""Responses over HTTP: a stream of events, or the response."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import Field, TypeAdapter
from support.wire import COUNTER, Gateway, stamps, types

from subsecond.agents.wire.base import End, Reply
from subsecond.agents.wire.conversation import ConversationStore
from subsecond.agents.wire.responses_http import ResponsesCall

EVENTS: TypeAdapter[Any] = TypeAdapter(Annotated[ResponseStreamEvent, Field(discriminator="type")])
HELLO = {"model": "sim", "input": "Hello there"}
SUNNY = Reply(("It", " is", " sunny", "."), first_sentence=4)


def post(body: Any, store: ConversationStore | None = None) -> Gateway:
    kept = ConversationStore() if store is None else store
    gateway = Gateway(ResponsesCall(COUNTER, kept, stamps=stamps()), script=[SUNNY])
    gateway.send(body)
    return gateway


def test_a_stream_of_events() -> None:
    gateway = post(HELLO | {"stream": True})
    frames = gateway.serve(step=2)
    assert types(frames)[0] == "response.created"
    assert types(frames)[-1] == "response.completed"
    assert [frame.is_last for frame in frames] == [False] * (len(frames) - 1) + [True]
    for frame in frames:
        assert EVENTS.validate_python(frame.message).type == frame.event
    assert gateway.session.is_streamed


def test_the_response_alone() -> None:
    gateway = post(HELLO)
    [frame] = gateway.serve(step=2)
    response = Response.model_validate(frame.message)
    assert response.output_text == "It is sunny."
    assert (frame.is_last, frame.event) == (True, "")
    assert gateway.session.headers["subsecond-latency-ms"] == "100.000"
    assert not gateway.session.is_streamed


def test_requests_go_on_from_stored_ones() -> None:
    store = ConversationStore()
    [first] = post(HELLO, store).serve()
    [other] = post(HELLO | {"store": False}, store).serve()
    gateway = post(HELLO | {"previous_response_id": first.message["id"]}, store)
    [request] = gateway.requests.values()
    assert len(request.segments) == 3
    store = ConversationStore()
    gateway = post(HELLO | {"previous_response_id": other.message["id"]}, store)
    assert gateway.frames[0].message["error"]["code"] == "previous_response_not_found"
    assert gateway.session.status == 400


def test_a_warm_up_over_http() -> None:
    [frame] = post(HELLO | {"generate": False}).frames
    assert (frame.message["status"], frame.message["output"], frame.is_last) == ("completed", [], True)


@pytest.mark.parametrize("body", ["{", HELLO | {"stream": 5}, HELLO | {"input": 5}, HELLO | {"model": None}])
def test_what_cannot_be_served_is_refused(body: Any) -> None:
    gateway = post(body)
    [frame] = gateway.frames
    assert (gateway.session.status, gateway.session.is_streamed, frame.is_last) == (400, False, True)
    assert frame.message["error"]["type"] == "invalid_request_error"
    assert gateway.send(HELLO) == []


@pytest.mark.parametrize(
    ("end", "status"), [(End.THROTTLED, 429), (End.TOO_LONG, 400), (End.FAILED, 503), (End.CANCELLED, 499)]
)
@pytest.mark.parametrize("is_streamed", [True, False])
def test_requests_that_never_started(end: End, status: int, is_streamed: bool) -> None:
    gateway = post(HELLO | {"stream": is_streamed})
    [frame] = gateway.end("resp_1", end)
    assert (gateway.session.status, gateway.session.is_streamed, frame.is_last) == (status, False, True)
    assert "error" in frame.message


@pytest.mark.parametrize(
    ("end", "last"),
    [
        (End.FAILED, "response.failed"),
        (End.THROTTLED, "response.failed"),
        (End.CANCELLED, "response.incomplete"),
        (End.TOO_LONG, "error"),
    ],
)
def test_streams_that_break_off(end: End, last: str) -> None:
    gateway = post(HELLO | {"stream": True})
    gateway.start("resp_1")
    gateway.give("resp_1", 2)
    frames = gateway.end("resp_1", end)
    for frame in frames:
        EVENTS.validate_python(frame.message)
    assert (frames[-1].event, frames[-1].is_last) == (last, True)
    numbers = [frame.message["sequence_number"] for frame in gateway.frames]
    assert numbers == list(range(len(numbers)))


def test_an_answer_that_breaks_off_has_a_status() -> None:
    gateway = post(HELLO)
    gateway.start("resp_1")
    gateway.give("resp_1", 2)
    [frame] = gateway.end("resp_1", End.FAILED)
    assert (gateway.session.status, frame.message["error"]["code"]) == (500, "server_error")
