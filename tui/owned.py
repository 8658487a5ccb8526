"""The engine service as a process of our own: started, looked after, and never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Final

import msgspec

from subsecond.engine.errors import InputError, SubsecondError

__all__ = ["OwnedService"]

#: Seconds in which an interpreter and a plan get ready, even on a busy machine with nothing in its caches.
START_S = 120.0
#: Where agents from outside look for it.
PORT = 8765
#: Where programs find the token.
TOKEN_VARIABLE: Final = "SUBSECOND_TOKEN"
#: Seconds that the service may take to finish its recording.
STOP_S = 5.0


class _Started(msgspec.Struct):
    url: str


class OwnedService:
    """A service that ends when this process does: it reads its standard input, whose other end only we hold.

    Args:
        arguments: of `subsecond serve`.
        port: where it serves; None: at the usual one, or any other if that is taken.
        token: that everybody who connects must show; None: none.
        record: where the run is recorded; one that is started again gets a file of its own beside it. None: the service
            chooses.
    """

    def __init__(
        self, arguments: Sequence[str], *, port: int | None = None, token: str | None = None, record: Path | None = None
    ) -> None:
        self.token = token
        self._record = record
        self._has_begun = False
        self._arguments = list(arguments)
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as the service
        self.url = ""

    def start(self) -> str:
        """Start it, at the same address as before if it ran before; returns the address.

        Raises:
            InputError: it says that its input cannot be used.
            SubsecondError: it did not start.
        """
        self.begin()
        return self._address()

    def begin(self) -> None:
        """Start it, and do not wait until it is ready: `ready` does."""
        self.stop()
        usual = PORT if self._port is None else self._port
        port = self.url.rpartition(":")[2].partition("/")[0] if self.url else str(usual)
        command = [sys.executable, "-m", "subsecond.tui.cli", "serve", *self._arguments, "--port", port, "--owned"]
        if self._record is not None:
            command += ["--record", str(self._recording(self._record))]
        self._has_begun = True
        if self._port is None and not self.url:
            command.append("--or-any")  # several dashboards may run side by side
        environment = {name: value for name, value in os.environ.items() if name != TOKEN_VARIABLE}
        if self.token is not None:
            environment[TOKEN_VARIABLE] = self.token  # everybody can read a process's arguments
        self._errors.seek(0)
        self._errors.truncate()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
            env=environment,
        )

    def _recording(self, record: Path) -> Path:
        """Where the next run goes: what a run before has left stays."""
        if not self._has_begun:
            return record
        from subsecond.engine.recording.places import path_of_run  # only who starts again waits for it

        numbered = (path_of_run(record, number) for number in count(1))
        return next(path for path in numbered if not path.exists())

    async def ready(self) -> str:
        """Wait until it is ready after `begin`; returns its address.

        Raises:
            InputError: it says that its input cannot be used.
            SubsecondError: it did not start.
        """
        assert self._process is not None
        assert self._process.stdout is not None
        loop, has_spoken, stream = asyncio.get_running_loop(), asyncio.Event(), self._process.stdout.fileno()
        loop.add_reader(stream, has_spoken.set)
        try:
            await has_spoken.wait()
        finally:
            loop.remove_reader(stream)
        return self._address()

    def _address(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        try:
            self.url = msgspec.json.decode(line, type=_Started).url
        except msgspec.DecodeError:
            self._explain()
        return self.url

    def _explain(self) -> None:
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_S)
        self._errors.seek(0)
        words = self._errors.read().decode(errors="replace").strip()
        code = self._process.poll()
        self.stop()
        last = words.splitlines()[-1] if words else f"exit code {code}"
        if code == 2:
            raise _Refused(last.removeprefix("subsecond: "))
        raise SubsecondError(f"the engine service did not start: {last}")

    async def restart(self) -> None:
        """Start it again, without holding up the caller's loop."""
        await asyncio.to_thread(self.start)

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Let it end, and see to it that it does."""
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> OwnedService:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._errors.close()


class _Refused(InputError):
    """What the service said about its input, in its own words."""

    def __init__(self, words: str) -> None:
        Exception.__init__(self, words)
