"""`subsecond rerun`: what differs from the recording, and one line about what cannot be changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from subsecond.engine.recording.reader import Recording

Command = Callable[..., tuple[int, str, str]]
QUICK = ("--set", "duration_s=60", "--set", "coding.sessions=20", "--set", "voice.sessions=12")


@pytest.fixture
def file(command: Command, tmp_path: Path) -> Path:
    assert command("run", *QUICK, "--quiet", "--record", tmp_path / "was") == (0, "", "")
    return tmp_path / "was"


def test_unchanged_it_is_the_same_to_the_picosecond(command: Command, file: Path) -> None:
    code, out, err = command("rerun", file)
    assert (code, err) == (0, "")
    with Recording.open(file) as recording:
        assert f"Nothing is changed, and nothing came out differently: digest {recording.metadata().digest}." in out
    assert out.count("Nothing differs.") == 2


def test_a_change_is_compared_with_what_was(command: Command, file: Path, tmp_path: Path) -> None:
    code, out, _ = command("rerun", file, "--set", "gpu.router_ms=500", "--record", tmp_path / "again")
    assert code == 0
    words = " ".join(out.split())
    assert "was -> re-run · gpu" in words
    assert "re-run is" in words
    assert "slower than was at p95" in words
    assert out.count("Nothing differs.") == 1
    code, out, _ = command("compare", file, tmp_path / "again", "--json", "-")
    compared = json.loads(out)["comparisons"][1]["by_agents"]["coding"]
    code, out, _ = command("rerun", file, "--set", "gpu.router_ms=500", "--json", "-")
    told = json.loads(out)["comparisons"][1]
    assert told["second"] == {"recording": "re-run", "lane": "gpu"}
    assert told["by_agents"]["coding"]["second"] == compared["second"]
    assert told["by_agents"]["coding"]["difference"] == compared["difference"]


def test_another_pipeline_is_held_against_the_first(command: Command, file: Path) -> None:
    code, out, _ = command("rerun", file, "--pipelines", "gpu-b200")
    assert code == 0
    assert "trn-cs3 (was) -> gpu-b200 (re-run)" in out


def test_a_trace_named_on_the_command_line_is_in_the_recording(command: Command, tmp_path: Path) -> None:
    trace = tmp_path / "requests.jsonl"
    rows = [{"timestamp": 500 * n, "input_length": 900, "output_length": 20, "hash_ids": [n, 1]} for n in range(40)]
    trace.write_text("\n".join(map(json.dumps, rows)))
    options = ("--trace", trace, "--time-scale", "2", "--sample", "30", "--quiet", "--record", tmp_path / "traced")
    assert command("run", *options) == (0, "", "")
    code, out, _ = command("rerun", tmp_path / "traced")
    assert code == 0
    assert "nothing came out differently" in " ".join(out.split())


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--set", "gpu.replicas"), "KEY=VALUE"),
        (("--set", "gpu.replicas=many"), "replicas"),
        (("--pipelines", "gpu,gpu"), "each once"),
        (("--pipelines", "tpu"), "tpu"),
        (("--lane", "gpu"), "two lanes as X=Y"),
        (("--seed", "x"), "a whole number"),
        (("--record", "/nowhere/at/all"), "--record"),
    ],
)
def test_what_cannot_be_changed_is_one_line(command: Command, file: Path, more: tuple[str, ...], words: str) -> None:
    code, _, err = command("rerun", file, *more)
    assert code == 2
    assert err.count("\n") == 1
    assert words in err
