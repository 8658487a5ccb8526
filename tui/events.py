"""What has happened to a run that may have changed how it goes: faults, drills, parameters that were turned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from subsecond.engine.feed import FaultNote

__all__ = ["KEEP_EVENTS", "Event", "Events", "Turned"]

#: Events that are remembered.
KEEP_EVENTS = 8


@dataclass(frozen=True, slots=True)
class Turned:
    """A parameter that was changed while the run went on: the place of its lane, its key, its value in words."""

    lane: int
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        number: which one of the run it is, from 0.
        at_ps: when it began.
        faults: of a fault or a drill; those that begin at one time count as one event.
        drill: name of the drill; empty: it is none.
        turned: the parameter; None: it is a fault.
        is_restart: the run began anew with it.
    """

    number: int
    at_ps: int
    faults: tuple[FaultNote, ...] = ()
    drill: str = ""
    turned: Turned | None = None
    is_restart: bool = False

    @property
    def lanes(self) -> frozenset[int]:
        """Places of the lanes that it is about."""
        return frozenset([fault.lane for fault in self.faults] if self.turned is None else [self.turned.lane])

    def begin_ps(self, lane: int) -> int | None:
        """When it began on a lane; None: it leaves that alone."""
        if self.turned is not None:
            return self.at_ps if self.turned.lane == lane else None
        return min((fault.at_ps for fault in self.faults if fault.lane == lane), default=None)

    @property
    def last_ps(self) -> int:
        """When the last of its faults began."""
        return max((fault.at_ps for fault in self.faults), default=self.at_ps)

    @property
    def until_ps(self) -> int | None:
        """When everything is as it was; None: never, as with a parameter."""
        ends = [fault.until_ps for fault in self.faults]
        return None if not ends or None in ends else max(end for end in ends if end is not None)


class Events:
    """The last events, in the order of their beginnings."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._count = 0

    @property
    def all(self) -> tuple[Event, ...]:
        """Those that are remembered, the latest last."""
        return tuple(self._events)

    def next_ps(self, event: Event, lane: int) -> int | None:
        """When the next event after one strikes a lane; None: none has."""
        begins = [later.begin_ps(lane) for later in self._events if later.number != event.number]
        return min((at_ps for at_ps in begins if at_ps is not None and at_ps > event.at_ps), default=None)

    def add_fault(self, fault: FaultNote) -> Event | None:
        """Take a fault that has begun, or that is told again with another end; gives the event that begins with it."""
        for place, event in enumerate(self._events):
            if any(_key(known) == _key(fault) for known in event.faults):
                faults = tuple(fault if _key(known) == _key(fault) else known for known in event.faults)
                self._events[place] = replace(event, faults=faults)
                return None
        for place, event in reversed(list(enumerate(self._events))):
            if _belongs(event, fault):
                self._events[place] = replace(event, faults=(*event.faults, fault))
                return None
        return self._begin(Event(self._count, fault.at_ps, (fault,), fault.drill))

    def add_turned(self, at_ps: int, turned: Turned, *, is_restart: bool = False) -> Event:
        """Take a parameter that was turned."""
        return self._begin(Event(self._count, at_ps, turned=turned, is_restart=is_restart))

    def _begin(self, event: Event) -> Event:
        self._count += 1
        self._events = [*self._events, event][-KEEP_EVENTS:]
        return event


def _key(fault: FaultNote) -> tuple[int, int, str, int]:
    return fault.at_ps, fault.lane, fault.kind, fault.target


def _belongs(event: Event, fault: FaultNote) -> bool:
    """Whether a fault that was not known is part of an event: of one drill, or begun at one time with its faults."""
    if not event.faults or event.drill != fault.drill:
        return False
    if not fault.drill:
        return event.at_ps == fault.at_ps
    return not _strikes(event.faults, fault)  # a drill strikes a part once: again is another time that it is held


def _strikes(faults: Sequence[FaultNote], fault: FaultNote) -> bool:
    return any((f.lane, f.kind, f.target) == (fault.lane, fault.kind, fault.target) for f in faults)
