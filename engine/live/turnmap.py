"""Which requests make up which turn, ready for looking up a few turns of a large workload at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.core.config import Workload
from subsecond.engine.workload.runs import offsets, ranks

__all__ = ["TurnMap", "turn_map"]

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class TurnMap:
    """Columns over the turns of a workload, [num_turns], and over its requests, [num_requests].

    Attributes:
        first, last: requests of each turn.
        session, index, kind: its session, which turn of that it is, and its agent kind.
        before_ps: time of the turn before its first request is sent.
        is_first, is_last: whether a request is the first or last one of its turn.
    """

    workload: Workload
    first: Int64
    last: Int64
    session: Int64
    index: Int64
    kind: Int64
    before_ps: Int64
    is_first: NDArray[np.bool_]
    is_last: NDArray[np.bool_]

    def requests(self, turns: Int64) -> Int64:
        """Requests of some turns, turn by turn."""
        lengths = self.last[turns] - self.first[turns] + 1
        return np.repeat(self.first[turns], lengths) + ranks(lengths)

    def part(self, turns: Int64) -> Workload:
        """A workload of these turns alone, each a session of its own, for measuring them."""
        whole, requests = self.workload, self.requests(turns)
        lengths = self.last[turns] - self.first[turns] + 1
        count = len(turns)
        nothing = np.zeros(count, np.int64)
        return Workload(
            kinds=whole.kinds,
            num_contexts=1,
            session_start_ps=nothing,
            session_first_request=offsets(lengths),
            session_parent_request=nothing - 1,
            session_context=nothing,
            session_group=nothing - 1,
            session_kind=self.kind[turns],
            prompt_tokens=whole.prompt_tokens[requests],
            reuse_tokens=whole.reuse_tokens[requests],
            output_tokens=whole.output_tokens[requests],
            milestone_tokens=whole.milestone_tokens[requests],
            gap_ps=whole.gap_ps[requests],
            hold_ps=whole.hold_ps[requests],
            is_barge_in=whole.is_barge_in[requests],
            turn=np.repeat(np.arange(count, dtype=np.int64), lengths),
            group_tokens=np.zeros(0, np.int64),
            before_ps={name: column[turns] for name, column in whole.before_ps.items()},
            after_ps={name: column[turns] for name, column in whole.after_ps.items()},
        )


def turn_map(workload: Workload) -> TurnMap:
    """The map of a workload."""
    is_first = np.ones(workload.num_requests, np.bool_)
    is_first[1:] = np.diff(workload.turn) > 0
    is_last = np.ones(workload.num_requests, np.bool_)
    is_last[:-1] = is_first[1:]
    first, last = np.flatnonzero(is_first), np.flatnonzero(is_last)
    session = np.searchsorted(workload.session_first_request, first, side="right") - 1
    before = np.zeros(len(first), np.int64)
    for column in workload.before_ps.values():
        before += column
    first_turn = workload.turn[workload.session_first_request[:-1]]
    return TurnMap(
        workload=workload,
        first=first,
        last=last,
        session=session,
        index=np.arange(len(first)) - first_turn[session],
        kind=workload.session_kind[session],
        before_ps=before,
        is_first=is_first,
        is_last=is_last,
    )
