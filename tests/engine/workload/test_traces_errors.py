"""Broken traces end in one message that names file, line, field, value and what was expected."""

from __future__ import annotations

import contextlib
import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subsecond.engine.errors import InputError
from subsecond.engine.workload.traces import FORMATS, read_traces, sample_names, sample_path
from subsecond.engine.workload.traces.source import MAX_LINE_BYTES

GOOD = '{"timestamp": 5, "input_length": 100, "output_length": 10, "hash_ids": [1]}'
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.98,4,5\n"
WEKA = (
    "session,agent,t_s,model,input_tokens,output_tokens,cached_prev_tokens,api_time_s,gap_before_s,tool_prefix_tokens"
)
OPENHANDS = "session,t_action_s,input_tokens,output_tokens,llm_latency_s\n"
HARPER = "call,role,start_s,duration_s,words\n"
TAU = "session,role,context_tokens_before,content_tokens,tool_call_tokens\n"
LENGTHS = "conversation,event,kind,tokens,words\n"
ROUND = {
    "session_id": "a",
    "round_index": 0,
    "prefix_tokens": 5,
    "newly_append_tokens": 5,
    "output_tokens": 1,
    "timing_events": [{"event_type": "text", "timestamp": "2026-06-01T05:40:20Z"}],
}


def mooncake(**changes: object) -> str:
    return json.dumps({**json.loads(GOOD), **changes})


def rounds(*changes: dict[str, object]) -> str:
    return "\n".join(json.dumps({**ROUND, **change}) for change in changes)


def error_of(path: Path, **options: object) -> InputError:
    with pytest.raises(InputError) as caught:
        read_traces([path], **options)  # type: ignore[arg-type]  # a test's own options
    return caught.value


LINES = [
    # text, line (0: the whole file), field, value
    (mooncake(timestamp=-1), 1, "timestamp", -1),
    (f"{GOOD}\n{mooncake(timestamp=4)}", 2, "timestamp", "4"),
    (f"{GOOD}\n\n{GOOD}\n{mooncake(timestamp=4.5)}\n", 4, "timestamp", "4.5"),
    (GOOD.replace("5,", "NaN,", 1), 1, "timestamp", "NaN"),
    (f"{GOOD}\n" + GOOD.replace("10,", "Infinity,"), 2, "output_length", "Infinity"),
    (mooncake(input_length=10 * 10**9), 1, "input_length", 10**10),
    (mooncake(input_length=0), 1, "input_length", 0),
    (mooncake(input_length=1.5), 1, "input_length", 1.5),
    (mooncake(output_length=0), 1, "output_length", 0),
    (mooncake(output_length="many"), 1, "output_length", "many"),
    (mooncake(hash_ids=[1, 2, 3]), 1, "hash_ids", "3 blocks for 100 tokens"),
    (mooncake(hash_ids=[1, "x"]), 1, "hash_ids[1]", "x"),
    (f'{GOOD}\n{{"timestamp": 6, "input_length": 100}}', 2, "output_length", "nothing"),
    (f"{GOOD}\n{{broken", 2, "", "{broken"),
    ('{"timestamp": 6, "input', 1, "", '{"timestamp": 6, "input'),
    (mooncake(timestamp=1e12), 0, "time", "1e+09 s to the last request of session 0"),
    (AZURE + "yesterday,4,5\n", 3, "TIMESTAMP", "yesterday"),
    (AZURE + "2023-13-16 18:17:04,4,5\n", 3, "TIMESTAMP", "2023-13-16 18:17:04"),
    (AZURE + "2023-11-16 18:17:04+02:00,4,5\n", 3, "TIMESTAMP", "2023-11-16 18:17:04+02:00"),
    (AZURE + "9023-11-16 18:17:04,4,5\n", 3, "TIMESTAMP", "9023-11-16 18:17:04"),
    (AZURE + "NaT,4,5\n", 3, "TIMESTAMP", "NaT"),
    (AZURE + ",4,5\n", 3, "TIMESTAMP", ""),
    (AZURE + "2023-11-16 18:17:03.97,4,5\n", 3, "TIMESTAMP", "2023-11-16 18:17:03.97"),
    (AZURE + "2023-11-16 18:17:04,nan,5\n", 3, "ContextTokens", "nan"),
    (AZURE + "2023-11-16 18:17:04,4,0\n", 3, "GeneratedTokens", "0"),
    (AZURE + "2023-11-16 18:17:04,20000000,1\n", 3, "ContextTokens", "20000000"),
    (AZURE + "2023-11-16 18:17:04,4\n", 3, "", "2023-11-16 18:17:04,4"),
    (AZURE + '2023-11-16 18:17:04,4,"5\n', 3, "", '2023-11-16 18:17:04,4,"5'),
    (AZURE.splitlines()[0], 0, "", "a header and no rows"),
    (f"{WEKA}\na,main,-3,m,5,5,0,1,1,0", 2, "t_s", "-3"),
    (f"{WEKA}\na,main,3,m,5,5,9,1,1,0", 2, "cached_prev_tokens", "9"),
    (f"{WEKA}\na,main,3,m,5,5,0,inf,1,0", 2, "api_time_s", "inf"),
    (f"{WEKA}\na,main,3,m,5,5,0,1,1,0\na,main,2,m,5,5,0,1,1,0", 3, "t_s", "2"),
    (f"{WEKA}\n,main,3,m,5,5,0,1,1,0", 2, "session", "an empty field"),
    (OPENHANDS + "a,3,10,0,1\n", 2, "output_tokens", "0"),
    (OPENHANDS + "a,3,10,1,1\na,2,10,1,1\n", 3, "t_action_s", "2"),
    (HARPER + "a,robot,1,1,1\n", 2, "role", "robot"),
    (HARPER + "a,agent,2,1,1\na,caller,1,1,1\n", 3, "start_s", "1"),
    (HARPER + "a,caller,2,1,1\n", 0, "", "no reply of the agent"),
    (TAU + "a,narrator,1,1,1\n", 2, "role", "narrator"),
    (TAU + "a,assistant,1,0,0\n", 2, "content_tokens", 0),
    (TAU + "a,user,1,1,0\n", 0, "role", "no message of an assistant"),
    (LENGTHS + "1,0,song,4,4\n", 2, "kind", "song"),
    (LENGTHS + "1,0,agent,4,4\n", 0, "kind", "no reply to a user"),
    ('{"tick_s": 0, "ticks": []}', 1, "tick_s", 0),
    ('{"tick_s": 0.2, "ticks": [[1, 2, "x"]]}', 1, "ticks[0][1]", 2),
    ('{"tick_s": 0.2, "ticks": [[1, 0, "x"]]}', 0, "", "no reply of the agent"),
    ('{"session": "a", "stack": "b"}\n{"t_s": 2, "event": "x"}\n{"t_s": 1, "event": "x"}', 3, "t_s", "1"),
    ('{"session": "a", "stack": "b"}\n{"t_s": 2}', 2, "event", "nothing"),
    ('{"t_s": 2, "event": "x"}', 0, "", "no llm_call before agent_audio_start"),
    (rounds({"output_tokens": -1}), 1, "output_tokens", -1),
    (rounds({"timing_events": []}), 1, "timing_events", "no event"),
    (rounds({"timing_events": [{"event_type": "text", "timestamp": "noon"}]}), 1, "timing_events", "noon"),
    (rounds({"prefix_tokens": 0, "newly_append_tokens": 0}), 1, "newly_append_tokens", 0),
    (
        rounds({}, {"timing_events": [{"event_type": "text", "timestamp": "2025-01-01T00:00:00Z"}]}),
        2,
        "timing_events",
        "2025-01-01T00:00:00Z",
    ),
    ('{"block_size": 64, "requests": []}', 0, "requests", "no call"),
    ('{"block_size": 64, "requests": [{"type": "z"}]}', 0, "requests[0].type", "z"),
    (
        '{"block_size": 64, "requests": [{"type": "n", "t": 0, "in": 64, "out": 1, "hash_ids": [1, 2, 3]}]}',
        0,
        "requests, call 0, hash_ids",
        "3 blocks for 64 tokens",
    ),
]


@pytest.mark.parametrize(("text", "line", "field", "value"), LINES)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, line: int, field: str, value: object) -> None:
    path = tmp_path / "trace"
    path.write_text(text)
    error = error_of(path)
    assert error.where == (f"{path}:{line}" if line else str(path))
    assert error.field == field
    assert error.value == value
    assert error.expected


@pytest.mark.parametrize("text", ["", "\n\n \n"])
def test_an_empty_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "trace"
    path.write_text(text)
    assert "an empty file" in str(error_of(path))
    for name in FORMATS:
        assert "an empty file" in str(error_of(path, trace_format=name)), name


def test_a_missing_file(tmp_path: Path) -> None:
    assert str(error_of(tmp_path / "none.csv")) == (
        f"{tmp_path / 'none.csv'}: got 'no such file', expected the path of a trace"
    )


def test_a_folder_without_raw_files(tmp_path: Path) -> None:
    assert "a folder of raw WEKA files" in str(error_of(tmp_path))


@pytest.mark.parametrize("keep", [30, 1000])
def test_a_gzip_file_cut_short(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "trace.gz"
    path.write_bytes(sample_path("azure").read_bytes()[:keep])
    assert "broken gzip data" in str(error_of(path))


def test_a_gzip_file_with_a_wrong_byte(tmp_path: Path) -> None:
    data = bytearray(sample_path("azure").read_bytes())
    data[len(data) // 2] ^= 0xFF
    path = tmp_path / "trace.gz"
    path.write_bytes(bytes(data))
    with pytest.raises(InputError):
        read_traces([path])


def test_a_line_without_an_end_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(MAX_LINE_BYTES // (1 << 20) + 1):
            file.write(b"0" * (1 << 20))
    error = error_of(path)
    assert error.where == f"{path}:1"
    assert "64 MB" in error.expected


@pytest.mark.parametrize(
    "data", [bytes(range(256)), b"\xff\xfe{\x00", b"hello\n", b"[1, 2]\n", b'{"a": 1}\n', b"a,b\n1,2\n"]
)
def test_what_is_no_trace_lists_the_formats(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    error = error_of(path)
    assert all(name in error.expected for name in FORMATS)
    assert error.where == str(path)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("TIMESTAMP,ContextTokens\n2023-11-16 18:17:03,4\n")
    assert "GeneratedTokens" in error_of(path).expected
    assert "a column GeneratedTokens" in error_of(path, trace_format="azure").expected


def test_a_forced_format_that_does_not_fit(tmp_path: Path) -> None:
    error = error_of(sample_path("azure"), trace_format="mooncake")
    assert error.where == f"{sample_path('azure')}:1"


def test_an_unknown_format() -> None:
    error = error_of(sample_path("azure"), trace_format="excel")
    assert all(name in str(error) for name in ("excel", *FORMATS))


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf"), 1e300])
def test_a_time_scale_is_positive_and_finite(scale: float) -> None:
    assert error_of(sample_path("azure"), time_scale=scale).where == "time scale"


def test_a_time_scale_that_leaves_the_clock() -> None:
    assert "a smaller time scale" in error_of(sample_path("azure"), time_scale=1e6).expected


@pytest.mark.parametrize(("option", "value"), [("sample", 0), ("sample", -1), ("seed", -1)])
def test_arguments_out_of_range(option: str, value: int) -> None:
    assert error_of(sample_path("azure"), **{option: value}).where == option


def test_no_file_at_all() -> None:
    with pytest.raises(InputError, match="at least one file"):
        read_traces([])


def test_an_unknown_sample() -> None:
    assert all(name in str(error_of(Path("sample:none"))) for name in sample_names())


def test_the_time_error_names_the_file_that_is_too_long(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_text(mooncake(timestamp=1e12))
    with pytest.raises(InputError) as caught:
        read_traces([sample_path("azure"), path])
    assert caught.value.where == str(path)


SCRAPS = [
    b"NaN",
    b"-1",
    b"",
    b"1e400",
    b"null",
    b'"',
    b",",
    b"{",
    b"[]",
    b"0",
    b"9" * 20,
    b"\0",
    b"\xff",
    b"\n",
    b"inf",
]


@settings(max_examples=200)
@given(st.sampled_from(sample_names()), st.data())
def test_a_damaged_trace_is_a_workload_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    whole = sample_path(name).read_bytes()
    text = gzip.decompress(whole) if whole.startswith(b"\x1f\x8b") else whole
    text = b"\n".join(text.split(b"\n")[:12])[:20_000]
    for _ in range(data.draw(st.integers(1, 4))):
        at, length = data.draw(st.integers(0, len(text) - 1)), data.draw(st.integers(0, 6))
        text = text[:at] + data.draw(st.sampled_from(SCRAPS)) + text[at + length :]
    path = tmp_path_factory.mktemp("damaged") / "trace"
    path.write_bytes(text)
    for forced in (None, data.draw(st.sampled_from(FORMATS))):
        with contextlib.suppress(InputError):
            assert read_traces([path], trace_format=forced, sample=3).num_requests
