"""What one lane does for agents from outside: their requests one by one, in a session per conversation."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from subsecond.engine.core.config import Status, Submission, Workload
from subsecond.engine.core.results import STAGES, Results, open_stage
from subsecond.engine.feed import OpenTurn, TurnEnd
from subsecond.engine.script import OutsideRequest
from subsecond.engine.turns import TOOLS
from subsecond.engine.workload.runs import offsets

from .lane import LiveLane
from .openturns import MOST_OPEN

__all__ = ["OutsideLane", "Sent", "Work"]

#: Columns of `Results` with a value per request.
_COLUMNS = tuple(f.name for f in fields(Results) if f.name not in ("stages", "servers", "network_ps", "events"))


@dataclass(frozen=True, slots=True)
class Work:
    """A request, the same for every lane.

    Attributes:
        session: number of the conversation's session in the feed; `slot` is the one that it has in the core.
        turn, index: number of its turn, and which turn of the conversation that is.
        lane: that serves it.
        agent: place of its kind in the run's agent kinds.
        prefix: number of the prefix that its group stands for.
        gap_ps: from the reply that the client got last to sending this; -1: nothing came before.
        before_ps, after_ps: by stage, what its turn takes before its first request, and after the last one's milestone.
        ends_turn: no other request follows in this turn.
    """

    number: int
    session: int
    slot: int
    turn: int
    index: int
    lane: int
    agent: int
    submission: Submission
    gap_ps: int
    prefix: int = -1
    before_ps: Mapping[str, int] = field(default_factory=dict)
    after_ps: Mapping[str, int] = field(default_factory=dict)
    ends_turn: bool = True


@dataclass(slots=True)
class Sent:
    """A request under way on a lane.

    Attributes:
        cancel_at_ps: when its user gives up; -1: not known to.
        gap_ps: from the lane's last reply to sending it; -1: nothing came before.
    """

    work: Work
    sent_ps: int
    cancel_at_ps: int = -1
    gap_ps: int = -1


@dataclass(slots=True)
class _Seat:
    """A conversation on this lane: what waits for the present request to end, and when the last reply was back."""

    present: Sent | None = None
    waiting: deque[tuple[Work, int]] = field(default_factory=deque)  # with the time after which it is given up, or -1
    replied_ps: int = -1
    turn: list[tuple[Work, Results]] = field(default_factory=list)


class OutsideLane:
    """Outside conversations on one lane."""

    def __init__(self, lane: LiveLane, workload: Workload) -> None:
        self.lane = lane
        self._workload = workload
        self._network_ps = lane.pipeline.core.network_ps
        self._seats: dict[int, _Seat] = {}
        self._busy: dict[int, _Seat] = {}
        #: Conversations whose users will give up at a time that is known.
        self._patient: set[int] = set()
        self._over: list[list[tuple[Work, Results]]] = []
        self._script: list[OutsideRequest] = []

    @property
    def num_busy(self) -> int:
        """Conversations with a request under way or waiting."""
        return len(self._busy)

    @property
    def is_busy(self) -> bool:
        """Whether a request is under way or waits."""
        return bool(self._busy)

    def present(self, slot: int) -> Sent | None:
        """The request of a conversation that is under way."""
        seat = self._seats.get(slot)
        return None if seat is None else seat.present

    def replied_ps(self, slot: int) -> int:
        """When the last reply of a conversation was back at the client; -1: there was none."""
        seat = self._seats.get(slot)
        return -1 if seat is None else seat.replied_ps

    def send(self, work: Work, now_ps: int) -> None:
        """Send a request: in its time after the last reply of this lane, but not in the past."""
        seat = self._seats.setdefault(work.slot, _Seat())
        if seat.present is not None or seat.waiting:
            seat.waiting.append((work, -1))
            return
        self._submit(seat, work, now_ps)

    def _submit(self, seat: _Seat, work: Work, now_ps: int) -> None:
        at = self._next_ps(now_ps)
        if seat.replied_ps >= 0 and work.gap_ps >= 0:
            at = max(at, seat.replied_ps + work.gap_ps)
        self.lane.engine.submit(work.slot, at, work.submission)
        seat.present = Sent(work, at, gap_ps=at - seat.replied_ps if seat.replied_ps >= 0 else -1)
        self._busy[work.slot] = seat

    def _next_ps(self, now_ps: int) -> int:
        return max(now_ps, self.lane.engine.reached_ps) + 1

    def cancel(self, work: Work, after_ps: int, now_ps: int) -> None:
        """The user gives a request up, `after_ps` after it was sent; one that waits is given up when its time comes."""
        seat = self._seats.get(work.slot)
        if seat is None:
            return
        if seat.present is not None and seat.present.work.number == work.number:
            self._give_up(seat.present, seat.present.sent_ps + after_ps, now_ps)
        seat.waiting = deque((w, after_ps if w.number == work.number else a) for w, a in seat.waiting)

    def _give_up(self, sent: Sent, at_ps: int, now_ps: int) -> None:
        """The core cancels what has arrived: not before that, so that it is counted."""
        at = max(at_ps, sent.sent_ps + self._network_ps + 1)
        if at <= self._next_ps(now_ps):
            self.lane.engine.cancel(sent.work.slot, max(at, self._next_ps(now_ps)))
            sent.cancel_at_ps = -1
        else:
            sent.cancel_at_ps = at
            self._patient.add(sent.work.slot)

    def _give_up_due(self, now_ps: int) -> None:
        """Cancel what users give up by now."""
        for slot in list(self._patient):
            sent = self.present(slot)
            if sent is None or sent.cancel_at_ps < 0:
                self._patient.discard(slot)
            elif sent.cancel_at_ps <= now_ps:
                self._patient.discard(slot)
                self._give_up(sent, sent.cancel_at_ps, now_ps)

    def leave(self, slot: int, now_ps: int) -> None:
        """The client has gone: what waits is dropped, what is under way is given up, an open turn is over."""
        seat = self._seats.get(slot)
        if seat is None:
            return
        seat.waiting.clear()
        if seat.present is not None:
            self._give_up(seat.present, now_ps, now_ps)
        else:
            self._close_turn(seat)

    def drop(self, slot: int, now_ps: int) -> bool:
        """Give up at once what a conversation has here; True if a request was under way, which has ended now."""
        seat = self._seats.get(slot)
        if seat is None or seat.present is None:
            return False
        seat.waiting.clear()
        at = max(self._next_ps(now_ps), seat.present.sent_ps + self._network_ps + 1)
        self.lane.engine.cancel(slot, at)
        self.lane.engine.run_until(at)
        return True

    def forget(self, slot: int) -> None:
        """The session stands for another conversation from now on."""
        self._seats.pop(slot, None)

    def look(self, now_ps: int) -> list[tuple[Work, Results]]:
        """Requests that have ended; what waited for that is sent."""
        if not self._busy:
            return []
        self._give_up_due(now_ps)
        slots = np.fromiter(self._busy, np.int64, len(self._busy))
        over = slots[self.lane.engine.are_over(slots)]
        if not len(over):
            return []
        rows = self._workload.session_first_request[over]
        results = self.lane.engine.results(rows)
        return [self._ended(slot, _one(results, place), now_ps) for place, slot in enumerate(over.tolist())]

    def _ended(self, slot: int, results: Results, now_ps: int) -> tuple[Work, Results]:
        seat = self._busy.pop(slot)
        assert seat.present is not None
        sent, seat.present = seat.present, None
        work = sent.work
        if work.lane == self.lane.number:
            self._script.append(_scripted(sent, results))
        seat.replied_ps = int(results.finish_ps[0]) + self._network_ps
        if seat.turn and seat.turn[-1][0].turn != work.turn:
            self._close_turn(seat)
        seat.turn.append((work, results))
        if work.ends_turn or int(results.status[0]) != Status.FINISHED:
            self._close_turn(seat)
        self._send_next(seat, now_ps)
        return work, results

    def _send_next(self, seat: _Seat, now_ps: int) -> None:
        if not seat.waiting:
            return
        work, after_ps = seat.waiting.popleft()
        self._submit(seat, work, now_ps)
        if after_ps >= 0 and seat.present is not None:
            self._give_up(seat.present, seat.present.sent_ps + after_ps, now_ps)

    def _close_turn(self, seat: _Seat) -> None:
        if seat.turn:
            self._over.append(seat.turn)
            seat.turn = []

    def take_script(self) -> list[OutsideRequest]:
        """Requests that this lane has served since the last call."""
        taken, self._script = self._script, []
        return taken

    def turn_ends(self) -> list[TurnEnd]:
        """Turns that are over since the last call."""
        over, self._over = self._over, []
        return self.measured(over)

    def measured(self, turns: Sequence[Sequence[tuple[Work, Results]]]) -> list[TurnEnd]:
        """Turns as messages, from their requests and the results of these."""
        if not turns:
            return []
        requests = [request for turn in turns for request in turn]
        first = [turn[0][0] for turn in turns]
        return self.lane.measured(
            _part(self._workload, turns),
            _joined([results for _, results in requests]),
            np.array([work.turn for work in first], np.int64),
            np.array([work.session for work in first], np.int64),
            np.array([work.index for work in first], np.int64),
        )

    def stages(self, works: Iterable[Work]) -> list[tuple[str, int] | None]:
        """The open stage of requests under way and when it began; None: not arrived yet."""
        slots = np.array([work.slot for work in works], np.int64)
        if not len(slots):
            return []
        columns = self.lane.engine.sessions(slots)
        return [
            (open_stage(int(stage)), int(mark)) if active else None
            for active, stage, mark in zip(columns.is_active, columns.stage, columns.mark_ps, strict=True)
        ]

    def open_turns(self, now_ps: int) -> list[OpenTurn]:
        """The turns under way that were sent first, the oldest first."""
        sent = [seat.present for seat in self._busy.values() if seat.present is not None]
        if not sent:
            return []
        sent = heapq.nsmallest(MOST_OPEN, sent, key=lambda one: one.sent_ps)
        stages = self.stages([one.work for one in sent])
        rows = self._workload.session_first_request[np.array([one.work.slot for one in sent])]
        results = self.lane.engine.results(rows)
        taken = np.stack([results.stages[name] for name in STAGES], axis=1).tolist()
        found = [
            self._open_turn(one, stage, dict(zip(STAGES, own, strict=True)), now_ps)
            for one, stage, own in zip(sent, stages, taken, strict=True)
        ]
        return sorted(found, key=lambda turn: turn.start_ps)

    def _open_turn(self, one: Sent, stage: tuple[str, int] | None, taken: dict[str, int], now_ps: int) -> OpenTurn:
        """One turn: what its earlier requests took, what this one has taken, and its open stage."""
        work, seat = one.work, self._seats[one.work.slot]
        earlier = [request for request in seat.turn if request[0].turn == work.turn]
        spent = dict.fromkeys(self.lane.stages, 0)
        first = earlier[0][0] if earlier else work
        spent.update(first.before_ps)
        start = one.sent_ps - sum(first.before_ps.values())
        if earlier:
            start = int(earlier[0][1].arrival_ps[0]) - sum(first.before_ps.values())
            for _, results in earlier:
                for name in STAGES:
                    spent[name] += int(results.stages[name][0])
            ends = [int(results.finish_ps[0]) + self._network_ps for _, results in earlier]
            sent = [*(int(results.arrival_ps[0]) for _, results in earlier[1:]), one.sent_ps]
            spent[TOOLS] = sum(after - end for after, end in zip(sent, ends, strict=True))
        name, since = stage or ("network", one.sent_ps)
        if stage is not None:
            for key, value in taken.items():
                spent[key] += value
            spent["network"] -= self._network_ps  # the way back is still to come
        return OpenTurn(
            work.turn,
            work.session,
            work.index,
            work.agent,
            min(start, now_ps),
            self.lane.stages.index(name),
            min(since, now_ps),
            tuple(spent.values()),
        )


def _scripted(sent: Sent, results: Results) -> OutsideRequest:
    """A request that is over, as it is recorded."""
    work, ask = sent.work, sent.work.submission
    is_cancelled = int(results.status[0]) == Status.CANCELLED
    return OutsideRequest(
        at_ps=sent.sent_ps,
        lane=work.lane,
        slot=work.slot,
        session=work.session,
        turn=work.turn,
        turn_index=work.index,
        agent=work.agent,
        gap_ps=sent.gap_ps,
        cancelled_ps=int(results.finish_ps[0]) - sent.sent_ps if is_cancelled else -1,
        prompt_tokens=ask.prompt_tokens,
        reuse_tokens=ask.reuse_tokens,
        output_tokens=ask.output_tokens,
        milestone_tokens=ask.milestone_tokens,
        group=ask.group,
        group_tokens=ask.group_tokens,
        prefix=work.prefix,
        ends_turn=work.ends_turn,
        before_ps=dict(work.before_ps),
        after_ps=dict(work.after_ps),
    )


def _part(whole: Workload, turns: Sequence[Sequence[tuple[Work, Results]]]) -> Workload:
    """A workload of these turns alone, each a session of its own."""
    works = [[work for work, _ in turn] for turn in turns]
    flat = [work for turn in works for work in turn]
    lengths = np.array([len(turn) for turn in works], np.int64)
    nothing = np.zeros(len(turns), np.int64)

    def request_column(name: str) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        return np.array([getattr(work.submission, name) for work in flat], np.int32)

    output, milestone = request_column("output_tokens"), request_column("milestone_tokens")
    return Workload(
        kinds=whole.kinds,
        num_contexts=1,
        session_start_ps=nothing,
        session_first_request=offsets(lengths),
        session_parent_request=nothing - 1,
        session_context=nothing,
        session_group=nothing - 1,
        session_kind=np.array([turn[0].agent for turn in works], np.int64),
        prompt_tokens=request_column("prompt_tokens"),
        reuse_tokens=request_column("reuse_tokens"),
        output_tokens=output,
        milestone_tokens=np.where(milestone > 0, milestone, output),
        gap_ps=np.zeros(len(flat), np.int64),
        hold_ps=np.zeros(len(flat), np.int64),
        is_barge_in=np.zeros(len(flat), np.bool_),
        turn=np.repeat(np.arange(len(turns), dtype=np.int64), lengths),
        group_tokens=np.zeros(0, np.int64),
        before_ps=_stage_columns(whole.before_ps, [turn[0].before_ps for turn in works]),
        after_ps=_stage_columns(whole.after_ps, [turn[-1].after_ps for turn in works]),
    )


def _stage_columns(
    names: Iterable[str], turns: Sequence[Mapping[str, int]]
) -> dict[str, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    return {name: np.array([turn.get(name, 0) for turn in turns], np.int64) for name in names}


def _one(results: Results, place: int) -> Results:
    """The results of one request of several."""
    columns = {name: getattr(results, name)[place : place + 1] for name in _COLUMNS}
    stages = {name: column[place : place + 1] for name, column in results.stages.items()}
    return Results(**columns, stages=stages, servers=(), network_ps=results.network_ps, events=0)


def _joined(parts: Sequence[Results]) -> Results:
    """Results of several requests as one."""
    if len(parts) == 1:
        return parts[0]

    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
    stages = {name: np.concatenate([part.stages[name] for part in parts]) for name in STAGES}
    return Results(**columns, stages=stages, servers=(), network_ps=parts[0].network_ps, events=0)
