"""Tells a broker what an engine tells: a task of its own, beside the engine, which never waits for it.

What is worth keeping waits in a journal while the broker is away, and goes out in order when it is back. Of gauges,
clock and load the latest goes out once a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from subsecond.engine.feed import (
    Annotation,
    Clock,
    FaultNote,
    Gauges,
    Hello,
    Load,
    Message,
    Notice,
    OutsideAgent,
    TurnEnd,
)
from subsecond.engine.feed import encode as encode_message
from subsecond.engine.script import OutsideRequest, SessionNote

from .broker import Broker, Pauses, connection, words_of
from .journal import LIMIT, Entry, Journal
from .tasks import answer, first_of
from .topics import Agents, KnobTurned, ScenarioTables, Status, encode, read_again, topic_level

if TYPE_CHECKING:
    from aiomqtt import Client
    from aiomqtt import Message as Incoming

    from subsecond.engine.recording.schema import Origin

__all__ = ["Obey", "Telemetry"]

#: Seconds between two looks at what is to be sent, and between two gauges.
BATCH_S: Final = 0.1
LATEST_S: Final = 1.0
#: Batches under way that the broker has not confirmed.
WINDOW: Final = 16
#: Seconds for the last words.
FAREWELL_S: Final = 2.0
#: Runs of one engine that wait for a broker which is away.
MOST_RUNS: Final = 4
#: Agents from outside that are told of, and batches that one request may get.
MOST_AGENTS, MOST_AGAIN = 128, 200
#: Longest command, in bytes.
MAX_COMMAND: Final = 64 * 1024

#: Does what a command says, given as JSON.
Obey = Callable[[bytes], Awaitable[None]]


@dataclass(slots=True, eq=False)
class _Run:
    hello: Hello
    scenario: ScenarioTables
    journal: Journal
    since_unix_s: float
    has_new_hello: bool = True
    #: Topic -> the latest payload; those that are to be sent; those that the broker retains.
    latest: dict[str, Message] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    retained: set[str] = field(default_factory=set)
    agents: dict[int, OutsideAgent] = field(default_factory=dict)
    #: Numbers of the last batches that the status has told of.
    told_batches: dict[str, int] = field(default_factory=dict)


class Telemetry:
    """What an engine tells a broker. All but `run` returns at once, in the engine's loop.

    Args:
        obey: does what commands say; None: none is obeyed.
        limit: messages that wait for a broker which is away; beyond, the oldest are dropped.
    """

    def __init__(self, broker: Broker, *, obey: Obey | None = None, limit: int = LIMIT) -> None:
        import aiomqtt  # noqa: F401  # takes a while: before an engine is under way

        self._broker = broker
        self._obey = obey
        self._limit = limit
        self._engine = uuid.uuid4().hex[:12]
        self._runs: list[_Run] = []
        #: Topics of former runs that the broker is to forget.
        self._stale: set[str] = set()
        self._news: list[Notice] = []
        self._pauses = Pauses()
        #: The present connection; None: there is none.
        self.client: Client | None = None
        self._away_since: float | None = None
        self._told_dropped = 0
        self._dropped_before = 0

    @property
    def dropped(self) -> int:
        """Turns and notes that the broker has never got."""
        return self._dropped_before + sum(run.journal.dropped for run in self._runs)

    @property
    def is_delivered(self) -> bool:
        """Whether the broker has confirmed everything that is worth keeping."""
        return all(run.journal.is_delivered for run in self._runs)

    def begin(self, hello: Hello, tables: Mapping[str, Any], origin: Origin | None = None) -> None:
        """A run begins, or something of it that its first message says has changed."""
        if self._runs and self._runs[-1].hello.run == hello.run:
            self._runs[-1].hello = hello
            self._runs[-1].has_new_hello = True
            return
        self._runs.append(_Run(hello, _scenario(tables, origin), Journal(self._limit), time.time()))
        if len(self._runs) > MOST_RUNS:  # the first is under way; the broker has not heard of the second
            gone = self._runs.pop(1)
            for _ in gone.journal.unsent():
                pass
            self._dropped_before += gone.journal.dropped

    def put(self, messages: Sequence[Message | KnobTurned | SessionNote | OutsideRequest]) -> None:
        """Tell messages of the run that began last."""
        run = self._runs[-1]
        for message in messages:
            match message:
                case (
                    TurnEnd() | FaultNote() | Notice() | KnobTurned() | Annotation() | SessionNote() | OutsideRequest()
                ):
                    run.journal.add(message)
                case Gauges(lane=lane):
                    self._put_latest(run, f"gauges/{topic_level(run.hello.lanes[lane].name)}", message)
                case Clock():
                    self._put_latest(run, "clock", message)
                case Load():
                    self._put_latest(run, "load", message)
                case OutsideAgent(agent=agent):
                    run.agents.pop(agent, None)
                    run.agents[agent] = message
                    if len(run.agents) > MOST_AGENTS:
                        _forget_one(run.agents)
                    run.changed.add("outside-agents")

    def _put_latest(self, run: _Run, topic: str, message: Message) -> None:
        run.latest[topic] = message
        run.changed.add(topic)

    def news(self) -> list[Notice]:
        """What a person should read about the broker; each is told once."""
        news, self._news = self._news, []
        return news

    # -- the task

    async def run(self) -> None:
        """Tell, until cancelled; then say that the run has ended, if the broker listens."""
        from aiomqtt import MqttError

        while True:
            run = self._runs[0]
            try:
                async with connection(self._client(run)) as self.client:
                    await self._serve(self.client, run)
            except (MqttError, OSError, ValueError) as error:
                self.client = None
                self._miss(error)
                await self._pauses.wait()
            else:
                self.client = None
                self._runs.remove(run)
                self._dropped_before += run.journal.dropped

    def _client(self, run: _Run) -> Client:
        from aiomqtt import Will

        will = Will(self._topic(run, "status"), encode(self._status(run, reason="lost")), qos=1, retain=True)
        return self._broker.client(f"subsecond-{run.hello.run}", will=will, window=WINDOW)

    def _topic(self, run: _Run, rest: str) -> str:
        return f"{self._broker.prefix}/{run.hello.run}/{rest}"

    def _status(self, run: _Run, *, reason: str = "") -> Status:
        hello = run.hello
        return Status(
            online=not reason,
            run=hello.run,
            engine=self._engine,
            scenario=hello.scenario,
            title=hello.title,
            lanes=tuple(lane.name for lane in hello.lanes),
            host=socket.gethostname(),
            since_unix_s=run.since_unix_s,
            takes_commands=self._obey is not None,
            reason=reason,
            dropped=self.dropped,
            batches=run.journal.batches,
        )

    def _miss(self, error: Exception) -> None:
        """There is no connection: one notice says so, however many attempts fail."""
        if self._away_since is None:
            self._away_since = time.monotonic()
            words = f"MQTT: no broker at {self._broker.url} ({words_of(error)}); the run goes on, and turns wait for it"
            self._news.append(Notice("warning", words))

    def _reach(self) -> None:
        self._pauses.begin_again()
        if self._away_since is None:
            return
        seconds, self._away_since = time.monotonic() - self._away_since, None
        lost, self._told_dropped = self.dropped - self._told_dropped, self.dropped
        level, what = ("warning", f"{lost:,} turns and notes were dropped") if lost else ("info", "nothing was lost")
        self._news.append(Notice(level, f"MQTT: the broker is back after {seconds:.0f} s; {what}"))

    async def _serve(self, client: Client, run: _Run) -> None:
        """Tell one run over one connection; returns when the next one has begun and all is told of this one."""
        await answer(client.subscribe(self._topic(run, "again"), qos=0))
        if self._obey is not None:
            await answer(client.subscribe(self._topic(run, "control"), qos=1))
        requests: asyncio.Queue[Incoming] = asyncio.Queue(64)
        try:
            await first_of(self._send(client, run), self._listen(client, requests), self._answer(client, run, requests))
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):  # last words; nobody is left to hear why they could not be said
                async with asyncio.timeout(FAREWELL_S):
                    run.journal.begin_again()
                    await self._part(client, run, "ended")
            raise

    async def _send(self, client: Client, run: _Run) -> None:
        run.journal.begin_again()
        run.changed |= set(run.latest)
        run.has_new_hello = True
        await self._tell_hello(client, run)
        await self._tell_status(client, run)
        self._reach()
        for topic in sorted(self._stale):
            await answer(client.publish(topic, b"", qos=1, retain=True))
            self._stale.discard(topic)
        next_latest = 0.0
        while True:
            await self._deliver(client, run)
            if run.has_new_hello:
                await self._tell_hello(client, run)
            if time.monotonic() >= next_latest:
                next_latest = time.monotonic() + LATEST_S
                await self._tell_latest(client, run)
            if run is not self._runs[-1]:
                await self._part(client, run, "replaced")
                return
            await asyncio.sleep(BATCH_S)

    async def _tell_hello(self, client: Client, run: _Run) -> None:
        run.has_new_hello = False
        for topic, payload in (("scenario", encode(run.scenario)), ("hello", encode_message(run.hello))):
            run.retained.add(topic)
            await answer(client.publish(self._topic(run, topic), payload, qos=1, retain=True))

    async def _tell_status(self, client: Client, run: _Run, reason: str = "") -> None:
        run.retained.add("status")
        run.told_batches = run.journal.batches
        payload = encode(self._status(run, reason=reason))
        await answer(client.publish(self._topic(run, "status"), payload, qos=1, retain=True))

    async def _tell_latest(self, client: Client, run: _Run) -> None:
        """Of what changes all the time only the latest counts: retained, so that newcomers see it at once."""
        if run.journal.batches != run.told_batches:  # whoever missed the last of them would not notice
            await self._tell_status(client, run)
        changed, run.changed = run.changed, set()
        for topic in sorted(changed):
            is_agents = topic == "outside-agents"
            payload = encode(Agents(tuple(run.agents.values()))) if is_agents else encode_message(run.latest[topic])
            run.retained.add(topic)
            await answer(client.publish(self._topic(run, topic), payload, qos=0, retain=True))

    async def _deliver(self, client: Client, run: _Run) -> None:
        """Send what waits, some batches at a time."""
        underway: set[asyncio.Task[None]] = set()
        try:
            for entry in run.journal.unsent():
                underway.add(asyncio.create_task(self._publish(client, run, entry)))
                if len(underway) >= WINDOW:
                    underway = await _one_less(underway)
            while underway:
                underway = await _one_less(underway)
        finally:
            for task in underway:
                task.cancel()
            await asyncio.gather(*underway, return_exceptions=True)

    async def _publish(self, client: Client, run: _Run, entry: Entry) -> None:
        # Whether the broker is there is found out by the one who listens: a slow one may take its time.
        await answer(client.publish(self._topic(run, entry.kind), entry.payload, qos=1, timeout=float("inf")))
        entry.is_delivered = True

    async def _part(self, client: Client, run: _Run, reason: str) -> None:
        """Say the rest, and that there is no more; what only a run that goes on needs is forgotten."""
        await self._deliver(client, run)
        await self._tell_latest(client, run)  # the last clock says how long the run was
        await self._tell_status(client, run, reason)
        topics = {self._topic(run, rest) for rest in run.retained}
        if reason == "replaced":  # the next run is in its place: nothing of this one is worth a line
            self._stale |= topics
            return
        keep = {self._topic(run, rest) for rest in ("status", "hello")}
        for topic in sorted(topics - keep):
            await answer(client.publish(topic, b"", qos=1, retain=True))

    async def _listen(self, client: Client, requests: asyncio.Queue[Incoming]) -> None:
        """Take what others ask for; it is done elsewhere, so that a broker that goes away is noticed at once."""
        async for incoming in client.messages:
            # One that the broker has kept was meant for another time.
            if not incoming.retain and isinstance(incoming.payload, bytes) and not requests.full():
                requests.put_nowait(incoming)

    async def _answer(self, client: Client, run: _Run, requests: asyncio.Queue[Incoming]) -> None:
        while True:
            incoming = await requests.get()
            assert isinstance(incoming.payload, bytes)
            if incoming.topic.value.endswith("/again"):
                await self._tell_again(client, run, incoming.payload)
            elif self._obey is not None:
                if len(incoming.payload) <= MAX_COMMAND:
                    await self._obey(incoming.payload)
                else:
                    run.journal.add(Notice("error", f"a command of {len(incoming.payload)} bytes over MQTT"))

    async def _tell_again(self, client: Client, run: _Run, payload: bytes) -> None:
        try:
            again = read_again(payload)
        except ValueError:  # whoever asks wrongly gets no answer
            return
        topic = self._topic(run, f"past/{again.client}")
        entries, gone = run.journal.again(again.kind, again.first, min(again.last, again.first + MOST_AGAIN - 1))
        if gone is not None:
            await answer(client.publish(topic, encode(gone), qos=1))
        for entry in entries:
            await answer(client.publish(topic, entry.payload, qos=1))


def _scenario(tables: Mapping[str, Any], origin: Origin | None) -> ScenarioTables:
    written = msgspec.to_builtins(tables, str_keys=True)
    if origin is None:
        return ScenarioTables(written)
    return ScenarioTables(written, origin.folder, msgspec.to_builtins(origin.reserve))


async def _one_less(underway: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    done, rest = await asyncio.wait(underway, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return rest


def _forget_one(agents: dict[int, OutsideAgent]) -> None:
    """Forget the agent that has gone, or else the one that nothing has been heard of for the longest time."""
    gone = next((number for number, one in agents.items() if not one.is_connected), next(iter(agents)))
    del agents[gone]
