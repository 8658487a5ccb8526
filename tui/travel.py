"""Where in time and files the dashboard looks: the run it was opened for, the past of that run, another recording."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol

from subsecond.tui.farewell import recording_of
from subsecond.tui.replay import ReplaySource
from subsecond.tui.source import Source
from subsecond.tui.watch import Tell, Watch

__all__ = ["Travel"]


class Work(Protocol):
    """A task that was begun."""

    def cancel(self) -> None:
        """End it."""


class Travel:
    """One watch at home, which goes on whatever is shown, and at most one away.

    Args:
        source: what is watched at home.
        tell: called with what the user should read.
        begin: starts a task.
    """

    def __init__(self, source: Source, tell: Tell, begin: Callable[[Coroutine[Any, Any, None]], Work]) -> None:
        self._tell = tell
        self._begin = begin
        self.home = Watch(source, tell)
        self.away: Watch | None = None
        self._task: Work | None = None
        self._departures = 0

    def start(self) -> None:
        """Begin to watch."""
        self._begin(self.home.listen())

    @property
    def shown(self) -> Watch:
        """What is looked at."""
        return self.away or self.home

    @property
    def arrival(self) -> tuple[int, int]:
        """Another value after every jump in time or to another run, once its picture is known."""
        return self._departures, self.shown.jump

    @property
    def replay(self) -> ReplaySource | None:
        """The recording that is shown; None: a live run is."""
        source = self.shown.source
        return source if isinstance(source, ReplaySource) else None

    @property
    def is_past(self) -> bool:
        """Whether the past of the run at home is shown."""
        away, home = self.away, self.home.model
        return (
            away is not None
            and home is not None
            and isinstance(away.source, ReplaySource)
            and away.source.run == home.hello.run
        )

    @property
    def is_home_run(self) -> bool:
        """Whether a live run is shown, as it is or as it was: what somebody says of it can be written down."""
        return not isinstance(self.home.source, ReplaySource) and (self.away is None or self.is_past)

    @property
    def recording(self) -> Path | None:
        """The recording of what is shown; None: there is none on this machine."""
        if self.replay is not None:
            return self.replay.path
        path = self.home_recording
        return path if path is not None and path.is_file() else None

    @property
    def home_recording(self) -> Path | None:
        """Where the recording of the run at home is, as its source says; None: it does not."""
        if isinstance(self.home.source, ReplaySource):
            return self.home.source.path
        model = self.home.model
        return None if model is None else recording_of(model.hello, model.notices)

    @property
    def end_ps(self) -> int:
        """How far the run that is shown has come.

        Raises:
            InputError: its recording is damaged.
        """
        model = self.home.model
        if (self.away is None or self.is_past) and not isinstance(self.home.source, ReplaySource):
            return 0 if model is None else model.at_ps
        return self.replay.duration_ps if self.replay is not None else 0

    @property
    def at_ps(self) -> int:
        """The instant that is shown, or on the way.

        Raises:
            InputError: its recording is damaged.
        """
        return self.replay.at_ps if self.replay is not None else self.end_ps

    def go(self, at_ps: int) -> None:
        """Show an instant of the run that is shown; one at its present end or later leads back to a live run.

        Raises:
            InputError: its recording cannot be read.
        """
        is_live = not isinstance(self.home.source, ReplaySource)
        if is_live and (self.away is None or self.is_past) and at_ps >= self.end_ps:
            self.back()
        elif self.replay is not None:
            self.replay.seek(at_ps)
        elif self.recording is not None:
            self.open(self.recording, at_ps=at_ps)

    def open(self, path: Path, *, at_ps: int | None = None) -> None:
        """Show a recording, standing still at an instant (None: its end); what is watched at home goes on.

        Raises:
            InputError: it cannot be read.
        """
        source = ReplaySource(path, at_ps=at_ps, paused=True)
        self._leave()
        self.away = Watch(source, self._tell)
        self._task = self._begin(self.away.listen())

    def back(self) -> bool:
        """Show what is watched at home again; False: nothing else was shown."""
        if self.away is None:
            return False
        self._leave()
        self.home.has_news = True
        return True

    def _leave(self) -> None:
        self._departures += 1
        away, self.away = self.away, None
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if away is not None and isinstance(away.source, ReplaySource):
            away.source.close()

    def close(self) -> None:
        """Let go of files."""
        self._leave()
