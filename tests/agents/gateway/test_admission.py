"""Who gets in and what is refused: tokens, pages, names, limits; each refusal in the shape that clients read."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support.gateways import Served, frames, served, until

from subsecond.agents.gateway.limits import Limits, Rate, read_limits
from subsecond.engine.errors import InputError

SECRET = "a token, ünlike others"
SHOWN = "token-1234"
CHAT = {"model": "tiny@gpu", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}
PATHS = ("/v1/observe", "/v1/native", "/v1/realtime", "/v1/responses")


async def refused(answer: aiohttp.ClientResponse, status: int, code: str) -> dict[str, Any]:
    """The error of an answer, which has OpenAI's shape."""
    assert answer.status == status
    assert answer.content_type == "application/json"
    error: dict[str, Any] = (await answer.json())["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code
    assert error["message"]
    return error


async def refused_socket(one: Served, path: str, status: int, **options: Any) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as error:
        await one.connect(path, **options)
    assert error.value.status == status


@pytest.mark.parametrize(
    "how",
    [
        {"headers": {"Authorization": f"Bearer {SHOWN}"}},
        {"headers": {"Authorization": f"bearer  {SHOWN}"}},
        {"headers": {"api-key": SHOWN}},
        {"params": {"token": SHOWN}},
    ],
)
def test_the_token_is_taken_wherever_a_client_puts_it(how: dict[str, Any]) -> None:
    async def test(one: Served) -> None:
        async with one.session.post(f"{one.url}/v1/chat/completions", json=CHAT, **how) as answer:
            assert answer.status == 200
        for path in PATHS:
            async with one.connect(path, **how):
                pass

    served(test, token=SHOWN)


def test_browsers_show_the_token_as_a_subprotocol() -> None:
    async def test(one: Served) -> None:
        offered = ("realtime", f"openai-insecure-api-key.{SHOWN}")
        async with one.connect("/v1/realtime", protocols=offered) as socket:
            assert socket.protocol == "realtime"
        await refused_socket(one, "/v1/realtime", 401, protocols=("realtime", "openai-insecure-api-key.other"))

    served(test, token=SHOWN)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": SHOWN},
        {"Authorization": f"Basic {SHOWN}"},
        {"Authorization": f"Bearer {SHOWN}x"},
        {"Authorization": f"Bearer {SHOWN[:-1]}"},
        {"api-key": "\udcff"},
    ],
)
def test_without_the_token_nothing_is_served(headers: dict[str, str]) -> None:
    async def test(one: Served) -> None:
        for path in ("/metrics", "/v1/models", "/health", "/nowhere"):
            async with one.session.get(one.url + path, headers=headers) as answer:
                await refused(answer, 401, "invalid_api_key")
                assert answer.headers["WWW-Authenticate"] == "Bearer"
        for path in PATHS:
            await refused_socket(one, path, 401, headers=headers)

    if "\udcff" in headers.get("api-key", ""):  # no client's library sends it
        headers = {"api-key": "\xff"}
    served(test, token=SHOWN)


def test_a_token_may_have_any_letters() -> None:
    async def test(one: Served) -> None:
        async with one.session.get(f"{one.url}/health", params={"token": SECRET}) as answer:
            assert answer.status == 200
        async with one.session.get(f"{one.url}/health", params={"token": "other"}) as answer:
            assert answer.status == 401

    served(test, token=SECRET)


def test_pages_of_other_sites_and_names_given_to_this_machine_are_refused() -> None:
    async def test(one: Served) -> None:
        url = f"{one.url}/v1/chat/completions"
        for origin in ("https://evil.example", "null", "http://127.0.0.1.evil.example", "http://[oops", "file://"):
            async with one.session.post(url, json=CHAT, headers={"Origin": origin}) as answer:
                await refused(answer, 403, "forbidden")
                assert "Access-Control-Allow-Origin" not in answer.headers
            for path in PATHS:
                await refused_socket(one, path, 403, headers={"Origin": origin})
        for host in ("evil.example", f"evil.example:{one.address[1]}", "0.0.0.0", "localhost.evil.example", "[oops"):
            async with one.session.get(f"{one.url}/metrics", headers={"Host": host}) as answer:
                await refused(answer, 403, "forbidden")
        for host in ("localhost", "127.0.0.1:1", "[::1]:80", "LOCALHOST"):
            async with one.session.get(f"{one.url}/health", headers={"Host": host}) as answer:
                assert answer.status == 200

    served(test)


def test_a_page_of_this_machine_asks_first_and_may_read_the_answer() -> None:
    async def test(one: Served) -> None:
        url, origin = f"{one.url}/v1/chat/completions", "http://localhost:3000"
        asked = {"Origin": origin, "Access-Control-Request-Headers": "authorization"}
        async with one.session.options(url, headers=asked) as answer:  # without the token
            assert answer.status == 204
            assert answer.headers["Access-Control-Allow-Origin"] == origin
            assert answer.headers["Access-Control-Allow-Headers"] == "authorization"
        async with one.session.options(url, headers=asked | {"Origin": "https://evil.example"}) as answer:
            await refused(answer, 403, "forbidden")
        async with one.session.post(url, json=CHAT, headers={"Origin": origin}) as answer:
            await refused(answer, 401, "invalid_api_key")
        shown = {"Origin": origin, "Authorization": f"Bearer {SHOWN}"}
        async with one.session.post(url, json=CHAT, headers=shown) as answer:
            assert answer.status == 200
            assert answer.headers["Access-Control-Allow-Origin"] == origin

    served(test, token=SHOWN)


def test_tls(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split()
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    trusting = ssl.create_default_context(cafile=str(cert))

    async def test(one: Served) -> None:
        assert one.url.startswith("https://")
        url = f"{one.url}/v1/chat/completions"
        async with one.session.post(url, json=CHAT, ssl=trusting) as answer:
            assert answer.status == 200
        async with one.connect("/v1/realtime", ssl=trusting) as socket:
            assert (await socket.receive_json())["type"] == "session.created"
        reader, writer = await one.raw()
        writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")  # no TLS
        assert not await reader.read()
        writer.close()
        async with one.session.get(f"{one.url}/health", ssl=trusting) as answer:
            assert answer.status == 200

    served(test, tls=context)


def test_what_is_not_served_is_told_as_json() -> None:
    async def test(one: Served) -> None:
        ask = one.session.request
        for method, path, status, code in [
            ("GET", "/", 404, "unknown_url"),
            ("POST", "/v1/completions", 404, "unknown_url"),
            ("GET", "/v1/models/nobody", 404, "model_not_found"),
            ("PUT", "/v1/models", 405, "method_not_supported"),
            ("GET", "/v1/chat/completions", 405, "method_not_supported"),
            ("GET", "/v1/responses", 426, "upgrade_required"),
            ("GET", "/v1/realtime", 426, "upgrade_required"),
            ("GET", "/v1/native", 426, "upgrade_required"),
        ]:
            async with ask(method, one.url + path) as answer:
                await refused(answer, status, code)
        async with ask("PUT", f"{one.url}/v1/models") as answer:
            assert "GET" in answer.headers["Allow"]
        url = f"{one.url}/v1/chat/completions"
        async with ask("POST", url, data=b"\x1f\x8bsomething", headers={"Content-Encoding": "gzip"}) as answer:
            await refused(answer, 415, "unsupported_encoding")
        for body in (b"", b"garbage", b"\xff\xfe", b"[]", b"[" * 100_000, b'{"model": 1}', b'{"messages": []}'):
            async with ask("POST", url, data=body) as answer:
                assert answer.status == 400
                assert (await answer.json())["error"]["type"] == "invalid_request_error"
        async with ask("POST", url, json=CHAT | {"model": "x@nowhere"}) as answer:
            await refused(answer, 404, "model_not_found")
        async with ask("POST", f"{url}?pipeline=nowhere", json=CHAT | {"model": "x"}) as answer:
            await refused(answer, 404, "model_not_found")
        await one.settled()

    served(test)


async def raw_status(one: Served, data: bytes) -> bytes:
    reader, writer = await one.raw()
    writer.write(data)
    line = await reader.readline()
    rest = await reader.read()
    writer.close()
    if rest:
        assert b"application/json" in rest
    return line


def test_upgrades_that_fail_have_a_status() -> None:
    async def test(one: Served) -> None:
        head = b"GET /v1/realtime HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: %s\r\n"
        for upgrade, more, status in [
            (b"h2c", b"", b"426"),
            (b"websocket", b"", b"400"),
            (b"websocket", b"Sec-WebSocket-Version: 6\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n", b"400"),
            (b"websocket", b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n", b"400"),
        ]:
            assert status in await raw_status(one, head % upgrade + more + b"\r\n")
        assert b"400" in await raw_status(one, b"\x00\x01\x02\r\n\r\n")
        assert b"400" in await raw_status(one, b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n")
        assert b"400" in await raw_status(one, b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n")
        await one.settled()

    served(test)


def test_no_more_connections_than_there_may_be() -> None:
    async def test(one: Served) -> None:
        first, second = await one.native(), await one.native()
        await refused_socket(one, "/v1/native", 503)
        async with one.session.post(f"{one.url}/v1/chat/completions", json=CHAT) as answer:
            await refused(answer, 503, "too_many_connections")
            assert answer.headers["Retry-After"] == "1"
        async with one.connect("/v1/observe"), one.session.get(f"{one.url}/metrics") as answer:
            assert answer.status == 200  # those who watch find a place
        await first.close()
        await until(lambda: one.gateway.num_connections == 1)
        assert (await one.chat(max_tokens=5))[0] == 200
        await second.close()
        await one.settled()

    served(test, limits=Limits(connections=2))


def test_connections_without_a_request_are_refused_beyond_a_number_too() -> None:
    async def test(one: Served) -> None:
        assert one.service.door is not None
        silent = [await one.raw() for _ in range(one.service.door.most)]
        await until(lambda: one.service.door is not None and len(one.service.door.lines) == one.service.door.most)
        reader, writer = await one.raw()
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert json.loads(body)["error"]["code"] == "too_many_connections"
        for _, other in [*silent, (reader, writer)]:
            other.close()
        await one.settled()
        assert (await one.chat(max_tokens=5))[0] == 200

    served(test, limits=Limits(connections=1))


def test_too_many_requests_a_second_are_refused_in_every_protocol() -> None:
    async def test(one: Served) -> None:
        assert (await one.chat(max_tokens=5))[0] == 200
        for path, body in (("chat/completions", CHAT), ("responses", {"model": "tiny@gpu", "input": "Hi"})):
            for stream in (False, True):
                ask = body | {"stream": stream}
                async with one.session.post(f"{one.url}/v1/{path}", json=ask, headers={"User-Agent": "x"}) as r:
                    await refused(r, 429, "rate_limit_exceeded")
                    assert r.headers["Retry-After"] == "1"
        async with one.connect("/v1/responses") as socket:
            await socket.send_json({"type": "response.create", "model": "tiny@gpu", "input": "Hi"})
            error = await socket.receive_json()
            assert (error["type"], error["status"]) == ("error", 429)
        async with one.connect("/v1/realtime") as socket:
            await socket.send_json({"type": "response.create"})
            done = (await frames(socket, "response.done"))[-1]["response"]
            assert done["status"] == "failed"
            assert done["status_details"]["error"]["code"] == "rate_limit_exceeded"
        native = await one.native()
        await native.send_json({"op": "turn", "id": "t", "input_tokens": 4})
        assert (await frames(native, "end"))[-1]["end"] == "throttled"
        await native.close()
        await one.settled()

    served(test, limits=Limits(requests_per_s=0.01))


def test_one_agent_leaves_others_their_requests() -> None:
    rate = Rate(2.0)
    own = rate.part(0.5)
    taken = sum(own.take(0.0) and rate.take(0.0) for _ in range(10))
    assert taken == 2
    assert rate.take(0.0)
    assert own.take(1.0)
    slow = Rate(0.01)
    assert [slow.take(at_s) for at_s in (0.0, 1.0, 101.0)] == [True, False, True]


def test_messages_that_are_too_long_cost_their_sender_the_connection() -> None:
    async def test(one: Served) -> None:
        long = {"type": "response.create", "model": "tiny@gpu", "input": "x" * 200_000}
        for path in ("/v1/responses", "/v1/realtime", "/v1/native"):
            async with one.connect(path) as socket:
                await socket.send_json(long)
                while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                    pass
                assert socket.close_code == 1009, message
        for path in ("chat/completions", "responses"):
            async with one.session.post(f"{one.url}/v1/{path}", json=long) as answer:
                await refused(answer, 413, "request_too_large")
        assert (await one.chat(max_tokens=5))[0] == 200
        await one.settled()

    served(test, limits=Limits(message_mib=0.1))


def test_contexts_and_audio_have_limits_of_their_own() -> None:
    async def test(one: Served) -> None:
        status, answer = await one.chat("x " * 500)
        assert (status, answer["error"]["code"]) == (400, "context_length_exceeded")
        native = await one.native()
        await native.send_json({"op": "turn", "id": "t", "input_tokens": 101, "output_tokens": 1})
        assert (await frames(native, "end"))[-1]["end"] == "too_long"
        await native.close()
        async with one.connect("/v1/realtime") as socket:
            off = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
            await socket.send_json({"type": "session.update", "session": off})
            for _ in range(2):
                await socket.send_json({"type": "input_audio_buffer.append", "audio": "AAAA" * 16_000})  # a second
            error = (await frames(socket, "error"))[-1]["error"]
            assert error["code"] == "input_audio_buffer_full"
            await socket.send_json({"type": "input_audio_buffer.commit"})
            await frames(socket, "input_audio_buffer.committed")
        await one.settled()

    served(test, limits=Limits(context_tokens=100, audio_s=1.5))


def test_limits_are_read_from_settings() -> None:
    limits = read_limits(["connections=10", "message-mib=0.5", "idle_s = 2"])
    assert limits == Limits(connections=10, message_mib=0.5, idle_s=2.0)
    assert limits.message_bytes == 512 * 1024
    assert read_limits([]) == Limits()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("", "a name of connections"),
        ("speed=1", "a name of connections"),
        ("connections", "a whole number from 1"),
        ("connections=1.5", "a whole number"),
        ("connections=0", "a whole number"),
        ("stalled_s=nan", "a number from 0.1"),
        ("stalled_s=inf", "a number from 0.1"),
        ("message_mib=lots", "a number from 0.01"),
    ],
)
def test_limits_that_cannot_be_are_refused(setting: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_limits([setting])


def test_many_connect_and_go() -> None:
    """As many as never before leave as few traces as one."""

    async def test(one: Served) -> None:
        async def visit(number: int) -> None:
            async with one.connect("/v1/native", headers={"session-id": f"agent {number}"}) as socket:
                await socket.send_json({"op": "hello", "version": 1})
                await socket.receive()

        for start in range(0, 600, 50):
            await asyncio.gather(*(visit(start + number) for number in range(50)))
        await one.settled()
        assert len(one.gateway.roster) == 256
        assert len(one.gateway.roster._by_key) == len(one.gateway.roster._keys) == 256
        assert one.gateway.roster.totals()["native"].bytes_in > 600 * 20
        told = [len(one.gateway.news()) for _ in range(3)]
        assert told[-1] == 0

    served(test)
