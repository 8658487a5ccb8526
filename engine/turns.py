"""Turns of a run: what the requests' columns mean to the one who waits.

A turn is one step of a coding agent (from sending the request to the last token of the reply) or one reply of a voice
agent (from the end of the user's speech to the first audible sound). It may hold several requests with tool calls
between them. This module maps request columns to turn columns exactly; it draws no conclusions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from .core.config import Status, Workload
from .core.results import STAGES, Results

__all__ = ["TOOLS", "TurnState", "Turns", "turns_of"]

Int64 = NDArray[np.int64]

#: Stage between two requests of one turn: the tool runs and the client thinks.
TOOLS = "tools"


class TurnState(IntEnum):
    """How a turn ended.

    PENDING: the run stopped before. ANSWERED: the user got the reply, or what the next stage needed of it (a reply
    that was interrupted after that is answered). CANCELLED: given up before. FAILED: one of its requests failed.
    """

    PENDING = 0
    ANSWERED = 1
    FAILED = 2
    CANCELLED = 3


@dataclass(frozen=True, slots=True, eq=False)
class Turns:
    """Columns over the turns of one run, [num_turns].

    Attributes:
        kinds: names of the agent kinds; `kind` indexes them.
        state: `TurnState`.
        start_ps: when the user begins to wait; -1: not reached before the run stopped.
        latency_ps: from `start_ps` to the end of the turn for the user; of an ended turn.
        ttft_ps: from sending the turn's last request to its first token at the client; -1: no token.
        tpot_ps: mean gap between the tokens of the turn's last request; 0 if it has one token.
        stop_ps: when the run stopped.
        from_ps: turns that begin before do not count in what the run comes to: it warms up.
    """

    workload: Workload
    results: Results
    first: Int64
    last: Int64
    kinds: tuple[str, ...]
    kind: NDArray[np.int8]
    state: NDArray[np.int8]
    start_ps: Int64
    latency_ps: Int64
    ttft_ps: Int64
    tpot_ps: Int64
    stop_ps: int
    from_ps: int = 0

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Per turn whether it has begun, and not before the run had warmed up."""
        counted: NDArray[np.bool_] = self.start_ps >= self.from_ps
        return counted

    @property
    def stage_names(self) -> tuple[str, ...]:
        """Stages in the order in which a turn passes them."""
        return (*self.workload.before_ps, *STAGES, TOOLS, *self.workload.after_ps)

    @property
    def is_single(self) -> bool:
        """Whether each turn is one request."""
        return len(self.first) == self.workload.num_requests

    def stage_ps(self, name: str) -> Int64:
        """Time that each turn spends in a stage; over all `stage_names` it sums to `latency_ps` for answered turns.

        What the last request does after its milestone is nobody's wait: it is taken out of `decode_rest`, and out of
        `retry` as far as losses after the first token fill it.

        Raises:
            KeyError: no such stage.
        """
        if name in self.workload.before_ps:
            return self.workload.before_ps[name]
        if name in self.workload.after_ps:
            return self.workload.after_ps[name]
        if name == TOOLS:
            return self._tools_ps()
        column = self.results.stages[name]
        if self.is_single:
            total = column
        elif _is_constant(column):
            total = column[0] * (self.last - self.first + 1)
        else:
            total = np.add.reduceat(column, self.first)
        if name in ("decode_rest", "retry"):
            tail = self._tail_ps()
            if tail is not None:
                rest = self.results.stages["decode_rest"][self.last]
                cut = np.minimum(tail, rest)
                total = total - (cut if name == "decode_rest" else tail - cut)
        return total

    def _tail_ps(self) -> Int64 | None:
        """Time from the last request's milestone to its end; None if no turn has any."""
        if _ends_with_milestone(self.workload):
            return None
        milestone, finish = self.results.milestone_ps[self.last], self.results.finish_ps[self.last]
        return np.where((milestone >= 0) & (finish >= 0), finish - milestone, 0)

    def _tools_ps(self) -> Int64:
        """Time between the end of a request at the client and the sending of the turn's next one."""
        if self.is_single:
            return np.broadcast_to(np.int64(0), len(self.first))
        r = self.results
        inside = r.finish_ps + r.network_ps
        between = np.zeros(len(inside), np.int64)
        between[1:] = r.arrival_ps[1:] - inside[:-1]
        between[self.first] = 0
        return np.add.reduceat(between, self.first)


def turns_of(workload: Workload, results: Results, stop_ps: int | None = None, from_ps: int = 0) -> Turns:
    """Turn columns of a run.

    Args:
        stop_ps: when the run was stopped, if it was.
        from_ps: when it had warmed up, >= 0.
    """
    single = workload.num_turns == workload.num_requests
    if single:
        first = last = np.arange(workload.num_requests, dtype=np.int64)
        pick_first: Int64 | slice = slice(None)
        pick_last: Int64 | slice = slice(None)
    else:
        starts = np.flatnonzero(np.diff(workload.turn)) + 1
        first = np.concatenate(([0], starts))
        last = np.concatenate((starts - 1, [workload.num_requests - 1]))
        pick_first, pick_last = first, last
    network = results.network_ps
    arrival = results.arrival_ps[pick_first]
    before = _sum(workload.before_ps)
    start = arrival if before is None else np.where(arrival >= 0, arrival - before, -1)
    milestone, finish = results.milestone_ps[pick_last], results.finish_ps[pick_last]
    end = finish if _ends_with_milestone(workload) else np.where(milestone >= 0, milestone, finish)
    latency = end - start
    latency += network
    after = _sum(workload.after_ps)
    if after is not None:
        latency += after
    sent, got = results.arrival_ps[pick_last], results.first_ps[pick_last]
    tokens = np.maximum(results.emitted_tokens[pick_last] - 1, 1)
    return Turns(
        workload=workload,
        results=results,
        first=first,
        last=last,
        kinds=workload.kinds,
        kind=_kinds_of(workload, first),
        state=_states(results, workload, first, last, single),
        start_ps=start,
        latency_ps=latency,
        ttft_ps=np.where(got >= 0, got - sent + network, -1),
        tpot_ps=np.where((got >= 0) & (finish >= 0), (finish - got) // tokens, 0),
        stop_ps=results.end_ps if stop_ps is None else stop_ps,
        from_ps=from_ps,
    )


def _sum(columns: dict[str, Int64]) -> Int64 | None:
    total: Int64 | None = None
    for column in columns.values():
        total = column.copy() if total is None else total + column
    return total


def _ends_with_milestone(workload: Workload) -> bool:
    """Whether no reply goes on after its milestone, so that milestone and finish are one moment."""
    return bool((workload.milestone_tokens == workload.output_tokens).all())


def _is_constant(column: Int64) -> bool:
    """Whether a column is one value broadcast, as for stages that a pipeline lacks."""
    return column.strides[0] == 0


def _kinds_of(workload: Workload, first: Int64) -> NDArray[np.int8]:
    if len(workload.kinds) == 1:
        return np.broadcast_to(np.int8(0), len(first))
    per_request = np.repeat(workload.session_kind.astype(np.int8), np.diff(workload.session_first_request))
    return per_request[first]


def _states(results: Results, workload: Workload, first: Int64, last: Int64, single: bool) -> NDArray[np.int8]:
    status = results.status
    table = np.full(len(Status), TurnState.FAILED, np.int8)
    table[Status.UNFINISHED] = TurnState.PENDING
    table[Status.FINISHED] = TurnState.ANSWERED
    table[Status.CANCELLED] = TurnState.CANCELLED
    state = table[status if single else status[last]]
    if not (status != Status.FINISHED).any():
        return state
    milestone = results.milestone_ps if single else results.milestone_ps[last]
    state[(state == TurnState.CANCELLED) & (milestone >= 0)] = TurnState.ANSWERED
    if not single:
        inner = np.ones(workload.num_requests, bool)
        inner[last] = False
        turn = workload.turn
        state[turn[inner & (status == Status.CANCELLED) & (results.milestone_ps < 0)]] = TurnState.CANCELLED
        state[turn[status >= Status.TOO_LONG]] = TurnState.FAILED
    return state
