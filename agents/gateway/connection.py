"""One client of the gateway, whatever it speaks: its session's effects carried out, its orders told to the session."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

from subsecond.agents.wire.base import Cancel, Close, Effect, End, Outcome, Send, Submit, WireSession

from .desk import Desk, Order
from .limits import Limits, Rate
from .roster import AgentEntry, Roster, shown

__all__ = ["Connection"]


class Connection(ABC):
    """A client with its protocol session (`desk.Client`). How messages leave is for the transport to say.

    Args:
        preferred: the pipeline that the address asked for; "": the model's name decides.
        rate: permits for model requests, shared by all clients.
    """

    def __init__(
        self,
        desk: Desk,
        session: WireSession,
        entry: AgentEntry,
        roster: Roster,
        rate: Rate,
        *,
        transport: asyncio.Transport | None,
        limits: Limits,
        preferred: str = "",
    ) -> None:
        self.entry = entry
        self.session = session
        self._desk = desk
        self._roster = roster
        self._rate = rate
        self._preferred = preferred
        self._orders: dict[str, Order] = {}
        self._names: set[str] = set()
        self._due_s: float | None = None
        #: Nothing is told to the session any more.
        self._is_over = False
        self._transport = transport
        self._limits = limits
        #: Since when the client has been given time to read what is sent; None: nothing is being sent.
        self._sending_since_s: float | None = None
        self._is_cut = False

    @abstractmethod
    def send(self, effect: Send) -> None:
        """Let a message leave soon."""

    @abstractmethod
    def close(self, code: int, reason: str) -> None:
        """End the connection after what waits has left."""

    @abstractmethod
    def drop_waiting(self) -> None:
        """Forget what waits to be sent."""

    def is_stalled(self) -> bool:
        """Whether the client has read nothing for too long."""
        since = self._sending_since_s
        return since is not None and time.monotonic() - since > self._limits.stalled_s

    def abort(self, why: str) -> None:
        """Cut the connection: a client that reads nothing would not see a farewell."""
        if self._is_cut:
            return
        self._is_cut = True
        self.entry.complain(f"the connection was cut: {why}")
        self.drop_waiting()
        if self._transport is not None:
            self._transport.abort()

    # -- from the client

    def open(self) -> None:
        """The connection stands."""
        self._do(self.session.opened)

    def take(self, data: str | bytes) -> None:
        """The client has sent a message."""
        self.entry.bytes_in += len(data)
        self.entry.seen_ps = self._desk.driver.now_ps
        self.entry.is_changed = True
        self._do(lambda: self.session.received(data, self._desk.now_s))
        if name := getattr(self.session, "name", ""):  # of protocols in which an agent can say it
            self.entry.name = shown(name)

    def leave(self) -> None:
        """The client has gone."""
        self._is_over = True
        self._desk.gone(self, sorted(self._names))
        self.entry.open_requests = max(0, self.entry.open_requests - len(self._orders))
        self.entry.seen_ps = self._desk.driver.now_ps
        self.entry.stage = ""
        self.entry.is_changed = True
        self._orders.clear()

    # -- from the desk

    def started(self, order: Order, pipeline: str) -> None:
        if order.ticket is not None:
            self._roster.has_session(self.entry, order.ticket.conversation.number, order.lane)
        self._do(lambda: self.session.started(order.request.ident, order.reply, pipeline))

    def phase(self, order: Order, stage: str, at_ms: float, position: int | None) -> None:
        self.entry.stage = stage
        self.entry.is_changed = True
        self._do(lambda: self.session.phase(order.request.ident, stage, at_ms, position))

    def tokens(self, order: Order, given: int) -> None:
        self._do(lambda: self.session.tokens(order.request.ident, given, self._desk.now_s))

    def ended(self, order: Order, outcome: Outcome) -> None:
        if self._orders.pop(order.request.ident, None) is not None:
            self.entry.open_requests = max(0, self.entry.open_requests - 1)
        if not self._orders:
            self.entry.stage = ""
        if outcome.end not in (End.DONE, End.CANCELLED):
            self.entry.complain(outcome.reason)
        self.entry.is_changed = True
        self._do(lambda: self.session.ended(order.request.ident, outcome, self._desk.now_s))

    def tick(self) -> None:
        self._due_s = None
        self._do(lambda: self.session.tick(self._desk.now_s))

    # -- effects

    def _do(self, call: Callable[[], Sequence[Effect]]) -> None:
        """Let the session work and carry out what it asks; a defect of ours costs this client its connection only."""
        if self._is_over:
            return
        try:
            for effect in call():
                self._carry_out(effect)
            self._set_alarm()
        except Exception as error:
            self._desk.troubles.add(f"the {self.entry.protocol} session of {self.entry.name}", error)
            self.entry.complain("a defect of the gateway: see its log")
            self._is_over = True
            self.close(1011, "internal error")

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Send():
                if _is_error(effect.message):
                    self.entry.complain(_words(effect.message))
                self.send(effect)
            case Submit(request):
                if not self._may_ask():
                    order = self._desk.turn_away(self, request, "too many requests per second for this gateway")
                else:
                    order = self._desk.place(self, request, self._preferred)
                self._note(order)
            case Cancel(ident):
                if (found := self._orders.get(ident)) is not None:
                    self._desk.cancel(found)
            case Close(code, reason):
                self.close(code, reason)

    def _may_ask(self) -> bool:
        """Whether there is a permit for a model request; one agent leaves others theirs."""
        now_s = time.monotonic()
        if self.entry.permits is None:
            self.entry.permits = self._rate.part(0.5)
        return self.entry.permits.take(now_s) and self._rate.take(now_s)

    def _note(self, order: Order) -> None:
        """What the roster tells of an order."""
        request, entry = order.request, self.entry
        self._orders[request.ident] = order
        entry.open_requests += 1
        entry.kind = self._desk.driver.plan.workload.kinds.index(request.agent)
        sent_ms = getattr(self.session, "client_sent_ms", None)  # of protocols in which an agent can say it
        entry.lag_ms = None if sent_ms is None else max(0.0, time.time() * 1000 - sent_ms)
        if request.is_private:
            self._names.add(request.conversation)

    def _set_alarm(self) -> None:
        due_s = self.session.due_s()
        if due_s is not None and (self._due_s is None or due_s < self._due_s):
            self._due_s = due_s
            self._desk.wake_at(self, due_s)


def _is_error(message: Mapping[str, object]) -> bool:
    """Whether a message tells the client that it has done something wrong."""
    if "error" in (message.get("type"), message.get("op")):
        return True
    return message.get("error") is not None and "type" not in message


def _words(message: object) -> str:
    """What an error message says."""
    error = (message.get("error") or message) if isinstance(message, dict) else message
    return str(error.get("message", error)) if isinstance(error, dict) else str(error)
