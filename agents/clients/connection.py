"""A websocket to the gateway that comes back when it breaks, and hands out events with the time they arrived at."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.uri import parse_uri

from subsecond.engine.errors import InputError

from .clock import Clock
from .events import Event, Problem, decode_event

__all__ = ["LIMIT_REACHED", "Address", "Broken", "Connector", "Socket"]

#: The server ends every connection after some time with this code; clients open another one.
LIMIT_REACHED: Final = "websocket_connection_limit_reached"
#: Seconds for a handshake; before the second attempt to connect, doubled for each one that follows; at most.
OPEN_S: Final = 10.0
FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 5.0
MAX_MESSAGE: Final = 64 * 1024 * 1024
#: Statuses of a handshake after which another attempt may do better.
BUSY: Final = (408, 425, 429, 500, 502, 503, 504)


class Broken(Exception):
    """The connection is gone, or the server wants another one; `kind` says why in a few words."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Address:
    """Where the gateway is, and what is said at each handshake.

    Args:
        url: `ws://HOST:PORT`, perhaps with `/v1`.
        token: the key that the gateway asks for; "" sends a placeholder, as SDKs do.

    Raises:
        InputError: not the address of a websocket.
    """

    def __init__(self, url: str, model: str, token: str = "") -> None:
        try:
            parsed = urlsplit(url)
            parse_uri(url)
            if parsed.query or parsed.path.rstrip("/") not in ("", "/v1"):
                raise ValueError
        except (InvalidURI, ValueError):
            raise InputError("--url", "", url, "an address such as ws://127.0.0.1:8765") from None
        self.url = f"{parsed.scheme}://{parsed.netloc}"
        self.model = model
        self.token = token or "none"

    def path(self, protocol: str) -> str:
        """Address of a protocol, `responses` or `realtime`; the latter names the model in its query."""
        query = f"?model={quote(self.model)}" if protocol == "realtime" else ""
        return f"{self.url}/v1/{protocol}{query}"

    def explain(self, status: int, problem: Problem | None) -> InputError:
        """What a user has to mend, for an answer that will not change."""
        said = problem.message if problem and problem.message else f"status {status}"
        if status in (401, 403):
            return InputError("--url", "", self.url, f"a gateway that lets us in (status {status}; --token?): {said}")
        if "model" in said.lower():
            return InputError("--model", "", self.model, f"a model of the gateway: {said}")
        return InputError("--url", "", self.url, f"the gateway of Subsecond: {said}")


class Socket:
    """One connection. Events are read and stamped at once, whatever its agent is doing."""

    def __init__(self, connection: ClientConnection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._events: asyncio.Queue[tuple[float, Event | None]] = asyncio.Queue()
        self._why = "connection lost"
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for data in self._connection:
                self._events.put_nowait((self._clock.now_s(), decode_event(data)))
            self._why = "connection closed by the server"
        except ConnectionClosed as error:
            said = error.rcvd.reason or str(error.rcvd.code) if error.rcvd else "no farewell"
            self._why = f"connection lost ({said})"
        except msgspec.DecodeError as error:
            self._why = f"not understood: {error}"
        self._events.put_nowait((self._clock.now_s(), None))

    async def send(self, message: Mapping[str, Any]) -> None:
        """Raises `Broken`."""
        await self.send_text(msgspec.json.encode(message).decode())

    async def send_text(self, text: str) -> None:
        """Raises `Broken`."""
        try:
            await self._connection.send(text)
        except ConnectionClosed:
            raise Broken(self._why) from None

    async def receive(self) -> tuple[float, Event]:
        """The next event and when it arrived.

        Raises:
            Broken: there is no other one, or it says that the connection has lived long enough.
        """
        return self._checked(*await self._events.get())

    async def receive_until(self, until_s: float) -> tuple[float, Event] | None:
        """The next event and when it arrived; None if none has by then.

        Raises:
            Broken: as `receive`.
        """
        if self._events.empty():
            try:
                async with asyncio.timeout(max(0.0, self._clock.rest_s(until_s))):
                    return await self.receive()
            except TimeoutError:
                return None
        return await self.receive()

    def _checked(self, at_s: float, event: Event | None) -> tuple[float, Event]:
        if event is None:
            self._events.put_nowait((at_s, None))
            raise Broken(self._why)
        if event.error is not None and event.error.code == LIMIT_REACHED:
            raise Broken(LIMIT_REACHED)
        return at_s, event

    async def close(self) -> None:
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        with contextlib.suppress(OSError, TimeoutError):
            await self._connection.close()


class Connector:
    """Opens connections of one protocol; shared by all agents of a process.

    Attributes:
        reconnects: connections that were opened to replace another one.
    """

    def __init__(self, address: Address, protocol: str, clock: Clock, seed: int) -> None:
        self.address = address
        self.reconnects = 0
        self._protocol = protocol
        self._clock = clock
        self._random = random.Random(seed)
        self._was_reached = False

    async def open(self, name: str, *, again: bool) -> Socket:
        """A connection; while there is none to be had, tries again and again, ever more slowly.

        Args:
            name: of the agent, for the server.
            again: it replaces another one.

        Raises:
            InputError: the gateway was never reached, or will not have us.
        """
        wait_s = FIRST_WAIT_S
        while True:
            try:
                connection = await connect(
                    self.address.path(self._protocol),
                    open_timeout=OPEN_S,
                    max_size=MAX_MESSAGE,
                    compression=None,
                    proxy=None,
                    user_agent_header="Subsecond-Agent",
                    additional_headers={"Authorization": f"Bearer {self.address.token}", "session-id": name},
                )
            except InvalidStatus as error:
                if error.response.status_code not in BUSY:
                    raise self.address.explain(error.response.status_code, _problem(error.response.body)) from None
            except (OSError, TimeoutError, InvalidHandshake) as error:
                if not self._was_reached:
                    raise InputError(
                        "--url", "", self.address.url, f"a gateway that answers ({_reason(error)})"
                    ) from None
            else:
                self._was_reached = True
                self.reconnects += again
                return Socket(connection, self._clock)
            # by chance, so that not all of them come back at the same moment
            await asyncio.sleep(wait_s * self._random.uniform(0.5, 1.5))
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)


class _Refusal(msgspec.Struct):
    """Body of an answer that is no websocket."""

    error: Problem


def _problem(body: bytes | bytearray | None) -> Problem | None:
    try:
        return msgspec.json.decode(body or b"", type=_Refusal).error
    except msgspec.DecodeError:
        text = (body or b"").decode(errors="replace").strip()
        return Problem(message=text) if text else None


def _reason(error: OSError | TimeoutError | InvalidHandshake) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
