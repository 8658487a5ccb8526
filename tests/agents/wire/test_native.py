"""The native protocol: every message, what is refused, and the examples of its documentation."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.wire import COUNTER, Gateway, stamps

from subsecond.agents.wire.base import End, Reply
from subsecond.agents.wire.native import MOST_CONVERSATIONS, MOST_OPEN, NativeSession

HELLO = {"op": "hello", "version": 1, "name": "load", "kind": "coding"}
TURN = {"op": "turn", "id": "a", "input_tokens": 1200, "output_tokens": 40}
DOCUMENT = (Path(__file__).parents[3] / "docs" / "native.md").read_text()


def connect(*script: Reply, hello: dict[str, Any] | None = HELLO) -> Gateway:
    gateway = Gateway(NativeSession(COUNTER, "sim", stamps()), script=script)
    if hello:
        gateway.send(hello)
    return gateway


def messages(gateway: Gateway) -> list[Any]:
    return [frame.message for frame in gateway.frames]


def test_a_turn_from_hello_to_end() -> None:
    gateway = connect()
    gateway.send(TURN | {"pipeline": "gpu"})
    gateway.start("turn-0")
    assert gateway.session.phase("turn-0", "prefill_queue", 12.34567, 3)[0].message["position"] == 3  # type: ignore[union-attr]  # a `Send`
    gateway.give("turn-0", 10)
    gateway.end("turn-0")
    assert gateway.requests["turn-0"].model == "sim@gpu"
    assert messages(gateway) == [
        {"op": "welcome", "version": 1, "session": "1", "model": "sim"},
        {"op": "started", "id": "a", "pipeline": "trn-cs3", "output_tokens": 40},
        {"op": "tok", "id": "a", "n": 10, "elapsed_ms": 5.0},
        {"op": "tok", "id": "a", "n": 40, "elapsed_ms": 5.0},
        {
            "op": "end",
            "id": "a",
            "end": "done",
            "reason": "",
            "usage": {"input_tokens": 1200, "cached_tokens": 3, "output_tokens": 40},
            "pipeline": "trn-cs3",
            "ttft_ms": 50.0,
            "latency_ms": 100.0,
            "stages_ms": {"network": 10.0, "prefill": 40.0, "decode": 50.0},
            "other_pipelines_ms": {"gpu": 300.0},
        },
    ]
    assert gateway.session.name == "load"  # type: ignore[attr-defined]  # of this session alone


def test_stages_are_told_as_they_come() -> None:
    gateway = connect()
    gateway.send(TURN)
    [told] = gateway.session.phase("turn-0", "prefill", 12.34567, None)
    assert told.message == {"op": "phase", "id": "a", "phase": "prefill", "at_ms": 12.346}  # type: ignore[union-attr]  # a `Send`
    assert gateway.session.phase("turn-9", "prefill", 1.0, None) == ()


def test_conversations_grow() -> None:
    gateway = connect()
    for ident in ("a", "b"):
        gateway.send(TURN | {"id": ident, "conversation": "c"})
        gateway.serve(step=40)
    gateway.send(TURN | {"id": "c"})
    one, two, three = gateway.requests.values()
    assert two.segments[:1] == one.segments
    assert [segment.tokens for segment in two.segments] == [1200, 40, 1200]
    assert (one.conversation, two.conversation, three.conversation) == ("1/c", "1/c", "")
    assert (two.replies, len(three.segments)) == (1, 1)


def test_text_counts_as_what_it_is() -> None:
    gateway = connect()
    gateway.send({"op": "turn", "id": "a", "text": "Hello there", "kind": "voice", "before_ms": {"endpointing": 500}})
    request = gateway.requests["turn-0"]
    assert (request.prompt_tokens, request.last_text, request.agent, request.spoken) == (
        2,
        "Hello there",
        "voice",
        True,
    )
    assert request.before_ms == {"endpointing": 500.0}
    assert not request.is_exact


def test_cancelling() -> None:
    gateway = connect()
    gateway.send(TURN)
    gateway.start("turn-0")
    gateway.give("turn-0", 10)
    [end] = gateway.send({"op": "cancel", "id": "a"})
    assert (end.message["end"], end.message["usage"]["output_tokens"]) == ("cancelled", 10)
    assert gateway.send({"op": "cancel", "id": "a"}) == []


@pytest.mark.parametrize("end", [End.THROTTLED, End.FAILED, End.TOO_LONG])
def test_turns_that_fail(end: End) -> None:
    gateway = connect()
    gateway.send(TURN)
    [told] = gateway.end("turn-0", end, reason="because")
    assert (told.message["end"], told.message["reason"], told.message["ttft_ms"]) == (end.value, "because", None)


def test_another_version_ends_the_connection() -> None:
    gateway = connect(hello=HELLO | {"version": 2})
    assert messages(gateway)[0]["message"] == "version: got 2, expected 1"
    assert gateway.closed is not None
    assert (gateway.closed.code, gateway.closed.reason) == (1002, "version: got 2, expected 1")


def test_what_is_open_is_bounded() -> None:
    gateway = connect()
    for i in range(MOST_OPEN):
        gateway.send(TURN | {"id": str(i)})
    [error] = gateway.send(TURN)
    assert error.message["message"] == f"op: got turn {MOST_OPEN + 1}, expected at most {MOST_OPEN} open ones"


def test_conversations_that_were_not_used_for_longest_are_forgotten() -> None:
    gateway = connect()
    for i in range(MOST_CONVERSATIONS + 1):
        gateway.send(TURN | {"conversation": str(i)})
        gateway.serve(step=40)
    for name, segments in (("0", 1), ("9", 3)):
        gateway.send(TURN | {"conversation": name})
        assert len(list(gateway.requests.values())[-1].segments) == segments
        gateway.serve(step=40)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("{", "the message is not JSON"),
        ({}, "op: got None, expected one of hello, turn, cancel"),
        ({"op": "sing"}, "op: got 'sing', expected one of hello"),
        (HELLO, "op: got a second hello"),
        (TURN | {"id": None}, "id: got None, expected a text"),
        (TURN | {"id": ""}, "id: got '', expected 1 to 100 letters"),
        (TURN | {"input_tokens": None}, "input_tokens: expected it or text"),
        (TURN | {"text": "a"}, "input_tokens: expected it or text"),
        (TURN | {"input_tokens": 0}, "input_tokens: got 0, expected a whole number"),
        (TURN | {"output_tokens": "9"}, "output_tokens: got '9', expected a whole number"),
        (TURN | {"kind": "chess"}, "kind: got 'chess', expected coding or voice"),
        (TURN | {"conversation": 5}, "conversation: got 5, expected a text"),
        (TURN | {"before_ms": {"thinking": 5}}, "before_ms: got 'thinking', expected one of endpointing"),
        (TURN | {"before_ms": {"endpointing": -5}}, "before_ms.endpointing: got -5, expected milliseconds"),
        ({"op": "cancel"}, "id: got None, expected a text"),
    ],
)
def test_what_cannot_be_served_is_told_in_words(message: Any, expected: str) -> None:
    gateway = connect()
    [error] = gateway.send(message)
    assert error.message["op"] == "error"
    assert error.message["message"].startswith(expected)
    gateway.send(TURN)
    assert gateway.requests


def test_hello_comes_first() -> None:
    [error] = connect(hello=None).send(TURN)
    assert error.message["message"] == "op: got 'turn', expected hello first"
    assert error.message["id"] == "a"


def test_an_open_turn_keeps_its_id() -> None:
    gateway = connect()
    gateway.send(TURN)
    [error] = gateway.send(TURN)
    assert error.message["message"] == "id: got 'a', expected one of which no turn is open"


def test_the_documentation_shows_messages_as_they_are() -> None:
    """Each example of the agent is served; the server's examples have exactly the keys of real messages."""
    examples = [json.loads(line) for line in re.findall(r"^\{.*\}$", DOCUMENT, re.MULTILINE)]
    gateway = connect(hello=None)
    for example in examples:
        if example["op"] in ("hello", "turn", "cancel"):
            gateway.send(example)
        for ident in [ident for ident in gateway.requests if ident not in gateway.given]:
            gateway.start(ident)
            gateway._do(gateway.session.phase(ident, "prefill_queue", 1.5, 2))
            gateway.give(ident, 5)
    for ident in list(gateway.running):
        gateway.end(ident)
    gateway.send({"op": "turn", "id": "t9"})
    real = {message["op"]: set(message) for message in messages(gateway)}
    shown = {example["op"]: set(example) for example in examples if example["op"] not in ("hello", "turn", "cancel")}
    assert shown == real
    assert {example["op"] for example in examples} == {*real, "hello", "turn", "cancel"}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["op", "id", "input_tokens", "text", "output_tokens", "pipeline", "kind", "conversation", "before_ms", "name"]


@settings(deadline=None)
@given(
    op=st.sampled_from(["hello", "turn", "cancel"]),
    changes=st.dictionaries(st.sampled_from([*FIELDS, "version", "after_ms"]), values, max_size=4),
    greeted=st.booleans(),
)
def test_any_value_in_any_field_leaves_the_session_usable(op: str, changes: dict[str, Any], greeted: bool) -> None:
    gateway = connect(hello=HELLO if greeted else None)
    gateway.send(TURN | {"op": op} | changes)
    gateway.serve(step=5000)
    gateway.send(HELLO)
    gateway.send(TURN | {"id": "last"})
    assert gateway.serve(step=5000)[-1].message["end"] == "done"
