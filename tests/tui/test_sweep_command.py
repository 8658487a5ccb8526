"""`subsecond sweep`: tables, JSON, exit codes, and what is said when it cannot be run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.sweeps import QUICK, bytes_of

from subsecond.agents.sweep.threads import Threads
from subsecond.engine.sweep.reader import read_sweep

Command = Callable[..., tuple[int, str, str]]
RANDOM = """
scenario = "playground"
[set]
duration_s = 60
[random]
points = 12
"coding.sessions" = { from = 1, to = 9 }
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.toml"
    path.write_text(QUICK)
    return path


def test_a_grid_of_two_axes_is_a_matrix_that_fits_a_terminal(command: Command, file: Path) -> None:
    code, out, err = command("sweep", file)
    assert (code, err) == (1, "subsecond: 4 of 12 runs failed\n")
    assert "small · playground · 6 points x 2 seeds" in out
    assert "coding: agent-step, <= 1000 ms for 95 %" in out
    assert "coding.sessions \\ gpu.replicas" in out
    words = " ".join(out.split())
    assert "Failed: coding.sessions=0, gpu.replicas=1, seed 1: small" not in words
    assert "Failed: coding.sessions=0, gpu.replicas=1, seed 1: playground.toml: coding workload" in words
    assert max(len(line.rstrip()) for line in out.splitlines() if "•" not in line and "Failed" not in line) <= 80
    assert read_sweep(Path("small.sweep")).digest in out


def test_the_folder_shows_the_same_again(command: Command, file: Path) -> None:
    _, first, _ = command("sweep", file, "--threads", 2)
    assert command("sweep", "small.sweep") == (1, first, "subsecond: 4 of 12 runs failed\n")
    before = bytes_of(Path("small.sweep"))
    code, again, err = command("sweep", file)
    assert (code, again) == (1, first)
    assert "12 of 12 runs are there already" in err
    assert bytes_of(Path("small.sweep")) == before


def test_the_document_says_what_the_rows_say(command: Command, file: Path) -> None:
    code, out, _ = command("sweep", file, "--quiet", "--json", "-", "--out", "there")
    assert code == 1
    document = json.loads(out)
    assert document["schema"] == "subsecond.sweep/1"
    assert document["runs"] == {"all": 12, "finished": 12, "failed": 4}
    results = read_sweep(Path("there"))
    assert document["digest"] == results.digest
    for point, shown in zip(results.points, document["points"], strict=True):
        assert shown["settings"] == point.settings
        for name, lane in point.lanes.items():
            for kind, group in lane.groups.items():
                own = shown["pipelines"][name]["by_agents"][kind]
                assert own["turns"] == group.turns
                assert sum(count for _, count in own["latency_histogram_ms"]) == group.answered
                budget = own["budgets"][group.budgets[0].budget.name]
                assert budget["attainment"] == group.budgets[0].attainment
                assert len(budget["attainment_by_replica"]) == lane.runs


def test_a_random_design_says_what_moves_the_answer(command: Command, file: Path) -> None:
    file.write_text(RANDOM)
    code, out, err = command("sweep", file)
    assert (code, err) == (0, "")
    assert "rank correlation with the share in time" in out
    assert "12 points" in out
    assert (
        max(len(line.rstrip()) for line in out.splitlines() if "•" not in line) <= 100
    )  # the width of output that goes into a file


def test_settings_of_the_command_hold_at_every_point(command: Command, file: Path) -> None:
    file.write_text(RANDOM)
    _, out, _ = command("sweep", file, "--set", "voice.sessions=2", "--quiet", "--json", "-")
    document = json.loads(out)
    assert [agents["sessions"] for agents in document["settings"]["agents"]] == [24, 2]
    code, _, err = command("sweep", file, "--set", "coding.sessions=2", "--out", "x")
    assert (code, "no axis of the sweep" in err) == (2, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[set]\n"coding.sesions" = 3\n', "agents.0.sesions: got 'sesions', expected one of kind"),
        ('[grid]\n"coding.sesions" = [3, 4]\n', "small.toml: playground.toml: agents.0.sesions: got 'sesions'"),
        ('[random]\npoints = 3\n"gpu.replicass" = { from = 1, to = 9 }\n', "a parameter of this pipeline"),
        ('[grid]\n"coding.sessions" = [0]\n"gpu.replicas" = [1, 2]\n', "coding workload: sessions: got '0'"),
        ('[set]\n"voice.sessions" = -1\n[grid]\n"coding.sessions" = [1, 2]\n', "voice"),
        ('[budgets]\ncoding = ["none-such"]\n[grid]\n"coding.sessions" = [1, 2]\n', "none-such"),
    ],
)
def test_what_all_points_fail_by_alike_is_said_before_the_start(
    command: Command, file: Path, text: str, said: str
) -> None:
    file.write_text(f'scenario = "playground"\n{text}')
    code, out, err = command("sweep", file)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert not Path("small.sweep").exists()


def test_unknown_pipelines_are_said_before_the_start(command: Command, file: Path) -> None:
    file.write_text('scenario = "playground"\npipelines = ["nope"]\n[grid]\n"coding.sessions" = [1, 2]\n')
    code, _, err = command("sweep", file)
    assert (code, err.count("\n")) == (2, 1)
    assert "small.toml: " in err
    assert "nope" in err


def test_one_point_that_can_be_planned_is_enough_to_start(command: Command, file: Path) -> None:
    file.write_text('scenario = "playground"\n[set]\nduration_s = 5\n[grid]\n"coding.sessions" = [0, -1, 0.5, 2]\n')
    code, _, err = command("sweep", file, "--quiet")
    assert (code, err) == (1, "subsecond: 3 of 4 runs failed\n")


def test_exit_code_1_if_nothing_could_be_run(command: Command, file: Path) -> None:
    file.write_text('scenario = "playground"\n[grid]\n"coding.sessions" = [0, -1]\n')
    code, out, err = command("sweep", file)
    assert (code, err) == (1, "subsecond: 2 of 2 runs failed\n")
    assert "Failed: coding.sessions=-1" in out


def test_a_folder_called_like_a_shipped_sweep_is_gone_on_with(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where `sweep nodes --out nodes` was interrupted the same command goes on."""
    short = ("--set", "duration_s=5", "--set", "warm_up_s=0", "--out", "nodes")
    assert command("sweep", "nodes", *short)[0] == 0
    code, again, _ = command("sweep", "nodes", *short)
    assert code == 0
    assert command("sweep", "nodes")[1] == again


def test_ctrl_c_says_how_to_go_on(command: Command, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: Threads, orders: object, done: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Threads, "run", interrupt)
    code, out, err = command("sweep", file)
    assert (code, out) == (130, "")
    assert "interrupted: 0 of 12 runs are finished; the same command goes on from there" in err
    monkeypatch.undo()
    monkeypatch.chdir(file.parent)
    assert command("sweep", file, "--quiet")[0] == 1
    assert command("sweep", "small.sweep")[1].count("not done yet") == 0


def test_sweeps_that_ship_are_listed(command: Command) -> None:
    code, out, _ = command("sweep", "--list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["nodes", "unknowns"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "a sweep file, the folder of one, or one of nodes, unknowns"),
        (("missing",), "a sweep file, the folder of one, or one of nodes, unknowns"),
        (("small.toml", "--threads", "0"), "--threads: got '0', expected a whole number from 1"),
        (("small.toml", "--threads", "x"), "--threads: got 'x', expected a whole number"),
        (("small.toml", "--threads", "2", "--cluster", "tcp://x:1"), "the workers of the cluster have theirs"),
        (("small.toml", "--cluster", "nonsense"), "--cluster: got 'nonsense', expected local, or the address of a"),
        (("small.toml", "--cluster", "tcp://host"), "--cluster: got 'tcp://host', expected local, or the address of a"),
        (("small.toml", "--out", "small.toml"), "a folder that can be written"),
        (("small.toml", "--out", "."), "a new folder, or the one of this sweep"),
        (("small.toml", "--set", "nothing"), "KEY=VALUE"),
        (("small.toml", "--json", "no/where.json"), "--json"),
        (("small.sweep", "--threads", "2"), "of a folder the results are shown"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line(
    command: Command, file: Path, arguments: tuple[str, ...], said: str
) -> None:
    if arguments and arguments[0] == "small.sweep":
        command("sweep", file, "--quiet")
    code, out, err = command("sweep", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert Path("small.sweep").exists() == (arguments[:1] == ("small.sweep",))


def test_a_folder_and_its_document_can_be_reported(command: Command, file: Path) -> None:
    command("sweep", file, "--quiet", "--json", "small.json")
    for given in ("small.sweep", "small.json"):
        assert command("report", given, "-o", "page.html") == (0, "", "")
        assert "coding.sessions" in Path("page.html").read_text(encoding="utf-8")
