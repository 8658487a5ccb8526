"""Keeps what the timeline shows of the recording that is looked at: read in a thread, and again while it grows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from subsecond.engine.errors import InputError
from subsecond.engine.recording.overview import Overview, overview
from subsecond.engine.recording.reader import Recording
from subsecond.tui.travel import Travel
from subsecond.tui.widgets.timeline import TimelineData

__all__ = ["Glance"]

#: Seconds between two looks at a recording that is being written.
AGAIN_S: Final = 2.0


class Glance:
    """The data of the timeline.

    Args:
        is_wanted: whether somebody would show it.
        changed: called when there is something else to show.

    Attributes:
        data: None: there is no recording, or it has not been read.
    """

    def __init__(self, travel: Travel, is_wanted: Callable[[], bool], changed: Callable[[], None]) -> None:
        self._travel = travel
        self._is_wanted = is_wanted
        self._changed = changed
        self.data: TimelineData | None = None
        self._known: tuple[Path, Overview] | None = None
        self._wake = asyncio.Event()

    def look(self) -> None:
        """Look at once: something else is shown, or the room for it has changed."""
        self._wake.set()

    async def keep(self) -> None:
        """Look again and again, for ever."""
        while True:
            self._wake.clear()
            await self._look()
            try:
                async with asyncio.timeout(AGAIN_S):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _look(self) -> None:
        path = self._travel.recording if self._is_wanted() else None
        if path is None:
            self._set(None)
            return
        before = self._known[1] if self._known is not None and self._known[0] == path else None
        if before is None:
            self._set(None)  # what is there belongs to something else
        if before is not None and before.is_finished and self.data is not None:
            return
        try:
            found = await asyncio.to_thread(_read, path, before)
        except InputError:  # gone, or damaged: whoever shows it says so
            self._known = None
            self._set(None)
            return
        if path == self._travel.recording:  # something else may be shown meanwhile
            self._known = path, found
            faults = [fault.at_ps for fault in found.faults]
            notes = [note.at_ps for note in found.annotations]
            self._set(TimelineData(found.end_ps, found.late, faults, [at for at, _ in found.knobs], notes))

    def _set(self, data: TimelineData | None) -> None:
        if data is not self.data:
            self.data = data
            self._changed()


def _read(path: Path, before: Overview | None) -> Overview:
    with Recording.open(path) as recording:
        return overview(recording, before)
