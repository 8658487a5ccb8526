"""Realtime: settings, items of the conversation, and what is refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from support.realtime import COUNTER, Gateway, call, silence, speech

from subsecond.agents.wire.base import Reply
from subsecond.agents.wire.realtime_items import MOST_ITEMS


def message(text: str, role: str = "user", **fields: Any) -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}], **fields}


def create(gateway: Gateway, item: dict[str, Any], **fields: Any) -> None:
    gateway.send("conversation.item.create", item=item, **fields)


def order(gateway: Gateway) -> list[str]:
    """Texts of the conversation, from the prompt of a response."""
    idents: list[str] = []
    for event in gateway.all("conversation.item.added"):
        previous = event["previous_item_id"]
        idents.insert(idents.index(previous) + 1 if previous else 0, event["item"]["id"])
    return idents


def test_settings_change_in_part() -> None:
    gateway = Gateway()
    gateway.update(instructions="Be brief.", audio={"output": {"voice": "marin", "speed": 1.2}})
    gateway.update(audio={"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "high"}}})
    session = gateway.last("session.updated")["session"]
    assert session["instructions"] == "Be brief."
    assert session["audio"]["output"] == {
        "format": {"type": "audio/pcm", "rate": 24000},
        "voice": "marin",
        "speed": 1.2,
    }
    assert session["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "high",
        "create_response": True,
        "interrupt_response": True,
    }
    gateway.update(audio={"input": {"turn_detection": None}})
    session = gateway.last("session.updated")["session"]
    assert session["audio"]["input"]["turn_detection"] is None
    assert session["audio"]["output"]["voice"] == "marin"


def test_defaults_of_a_session() -> None:
    session = Gateway().events[0]["session"]
    assert session["object"] == "realtime.session"
    assert session["output_modalities"] == ["audio"]
    assert session["max_output_tokens"] == "inf"
    assert session["tool_choice"] == "auto"
    assert session["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "create_response": True,
        "interrupt_response": True,
    }


@pytest.mark.parametrize(
    ("address", "asked", "used"),
    [
        ("sim@gpu", "gpt-realtime", "sim@gpu"),  # SDKs send a default of their own
        ("sim@gpu", "sim@trn-cs3", "sim@trn-cs3"),
        (None, "gpt-realtime", "gpt-realtime"),
        (None, None, "default"),
    ],
)
def test_the_model_of_a_session(address: str | None, asked: str | None, used: str) -> None:
    gateway = Gateway(model=address)
    gateway.update(model=asked)
    gateway.send("response.create")
    assert gateway.requests[0].model == used
    assert gateway.last("session.updated")["session"]["model"] == used


def test_keys_that_are_not_known_are_passed_over() -> None:
    gateway = Gateway()
    gateway.update(tracing="auto", prompt={"id": "x"}, wonder=[1, {"deep": None}])
    gateway.send("input_audio_buffer.clear", more=1)
    create(gateway, message("hello", status="completed", object="realtime.item", extra=2))
    assert gateway.errors == []


def test_items_keep_the_clients_ids_and_their_order() -> None:
    gateway = Gateway()
    create(gateway, message("b", id="b"))
    create(gateway, message("d", id="d"))
    create(gateway, message("a", role="system", id="a"), previous_item_id="root")
    create(gateway, message("c", role="assistant", id="c"), previous_item_id="b")
    assert [event["previous_item_id"] for event in gateway.all("conversation.item.added")] == [None, "b", None, "b"]
    assert order(gateway) == ["a", "b", "c", "d"]
    gateway.send("response.create")
    roles = ("system", "user", "assistant", "user")
    expected = [
        COUNTER.segment(role, text, extra_tokens=4) for role, text in zip(roles, ("a", "b", "c", "d"), strict=True)
    ]
    assert list(gateway.requests[0].segments[1:]) == expected


def test_retrieving_and_deleting() -> None:
    gateway = Gateway()
    create(gateway, message("hello", id="mine"))
    gateway.send("conversation.item.retrieve", item_id="mine")
    retrieved = gateway.last("conversation.item.retrieved")["item"]
    assert retrieved == gateway.last("conversation.item.done")["item"]
    gateway.send("conversation.item.delete", item_id="mine")
    assert gateway.last("conversation.item.deleted")["item_id"] == "mine"
    gateway.send("conversation.item.retrieve", item_id="mine")
    assert gateway.errors[0]["code"] == "item_retrieve_invalid_item_id"


def test_an_id_of_ours_that_a_client_has_taken_is_not_given_again() -> None:
    gateway = Gateway()
    for number in range(1, 6):
        create(gateway, message("hello", id=f"item_1_{number}"))
    gateway.hear(silence(0.5) + speech(1.0) + silence(1.0))
    gateway.finish()
    idents = [event["item"]["id"] for event in gateway.all("conversation.item.added")]
    assert len(set(idents)) == len(idents) == 7


def test_parts_of_the_wrong_role_are_put_right() -> None:
    gateway = Gateway()
    create(gateway, {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "hi"}]})
    assert gateway.last("conversation.item.done")["item"]["content"] == [{"type": "output_text", "text": "hi"}]


def test_audio_and_images_count_by_length_and_detail() -> None:
    gateway = Gateway()
    audio = base64.b64encode(speech(2.0)).decode()
    image = "data:image/png;base64,AAAA"
    content = [
        {"type": "input_audio", "audio": audio, "transcript": "a table for two"},
        {"type": "input_image", "image_url": image, "detail": "low"},
    ]
    create(gateway, {"type": "message", "role": "user", "content": content})
    create(gateway, {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": image}]})
    gateway.send("response.create")
    gateway.finish()
    assert [segment.tokens for segment in gateway.requests[0].segments[1:]] == [4 + 20 + 85, 4 + 765]
    details = gateway.last("response.done")["response"]["usage"]["input_token_details"]
    assert (details["audio_tokens"], details["image_tokens"]) == (20, 850)
    assert gateway.requests[0].last_text == ""
    shown = gateway.all("conversation.item.done")[0]["item"]["content"]
    assert shown[0] == {"type": "input_audio", "transcript": "a table for two"}
    assert shown[1] == {"type": "input_image", "image_url": image, "detail": "low"}


def test_equal_prompts_have_equal_segments() -> None:
    one, other = Gateway(), Gateway()
    for gateway in (one, other):
        gateway.update(instructions="Be brief.")
        gateway.hear(silence(0.5) + speech(1.0) + silence(1.0))
        gateway.finish()
        gateway.hear(silence(0.5) + speech(1.5 if gateway is one else 1.0) + silence(1.0))
        gateway.finish()
    first, second = (gateway.requests[1].segments for gateway in (one, other))
    assert first[:3] == second[:3]
    assert first[3].key != second[3].key


@pytest.mark.parametrize(
    ("choice", "used"),
    [
        ("auto", "auto"),
        ("required", "required"),
        ("none", "none"),
        ({"type": "function", "name": "weather"}, "weather"),
        ({"type": "function", "name": "nothing"}, "auto"),
    ],
)
def test_which_tool_is_called(choice: Any, used: str) -> None:
    gateway = Gateway()
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
    gateway.send("response.create", response={"tools": [tool], "tool_choice": choice})
    assert gateway.requests[0].tool_choice == used
    assert gateway.errors == []


def test_one_response_may_differ_from_the_session() -> None:
    gateway = Gateway(lambda request: Reply((), (call(1),)))
    gateway.update(instructions="Be brief.", max_output_tokens=100)
    changes = {"instructions": "Be long.", "output_modalities": ["text"], "max_output_tokens": "inf"}
    gateway.send("response.create", response=changes)
    gateway.finish()
    gateway.send("response.create")
    first, second = gateway.requests
    assert (first.spoken, second.spoken) == (False, True)
    assert (first.most_tokens, second.most_tokens) == (None, 100)
    assert first.segments[0] == COUNTER.segment("system", "Be long.")
    assert second.segments[0] == COUNTER.segment("system", "Be brief.")


REFUSED = [
    ('{"type": "nonsense", "event_id": "e"}', "unknown_event", "type"),
    ('{"type": "transcription_session.update"}', "unknown_event", "type"),
    ('{"event_id": "e"}', "invalid_event", "type"),
    ('{"type": 7}', "invalid_event", "type"),
    ("[]", "invalid_event", "type"),
    ("no json", "invalid_json", None),
    ("", "invalid_json", None),
    ("[" * 100_000, "invalid_event", "type"),
    ('{"type": "response.create", "more": ' + "[" * 100_000, "invalid_json", None),
    ('{"type": "input_audio_buffer.append"}', "missing_required_parameter", "audio"),
    ('{"type": "input_audio_buffer.append", "audio": "no base64"}', "invalid_value", "audio"),
    ('{"type": "input_audio_buffer.append", "audio": "ä"}', "invalid_value", "audio"),
    ('{"type": "input_audio_buffer.append", "audio": null}', "invalid_value", "audio"),
    # the dialect of transcription servers
    ('{"type": "session.update", "model": "m"}', "missing_required_parameter", "session"),
    ('{"type": "session.update", "session": {"type": "transcription"}}', "invalid_value", "session.type"),
    (
        '{"type": "session.update", "session": {"max_output_tokens": 1e400}}',
        "invalid_value",
        "session.max_output_tokens",
    ),
    ('{"type": "session.update", "session": {"max_output_tokens": 0}}', "invalid_value", "session.max_output_tokens"),
    (
        '{"type": "session.update", "session": {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}}}',
        "invalid_value",
        "session.audio.input.format.rate",
    ),
    ('{"type": "conversation.item.truncate", "item_id": "x", "audio_end_ms": -1}', "invalid_value", "audio_end_ms"),
    (
        '{"type": "conversation.item.truncate", "item_id": "x", "content_index": 0, "audio_end_ms": 1}',
        "item_truncate_invalid_item_id",
        "item_id",
    ),
    ('{"type": "conversation.item.delete", "item_id": "x"}', "item_delete_invalid_item_id", "item_id"),
    ('{"type": "conversation.item.create", "item": {}}', "missing_required_parameter", "item.type"),
    ('{"type": "conversation.item.create", "item": {"type": "mcp_call"}}', "invalid_value", "item.type"),
    (
        '{"type": "conversation.item.create", "item": {"type": "message", "role": "user"}}',
        "missing_required_parameter",
        "item.content",
    ),
    (
        '{"type": "conversation.item.create", "item": {"type": "item_reference", "id": "x"}}',
        "invalid_value",
        "item.type",
    ),
    ('{"type": "response.create", "response": {"metadata": {"a": 1}}}', "invalid_value", "response.metadata[...]"),
    (
        '{"type": "response.create", "response": {"input": [{"type": "item_reference", "id": "x"}]}}',
        "invalid_value",
        "response.input[0].id",
    ),
]


@pytest.mark.parametrize(("data", "code", "param"), REFUSED)
def test_what_is_refused(data: str, code: str, param: str | None) -> None:
    gateway = Gateway()
    gateway.raw(data)
    (error,) = gateway.errors
    assert error["type"] == "invalid_request_error"
    assert (error["code"], error["param"]) == (code, param)
    assert error["message"]
    gateway.update()
    assert gateway.kinds()[-1] == "session.updated"


def test_binary_frames_are_refused() -> None:
    gateway = Gateway()
    gateway.raw(b'{"type": "response.create"}')
    assert gateway.errors[0]["code"] == "invalid_frame"


def test_errors_name_the_clients_event() -> None:
    gateway = Gateway()
    for event in (
        {"type": "nonsense"},
        {"type": "session.update", "session": 3},
        {"type": "conversation.item.delete", "item_id": "x"},
        {"type": "input_audio_buffer.commit"},
    ):
        gateway.raw(json.dumps(event | {"event_id": "mine"}))
    assert [error["event_id"] for error in gateway.errors] == ["mine"] * 4


def test_duplicate_and_misplaced_items_are_refused() -> None:
    gateway = Gateway()
    create(gateway, message("hello", id="mine"))
    create(gateway, message("again", id="mine"))
    create(gateway, message("where?"), previous_item_id="nowhere")
    assert [error["code"] for error in gateway.errors] == [
        "item_create_duplicate_item_id",
        "item_create_invalid_previous_item_id",
    ]
    assert len(gateway.all("conversation.item.added")) == 1


def test_schemas_have_a_depth_that_can_be_written_again() -> None:
    schema: dict[str, Any] = {}
    for _ in range(100):
        schema = {"items": schema}
    gateway = Gateway()
    gateway.update(tools=[{"type": "function", "name": "deep", "parameters": schema}])
    assert gateway.errors[0]["param"] == "session.tools[0].parameters"


def test_halves_of_letters_do_no_harm() -> None:
    gateway = Gateway()
    create(gateway, message("a \ud83d b"))
    assert gateway.errors == []
    assert gateway.last("conversation.item.done")["item"]["content"][0]["text"] == "a ? b"


def test_a_conversation_has_an_end() -> None:
    gateway = Gateway(is_checked=False)
    for _ in range(MOST_ITEMS):
        gateway.say("hello")
    assert gateway.errors == []
    gateway.say("one more")
    assert gateway.errors[0]["code"] == "conversation_full"
    gateway.send("response.create")  # the reply has room
    gateway.finish()
    assert gateway.last("response.done")["response"]["status"] == "completed"
