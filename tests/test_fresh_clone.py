"""A fresh clone of the project, from nothing to the last line: it sets itself up, runs in a terminal, and ends."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import is_alive, programs_in, until
from support.terminal import Terminal, shows_turns

ROOT = Path(__file__).parent.parent
#: Seconds that setting up may take: packages from an index, and compiling the core on a busy machine.
SET_UP_S = 900.0
NAMES = ("Turn", "Sessions", "Pipelines", "Feel", "Race")

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The commit that is checked out, and nothing else."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: there is nothing to clone")
    folder = tmp_path.resolve() / "clone"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)], check=True)
    return folder


@pytest.fixture
def terminal(clone: Path, tmp_path: Path) -> Iterator[Terminal]:
    """`scripts/run` of the clone. It finds the interpreter that our own environment was made of, not ours."""
    environment = {
        "PYTHON": getattr(sys, "_base_executable", sys.executable),
        "SUBSECOND_CACHE_DIR": str(tmp_path / "cache"),  # the core is compiled here too
    }
    with tempfile.TemporaryDirectory() as short:  # sockets take no long paths
        command = str(clone / "scripts" / "run")
        found = Terminal(tmp_path / "data", Path(short) / "tmux", 120, 40, command=command, environment=environment)
        try:
            yield found
        finally:
            found.close()


def test_a_fresh_clone_runs_and_leaves_nothing_behind(terminal: Terminal, clone: Path, tmp_path: Path) -> None:
    terminal.shows(lambda screen: shows_turns(screen) or terminal.exit_code != "", "turns are shown", SET_UP_S)
    if "no package index can be reached" in terminal.screen():
        pytest.skip("no package index can be reached")
    assert terminal.exit_code == "", terminal.screen()
    terminal.has_turns()
    services = terminal.services
    assert [is_alive(service) for service in services] == [True]
    for place, (columns, rows) in enumerate([(80, 24), (200, 60), (120, 40)]):
        terminal.resize(columns, rows)
        for key, name in zip("23451", NAMES, strict=True):
            terminal.press(key)
            terminal.opens(name)
        assert "Traceback" not in terminal.screen(), place
    terminal.has_turns()
    terminal.press("q")
    terminal.shows(lambda screen: "subsecond: playground" in screen, "q leaves")
    until(lambda: terminal.exit_code == "0", "the exit code is 0", terminal.screen)
    last = terminal.screen()
    assert "of virtual time" in last
    assert "trn-cs3: " in last
    assert "gpu: " in last
    assert "recording was not kept" in last
    assert "Traceback" not in last
    assert not any(is_alive(process) for process in (terminal.process, *services))
    assert programs_in(clone) == []
    assert [path for path in (tmp_path / "data").rglob("*") if path.is_file()] == []
    changes = subprocess.run(["git", "status", "--porcelain"], cwd=clone, check=True, capture_output=True, text=True)
    assert changes.stdout == ""
