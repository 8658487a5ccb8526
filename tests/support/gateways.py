"""A service with a gateway in the test's own process, on pipelines so small that every token of KV can be followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from support.plans import plan, tool_turns
from support.small import workload

from subsecond.agents.gateway.desk import Desk
from subsecond.agents.gateway.limits import Limits
from subsecond.agents.gateway.server import Gateway
from subsecond.agents.plan import OUTSIDE_GROUPS
from subsecond.agents.service import Access, MakePlan, Service
from subsecond.engine.live.driver import LiveDriver
from subsecond.engine.run import Plan
from subsecond.engine.workload.assembly import merge
from subsecond.engine.workload.outside import outside_sessions, outside_workload

__all__ = ["SLOTS", "Served", "frames", "outside_plan", "running", "served", "until"]

WAIT_S = 60.0
#: Conversations of agents that can go on at a time.
SLOTS = 64
#: Tasks of a service that nobody has connected to, and of the test.
TASKS = 11
STAGES = (("audio_in", "endpointing", "speech_to_text"), ("text_to_speech", "audio_out"))


def outside_plan(_settings: Sequence[str] = ()) -> Plan:
    """Two pipelines that are the agents' own, but for four turns at the beginning."""
    own = tool_turns(workload(sessions=2, requests=2, kinds=("coding", "voice")))
    work = merge([own, outside_workload(SLOTS, OUTSIDE_GROUPS, ("coding", "voice"), *STAGES)])
    return replace(plan(work), outside=outside_sessions(work, SLOTS))


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""

    async with asyncio.timeout(WAIT_S / 2):
        while not is_so():
            await asyncio.sleep(0.002)


@dataclass
class Served:
    """A service that runs.

    Attributes:
        url: of HTTP.
        session: for requests to it.
    """

    service: Service
    url: str
    session: aiohttp.ClientSession
    before: set[asyncio.Task[Any]]

    @property
    def gateway(self) -> Gateway:
        assert self.service._gateway is not None
        return self.service._gateway

    @property
    def desk(self) -> Desk:
        return self.gateway.desk

    @property
    def driver(self) -> LiveDriver:
        return self.service._driver

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port

    def connect(self, path: str, **options: Any) -> Any:
        """A websocket of the gateway."""
        return self.session.ws_connect(f"{self.url}{path}", max_msg_size=0, **options)

    async def raw(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection without any protocol."""
        return await asyncio.open_connection(*self.address)

    async def chat(self, text: str = "Hello.", **fields: Any) -> tuple[int, dict[str, Any]]:
        body = {"model": "tiny@gpu", "messages": [{"role": "user", "content": text}], **fields}
        async with self.session.post(f"{self.url}/v1/chat/completions", json=body) as answer:
            return answer.status, await answer.json()

    async def native(self, **hello: Any) -> aiohttp.ClientWebSocketResponse:
        """A connection of the native protocol that has been greeted."""
        socket: aiohttp.ClientWebSocketResponse = await self.connect("/v1/native")
        await socket.send_json({"op": "hello", "version": 1, **hello})
        assert (await socket.receive_json())["op"] == "welcome"
        return socket

    def used_kv(self) -> int:
        """KV units that requests hold on any server, those kept for reuse left out."""
        return sum(load.used_units for lane in self.driver.lanes for load in lane.engine.loads())

    def leftovers(self) -> dict[str, int]:
        """What clients have left behind that is still there."""
        door = set(self.service.door.lines) if self.service.door is not None else set()
        counts = {
            "connections": self.gateway.num_connections,
            "lines": len(door),
            "orders": len(self.desk._orders)
            + self.desk.num_open
            + len(self.desk._held)
            + len(self.desk._refused)
            + len(self.desk._lined_up),
            "alarms": len(self.desk._due_s),
            "tickets": self.driver.outside.num_open,
            "busy lanes": int(self.driver.outside.is_busy),
            "kv": self.used_kv(),
            "open requests": sum(entry.open_requests for entry in self.gateway.roster),
            "agents' connections": sum(entry.connections for entry in self.gateway.roster),
            "tasks": len(asyncio.all_tasks() - self.before),
        }
        return {name: count for name, count in counts.items() if count}

    async def settled(self) -> None:
        """Wait until nothing of any client is left. The session for requests is closed for it, and another opened."""
        await self.session.close()
        try:
            await until(lambda: not self.leftovers())
        except TimeoutError:
            raise AssertionError(f"left behind: {self.leftovers()}") from None
        self.session = client_session()


@asynccontextmanager
async def running(
    make_plan: MakePlan = outside_plan,
    *,
    limits: Limits | None = None,
    speed: float = 20.0,
    record: Path | None = None,
    record_content: bool = False,
    **access: Any,
) -> AsyncIterator[Served]:
    """A service, and a session of a client."""
    service = Service(
        make_plan,
        speed=speed,
        head_start_s=1.0,
        record=record,
        record_content=record_content,
        access=Access(limits=limits or Limits(), **access),
    )
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(service.run("127.0.0.1", 0, address.set_result))
    try:
        await asyncio.wait((task, address), timeout=WAIT_S, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        url = address.result().replace("ws", "http", 1).removesuffix("/v1/observe")
        await until(lambda: len(asyncio.all_tasks()) == TASKS)
        one = Served(service, url, client_session(), asyncio.all_tasks())
        try:
            yield one
        finally:
            await one.session.close()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def served(test: Callable[[Served], Awaitable[None]], make_plan: MakePlan = outside_plan, **options: Any) -> None:
    """Run a test with a service of its own."""

    async def run() -> None:
        async with running(make_plan, **options) as one, asyncio.timeout(WAIT_S):
            await test(one)

    asyncio.run(run())


def client_session() -> aiohttp.ClientSession:
    """A client with as many connections as it likes."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


async def frames(socket: aiohttp.ClientWebSocketResponse, *last: str) -> list[dict[str, Any]]:
    """Frames up to the first one of a type (or op)."""
    found = []
    while True:
        frame = await socket.receive_json()
        found.append(frame)
        if frame.get("type", frame.get("op")) in last:
            return found
