"""Between the wire and the engine: model requests become turns of the run, and their progress goes back.

The desk has the only loop that paces tokens. It looks at the run every `TICK_S` while somebody waits for a reply, and
tells each session what its client is to be given; a client gets its tokens at most every `COALESCE_S`.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from subsecond.agents.plan import OUTSIDE_GROUPS
from subsecond.agents.replies import ReplyWriter
from subsecond.agents.wire.base import End, ModelRequest, Outcome, Reply
from subsecond.engine.core.config import MAX_OUTPUT_TOKENS, MAX_TOKENS, Status, Submission
from subsecond.engine.feed import TurnEnd
from subsecond.engine.live.driver import LiveDriver
from subsecond.engine.live.outside import Progress, Ticket

from .conversations import ConversationBook

__all__ = ["Client", "Desk", "Order"]

PS_PER_S = 10**12
PS_PER_MS = 10**9
#: Seconds between two looks at the run while a client waits, and at least between two deliveries to one client.
TICK_S: Final = 0.002
COALESCE_S: Final = 0.004
#: Seconds between two looks while nothing can happen but a change of the clock.
IDLE_S: Final = 0.05

_ENDS: Final = {
    Status.FINISHED: End.DONE,
    Status.CANCELLED: End.CANCELLED,
    Status.TOO_LONG: End.TOO_LONG,
    Status.THROTTLED: End.THROTTLED,
    Status.LOST: End.FAILED,
    Status.NO_SERVER: End.FAILED,
}
_REASONS: Final = {
    Status.TOO_LONG: "the context is longer than a server of the pipeline can hold",
    Status.THROTTLED: "the pipeline's gateway refused the request each time it was sent",
    Status.LOST: "the request's work was lost, and the pipeline does not try again",
    Status.NO_SERVER: "the pipeline has no server that could take the request",
}


class Client(Protocol):
    """Who is told how its requests go on. It may place and cancel orders while it is told."""

    def started(self, order: Order) -> None:
        """The pipeline has taken the request."""

    def phase(self, order: Order, stage: str, at_ms: float, position: int | None) -> None:
        """It has come to a stage, so long after it was made; `position`: its place in the stage's queue."""

    def tokens(self, order: Order, given: int) -> None:
        """So many tokens of its reply have been given."""

    def ended(self, order: Order, outcome: Outcome) -> None:
        """It is over; nothing more will be told of it."""

    def tick(self) -> None:
        """A time that the client asked for has come."""


@dataclass(slots=True, eq=False)
class Order:
    """A request that a client waits for.

    Attributes:
        lane: place of the pipeline that serves it.
        reply: what it will say.
        ticket: None: it was refused before it reached the run.
    """

    client: Client
    request: ModelRequest
    lane: int
    reply: Reply
    ticket: Ticket | None = None
    made_ps: int = 0
    has_started: bool = False
    waiting: int = 0
    delivered_s: float = -1.0


class Desk:
    """Takes orders for the present run.

    Args:
        writer: makes up the replies.
        driver: of the run.
    """

    def __init__(self, writer: ReplyWriter, driver: LiveDriver) -> None:
        self._writer = writer
        #: By the identity of their tickets.
        self._orders: dict[int, Order] = {}
        #: Orders with tokens that wait until their client may get some again.
        self._held: set[int] = set()
        self._refused: deque[tuple[Order, Outcome]] = deque()
        self._ticks: list[tuple[float, int, Client]] = []
        self._count = itertools.count()
        self._wake = asyncio.Event()
        self.begin(driver)

    def begin(self, driver: LiveDriver) -> None:
        """Another run begins: what the last one had in hand is over."""
        orders, self._orders = self._orders, {}
        self._held.clear()
        self.driver = driver
        self._book = ConversationBook(
            driver.outside.open,
            lambda conversation: driver.outside.close(conversation, driver.now_ps),
            lambda group: _forget(driver, group),
            OUTSIDE_GROUPS,
        )
        for order in orders.values():
            self._refuse(order, End.FAILED, "the run was started anew with other parameters")

    @property
    def now_s(self) -> float:
        """Virtual seconds: the clock of all sessions, so that their delays pass as fast as the run does."""
        return self.driver.now_ps / PS_PER_S

    @property
    def num_open(self) -> int:
        """Requests that clients wait for."""
        return len(self._orders)

    def pipelines(self) -> list[str]:
        """Names of the pipelines that requests can choose."""
        return [lane.name for lane in self.driver.lanes]

    def lane_of(self, model: str, preferred: str = "") -> int | None:
        """The place of the pipeline that a model's name asks for (`model@pipeline`), else the preferred one.

        Returns:
            None if there is no such pipeline.
        """
        name = model.rpartition("@")[2] if "@" in model else preferred
        names = self.pipelines()
        if not name:
            return 0
        return names.index(name) if name in names else None

    def place(self, client: Client, request: ModelRequest, preferred: str = "") -> Order:
        """Take a request; how it goes on is told to the client, not before this returns.

        Args:
            preferred: the pipeline that the connection asked for.
        """
        reply = self._writer.write(request)
        lane = self.lane_of(request.model, preferred)
        order = Order(client, request, lane or 0, reply, made_ps=self.driver.now_ps)
        if lane is None:
            self._refuse(order, End.NO_PIPELINE, f"one of {', '.join(self.pipelines())} after the @ of the model")
        elif request.prompt_tokens + reply.output_tokens > MAX_TOKENS or reply.output_tokens > MAX_OUTPUT_TOKENS:
            self._refuse(order, End.TOO_LONG, _REASONS[Status.TOO_LONG])
        else:
            self._submit(order)
        self._wake.set()
        return order

    def turn_away(self, client: Client, request: ModelRequest, reason: str) -> Order:
        """Refuse a request before anything is done for it; the client is told as with any other."""
        order = Order(client, request, 0, Reply(("",)), made_ps=self.driver.now_ps)
        self._refuse(order, End.THROTTLED, reason)
        return order

    def _submit(self, order: Order) -> None:
        request, reply, driver = order.request, order.reply, self.driver
        placement = self._book.place(request)
        if placement is None:
            self._refuse(order, End.THROTTLED, "all places for conversations are taken by requests under way")
            return
        first_group = len(driver.plan.workload.group_tokens) - OUTSIDE_GROUPS
        spoken_part = reply.first_sentence if request.spoken and reply.pieces else 0
        order.ticket = driver.outside.submit(
            placement.conversation,
            order.lane,
            Submission(
                prompt_tokens=max(1, request.prompt_tokens),
                output_tokens=reply.output_tokens,
                reuse_tokens=placement.reuse_tokens,
                milestone_tokens=min(spoken_part, reply.output_tokens),
                group=placement.group if placement.group < 0 else first_group + placement.group,
                group_tokens=placement.group_tokens,
            ),
            driver.now_ps,
            agent=driver.plan.workload.kinds.index(request.agent),
            before_ps=_stages_ps(request.before_ms, driver),
            after_ps=_stages_ps(request.after_ms, driver) if spoken_part else {},
            ends_turn=not (request.spoken and reply.calls and not reply.pieces),
        )
        self._orders[id(order.ticket)] = order
        driver.poke()

    def _refuse(self, order: Order, end: End, reason: str) -> None:
        """Tell the client soon: it may be in the middle of placing the order."""
        self._refused.append((order, Outcome(end, 0, 0, None, 0.0, {}, self._name(order.lane), reason)))
        self._wake.set()

    def _name(self, lane: int) -> str:
        return self.driver.lanes[lane].name

    def cancel(self, order: Order) -> None:
        """The client does not want the rest of the reply; `ended` comes all the same."""
        if order.ticket is not None and id(order.ticket) in self._orders:
            self.driver.outside.cancel(order.ticket, self.driver.now_ps)
            self._wake.set()

    def gone(self, client: Client, names: Sequence[str] = ()) -> None:
        """A client has gone: its requests are given up, and it is told nothing more.

        Args:
            names: conversations that nobody but this client can continue.
        """
        for order in self._orders.values():
            if order.client is client:
                self.cancel(order)
                order.client = _Nobody()
        self._refused = deque((order, outcome) for order, outcome in self._refused if order.client is not client)
        self._ticks = [tick for tick in self._ticks if tick[2] is not client]
        heapq.heapify(self._ticks)
        for name in names:
            self._book.drop(name)

    def wake_at(self, client: Client, at_s: float) -> None:
        """Call `client.tick()` at a time of `now_s`, or soon after."""
        heapq.heappush(self._ticks, (at_s, next(self._count), client))
        self._wake.set()

    async def run(self) -> None:
        """Pace everything, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            wait_s = self.look()
            self._wake.clear()
            timer = None if wait_s is None else loop.call_later(wait_s, self._wake.set)
            try:
                await self._wake.wait()
            finally:
                if timer is not None:
                    timer.cancel()

    def look(self) -> float | None:
        """Tell everybody what has become of their requests; returns the seconds until the next look, None: no need."""
        while self._refused:
            order, outcome = self._refused.popleft()
            order.client.ended(order, outcome)
        self._tick()
        driver = self.driver
        if driver.outside.is_busy or self._orders:
            driver.keep_up()
            for progress in driver.outside.look(driver.now_ps):
                self._tell(progress)
            self._deliver_held()
        return self._wait_s()

    def _wait_s(self) -> float | None:
        if self._refused:
            return 0.0
        if self.driver.clock.is_paused:
            return IDLE_S if self._orders or self._ticks else None
        if self._orders:
            return TICK_S
        waits = [IDLE_S] if self.driver.outside.is_busy else []
        if self._ticks:
            waits.append(max(TICK_S, (self._ticks[0][0] - self.now_s) / self.driver.clock.speed))
        return min(waits, default=None)

    def _tick(self) -> None:
        now_s = self.now_s
        while self._ticks and self._ticks[0][0] <= now_s:
            heapq.heappop(self._ticks)[2].tick()

    def _tell(self, progress: Progress) -> None:
        order = self._orders.get(id(progress.ticket))
        if order is None:
            return
        if progress.stage is not None:
            stage, since_ps = progress.stage
            if not order.has_started:
                order.has_started = True
                order.client.started(order)
            order.client.phase(order, stage, (since_ps - order.made_ps) / PS_PER_MS, progress.position)
        if progress.end is not None:
            self._end(order, progress, progress.end)
        elif progress.given > order.waiting:
            order.waiting = progress.given
            self._held.add(id(progress.ticket))

    def _deliver_held(self) -> None:
        """Give tokens to those who have not got any just now; the first one is never held back."""
        now_s = asyncio.get_running_loop().time()
        for key in list(self._held):
            order = self._orders.get(key)
            if order is not None and now_s - order.delivered_s < COALESCE_S:
                continue
            self._held.discard(key)
            if order is not None:
                order.delivered_s = now_s
                order.client.tokens(order, order.waiting)

    def _end(self, order: Order, progress: Progress, end: TurnEnd) -> None:
        ticket = progress.ticket
        del self._orders[id(ticket)]
        self._held.discard(id(ticket))
        self._book.replied(ticket.conversation, progress.given)
        if not order.has_started and progress.status in (Status.FINISHED, Status.CANCELLED):
            order.has_started = True
            order.client.started(order)
        if progress.given > 0:
            order.client.tokens(order, progress.given)
        order.client.ended(order, self._outcome(order, progress, end))

    def _outcome(self, order: Order, progress: Progress, end: TurnEnd) -> Outcome:
        lanes = self.driver.lanes
        others = self.driver.outside.latency_ps(end.turn)
        return Outcome(
            end=_ENDS[progress.status],
            given=progress.given,
            cached_tokens=end.hit_tokens,
            ttft_ms=end.ttft_ps / PS_PER_MS if end.ttft_ps >= 0 else None,
            latency_ms=end.latency_ps / PS_PER_MS,
            stages_ms={name: ps / PS_PER_MS for name, ps in zip(lanes[0].stages, end.stages_ps, strict=True) if ps},
            pipeline=self._name(order.lane),
            reason=_REASONS.get(progress.status, ""),
            other_ms={lanes[lane].name: ps / PS_PER_MS for lane, ps in others.items() if lane != order.lane},
        )


class _Nobody:
    """Stands for a client that has gone."""

    def started(self, order: Order) -> None: ...

    def phase(self, order: Order, stage: str, at_ms: float, position: int | None) -> None: ...

    def tokens(self, order: Order, given: int) -> None: ...

    def ended(self, order: Order, outcome: Outcome) -> None: ...

    def tick(self) -> None: ...


def _forget(driver: LiveDriver, group: int) -> None:
    """Shared segments of outside agents are the last groups of the workload."""
    for lane in driver.lanes:
        lane.engine.forget_group(len(driver.plan.workload.group_tokens) - OUTSIDE_GROUPS + group)


def _stages_ps(stages_ms: Mapping[str, float], driver: LiveDriver) -> dict[str, int]:
    """Stages that the run knows, in ps."""
    known = driver.lanes[0].stages
    return {name: round(ms * PS_PER_MS) for name, ms in stages_ms.items() if name in known}
