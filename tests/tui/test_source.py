"""The live source against real websockets: messages, garbage, services that go and come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from support.feeds import playground
from websockets.asyncio.server import Server, ServerConnection, serve

from subsecond.engine.commands import Pause, decode_command
from subsecond.engine.errors import InputError
from subsecond.engine.feed import encode
from subsecond.tui.source import Gone, Item, LiveSource, Refused

MESSAGES = playground()
Handler = Callable[[ServerConnection], Awaitable[None]]


async def take(source: LiveSource, count: int) -> list[Item]:
    """The first items of a source."""
    found: list[Item] = []
    items = source.items()
    async for item in items:
        found.append(item)
        if len(found) == count:
            break
    await items.aclose()  # type: ignore[attr-defined]  # it is a generator
    return found


def with_service(handler: Handler, body: Callable[[str], Awaitable[None]]) -> None:
    async def main() -> None:
        async with serve(handler, "127.0.0.1", 0) as server:
            await asyncio.wait_for(body(address(server)), 30)

    asyncio.run(main())


def address(server: Server) -> str:
    return f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/v1/observe"


def test_messages_come_as_they_were_sent() -> None:
    async def handler(socket: ServerConnection) -> None:
        for message in MESSAGES[:50]:
            await socket.send(encode(message).decode())

    async def body(url: str) -> None:
        items = await take(LiveSource(url), 51)
        assert items[:50] == list(MESSAGES[:50])
        assert items[50] == Gone("the service has ended")

    with_service(handler, body)


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "not JSON",
        "{}",
        '{"type": "song"}',
        '{"type": "turn", "lane": "zero"}',
        "[" * 100_000,
        b"\xff\xfe\x00",
        encode(msgspec.structs.replace(MESSAGES[0], version=99)).decode(),
        encode(msgspec.structs.replace(MESSAGES[0], lanes=())).decode(),
    ],
    ids=["empty", "words", "object", "kind", "type", "deep", "bytes", "version", "no-lanes"],
)
def test_what_is_no_message_is_refused_and_the_next_one_taken(garbage: str | bytes) -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.send(garbage)
        await socket.send(encode(MESSAGES[0]).decode())

    async def body(url: str) -> None:
        first, second = await take(LiveSource(url), 2)
        assert isinstance(first, Refused)
        assert first.reason
        assert second == MESSAGES[0]

    with_service(handler, body)


def test_commands_reach_the_service() -> None:
    got = []

    async def handler(socket: ServerConnection) -> None:
        await socket.send(encode(MESSAGES[0]).decode())
        got.append(decode_command(await socket.recv()))

    async def body(url: str) -> None:
        source = LiveSource(url)
        assert not await source.send(Pause()), "nobody is there before the connection"
        async for item in source.items():
            if isinstance(item, Gone):
                break
            assert await source.send(Pause())
        assert got == [Pause()]
        assert not await source.send(Pause())

    with_service(handler, body)


def test_it_comes_back_when_the_service_does() -> None:
    visits = []

    async def handler(socket: ServerConnection) -> None:
        visits.append(True)
        await socket.send(encode(MESSAGES[0]).decode())
        if len(visits) == 1:
            socket.transport.abort()

    async def body(url: str) -> None:
        items = await take(LiveSource(url, retry_s=0.0), 4)
        assert [type(item).__name__ for item in items].count("Hello") >= 1
        assert any(isinstance(item, Gone) for item in items)

    with_service(handler, body)
    assert len(visits) >= 2


def test_an_address_where_nobody_answers() -> None:
    async def main() -> None:
        (item,) = await take(LiveSource("ws://127.0.0.1:1/v1/observe"), 1)
        assert isinstance(item, Gone)
        assert "127.0.0.1:1" in item.reason

    asyncio.run(main())


def test_a_server_that_speaks_no_websocket() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            (item,) = await take(LiveSource(f"ws://127.0.0.1:{port}/"), 1)
            assert isinstance(item, Gone)
            assert "404" in item.reason

    asyncio.run(main())


@pytest.mark.parametrize(
    "url", ["", "localhost:8765", "http://localhost:8765", "ws", "ws://", "ws://[", "ws://host:port/"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="--attach"):
        LiveSource(url)


@pytest.mark.parametrize("url", ["wss://a b/", f"ws://{'a' * 300}.invalid/", "ws://no-such-host.invalid/"])
def test_names_that_nobody_has_are_said(url: str) -> None:
    async def main() -> None:
        (item,) = await take(LiveSource(url), 1)
        assert isinstance(item, Gone)

    asyncio.run(main())
