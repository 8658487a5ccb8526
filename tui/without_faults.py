"""What the faults of a recording did: its sessions as they were, beside the same ones run again without a fault."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from subsecond.engine.budgets import Budget
from subsecond.engine.drills.impact import Impact
from subsecond.engine.drills.windows import Recovery
from subsecond.engine.feed import FaultNote

__all__ = ["LaneImpact", "WithoutFaults", "without_faults"]


@dataclass(frozen=True, slots=True, eq=False)
class LaneImpact:
    """One agent kind on one lane; `budget`: what its turns are held against, None: it has none."""

    lane: str
    kind: str
    budget: Budget | None
    impact: Impact
    recovery: Recovery


@dataclass(frozen=True, slots=True, eq=False)
class WithoutFaults:
    """What came of it.

    Attributes:
        faults: of the recording, by lane, of those lanes that have one.
        impacts: of these lanes.
        remarks: what could not be carried over.
    """

    faults: dict[str, tuple[FaultNote, ...]]
    impacts: tuple[LaneImpact, ...]
    remarks: tuple[str, ...]


def without_faults(path: Path) -> WithoutFaults:
    """Run a recording's sessions again without its faults, and hold its turns against what comes of it; takes a while.

    Raises:
        InputError: there is no fault, or the recording cannot run again.
    """
    from subsecond.agents.rerun import Changes, rerun  # what runs and draws sessions, which looking at a run needs not
    from subsecond.engine.comparison.sides import budgets_in, read_sides, sides_of
    from subsecond.engine.drills.course import course_of_side
    from subsecond.engine.drills.impact import impact_of
    from subsecond.engine.drills.windows import recovery_of, spans_of, window_for
    from subsecond.engine.errors import InputError
    from subsecond.engine.recording.reader import Recording

    with Recording.open(path) as recording:
        hello, from_ps = recording.hello(), recording.metadata().warm_up_ps
        faults = {
            lane.name: own
            for place, lane in enumerate(hello.lanes)
            if (own := tuple(note for note in recording.faults() if note.lane == place))
        }
        if not faults:
            raise InputError(str(path), "", "no fault", "a recording in which something broke")
        again = rerun(recording, Changes(pipelines=tuple(faults), has_faults=False))
        with_fault = read_sides(recording, "was", tuple(faults), since_ps=0)
        budgets = budgets_in(hello)
    without = sides_of(again.tables, again.hello, "would be", again.end_ps, 0, None)
    main = {budget.agents: budget for budget in reversed(budgets)}
    found = []
    for was, would in zip(with_fault, without, strict=True):
        notes = faults[was.lane]
        begins, ends = [note.at_ps for note in notes], [note.until_ps for note in notes]
        end_ps = None if None in ends else max(end for end in ends if end is not None)
        courses = [course_of_side(side, from_ps, again.end_ps) for side in (would, was)]
        for kind in hello.agents:
            chosen = [main[kind]] if kind in main else []
            spans = spans_of([courses[1]], kind, chosen, [courses[0]])
            if len(spans.start_ps):
                impact = impact_of(courses[0], courses[1], kind, chosen, min(begins), end_ps)
                recovery = recovery_of(spans, min(begins), max(begins), window_for(spans))
                found.append(LaneImpact(was.lane, kind, main.get(kind), impact, recovery))
    return WithoutFaults(faults, tuple(found), again.remarks)
