"""Clients that stall, say nothing, or say what nobody can read: it costs them their connection, and nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Sequence
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.gateways import Served, frames, served, until

from subsecond.agents.gateway.limits import Limits
from subsecond.agents.wire.base import Effect
from subsecond.agents.wire.native import NativeSession
from subsecond.engine.feed import Notice, decode_message

SOCKETS = ("/v1/native", "/v1/realtime", "/v1/responses")
POSTS = ("/v1/chat/completions", "/v1/responses")
#: The end of a websocket's request, and bytes that mean something.
KEY = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
PIECES = (b"GET / HTTP/1.1\r\n", b"\r\n", b"\x81\xfe", b"\x89\x80", b"\x88\x80", b"\xc1\x80\x00")
#: Texts that the protocols know, so that what is made up comes further than the first check.
_KNOWN = """
type op id version hello turn cancel input_tokens output_tokens text conversation before_ms kind voice coding name
response.create response.cancel session.update conversation.item.create conversation.item.delete
conversation.item.retrieve conversation.item.truncate input_audio_buffer.append input_audio_buffer.commit
input_audio_buffer.clear output_audio_buffer.clear session response item audio model messages role user assistant
content input_text message tools tool_choice function parameters instructions input previous_response_id stream_id
max_output_tokens metadata generate stream store output_modalities tiny@gpu tiny@nowhere event_id item_id
"""
WORDS = st.sampled_from(_KNOWN.split())
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=5),
    max_leaves=12,
)
#: Messages that are served, to be spoiled in one place.
GOOD: Sequence[dict[str, Any]] = (
    {"op": "hello", "version": 1, "name": "n", "kind": "voice"},
    {"op": "turn", "id": "t", "input_tokens": 20, "output_tokens": 3, "conversation": "c", "before_ms": {}},
    {"op": "cancel", "id": "t"},
    {"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text"], "instructions": "x"}},
    {
        "type": "conversation.item.create",
        "item": {"id": "i", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
    },
    {"type": "input_audio_buffer.append", "audio": "AAAAAAAA"},
    {"type": "response.create", "response": {"max_output_tokens": 3, "metadata": {"a": "b"}}},
    {"type": "response.create", "model": "tiny@gpu", "input": "Hi", "max_output_tokens": 3, "stream_id": "a"},
    {"type": "response.cancel"},
    {"model": "tiny@gpu", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3, "stream": True},
    {"model": "tiny@gpu", "input": [{"role": "user", "content": "Hi"}], "max_output_tokens": 3, "tools": []},
)


@st.composite
def spoiled(draw: st.DrawFn) -> str | bytes:
    """A message with something wrong, or nothing that is a message."""
    message = json.loads(json.dumps(draw(st.sampled_from(GOOD))))
    for _ in range(draw(st.integers(0, 2))):
        place: Any = message
        while isinstance(place, dict) and place and draw(st.booleans()):
            key = draw(st.sampled_from(sorted(place)))
            if not isinstance(place[key], dict):
                break
            place = place[key]
        place[draw(st.sampled_from([*sorted(place), "extra"]))] = draw(VALUES)
    text = json.dumps(message)
    how = draw(st.sampled_from(["whole", "whole", "cut", "binary", "bytes", "text", "other"]))
    if how == "cut":
        return text[: draw(st.integers(0, len(text)))]
    if how == "binary":
        return text.encode()
    if how == "bytes":
        return draw(st.binary(max_size=200))
    if how == "text":
        return draw(st.text(max_size=50).filter(lambda one: one.encode(errors="ignore").decode() == one))
    return json.dumps(draw(VALUES)) if how == "other" else text


async def well_behaved(one: Served) -> None:
    """Somebody who does everything right gets what is due."""
    status, answer = await one.chat(max_tokens=5, ignore_eos=True)
    assert status == 200, answer
    assert answer["usage"]["completion_tokens"] == 5


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(SOCKETS), st.lists(spoiled(), max_size=12)), min_size=8, max_size=8))
def test_events_of_any_kind_disturb_nobody_and_leave_nothing(clients: list[tuple[str, list[str | bytes]]]) -> None:
    async def say(one: Served, path: str, messages: list[str | bytes]) -> None:
        async with one.connect(path) as connection:
            if path == "/v1/native":
                await connection.send_json({"op": "hello", "version": 1})
            for message in messages:
                if connection.closed:
                    break
                if isinstance(message, bytes):
                    await connection.send_bytes(message)
                else:
                    await connection.send_str(message)

    async def test(one: Served) -> None:
        await asyncio.gather(*(say(one, path, messages) for path, messages in clients), well_behaved(one))
        await well_behaved(one)
        await one.settled()
        assert one.gateway.take_troubles() == []

    served(test)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(POSTS), spoiled()), min_size=10, max_size=10))
def test_bodies_of_any_kind_are_answered(bodies: list[tuple[str, str | bytes]]) -> None:
    async def test(one: Served) -> None:
        for path, body in bodies:
            async with one.session.post(one.url + path, data=body) as answer:
                text = await answer.text()
                if answer.status != 200:
                    error = json.loads(text)["error"]
                    assert set(error) == {"message", "type", "param", "code"}
                    assert answer.status < 500 or error["code"] == "server_error", text
        await one.settled()
        assert one.gateway.take_troubles() == []

    served(test)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, *SOCKETS]),
            st.lists(
                st.binary(max_size=300) | st.sampled_from([b"GET / HTTP/1.1\r\n", b"\r\n", b"\x81\xfe", b"\x89\x80"])
            ),
            st.booleans(),
        ),
        min_size=6,
        max_size=6,
    )
)
def test_raw_bytes_before_and_after_the_upgrade(clients: list[tuple[str | None, list[bytes], bool]]) -> None:
    async def send(one: Served, path: str | None, chunks: list[bytes], is_cut: bool) -> None:
        _, writer = await one.raw()
        if path is not None:
            head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            writer.write(
                head.encode() + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
            )
        for chunk in chunks:
            writer.write(chunk)
        if is_cut:
            writer.transport.abort()
        else:
            writer.close()

    async def test(one: Served) -> None:
        await asyncio.gather(*(send(one, *client) for client in clients))
        await well_behaved(one)
        await one.settled()
        assert one.gateway.take_troubles() == []

    served(test)


def test_messages_that_are_huge_or_deep_are_refused_with_a_reason() -> None:
    async def test(one: Served) -> None:
        deep = '{"op":' * 100_000
        async with one.connect("/v1/native") as connection:
            for text in (deep, "[" * 100_000 + "]" * 100_000, '{"op": "hello", "version": ' + "9" * 10_000 + "}"):
                await connection.send_str(text)
                told = await connection.receive_json()
                assert told["op"] == "error"
            await connection.send_json({"op": "hello", "version": 1})
            assert (await connection.receive_json())["op"] == "welcome"
        async with one.connect("/v1/responses") as connection:
            ask = {"type": "response.create", "model": "tiny@gpu", "input": "word " * 1_000_000}
            await connection.send_json(ask)
            told = await connection.receive_json()
            assert (told["type"], told["error"]["code"]) == ("error", "context_length_exceeded")
        await one.settled()

    served(test)


def small_reader(one: Served) -> socket.socket:
    """A connection that takes next to nothing until it is read."""
    own = socket.socket()
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    own.connect(one.address)
    own.setblocking(False)
    return own


@pytest.mark.parametrize("protocol", ["native", "chat"])
def test_a_client_that_reads_nothing_is_cut_off_and_others_are_not(protocol: str) -> None:
    async def test(one: Served) -> None:
        own, loop = small_reader(one), asyncio.get_running_loop()
        if protocol == "native":
            head = b"GET /v1/native HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            await loop.sock_sendall(own, head + KEY)
            await until(lambda: one.gateway.num_connections == 1)
            turn = {"op": "turn", "id": "t", "input_tokens": 1, "output_tokens": 90_000}
            hello = {"op": "hello", "version": 1}
            wrong = [{"op": "x" * 80, "id": "y" * 1000}] * 2000  # each of which is answered
            await loop.sock_sendall(own, b"".join(frame(json.dumps(one)) for one in (hello, turn, *wrong)))
        else:
            body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 60_000, "ignore_eos": True}
            data = json.dumps(body | {"model": "tiny@gpu", "stream": True}).encode()
            head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(data)
            await loop.sock_sendall(own, head + data)
        await until(lambda: sum(entry.open_requests for entry in one.gateway.roster) > 0)
        entry = next(entry for entry in one.gateway.roster if entry.open_requests)
        while "cut" not in entry.last_error:  # others are served all the time
            await well_behaved(one)
        own.close()
        await one.settled()

    served(test, limits=Limits(stalled_s=0.3), speed=20.0)


def frame(text: str) -> bytes:
    """A masked text frame; the mask is zero."""
    data = text.encode()
    length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + data


def test_half_open_and_slow_connections_have_an_end() -> None:
    async def test(one: Served) -> None:
        silent = await one.raw()
        heads = await one.raw()
        heads[1].write(b"GET /health HTTP/1.1\r\nHost: lo")  # and no more
        used = await one.raw()
        used[1].write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await used[0].readline()).endswith(b" 200 OK\r\n")
        socket_ = await one.native()  # which may stay as long as it likes
        for reader, writer in (silent, heads, used):
            with contextlib.suppress(ConnectionError):
                await reader.read()
            writer.close()
        assert one.gateway.num_connections == 1
        await socket_.send_json({"op": "turn", "id": "t", "input_tokens": 4, "output_tokens": 4})
        assert (await frames(socket_, "end"))[-1]["end"] == "done"
        await socket_.close()
        await one.settled()

    served(test, limits=Limits(idle_s=0.3))


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def test(one: Served) -> None:
        reader, writer = await one.raw()
        writer.write(b"POST /v1/responses HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        head, _, body = (await reader.readuntil(b"}}")).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 ")
        assert json.loads(body)["error"]["code"] == "request_timeout"
        writer.close()
        await one.settled()

    served(test, limits=Limits(body_s=0.2))


class Broken(NativeSession):
    """A session with a defect."""

    def received(self, data: str | bytes, now_s: float) -> Sequence[Effect]:
        if b"break" in (data if isinstance(data, bytes) else data.encode()):
            raise ZeroDivisionError("broken")
        return super().received(data, now_s)

    def ended(self, *_: Any) -> Sequence[Effect]:
        raise ZeroDivisionError("broken, too")


def test_a_session_that_fails_costs_its_client_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subsecond.agents.gateway.server.NativeSession", Broken)

    async def test(one: Served) -> None:
        async with one.connect("/v1/observe") as feed, one.connect("/v1/responses") as other:
            socket_ = await one.native()
            await socket_.send_json({"op": "turn", "id": "t", "input_tokens": 4, "output_tokens": 30_000})
            await frames(socket_, "tok")
            await socket_.send_str("break")
            while (message := await socket_.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
            assert (message.type, socket_.close_code) == (aiohttp.WSMsgType.CLOSE, 1011)
            second = await one.native()
            await second.send_json({"op": "turn", "id": "t", "input_tokens": 4, "output_tokens": 4})
            while (message := await second.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
            assert second.close_code == 1011
            told: list[str] = []
            async for data in feed:
                notice = decode_message(data.data)
                if isinstance(notice, Notice) and notice.level == "error":
                    told.append(notice.text)
                if len(told) == 2:
                    break
            assert all("a defect of the gateway" in text for text in told)
            assert "ZeroDivisionError: broken" in told[0]
            await other.send_json({"type": "response.create", "model": "tiny@gpu", "input": "Hi"})
            await frames(other, "response.completed", "response.incomplete")
        await well_behaved(one)
        await one.settled()

    served(test)


def test_a_look_that_fails_ends_what_is_open_and_the_service_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(one: Served) -> None:
        socket_ = await one.native()
        await socket_.send_json({"op": "turn", "id": "t", "input_tokens": 4, "output_tokens": 30_000})
        await frames(socket_, "tok")
        with monkeypatch.context() as context:
            context.setattr(one.desk, "_deliver_held", lambda: 1 / 0)
            end = (await frames(socket_, "end"))[-1]
        assert end["end"] == "failed"
        assert "defect" in end["reason"]
        await socket_.send_json({"op": "turn", "id": "t", "input_tokens": 4, "output_tokens": 4})
        assert (await frames(socket_, "end"))[-1]["end"] == "done"
        await socket_.close()
        await one.settled()

    served(test)


def test_many_idle_sockets_are_in_nobodys_way() -> None:
    async def test(one: Served) -> None:
        sockets: list[aiohttp.ClientWebSocketResponse] = []
        for _ in range(5):
            sockets += await asyncio.gather(*(one.native() for _ in range(60)))
        assert one.gateway.num_connections == 300
        await well_behaved(one)
        for connection in sockets:
            assert connection._response.connection is not None
            connection._response.connection.transport.abort()
        await one.settled()

    served(test)
