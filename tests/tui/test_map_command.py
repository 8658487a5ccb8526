"""`subsecond map`, as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Command

QUICK = ["--contexts", "0.2,0.6", "--sessions", "2,40", "--replicas", "1", "--duration", "100", "--warm-up", "40"]


def test_every_cell_says_who_keeps_the_budget(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "map.json"
    code, shown, _ = command("map", *QUICK, "--percentile", "80", "--json", out)
    assert code == 0
    document = json.loads(out.read_text())
    assert document["schema"] == "subsecond.map/1"
    signs = {"both": "AB", "first": "A ", "second": " B", "neither": "--"}
    lines = shown.splitlines()
    for tokens, row in zip(document["mean_prompt_tokens"], document["cells"], strict=True):
        (line,) = (line for line in lines if line.strip().startswith(f"{tokens:,.0f} tokens"))
        for cell in row:
            assert f"{signs[cell['who']]}" in line
            assert f"{cell['p95_ratio']:.1f}x" in line
    text = " ".join(shown.split())
    assert "Kept by A: trn-cs3 alone, B: gpu alone" in text
    assert "trn-cs3 keeps it with up to" in text


def test_a_budget_that_nobody_keeps_is_kept_nowhere(command: Command) -> None:
    _, shown, _ = command("map", *QUICK, "--budget", "voice-natural", "--percentile", "99.9")
    assert "trn-cs3 keeps it nowhere." in shown
    assert "neither in 4" in shown


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--contexts", "long"], "--contexts: got 'long', expected a number"),
        (["--sessions", "1.5"], "--sessions: got '1.5', expected a whole number"),
        (["--sessions", "9,3"], "--sessions: got '9,3', expected numbers from 1 to 100000 that ascend"),
        (["--pipelines", "gpu"], "--pipelines: got 'gpu', expected two pipelines"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(command: Command, options: list[str], expected: str) -> None:
    code, _, error = command("map", *options)
    assert code == 2
    assert expected in error
    assert error.count("\n") == 1
