"""`subsecond gap`, as a user calls it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from subsecond.tui.cli.tornado import NAME, SIDE, Bar, show_tornado

from .conftest import Command

QUICK = ["--set", "duration_s=100", "--set", "coding.sessions=8", "--set", "voice.sessions=4", "--replicas", "2"]


def test_the_picture_names_every_change_and_ends_with_the_answer(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "gap.json"
    code, shown, _ = command("gap", *QUICK, "--json", out)
    assert code == 0
    document = json.loads(out.read_text())
    assert document["schema"] == "subsecond.gap/1"
    text = " ".join(shown.split())
    for lane in document["lanes"]:
        for variant in lane["singles"]:
            assert variant["name"] in text
    kept = "as it is" if document["lanes"][0]["is_kept"] else "None of these"
    assert kept in text
    gpu = document["lanes"][1]
    assert not gpu["is_kept"]
    if gpu["answer"] is None:
        assert "None of these changes, alone or combined, lets gpu keep agent-step: the most is" in text
        assert "would still have to take" in text or "No single stage is enough" in text
    else:
        assert f"The smallest change with which gpu keeps agent-step is {gpu['answer']['name']} (" in text
    assert all(len(line) <= 80 for line in shown.splitlines() if "│" in line)


def test_a_budget_that_no_one_meets_and_one_that_anyone_does(command: Command) -> None:
    _, shown, _ = command("gap", "--pipelines", "gpu", "--budget", "voice-target", *QUICK)
    assert "None of these changes, alone or combined, lets gpu keep voice-target" in " ".join(shown.split())
    _, shown, _ = command("gap", "--pipelines", "gpu", "--percentile", "1", *QUICK)
    assert "gpu keeps agent-step as it is" in " ".join(shown.split())


def test_a_pipeline_without_changes_says_so(command: Command) -> None:
    _, shown, _ = command("gap", "--pipelines", "rubin-lpx", *QUICK)
    assert "No change is known for pipeline rubin-lpx." in shown


def test_changes_of_ones_own(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    rest = 'stands_for = "a"\nsource = "b"\nprovenance = "assumed"\nsettings = { tensor_parallel = 3 }\n'
    path.write_text(f'[[changes]]\nname = "odd"\npipelines = ["gpu"]\neffort = "setting"\nsort = "o"\n{rest}')
    _, shown, _ = command("gap", "--pipelines", "gpu", "--changes", path, *QUICK)
    assert "Cannot be done here: odd: " in " ".join(shown.split())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--budget", "none-such"], "--budget: got 'none-such'"),
        (["--changes", "/nowhere.toml"], "/nowhere.toml"),
        (["--replicas", "x"], "--replicas: got 'x', expected a whole number"),
        (["--set", "gpu.abacus=1"], "abacus"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(command: Command, options: list[str], expected: str) -> None:
    code, _, error = command("gap", *options)
    assert code == 2
    assert expected in error
    assert error.count("\n") == 1


def drawn(*bars: Bar) -> list[str]:
    out = io.StringIO()
    show_tornado(Console(file=out, width=100), ("a", "b", "c"), bars)
    return out.getvalue().splitlines()


def test_bars_go_to_their_side_in_proportion() -> None:
    head, most, half, little, none = drawn(
        Bar("most", -0.4, ("1", "2", "3")),
        Bar("half", 0.2, ("1", "2", "3")),
        Bar("little", 0.0001, ("1", "2", "3")),
        Bar("none", 0.0, ("1", "2", "3")),
    )
    axis = NAME + 1 + SIDE
    assert {line[axis] for line in (head, most, half, little, none)} == {"│"}
    assert most[:axis].count("▒") == SIDE
    assert half[axis + 1 :].count("█") == SIDE // 2
    assert little[axis + 1] == "+"
    assert none[axis + 1 : axis + SIDE].isspace()


def test_names_of_others_are_cut_and_cleaned() -> None:
    (_, line) = drawn(Bar("[red]" + "x" * 60 + "\x1b[31m", 0.1, ("", "", "")))
    assert line.startswith("[red]xxxxx")
    assert "…" in line
    assert "\x1b" not in line
