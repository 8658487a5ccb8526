"""Which faults strike the lanes of a live run, and when the core has to be told of their beginnings and ends.

The core gets a change when it is due and not before: what was foreseen for a fault may change until then, as when it
is mended early or another one of its kind begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from subsecond.engine.core.config import MAX_PS, Fault, FaultKind
from subsecond.engine.errors import InputError
from subsecond.engine.faults import Spell, changes
from subsecond.engine.feed import FaultNote, Scheduled
from subsecond.engine.scenario import FaultTable

__all__ = ["FaultBoard", "at_zero", "later"]

PS_PER_S = 10**12


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
        """Faults of the scenario and of drills that have begun up to a time, each of them once."""
        count = sum(note.at_ps <= until_ps for note in self._untold)
        begun, self._untold = self._untold[:count], self._untold[count:]
        return begun

    def words(self, lane: int, at_ps: int) -> tuple[str, ...]:
        """Kinds and targets of the faults in effect."""
        return tuple(dict.fromkeys(f"{s.name} {s.part}" for s in self._spells[lane] if s.is_in_effect(at_ps)))

    def scheduled(self, lane: int, at_ps: int) -> tuple[Scheduled, ...]:
        """Faults of drills that are to come, by time."""
        coming = sorted((s for s in self._spells[lane] if s.drill and s.begin_ps > at_ps), key=lambda s: s.begin_ps)
        return tuple(Scheduled(s.begin_ps, s.name, s.part, s.shown, s.end_ps, s.drill) for s in coming)

    def add(self, lane: int, spells: Sequence[Spell], at_ps: int) -> list[FaultNote]:
        """More faults, none of which begins before a time where the core has yet to come.

        Returns:
            Those that begin then; the others are told when they begin.
        """
        self._set(lane, [*self._spells[lane], *spells])
        notes = [spell.note(lane) for spell in spells]
        later = [note for note in notes if note.at_ps > at_ps]
        self._untold = sorted([*self._untold, *later], key=lambda note: note.at_ps)
        return [note for note in notes if note.at_ps <= at_ps]

    def is_held(self, drill: str, at_ps: int) -> bool:
        """Whether a drill has a fault in effect at a time, or to come."""
        return any(
            spell.end_ps is None or spell.end_ps > at_ps
            for spells in self._spells
            for spell in spells
            if spell.drill == drill
        )

    def end_drill(self, drill: str, at_ps: int) -> list[FaultNote]:
        """Let a drill end at a time where the core has yet to come: what is to come of it does not come.

        Returns:
            Its faults that were in effect, with their new ends.

        Raises:
            InputError: nothing of it is in effect or to come.
        """
        if not self.is_held(drill, at_ps):
            held = dict.fromkeys(s.drill for spells in self._spells for s in spells if self.is_held(s.drill, at_ps))
            names = ", ".join(name for name in held if name)
            expected = f"a drill under way: {names}" if names else "a drill under way, and there is none"
            raise InputError("end-drill", "name", drill, expected)
        return [
            note
            for lane in range(len(self._names))
            for note in self._end(lane, at_ps, lambda spell: spell.drill == drill, has_coming=True)
        ]

    def mend(self, kind: str, part: int, lane_name: str | None, at_ps: int) -> list[FaultNote]:
        """Let faults in effect end, at a time where the core has yet to come.

        Args:
            lane_name: None: on every lane.

        Where none is in effect on any of the lanes, the next one that a drill has to come does not come.

        Returns:
            Each of them with its new end; empty: one was called off.

        Raises:
            InputError: there is no such lane, or nothing of the sort is in effect there, or to come of a drill.
        """
        if lane_name is not None and lane_name not in self._names:
            raise InputError("mend", "lane", lane_name, "one of " + ", ".join(self._names))
        lanes = [lane for lane, name in enumerate(self._names) if lane_name in (None, name)]

        def fits(spell: Spell) -> bool:
            return (spell.name, spell.part) == (kind, part)

        ended = [note for lane in lanes for note in self._end(lane, at_ps, fits)]
        coming = [s for lane in lanes for s in self._spells[lane] if s.drill and fits(s) and s.begin_ps > at_ps]
        if not ended and not coming:
            raise InputError("mend", "fault", f"{kind} {part}", self._expected(at_ps))
        if not ended:
            next_ps = min(spell.begin_ps for spell in coming)
            for lane in lanes:
                self._drop(lane, [s for s in coming if s.begin_ps == next_ps])
        return ended

    def _end(
        self, lane: int, at_ps: int, fits: Callable[[Spell], bool], *, has_coming: bool = False
    ) -> list[FaultNote]:
        """Let what fits and is in effect end; `has_coming`: what fits and is to come of a drill does not come."""
        own = self._spells[lane]
        mended = {i: replace(s, end_ps=at_ps) for i, s in enumerate(own) if fits(s) and s.is_in_effect(at_ps)}
        if mended:
            self._set(lane, [mended.get(i, spell) for i, spell in enumerate(own)])
        notes = [spell.note(lane) for spell in mended.values()]
        told = {(note.at_ps, note.lane, note.kind, note.target) for note in notes}  # with their new ends
        self._untold = [n for n in self._untold if (n.at_ps, n.lane, n.kind, n.target) not in told]
        if has_coming:
            self._drop(lane, [spell for spell in own if spell.drill and fits(spell) and spell.begin_ps > at_ps])
        return notes

    def _drop(self, lane: int, spells: Sequence[Spell]) -> None:
        """Let faults not come."""
        if any(spell in spells for spell in self._spells[lane]):
            self._set(lane, [spell for spell in self._spells[lane] if spell not in spells])
            gone = [spell.note(lane) for spell in spells]
            self._untold = [note for note in self._untold if note not in gone]

    def _expected(self, at_ps: int) -> str:
        found = [f"{words} on {name}" for i, name in enumerate(self._names) for words in self.words(i, at_ps)]
        return "a fault in effect: " + ", ".join(found) if found else "a fault in effect, and there is none"

    def _set(self, lane: int, spells: list[Spell]) -> None:
        """Other spells; they agree with the former ones on all that the core has been given."""
        self._spells[lane] = spells
        self._changes[lane] = changes(spells)


def at_zero(table: FaultTable) -> FaultTable:
    """The same fault at time 0."""
    return FaultTable(table.kind, 0.0, table.duration_s, table.pipeline, table.target, table.value)


def later(spell: Spell, by_ps: int) -> Spell:
    """The same fault at a later time; the value of a stall is its end.

    Raises:
        InputError: it would end beyond all times that the core can reckon with.
    """
    end = None if spell.end_ps is None else spell.end_ps + by_ps
    if end is not None and end > MAX_PS:
        raise InputError("fault", "duration_s", (end - by_ps) / PS_PER_S, "a shorter one, or none")
    value = spell.value + by_ps if spell.kind is FaultKind.STALL_UNTIL else spell.value
    return replace(spell, begin_ps=spell.begin_ps + by_ps, end_ps=end, value=value)
