"""A recorder that is killed, or whose disk is full, leaves a file that opens, with all that it had written."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from support import recordings
from support.recordings import turn

from subsecond.engine.feed import TurnEnd
from subsecond.engine.recording.places import check_target
from subsecond.engine.recording.reader import Recording

PROGRAM = Path(recordings.__file__).with_name("recording_writer.py")

if sys.platform == "win32":
    pytest.skip("needs SIGKILL and resource limits", allow_module_level=True)


class Writer:
    """The other process, in lockstep."""

    def __init__(self, path: Path, *limits: int) -> None:
        command = [sys.executable, str(PROGRAM), str(path), *map(str, limits)]
        env = {**os.environ, "PYTHONPATH": str(PROGRAM.parents[1])}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        self.written, self.put, self.errors = 0, 0, list[str]()

    def go_on(self, turns: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{turns}\n")
        self.process.stdin.flush()
        self._read()

    def finish(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self._read()
        assert self.process.wait() == 0
        assert self.process.stdout is not None
        self.process.stdout.close()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait() == -signal.SIGKILL
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.written, self.put, self.errors = json.loads(self.process.stdout.readline())


def ends_of(path: Path) -> list[TurnEnd]:
    """The turns of a file, after a look whether it is whole."""
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    with Recording.open(path) as recording:
        return recording.turn_ends()


@pytest.mark.parametrize("seed", range(16))
def test_kill_9_loses_at_most_what_was_not_written_yet(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    path = tmp_path / "run.subsecond"
    turns = rng.choice([1, 20, 400])
    writer = Writer(path)
    for _ in range(rng.randint(1, 60)):
        writer.go_on(turns)
    while not writer.written:  # until the file is there
        writer.go_on(turns)
        assert not writer.errors
    writer.kill()
    with Recording.open(path) as recording:
        assert not recording.metadata().is_finished
        messages = sum(1 for _ in recording.messages())
        ends = recording.turn_ends()
    assert messages >= writer.written
    assert ends == [turn(number) for number in range(1, len(ends) + 1)]  # the first ones, none left out
    assert ends_of(path) == ends
    assert check_target(path) == path  # its writer is gone: another run may replace it


@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_a_recorder_killed_at_its_start_leaves_a_whole_file_or_none(tmp_path: Path, rounds: int) -> None:
    path = tmp_path / "run.subsecond"
    writer = Writer(path)
    for _ in range(rounds):
        writer.go_on(1)
    writer.kill()
    if path.exists():
        assert ends_of(path) == [turn(number) for number in range(1, len(ends_of(path)) + 1)]


@pytest.mark.parametrize("limit", [200_000, 400_000, 5_000_000])
def test_a_full_disk_is_told_once_and_the_rest_stays_readable(tmp_path: Path, limit: int) -> None:
    """The limit on the size of files strikes the log, or the file itself when the log is moved into it."""
    path = tmp_path / "run.subsecond"
    writer = Writer(path, limit)
    writer.go_on(1)
    while not writer.written:  # until the file is there, so that no batch is larger than the disk
        writer.go_on(0)
        assert not writer.errors
    while not writer.errors:
        writer.go_on(400)
    written = writer.written
    for _ in range(20):  # the run goes on
        writer.go_on(400)
    writer.finish()
    assert len(writer.errors) == 1
    assert writer.errors[0].startswith(f"recording stopped: {path}: ")
    assert "readable" in writer.errors[0]
    ends = ends_of(path)
    assert ends == [turn(number) for number in range(1, len(ends) + 1)]
    assert len(ends) + len(ends) // 50 >= written


def test_a_disk_that_is_full_from_the_start_is_told(tmp_path: Path) -> None:
    path = tmp_path / "run.subsecond"
    writer = Writer(path, 4096)
    while not writer.errors:
        writer.go_on(1)
        assert writer.written == 0
    writer.finish()
    (error,) = writer.errors
    assert error.startswith(f"not recorded: {path}: ")
    assert list(tmp_path.iterdir()) == []
