"""`subsecond show`, `export`, `recordings`: what they print and write, and one line about what is wrong."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from support.recordings import S, hello, turn

from subsecond.engine.commands import SetKnob
from subsecond.engine.feed import Annotation, FaultNote, Notice, OutsideAgent
from subsecond.engine.recording import writer
from subsecond.engine.recording.content import Content
from subsecond.engine.recording.writer import Recorder

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recording of a moment that is known, with something of everything."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.chdir(tmp_path)
    path = Path("run.subsecond")
    with monkeypatch.context() as patch:
        patch.setattr(writer.time, "time", lambda: 1.7e9)
        with Recorder(
            path, hello(), tables={"agents": [{"kind": "coding", "sessions": 3}], "pipelines": {"gpu": {"x": 2}}}
        ) as recorder:
            for number in range(40):
                recorder.put(turn(number, lane=number % 2, state=1 + (number == 7)))
            recorder.put(FaultNote(S, 1, "slow", 0, 0.5, 2 * S))
            recorder.put(SetKnob("lane0", "network_ms", 9.5), S)
            recorder.put(Annotation(S, "look \x1b[31mhere\u202e"))
            recorder.put(Notice("warning", "time waits"))
            recorder.put(
                OutsideAgent(1, "mine\n\x07", "chat", "127.0.0.1", 0, 1, False, S, (), 5, 1, errors=2, last_error="no")
            )
    return path


def test_a_recording_is_shown(command: Command, recorded: Path) -> None:
    code, out, err = command("show", recorded)
    assert (code, err) == (0, "")
    words = " ".join(out.split())
    for part in (
        "A small one",
        "small scenario, seed 7, live, run-1",
        "length 0:01.0, finished",
        "coding.sessions=3, gpu.x=2",
        "lane0 20 20",
        "coding: agent-step, <= 1000 ms for 95 %",
        "fault at 0:01.0: slow of lane1, part 0, 0.5, until 0:02.0",
        "knob at 0:01.0: lane0.network_ms = 9.5",
        "note at 0:01.0: look ?[31mhere",
        "warning: time waits",
        "agent mine ?, chat on lane1: 5 turns, 1 missed, 2 errors, the last: no",
    ):
        assert part in words, part
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_texts_of_agents_are_printed_on_demand_and_cannot_change_the_terminal(command: Command, recorded: Path) -> None:
    assert "texts" not in command("show", recorded)[1]
    with Recorder(recorded, hello()) as recorder:
        recorder.put(Content(S, 1, 7, "user", "\x1b[2Jhi\nthere\u202e"))
        recorder.put(Content(2 * S, 1, 7, "assistant", "hello"))
    code, out, _ = command("show", recorded)
    assert (code, "2 of outside agents were recorded" in out, "there" in out) == (0, True, False)
    code, out, _ = command("show", recorded, "--contents")
    assert out.splitlines()[-2:] == [
        "0:01.0 lane1 turn 7 user: ?[2Jhi there",
        "0:02.0 lane1 turn 7 assistant: hello",
    ]
    assert command("show", recorded, "--contents", "--json", "-")[0] == 2


def test_json_has_it_all(command: Command, recorded: Path) -> None:
    code, out, _ = command("show", recorded, "--json", "-")
    told = json.loads(out)
    assert (code, told["schema"], told["end"]) == (0, "subsecond.recording/1", "finished")
    assert [lane["name"] for lane in told["lanes"]] == ["lane0", "lane1"]
    assert command("show", recorded, "--json", "out.json")[0] == 0
    assert json.loads(Path("out.json").read_text()) == told


def test_an_export_says_what_it_has_written(command: Command, recorded: Path) -> None:
    assert command("export", recorded, "-o", "a.csv") == (0, "", "subsecond: a.csv: 40 rows of turns\n")
    assert command("export", recorded, "--format", "jsonl", "--table", "faults") == (
        0,
        "",
        "subsecond: run.jsonl: 1 rows of faults\n",
    )
    code, _, err = command("export", recorded, "-o", "a.json", "--until", "0.5s", "--lane", "lane1")
    assert (code, err) == (0, "subsecond: a.json: 5 turns as traces\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "nowhere"), "nowhere"),
        (("export", "nowhere", "-o", "a.csv"), "nowhere"),
        (("export", "run.subsecond"), "--format"),
        (("export", "run.subsecond", "-o", "a.txt"), "--format with one of parquet, csv"),
        (("export", "run.subsecond", "--format", "xml"), "one of parquet, csv"),
        (("export", "run.subsecond", "--format", "parquet", "-o", "-"), "no text"),
        (("export", "run.subsecond", "-o", "a.csv", "--since", "soon"), "--since"),
        (("export", "run.subsecond", "-o", "a.csv", "--lane", "tpu"), "one of lane0, lane1"),
        (("export", "run.subsecond", "-o", "a.json", "--table", "faults"), "turns: traces"),
        (("export", "run.subsecond", "-o", "run.subsecond", "--format", "csv", "--force"), "no recording"),
    ],
)
def test_what_is_wrong_is_one_line(command: Command, recorded: Path, arguments: tuple[str, ...], words: str) -> None:
    before = recorded.read_bytes()
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("subsecond: ")
    assert err.count("\n") == 1
    assert words in err
    assert recorded.read_bytes() == before


def test_a_newer_format_names_what_it_needs(command: Command, recorded: Path) -> None:
    connection = sqlite3.connect(recorded)
    connection.execute("PRAGMA user_version = 9")
    connection.execute("UPDATE meta SET value = '9.5' WHERE key = 'package_version'")
    connection.commit()
    connection.close()
    code, _, err = command("show", recorded)
    assert code == 2
    assert "got 'format 9', expected a recording of format 1 or older; version 9.5 of this program reads it" in err


def test_what_can_be_read_is_rescued(command: Command, recorded: Path) -> None:
    code, out, _ = command("recordings", "rescue", recorded, "-o", "copy")
    assert code == 0
    assert out.startswith("copy: 40 turns, 1 faults")
    assert "no damage was met" in out
    connection = sqlite3.connect(recorded)
    connection.execute("UPDATE turns SET latency_ps = 'x' WHERE seq = 3")
    connection.commit()
    connection.close()
    code, _, err = command("show", recorded)
    assert (code, "`subsecond recordings rescue` saves what can be read" in err) == (2, True)
    code, out, _ = command("recordings", "rescue", recorded, "-o", "copy")
    assert code == 0
    assert out.startswith("copy: 39 turns")
    assert "0 places; 1 rows held" in out
    assert command("show", "copy")[0] == 0
    for arguments in (("nowhere", "-o", "new"), (recorded, "-o", recorded), (recorded, "-o", "no/where")):
        code, out, err = command("recordings", "rescue", *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)


def test_recordings_are_cleared_away_if_the_user_says_so(
    command: Command, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prune = ("recordings", "prune", tmp_path)
    code, out, _ = command("recordings", tmp_path)
    assert (code, out.count("kB")) == (0, 1)
    assert "lane0 vs lane1, 100 % vs 0 % within budgets" in out
    assert command(*prune, "--keep", 1) == (0, f"nothing to clear away in {tmp_path}\n", "")
    code, out, _ = command(*prune, "--older-than", "7d", "--dry-run")
    assert (code, "1 recording, " in out, "would go" in out, recorded.exists()) == (0, True, True, True)
    code, _, err = command(*prune, "--older-than", "7d")
    assert (code, "expected --yes, or --dry-run" in err, recorded.exists()) == (2, True, True)
    for answer in ("n", "y"):
        monkeypatch.setattr("subsecond.tui.cli.recordings._is_wanted", lambda question, answer=answer: answer == "y")
        assert command(*prune, "--older-than", "7d")[0] == 0
        assert recorded.exists() == (answer == "n")


def test_without_a_terminal_yes_is_enough(command: Command, recorded: Path, tmp_path: Path) -> None:
    code, out, _ = command("recordings", "prune", tmp_path, "--keep", 0, "--yes")
    assert (code, out.splitlines()[-1].startswith("1 deleted, "), recorded.exists()) == (0, True, False)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--older-than", "soon"),
        ("--older-than", "-1d"),
        ("--keep", "-1"),
        ("--keep", "x"),
        ("no/where", "--keep", "1"),
    ],
)
def test_what_may_go_has_to_be_said(command: Command, recorded: Path, arguments: tuple[str, ...]) -> None:
    code, out, err = command("recordings", "prune", *arguments)
    assert (code, out, err.count("\n"), recorded.exists()) == (2, "", 1, True)
