"""Realtime with speech: turns that the detector ends, interruptions, the pace of what is said, and cutting it."""

from __future__ import annotations

import base64
from itertools import pairwise
from typing import Any

import pytest
from support.realtime import DELAYS, TEXT, Gateway, call, silence, speech

from subsecond.agents.wire.base import Reply
from subsecond.agents.wire.sound_formats import SOUND_FORMATS

LONG = Reply(tuple(f" word{n}" for n in range(40)), first_sentence=10)
TRANSCRIBED = {"input": {"transcription": {"model": "whisper-1"}}}
USER_TURN = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
]
TRANSCRIPT = [
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
]
SPOKEN = silence(0.5) + speech(2.0) + silence(0.8)


def detection(**fields: Any) -> dict[str, Any]:
    return {"input": {"turn_detection": {"type": "server_vad", **fields}}}


def sound_ms(event: dict[str, Any]) -> float:
    return len(base64.b64decode(event["delta"])) / 48


def heard_ms(gateway: Gateway) -> float:
    return sum(sound_ms(event) for event in gateway.all("response.output_audio.delta"))


def test_a_turn_that_the_detector_ends() -> None:
    gateway = Gateway()
    gateway.update(audio=TRANSCRIBED)
    gateway.hear(SPOKEN, in_real_time=True)
    gateway.finish()
    assert gateway.kinds(2)[:8] == [*USER_TURN, *TRANSCRIPT, "response.created"]
    started, stopped = (gateway.last(kind) for kind in USER_TURN[:2])
    assert started["audio_start_ms"] == pytest.approx(200, abs=40)  # 300 ms of padding before the first sound
    assert stopped["audio_end_ms"] == pytest.approx(3000, abs=60)  # 500 ms of silence after the last
    idents = {gateway.last(kind)["item_id"] for kind in USER_TURN[:3]}
    assert idents == {gateway.all("conversation.item.added")[0]["item"]["id"]}
    completed = gateway.last(TRANSCRIPT[1])
    assert completed["transcript"] == "[speech, 2.0 s]"
    assert completed["usage"]["seconds"] == pytest.approx(2.8, abs=0.1)


def test_the_time_before_a_request_is_told() -> None:
    gateway = Gateway()
    gateway.hear(SPOKEN, in_real_time=True)
    gateway.finish()
    (request,) = gateway.requests
    assert request.spoken
    assert request.agent == "voice"
    # speech-to-text takes 250 ms beside 500 ms of endpointing: nothing is left of it
    assert request.before_ms == {"endpointing": pytest.approx(500, abs=20), "speech_to_text": 0}
    assert request.after_ms == {"text_to_speech": DELAYS.text_to_speech_ms}
    assert request.last_text == "[speech, 2.0 s]"


def test_speech_to_text_that_takes_longer_than_the_silence_delays_the_request() -> None:
    gateway = Gateway()
    gateway.update(audio=detection(silence_duration_ms=100))
    gateway.hear(silence(0.5) + speech(1.0) + silence(0.2))
    assert gateway.kinds()[-1] == "conversation.item.done"
    assert gateway.requests == []
    due_s = gateway.session.due_s()
    assert due_s is not None
    assert due_s - gateway.now_s == pytest.approx(0.15)
    gateway.advance(0.14)
    assert gateway.requests == []
    gateway.advance(0.02)
    assert gateway.requests[0].before_ms == {"endpointing": pytest.approx(100), "speech_to_text": pytest.approx(150)}


@pytest.mark.parametrize("in_real_time", [False, True])
@pytest.mark.parametrize("piece", [960, 4800, 333, 10**6])
def test_how_fast_and_in_which_pieces_audio_comes_does_not_matter(in_real_time: bool, piece: int) -> None:
    gateway = Gateway()
    gateway.hear(SPOKEN, in_real_time=in_real_time, piece=piece)
    gateway.finish()
    assert gateway.last("input_audio_buffer.speech_started")["audio_start_ms"] == 200
    assert gateway.last("input_audio_buffer.speech_stopped")["audio_end_ms"] == 3000


def test_several_turns_in_one_message() -> None:
    gateway = Gateway()
    gateway.hear(SPOKEN * 3, piece=10**7)
    assert len(gateway.all("input_audio_buffer.committed")) == 3
    gateway.finish()
    assert len(gateway.all("response.done")) == 1  # the user spoke on before the first answers began
    assert len(gateway.requests[0].segments) == 4


@pytest.mark.parametrize(
    ("eagerness", "patience_ms"),
    [("high", DELAYS.high_ms), ("auto", DELAYS.medium_ms), ("medium", DELAYS.medium_ms), ("low", DELAYS.low_ms)],
)
def test_semantic_detection_waits_as_its_eagerness_says(eagerness: str, patience_ms: float) -> None:
    gateway = Gateway()
    gateway.update(audio={"input": {"turn_detection": {"type": "semantic_vad", "eagerness": eagerness}}})
    gateway.hear(silence(0.5) + speech(1.0) + silence(1.0))
    gateway.finish()
    assert gateway.requests[0].before_ms["endpointing"] == pytest.approx(patience_ms, abs=20)


def test_without_create_response_the_client_asks() -> None:
    gateway = Gateway()
    gateway.update(audio=detection(create_response=False))
    gateway.hear(SPOKEN)
    gateway.finish()
    assert gateway.requests == []
    gateway.send("response.create")
    gateway.finish()
    assert gateway.requests[0].before_ms["endpointing"] == pytest.approx(500, abs=20)


def test_a_client_that_commits_itself() -> None:
    gateway = Gateway()
    gateway.update(audio={"input": {"turn_detection": None, "transcription": {"model": "whisper-1"}}})
    assert gateway.last("session.updated")["session"]["audio"]["input"]["turn_detection"] is None
    gateway.hear(speech(1.5))
    assert gateway.kinds(2) == []
    gateway.send("input_audio_buffer.commit")
    gateway.send("response.create")
    assert gateway.kinds(2) == USER_TURN[2:]
    gateway.finish()
    assert gateway.kinds(2)[3:6] == [*TRANSCRIPT, "response.created"]
    assert gateway.requests[0].before_ms == {"endpointing": 0, "speech_to_text": DELAYS.speech_to_text_ms}
    assert gateway.last(TRANSCRIPT[1])["transcript"] == "[speech, 1.5 s]"


def test_commits_of_next_to_nothing_are_refused() -> None:
    gateway = Gateway()
    gateway.update(audio={"input": {"turn_detection": None}})
    gateway.hear(speech(0.25)[:4700])
    gateway.send("input_audio_buffer.commit")
    assert gateway.errors[0]["code"] == "input_audio_buffer_commit_empty"
    gateway.hear(silence(0.01))
    gateway.send("input_audio_buffer.commit")
    assert gateway.all("input_audio_buffer.committed")
    gateway.hear(speech(1.0))
    gateway.send("input_audio_buffer.clear")
    gateway.send("input_audio_buffer.commit")
    assert len(gateway.errors) == 2
    assert gateway.last("input_audio_buffer.cleared")


def test_the_buffer_has_an_end_where_nobody_commits() -> None:
    gateway = Gateway()
    gateway.update(audio={"input": {"turn_detection": None}})
    minutes = base64.b64encode(silence(300)).decode()
    for _ in range(3):
        gateway.send("input_audio_buffer.append", audio=minutes)
    assert gateway.errors == []
    gateway.hear(silence(0.1))
    assert gateway.errors[0]["code"] == "input_audio_buffer_full"
    gateway.send("input_audio_buffer.commit")
    gateway.hear(silence(0.1))
    assert len(gateway.errors) == 1


@pytest.mark.parametrize("name", ["audio/pcmu", "audio/pcma"])
def test_formats_of_telephony(name: str) -> None:
    sound = SOUND_FORMATS[name]
    gateway = Gateway()
    gateway.update(audio={"input": {"format": {"type": name}}, "output": {"format": {"type": name}}})
    gateway.hear(silence(0.5, sound) + speech(2.0, sound) + silence(0.8, sound), piece=800)
    assert gateway.last("input_audio_buffer.speech_started")["audio_start_ms"] == pytest.approx(200, abs=40)
    assert gateway.last("input_audio_buffer.speech_stopped")["audio_end_ms"] == pytest.approx(3000, abs=60)
    gateway.finish()
    data = base64.b64decode(gateway.all("response.output_audio.delta")[0]["delta"])
    assert len(data) == 800
    assert abs(sound.decode(data)).max() > 3000


def test_speech_keeps_the_pace_of_playing() -> None:
    gateway = Gateway(lambda request: LONG)
    gateway.tokens_per_s = 1000.0
    gateway.send("response.create")
    gateway.finish()
    deltas = [
        (time, sound_ms(event))
        for time, event in zip(gateway.times, gateway.events, strict=True)
        if event["type"] == "response.output_audio.delta"
    ]
    first_s = deltas[0][0]
    assert {ms for _, ms in deltas} == {100.0}
    assert sum(ms for _, ms in deltas) == len(LONG.pieces) / DELAYS.speech_tokens_per_s * 1000
    sent_ms = 0.0
    for time, ms in deltas:
        sent_ms += ms
        lead_ms = sent_ms - (time - first_s) * 1000
        assert -1e-6 <= lead_ms <= 300 + 1e-6
    # the first sound: the first sentence, and then text-to-speech
    sentence_s = gateway.ttft_s + (LONG.first_sentence - 1) / gateway.tokens_per_s
    assert first_s - 1000.0 == pytest.approx(sentence_s + DELAYS.text_to_speech_ms / 1000, abs=2e-3)


def test_speech_is_never_ahead_of_its_tokens() -> None:
    gateway = Gateway(lambda request: Reply(LONG.pieces, first_sentence=2))
    gateway.tokens_per_s = 2.5  # slower than it is spoken
    gateway.send("response.create")
    gateway.finish()
    first_token_s, said_ms = 1000.0 + gateway.ttft_s, 0.0
    for time, event in zip(gateway.times, gateway.events, strict=True):
        if event["type"] == "response.output_audio.delta":
            said_ms += sound_ms(event)
            written = 1 + int((time - first_token_s) * gateway.tokens_per_s + 1e-6)
            assert said_ms <= written / DELAYS.speech_tokens_per_s * 1000 + 1e-6
    assert said_ms == 10_000
    assert gateway.last("response.done")["response"]["status"] == "completed"


def test_what_is_said_before_a_call_does_not_hold_up_the_end_of_the_response() -> None:
    gateway = Gateway(lambda request: Reply(LONG.pieces, (call(1),), first_sentence=10), tokens_per_s=100.0)
    gateway.send("response.create")
    gateway.finish()
    assert heard_ms(gateway) == 10_000
    written_s = gateway.ttft_s + (len(LONG.pieces) + 2 - 1) / gateway.tokens_per_s
    assert gateway.times[-1] - 1000.0 == pytest.approx(written_s, abs=0.02)
    first = gateway.events.index(gateway.all("response.output_audio.delta")[0])
    sentence_s = gateway.ttft_s + 9 / gateway.tokens_per_s
    assert gateway.times[first] - 1000.0 == pytest.approx(sentence_s + DELAYS.text_to_speech_ms / 1000, abs=2e-3)


def test_a_faster_voice() -> None:
    gateway = Gateway(lambda request: LONG)
    gateway.update(audio={"output": {"speed": 1.25}})
    gateway.send("response.create")
    gateway.finish()
    assert heard_ms(gateway) == pytest.approx(8000)


def test_transcripts_come_with_their_sound() -> None:
    gateway = Gateway(lambda request: LONG)
    gateway.send("response.create")
    gateway.finish()
    said, told = 0.0, 0
    for event in gateway.events:
        if event["type"] == "response.output_audio_transcript.delta":
            told += event["delta"].count("word")
        elif event["type"] == "response.output_audio.delta":
            said += sound_ms(event)
            assert told == pytest.approx(said / 250, abs=1)


def test_barge_in_while_the_pipeline_writes() -> None:
    gateway = Gateway(lambda request: LONG, tokens_per_s=5.0)
    gateway.hear(SPOKEN)
    gateway.advance(6.0)
    assert heard_ms(gateway) > 1000
    before = len(gateway.events)
    gateway.hear(speech(1.0))
    assert gateway.kinds(before)[:8] == [
        "input_audio_buffer.speech_started",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
        "rate_limits.updated",
    ]
    assert gateway.cancelled == [gateway.requests[0].ident]
    done = gateway.last("response.done")["response"]
    assert done["status"] == "cancelled"
    assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert done["output"][0]["status"] == "incomplete"
    assert done["usage"]["output_tokens"] < len(LONG.pieces)
    gateway.hear(silence(1.0))
    gateway.finish()
    assert len(gateway.all("response.done")) == 2
    assert len(gateway.requests[1].segments) == len(gateway.requests[0].segments) + 2


def test_barge_in_while_it_only_speaks() -> None:
    gateway = Gateway(lambda request: LONG, tokens_per_s=1000.0)
    gateway.hear(SPOKEN)
    gateway.advance(3.0)
    gateway.hear(speech(0.5))
    assert gateway.cancelled == []  # the pipeline is through with it
    done = gateway.last("response.done")["response"]
    assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert done["usage"]["output_tokens"] == len(LONG.pieces)
    assert heard_ms(gateway) < 3500


def test_sound_stops_at_once_though_the_pipeline_lets_go_later() -> None:
    gateway = Gateway(lambda request: LONG, tokens_per_s=5.0, lets_go=False)
    gateway.hear(SPOKEN)
    gateway.advance(6.0)
    gateway.hear(speech(0.5))
    before, heard = len(gateway.events), heard_ms(gateway)
    gateway.advance(1.0)
    assert (heard_ms(gateway), gateway.kinds(before)) == (heard, [])
    gateway.let_go()
    assert gateway.kinds(before) == ["response.done", "rate_limits.updated"]


def test_without_interruption_the_next_response_follows() -> None:
    gateway = Gateway(lambda request: LONG)
    gateway.update(audio=detection(interrupt_response=False))
    gateway.hear(SPOKEN)
    gateway.advance(3.0)
    gateway.hear(SPOKEN)
    gateway.finish()
    statuses = [event["response"]["status"] for event in gateway.all("response.done")]
    assert statuses == ["completed", "completed"]
    assert heard_ms(gateway) == 20_000
    assert gateway.errors == []


def test_who_speaks_on_is_answered_once() -> None:
    gateway = Gateway()
    gateway.update(audio=detection(silence_duration_ms=100))
    gateway.hear(silence(0.5) + speech(1.0) + silence(0.2))  # its transcript takes 150 ms more
    gateway.advance(0.05)
    gateway.hear(speech(1.0) + silence(0.2))
    gateway.finish()
    assert len(gateway.all("response.created")) == len(gateway.requests) == 1
    assert len(gateway.all("input_audio_buffer.committed")) == 2


def test_a_turn_beside_the_clients_own_response_is_part_of_it() -> None:
    gateway = Gateway()
    gateway.hear(silence(0.5) + speech(1.0))
    gateway.send("input_audio_buffer.commit")
    gateway.send("response.create")
    gateway.send("response.cancel")
    assert [event["response"]["status"] for event in gateway.all("response.done")] == ["cancelled"]
    gateway.finish()
    assert gateway.requests == []


def truncated(gateway: Gateway, heard: int) -> dict[str, Any]:
    """The item that is or was spoken, cut there, as the client gets it back."""
    ident = gateway.last("response.output_item.added")["item"]["id"]
    gateway.send("conversation.item.truncate", item_id=ident, content_index=0, audio_end_ms=heard)
    gateway.send("conversation.item.retrieve", item_id=ident)
    assert gateway.last("conversation.item.truncated")["audio_end_ms"] == heard
    item: dict[str, Any] = gateway.last("conversation.item.retrieved")["item"]
    return item


def test_cutting_what_was_not_heard() -> None:
    gateway = Gateway(lambda request: LONG, tokens_per_s=1000.0)
    gateway.send("response.create")
    gateway.finish()
    assert truncated(gateway, 1100)["content"][0]["transcript"] == " word0 word1 word2 word3"
    gateway.send("response.create")
    gateway.finish()
    before, after = (request.segments[-1] for request in gateway.requests)
    assert after != before
    assert after.tokens == 4 + 22  # 1100 ms, 50 ms a token
    details = gateway.last("response.done")["response"]["usage"]["input_token_details"]
    assert details["audio_tokens"] == 22
    assert gateway.errors == []


def test_cutting_an_item_that_is_being_spoken() -> None:
    gateway = Gateway(lambda request: LONG, tokens_per_s=1000.0)
    gateway.send("response.create")
    gateway.advance(3.0)
    item = truncated(gateway, 600)
    assert item["status"] == "incomplete"
    assert item["content"][0]["transcript"] == " word0 word1"
    heard = heard_ms(gateway)
    gateway.finish()
    assert heard_ms(gateway) == heard
    assert gateway.errors == []


def test_cutting_more_than_there_is_changes_nothing() -> None:
    gateway = Gateway(lambda request: TEXT)
    gateway.send("response.create")
    gateway.finish()
    assert truncated(gateway, 10**6)["content"][0]["transcript"] == "Good morning. How are you?"
    assert gateway.errors == []


def test_clearing_the_sound() -> None:
    gateway = Gateway(lambda request: Reply(LONG.pieces, (call(1),), first_sentence=10))
    gateway.send("output_audio_buffer.clear")
    assert gateway.kinds() == ["session.created"]
    gateway.send("response.create")
    gateway.advance(0.6)
    gateway.send("output_audio_buffer.clear")
    assert gateway.last("output_audio_buffer.cleared")["response_id"] == gateway.requests[0].ident
    heard = heard_ms(gateway)
    gateway.finish()
    assert heard_ms(gateway) == heard
    assert gateway.last("response.function_call_arguments.done")
    assert gateway.last("response.done")["response"]["status"] == "completed"


def test_a_short_reply_is_spoken_when_all_of_it_is_written() -> None:
    gateway = Gateway(lambda request: Reply(("Yes",), first_sentence=99))
    gateway.send("response.create")
    gateway.finish()
    assert heard_ms(gateway) == 250
    assert sound_ms(gateway.all("response.output_audio.delta")[-1]) == 50


def test_sound_is_audible_and_joins_smoothly() -> None:
    gateway = Gateway(lambda request: LONG)
    gateway.send("response.create")
    gateway.finish()
    pieces = [
        SOUND_FORMATS["audio/pcm"].decode(base64.b64decode(event["delta"]))
        for event in gateway.all("response.output_audio.delta")
    ]
    assert max(abs(piece.astype(int)).max() for piece in pieces) > 8000
    steps = [abs(int(after[0]) - int(before[-1])) for before, after in pairwise(pieces)]
    assert max(steps) < 8000
