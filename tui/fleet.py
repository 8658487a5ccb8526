"""What a dashboard knows of all engines on a broker: their status, and a watch for each that goes on all the time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from subsecond.engine.commands import Command
from subsecond.engine.errors import InputError
from subsecond.engine.feed import Hello, Notice, OutsideAgent
from subsecond.engine.script import OutsideRequest, SessionNote
from subsecond.engine.telemetry.listener import Away, Back, Event, Forgotten, Heard, Missed, Refused
from subsecond.engine.telemetry.topics import KnobTurned, ScenarioTables, Status
from subsecond.tui.snapshot import Snapshot
from subsecond.tui.source import Gone, Item
from subsecond.tui.watch import Watch, Word

__all__ = ["Engine", "EngineSource", "Fleet", "Send"]

#: Seconds for which a picture of an engine's run is good enough for the fleet.
FRESH_S = 1.0
#: Engines that are shown.
MOST_ENGINES = 500

#: Carries a command to a run; False if there is no broker.
Send = Callable[[str, Command], "asyncio.Future[bool]"]
_REASONS = {
    "lost": "the engine was cut off or has died; its last will says so",
    "ended": "the engine has ended its run",
}


class EngineSource:
    """Where the commands for one engine go; its messages come through the fleet."""

    def __init__(self, place: str, send: Send) -> None:
        self.place = place
        self._send = send
        self.status: Status | None = None

    async def items(self) -> AsyncIterator[Item]:
        """Nothing: the fleet hands on what comes."""
        nothing: tuple[Item, ...] = ()
        for item in nothing:
            yield item

    async def send(self, command: Command) -> bool:
        """Send a command.

        Raises:
            InputError: the engine takes none over the broker.
        """
        status = self.status
        if status is None or not status.online:
            return False
        if not status.takes_commands:
            raise InputError(
                status.host, "", "a command over MQTT", "none: the engine was started without --mqtt-control"
            )
        return await self._send(status.run, command)


@dataclass(eq=False)
class Engine:
    """An engine.

    Attributes:
        watch: of its present run.
        source: of the watch.
        heard_s: when something came from it last, by the clock of the fleet; None: it was gone before we came.
        agents: those from outside, by number.
    """

    status: Status
    watch: Watch
    source: EngineSource
    heard_s: float | None
    agents: dict[int, OutsideAgent] = field(default_factory=dict)
    is_shown: bool = False
    _picture: tuple[float, Snapshot] | None = None

    def picture(self, now_s: float) -> Snapshot | None:
        """Its run, at most a second ago; None: nothing is known of it yet."""
        if self.watch.model is None:
            return None
        if self._picture is None or now_s - self._picture[0] >= FRESH_S:
            self._picture = now_s, self.watch.model.snapshot()
        return self._picture[1]

    @property
    def num_agents(self) -> int:
        """Agents from outside that are connected."""
        return sum(agent.is_connected for agent in self.agents.values())

    @property
    def state(self) -> str:
        """`online`, `paused`, `offline` or `ended`."""
        if not self.status.online:
            return "ended" if self.status.reason == "ended" else "offline"
        clock = None if self.watch.model is None else self.watch.model.clock
        return "paused" if clock is not None and clock.paused else "online"


class Fleet:
    """Takes what a `Listener` tells.

    Args:
        place: the broker, for people.
        send: carries commands.
        tell: called with what the user should read.

    Attributes:
        engines: by their id.
        away: why there is no broker; empty while there is one.
        is_listening: whether there has been one.
        refused: payloads that were not understood.
        has_news: whether anything has come; whoever draws sets it back.
    """

    def __init__(
        self, place: str, send: Send, tell: Callable[[Word], None], now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.place = place
        self._send = send
        self._tell = tell
        self.now_s = now_s
        self.engines: dict[str, Engine] = {}
        #: Run -> its engine.
        self._runs: dict[str, Engine] = {}
        #: Runs whose status has not come: what came before it.
        self._early: dict[str, list[Event]] = {}
        self.away = ""
        self.is_listening = False
        self.refused = 0
        self.has_news = False

    def take(self, event: Event) -> None:
        """Take an event."""
        self.has_news = True
        match event:
            case Away(reason):
                if not self.away:
                    self._tell(Word(reason, "error", "No broker"))
                self.away = reason
            case Back():
                self.away, self.is_listening = "", True
            case Refused(reason):
                self.refused += 1
                if self.refused == 1:  # the header counts the others
                    self._tell(Word(reason, "warning", "A payload was not understood"))
            case Forgotten(run):
                engine = self._runs.pop(run, None)
                if engine is not None and engine.status.run == run:
                    self.engines.pop(engine.status.engine, None)
            case Missed(run, kind, batches):
                if run in self._runs:
                    text = f"{batches} batches of {kind} were lost on the way here"
                    self._runs[run].watch.take(Notice("warning", text))
            case Heard(run, Status() as status):
                self._take_status(run, status)
            case Heard(run):
                engine = self._runs.get(run)
                if engine is not None:
                    self._hand_on(engine, event)
                elif len(self._early) < MOST_ENGINES or run in self._early:
                    waiting = self._early.setdefault(run, [])
                    if len(waiting) < 1_000:
                        waiting.append(event)

    def _take_status(self, run: str, status: Status) -> None:
        engine = self._runs.get(run) or self.engines.get(status.engine)
        if status.reason == "replaced" or (
            engine is not None and engine.status.run != run and engine.status.since_unix_s > status.since_unix_s
        ):
            self._early.pop(run, None)
            return  # another run is in its place, or will be
        if engine is None:
            if len(self.engines) >= MOST_ENGINES:
                return
            engine = self._new(status)
        if engine.status.run != run:
            self._runs.pop(engine.status.run, None)
            engine.agents.clear()
        engine.status = status
        if status.online or engine.heard_s is not None:
            engine.heard_s = self.now_s()
        engine.source.status = status
        self._runs[run] = engine
        for event in self._early.pop(run, []):
            assert isinstance(event, Heard)
            self._hand_on(engine, event)
        if status.online:
            engine.watch.gone = ""
        else:
            engine.watch.take(Gone(_REASONS.get(status.reason, "the engine is offline")))
        engine.watch.has_news = True

    def _new(self, status: Status) -> Engine:
        source = EngineSource(f"{self.place}/{status.run}", self._send)
        watch = Watch(source, lambda word: self._tell(word) if engine.is_shown else None)
        engine = Engine(status, watch, source, None)
        self.engines[status.engine] = engine
        return engine

    def _hand_on(self, engine: Engine, event: Heard) -> None:
        """Let the engine's watch have a message; the same `hello` again would let it forget all that came since."""
        message = event.message
        if engine.status.online:  # what the broker has kept of one that is gone is old
            engine.heard_s = self.now_s()
        if isinstance(
            message, Status | ScenarioTables | KnobTurned | SessionNote | OutsideRequest
        ):  # a notice says what a knob has done
            return
        if isinstance(message, OutsideAgent):
            engine.agents[message.agent] = message
        model = engine.watch.model
        if isinstance(message, Hello) and model is not None and model.hello.run == message.run:
            return
        engine.watch.take(message)
