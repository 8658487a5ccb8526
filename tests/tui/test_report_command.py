"""`subsecond report`: a page, or one line that says why there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from subsecond.engine.recording.reader import Recording

Command = Callable[..., tuple[int, str, str]]
QUICK = ("--set", "duration_s=30", "--set", "coding.sessions=3", "--set", "voice.sessions=3")


@pytest.fixture
def file(command: Command, tmp_path: Path) -> Path:
    assert command("run", *QUICK, "--quiet", "--record", tmp_path / "run") == (0, "", "")
    return tmp_path / "run"


def test_a_report_is_written_whole(command: Command, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    assert command("report", file, "-o", out) == (0, "", "")
    text = out.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert text.endswith("</html>\n")
    assert command("report", file, file, "-o", out) == (0, "", "")
    assert "2 recordings compared" in out.read_text(encoding="utf-8")


def test_a_report_on_a_part_says_so(command: Command, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    assert command("report", file, "-o", out, "--since", "10s", "--until", "20s") == (0, "", "")
    assert "only turns that began from 10.0 s to 20.0 s" in out.read_text(encoding="utf-8")
    with Recording.open(file) as recording:
        begun = [10 * 10**12 <= one.start_ps <= 20 * 10**12 for one in recording.turn_ends()]
    assert 0 < sum(begun) < len(begun)
    assert f"{sum(begun)} turns on 2 pipelines" in out.read_text(encoding="utf-8")
    assert command("report", file, "-o", out, "--since", "1h") == (0, "", "")
    assert "0 turns on 2 pipelines" in out.read_text(encoding="utf-8")


def test_a_report_goes_to_standard_output(command: Command, file: Path) -> None:
    code, out, _ = command("report", file, "-o", "-")
    assert code == 0
    assert out.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("out", "more", "words"),
    [
        ("run", (), "none of those reported"),
        ("nowhere/report.html", (), "--out"),
        ("report.html", ("--budget", "nonsense"), "--budget"),
    ],
)
def test_what_cannot_be_written_is_one_line(
    command: Command, file: Path, tmp_path: Path, out: str, more: tuple[str, ...], words: str
) -> None:
    before = file.read_bytes()
    code, _, err = command("report", file, "-o", tmp_path / out, *more)
    assert code == 2
    assert err.count("\n") == 1
    assert words in err
    assert file.read_bytes() == before
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("no json", "a document that a study wrote"),
        ("[1, 2]", "schema: got 'list'"),
        ('{"schema": "subsecond.run/1"}', "schema: got 'subsecond.run/1', expected one of"),
        ('{"schema": 7}', "schema: got '7'"),
        ("[" * 100_000, "a document that a study wrote"),
    ],
)
def test_what_is_no_study_is_one_line(command: Command, tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "x.json").write_text(content, encoding="utf-8")
    code, _, err = command("report", tmp_path / "x.json", "-o", tmp_path / "page.html")
    assert (code, err.count("\n")) == (2, 1)
    assert words in err
    assert not (tmp_path / "page.html").exists()
