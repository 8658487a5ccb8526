"""Which broker: its address, who we are to it, and a connection that is closed whatever happens."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from subsecond.engine.errors import InputError

from .tasks import answer

if TYPE_CHECKING:
    from aiomqtt import Client, Will

__all__ = ["PREFIX", "Broker", "Pauses", "connection", "read_broker", "words_of"]

PREFIX: Final = "subsecond"
PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
#: Seconds between two signs of life; a broker or a peer that gives none for one and a half of them counts as gone.
KEEPALIVE_S: Final = 10
#: Seconds that connecting and subscribing may take.
ANSWER_S: Final = 10.0
#: Seconds that a farewell may take.
CLOSE_S: Final = 2.0
#: Seconds between two attempts: at first, and at most.
FIRST_S, MOST_S = 0.2, 10.0
#: Messages that a program which is slower than the broker may have waiting; further ones are lost to it.
MOST_INCOMING: Final = 20_000
_EXPECTED: Final = "an address such as mqtt://user@host:1883/prefix, or mqtts:// for TLS"
#: The client library talks to `logging`; what matters comes as exceptions, and a screen must not be written over.
_SILENT: Final = logging.getLogger("subsecond.mqtt")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker, and the topic below which we meet.

    Attributes:
        user, password: None: it asks for none.
        tls: None: the connection is not encrypted.
        prefix: first levels of all topics.
    """

    host: str
    port: int
    user: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None
    prefix: str = PREFIX

    @property
    def url(self) -> str:
        """Its address for people, without a password."""
        scheme = "mqtt" if self.tls is None else "mqtts"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}/{self.prefix}"

    def client(self, identifier: str, *, will: Will | None = None, window: int = 20) -> Client:
        """A client that is not connected yet; in a running loop.

        Args:
            identifier: two clients with the same one throw each other out.
            will: what the broker says for us when we are gone.
            window: messages under way that the broker has not confirmed.
        """
        from aiomqtt import Client, ProtocolVersion

        client = Client(
            self.host,
            self.port,
            username=self.user,
            password=self.password,
            identifier=identifier,
            will=will,
            clean_session=True,  # commands of yesterday are not obeyed; what is missed is asked for again
            protocol=ProtocolVersion.V311,  # the embedded broker speaks no other
            keepalive=KEEPALIVE_S,
            timeout=ANSWER_S,
            tls_context=self.tls,
            max_inflight_messages=window,
            max_queued_incoming_messages=MOST_INCOMING,
            # Neither the client nor brokers set it: small messages would wait 40 ms for an acknowledgement.
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            logger=_SILENT,
        )
        client.pending_calls_threshold = 2 * window
        return client


def read_broker(url: str, *, password: str | None = None, ca: Path | None = None, option: str = "--mqtt") -> Broker:
    """A broker from its address.

    Args:
        password: of the user whom the address names.
        ca: certificates of those who may vouch for the broker; None: those that the system trusts.
        option: where the address comes from, for messages.

    Raises:
        InputError: the address or a file cannot be used.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InputError(option, "", url, _EXPECTED) from None
    if parts.password is not None:
        shown = url.replace(f":{parts.password}@", ":...@")
        raise InputError(option, "", shown, "no password in it: SUBSECOND_MQTT_PASSWORD or --mqtt-password-file has it")
    if parts.scheme not in PORTS or not parts.hostname or parts.query or parts.fragment or port == 0:
        raise InputError(option, "", url, _EXPECTED)
    prefix = parts.path.strip("/") or PREFIX
    if any(sign in prefix for sign in "+#$\0") or len(prefix.encode()) > 200 or "//" in prefix:
        raise InputError(option, "prefix", prefix, "levels of a topic, without + # $")
    if ca is not None and parts.scheme != "mqtts":
        raise InputError("--mqtt-ca", "", str(ca), "an address that begins with mqtts://")
    if password is not None and not parts.username:
        raise InputError(option, "", url, "a user for the password, as in mqtt://user@host")
    tls = _tls(ca) if parts.scheme == "mqtts" else None
    user = unquote(parts.username) if parts.username else None
    return Broker(parts.hostname, port or PORTS[parts.scheme], user, password, tls, prefix)


def _tls(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca is None else str(ca))
    except (OSError, ssl.SSLError) as error:
        raise InputError("--mqtt-ca", "", str(ca), f"certificates as PEM ({error.strerror or error})") from None


@asynccontextmanager
async def connection(client: Client) -> AsyncIterator[Client]:
    """Connect, and disconnect in the end.

    Connecting goes on in a thread that nobody can stop: whoever is cancelled meanwhile waits for its end.

    Raises:
        aiomqtt.MqttError: there is no connection, or it broke.
    """
    opening = asyncio.ensure_future(client.__aenter__())
    try:
        await asyncio.shield(opening)
    except asyncio.CancelledError:
        await _leave(client, opening)
        raise
    try:
        yield client
    finally:
        await _close(client)


async def _leave(client: Client, opening: asyncio.Future[Client]) -> None:
    from aiomqtt import MqttError

    with suppress(MqttError):
        await opening
        await _close(client)


async def _close(client: Client) -> None:
    await answer(_part(client))


async def _part(client: Client) -> None:
    """Disconnect; that the client cannot any more, or that the broker does not answer, is no news."""
    from aiomqtt import MqttError

    with suppress(MqttError, TimeoutError):
        async with asyncio.timeout(CLOSE_S):
            await client.__aexit__(None, None, None)
            while True:  # what broke it is to be looked at, or asyncio complains that nobody has
                await anext(client.messages)


def words_of(error: Exception) -> str:
    """What is wrong with a connection, without the client library's numbers."""
    return re.sub(r"^\[(code:|Errno )-?\w+\] ", "", str(error)) or type(error).__name__


class Pauses:
    """Waits between two attempts: longer ones each time, and never the same for two who were thrown out together."""

    def __init__(self) -> None:
        self._longest_s = FIRST_S

    def begin_again(self) -> None:
        """An attempt was good: the next wait is short."""
        self._longest_s = FIRST_S

    async def wait(self) -> None:
        """Wait before the next attempt."""
        await asyncio.sleep(random.uniform(0.5, 1.0) * self._longest_s)
        self._longest_s = min(2 * self._longest_s, MOST_S)
