"""Requests of agents from outside: served by one lane, shadowed on the others, measured like any turn.

An agent's *conversation* has a session of its own on every lane. Its requests arrive when the agent sends them; what
the agent gets is decided by the lane that it chose. The other lanes work on the same requests, each in its own closed
loop: the next one is sent when that lane has replied and as much time has passed as the agent took after its reply.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from subsecond.engine.core.config import Submission, Workload
from subsecond.engine.feed import OpenTurn, TurnEnd
from subsecond.engine.script import OutsideRequest

from .lane import LiveLane
from .outsidelane import OutsideLane, Work
from .tickets import Progress, Ticket, Tickets

__all__ = ["Conversation", "OutsideAgents", "Progress", "Ticket"]

#: Turns of which it is remembered how long each lane took, to be told with the reply.
REMEMBERED = 4096


@dataclass(slots=True)
class Conversation:
    """An agent's session: `number` names it in the feed, `slot` in the core; one request at a time."""

    number: int
    slot: int
    turns: int = 0
    last: Work | None = None
    served_by: int = 0
    present: Ticket | None = None


class OutsideAgents:
    """All conversations of a live run.

    Args:
        slots: sessions of the workload that stand ready (`workload.outside`).
    """

    def __init__(self, lanes: Sequence[LiveLane], workload: Workload, slots: range) -> None:
        self._lanes = [OutsideLane(lane, workload) for lane in lanes]
        self._workload = workload
        self._free = deque(slots)
        self._conversations: dict[int, Conversation] = {}
        self._leaving: set[int] = set()
        self._next_session = workload.num_sessions
        self._next_turn = workload.num_turns
        self._next_work = 0
        self._tickets = [Tickets(lane) for lane in self._lanes]
        self._ends: list[TurnEnd] = []
        self._latency_ps: dict[int, dict[int, int]] = {}
        self._prefixes: dict[int, int] = {}
        self._next_prefix = len(workload.group_tokens)

    @property
    def num_open(self) -> int:
        """Requests that agents wait for."""
        return sum(len(tickets) for tickets in self._tickets)

    @property
    def is_busy(self) -> bool:
        """Whether any lane works for an agent."""
        return any(lane.is_busy for lane in self._lanes)

    def open(self) -> Conversation | None:
        """A new conversation; None: all sessions are taken."""
        if not self._free:
            self._free_slots()  # nobody looks while nothing is under way
        if not self._free:
            return None
        conversation = Conversation(self._next_session, self._free.popleft())
        self._next_session += 1
        self._conversations[conversation.slot] = conversation
        return conversation

    def close(self, conversation: Conversation, now_ps: int) -> None:
        """The conversation is over: what is under way is given up, and its session is free when that has ended."""
        if self._conversations.get(conversation.slot) is not conversation:
            return
        del self._conversations[conversation.slot]
        if conversation.present is not None:
            self._tickets[conversation.present.lane].drop(conversation.slot)
            conversation.present = None
        for lane in self._lanes:
            lane.leave(conversation.slot, now_ps)
        self._leaving.add(conversation.slot)

    def submit(
        self,
        conversation: Conversation,
        lane: int,
        submission: Submission,
        now_ps: int,
        *,
        agent: int,
        before_ps: Mapping[str, int] | None = None,
        after_ps: Mapping[str, int] | None = None,
        ends_turn: bool = True,
    ) -> Ticket:
        """Send a request of a conversation that waits for nothing.

        Args:
            lane: the one that serves it.
            agent: place of the agent's kind in the run's agent kinds.
            before_ps, after_ps: by stage, what its turn takes before it, and after its milestone; of stages that the
                run knows.
            ends_turn: the next request begins a turn of its own.

        Raises:
            ValueError: the conversation waits for a reply, or is closed.
        """
        if conversation.present is not None or self._conversations.get(conversation.slot) is not conversation:
            raise ValueError(f"session {conversation.number} waits for a reply, or is over")
        last = conversation.last
        goes_on = last is not None and not last.ends_turn
        work = Work(
            number=self._next_work,
            session=conversation.number,
            slot=conversation.slot,
            turn=last.turn if last is not None and goes_on else self._take_turn(),
            index=conversation.turns - goes_on,
            lane=lane,
            agent=agent,
            submission=submission,
            prefix=self._prefixes.get(submission.group, submission.group),
            gap_ps=self._gap_ps(conversation, now_ps),
            before_ps={} if goes_on else before_ps or {},
            after_ps=after_ps or {},
            ends_turn=ends_turn,
        )
        self._next_work += 1
        conversation.turns += not goes_on
        conversation.last, conversation.served_by = work, lane
        self._make_way(lane, conversation.slot, now_ps)
        for place, one in enumerate(self._lanes):
            if place != lane:
                one.send(work, now_ps)
        self._lanes[lane].send(work, now_ps)
        sent = self._lanes[lane].present(conversation.slot)
        ticket = Ticket(conversation, work, lane, now_ps if sent is None else sent.sent_ps)
        conversation.present = ticket
        self._tickets[lane].add(ticket)
        return ticket

    def _take_turn(self) -> int:
        self._next_turn += 1
        return self._next_turn - 1

    def _gap_ps(self, conversation: Conversation, now_ps: int) -> int:
        """How long the agent took to send the next request after the reply that it got; -1: nothing came before."""
        if conversation.last is None:
            return -1
        replied = self._lanes[conversation.served_by].replied_ps(conversation.slot)
        return max(0, now_ps - replied) if replied >= 0 else 0

    def _make_way(self, lane: int, slot: int, now_ps: int) -> None:
        """An agent that turns to another lane must not wait there for what that does for comparison."""
        if self._lanes[lane].drop(slot, now_ps):
            self._look_at(lane, now_ps)

    def cancel(self, ticket: Ticket, now_ps: int) -> None:
        """The agent does not want the rest: on every lane it gives up after the same time."""
        for lane in self._lanes:
            lane.cancel(ticket.work, max(0, now_ps - ticket.sent_ps), now_ps)

    def look(self, now_ps: int) -> list[Progress]:
        """What has become of the requests that agents wait for; call it after the lanes have been advanced."""
        found: list[Progress] = []
        for place, lane in enumerate(self._lanes):
            if lane.is_busy:
                self._look_at(place, now_ps)
        self._collect()
        for tickets in self._tickets:
            found += tickets.look(now_ps)
        self._free_slots()
        return found

    def _look_at(self, place: int, now_ps: int) -> None:
        """Note what has ended on a lane."""
        lane = self._lanes[place]
        for work, results in lane.look(now_ps):
            self._tickets[place].ended(work, results)

    def _free_slots(self) -> None:
        """Sessions of conversations that are over are free when no lane works for them any more."""
        for slot in [slot for slot in self._leaving if not any(lane.present(slot) for lane in self._lanes)]:
            self._leaving.discard(slot)
            for lane in self._lanes:
                lane.forget(slot)
            self._free.append(slot)

    def _collect(self) -> None:
        """Note the turns that are over."""
        ends = [turn for lane in self._lanes for turn in lane.turn_ends()]
        self._ends += ends
        for turn in ends:
            self._latency_ps.setdefault(turn.turn, {})[turn.lane] = turn.latency_ps
        while len(self._latency_ps) > REMEMBERED:
            del self._latency_ps[next(iter(self._latency_ps))]

    def turn_ends(self) -> list[TurnEnd]:
        """Turns that are over since the last call."""
        self._collect()
        ends, self._ends = self._ends, []
        return ends

    def forget_group(self, group: int) -> None:
        """A prefix group stands for another prefix from now on, which is cold on every lane."""
        for lane in self._lanes:
            lane.lane.engine.forget_group(group)
        self._prefixes[group] = self._next_prefix
        self._next_prefix += 1

    def take_script(self) -> list[OutsideRequest]:
        """Requests that have ended on the lane that served them since the last call."""
        return [request for lane in self._lanes for request in lane.take_script()]

    def latency_ps(self, turn: int) -> Mapping[int, int]:
        """How long a turn took by lane, where it is over."""
        return self._latency_ps.get(turn, {})

    def open_turns(self, lane: int, now_ps: int) -> list[OpenTurn]:
        """Turns under way on a lane, the oldest first, as many as gauges tell."""
        return self._lanes[lane].open_turns(now_ps)

    def num_open_turns(self, lane: int) -> int:
        """All turns under way on a lane."""
        return self._lanes[lane].num_busy
