"""Records a run while it goes on: messages go into a queue, a thread of its own writes them to the file.

`Recorder.put` never waits and never fails. What was put is in the file at most 100 ms later, even if the process is
killed then. If the file cannot be written, one message says so, the rest is not recorded, and the run goes on.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from subsecond.engine.commands import SetKnob
from subsecond.engine.errors import InputError
from subsecond.engine.feed import Annotation, Clock, FaultNote, Gauges, Hello, Load, Message, TurnEnd
from subsecond.engine.script import OutsideRequest, SessionNote

from .content import Content
from .file import begin_file, finish_file, note_kept, part_of, publish, reason_of, remove_file
from .places import check_target, new_path
from .rows import inserts, row_of, turn_row
from .schema import Header, Origin

__all__ = ["Recorder"]

#: Between two transactions, in seconds. With the writing itself it stays below 100 ms.
_BATCH_S = 0.05
#: Messages in the queue from which on gauges are left out: some seconds of a busy run.
_QUEUE = 20_000
#: Messages in one transaction; more are written in several, so that none takes long.
_MOST = 5_000

#: Seconds after which `flush` looks whether the thread still lives.
_LOOK_S = 0.1

Recorded = Message | SetKnob | SessionNote | OutsideRequest | Content

#: A message and its time, or somebody who waits for what came before.
Item = tuple[Recorded | threading.Event, int | None]


class Recorder:
    """Writes one run to one file; see the module.

    Usable as a context manager, which closes it.
    """

    def __init__(
        self,
        path: Path | None,
        hello: Hello,
        *,
        tables: Mapping[str, Any] | None = None,
        origin: Origin | None = None,
        on_error: Callable[[str], None] | None = None,
        folder: Path | None = None,
        queue: int = _QUEUE,
        batch_s: float = _BATCH_S,
    ) -> None:
        """Begin to record; the file is made by the thread.

        Args:
            path: the file; None: one that is deleted in the end unless `keep` is called.
            hello: of the run; its `recording` is set to the path.
            tables: the scenario's; `origin`: what else it takes to draw the same sessions.
            on_error: called from the recorder's thread with one sentence if the recording stops or cannot be kept.
            folder: where a file lies that is not named; None: `places.recordings_folder()`.
            queue: messages that may wait; beyond them gauges, clocks and loads are dropped. Turns never are.
            batch_s: seconds between transactions.
        """
        self._is_kept = path is not None
        self.path = path.expanduser().absolute() if path is not None else new_path(hello.scenario, folder)
        self._header = Header(
            hello=msgspec.structs.replace(hello, recording=str(self.path)),
            tables=tables or {},
            origin=origin or Origin(),
            created_unix_s=time.time(),
        )
        self._inserts = inserts(hello)
        self._on_error = on_error or (lambda text: None)
        self._items: deque[Item] = deque()
        self._limit = queue
        self._batch_s = batch_s
        self._lock = threading.Lock()
        self._dropped = 0
        self._error: str | None = None
        self._noted_kept = self._is_kept
        self._targets: deque[Path] = deque()
        self._moved_from: list[Path] = []
        self._connection: sqlite3.Connection | None = None
        self._seq = 0
        self._written = 0
        self._now_ps = 0
        self._last_clock: Clock | None = None
        self._last_gauges: dict[int, Gauges] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def hello(self) -> Hello:
        """The run's first message, with the path of the recording."""
        return self._header.hello

    @property
    def dropped_gauges(self) -> int:
        """Gauges, clocks and loads that were left out because the queue was full."""
        return self._dropped

    @property
    def written(self) -> int:
        """Messages that have left the queue for good: they are in the file, even if the process is killed now."""
        return self._written

    @property
    def error(self) -> str | None:
        """Why the recording has stopped; None while it goes on."""
        return self._error

    @property
    def is_kept(self) -> bool:
        """Whether the file stays when the recorder is closed."""
        return self._is_kept

    def put(self, message: Recorded, at_ps: int | None = None) -> bool:
        """Record a message; from any thread.

        Args:
            at_ps: for a knob or a notice, which have no time of their own; None: that of what came before.

        Returns:
            Whether it will be in the file.
        """
        if self._error is not None or self._ending.is_set():
            return False
        if len(self._items) >= self._limit and isinstance(message, Gauges | Clock | Load):
            with self._lock:
                self._dropped += 1
            return False
        self._items.append((message, at_ps))
        return True

    def keep(self, path: Path | None = None) -> Path:
        """Let the file stay, and move on to another one if `path` is given; everything so far is copied to it.

        It does not wait: `on_error` is called if the file cannot be written, and the recording goes on where it was.

        Returns:
            Where the recording will be.
        """
        if path is None:
            self._is_kept = True
            return self.path
        target = path.expanduser().absolute()
        self._targets.append(target)
        return target

    def flush(self) -> bool:
        """Wait until everything that was put, and asked for by `keep`, is done; not for the thread that drives a run.

        Returns:
            Whether it is in the file.
        """
        done = threading.Event()
        self._items.append((done, None))
        while not done.wait(_LOOK_S):
            if not self._thread.is_alive():
                break
        return self._error is None and done.is_set()

    def close(self) -> None:
        """Write what is left and finish the file; delete it unless it is kept. Calling it again does nothing."""
        self._ending.set()
        self._thread.join()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        """The thread."""
        try:
            self._begin()
            while not self._ending.wait(self._batch_s):
                self._turn_over()
            self._turn_over()
        except Exception as error:  # whatever it is, the run must not feel it
            self._stop(error)
        finally:
            self._end()

    def _begin(self) -> None:
        check_target(self.path)
        self._connection = begin_file(self.path.resolve(), self._header, is_kept=self._is_kept)
        self._noted_kept = self._is_kept

    def _turn_over(self) -> None:
        waiting: list[threading.Event] = []
        while self._items:
            waiting += self._write()
        while self._targets:
            self._move(self._targets.popleft())
        if self._noted_kept != self._is_kept and self._connection is not None:
            self._noted_kept = self._is_kept
            with self._connection:
                note_kept(self._connection, self._noted_kept)
        for done in waiting:
            done.set()

    def _stop(self, error: Exception) -> None:
        what = str(error) if isinstance(error, InputError) else f"{self.path}: {reason_of(error)}"
        if self._connection is None:
            self._error = f"not recorded: {what}"
        else:
            self._error = f"recording stopped: {what}; what was written until then stays readable"
        for item, _ in self._items:
            if isinstance(item, threading.Event):
                item.set()
        self._items.clear()
        self._on_error(self._error)

    def _write(self) -> list[threading.Event]:
        """Write up to `_MOST` messages in one transaction; who waits for them."""
        assert self._connection is not None  # opened before anything is written
        rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in self._inserts}
        turns, waiting = rows["turns"], []
        seq, pop = self._seq, self._items.popleft
        for _ in range(min(len(self._items), _MOST)):
            message, at_ps = pop()
            if isinstance(message, threading.Event):
                waiting.append(message)
                continue
            seq += 1
            if isinstance(message, TurnEnd):
                turns.append(turn_row(seq, message))
                continue
            self._now_ps = max(self._now_ps, _time_of(message))
            if self._is_repeated(message):
                continue
            found = row_of(seq, message, self._now_ps if at_ps is None else at_ps)
            if found is not None:
                rows[found[0]].append(found[1])
        self._seq = seq
        with self._connection:
            for table, new in rows.items():
                if new:
                    self._connection.executemany(self._inserts[table], new)
            if self._dropped:
                self._connection.execute("UPDATE meta SET value = ? WHERE key = 'dropped_gauges'", (self._dropped,))
        self._written = seq
        return waiting

    def _is_repeated(self, message: Recorded) -> bool:
        """Whether virtual time stands still and the message says what the last one of its kind said."""
        if isinstance(message, Clock):
            last, self._last_clock = self._last_clock, message
            if last is None:
                return False
            return (message.at_ps, message.paused, message.speed) == (last.at_ps, last.paused, last.speed)
        if isinstance(message, Gauges):
            before = self._last_gauges.get(message.lane)
            self._last_gauges[message.lane] = message
            return message == before
        return False

    def _move(self, path: Path) -> None:
        """Copy the recording to another path and go on there; readers of the old file are not disturbed."""
        assert self._connection is not None  # opened before anything is moved
        part = None
        try:
            target = check_target(path)
            if target == self.path.resolve():
                self._is_kept = True
                return
            part = part_of(target)
            part.unlink(missing_ok=True)
            copy = sqlite3.connect(part)
            try:
                self._connection.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")
            finally:
                copy.close()
            publish(part, target)
            connection = sqlite3.connect(target, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
        except (sqlite3.Error, OSError, InputError) as error:
            if part is not None:
                remove_file(part)
            what = str(error) if isinstance(error, InputError) else f"{path}: {reason_of(error)}"
            self._on_error(f"recording not kept there: {what}; it goes on at {self.path}")
            return
        self._connection.close()
        if not self._is_kept:
            self._moved_from.append(self.path)
        self._connection, self.path, self._is_kept = connection, target, True

    def _end(self) -> None:
        if self._connection is not None:
            try:
                finish_file(self._connection, self._now_ps)
            except (sqlite3.Error, OSError) as error:
                if self._error is None:
                    self._stop(error)
            if not self._is_kept:
                remove_file(self.path)
        for old in self._moved_from:
            remove_file(old)


def _time_of(message: Recorded) -> int:
    return message.at_ps if isinstance(message, Gauges | Clock | Load | FaultNote | Annotation) else 0
