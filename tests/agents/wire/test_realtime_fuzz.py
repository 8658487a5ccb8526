"""Realtime: whatever a client sends, the session answers in events that the openai SDK reads, and lives on."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.realtime import TEXT, Gateway, call, silence, speech

from subsecond.agents.wire.base import End, Reply

TURN = base64.b64encode(silence(0.2) + speech(0.5) + silence(0.6)).decode()
VALID: list[dict[str, Any]] = [
    {"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text"], "tools": []}},
    {"type": "session.update", "session": {"audio": {"input": {"turn_detection": None}}}},
    {"type": "session.update", "session": {"audio": {"input": {"turn_detection": {"type": "server_vad"}}}}},
    {"type": "session.update", "session": {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}},
    {"type": "session.update", "session": {"audio": {"input": {"transcription": {"model": "w"}}}}},
    {
        "type": "conversation.item.create",
        "previous_item_id": "root",
        "item": {"id": "a", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]},
    },
    {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": "assistant", "content": [{"type": "output_audio", "audio": TURN}]},
    },
    {"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "c", "output": "x"}},
    {"type": "conversation.item.delete", "item_id": "a"},
    {"type": "conversation.item.retrieve", "item_id": "item_1_2"},
    {"type": "conversation.item.truncate", "item_id": "item_1_3", "content_index": 0, "audio_end_ms": 300},
    {"type": "input_audio_buffer.append", "audio": TURN},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
    {"type": "output_audio_buffer.clear"},
    {"type": "response.create", "event_id": "e"},
    {"type": "response.create", "response": {"conversation": "none", "input": [], "metadata": {"a": "b"}}},
    {"type": "response.cancel"},
    {"type": "response.cancel", "response_id": "resp_1_2"},
]
REPLIES = [
    TEXT,
    Reply((), (call(1), call(2))),
    Reply((" word",) * 30, (call(1),), reasoning_tokens=5, first_sentence=9),
    Reply(("a",), is_cut=True),
    Reply(()),
    End.THROTTLED,
    End.FAILED,
    End.TOO_LONG,
    End.CANCELLED,
]
words = st.sampled_from(sorted({key for event in VALID for key in event} | {"type", "realtime", "response.create"}))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | st.text(max_size=8), inner, max_size=5),
    max_leaves=20,
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A valid event with something in it replaced, taken out, or added."""
    event = json.loads(json.dumps(draw(st.sampled_from(VALID))))
    for _ in range(draw(st.integers(0, 2))):
        node: Any = event
        while isinstance(node, dict | list) and node:
            keys = sorted(node) if isinstance(node, dict) else range(len(node))
            key = draw(st.sampled_from(list(keys)))
            if isinstance(node[key], dict | list) and node[key] and draw(st.booleans()):
                node = node[key]
                continue
            if isinstance(node, dict) and draw(st.integers(0, 3)) == 0:
                del node[key]
            else:
                node[key] = draw(json_values)
            break
    return json.dumps(event)


@given(value=json_values | st.text(max_size=40) | st.binary(max_size=20))
@settings(max_examples=300, deadline=None)
def test_any_message_is_answered(value: Any) -> None:
    gateway = Gateway()
    gateway.raw(value if isinstance(value, bytes) else json.dumps(value))
    gateway.raw(value if isinstance(value, str | bytes) else str(value))
    gateway.update()
    assert gateway.kinds()[-1] == "session.updated"


@given(
    steps=st.lists(
        st.tuples(mutated() | st.sampled_from(VALID).map(json.dumps), st.sampled_from([0.0, 0.0, 0.05, 0.4, 3.0])),
        max_size=25,
    ),
    replies=st.lists(st.sampled_from(REPLIES), min_size=1, max_size=5),
    lets_go=st.booleans(),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_course_of_events_ends_well(
    steps: list[tuple[str, float]], replies: list[Reply | End], lets_go: bool
) -> None:
    gateway = Gateway(lambda request: replies[len(gateway.requests) % len(replies)], lets_go=lets_go)
    for data, pause_s in steps:
        gateway.raw(data)
        gateway.advance(pause_s)
    gateway.let_go()
    gateway.finish()
    gateway.let_go()
    gateway.finish()
    assert gateway.session.due_s() is None
    check_responses(gateway)
    check_items(gateway)
    # the session is still of use
    gateway.update(output_modalities=["text"])
    before = len(gateway.all("response.done"))
    gateway.send("response.create")
    gateway.finish()
    assert len(gateway.all("response.done")) == before + 1


def check_responses(gateway: Gateway) -> None:
    """Each is told once when it begins and once when it ends; one at a time in the conversation."""
    created = [event["response"]["id"] for event in gateway.all("response.created")]
    done = [event["response"]["id"] for event in gateway.all("response.done")]
    assert sorted(created) == sorted(done)
    assert len(set(created)) == len(created)
    assert {request.ident for request in gateway.requests} <= set(created)
    running: set[str] = set()
    for event in gateway.events:
        if event["type"] in ("response.created", "response.done") and event["response"]["conversation_id"]:
            (running.add if event["type"] == "response.created" else running.discard)(event["response"]["id"])
            assert len(running) <= 1


def check_items(gateway: Gateway) -> None:
    """Each output is told once when it begins and once when it ends, and its deltas are what it is in the end."""
    begun = [event["item"]["id"] for event in gateway.all("response.output_item.added")]
    ended = [event["item"]["id"] for event in gateway.all("response.output_item.done")]
    assert sorted(begun) == sorted(ended)
    for kind, field in (("text", "text"), ("audio_transcript", "transcript")):
        for done in gateway.all(f"response.output_{kind}.done"):
            deltas = [
                event["delta"]
                for event in gateway.all(f"response.output_{kind}.delta")
                if event["item_id"] == done["item_id"]
            ]
            # what was cut while it was spoken is shorter than what was sent
            assert "".join(deltas).startswith(done[field])
