"""A gateway of a few lines: what the outside agents' tests need to see them misbehave, or the server."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from http import HTTPStatus
from typing import Any

import numpy as np
from websockets.asyncio.server import Request, Response, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

__all__ = ["SmallGateway", "in_a_thread"]

TIMES = {
    "subsecond_latency_ms": "120.5",
    "subsecond_ttft_ms": "100",
    "subsecond_stages_ms": '{"prefill":100,"decode":20.5}',
}
#: Bytes of a second of sound.
SECOND = 48_000


class SmallGateway:
    """Answers at once, and keeps what it was asked.

    Attributes:
        requests: bodies of `response.create`, in order.
        truncated: of interrupted replies, how many ms were heard.
        breaks: called with the number of a request, from 0; what it returns is sent instead of an answer, and `close`
            drops the connection.
        reply_s: length of a spoken reply.
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.truncated: list[int] = []
        self.breaks: Callable[[int], dict[str, Any] | str | None] = lambda _: None
        self.refuse: HTTPStatus | None = None
        self.reply_s = 1.0
        self.holds: asyncio.Event | None = None
        self.url = ""
        self._ids = itertools.count(1)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[SmallGateway]:
        async with serve(self._serve, "127.0.0.1", 0, process_request=self._admit, compression=None) as server:
            self.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
            yield self
            if self.holds is not None:
                self.holds.set()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.headers.append(dict(request.headers.raw_items()))
        if self.refuse is None:
            return None
        return connection.respond(self.refuse, json.dumps({"error": {"message": "no key, no entry"}}))

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        speak = _Call(self, socket).run if "/realtime" in socket.request.path else self._respond
        with contextlib.suppress(ConnectionClosed):
            await speak(socket)

    async def _respond(self, socket: ServerConnection) -> None:
        async for data in socket:
            request = json.loads(data)
            number = len(self.requests)
            self.requests.append(request)
            instead = self.breaks(number)
            if instead == "close":
                socket.transport.abort()
                return
            if instead is not None:
                await socket.send(json.dumps(instead))
                continue
            if self.holds is not None:
                await self.holds.wait()
            for event in self._answer(request):
                await socket.send(json.dumps(event))

    def _answer(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        ident = f"resp_{next(self._ids)}"
        events: list[dict[str, Any]] = [{"type": "response.created", "response": {"id": ident}}]
        if request["tool_choice"] == "required":
            item = {"type": "function_call", "call_id": f"call_{ident}", "name": "execute", "arguments": "{}"}
            events.append({"type": "response.function_call_arguments.delta", "delta": "{}"})
        else:
            item = {"type": "message"}
            events.append({"type": "response.output_text.delta", "delta": "Done."})
        usage = {"input_tokens": 20_000, "output_tokens": 7}
        done = {"id": ident, "status": "completed", "metadata": TIMES, "usage": usage}
        return [
            *events,
            {"type": "response.output_item.done", "item": item},
            {"type": "response.completed", "response": done},
        ]


class _Call:
    """One Realtime connection: half a second of silence after speech ends a turn."""

    def __init__(self, gateway: SmallGateway, socket: ServerConnection) -> None:
        self.gateway = gateway
        self.socket = socket
        self.silence = 0
        self.speaks = False
        self.choice = "none"
        self.open: str | None = None

    async def run(self, _socket: ServerConnection) -> None:
        await self.send({"type": "session.created"})
        async for data in self.socket:
            message = json.loads(data)
            if message["type"] == "input_audio_buffer.append":
                await self.hear(base64.b64decode(message["audio"]))
            elif message["type"] == "session.update":
                self.choice = message["session"]["tool_choice"]
            elif message["type"] == "response.create":
                await self.reply(message["response"]["tool_choice"])
            elif message["type"] == "conversation.item.truncate":
                self.gateway.truncated.append(message["audio_end_ms"])

    async def send(self, event: dict[str, Any]) -> None:
        await self.socket.send(json.dumps(event))

    async def hear(self, sound: bytes) -> None:
        if np.abs(np.frombuffer(sound, "<i2")).max() > 1000:
            self.silence = 0
            if not self.speaks:
                self.speaks = True
                await self.send({"type": "input_audio_buffer.speech_started"})
                await self.end("cancelled")
        elif self.speaks:
            self.silence += len(sound)
            if self.silence >= SECOND // 2:
                self.speaks = False
                await self.reply(self.choice)

    async def end(self, status: str) -> None:
        if self.open is not None:
            response = {"id": self.open, "status": status, "metadata": TIMES, "usage": {"output_tokens": 5}}
            await self.send({"type": "response.done", "response": response})
            self.open = None

    async def reply(self, choice: str) -> None:
        self.gateway.requests.append({"tool_choice": choice})
        self.open = f"resp_{next(self.gateway._ids)}"
        await self.send({"type": "response.created", "response": {"id": self.open}})
        if choice == "required":
            item = {"type": "function_call", "call_id": f"call_{self.open}", "name": "look_up", "arguments": "{}"}
            await self.send({"type": "response.output_item.done", "item": item, "response_id": self.open})
            await self.end("completed")
            return
        sound = base64.b64encode(bytes(int(self.gateway.reply_s * SECOND))).decode()
        ids = {"response_id": self.open, "item_id": f"item_{self.open}"}
        await self.send({"type": "response.output_audio.delta", "delta": sound, **ids})
        if self.gateway.holds is None:
            await self.end("completed")


@contextlib.contextmanager
def in_a_thread(gateway: SmallGateway) -> Iterator[SmallGateway]:
    """The gateway at work while the test does something else."""
    ready, done = threading.Event(), threading.Event()

    async def serve_until_done() -> None:
        async with gateway.running():
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve_until_done(),))
    thread.start()
    try:
        assert ready.wait(60)
        yield gateway
    finally:
        done.set()
        thread.join()
