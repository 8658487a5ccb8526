"""The dashboard in a real terminal, made by tmux."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from .processes import DEADLINE_S, until

__all__ = ["Terminal", "shows_turns"]


class Terminal:
    """A dashboard in a tmux server of its own.

    Args:
        folder: where its recordings lie.
        socket: of the tmux server; a short path. Beside it lie notes on the dashboard's process.
        command: what starts the dashboard, as a shell takes it.
        environment: on top of our own.
    """

    def __init__(
        self,
        folder: Path,
        socket: Path,
        columns: int,
        rows: int,
        *,
        command: str = f"{sys.executable} -m subsecond.tui.cli",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._tmux = ["tmux", "-u", "-S", str(socket), "-f", os.devnull]
        self._folder = folder
        self._environment = {
            **{key: value for key, value in os.environ.items() if key not in ("TMUX", "NO_COLOR", "COLUMNS", "LINES")},
            "XDG_DATA_HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            **(environment or {}),
        }
        # The command waits until the pane is set to keep the last picture of a program that has ended. A shell around
        # the dashboard notes its number and how it ended: tmux itself misses the status of a pane now and then.
        self._number, self._status = socket.with_name("number"), socket.with_name("status")
        dashboard = f"echo $$ >{self._number}; exec {command}"
        around = f"read -r _; sh -c {shlex.quote(dashboard)}; echo $? >{self._status}"
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), "sh", "-c", around)
        self.tmux("set-option", "-g", "remain-on-exit", "on")
        self.press("Enter")

    def tmux(self, *arguments: str) -> str:
        """What a command of tmux prints."""
        done = subprocess.run([*self._tmux, *arguments], env=self._environment, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def resize(self, columns: int, rows: int) -> None:
        """Make it another size, and wait until the header reaches from edge to edge of it."""
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))
        self.shows(lambda screen: len(screen.splitlines()[0].rstrip()) == columns - 1, f"it has {columns}x{rows} cells")

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def shows(self, fits: Callable[[str], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
        """Wait until the screen is so."""
        until(lambda: fits(self.screen()), what, self.screen, deadline_s)

    def has_turns(self) -> None:
        """Wait until the first screen shows turns of both pipelines, and the run is recorded."""
        self.shows(shows_turns, "turns are shown")
        until(lambda: self.services != [], "the recording begins", self.screen)

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


def shows_turns(screen: str) -> bool:
    """Whether turns of both pipelines are on the first screen."""
    return "> Race" in screen and "ahead by" in screen and " open " in screen


def _words(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""
