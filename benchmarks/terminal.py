"""A pseudo-terminal for programs that draw on one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Sequence

__all__ = ["Terminal"]


class Terminal:
    """A program in a pseudo-terminal of a size; what it writes is thrown away.

    Args:
        marks: words whose first appearance is noted.

    Attributes:
        seconds: from the start of the program until a mark was written, by mark.
    """

    def __init__(self, command: list[str], columns: int, rows: int, *, marks: Sequence[str] = ()) -> None:
        self.seconds: dict[str, float] = {}
        self._marks = tuple(marks)
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
        environment |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self._begin = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the other end is closed
            end = b""
            while data := os.read(self._ours, 1 << 16):
                end += data
                for mark in self._marks:
                    if mark not in self.seconds and mark.encode() in end:
                        self.seconds[mark] = time.perf_counter() - self._begin
                end = end[-100:]

    def press(self, key: str) -> None:
        """Write what a key sends."""
        os.write(self._ours, key.encode())

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        code = self.process.wait()
        self._reader.join()
        os.close(self._ours)
        return code
