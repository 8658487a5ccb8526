"""Records what runs tell a broker, wherever they are: a file for each, as if it had been written beside the engine."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from subsecond.engine.commands import SetKnob
from subsecond.engine.errors import InputError
from subsecond.engine.feed import Hello, Message, Notice, TurnEnd
from subsecond.engine.recording.places import SUFFIX, check_target, path_of_run
from subsecond.engine.recording.schema import Origin
from subsecond.engine.recording.writer import Recorder
from subsecond.engine.run import Reserve
from subsecond.engine.script import OutsideRequest, SessionNote

from .listener import Event, Heard, Missed
from .topics import KnobTurned, ScenarioTables, Status

__all__ = ["FleetRecorder"]

#: Messages that wait until it is known what runs, and seconds after the end of a run until its file is finished.
MOST_WAITING, LINGER_S = 20_000, 12.0

_Recorded = Message | KnobTurned | SessionNote | OutsideRequest


@dataclass(slots=True, eq=False)
class _Run:
    hello: Hello | None = None
    scenario: ScenarioTables | None = None
    status: Status | None = None
    waiting: list[_Recorded] = field(default_factory=list)
    recorder: Recorder | None = None
    ended_at: float | None = None

    @property
    def is_known(self) -> bool:
        """Whether all is there that a file begins with."""
        return self.hello is not None and self.scenario is not None and self.status is not None


class FleetRecorder:
    """Takes what a `Listener` tells; usable as a context manager, which finishes all files.

    Args:
        out: a file, or a folder for a file per run.
        only: the run; None: all that are there or come.
        say: called with sentences for people; from any thread.

    Attributes:
        files: finished and unfinished ones, in the order in which their runs were heard of.
        turns: that were recorded.

    Raises:
        InputError: nothing can be written there.
    """

    def __init__(self, out: Path, *, only: str | None, say: Callable[[str], None], is_folder: bool = False) -> None:
        self._out = out.expanduser()
        self._is_folder = is_folder or self._out.is_dir()
        self._only = only
        self._say = say
        self._runs: dict[str, _Run] = {}
        self.files: list[Path] = []
        self.turns = 0
        if self._is_folder:
            try:
                self._out.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError("--out", "", str(out), f"a folder that can be written ({error.strerror})") from None
        check_target(self._out / f"x{SUFFIX}" if self._is_folder else self._out, "--out")

    def take(self, event: Event) -> None:
        """Take an event; what is said of no run is not of interest here."""
        if isinstance(event, Heard):
            self._hear(self._runs.setdefault(event.run, _Run()), event.message)
        elif isinstance(event, Missed) and event.run in self._runs:
            words = f"{event.batches} batches of {event.kind} were lost on the way to this recording"
            self._put(self._runs[event.run], Notice("warning", words))

    def _hear(self, run: _Run, message: _Recorded | Status | ScenarioTables) -> None:
        match message:
            case Status():
                run.status = message
                is_over = message.reason in ("ended", "replaced")
                run.ended_at = time.monotonic() if is_over else None
            case ScenarioTables():
                run.scenario = message
            case Hello():
                run.hello = run.hello or message
            case _:
                if run.ended_at is not None:  # it is over, and the last of it still comes
                    run.ended_at = time.monotonic()
                self._put(run, message)
        if run.recorder is None and (run.is_known or (run.hello is not None and len(run.waiting) >= MOST_WAITING)):
            self._begin(run)

    def _put(self, run: _Run, message: _Recorded) -> None:
        self.turns += isinstance(message, TurnEnd)
        if run.recorder is not None:
            _record(run.recorder, message)
        elif len(run.waiting) < MOST_WAITING:
            run.waiting.append(message)

    def _begin(self, run: _Run) -> None:
        assert run.hello is not None  # whoever calls has looked
        if run.status is not None and not run.status.online and run.hello.run != self._only:
            self.turns -= sum(isinstance(message, TurnEnd) for message in run.waiting)
            run.waiting.clear()
            return  # over before we came
        path = self._path(run.hello)
        tables, origin = _beginning(run.scenario)
        run.recorder = Recorder(path, run.hello, tables=tables, origin=origin, on_error=self._say)
        self.files.append(run.recorder.path)
        self._say(f"recording {run.hello.scenario}, run {run.hello.run}: {run.recorder.path}")
        for message in run.waiting:
            _record(run.recorder, message)
        run.waiting.clear()

    def _path(self, hello: Hello) -> Path:
        if not self._is_folder:
            return path_of_run(self._out, len(self.files) + 1)
        stem = re.sub(r"[^\w.-]+", "-", hello.scenario)[:40].strip("-.") or "run"
        path, number = self._out / f"{stem}-{hello.run}{SUFFIX}", 2
        while path.exists():  # of the same run, by a recorder that was here before
            path = self._out / f"{stem}-{hello.run}-{number}{SUFFIX}"
            number += 1
        return path

    def finish_ended(self) -> None:
        """Finish the files of runs that are over; to be called now and then."""
        for run in self._runs.values():
            is_over = run.ended_at is not None and time.monotonic() - run.ended_at > LINGER_S
            if is_over and run.recorder is not None:
                run.recorder.close()

    def close(self) -> None:
        """Finish all files."""
        for run in self._runs.values():
            if run.recorder is not None:
                run.recorder.close()

    def __enter__(self) -> FleetRecorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _record(recorder: Recorder, message: _Recorded) -> None:
    if isinstance(message, KnobTurned):
        recorder.put(SetKnob(message.lane, message.key, message.value), message.at_ps)
    else:
        recorder.put(message)


def _beginning(scenario: ScenarioTables | None) -> tuple[dict[str, Any] | None, Origin]:
    """What a file says of its scenario: nothing that its engine has not said, or that no plan could ask for."""
    if scenario is None:
        return None, Origin()
    try:
        reserve = msgspec.convert(scenario.reserve, Reserve, strict=False)
    except msgspec.ValidationError:
        reserve = Reserve()
    return scenario.tables, Origin(scenario.folder, reserve)
