"""Realtime: what a client hears, in which order and with what in it; the openai SDK's models read every event."""

from __future__ import annotations

import json

import pytest
from support.realtime import TEXT, WEATHER, Gateway, call, silence, speech

from subsecond.agents.wire.base import End, Reply, Send

ASKED = ["response.created"]
ITEM = ["response.output_item.added", "conversation.item.added"]
ITEM_DONE = ["response.output_item.done", "conversation.item.done"]
USER_ITEM = ["conversation.item.added", "conversation.item.done"]
DONE = ["response.done", "rate_limits.updated"]
TEXT_DELTAS = ["response.output_text.delta"]
TEXT_DONE = ["response.output_text.done", "response.content_part.done", *ITEM_DONE]
AUDIO_DONE = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    *ITEM_DONE,
]
CALL_DELTAS = ["response.function_call_arguments.delta", "response.function_call_arguments.done"]
TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object"}}


def text_gateway(script: Reply | End = TEXT) -> Gateway:
    gateway = Gateway(lambda request: script)
    gateway.update(output_modalities=["text"], tools=[TOOL])
    return gateway


def without_sound(kinds: list[str]) -> list[str]:
    """Deltas of transcript and sound as one kind, since they come in turns."""
    short = ["sound" if kind.endswith(("_audio_transcript.delta", "_audio.delta")) else kind for kind in kinds]
    return [kind for place, kind in enumerate(short) if place == 0 or short[place - 1] != kind]


def test_a_session_begins_at_once() -> None:
    gateway = Gateway()
    assert gateway.kinds() == ["session.created"]
    gateway.update()
    assert gateway.kinds() == ["session.created", "session.updated"]


def test_a_text_response() -> None:
    gateway = text_gateway()
    gateway.say("hello")
    gateway.send("response.create")
    gateway.finish()
    assert gateway.kinds(2) == [
        *USER_ITEM, *ASKED, *ITEM, "response.content_part.added", *TEXT_DELTAS, *TEXT_DONE, *DONE,
    ]  # fmt: skip
    done = gateway.last("response.done")["response"]
    assert done["status"] == "completed"
    assert done["status_details"] is None
    assert done["output"][0]["content"] == [{"type": "output_text", "text": "Good morning. How are you?"}]
    assert gateway.last("response.output_text.done")["text"] == "Good morning. How are you?"
    deltas = [event["delta"] for event in gateway.all("response.output_text.delta")]
    assert "".join(deltas) == "Good morning. How are you?"


def test_tokens_that_come_together_are_one_delta() -> None:
    gateway = text_gateway()
    gateway.send("response.create")
    (sent,) = [
        effect.message
        for effect in gateway.session.tokens(gateway.requests[0].ident, 5, gateway.now_s)
        if isinstance(effect, Send) and effect.event == "response.output_text.delta"
    ]
    assert sent["delta"] == "Good morning. How are"


def test_a_spoken_response() -> None:
    gateway = Gateway()
    gateway.say("hello")
    gateway.send("response.create")
    gateway.finish()
    assert without_sound(gateway.kinds(1)) == [
        *USER_ITEM, *ASKED, *ITEM, "response.content_part.added", "sound", *AUDIO_DONE, *DONE,
    ]  # fmt: skip
    assert gateway.last("response.content_part.added")["part"] == {"type": "audio", "transcript": ""}
    item = gateway.last("response.output_item.done")["item"]
    assert item["content"] == [{"type": "output_audio", "transcript": "Good morning. How are you?"}]
    deltas = [event["delta"] for event in gateway.all("response.output_audio_transcript.delta")]
    assert "".join(deltas) == "Good morning. How are you?"


def test_several_calls() -> None:
    gateway = text_gateway(Reply((), (call(1), call(2))))
    gateway.say("the weather?")
    gateway.send("response.create")
    gateway.finish()
    one = [*ITEM, *CALL_DELTAS, *ITEM_DONE]
    assert gateway.kinds(2) == [*USER_ITEM, *ASKED, *one, *one, *DONE]
    added, done = gateway.all("response.output_item.added"), gateway.all("response.function_call_arguments.done")
    assert [event["output_index"] for event in added] == [0, 1]
    assert [event["item"]["arguments"] for event in added] == ["", ""]
    assert [(event["name"], event["call_id"]) for event in done] == [("weather", "call_1"), ("weather", "call_2")]
    assert {event["arguments"] for event in done} == {'{"city": "Oslo"}'}
    outputs = gateway.last("response.done")["response"]["output"]
    assert [output["status"] for output in outputs] == ["completed", "completed"]


def test_text_and_then_a_call() -> None:
    gateway = text_gateway(Reply(("One", " moment"), (call(1),)))
    gateway.send("response.create")
    gateway.finish()
    message = [*ITEM, "response.content_part.added", *TEXT_DELTAS, *TEXT_DONE]
    assert gateway.kinds(2) == [*ASKED, *message, *ITEM, *CALL_DELTAS, *ITEM_DONE, *DONE]


def test_calls_do_not_wait_for_what_is_said_before_them() -> None:
    gateway = Gateway(lambda request: Reply(("One", " moment", " please"), (call(1),)))
    gateway.send("response.create")
    gateway.finish()
    kinds = gateway.kinds()
    assert kinds.index("response.function_call_arguments.done") < kinds.index("response.output_audio.done")
    assert kinds.index("response.output_audio.done") < kinds.index("response.done")


def test_a_tools_result_is_the_context_of_the_next_response() -> None:
    replies = iter([Reply((), (call(1),)), TEXT])
    gateway = Gateway(lambda request: next(replies))
    gateway.update(output_modalities=["text"], tools=[TOOL])
    gateway.say("the weather?")
    gateway.send("response.create")
    gateway.finish()
    output = {"type": "function_call_output", "call_id": "call_1", "output": "rain"}
    gateway.send("conversation.item.create", item=output)
    gateway.send("response.create")
    gateway.finish()
    first, second = gateway.requests
    assert (first.has_tool_result, second.has_tool_result) == (False, True)
    assert second.last_text == "rain"
    assert second.segments[: len(first.segments)] == first.segments
    assert len(second.segments) == len(first.segments) + 2
    assert second.tools[0].name == WEATHER.name
    assert (first.replies, first.tool_steps, second.replies, second.tool_steps) == (0, 0, 1, 1)


def test_cancelling() -> None:
    gateway = text_gateway()
    gateway.say("hello")
    gateway.send("response.create")
    gateway.advance(0.13)
    before = len(gateway.events)
    gateway.send("response.cancel")
    assert gateway.cancelled == [gateway.requests[0].ident]
    assert gateway.kinds(before) == [*TEXT_DONE, *DONE]
    done = gateway.last("response.done")["response"]
    assert done["status"] == "cancelled"
    assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert done["output"][0]["status"] == "incomplete"
    assert done["usage"]["output_tokens"] == 2
    gateway.finish()
    assert gateway.last("rate_limits.updated") is gateway.events[-1]


def test_cancelling_before_the_first_token() -> None:
    gateway = text_gateway()
    gateway.send("response.create")
    gateway.send("response.cancel", response_id=gateway.requests[0].ident)
    assert gateway.kinds(2) == ["response.created", *DONE]
    assert gateway.last("response.done")["response"]["output"] == []


def test_cancelling_nothing_is_an_error_that_clients_know() -> None:
    gateway = text_gateway()
    gateway.send("response.cancel", event_id="mine")
    (error,) = gateway.errors
    assert (error["code"], error["event_id"]) == ("response_cancel_not_active", "mine")
    assert error["message"].startswith("Cancellation failed")


def test_what_was_said_before_the_pipeline_lets_go_is_silence() -> None:
    gateway = text_gateway()
    gateway.lets_go = False
    gateway.send("response.create")
    gateway.advance(0.11)
    gateway.send("response.cancel")
    before = len(gateway.events)
    gateway.advance(0.02)
    assert gateway.kinds(before) == []
    gateway.send("response.create", event_id="next")  # waits for the end of the one before
    assert len(gateway.requests) == 1
    gateway.let_go()
    assert gateway.kinds(before)[-4:] == ["conversation.item.done", *DONE, "response.created"]
    gateway.finish()
    assert gateway.last("response.done")["response"]["status"] == "completed"
    assert gateway.errors == []


def test_a_second_response_is_refused_while_one_runs() -> None:
    gateway = text_gateway()
    gateway.send("response.create")
    gateway.send("response.create", event_id="second")
    (error,) = gateway.errors
    assert error["code"] == "conversation_already_has_active_response"
    assert error["event_id"] == "second"
    assert "response.create" in error["message"]
    gateway.finish()
    assert len(gateway.all("response.done")) == 1
    gateway.send("response.create")
    gateway.finish()
    assert len(gateway.all("response.done")) == 2


def test_responses_beside_the_conversation() -> None:
    gateway = text_gateway()
    gateway.say("hello")
    gateway.send("response.create")
    question = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a topic for it?"}]}
    aside = {"conversation": "none", "input": [question], "metadata": {"topic": "yes"}, "instructions": "One word."}
    gateway.send("response.create", response=aside)
    gateway.finish()
    assert gateway.errors == []
    main, other = gateway.requests
    assert other.last_text == "a topic for it?"
    assert (main.conversation, other.conversation) == ("conv_1", "")
    assert len(gateway.all("response.done")) == 2
    responses = {event["response"]["id"]: event["response"] for event in gateway.all("response.done")}
    assert responses[other.ident]["conversation_id"] is None
    assert responses[other.ident]["metadata"]["topic"] == "yes"
    # only the user's message and the reply to it have become part of the conversation
    assert len(gateway.all("conversation.item.added")) == 2


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (End.THROTTLED, "rate_limit_exceeded"),
        (End.FAILED, "server_error"),
        (End.TOO_LONG, "context_length_exceeded"),
        (End.NO_PIPELINE, "model_not_found"),
    ],
)
def test_what_the_pipeline_refuses_fails(end: End, code: str) -> None:
    gateway = text_gateway(end)
    gateway.say("hello")
    gateway.send("response.create")
    assert gateway.kinds(4) == ["response.created", *DONE]
    done = gateway.last("response.done")["response"]
    assert done["status"] == "failed"
    assert done["status_details"]["error"]["code"] == code
    assert done["status_details"]["error"]["message"] == f"it was {end.value}"
    assert done["usage"]["output_tokens"] == 0
    gateway.session.due_s()
    assert gateway.errors == []


def test_a_reply_that_is_cut_is_incomplete() -> None:
    gateway = text_gateway(Reply(("Good", " morn"), is_cut=True))
    gateway.send("response.create", response={"max_output_tokens": 2})
    gateway.finish()
    assert gateway.requests[0].most_tokens == 2
    done = gateway.last("response.done")["response"]
    assert done["status"] == "incomplete"
    assert done["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert done["output"][0]["status"] == "incomplete"
    assert done["max_output_tokens"] == 2


def test_usage() -> None:
    gateway = text_gateway()
    gateway.cached_tokens = 7
    gateway.update(instructions="Be brief. Be kind. Be on time.")
    gateway.say("hello")
    gateway.hear(speech(1.0))
    gateway.send("input_audio_buffer.commit")
    gateway.send("response.create")
    gateway.finish()
    usage = gateway.last("response.done")["response"]["usage"]
    (request,) = gateway.requests
    details = usage["input_token_details"]
    assert usage["input_tokens"] == request.prompt_tokens
    assert usage["output_tokens"] == len(TEXT.pieces)
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert details["audio_tokens"] == 10  # one per 100 ms
    assert details["text_tokens"] + details["audio_tokens"] == usage["input_tokens"]
    assert details["cached_tokens"] == 7
    assert details["cached_tokens_details"] == {"text_tokens": 7, "audio_tokens": 0, "image_tokens": 0}


def test_metadata_holds_where_the_time_went() -> None:
    gateway = text_gateway()
    gateway.send("response.create", response={"metadata": {"client_event_id": "e1"}})
    gateway.finish()
    assert gateway.last("response.created")["response"]["metadata"] == {"client_event_id": "e1"}
    metadata = gateway.last("response.done")["response"]["metadata"]
    assert metadata.pop("client_event_id") == "e1"
    assert json.loads(metadata.pop("subsecond_stages_ms")) == {"network": 10.0, "prefill": 113.4, "decode_rest": 333.3}
    assert metadata == {
        "subsecond_pipeline": "gpu",
        "subsecond_ttft_ms": "123.400",
        "subsecond_latency_ms": "456.700",
        "subsecond_other_pipelines_ms": '{"trn-cs3":99.5}',
    }


def test_the_clients_metadata_comes_first() -> None:
    gateway = text_gateway()
    own = {f"key{number}": "x" for number in range(16)}
    gateway.send("response.create", response={"metadata": own})
    gateway.finish()
    assert gateway.last("response.done")["response"]["metadata"] == own


def test_keys_that_clients_die_without() -> None:
    """From dropping keys under real clients: without these they raise, wait in vain, or lose tool calls."""
    gateway = Gateway(lambda request: Reply(("Well", "."), (call(1),)))
    gateway.update(tools=[TOOL], audio={"input": {"transcription": {"model": "whisper-1"}}})
    gateway.hear(silence(0.5) + speech(1.0) + silence(1.0))
    gateway.finish()
    gateway.send("response.create", response={"metadata": {"client_event_id": "x"}})
    gateway.finish()
    for event in gateway.events:
        kind, keys = event["type"], event.keys()
        assert "event_id" in keys
        if kind.startswith("response.") and kind not in ("response.created", "response.done"):
            assert {"response_id", "output_index"} <= keys
            assert "output_item" in kind or "item_id" in keys
        if kind.startswith(("response.output_audio", "response.output_text", "response.content_part")):
            assert "content_index" in keys
        if kind.startswith("response.function_call_arguments"):
            assert "call_id" in keys
            assert kind.endswith("delta") or {"name", "arguments"} <= keys
        if kind.startswith("input_audio_buffer"):
            assert "item_id" in keys
        if kind in ("conversation.item.added", "conversation.item.done"):
            assert {"item", "previous_item_id"} <= keys
        if kind == "response.done":
            assert {"metadata", "usage", "status", "output"} <= event["response"].keys()
    needed = (
        "conversation.item.added",
        "session.updated",
        "response.created",
        "response.output_item.added",
        "response.output_item.done",
        "response.function_call_arguments.done",
        "response.output_audio_transcript.delta",
        "response.output_audio_transcript.done",
        "input_audio_buffer.speech_started",
        "conversation.item.input_audio_transcription.completed",
    )
    assert {event["type"] for event in gateway.events} >= set(needed)
    detection = gateway.last("session.updated")["session"]["audio"]["input"]["turn_detection"]
    assert detection["interrupt_response"] is True
    assert detection["create_response"] is True
    assert gateway.last("response.created")["response"]["metadata"]["client_event_id"] == "x"
    call_item = gateway.last("conversation.item.added")["item"]
    assert (call_item["type"], call_item["name"]) == ("function_call", "weather")


def test_a_late_word_about_a_request_is_passed_over() -> None:
    gateway = text_gateway()
    gateway.send("response.create")
    gateway.finish()
    before = len(gateway.events)
    ident = gateway.requests[0].ident
    assert gateway.session.tokens(ident, 3, gateway.now_s) == []
    assert gateway.session.ended(ident, gateway.outcome(End.DONE, 3), gateway.now_s) == []
    assert gateway.session.started("nobody", TEXT, "gpu") == []
    assert len(gateway.events) == before


def test_reasoning_is_counted_and_not_shown() -> None:
    gateway = text_gateway(Reply(("Yes",), reasoning_tokens=20))
    gateway.send("response.create")
    gateway.advance(0.1 + 19 / 50)
    assert gateway.all("response.output_item.added") == []
    gateway.finish()
    done = gateway.last("response.done")["response"]
    assert done["output"][0]["content"][0]["text"] == "Yes"
    assert done["usage"]["output_tokens"] == 21
