"""Responses over a websocket: any value, any bytes and any item leave the session usable."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.responses import CREATE, checked, connect, response_of

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
