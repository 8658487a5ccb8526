"""One lane of a live run once more, in virtual time: the sessions as they began, agents from outside as they asked.

A lane's loop is its own: what an agent waited after a reply it waits again after the reply that it gets here, so that
later times follow from the pipeline. Everything else comes at its recorded time. With the pipeline of the recording, a
lane gives the turns of the recording, to the picosecond, but for those of outside agents that it only shadowed: live,
a shadow never sends before the agent did.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.budgets import Budget
from subsecond.engine.core.config import Fault, Status, StepCost, Submission, Workload
from subsecond.engine.core.results import Results
from subsecond.engine.latency.pipelines import BuiltPipeline
from subsecond.engine.live.lane import LiveLane
from subsecond.engine.live.outsidelane import OutsideLane, Work
from subsecond.engine.live.turnmap import TurnMap
from subsecond.engine.recording.from_run import NOTHING, turn_table
from subsecond.engine.recording.rows import turn_row
from subsecond.engine.recording.schema import FIXED_COLUMNS
from subsecond.engine.script import OutsideRequest, Script
from subsecond.engine.turns import TurnState, turns_of

__all__ = ["LaneChanges", "Stage", "rerun_lane"]

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LaneChanges:
    """What happens to a lane's pipeline.

    Attributes:
        faults: by time.
        costs: (when, server, its step times from then on), by time.
    """

    faults: Sequence[Fault] = ()
    costs: Sequence[tuple[int, int, StepCost]] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """What all lanes of a re-run have in common.

    Attributes:
        script: of the recording.
        outside: sessions that stand ready for agents from outside.
        seed: of the draws for throttling and losses.
        until_ps: when it stops.
    """

    turns: TurnMap
    budgets: tuple[Budget, ...]
    script: Script
    outside: range
    seed: int
    until_ps: int
    compiled: bool | None = None

    @property
    def workload(self) -> Workload:
        """All sessions."""
        return self.turns.workload


def rerun_lane(
    stage: Stage, number: int, name: str, pipeline: BuiltPipeline, changes: LaneChanges, *, recorded_as: int
) -> Int64:
    """Let a lane run to the end.

    Args:
        number: of the lane.
        recorded_as: number of the lane of the recording at whose times sessions begin.

    Returns:
        Its turns that have ended, in the columns of a recording's `turns` without `seq`, [columns, turns].
    """
    lane = LiveLane(
        number,
        name,
        pipeline,
        stage.turns,
        stage.budgets,
        outside=stage.outside,
        seed=stage.seed,
        compiled=stage.compiled,
    )
    for fault in changes.faults:
        lane.engine.inject(fault)
    for at_ps, server, cost in changes.costs:
        lane.engine.set_step_cost(server, cost, at_ps)
    loop = _Loop(lane, stage)
    for note in stage.script.sessions:
        if note.lane != recorded_as:
            continue
        if note.is_retired:
            loop.at(note.at_ps, partial(lane.engine.retire, note.session))
        else:
            lane.engine.start_session(note.session, note.at_ps)
    loop.run()
    return np.concatenate([_own_turns(lane, stage), _outside_turns(lane, stage, loop)], axis=1)


def _own_turns(lane: LiveLane, stage: Stage) -> Int64:
    """Turns of the sessions of the workload."""
    turns = turns_of(stage.workload, lane.engine.results(), stage.until_ps)
    table = turn_table(lane.number, turns, stage.budgets)
    session, state = table[2], table[5]
    is_own = (session < stage.outside.start) | (session >= stage.outside.stop)
    return table[:, is_own & (state != TurnState.PENDING)]


def _outside_turns(lane: LiveLane, stage: Stage, loop: _Loop) -> Int64:
    """Turns of agents from outside."""
    ends = OutsideLane(lane, stage.workload).measured(loop.turns())
    width = len(FIXED_COLUMNS) - 1 + len(lane.stages) + len(stage.budgets)
    rows = [[NOTHING if value is None else value for value in turn_row(0, end)[1:]] for end in ends]
    return np.array(rows, np.int64).reshape(len(rows), width).T


@dataclass(slots=True)
class _Seat:
    """Requests of a slot, one after the other; `present` is under way since `sent_ps`."""

    waiting: list[OutsideRequest]
    present: OutsideRequest | None = None
    sent_ps: int = 0
    done: list[tuple[OutsideRequest, Results]] = field(default_factory=list)


class _Loop:
    """Time of one lane: what is to be done when, and requests that are sent once others are over."""

    def __init__(self, lane: LiveLane, stage: Stage) -> None:
        self._lane, self._stage = lane, stage
        self._network_ps = lane.pipeline.core.network_ps
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self._prefixes: dict[int, int] = {}
        self._seats: dict[int, _Seat] = {}
        for request in stage.script.requests:
            self._seats.setdefault(request.slot, _Seat([])).waiting.append(request)
        for slot, seat in self._seats.items():
            seat.waiting.reverse()
            self._plan_next(slot, seat, -1)

    def at(self, at_ps: int, act: Callable[[], None]) -> None:
        """Do something when the engine has come to a time."""
        heapq.heappush(self._due, (at_ps, next(self._order), act))

    def run(self) -> None:
        """Move time to the end."""
        engine, until = self._lane.engine, self._stage.until_ps
        while engine.reached_ps < until or self._due:
            to = min(until, self._due[0][0] if self._due else until, self._next_look_ps())
            if to > engine.reached_ps:
                is_over = engine.run_until(to)
                if is_over and not self._due and not self._open():
                    break
            self._look()
            while self._due and self._due[0][0] <= max(engine.reached_ps, to):
                heapq.heappop(self._due)[2]()
            if to >= until:
                break

    def _open(self) -> list[int]:
        return [slot for slot, seat in self._seats.items() if seat.present is not None]

    def _next_look_ps(self) -> int:
        """Up to when nothing can end that makes another request come before then.

        A reply needs the network back, the agent its time, and the next request the network again.
        """
        gaps = [max(s.waiting[-1].gap_ps, 0) for s in self._seats.values() if s.present is not None and s.waiting]
        if not gaps:
            return self._stage.until_ps
        engine = self._lane.engine
        soonest = engine.next_event_ps
        free = engine.reached_ps + 2 * self._network_ps + min(gaps)
        return free if soonest is None else max(free, soonest)

    def _look(self) -> None:
        """Note the requests that have ended, and plan those that follow them."""
        slots = np.array(self._open(), np.int64)
        if not len(slots):
            return
        columns = self._lane.engine.sessions(slots)
        for slot in slots[columns.request >= columns.request_end].tolist():
            seat = self._seats[slot]
            row = self._stage.workload.session_first_request[slot : slot + 1]
            results = self._lane.engine.results(row)
            assert seat.present is not None
            seat.done.append((seat.present, results))
            seat.present = None
            self._plan_next(slot, seat, int(results.finish_ps[0]) + self._network_ps)

    def _plan_next(self, slot: int, seat: _Seat, replied_ps: int) -> None:
        if not seat.waiting:
            return
        request = seat.waiting[-1]
        follows = bool(seat.done) and seat.done[-1][0].session == request.session and request.gap_ps >= 0
        at = replied_ps + request.gap_ps if follows else max(request.at_ps, replied_ps + 1)
        self.at(at - 1, lambda: self._send(slot, seat, at))

    def _send(self, slot: int, seat: _Seat, at_ps: int) -> None:
        request = seat.waiting.pop()
        engine = self._lane.engine
        self._warm(request)
        engine.submit(
            slot,
            at_ps,
            Submission(
                prompt_tokens=request.prompt_tokens,
                output_tokens=request.output_tokens,
                reuse_tokens=request.reuse_tokens,
                milestone_tokens=request.milestone_tokens,
                group=request.group,
                group_tokens=request.group_tokens,
            ),
        )
        seat.present, seat.sent_ps = request, at_ps
        if request.cancelled_ps >= 0:  # not before it has arrived, so that it is counted
            given_up = max(at_ps + request.cancelled_ps, at_ps + self._network_ps + 1)
            self.at(given_up - 1, lambda: self._give_up(slot, seat, request, given_up))

    def _give_up(self, slot: int, seat: _Seat, request: OutsideRequest, at_ps: int) -> None:
        self._look()
        if seat.present is request:
            self._lane.engine.cancel(slot, at_ps)

    def _warm(self, request: OutsideRequest) -> None:
        """The number of a group that stands for another prefix than before stands for a cold one."""
        if request.group < 0:
            return
        before = self._prefixes.get(request.group, request.group)
        if request.prefix not in (before, -1):
            self._lane.engine.forget_group(request.group)
        self._prefixes[request.group] = request.prefix

    def turns(self) -> list[list[tuple[Work, Results]]]:
        """Requests that have ended, turn by turn; a turn that waits for more is left out."""
        return [turn for seat in self._seats.values() for turn in _turns(seat)]


def _turns(seat: _Seat) -> Iterator[list[tuple[Work, Results]]]:
    turn: list[tuple[Work, Results]] = []
    for place, (request, results) in enumerate(seat.done):
        if turn and turn[-1][0].turn != request.turn:
            yield turn
            turn = []
        turn.append((_work(request, place), results))
        if request.ends_turn or int(results.status[0]) != Status.FINISHED:
            yield turn
            turn = []
    if turn and not (seat.waiting and seat.waiting[-1].turn == turn[-1][0].turn):
        yield turn


def _work(request: OutsideRequest, number: int) -> Work:
    return Work(
        number=number,
        session=request.session,
        slot=request.slot,
        turn=request.turn,
        index=request.turn_index,
        lane=request.lane,
        agent=request.agent,
        submission=Submission(
            prompt_tokens=request.prompt_tokens,
            output_tokens=request.output_tokens,
            reuse_tokens=request.reuse_tokens,
            milestone_tokens=request.milestone_tokens,
        ),
        gap_ps=request.gap_ps,
        before_ps=request.before_ps,
        after_ps=request.after_ps,
        ends_turn=request.ends_turn,
    )
