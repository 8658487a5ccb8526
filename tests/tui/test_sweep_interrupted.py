"""Sweeps in real processes: after Ctrl-C or an error everything that was started ends, and what is finished is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import DEADLINE_S, is_alive, until

from subsecond.engine.sweep.reader import read_sweep

#: More than anybody waits for.
LONG = """
scenario = "playground"
replicas = 5000
[set]
duration_s = 20
"""


@pytest.mark.parametrize("where", [(), ("--cluster", "local")], ids=["threads", "processes"])
def test_ctrl_c_ends_a_sweep_and_keeps_what_is_finished(tmp_path: Path, where: tuple[str, ...]) -> None:
    (tmp_path / "long.toml").write_text(LONG)
    command = [sys.executable, "-c", "from subsecond.tui.cli import main; main()", "sweep", "long.toml", *where]
    # a session of its own: as in a terminal, Ctrl-C goes to all of its processes
    sweep = subprocess.Popen(
        [*command, "--threads", "2"], cwd=tmp_path, stdout=-1, stderr=-1, text=True, start_new_session=True
    )
    folder = tmp_path / "long.sweep"
    until(lambda: any((folder / "tasks").glob("*.parquet")) or sweep.poll() is not None, "a task is finished")
    members = _session(sweep.pid)
    os.killpg(sweep.pid, signal.SIGINT)
    out, err = sweep.communicate(timeout=DEADLINE_S)
    assert (sweep.returncode, out) == (130, "")
    assert err.count("\n") == 1, err
    assert "the same command goes on from there" in err
    until(lambda: not any(is_alive(member) for member in members), "all processes have ended")
    results = read_sweep(folder)
    assert 0 < results.runs < 5000
    assert f"interrupted: {results.runs:,} of 5,000 runs are finished" in err
    assert not results.failures
    assert list((folder / "tasks").glob(".*")) == []


def test_a_cluster_that_cannot_be_ends_with_a_line(tmp_path: Path) -> None:
    (tmp_path / "long.toml").write_text(LONG)
    command = [sys.executable, "-c", "from subsecond.tui.cli import main; main()", "sweep", "long.toml"]
    found = subprocess.run(
        [*command, "--cluster", "nonsense://x:1"], cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1)
    assert "--cluster: got 'nonsense://x:1', expected a scheduler that answers" in found.stderr


def _session(leader: int) -> list[int]:
    """Processes of a session."""
    listing = subprocess.run(["ps", "-A", "-o", "pid=,sid="], check=True, capture_output=True, text=True)
    rows = (map(int, line.split()) for line in listing.stdout.splitlines())
    return [process for process, session in rows if session == leader]
