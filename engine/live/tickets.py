"""Requests that agents wait for on one lane: what each has been given by now, at a cost per change, not per request."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from subsecond.engine.core.config import Status
from subsecond.engine.core.results import Results, open_stage
from subsecond.engine.feed import TurnEnd

from .outsidelane import OutsideLane, Work

if TYPE_CHECKING:
    from .outside import Conversation

__all__ = ["Progress", "Ticket", "Tickets"]

#: Stages that are spent in a queue.
QUEUES = ("prefill_queue", "decode_queue")
#: Requests for which there is room at first.
ROOM = 64
#: What stands for a request that has not arrived, instead of its stage and its begin.
_NOT_ARRIVED = -1


@dataclass(slots=True, eq=False)
class Ticket:
    """A request that an agent waits for.

    Attributes:
        given: tokens that the client has been given.
        place: its row among the requests that are under way; -1: it has ended in the pipeline.
        results: of a request that has ended.
    """

    conversation: Conversation
    work: Work
    lane: int
    sent_ps: int
    given: int = 0
    place: int = -1
    results: Results | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """What has become of a request since the last look.

    Attributes:
        stage: the stage that it has come to, and when that began; None: still the same.
        position: its place in the queue that it has come to, from 0; None: it is in none.
        given: tokens given to the client in all.
        end: how it went, if it is over, as a turn of its own; with `status`.
    """

    ticket: Ticket
    stage: tuple[str, int] | None
    given: int
    end: TurnEnd | None = None
    status: Status = Status.UNFINISHED
    position: int | None = None


class Tickets:
    """The requests of one lane. Tokens and ends are with the client `network_ps` after they were at the server."""

    def __init__(self, lane: OutsideLane) -> None:
        self._lane = lane
        self._engine = lane.lane.engine
        self._network_ps = lane.lane.pipeline.core.network_ps
        self._by_slot: dict[int, Ticket] = {}
        #: Those under way, with what was seen of them last, [room] each.
        self._open: list[Ticket] = []
        self._slots, self._given, self._stage, self._mark = (np.zeros(ROOM, np.int64) for _ in range(4))
        #: (when it is with the client, order, ticket, tokens); an end has -1 tokens.
        self._coming: list[tuple[int, int, Ticket, int]] = []
        self._count = itertools.count()

    def __len__(self) -> int:
        return len(self._by_slot)

    def __iter__(self) -> Iterator[Ticket]:
        return iter(self._by_slot.values())

    def add(self, ticket: Ticket) -> None:
        """A request has been sent."""
        slot = ticket.work.slot
        self._by_slot[slot] = ticket
        ticket.place = len(self._open)
        self._open.append(ticket)
        if len(self._open) > len(self._slots):
            self._slots, self._given, self._stage, self._mark = (
                np.concatenate([column, np.zeros_like(column)])
                for column in (self._slots, self._given, self._stage, self._mark)
            )
        row = ticket.place
        self._slots[row], self._given[row], self._stage[row], self._mark[row] = slot, 0, _NOT_ARRIVED, _NOT_ARRIVED

    def drop(self, slot: int) -> None:
        """Nobody waits for the request any more."""
        ticket = self._by_slot.pop(slot, None)
        if ticket is not None:
            self._close(ticket)

    def _close(self, ticket: Ticket) -> None:
        """It has ended in the pipeline: the last row takes its place."""
        if ticket.place < 0:
            return
        last = self._open.pop()
        if last is not ticket:
            row, from_row = ticket.place, last.place
            for column in (self._slots, self._given, self._stage, self._mark):
                column[row] = column[from_row]
            self._open[row], last.place = last, row
        ticket.place = -1

    def ended(self, work: Work, results: Results) -> None:
        """The pipeline has done with a request."""
        ticket = self._by_slot.get(work.slot)
        if ticket is None or ticket.work.number != work.number:
            return
        ticket.results = results
        self._close(ticket)
        heapq.heappush(self._coming, (int(results.finish_ps[0]) + self._network_ps, next(self._count), ticket, -1))

    def look(self, now_ps: int) -> list[Progress]:
        """What is new for the clients by now."""
        if not self._by_slot:
            self._coming.clear()
            return []
        return [*self._new_stages(), *self._arrived(now_ps)]

    def _new_stages(self) -> list[Progress]:
        """Note tokens that have been made; tell of stages that have begun."""
        count = len(self._open)
        if not count:
            return []
        slots = self._slots[:count]
        given, columns = self._engine.given(slots), self._engine.sessions(slots)
        for row in np.flatnonzero(given > self._given[:count]).tolist():
            tokens = int(given[row])
            self._given[row] = tokens
            arrives_ps = self._engine.reached_ps + self._network_ps
            heapq.heappush(self._coming, (arrives_ps, next(self._count), self._open[row], tokens))
        moved = columns.is_active & ((columns.stage != self._stage[:count]) | (columns.mark_ps != self._mark[:count]))
        found = []
        for row in np.flatnonzero(moved).tolist():
            self._stage[row], self._mark[row] = columns.stage[row], columns.mark_ps[row]
            ticket, name = self._open[row], open_stage(int(columns.stage[row]))
            position = self._engine.queue_position(ticket.work.slot) if name in QUEUES else None
            found.append(Progress(ticket, (name, int(columns.mark_ps[row])), ticket.given, position=position))
        return found

    def _arrived(self, now_ps: int) -> list[Progress]:
        """Tokens and ends that are with the clients."""
        told: dict[int, Ticket] = {}
        over: list[Ticket] = []
        while self._coming and self._coming[0][0] <= now_ps:
            _, _, ticket, tokens = heapq.heappop(self._coming)
            if self._by_slot.get(ticket.work.slot) is not ticket:
                continue
            if tokens < 0:
                over.append(ticket)
            elif tokens > ticket.given:
                ticket.given = tokens
                told[id(ticket)] = ticket
        found = [Progress(ticket, None, ticket.given) for ticket in told.values() if ticket not in over]
        return found + self._ends(over)

    def _ends(self, over: list[Ticket]) -> list[Progress]:
        turns = [[(ticket.work, ticket.results)] for ticket in over if ticket.results is not None]
        found = []
        for ticket, end in zip(over, self._lane.measured(turns), strict=True):
            del self._by_slot[ticket.work.slot]
            ticket.conversation.present = None
            assert ticket.results is not None
            ticket.given = int(ticket.results.emitted_tokens[0])
            found.append(Progress(ticket, None, ticket.given, end, Status(int(ticket.results.status[0]))))
        return found
