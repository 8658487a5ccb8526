"""Traces: OpenTelemetry's own schema reads them, and what they say is what the recording holds."""

from __future__ import annotations

import base64
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status, TracesData

from subsecond.engine.export.formats import export
from subsecond.engine.export.tables import Window
from subsecond.engine.feed import TurnEnd
from subsecond.engine.recording.reader import Recording

IDS = ("traceId", "spanId", "parentSpanId")


def lines_of(recorded: Path, folder: Path, **window: Any) -> list[bytes]:
    with Recording.open(recorded) as recording:
        export(recording, "otlp-json", folder / "traces.json", window=Window(**window))
    return (folder / "traces.json").read_bytes().splitlines()


def parsed(line: bytes) -> TracesData:
    """A line by the published schema: OTLP's JSON is protobuf's, but for ids in hex instead of base64."""
    document = json.loads(line)
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for key in IDS:
                    if key in span:
                        span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
    data = TracesData()
    json_format.ParseDict(document, data)
    return data


def attributes(span: Span) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}


@pytest.fixture
def spans(recorded: Path, tmp_path: Path) -> list[Span]:
    lines = [parsed(line) for line in lines_of(recorded, tmp_path)]
    return [s for line in lines for r in line.resource_spans for scope in r.scope_spans for s in scope.spans]


@pytest.fixture
def turns(recorded: Path) -> dict[tuple[str, int], TurnEnd]:
    with Recording.open(recorded) as recording:
        lanes = recording.hello().lanes
        return {(lanes[turn.lane].name, turn.turn): turn for turn in recording.turn_ends()}


def test_every_turn_is_a_span_with_what_the_recording_says(
    spans: list[Span], turns: dict[tuple[str, int], TurnEnd], recorded: Path
) -> None:
    with Recording.open(recorded) as recording:
        begin_ns = round(recording.metadata().created_unix_s * 1e9)
    roots = [span for span in spans if not span.parent_span_id]
    assert len(roots) == len(turns)
    for span in roots:
        said = attributes(span)
        turn = turns[said["subsecond.lane"], said["subsecond.turn"]]
        assert said["gen_ai.operation.name"] == "invoke_agent"
        assert said["gen_ai.request.model"] == "tiny"
        assert said["gen_ai.conversation.id"] == str(turn.session)
        assert said["gen_ai.usage.input_tokens"] == turn.prompt_tokens
        assert said["gen_ai.usage.cache_read.input_tokens"] == turn.hit_tokens
        assert said["gen_ai.usage.output_tokens"] == turn.output_tokens
        assert said["subsecond.latency_ps"] == turn.latency_ps
        assert said.get("subsecond.ttft_ps", -1) == turn.ttft_ps
        met = tuple(int(said.get(f"subsecond.met.{name}", -1)) for name in ("agent-step", 'it\'s "fast"'))
        assert met == turn.met
        assert span.start_time_unix_nano == begin_ns + turn.start_ps // 1000
        assert span.end_time_unix_nano == begin_ns + turn.end_ps // 1000
        assert span.name == "invoke_agent " + ("coding", "voice")[turn.agent]
        assert span.kind == Span.SPAN_KIND_CLIENT
        assert (span.status.code == Status.STATUS_CODE_ERROR) == (turn.state == 2) == ("error.type" in said)


def test_the_stages_of_a_turn_fill_it_one_after_the_other(
    spans: list[Span], turns: dict[tuple[str, int], TurnEnd]
) -> None:
    children: dict[bytes, list[Span]] = {}
    for span in spans:
        if span.parent_span_id:
            children.setdefault(span.parent_span_id, []).append(span)
    for span in (span for span in spans if not span.parent_span_id):
        said, own = attributes(span), children[span.span_id]
        turn = turns[said["subsecond.lane"], said["subsecond.turn"]]
        spent = [
            (n, ps) for n, ps in zip(("network", "prefill", "decode_first", "tools"), turn.stages_ps, strict=True) if ps
        ]
        assert [child.name for child in own] == [name for name, _ in spent]
        assert {child.trace_id for child in own} == {span.trace_id}
        edges = [span.start_time_unix_nano, *(child.end_time_unix_nano for child in own)]
        assert [child.start_time_unix_nano for child in own] == edges[:-1]
        assert edges[-1] == span.end_time_unix_nano
        for child, (_, ps) in zip(own, spent, strict=True):
            assert abs(child.end_time_unix_nano - child.start_time_unix_nano - ps / 1000) <= 1


def test_ids_are_unique_and_a_session_on_a_lane_is_a_trace(spans: list[Span]) -> None:
    assert max(Counter(span.span_id for span in spans).values()) == 1
    assert {(len(span.trace_id), len(span.span_id)) for span in spans} == {(16, 8)}
    traces: dict[bytes, set[tuple[str, str]]] = {}
    for span in spans:
        said = attributes(span)
        if not span.parent_span_id:
            traces.setdefault(span.trace_id, set()).add((said["subsecond.lane"], said["gen_ai.conversation.id"]))
    assert len(traces) == 10  # five sessions on two lanes
    assert {len(sessions) for sessions in traces.values()} == {1}


def test_the_same_recording_gives_the_same_bytes_and_a_part_of_it_the_same_ids(recorded: Path, tmp_path: Path) -> None:
    lines = lines_of(recorded, tmp_path)
    assert lines == lines_of(recorded, tmp_path)
    some = lines_of(recorded, tmp_path, lane="lane1", since_ps=10**12)
    ids = {s["spanId"] for line in lines for s in json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]}
    part = {s["spanId"] for line in some for s in json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]}
    assert part < ids


def test_numbers_of_64_bits_are_text_and_enums_numbers(recorded: Path, tmp_path: Path) -> None:
    span = json.loads(lines_of(recorded, tmp_path)[0])["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert isinstance(span["startTimeUnixNano"], str)
    assert isinstance(span["kind"], int)
    assert {type(a["value"]["intValue"]) for a in span["attributes"] if "intValue" in a["value"]} == {str}
