"""A recording at a glance, for a bar that shows the whole run: turns and late turns by the second, faults, knobs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.commands import SetKnob
from subsecond.engine.feed import Annotation, FaultNote

from .reader import Recording

__all__ = ["Overview", "overview"]

Int64 = NDArray[np.int64]
PS_PER_S = 10**12
#: Seconds that a run may last; turns that end later count to the last of them.
_MOST_S = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Overview:
    """What a recording holds so far.

    Attributes:
        end_ps: time of the last thing that happened.
        turns, late: turns that ended in each second, on all lanes, and those of them that failed or missed a budget;
            [seconds].
        knobs: parameters that were changed, with the time in ps.
        annotations: what was written down about an instant.
        seq: number of the last turn that is counted.
        is_finished: whether nothing can come any more.
    """

    end_ps: int
    turns: Int64
    late: Int64
    faults: tuple[FaultNote, ...]
    knobs: tuple[tuple[int, SetKnob], ...]
    annotations: tuple[Annotation, ...]
    seq: int
    is_finished: bool


def overview(recording: Recording, before: Overview | None = None) -> Overview:
    """The overview of a recording.

    Args:
        before: an earlier one of the same recording: only turns that were written since are read.

    Raises:
        InputError: the recording turns out to be damaged.
    """
    seq = before.seq if before is not None else 0
    is_finished = recording.metadata().is_finished  # before the turns: what comes between is seen the next time
    counts, seq = recording.turns_by_second(seq)
    turns = np.zeros(_size(recording.duration_ps, counts), np.int64)
    late = turns.copy()
    if before is not None:
        turns[: len(before.turns)] = before.turns
        late[: len(before.late)] = before.late
    second = np.minimum(counts[:, 0], len(turns) - 1)
    np.add.at(turns, second, counts[:, 1])
    np.add.at(late, second, counts[:, 2])
    return Overview(
        end_ps=recording.duration_ps,
        turns=turns,
        late=late,
        faults=tuple(recording.faults()),
        knobs=tuple(recording.knobs()),
        annotations=tuple(recording.annotations()),
        seq=seq,
        is_finished=is_finished,
    )


def _size(duration_ps: int, counts: Int64) -> int:
    last = int(counts[:, 0].max()) if len(counts) else 0
    return min(max(duration_ps // PS_PER_S, last) + 1, _MOST_S)
