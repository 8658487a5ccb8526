"""`subsecond run` from the outside: what it prints, writes and refuses."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from subsecond.engine.scenario import scenario_names
from subsecond.engine.workload.traces import sample_names
from subsecond.engine.workload.traces.shipped import sample_path

ROOT = Path(__file__).parents[2]
Command = Callable[..., tuple[int, str, str]]

QUICK = ("--set", "duration_s=30", "--set", "coding.sessions=3", "--set", "voice.sessions=3")


def test_the_default_scenario_ends_with_tables(command: Command) -> None:
    code, out, _ = command("run", *QUICK)
    assert code == 0
    for word in ("playground", "coding", "voice", "trn-cs3", "gpu", "p95", "whole turn", "not public", "digest"):
        assert word in " ".join(out.split())


def test_the_same_command_gives_the_same_output(command: Command) -> None:
    assert command("run", *QUICK) == command("run", *QUICK)


@pytest.mark.parametrize("name", scenario_names())
def test_every_shipped_scenario_runs(command: Command, name: str) -> None:
    assert command("run", name, "--set", "duration_s=20", "--set", "warm_up_s=5", "--quiet") == (0, "", "")


@pytest.mark.parametrize("name", sample_names())
def test_every_shipped_trace_runs(command: Command, name: str) -> None:
    code, out, _ = command("run", "--trace", f"sample:{name}", "--sample", 5)
    assert code == 0
    assert "whole turn" in out


def test_the_seed_changes_the_digest(command: Command, tmp_path: Path) -> None:
    digests = set()
    for seed in (1, 1, 2):
        assert command("run", *QUICK, "--seed", seed, "--json", tmp_path / "out.json", "--quiet") == (0, "", "")
        digests.add(json.loads((tmp_path / "out.json").read_text())["digest"])
    assert len(digests) == 2


def test_json_goes_to_standard_output_alone(command: Command) -> None:
    code, out, _ = command("run", *QUICK, "--json", "-")
    assert code == 0
    assert json.loads(out)["schema"] == "subsecond.run/1"


def test_pipelines_model_and_settings_are_taken(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    options = ("--pipelines", "gpu,gpu-b200", "--model", "llama-3.1-8b", "--set", "gpu.network_ms=7", "--json", out)
    assert command("run", *QUICK, *options, "-q")[0] == 0
    document = json.loads(out.read_text())
    assert list(document["pipelines"]) == ["gpu", "gpu-b200"]
    assert {lane["model"] for lane in document["pipelines"].values()} == {"llama-3.1-8b"}
    network = document["pipelines"]["gpu"]["parameters"]["network_ms"]
    assert network["value"] == 7
    assert document["pipelines"]["gpu"]["stages_ms"]["network"]["mean"] >= 14


def test_a_scenario_of_the_users_own_with_faults_and_turns(command: Command, tmp_path: Path) -> None:
    scenario = tmp_path / "mine.toml"
    scenario.write_text(
        """
turns = 40
[pipelines.trn-cs3]
[pipelines.two]
base = "trn-cs3"
network_ms = 50
[[agents]]
kind = "coding"
sessions = 8
[[faults]]
kind = "decode_down"
at_s = 1
duration_s = 5
pipeline = "two"
[budgets.mine]
agents = "coding"
turn_ms = 300
"""
    )
    code, out, err = command("run", scenario, "--json", tmp_path / "out.json")
    assert (code, err) == (0, "")
    document = json.loads((tmp_path / "out.json").read_text())
    for lane in document["pipelines"].values():
        assert lane["turns"] + lane["unfinished"] == document["pipelines"]["two"]["turns"]
        assert list(lane["budgets"]) == ["mine"]
    assert "two: the faults from 1 s to 6 s" in out


def test_a_trace_is_replayed(command: Command, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    rows = [{"timestamp": 100 * i, "input_length": 600, "output_length": 20, "hash_ids": [i, i + 1]} for i in range(30)]
    trace.write_text("\n".join(map(json.dumps, rows)))
    out = tmp_path / "out.json"
    assert command("run", "--trace", trace, "--json", out, "-q")[0] == 0
    assert all(lane["answered"] == 30 for lane in json.loads(out.read_text())["pipelines"].values())
    assert command("run", "--trace", trace, "--sample", 7, "--json", out, "-q")[0] == 0
    assert json.loads(out.read_text())["requests"] == 7


def test_agents_and_traces_share_a_scenario(command: Command, tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_text('{"timestamp": 0, "input_length": 9, "output_length": 2, "hash_ids": [1]}')
    scenario = tmp_path / "mixed.toml"
    scenario.write_text(
        """
duration_s = 60
[pipelines.gpu]
[[agents]]
kind = "voice"
sessions = 2
profile = "fast"
[[traces]]
files = ["sample:weka", "own.jsonl"]
sample = 3
"""
    )
    out = tmp_path / "out.json"
    assert command("run", scenario, "--json", out, "-q") == (0, "", "")
    assert set(json.loads(out.read_text())["agents"]) >= {"voice"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such-scenario"], ["no-such-scenario", "playground"]),
        (["--pipelines", "warp-drive"], ["warp-drive", "trn-cs3"]),
        (["--pipelines", "gpu,"], ["--pipelines", "gpu,"]),
        (["--pipelines", "gpu,gpu"], ["--pipelines", "each once"]),
        (["--model", "gpt-9"], ["gpt-9"]),
        (["--seed", "-1"], ["seed", "-1"]),
        (["--set", "seed"], ["--set", "KEY=VALUE"]),
        (["--set", "gpu.replicaz=2"], ["replicaz"]),
        (["--set", "gpu.network_ms=-1"], ["network_ms", "-1"]),
        (["--set", "gpu.network_ms=nan"], ["network_ms", "nan"]),
        (["--set", "coding.sessions=-3"], ["sessions", "-3"]),
        (["--set", "coding.arrival_rate_per_s=-0.5"], ["arrival_rate_per_s", "-0.5"]),
        (["--set", "duration_s=0"], ["duration_s", "0"]),
        (["--set", "trn-cs3.model=llama-3.1-405b", "--set", "trn-cs3.decode_wafers=2"], ["decode_wafers", "2"]),
        (["--trace", "missing.jsonl"], ["missing.jsonl"]),
        (["--trace-format", "weka"], ["--trace-format", "--trace"]),
        (["--json", "no/such/folder/out.json"], ["--json", "no/such/folder/out.json"]),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(command: Command, arguments: list[str], words: list[str]) -> None:
    code, out, err = command("run", *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("subsecond: ")
    assert err.count("\n") == 1
    assert [word for word in words if word not in err] == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["empty"]),
        ('{"timestamp": 0, "input_length": 10, "output_length": 1, "hash_ids": [1]}\n{"timest', [":2"]),
        ('{"timestamp": 0, "input_length": NaN, "output_length": 1, "hash_ids": [1]}', [":1"]),
        ('{"timestamp": 0, "input_length": 10000000000, "output_length": 1, "hash_ids": [1]}', [":1", "input_length"]),
        ('{"timestamp": 0, "input_length": 10, "output_length": -4, "hash_ids": [1]}', [":1", "output_length", "-4"]),
        (
            '{"timestamp": 9, "input_length": 10, "output_length": 1, "hash_ids": [1]}\n'
            '{"timestamp": 3, "input_length": 10, "output_length": 1, "hash_ids": [1]}',
            [":2", "timestamp", "3"],
        ),
    ],
)
def test_a_bad_trace_leaves_what_was_written_before(
    command: Command, tmp_path: Path, content: str, words: list[str]
) -> None:
    trace, out = tmp_path / "bad.jsonl", tmp_path / "out.json"
    trace.write_text(content)
    out.write_text("kept")
    code, _, err = command("run", "--trace", trace, "--trace-format", "mooncake", "--json", out)
    assert code == 2
    assert err.count("\n") == 1
    assert [word for word in ["bad.jsonl", *words] if word not in err] == []
    assert out.read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.jsonl", "out.json"]


def test_an_unknown_option_is_refused(command: Command) -> None:
    code, _, err = command("run", "--frobnicate")
    assert code == 2
    assert "--frobnicate" in err


def test_the_scenarios_are_listed(command: Command) -> None:
    code, out, _ = command("scenarios")
    assert code == 0
    assert "playground" in out


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_tables_lose_no_figure_at_any_width(command: Command, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subsecond.tui.cli.grid.FILE_WIDTH", columns)
    pipelines = "trn-cs3,gpu,gpu-b200,gpu-disagg,cs3-alone,rubin-lpx,rubin-cpx"
    code, out, _ = command("run", *QUICK, "--pipelines", pipelines)
    assert code == 0
    assert "…" not in out
    assert max(len(line) for line in out.splitlines()) <= columns
    for name in pipelines.split(","):
        assert f" {name} " in out


def test_a_run_in_which_nothing_ends_says_so(command: Command) -> None:
    code, out, _ = command("run", "--set", "duration_s=1e-6")
    assert code == 0
    assert "No turn ended" in out
    assert "whole turn" not in out


def test_one_turn_is_one_turn(command: Command) -> None:
    code, out, _ = command("run", "--set", "turns=1")
    assert code == 0
    assert "1 session, 1 turn " in out


def test_a_missed_budget_does_not_read_as_the_share_of_late_turns(command: Command) -> None:
    code, out, _ = command("run", *QUICK, "--pipelines", "gpu", "--set", "budgets.voice=['voice-target']")
    assert code == 0
    assert "0.0 %, not kept" in out


def test_the_documented_scenario_runs_as_written(command: Command, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")
    scenario = tmp_path / "documented.toml"
    scenario.write_text(text.partition("```toml\n")[2].partition("```")[0], encoding="utf-8")
    with gzip.open(tmp_path / "calls.jsonl.gz", "wb") as file:
        file.write(sample_path("subsecond").read_bytes())
    out = tmp_path / "out.json"
    assert command("run", scenario, "--set", "duration_s=90", "--json", out, "-q") == (0, "", "")
    document = json.loads(out.read_text())
    assert list(document["pipelines"]) == ["trn-cs3", "gpu", "two-nodes"]
    assert {"agent-step", "voice-slow-line", "voice-sub-second", "mine"} <= set(document["budgets"])


@pytest.mark.parametrize(
    "line",
    [
        "[pipelines.gpu]\nreplicas = 0",
        '[pipelines.gpu]\nbase = "warp"',
        "[[agents]]\nkind = 'voice'\nsessions = 0",
        "[[agents]]\nkind = 'voice'\nsessions = 1\nprofile = 'loud'",
        "[[agents]]\nkind = 'voice'\nsessions = 1\nparameters = { nothing = 1 }",
        "[[traces]]\nfiles = ['sample:weka']\nsample = 0",
        "[[traces]]\nfiles = ['" + "x" * 300 + "']",
        '[[traces]]\nfiles = ["zero\\u0000"]',
        "[pipelines.gpu]\nreplicas = [2]",
        "[pipelines.gpu]\nreplicas = { count = 2 }",
        "[pipelines.gpu]\n[catalog.devices.h200-sxm.values]\nhbm_bandwidth = 1e-300",
        "[pipelines.gpu]\n[catalog.engines.gpu.values]\nlayer_us = 1e30",
    ],
)
def test_a_mistake_in_a_file_names_the_file(command: Command, tmp_path: Path, line: str) -> None:
    scenario = tmp_path / "mine.toml"
    rest = "" if "[pipelines.gpu]" in line else "[pipelines.gpu]\n"
    agents = "" if "[[" in line else "[[agents]]\nkind = 'coding'\nsessions = 1\n"
    scenario.write_text(f"{rest}{line}\n{agents}")
    code, _, err = command("run", scenario)
    assert code == 2
    assert err.startswith(f"subsecond: {scenario}: ")
    assert err.count("\n") == 1


def test_names_are_shown_as_written(command: Command, tmp_path: Path) -> None:
    scenario = tmp_path / "[red]mine[blue].toml"
    scenario.write_text('[pipelines."[bold]"]\nbase = "gpu"\n[[agents]]\nkind = "voice"\nsessions = 1\nmax_turns = 1\n')
    code, out, _ = command("run", scenario)
    assert code == 0
    assert "[red]mine[blue]" in out.splitlines()[0]
    assert out.count("[bold]") >= 3
