"""Between the wire and the engine: model requests become turns of the run, and their progress goes back.

The desk has the only loop that paces tokens. It looks at the run every `TICK_S` while somebody waits for a reply, and
tells each session what its client is to be given; a client gets its tokens at most every `COALESCE_S`.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from subsecond.agents.plan import OUTSIDE_GROUPS
from subsecond.agents.replies import ReplyWriter
from subsecond.agents.wire.base import End, ModelRequest, Outcome, Reply
from subsecond.agents.wire.prompt import said
from subsecond.engine.core.config import MAX_OUTPUT_TOKENS, MAX_TOKENS, Status, Submission
from subsecond.engine.feed import TurnEnd
from subsecond.engine.live.driver import LiveDriver
from subsecond.engine.live.outside import Conversation, Progress, Ticket

from .conversations import ConversationBook
from .troubles import Troubles

__all__ = ["Client", "Desk", "Order"]

PS_PER_S = 10**12
PS_PER_MS = 10**9
#: Seconds between two looks at the run while a client waits, and at least between two deliveries to one client.
TICK_S: Final = 0.002
COALESCE_S: Final = 0.004
#: Seconds between two looks while nothing can happen but a change of the clock.
IDLE_S: Final = 0.05
#: Seconds until the next look after one that failed.
AFTER_FAILURE_S: Final = 0.5
#: What clients are told of what only the log explains.
DEFECT: Final = "a defect of the gateway: see its log"

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

    def started(self, order: Order, pipeline: str) -> None:
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
        most_tokens: prompt and reply of a request.

    Attributes:
        troubles: where defects are told.
        overhear: is told what every request said and how much of its reply was given; None: nobody listens.
    """

    def __init__(self, writer: ReplyWriter, driver: LiveDriver, most_tokens: int = MAX_TOKENS) -> None:
        self._writer = writer
        self._most_tokens = min(most_tokens, MAX_TOKENS)
        self.troubles = Troubles()
        self.overhear: Callable[[ModelRequest, Reply, int, TurnEnd], None] | None = None
        self.driver = driver
        #: Added to the virtual time of the present run, so that the clock of sessions goes on from run to run.
        self._past_s = 0.0
        #: By the identity of their tickets.
        self._orders: dict[int, Order] = {}
        #: All orders of which a client is still to be told something.
        self._of: dict[Client, set[Order]] = {}
        #: Orders with tokens that wait until their client may get some again.
        self._held: set[int] = set()
        self._refused: deque[tuple[Order, Outcome]] = deque()
        #: Orders for which there was no place, in order.
        self._lined_up: deque[Order] = deque()
        self._ticks: list[tuple[float, int, Client]] = []
        #: When each client wants its next tick; other ticks of it that are found are of no use any more.
        self._due_s: dict[Client, float] = {}
        self._count = itertools.count()
        self._wake = asyncio.Event()
        self.begin(driver)

    def begin(self, driver: LiveDriver) -> None:
        """Another run begins: what the last one had in hand is over."""
        now_s = self.now_s
        orders, self._orders = self._orders, {}
        lined_up, self._lined_up = self._lined_up, deque()
        self._held.clear()
        self.driver = driver
        self._past_s += now_s - self.now_s
        self._book = ConversationBook(
            driver.outside.open,
            lambda conversation: self._close(driver, conversation),
            lambda group: _forget(driver, group),
            OUTSIDE_GROUPS,
            len(driver.plan.outside),
        )
        for order in (*orders.values(), *lined_up):
            self._refuse(order, End.FAILED, "the run was started anew with other parameters")

    @property
    def now_s(self) -> float:
        """Virtual seconds: the clock of all sessions, so that their delays pass as fast as the run does."""
        return self._past_s + self.driver.now_ps / PS_PER_S

    @property
    def num_open(self) -> int:
        """Requests that clients wait for."""
        return sum(len(orders) for orders in self._of.values())

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
        order = self._ordered(client, request, reply, lane or 0)
        if lane is None:
            self._refuse(order, End.NO_PIPELINE, f"one of {', '.join(self.pipelines())} after the @ of the model")
        elif reply.output_tokens > MAX_OUTPUT_TOKENS or request.prompt_tokens + reply.output_tokens > self._most_tokens:
            self._refuse(order, End.TOO_LONG, f"prompt and reply are longer than {self._most_tokens} tokens")
        elif len(self._orders) + len(self._lined_up) >= len(self.driver.plan.outside):
            self._refuse(order, End.THROTTLED, "all places for conversations are taken by requests under way")
        elif self._lined_up or not self._submit(order):
            self._lined_up.append(order)
        self._wake.set()
        return order

    def turn_away(self, client: Client, request: ModelRequest, reason: str) -> Order:
        """Refuse a request before anything is done for it; the client is told as with any other."""
        order = self._ordered(client, request, Reply(("",)), 0)
        self._refuse(order, End.THROTTLED, reason)
        return order

    def _ordered(self, client: Client, request: ModelRequest, reply: Reply, lane: int) -> Order:
        order = Order(client, request, lane, reply, made_ps=self.driver.now_ps)
        self._of.setdefault(client, set()).add(order)
        return order

    def _settle(self, order: Order) -> None:
        """Its client has been told everything."""
        orders = self._of.get(order.client)
        if orders is not None:
            orders.discard(order)
            if not orders:
                del self._of[order.client]

    def _submit(self, order: Order) -> bool:
        """Let a request begin; False if there is no place for its conversation until a pipeline has let go of one."""
        request, reply, driver = order.request, order.reply, self.driver
        placement = self._book.place(request)
        if placement is None:
            return False
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
        return True

    def _submit_lined_up(self) -> None:
        while self._lined_up:
            order = self._lined_up[0]
            if order.client is not NOBODY and not self._submit(order):
                return
            self._lined_up.popleft()

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
        elif order in self._lined_up:
            self._lined_up.remove(order)
            self._refuse(order, End.CANCELLED, "")

    def gone(self, client: Client, names: Sequence[str] = ()) -> None:
        """A client has gone: its requests are given up, and it is told nothing more.

        Args:
            names: conversations that nobody but this client can continue.
        """
        for order in self._of.pop(client, ()):
            self.cancel(order)
            order.client = NOBODY
        self._due_s.pop(client, None)
        for name in names:
            self._book.drop(name)

    def _close(self, driver: LiveDriver, conversation: Conversation) -> None:
        """A conversation is over; of a request that it waits for nothing more will be heard."""
        ticket = conversation.present
        if ticket is not None and self._orders.pop(id(ticket), None) is not None:
            self._held.discard(id(ticket))
        driver.outside.close(conversation, driver.now_ps)

    def wake_at(self, client: Client, at_s: float) -> None:
        """Call `client.tick()` at a time of `now_s`, or soon after; one call that was asked for before is forgotten."""
        self._due_s[client] = at_s
        if len(self._ticks) > 2 * len(self._due_s) + 64:
            self._ticks = [tick for tick in self._ticks if self._due_s.get(tick[2]) == tick[0]]
            heapq.heapify(self._ticks)
        heapq.heappush(self._ticks, (at_s, next(self._count), client))
        self._wake.set()

    async def run(self) -> None:
        """Pace everything, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                wait_s = self.look()
            except Exception as error:
                wait_s = self._recover(error)
            self._wake.clear()
            timer = None if wait_s is None else loop.call_later(wait_s, self._wake.set)
            try:
                await self._wake.wait()
            finally:
                if timer is not None:
                    timer.cancel()

    def _recover(self, error: Exception) -> float:
        """A look has failed: what is in hand is given up, since it would fail again; others may ask anew."""
        self.troubles.add("looking at requests", error)
        orders, self._orders = self._orders, {}
        self._held.clear()
        for order in orders.values():
            if order.ticket is not None:
                self._guarded("giving up a request", self._book.abandon, order.ticket.conversation)
            self._refuse(order, End.FAILED, DEFECT)
        return AFTER_FAILURE_S

    def _guarded(self, what: str, call: Callable[..., object], *arguments: object) -> None:
        """What fails for one client is nothing to the others."""
        try:
            call(*arguments)
        except Exception as error:
            self.troubles.add(what, error)

    def look(self) -> float | None:
        """Tell everybody what has become of their requests; returns the seconds until the next look, None: no need."""
        for _ in range(len(self._refused)):  # what is refused meanwhile comes with the next look
            order, outcome = self._refused.popleft()
            self._settle(order)
            self._guarded("refusing a request", order.client.ended, order, outcome)
        self._tick()
        driver = self.driver
        if driver.outside.is_busy or self._orders:
            driver.keep_up()
            for progress in driver.outside.look(driver.now_ps):
                waiting = self._orders.get(id(progress.ticket))
                if waiting is not None:
                    self._tell(waiting, progress)
            self._deliver_held()
        self._submit_lined_up()
        return self._wait_s()

    def _wait_s(self) -> float | None:
        if self._refused:
            return 0.0
        if self.driver.clock.is_paused:
            return IDLE_S if self._orders or self._lined_up or self._ticks else None
        if self._orders or self._lined_up:
            return TICK_S
        waits = [IDLE_S] if self.driver.outside.is_busy else []
        if self._ticks:
            waits.append(max(TICK_S, (self._ticks[0][0] - self.now_s) / self.driver.clock.speed))
        return min(waits, default=None)

    def _tick(self) -> None:
        now_s = self.now_s
        due: list[Client] = []
        while self._ticks and self._ticks[0][0] <= now_s:
            at_s, _, client = heapq.heappop(self._ticks)
            if self._due_s.get(client) == at_s:
                del self._due_s[client]
                due.append(client)
        for client in due:  # what they want next comes with the next look, at the soonest
            self._guarded("a timer", client.tick)

    def _tell(self, order: Order, progress: Progress) -> None:
        try:
            self._pass_on(order, progress)
        except Exception as error:
            self.troubles.add("telling of a request", error)
            if progress.end is not None:
                self._refuse(order, End.FAILED, DEFECT)

    def _pass_on(self, order: Order, progress: Progress) -> None:
        if progress.stage is not None:
            stage, since_ps = progress.stage
            if not order.has_started:
                order.has_started = True
                order.client.started(order, self._name(order.lane))
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
                self._guarded("giving tokens", order.client.tokens, order, order.waiting)

    def _end(self, order: Order, progress: Progress, end: TurnEnd) -> None:
        ticket = progress.ticket
        del self._orders[id(ticket)]
        self._held.discard(id(ticket))
        self._settle(order)
        self._book.replied(ticket.conversation, progress.given, said(order.reply, progress.given))
        if not order.has_started and progress.status in (Status.FINISHED, Status.CANCELLED):
            order.has_started = True
            order.client.started(order, self._name(order.lane))
        if progress.given > 0:
            order.client.tokens(order, progress.given)
        order.client.ended(order, self._outcome(order, progress, end))
        if self.overhear is not None:
            self._guarded("recording texts", self.overhear, order.request, order.reply, progress.given, end)

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

    def started(self, order: Order, pipeline: str) -> None: ...

    def phase(self, order: Order, stage: str, at_ms: float, position: int | None) -> None: ...

    def tokens(self, order: Order, given: int) -> None: ...

    def ended(self, order: Order, outcome: Outcome) -> None: ...

    def tick(self) -> None: ...


NOBODY: Final = _Nobody()


def _forget(driver: LiveDriver, group: int) -> None:
    """Shared segments of outside agents are the last groups of the workload."""
    driver.outside.forget_group(len(driver.plan.workload.group_tokens) - OUTSIDE_GROUPS + group)


def _stages_ps(stages_ms: Mapping[str, float], driver: LiveDriver) -> dict[str, int]:
    """Stages that the run knows, in ps."""
    known = driver.lanes[0].stages
    return {name: round(ms * PS_PER_MS) for name, ms in stages_ms.items() if name in known}
