"""`subsecond capacity`, as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Command

SMALL = """
seed = 1
[pipelines.gpu]
utilisation_factor = 0.001
[pipelines.trn-cs3]
[[agents]]
kind = "voice"
sessions = 4
[budgets.mine]
agents = "voice"
ttft_ms = 600
percentile = 60
"""
#: So short and few that a test need not wait.
QUICK = ["--max", "14", "--replicas", "2", "--duration", "80", "--warm-up", "30"]


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return str(path)


def test_table_and_sentences_say_what_each_pipeline_carries(command: Command, scenario: str, tmp_path: Path) -> None:
    out = tmp_path / "capacity.json"
    code, shown, _ = command("capacity", scenario, *QUICK, "--json", out)
    assert code == 0
    document = json.loads(out.read_text())
    (kind,) = document["kinds"]
    gpu, split = kind["lanes"]
    assert document["schema"] == "subsecond.capacity/1"
    assert (kind["agents"], kind["unit"], kind["budget"]["percentile"]) == ("voice", "sessions", 60)
    assert 0 < gpu["capacity"] < gpu["missed_at"] <= 14
    assert (split["capacity"], split["missed_at"]) == (14, None)
    text = " ".join(shown.split())
    assert f"gpu keeps mine with {gpu['capacity']} voice sessions and misses it with {gpu['missed_at']}" in text
    assert "trn-cs3 keeps mine with 14 voice sessions, the most that was asked about" in text
    assert "> 14" in text
    assert f"{sum(lane['runs'] for lane in kind['lanes'])} runs" in text


def test_arrivals_are_said_by_the_second(command: Command, scenario: str) -> None:
    asked = ["--rate", "--pipelines", "trn-cs3", "--max", "0.02", "--replicas", "1", "--duration", "600"]
    _, shown, _ = command("capacity", scenario, *asked, "--warm-up", "100")
    assert "0.02 voice sessions per second, the most that was asked about" in " ".join(shown.split())


def test_a_budget_out_of_reach_is_kept_by_none(command: Command, scenario: str) -> None:
    _, shown, _ = command("capacity", scenario, "--pipelines", "trn-cs3", "--budget", "voice-target", *QUICK)
    assert "trn-cs3 does not keep voice-target with 1 voice session: " in " ".join(shown.split())


def test_none_that_may_be_chance_is_marked_in_the_table(command: Command, scenario: str, tmp_path: Path) -> None:
    asked = ["--pipelines", "trn-cs3", "--budget", "voice-slow-line", *QUICK, "--max", "1"]
    out = tmp_path / "capacity.json"
    command("capacity", scenario, *asked, "--json", out)
    ((low, value, high),) = [
        (trial["low"], trial["attainment"], trial["high"])
        for trial in json.loads(out.read_text())["kinds"][0]["lanes"][0]["trials"]
        if trial["load"] == 1
    ]
    assert low < value < high
    for percentile, is_sure in ((100 * (value + high) / 2, False), (100 * high + 0.1, True)):
        _, shown, _ = command("capacity", scenario, *asked, "--percentile", str(percentile), "--json", out)
        (row,) = [line for line in shown.splitlines() if line.startswith(" trn-cs3 ")]
        assert row.split()[1:3] == (["none", "-"] if is_sure else ["none", "?"])
        assert ("?: chance may have it" in shown) == ("though that may be chance" in " ".join(shown.split()))
        command("report", out, "--out", tmp_path / "page.html")
        assert f">none{'' if is_sure else ' ?'}</td>" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--max", "many"], "--max: got 'many', expected a number"),
        (["--threads", "0"], "--threads: got '0', expected a whole number from 1 to"),
        (["--replicas", "0"], "--replicas: got '0'"),
        (["--budget", "none-such"], "--budget: got 'none-such', expected mine; or of the catalog"),
        (["--agents", "coding"], "--agents: got 'coding', expected agents of the scenario: voice"),
        (["--json", "/nowhere/out.json"], "--json"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(command: Command, scenario: str, options: list[str], expected: str) -> None:
    code, _, error = command("capacity", scenario, *options)
    assert code == 2
    assert expected in error
    assert error.count("\n") == 1
