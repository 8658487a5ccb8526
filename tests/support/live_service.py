"""The service in this process, and a socket that watches and steers it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import websockets

from subsecond.agents.plan import plan_run
from subsecond.agents.service import MakePlan, Service
from subsecond.engine.commands import Command
from subsecond.engine.feed import Message, decode_message, encode
from subsecond.engine.run import Plan
from subsecond.engine.scenario import apply_settings, load_tables, parse_scenario

__all__ = ["WAIT_S", "Socket", "ask", "connect", "make_plan", "served", "serving", "until"]

Socket = websockets.ClientConnection
M = TypeVar("M", bound=Message)
WAIT_S = 60.0


def make_plan(more: Sequence[str]) -> Plan:
    """The playground with few sessions, and settings."""
    tables, path = load_tables("playground")
    tables.pop("duration_s")
    apply_settings(tables, ["coding.sessions=4", "voice.sessions=4", *more])
    return plan_run(parse_scenario(tables, path), reserve=20)


@asynccontextmanager
async def serving(plan: MakePlan = make_plan, **options: Any) -> AsyncIterator[str]:
    """A service in this process; yields its address."""
    service = Service(plan, **{"speed": 20.0, "head_start_s": 60.0, **options})
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(service.run("127.0.0.1", 0, address.set_result))
    try:
        yield await asyncio.wait_for(address, WAIT_S)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def served(test: Callable[[str], Awaitable[None]], plan: MakePlan = make_plan, **options: Any) -> None:
    """Run a test against a service."""

    async def run() -> None:
        async with serving(plan, **options) as url:
            await asyncio.wait_for(test(url), WAIT_S)

    asyncio.run(run())


def connect(url: str) -> websockets.connect:
    """A connection that reads on whatever the test does: one that does not would close only after ten seconds."""
    return websockets.connect(url, max_size=None, max_queue=None)


async def until(socket: Socket, kind: type[M], fits: Callable[[M], bool] = lambda _: True) -> M:
    """The next message of a kind that fits."""
    while True:
        message = decode_message(await socket.recv())
        if isinstance(message, kind) and fits(message):
            return message


async def ask(socket: Socket, command: Command) -> None:
    """Send a command."""
    await socket.send(encode(command).decode())
