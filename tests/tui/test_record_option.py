"""`subsecond run --record`: a recording of the run, or one line that says why there is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from subsecond.engine.recording.reader import Recording

Command = Callable[..., tuple[int, str, str]]
QUICK = ("--set", "duration_s=30", "--set", "coding.sessions=3", "--set", "voice.sessions=3")


def test_a_recorded_run_holds_what_the_run_printed(command: Command, tmp_path: Path) -> None:
    path, document = tmp_path / "run.subsecond", tmp_path / "run.json"
    assert command("run", *QUICK, "--quiet", "--record", path, "--json", document) == (0, "", "")
    told = json.loads(document.read_text())
    with Recording.open(path) as recording:
        assert recording.metadata().digest == told["digest"]
        assert recording.metadata().tables == told["settings"]
        for lane, info in enumerate(recording.hello().lanes):
            assert len(recording.turns(lane)) == told["pipelines"][info.name]["turns"] > 0


def test_recording_changes_nothing_in_what_is_printed(command: Command, tmp_path: Path) -> None:
    assert command("run", *QUICK, "--record", tmp_path / "run") == command("run", *QUICK)


def test_a_place_that_will_not_do_is_told_before_the_run(command: Command, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("dear diary")
    for path in (notes, tmp_path, tmp_path / "nowhere" / "run"):
        for started in (("run", *QUICK), ("serve",)):
            code, out, err = command(*started, "--record", path)
            assert (code, out) == (2, "")
            assert err.startswith(f"subsecond: --record: got '{path}', expected ")
            assert err.count("\n") == 1
    assert notes.read_text() == "dear diary"


def test_recordings_are_listed(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    code, out, _ = command("recordings")
    assert code == 0
    assert "no recordings in" in out
    command("run", *QUICK, "--quiet", "--record", tmp_path / "a.subsecond")
    (tmp_path / "b.subsecond").write_bytes((tmp_path / "a.subsecond").read_bytes()[:5000])
    code, out, _ = command("recordings", tmp_path)
    assert code == 0
    lines = {line.split()[0]: line for line in out.splitlines()[1:]}
    assert set(lines) == {"a.subsecond", "b.subsecond"}
    assert "playground: trn-cs3 vs gpu" in lines["a.subsecond"]
    assert "30 s virtual" in lines["a.subsecond"]
    assert "damaged" in lines["b.subsecond"]
    code, _, err = command("recordings", tmp_path / "nowhere")
    assert code == 2
    assert err.startswith("subsecond: recordings: got ")
