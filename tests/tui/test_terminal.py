"""The dashboard in a real terminal, from the first frame to the last line, and what is left when it has gone."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import is_alive, until
from support.terminal import Terminal

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

SIZES = [(80, 24), (120, 40)]
NAMES = ("Turn", "Sessions", "Pipelines", "Feel")


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


@pytest.fixture
def settled(tmp_path: Path) -> Iterator[Terminal]:
    """A dashboard whose service has a port that no other test's takes while it is away."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    with tempfile.TemporaryDirectory() as short:
        command = f"{sys.executable} -m subsecond.tui.cli live --port {port}"
        found = Terminal(tmp_path, Path(short) / "tmux", *SIZES[0], command=command)
        try:
            yield found
        finally:
            found.close()


def test_a_killed_service_is_said_and_can_be_started_again(settled: Terminal) -> None:
    terminal = settled
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
