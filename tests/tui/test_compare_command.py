"""`subsecond compare`: tables and JSON, and one line about what cannot be compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from support.recordings import MS, hello, turn

from subsecond.engine.recording.writer import Recorder

Command = Callable[..., tuple[int, str, str]]
QUICK = ("--set", "duration_s=60", "--set", "coding.sessions=30", "--set", "voice.sessions=12")


@pytest.fixture
def files(command: Command, tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "before", tmp_path / "after"
    for path, more in zip(paths, ((), ("--set", "gpu.router_ms=500")), strict=True):
        assert command("run", *QUICK, *more, "--quiet", "--record", path) == (0, "", "")
    return paths


def test_two_recordings_are_compared_lane_by_lane(command: Command, files: tuple[Path, Path]) -> None:
    code, out, err = command("compare", *files)
    assert (code, err) == (0, "")
    assert "before -> after · trn-cs3" in out
    assert "before -> after · gpu" in out
    assert "• Nothing differs." in out
    words = " ".join(out.split())
    assert "slower than before at p95 (95 % interval" in words
    assert "% routing" in words
    assert "more than chance." in words
    assert "the same work on both" in words


def test_one_recording_is_compared_with_itself(command: Command, files: tuple[Path, Path]) -> None:
    code, out, _ = command("compare", files[0])
    assert code == 0
    assert "trn-cs3 -> gpu · before" in out


def test_the_document_says_what_the_tables_say(command: Command, files: tuple[Path, Path]) -> None:
    code, out, _ = command("compare", *files, "--lane", "gpu=gpu", "--json", "-", "--budget", "voice-relaxed")
    assert code == 2  # there is no such budget
    code, out, _ = command("compare", *files, "--lane", "gpu=gpu", "--json", "-")
    assert code == 0
    document = json.loads(out)
    assert document["schema"] == "subsecond.compare/1"
    (comparison,) = document["comparisons"]
    coding = comparison["by_agents"]["coding"]
    change = coding["difference"]["latency_ms"]["p50"]
    assert change["low"] <= change["value"] <= change["high"]
    medians = [coding[side]["latency_ms"]["p50"] for side in ("first", "second")]
    assert change["value"] == pytest.approx(medians[1] - medians[0])
    assert coding["paired"]["sooner"][0] > coding["paired"]["sooner"][1]


def test_the_verdict_is_about_the_budget_that_is_asked_for(command: Command, files: tuple[Path, Path]) -> None:
    code, out, _ = command("compare", files[0], "--budget", "voice-sub-second")
    assert code == 0
    assert "voice-sub-second is met in" in " ".join(out.split())
    code, out, _ = command("compare", files[0], "--budget", "voice-target")  # of the catalog, for every kind
    assert code == 0
    assert " ".join(out.split()).count("voice-target is met in") == 2


def test_a_window_leaves_turns_out(command: Command, files: tuple[Path, Path]) -> None:
    whole, part = (
        json.loads(command("compare", files[0], "--json", "-", *more)[1])["comparisons"][0]["by_agents"]["coding"]
        for more in ((), ("--since", "20", "--until", "0:40"))
    )
    assert 0 < part["first"]["turns"] < whole["first"]["turns"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--lane", "gpu"), "two lanes as X=Y"),
        (("--lane", "gpu=tpu"), "a lane of before: trn-cs3, gpu"),
        (("--since", "soon"), "an instant"),
        (("--since", "20", "--until", "10"), "an instant after 20"),
        (("--budget", "nonsense"), "one of"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    command: Command, files: tuple[Path, Path], more: tuple[str, ...], words: str
) -> None:
    code, _, err = command("compare", files[0], *more)
    assert code == 2
    assert err.count("\n") == 1
    assert words in err


def test_a_file_that_is_no_recording_is_one_line(command: Command, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.write_text("dear diary")
    code, _, err = command("compare", notes)
    assert code == 2
    assert err.count("\n") == 1
    assert "a recording" in err


def test_names_in_a_recording_cannot_steer_the_terminal(command: Command, tmp_path: Path) -> None:
    first = hello()
    bad = "\x1b[31mred\x1b]0;title\x07"
    lanes = tuple(msgspec.structs.replace(lane, name=f"{bad}{n}") for n, lane in enumerate(first.lanes))
    budgets = tuple(msgspec.structs.replace(budget, name=bad + budget.name) for budget in first.budgets)
    agents = (f"{bad}coding", "voice")
    first = msgspec.structs.replace(first, lanes=lanes, budgets=budgets, agents=agents, stages=(bad, "a", "b", "c"))
    with Recorder(tmp_path / "run", first) as recorder:
        for number in range(40):
            for lane in (0, 1):
                recorder.put(turn(number, lane=lane, latency_ps=(100 + number * (lane + 1)) * MS))
    code, out, _ = command("compare", tmp_path / "run")
    assert code == 0
    assert "red" in out
    assert "\x1b" not in out
    assert "\x07" not in out
