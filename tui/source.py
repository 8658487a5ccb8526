"""Where messages come from: a service's websocket, or a list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, Protocol

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.uri import parse_uri

from subsecond.engine.commands import Command
from subsecond.engine.errors import InputError
from subsecond.engine.feed import VERSION, Hello, Message, decode_message, encode
from subsecond.tui.open_turns import OpenTurns

__all__ = ["Gone", "Item", "ListSource", "LiveSource", "Refused", "Source"]

#: Seconds between two attempts to reach a service that has gone, and for which one attempt may last.
RETRY_S: Final = 1.0
OPEN_S: Final = 5.0
#: Longest message that is taken, in bytes.
MAX_MESSAGE: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Gone:
    """There is no connection; `reason` says why, in words. Messages may come again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Something came that is no message; `reason` says what is wrong with it."""

    reason: str


Item = Message | OpenTurns | Gone | Refused


class Source(Protocol):
    """What the dashboard watches."""

    @property
    def place(self) -> str:
        """Where the messages come from, for people."""

    def items(self) -> AsyncIterator[Item]:
        """Messages as they come; ends only if nothing can come any more."""

    async def send(self, command: Command) -> bool:
        """Send a command; False if nobody is there to take it."""


class LiveSource:
    """The feed of an engine service; comes back by itself when the service does.

    Args:
        url: `ws://HOST:PORT/v1/observe`, as the service says it.
        token: that the service asks for; None: it asks for none.

    Raises:
        InputError: not the address of a websocket.
    """

    def __init__(self, url: str, *, token: str | None = None, retry_s: float = RETRY_S) -> None:
        try:
            parse_uri(url)
        except (InvalidURI, ValueError):
            raise InputError("--attach", "", url, "an address such as ws://127.0.0.1:8765/v1/observe") from None
        self._url = url
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._retry_s = retry_s
        self._socket: ClientConnection | None = None

    @property
    def place(self) -> str:
        return self._url

    async def items(self) -> AsyncIterator[Item]:
        """Messages; between two connections, and before the first, `Gone` says why there are none."""
        while True:
            try:
                async with connect(
                    self._url,
                    additional_headers=self._headers,
                    open_timeout=OPEN_S,
                    max_size=MAX_MESSAGE,
                    compression=None,
                    proxy=None,
                ) as socket:
                    self._socket = socket
                    async for data in socket:
                        yield _read(data)
                    yield Gone("the service has ended")
            except InvalidHandshake as error:
                yield Gone(f"no service at {self._url}: {_refusal(error)}")
            except ConnectionClosed as error:
                yield Gone(f"the connection broke: {error.rcvd.reason if error.rcvd else 'no farewell'}")
            except (OSError, TimeoutError) as error:
                yield Gone(f"nobody answers at {self._url} ({_reason(error)})")
            except (InvalidURI, UnicodeError) as error:  # a redirection, or a name that no resolver takes
                yield Gone(f"{self._url} leads to no service: {error}")
            finally:
                self._socket = None
            await asyncio.sleep(self._retry_s)

    async def send(self, command: Command) -> bool:
        if self._socket is None:
            return False
        try:
            await self._socket.send(encode(command).decode())
        except ConnectionClosed:
            return False
        return True


def _refusal(error: InvalidHandshake) -> str:
    if isinstance(error, InvalidStatus) and error.response.status_code == HTTPStatus.UNAUTHORIZED:
        return "it asks for another token (--token, or SUBSECOND_TOKEN)"
    return str(error)


def _reason(error: OSError | TimeoutError) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else error.strerror or type(error).__name__


def _read(data: str | bytes) -> Item:
    try:
        message = decode_message(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Refused(str(error))
    if isinstance(message, Hello):
        if message.version != VERSION:
            return Refused(f"the service speaks version {message.version} of the feed, this program {VERSION}")
        if not message.lanes or not message.agents or not message.stages:
            return Refused("a run without pipelines, agents or stages")
    return message


@dataclass
class ListSource:
    """Messages that are known beforehand: a test's, or a recording's.

    Attributes:
        sent: commands that were sent, in order.
    """

    messages: Iterable[Item]
    place: str = "recording"
    sent: list[Command] = field(default_factory=list)

    async def items(self) -> AsyncIterator[Item]:
        """All of them at once."""
        for message in self.messages:
            yield message

    async def send(self, command: Command) -> bool:
        """Keep the command for whoever asks."""
        self.sent.append(command)
        return True
