"""Which event's effect is shown: the latest by itself for a while, or the one that somebody has chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from subsecond.tui.events import Event

__all__ = ["Overlay"]

PS_PER_S = 10**12
#: Virtual time for which the latest event is shown by itself once nothing new comes of it, that is, once it is mended
#: (or a parameter was turned).
SHOWN_PS: Final = 300 * PS_PER_S


class Overlay:
    """The choice; it is of one run, and `look` begins anew with another.

    Attributes:
        is_first: what is compared with is what was before the first event that is remembered.
    """

    def __init__(self) -> None:
        self.is_first = False
        self._run = ""
        self._latest: int | None = None
        self._chosen: int | None = None
        self._is_hidden = False

    def look(self, run: str, events: Sequence[Event], at_ps: int) -> int | None:
        """The number of the event to show; None: none is.

        Args:
            events: those that are remembered, the latest last.
        """
        latest = events[-1].number if events else None
        if run != self._run or (latest is not None and (self._latest is None or latest > self._latest)):
            self._chosen, self._is_hidden = None, False  # something new is what one wants to see
            self._latest = latest
        self._run = run
        if not events or self._is_hidden:
            return None
        if any(event.number == self._chosen for event in events):
            return self._chosen
        return latest if at_ps < _quiet_ps(events[-1], at_ps) + SHOWN_PS else None

    def turn(self, events: Sequence[Event], shown: int | None) -> None:
        """Show the event before the one that is shown; none after the earliest, and then the latest again."""
        numbers = [event.number for event in events]
        earlier = [number for number in numbers if shown is not None and number < shown]
        self._is_hidden = shown is not None and not earlier
        self._chosen = numbers[-1] if shown is None else earlier[-1] if earlier else None


def _quiet_ps(event: Event, at_ps: int) -> int:
    """When the last thing happened of an event."""
    if not event.faults:
        return event.at_ps
    return max(event.last_ps, at_ps if event.until_ps is None else min(event.until_ps, at_ps))
