"""Many outside agents in one process: starts them, lets them end, and sums up what they measured."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from subsecond.engine.errors import InputError

from .audio import silence_frames, speech_frames
from .beats import Beats, Gaps, Times
from .clock import Clock
from .coding import CodingAgent
from .connection import Address, Connector
from .measure import LATE_MS, Report, Sends, Tally
from .scripts import arrivals, calls, coding_sessions
from .shared import Shared
from .text import words
from .voice import Caller

__all__ = ["KINDS", "Fleet", "Orders"]

#: Protocol that each kind of agent speaks.
KINDS: Final = {"coding": "responses", "voice": "realtime"}
#: Seconds between the starts of two sessions of a closed loop, and within which all have started.
START_GAP_S: Final = 0.02
START_S: Final = 10.0
#: Handshakes at once, and seconds that turns under way are given at the end.
HANDSHAKES: Final = 32
GRACE_S: Final = 45.0
#: Seconds between two looks at how late timers fire.
TIMER_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Orders:
    """What a fleet does.

    Attributes:
        kind: "coding" or "voice".
        rate_per_s: turns per second of an open loop; None: closed loop.
        turns: of each session, at most; None: no limit.
        duration_s: after which no turn begins; None: no limit.
        pace: tools and people are so many times faster; not with a rate.
    """

    kind: str
    url: str
    model: str
    sessions: int = 1
    seed: int = 1
    rate_per_s: float | None = None
    turns: int | None = None
    duration_s: float | None = None
    pace: float = 1.0
    token: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError("agent", "", self.kind, " or ".join(KINDS))
        self._whole("--sessions", self.sessions, 1, 10_000)
        self._whole("--seed", self.seed, 0, 2**31)
        if self.turns is not None:
            self._whole("--turns", self.turns, 1, 2**31)
        for option, value in (("--rate", self.rate_per_s), ("--duration", self.duration_s), ("--pace", self.pace)):
            if value is not None and not 0.001 <= value <= 1e6:
                raise InputError(option, "", value, "a number from 0.001 to 1e6")

    @staticmethod
    def _whole(option: str, value: int, low: int, high: int) -> None:
        if not low <= value <= high:
            raise InputError(option, "", value, f"a whole number from {low} to {high}")


class Agent(Protocol):
    """One session after the other, until no more turns are due."""

    async def open(self) -> None: ...

    async def run(self) -> None: ...

    async def close(self) -> None: ...


class Fleet:
    """All agents of one command.

    Raises:
        InputError: a value that cannot be used.
    """

    def __init__(self, orders: Orders, clock: Clock | None = None) -> None:
        self.orders = orders
        self.tally = Tally()
        self._clock = clock or Clock()
        self._connector = Connector(
            Address(orders.url, orders.model, orders.token), KINDS[orders.kind], self._clock, orders.seed
        )
        self._beats = self._make_beats()
        self._agents = self._make_agents()
        self._hurry = asyncio.Event()
        self._began_s = 0.0
        self._unsent = self._unfinished = 0

    @property
    def wall_s(self) -> float:
        """Seconds since the first turn could begin."""
        return self._clock.now_s() - self._began_s if self._began_s else 0.0

    @property
    def reconnects(self) -> int:
        return self._connector.reconnects

    @property
    def is_ending(self) -> bool:
        """Whether no other turn begins."""
        return self._beats.over.is_set()

    def hurry(self) -> None:
        """Do not wait for the turns under way when the end has come."""
        self._hurry.set()

    def _make_beats(self) -> Beats:
        orders = self.orders
        if orders.rate_per_s is None:
            return Gaps(self._clock, orders.pace)
        return Times(self._clock, self._shifted(arrivals(orders.kind, orders.seed, orders.rate_per_s)))

    def _shifted(self, times_s: Iterator[float]) -> Iterator[float]:
        """Arrivals counted from when all connections stood."""
        for time_s in times_s:
            yield self._began_s + time_s

    def _make_agents(self) -> list[Agent]:
        orders = self.orders
        names = [f"{orders.kind}-{number}" for number in range(1, orders.sessions + 1)]
        shared = Shared(self._connector, self._beats, self._clock, self.tally, orders.turns)
        if orders.kind == "coding":
            sessions = coding_sessions(orders.seed)
            return [CodingAgent(name, shared, sessions) for name in names]
        scripts = calls(orders.seed)
        return [Caller(name, shared, scripts) for name in names]

    async def run(self, stop: asyncio.Event) -> Report:
        """Run until all turns are done, time is up, or `stop` is set; then turns under way may end.

        Raises:
            InputError: the gateway cannot be reached at first, or refuses for good.
        """
        timer = asyncio.create_task(self._watch_timer())
        try:
            await self._connect()
            self._began_s = self._clock.now_s()
            await self._work(stop)
            ended_s = self.wall_s
            return self._report(ended_s)
        finally:
            timer.cancel()
            await asyncio.gather(timer, *(agent.close() for agent in self._agents), return_exceptions=True)

    async def _connect(self) -> None:
        """All connections; the first one alone, so that what is wrong is said once."""
        await self._agents[0].open()
        # made once for all agents: no turn shall wait for it
        words(1, 0)
        speech_frames()
        silence_frames()
        gate = asyncio.Semaphore(HANDSHAKES)

        async def open_one(agent: Agent) -> None:
            async with gate:
                await agent.open()

        await asyncio.gather(*(open_one(agent) for agent in self._agents[1:]))

    async def _work(self, stop: asyncio.Event) -> None:
        running = [asyncio.create_task(self._start(number, agent)) for number, agent in enumerate(self._agents)]
        stopping = asyncio.create_task(stop.wait())
        try:
            ended = await self._until_over(running, stopping)
            self._unsent = self._beats.unsent() if not ended else 0
            self._beats.over.set()
            if not ended:
                await self._let_end(running)
        finally:
            stopping.cancel()
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _let_end(self, running: list[asyncio.Task[None]]) -> None:
        """Wait for the turns under way, but not for ever."""
        ending = asyncio.gather(*running)
        hurrying = asyncio.create_task(self._hurry.wait())
        await asyncio.wait((ending, hurrying), timeout=GRACE_S, return_when=asyncio.FIRST_COMPLETED)
        hurrying.cancel()
        if ending.done():
            ending.result()
        else:
            self._unfinished = self.tally.under_way
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)

    async def _until_over(self, running: list[asyncio.Task[None]], stopping: asyncio.Task[bool]) -> bool:
        """Wait for the end; True if all agents have come to theirs."""
        duration_s = self.orders.duration_s
        end_s = None if duration_s is None else self._began_s + duration_s
        left = set(running)
        while left:
            rest_s = None if end_s is None else max(0.0, self._clock.rest_s(end_s))
            done, _ = await asyncio.wait({*left, stopping}, timeout=rest_s, return_when=asyncio.FIRST_COMPLETED)
            for task in done & left:
                task.result()
            if stopping in done or not done:
                return False
            left -= done
        return True

    async def _start(self, number: int, agent: Agent) -> None:
        if self.orders.rate_per_s is None:
            gap_s = min(START_GAP_S, START_S / self.orders.sessions)
            await self._clock.until(self._began_s + number * gap_s)
        await agent.run()

    async def _watch_timer(self) -> None:
        """How late this program's own timers are: what part of all differences is its own."""
        while True:
            due_s = self._clock.now_s() + TIMER_S
            await self._clock.until(due_s)
            self.tally.time("timer_ms", (self._clock.now_s() - due_s) * 1e3)

    def _report(self, wall_s: float) -> Report:
        orders, tally = self.orders, self.tally
        return Report(
            schema="subsecond.agent/1",
            agents=orders.kind,
            url=self._connector.address.url,
            model=orders.model,
            sessions=orders.sessions,
            seed=orders.seed,
            rate_per_s=orders.rate_per_s,
            wall_s=wall_s,
            turns=tally.turns,
            turns_per_s=tally.turns / wall_s if wall_s else 0.0,
            output_tokens=tally.output_tokens,
            client=tally.both("client"),
            server=tally.both("server"),
            difference=tally.both("difference"),
            stages_ms=tally.stage_means_ms(),
            sends=Sends(LATE_MS, tally.late(), tally.quantiles("delay_ms"), self._unsent, self._unfinished),
            timer_ms=tally.quantiles("timer_ms"),
            interrupted=tally.interrupted,
            interruption_ms=tally.quantiles("interruption_ms"),
            reconnects=self._connector.reconnects,
            errors=dict(tally.errors.most_common()),
        )
