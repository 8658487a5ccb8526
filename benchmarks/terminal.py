"""A pseudo-terminal for programs that draw on one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
import termios
import threading

__all__ = ["Terminal"]


class Terminal:
    """A program in a pseudo-terminal of a size; what it writes is thrown away."""

    def __init__(self, command: list[str], columns: int, rows: int) -> None:
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
        environment |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the other end is closed
            while os.read(self._ours, 1 << 16):
                pass

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        code = self.process.wait()
        self._reader.join()
        os.close(self._ours)
        return code
