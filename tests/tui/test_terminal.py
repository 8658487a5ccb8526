"""The dashboard in a real terminal, from the first frame to the last line, and what is left when it has gone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.processes import is_alive, until

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

SIZES = [(80, 24), (120, 40)]
NAMES = ("Turn", "Sessions", "Pipelines", "Feel")


class Terminal:
    """A dashboard in a tmux server of its own; its recordings lie in `folder`."""

    def __init__(self, folder: Path, socket: Path, columns: int, rows: int) -> None:
        self._tmux = ["tmux", "-u", "-S", str(socket), "-f", os.devnull]
        self._folder = folder
        self._environment = {
            **{key: value for key, value in os.environ.items() if key not in ("TMUX", "NO_COLOR")},
            "XDG_DATA_HOME": str(folder),
            "LC_ALL": "C.UTF-8",
        }
        # The command waits until the pane is set to keep the last picture of a program that has ended. A shell around
        # the dashboard notes its number and how it ended: tmux itself misses the status of a pane now and then.
        self._number, self._status = socket.with_name("number"), socket.with_name("status")
        dashboard = f"echo $$ >{self._number}; exec {sys.executable} -m subsecond.tui.cli"
        command = f"read -r _; sh -c '{dashboard}'; echo $? >{self._status}"
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), "sh", "-c", command)
        self.tmux("set-option", "-g", "remain-on-exit", "on")
        self.press("Enter")

    def tmux(self, *arguments: str) -> str:
        """What a command of tmux prints."""
        done = subprocess.run([*self._tmux, *arguments], env=self._environment, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def shows(self, fits: Callable[[str], bool], what: str) -> None:
        """Wait until the screen is so."""
        until(lambda: fits(self.screen()), what, self.screen)

    def has_turns(self) -> None:
        """Wait until the first screen shows turns of both pipelines."""
        self.shows(lambda screen: "> Race" in screen and "ahead by" in screen and " open " in screen, "turns are shown")

    def opens(self, name: str) -> None:
        """Wait until a view is on the screen."""
        self.shows(lambda screen: f"> {name}" in screen.splitlines()[0], f"the view {name} opens")

    @property
    def services(self) -> list[int]:
        """Processes of the services: the name of a recording ends in that of its writer."""
        found = (self._folder / "subsecond" / "recordings").glob("*.subsecond")
        return sorted({int(path.stem.rpartition("-")[2]) for path in found})

    @property
    def process(self) -> int:
        """The dashboard's process."""
        return int(_words(self._number))

    @property
    def exit_code(self) -> str:
        """How the dashboard ended; empty while it runs."""
        return _words(self._status)

    def close(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], env=self._environment, capture_output=True, timeout=60)


def _words(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    with tempfile.TemporaryDirectory() as short:  # sockets take no long paths
        found = Terminal(tmp_path, Path(short) / "tmux", *request.param)
        try:
            yield found
        finally:
            found.close()


def test_a_first_visit(terminal: Terminal, tmp_path: Path) -> None:
    terminal.has_turns()
    services = terminal.services
    assert len(services) == 1
    assert is_alive(services[0])
    for key, name in zip("2345", NAMES, strict=True):
        terminal.press(key)
        terminal.opens(name)
    terminal.press("Space")
    terminal.shows(lambda screen: "paused" in screen.splitlines()[0], "space pauses")
    terminal.press("q")
    terminal.shows(lambda screen: "subsecond: playground" in screen, "q leaves")
    until(lambda: not is_alive(terminal.process), "the dashboard ends", terminal.screen)
    last = terminal.screen()
    assert "of virtual time" in last
    assert "trn-cs3: " in last
    assert "gpu: " in last
    assert "recording was not kept" in last
    assert "Traceback" not in last
    until(lambda: terminal.exit_code == "0", "the exit code is 0", lambda: terminal.exit_code)
    assert not is_alive(services[0])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("terminal", SIZES[:1], indirect=True, ids=["80x24"])
@pytest.mark.parametrize("end", ["window", "SIGTERM", "SIGKILL"])
def test_a_dashboard_that_is_ended_from_outside_leaves_no_process(terminal: Terminal, end: str) -> None:
    terminal.has_turns()
    services = terminal.services
    assert is_alive(services[0])
    if end == "window":
        terminal.close()
    else:
        os.kill(terminal.process, signal.Signals[end])
    until(lambda: not is_alive(terminal.process), "the dashboard ends")
    until(lambda: not is_alive(services[0]), "its service ends")


@pytest.mark.parametrize("terminal", SIZES[:1], indirect=True, ids=["80x24"])
def test_a_killed_service_is_said_and_can_be_started_again(terminal: Terminal) -> None:
    terminal.has_turns()
    first = terminal.services
    os.kill(first[0], signal.SIGKILL)
    terminal.shows(lambda screen: "NO SERVICE" in screen.splitlines()[0], "it is said")
    assert is_alive(terminal.process)
    terminal.press("R")
    until(lambda: len(terminal.services) == 2, "another service starts", terminal.screen)
    terminal.has_turns()
    second = terminal.services
    terminal.press("q")
    until(lambda: not is_alive(terminal.process), "the dashboard ends", terminal.screen)
    assert not any(is_alive(process) for process in (*first, *second))
