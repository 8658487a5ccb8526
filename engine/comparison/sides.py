"""A lane of a recording as columns of numbers: what is compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.budgets import Budget
from subsecond.engine.feed import Hello
from subsecond.engine.recording.reader import Recording
from subsecond.engine.recording.schema import FIXED_COLUMNS, stage_columns
from subsecond.engine.turns import TurnState

__all__ = ["Side", "budgets_in", "read_sides", "sides_of"]

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

#: Columns of `turns` that a comparison needs, besides its stages.
COLUMNS = (
    *("lane", "session", "turn_index", "agent", "state", "start_ps", "latency_ps", "ttft_ps", "tpot_ps"),
    *("requests", "prompt_tokens"),
)
#: The fields of a side that hold a value per turn.
_OWN = (
    *("session", "index", "agent", "state", "start_ps", "latency_ps", "ttft_ps", "tpot_ps"),
    *("requests", "prompt_tokens"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """Turns of one lane, [num_turns] each, in the order of session and place in it.

    Attributes:
        source: what they come from, such as the name of a recording's file.
        agents: names of the agent kinds; `agent` indexes them.
        span_ps: how long the run took, of which the turns come.
        stages_ps: by stage; stages in which no turn was are left out.
    """

    source: str
    lane: str
    agents: tuple[str, ...]
    span_ps: int
    session: Int64
    index: Int64
    agent: Int64
    state: Int64
    start_ps: Int64
    latency_ps: Int64
    ttft_ps: Int64
    tpot_ps: Int64
    requests: Int64
    prompt_tokens: Int64
    stages_ps: dict[str, Int64]

    def __len__(self) -> int:
        return len(self.session)

    @property
    def answered(self) -> Bool:
        """Per turn whether it was answered."""
        answered: Bool = self.state == TurnState.ANSWERED
        return answered

    def of_kind(self, kind: str) -> Side:
        """The turns of one agent kind."""
        if kind not in self.agents:
            return self._picked(np.zeros(len(self), np.bool_))
        pick = self.agent == self.agents.index(kind)
        return self if pick.all() else self._picked(pick)

    def _picked(self, pick: Bool) -> Side:
        columns = {name: getattr(self, name)[pick] for name in _OWN}
        return replace(self, **columns, stages_ps={name: column[pick] for name, column in self.stages_ps.items()})


def budgets_in(hello: Hello) -> tuple[Budget, ...]:
    """The budgets of a recorded run."""
    return tuple(
        Budget(b.name, b.agents, b.turn_ps, b.ttft_ps, b.tpot_ps, b.percentile, b.source) for b in hello.budgets
    )


def read_sides(
    recording: Recording,
    source: str,
    lanes: Sequence[str] | None = None,
    *,
    since_ps: int | None = None,
    until_ps: int | None = None,
) -> list[Side]:
    """Lanes of a recording.

    Args:
        source: what it is called.
        lanes: by name; None: all.
        since_ps, until_ps: only turns that began from then on, and until then; None: when it had warmed up, to its end.

    Raises:
        InputError: the recording is damaged.
    """
    hello = recording.hello()
    numbers = [number for number, lane in enumerate(hello.lanes) if lanes is None or lane.name in lanes]
    stages = dict(zip(hello.stages, stage_columns(hello), strict=True))
    used = recording.extremes(list(stages.values()))
    stages = {name: column for name, column in stages.items() if used[column] != (0, 0)}
    metadata = recording.metadata()
    begin = metadata.warm_up_ps if since_ps is None else since_ps
    end = (metadata.end_ps or recording.duration_ps) if until_ps is None else until_ps
    found = []
    for number in numbers:
        table = recording.numbers([*COLUMNS, *stages.values()], number, begin, None if until_ps is None else end)
        columns = dict(zip([*COLUMNS, *stages], table, strict=True))
        found.append(_side(source, hello.lanes[number].name, hello.agents, max(0, end - begin), columns))
    return found


def sides_of(
    tables: Sequence[Int64], hello: Hello, source: str, span_ps: int, since_ps: int | None, until_ps: int | None
) -> Iterator[Side]:
    """Lanes whose turns are at hand, in the columns of a recording's `turns` without `seq`."""
    names = [*FIXED_COLUMNS[1:], *hello.stages]
    begin, end = since_ps or 0, span_ps if until_ps is None else until_ps
    for lane, table in zip(hello.lanes, tables, strict=True):
        columns = dict(zip(names, table, strict=False))
        keep = (columns["start_ps"] >= begin) & (until_ps is None or columns["start_ps"] <= end)
        chosen = {name: columns[name][keep] for name in COLUMNS}
        chosen["ttft_ps"] = np.maximum(chosen["ttft_ps"], -1)
        chosen.update({name: columns[name][keep] for name in hello.stages})
        yield _side(source, lane.name, hello.agents, max(0, end - begin), chosen)


def _side(source: str, lane: str, agents: tuple[str, ...], span_ps: int, columns: dict[str, Int64]) -> Side:
    order = np.lexsort((columns["turn_index"], columns["session"]))
    ordered = {name: column[order] for name, column in columns.items()}
    return Side(
        source=source,
        lane=lane,
        agents=agents,
        span_ps=span_ps,
        session=ordered["session"],
        index=ordered["turn_index"],
        agent=ordered["agent"],
        state=ordered["state"],
        start_ps=ordered["start_ps"],
        latency_ps=ordered["latency_ps"],
        ttft_ps=ordered["ttft_ps"],
        tpot_ps=ordered["tpot_ps"],
        requests=ordered["requests"],
        prompt_tokens=ordered["prompt_tokens"],
        stages_ps={name: column for name, column in ordered.items() if name not in COLUMNS and column.any()},
    )
