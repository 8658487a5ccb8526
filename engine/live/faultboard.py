"""Which faults strike the lanes of a live run, and when the core has to be told of their beginnings and ends.

The core gets a change when it is due and not before: what was foreseen for a fault may change until then, as when it
is mended early or another one of its kind begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from subsecond.engine.core.config import Fault
from subsecond.engine.errors import InputError
from subsecond.engine.faults import Spell, changes
from subsecond.engine.feed import FaultNote

__all__ = ["FaultBoard"]


class FaultBoard:
    """The faults of all lanes; lanes are known by number.

    Args:
        scheduled: the scenario's, by name of the lane, in the order of the lanes.
    """

    def __init__(self, scheduled: Mapping[str, Sequence[Spell]]) -> None:
        self._names = list(scheduled)
        self._spells = [list(spells) for spells in scheduled.values()]
        self._changes = [changes(spells) for spells in self._spells]
        self._given = [0] * len(self._spells)
        notes = [spell.note(lane) for lane, spells in enumerate(self._spells) for spell in spells]
        self._untold = sorted(notes, key=lambda note: note.at_ps)

    def next_ps(self) -> int | None:
        """When the next change is due that the core has not been given."""
        waiting = zip(self._changes, self._given, strict=True)
        return min((found[given].at_ps for found, given in waiting if given < len(found)), default=None)

    def take_due(self, lane: int, until_ps: int) -> list[Fault]:
        """Changes of a lane up to a time, in order, each of them once."""
        begin = end = self._given[lane]
        while end < len(self._changes[lane]) and self._changes[lane][end].at_ps <= until_ps:
            end += 1
        self._given[lane] = end
        return self._changes[lane][begin:end]

    def take_begun(self, until_ps: int) -> list[FaultNote]:
        """The scenario's faults that have begun up to a time, each of them once."""
        count = sum(note.at_ps <= until_ps for note in self._untold)
        begun, self._untold = self._untold[:count], self._untold[count:]
        return begun

    def words(self, lane: int, at_ps: int) -> tuple[str, ...]:
        """Kinds and targets of the faults in effect."""
        return tuple(dict.fromkeys(f"{s.name} {s.part}" for s in self._spells[lane] if s.is_in_effect(at_ps)))

    def add(self, lane: int, spell: Spell) -> FaultNote:
        """Another fault, which begins when the core has yet to come there."""
        self._set(lane, [*self._spells[lane], spell])
        return spell.note(lane)

    def mend(self, kind: str, part: int, lane_name: str | None, at_ps: int) -> list[FaultNote]:
        """Let faults in effect end, at a time where the core has yet to come.

        Args:
            lane_name: None: on every lane.

        Returns:
            Each of them with its new end.

        Raises:
            InputError: there is no such lane, or nothing of the sort is in effect there.
        """
        if lane_name is not None and lane_name not in self._names:
            raise InputError("mend", "lane", lane_name, "one of " + ", ".join(self._names))
        ended = []
        for lane, name in enumerate(self._names):
            if lane_name not in (None, name):
                continue
            own = self._spells[lane]
            struck = [i for i, s in enumerate(own) if (s.name, s.part) == (kind, part) and s.is_in_effect(at_ps)]
            mended = {i: replace(own[i], end_ps=at_ps) for i in struck}
            ended += [spell.note(lane) for spell in mended.values()]
            if mended:
                self._set(lane, [mended.get(i, spell) for i, spell in enumerate(own)])
        if not ended:
            raise InputError("mend", "fault", f"{kind} {part}", self._expected(at_ps))
        return ended

    def _expected(self, at_ps: int) -> str:
        found = [f"{words} on {name}" for i, name in enumerate(self._names) for words in self.words(i, at_ps)]
        return "a fault in effect: " + ", ".join(found) if found else "a fault in effect, and there is none"

    def _set(self, lane: int, spells: list[Spell]) -> None:
        """Other spells; they agree with the former ones on all that the core has been given."""
        self._spells[lane] = spells
        self._changes[lane] = changes(spells)
