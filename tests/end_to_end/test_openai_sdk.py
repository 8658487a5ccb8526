"""The openai SDK, unmodified and in an environment of its own, against a service in a process of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.served import served

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-clients" / "bin" / "python"

Results = dict[str, Any]


@pytest.fixture(scope="module")
def results() -> Results:
    """What the SDK got, by what was tried."""
    if not PYTHON.exists():
        pytest.skip("the environment of the openai SDK is not set up (scripts/test does it)")
    with served() as place:
        done = subprocess.run(
            [PYTHON, Path(__file__).with_name("openai_client.py"), f"http://{place}/v1"],
            capture_output=True,
            text=True,
            timeout=600,
        )
    assert done.returncode == 0, done.stderr
    found: Results = json.loads(done.stdout)
    return found


def assert_decomposed(metadata: dict[str, str]) -> None:
    """The stages tile the turn."""
    assert metadata["subsecond_pipeline"] == "gpu"
    stages = json.loads(metadata["subsecond_stages_ms"])
    assert sum(stages.values()) == pytest.approx(float(metadata["subsecond_latency_ms"]), abs=0.01)
    assert 0 < float(metadata["subsecond_ttft_ms"]) <= float(metadata["subsecond_latency_ms"])


def test_models_are_listed_with_their_pipelines(results: Results) -> None:
    assert {"gpt-oss-120b", "gpt-oss-120b@gpu", "gpt-oss-120b@trn-cs3"} <= set(results["models"])


def test_realtime_text(results: Results) -> None:
    got = results["realtime_text"]
    assert got["response"]["status"] == "completed"
    assert got["response"]["output"][0]["content"][0]["text"] == got["text"] != ""
    assert got["response"]["usage"]["output_tokens"] > 0
    assert got["types"][0] == "session.created"
    assert got["types"].index("response.created") < got["types"].index("response.output_text.delta")
    assert_decomposed(got["response"]["metadata"])


def test_realtime_audio(results: Results) -> None:
    got = results["realtime_audio"]
    assert got["response"]["status"] == "completed"
    order = [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "response.created",
        "response.output_audio.delta",
        "response.output_audio.done",
    ]
    places = [got["types"].index(kind) for kind in order]
    assert places == sorted(places)
    assert got["sound_s"] > 0.5
    assert got["transcript"]
    stages = json.loads(got["response"]["metadata"]["subsecond_stages_ms"])
    assert stages["endpointing"] > 0
    assert stages["text_to_speech"] > 0


def test_realtime_tool_round_trip(results: Results) -> None:
    got = results["realtime_tool"]
    assert got["call"]["type"] == "function_call"
    assert got["call"]["name"] == "weather"
    assert isinstance(json.loads(got["call"]["arguments"]), dict)
    assert got["answered"]["response"]["status"] == "completed"
    assert got["answered"]["text"]


def test_realtime_cancel(results: Results) -> None:
    cancelled = results["realtime_cancel"]["cancelled"]["response"]
    assert cancelled["status"] == "cancelled"
    assert cancelled["status_details"]["reason"] == "client_cancelled"
    assert results["realtime_cancel"]["next"]["response"]["status"] == "completed"


def test_responses_over_a_websocket_go_on_from_each_other(results: Results) -> None:
    first, second = results["responses_socket"]
    assert first["types"][-1] == second["types"][-1] == "response.completed"
    assert first["response"]["output"][-1]["type"] == "function_call"
    assert second["response"]["previous_response_id"] == first["response"]["id"]
    assert second["response"]["usage"]["input_tokens"] > first["response"]["usage"]["input_tokens"]
    assert_decomposed(first["response"]["metadata"])
    assert_decomposed(second["response"]["metadata"])


def test_responses_over_http(results: Results) -> None:
    got = results["responses"]
    assert got["text"]
    assert got["response"]["status"] == "completed"
    assert got["again"]["usage"]["input_tokens"] > got["response"]["usage"]["input_tokens"]
    assert_decomposed(got["response"]["metadata"])


def test_responses_streamed(results: Results) -> None:
    got = results["responses_stream"]
    assert got["types"][0] == "response.created"
    assert got["types"][-1] == "response.completed"
    assert got["response"]["output"][0]["content"][0]["text"] == got["text"] != ""


def test_chat_completion(results: Results) -> None:
    got = results["chat"]
    assert got["choices"][0]["message"]["content"]
    assert 0 < got["usage"]["completion_tokens"] <= 40


def test_chat_completion_streamed(results: Results) -> None:
    chunks = results["chat_stream"]
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    calls = [call for chunk in chunks for choice in chunk["choices"] for call in choice["delta"]["tool_calls"] or ()]
    assert calls[0]["function"]["name"] == "weather"
    assert isinstance(json.loads("".join(call["function"]["arguments"] or "" for call in calls)), dict)
    assert [choice["finish_reason"] for choice in chunks[-2]["choices"]] == ["tool_calls"]
    assert chunks[-1]["usage"]["total_tokens"] > 0


def test_an_unknown_pipeline_is_not_found(results: Results) -> None:
    assert results["unknown_pipeline"] == {"type": "NotFoundError", "status": 404}
