"""Hears what engines tell a broker: each thing once and in order, whatever the broker does meanwhile.

After a broker was away, or when it has left something out, what is missing is asked for again; what nobody has any
more is counted.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from subsecond.engine.commands import Command
from subsecond.engine.feed import Clock, Gauges, Hello, Load, OutsideAgent
from subsecond.engine.feed import encode as encode_command
from subsecond.engine.feed_check import check

from .broker import Broker, Pauses, connection, words_of
from .script_check import check_kept
from .sequence import Sequence
from .tasks import answer, first_of
from .topics import (
    KINDS,
    RETAINED,
    SCRIPT,
    Again,
    Agents,
    Batch,
    Forget,
    Gone,
    Kept,
    ScenarioTables,
    Status,
    Told,
    encode,
    read_told,
    topic_level,
)

if TYPE_CHECKING:
    from aiomqtt import Client
    from aiomqtt import Message as Incoming

__all__ = ["Away", "Back", "Event", "Forgotten", "Heard", "Listener", "Missed", "Refused"]

#: Seconds between two looks at what is missing; for which nothing of it has come when it is asked for once more, and
#: when it is given up.
LOOK_S, AGAIN_S, GIVE_UP_S = 0.25, 0.75, 10.0
#: Batches that are asked for at a time.
MOST_AGAIN: Final = 200
#: Runs that are listened to, and batches that wait for the first message of their run.
MOST_RUNS, MOST_EARLY = 1_000, 1_000


@dataclass(frozen=True, slots=True)
class Heard:
    """A run says something."""

    run: str
    message: Status | Hello | ScenarioTables | Clock | Load | Gauges | OutsideAgent | Kept


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Somebody had the broker forget a run."""

    run: str


@dataclass(frozen=True, slots=True)
class Missed:
    """Batches of a topic that nobody has any more."""

    run: str
    kind: str
    batches: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that came is none of ours; `reason` says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Away:
    """There is no broker; `reason` says why, in words. `is_refused`: there is one that does not let us in."""

    reason: str
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class Back:
    """There is a broker, and we are listening."""


Event = Heard | Forgotten | Missed | Refused | Away | Back


@dataclass(slots=True, eq=False)
class _Topic:
    sequence: Sequence
    #: When it was asked for what is missing or something of it came; since when the same batch has been missing.
    asked_at: float = 0.0
    missing_since: float = 0.0
    missing: int | None = None


@dataclass(slots=True, eq=False)
class _Run:
    hello: Hello | None
    topics: dict[str, _Topic]
    #: Topic -> what it said last, of those that say the same again to newcomers.
    last: dict[str, bytes] = field(default_factory=dict)
    early: list[tuple[str, Told]] = field(default_factory=list)
    agents: dict[int, OutsideAgent] = field(default_factory=dict)


class Listener:
    """Listens to all runs on a broker, or to one.

    Args:
        tell: called with what is heard.
        only: the run; None: all.
        past_batches: of every topic of a run so many batches of those from before we came are wanted; None: all.
        has_script: what it takes to run a run again is wanted, too.
    """

    def __init__(
        self,
        broker: Broker,
        tell: Callable[[Event], None],
        *,
        only: str | None = None,
        past_batches: int | None = 0,
        has_script: bool = False,
    ) -> None:
        import aiomqtt  # noqa: F401  # takes a while: before anything is under way

        self._broker = broker
        self._tell = tell
        self._only = only
        self._name = f"subsecond-{uuid.uuid4().hex[:12]}"
        self._past_batches = past_batches
        self._kinds = [kind for kind in KINDS.values() if has_script or kind not in SCRIPT]
        self._runs: dict[str, _Run] = {}
        self._client: Client | None = None
        self._pauses = Pauses()

    async def run(self) -> None:
        """Listen until cancelled."""
        from aiomqtt.exceptions import MqttConnectError, MqttError

        while True:
            try:
                client = self._broker.client(self._name)
                async with connection(client):
                    await self._subscribe(client)
                    self._pauses.begin_again()
                    self._client = client
                    self._tell(Back())
                    await first_of(self._hear(client), self._look(client))
            except (MqttError, OSError, ValueError) as error:
                is_refused = isinstance(error, MqttConnectError)
                self._tell(Away(f"no broker at {self._broker.url} ({words_of(error)})", is_refused))
            finally:
                self._client = None
            await self._pauses.wait()

    async def send(self, run: str, command: Command) -> bool:
        """Ask a run to do something; False if there is no broker to carry it."""
        return await self._publish(f"{run}/control", encode_command(command), retain=False)

    async def forget(self, run: str) -> bool:
        """Let the broker forget what it retains of a run that is over; False if there is no broker."""
        hello = self._runs[run].hello if run in self._runs else None
        gauges = [f"gauges/{topic_level(lane.name)}" for lane in hello.lanes] if hello is not None else []
        for rest in (*RETAINED, *gauges, "status"):
            if not await self._publish(f"{run}/{rest}", b"", retain=True):
                return False
        return True

    async def _publish(self, rest: str, payload: bytes, *, retain: bool) -> bool:
        from aiomqtt import MqttError

        if self._client is None:
            return False
        try:
            await answer(self._client.publish(f"{self._broker.prefix}/{rest}", payload, qos=1, retain=retain))
        except (MqttError, ValueError):
            return False
        return True

    async def _subscribe(self, client: Client) -> None:
        from aiomqtt import MqttError

        run = self._only or "+"
        wanted = ["status", *RETAINED, "gauges/+", *self._kinds, f"past/{self._name}"]
        granted = await answer(client.subscribe([(f"{self._broker.prefix}/{run}/{rest}", 1) for rest in wanted]))
        if any(code >= 128 if isinstance(code, int) else code.is_failure for code in granted):
            raise MqttError(f"it does not let us listen below {self._broker.prefix}")

    # -- what comes

    async def _hear(self, client: Client) -> None:
        count = 0
        async for incoming in client.messages:
            self._take(incoming)
            count += 1
            if count % 50 == 0:  # a crowd at once: let others have their turn
                await asyncio.sleep(0)

    def _take(self, incoming: Incoming) -> None:
        topic = incoming.topic.value.removeprefix(f"{self._broker.prefix}/")
        try:
            assert isinstance(incoming.payload, bytes)
            name, told = read_told(topic, incoming.payload)
            if told is None:
                return
            if isinstance(told, Forget):
                if self._runs.pop(name, None) is not None:
                    self._tell(Forgotten(name))
                return
            run = self._run(name)
            if isinstance(told, Status | Hello | ScenarioTables):
                if run.last.get(topic) == incoming.payload:
                    return
                run.last[topic] = incoming.payload
            self._sort(name, run, told, is_past="/past/" in topic)
        except ValueError as error:
            self._tell(Refused(str(error)))

    def _run(self, name: str) -> _Run:
        run = self._runs.get(name)
        if run is None:
            if len(self._runs) >= MOST_RUNS:
                raise ValueError(f"more than {MOST_RUNS} runs")
            topics = {kind: _Topic(Sequence(past=self._past_batches)) for kind in self._kinds}
            run = self._runs[name] = _Run(None, topics)
        return run

    def _sort(self, name: str, run: _Run, told: Told, *, is_past: bool = False) -> None:
        """Tell what can be told now; what belongs to a run of which we know nothing waits for its first message."""
        match told:
            case Status():
                for kind, last in told.batches.items():
                    if kind in run.topics:
                        run.topics[kind].sequence.expect(last, is_there=told.online)
                self._tell(Heard(name, told))
            case ScenarioTables():
                self._tell(Heard(name, told))
            case Hello():
                run.hello = told
                self._tell(Heard(name, told))
                early, run.early = run.early, []
                for _, one in early:
                    self._sort(name, run, one)
            case _ if run.hello is None:
                if len(run.early) >= MOST_EARLY:
                    raise ValueError(f"run {name} says much, and not what it is")
                run.early.append((name, told))
            case Batch():
                batches = self._topic(run, told.kind)
                if is_past:
                    batches.asked_at = time.monotonic()
                self._give(name, run.hello, batches.sequence.take(told))
            case Gone():
                self._give_up(name, run, told.kind, told.last)
            case Agents():
                self._tell_agents(name, run, run.hello, told)
            case Clock() | Load() | Gauges():
                check(run.hello, told)
                self._tell(Heard(name, told))

    def _topic(self, run: _Run, kind: str) -> _Topic:
        if kind not in run.topics:
            raise ValueError(f"batches of {kind[:80]!r}")
        return run.topics[kind]

    def _tell_agents(self, name: str, run: _Run, hello: Hello, told: Agents) -> None:
        for agent in told.agents:
            check(hello, agent)
            if run.agents.get(agent.agent) != agent:
                self._tell(Heard(name, agent))
        run.agents = {agent.agent: agent for agent in told.agents}

    def _give(self, name: str, hello: Hello, batches: Iterable[Batch]) -> None:
        for batch in batches:
            for message in batch.messages:
                try:
                    check_kept(hello, message)
                except ValueError as error:
                    self._tell(Refused(str(error)))
                else:
                    self._tell(Heard(name, message))

    def _give_up(self, name: str, run: _Run, kind: str, last: int) -> None:
        topic = self._topic(run, kind)
        if run.hello is None or topic.sequence.missing is None:
            return
        lost, ready = topic.sequence.give_up(last)
        if lost:
            self._tell(Missed(name, kind, lost))
        self._give(name, run.hello, ready)

    # -- what does not come

    async def _look(self, client: Client) -> None:
        for run in self._runs.values():  # a request may have been lost with the former connection
            for topic in run.topics.values():
                topic.asked_at, topic.missing = 0.0, None
        while True:
            await asyncio.sleep(LOOK_S)
            for name, run in list(self._runs.items()):
                if run.hello is not None:
                    for kind, topic in run.topics.items():
                        await self._ask(client, name, run, kind, topic)

    async def _ask(self, client: Client, name: str, run: _Run, kind: str, topic: _Topic) -> None:
        missing, now = topic.sequence.missing, time.monotonic()
        if missing is None:
            return
        if topic.missing != missing[0]:
            topic.missing, topic.missing_since = missing[0], now
        if now - topic.missing_since > GIVE_UP_S:
            self._give_up(name, run, kind, missing[1])
        elif now - topic.asked_at > AGAIN_S:
            topic.asked_at = now
            again = Again(self._name, kind, missing[0], min(missing[1], missing[0] + MOST_AGAIN - 1))
            await answer(client.publish(f"{self._broker.prefix}/{name}/again", encode(again), qos=0))
