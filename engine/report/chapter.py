"""What a report says about one recording, gathered from the file."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.budgets import Budget
from subsecond.engine.commands import SetKnob
from subsecond.engine.comparison.compare import Comparison, compare
from subsecond.engine.comparison.measures import Measures, measures_of
from subsecond.engine.comparison.pairing import pairs_of
from subsecond.engine.comparison.sides import Side, budgets_in, read_sides
from subsecond.engine.feed import Annotation, FaultNote, Hello, OutsideAgent
from subsecond.engine.recording.contents import Metadata
from subsecond.engine.recording.reader import Recording
from subsecond.engine.turns import TurnState

__all__ = ["Chapter", "Series", "Worst", "chapter_of", "series_of", "worst_of"]

Int64 = NDArray[np.int64]
PS_PER_S = 10**12

#: Points of a line over time, and turns that a point has on the average if there are enough points, and at least if it
#: has a 95th percentile.
POINTS, USUAL_TURNS, LEAST_TURNS = (12, 120), 12, 5
#: Shortest time that a point stands for, in ps.
LEAST_PS = PS_PER_S
#: Turns that are taken apart, by lane and agent kind.
WORST = 3


@dataclass(frozen=True, slots=True)
class Chapter:
    """One recording.

    Attributes:
        name: what it is called.
        end_ps: of the recording.
        since_ps, until_ps: only turns that began from then on, and until then, are meant; None: all.
        measures: by agent kind and lane.
        agents: from outside, as they were in the end.
    """

    name: str
    hello: Hello
    metadata: Metadata
    end_ps: int
    budgets: tuple[Budget, ...]
    sides: tuple[Side, ...]
    measures: dict[tuple[str, str], Measures]
    comparisons: tuple[Comparison, ...]
    faults: tuple[FaultNote, ...]
    knobs: tuple[tuple[int, SetKnob], ...]
    annotations: tuple[Annotation, ...]
    agents: tuple[OutsideAgent, ...]
    since_ps: int | None = None
    until_ps: int | None = None

    @property
    def window_ps(self) -> tuple[int, int]:
        """From when to when it is about the recording; never empty."""
        begin = min(self.since_ps or 0, max(self.end_ps - 1, 0))
        end = self.end_ps if self.until_ps is None else min(self.until_ps, self.end_ps)
        return begin, max(end, begin + 1)

    @property
    def kinds(self) -> list[str]:
        """Agent kinds that have turns."""
        return [kind for kind in self.hello.agents if any(len(side.of_kind(kind)) for side in self.sides)]


def chapter_of(path: Path, name: str, *, since_ps: int | None = None, until_ps: int | None = None) -> Chapter:
    """Gather what a report says about a recording, or about turns that began in a part of it.

    Raises:
        InputError: it cannot be read.
    """
    with Recording.open(path) as recording:
        hello, metadata = recording.hello(), recording.metadata()
        if since_ps is None and metadata.warm_up_ps:
            since_ps = metadata.warm_up_ps
        sides = read_sides(recording, name, since_ps=since_ps, until_ps=until_ps)
        faults, knobs, annotations = recording.faults(), recording.knobs(), recording.annotations()
        agents = recording.outside_agents()
        end_ps = metadata.end_ps or recording.duration_ps
    budgets = budgets_in(hello)
    measures = {
        (kind, side.lane): measures_of(side.of_kind(kind), [b for b in budgets if b.agents == kind])
        for kind in hello.agents
        for side in sides
    }
    pairs = pairs_of([sides]) if len(sides) > 1 else []
    return Chapter(
        name=name,
        hello=hello,
        metadata=metadata,
        end_ps=end_ps,
        budgets=budgets,
        sides=tuple(sides),
        measures=measures,
        comparisons=tuple(compare(a, b, budgets) for a, b in pairs),
        faults=tuple(faults),
        knobs=tuple(knobs),
        annotations=tuple(annotations),
        agents=tuple(agents),
        since_ps=since_ps,
        until_ps=until_ps,
    )


@dataclass(frozen=True, slots=True)
class Series:
    """Latency over time, [points]; None where there are too few turns.

    Attributes:
        at_s: middle of the time that a point stands for, by the beginning of turns.
    """

    at_s: list[float]
    p50_ms: list[float | None]
    p95_ms: list[float | None]


def series_of(side: Side, end_ps: int, begin_ps: int = 0) -> Series:
    """Latency of the answered turns of a side over time, all of which began between two instants."""
    answered = side.answered
    count = min(max(int(answered.sum()) // USUAL_TURNS, POINTS[0]), POINTS[1])
    width = max(LEAST_PS, -((begin_ps - end_ps) // count))
    point, latency = (side.start_ps[answered] - begin_ps) // width, side.latency_ps[answered]
    order = np.lexsort((latency, point))
    point, latency = point[order], latency[order]
    points = np.arange(-((begin_ps - end_ps) // width))
    begin, end = (np.searchsorted(point, points, side=at) for at in ("left", "right"))
    return Series(
        at_s=((begin_ps + (points + 0.5) * width) / PS_PER_S).tolist(),
        p50_ms=_ranked(latency, begin, end, 0.50, 1),
        p95_ms=_ranked(latency, begin, end, 0.95, LEAST_TURNS),
    )


def _ranked(latency: Int64, begin: Int64, end: Int64, quantile: float, least: int) -> list[float | None]:
    count = end - begin
    place = begin + np.maximum(np.ceil(quantile * count).astype(np.int64) - 1, 0)
    values = latency[np.minimum(place, max(len(latency) - 1, 0))] / 1e9 if len(latency) else np.zeros(len(begin))
    return [float(v) if n >= least else None for v, n in zip(values, count.tolist(), strict=True)]


@dataclass(frozen=True, slots=True)
class Worst:
    """A turn that took long, or failed; `stages_ps` in the order of the run's stages."""

    lane: str
    kind: str
    session: int
    index: int
    is_failed: bool
    start_ps: int
    latency_ps: int
    stages_ps: dict[str, int]


def worst_of(side: Side, kind: str, stages: Sequence[str]) -> list[Worst]:
    """The longest turns of an agent kind on a lane."""
    own = side.of_kind(kind)
    ended = np.flatnonzero((own.state == TurnState.ANSWERED) | (own.state == TurnState.FAILED))
    longest = heapq.nlargest(WORST, ended.tolist(), key=lambda place: int(own.latency_ps[place]))
    return [
        Worst(
            side.lane,
            kind,
            int(own.session[i]),
            int(own.index[i]),
            bool(own.state[i] == TurnState.FAILED),
            int(own.start_ps[i]),
            int(own.latency_ps[i]),
            {name: int(own.stages_ps[name][i]) for name in stages if name in own.stages_ps and own.stages_ps[name][i]},
        )
        for i in longest
    ]
