"""Documents show what their commands print; `scripts/outputs` puts it there."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
#: Documents whose commands are run by nightly checks; they take minutes.
DOCUMENTS = ["drills", "price", "sweep", "capacity", "gap", "decision"]


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "scripts" / "outputs"))


def test_lines_that_were_left_out_stay_out(script: dict[str, Any]) -> None:
    shown = ["head 1", "[...]", "sum 1", "more", "[...]", "end 1"]
    lines = ["head 2", "a", "b", "sum 2", "more 2", "c", "end 2", "after"]
    shortened = script["shortened"]
    assert shortened(lines, ["sum", "[...]", "end"]) == ["head 2", "[...]", "end 2", "after"]
    assert shortened(lines, ["x"]) == lines
    assert shortened(lines, [line.rstrip(" 12") for line in shown]) == [
        *("head 2", "[...]", "sum 2", "more 2", "[...]", "end 2", "after")
    ]


def test_figures_are_those_of_the_documents(script: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"x": [{"b.c": 0.955}], "n": 12_345}), encoding="utf-8")
    assert script["figure"]("a.json", 'x.0."b.c"', ".1%", tmp_path) == "95.5%"
    assert script["figure"]("a.json", "n", ",", tmp_path) == "12,345"
    with pytest.raises(KeyError):
        script["figure"]("a.json", "x.0.d", None, tmp_path)


def test_a_document_is_brought_up_to_date(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    text = (
        "Seed <!--= a.json seed-->?<!--/-->, <!--= a.json duration_s ,.0f-->?<!--/--> s.\n\n```console\n"
        "$ subsecond run playground --set duration_s=20 --json a.json\nold\n[...]\n digest\n```\n"
    )
    document.write_text(text, encoding="utf-8")

    def outputs(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "scripts" / "outputs"), *options, str(document)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    stale = outputs("--check")
    assert stale.returncode == 1
    assert "-old" in stale.stdout
    assert outputs().returncode == 0
    found = document.read_text(encoding="utf-8")
    assert "Seed <!--= a.json seed-->1<!--/-->, <!--= a.json duration_s ,.0f-->20<!--/--> s." in found
    lines = found.split("\n")
    assert lines[lines.index("[...]") + 1].startswith(" digest ")
    assert outputs("--check").returncode == 0


@pytest.mark.nightly
@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_up_to_date(name: str) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "outputs"), "--check", str(ROOT / "docs" / f"{name}.md")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
