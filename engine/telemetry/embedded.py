"""A broker for those who have none: amqtt, in a thread of its own with a loop of its own.

For a lab on one machine or a small network. It keeps nothing on disk and encrypts nothing; whoever needs more takes a
broker that is one, such as mosquitto.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import tempfile
import threading
from typing import Any, Final

from subsecond.engine.errors import InputError

from .broker import PREFIX

__all__ = ["EmbeddedBroker"]

PORT: Final = 1883
#: Seconds for a thread to begin, and to end.
WAIT_S: Final = 30.0
_AUTHENTICATION: Final = "amqtt.plugins.authentication"


class EmbeddedBroker:
    """Runs while the context lasts.

    Args:
        port: 0: any free one.
        user, password: that all must show; None: nobody must.

    Raises:
        InputError: it is not installed, or cannot listen there (on entering the context).
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = PORT, *, user: str | None = None, password: str | None = None
    ) -> None:
        try:
            import amqtt  # noqa: F401  # whether it is there
        except ImportError:
            expected = "the extra `broker`: pip install 'subsecond[broker]'; or the address of another broker"
            raise InputError("broker", "", "no amqtt in this environment", expected) from None
        self._host, self._port = host, port
        self._login = None if user is None else (user, password or "")
        self._failure: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)

    @property
    def url(self) -> str:
        """Its address."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        user = f"{self._login[0]}@" if self._login is not None else ""
        return f"mqtt://{user}{host}:{self._port}/{PREFIX}"

    def __enter__(self) -> EmbeddedBroker:
        self._thread.start()
        self._is_ready.wait(WAIT_S)
        if self._failure is not None:
            self._thread.join(WAIT_S)
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._end is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(WAIT_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # its words are its own; ours say what to do
            reason = getattr(error, "strerror", None) or str(error.__cause__ or error)
            place = f"{self._host}:{self._port}"
            self._failure = InputError("broker", "", place, f"an address to listen on that is free ({reason})")
        finally:
            self._is_ready.set()

    async def _serve(self) -> None:
        from amqtt.broker import Broker

        for name in ("amqtt", "transitions"):  # what clients do wrong is not for our terminal
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        with tempfile.TemporaryDirectory(prefix="subsecond-broker-") as folder:
            broker = Broker(self._configuration(os.path.join(folder, "passwords")))
            await broker.start()
            if self._port == 0:
                (server,) = broker._servers.values()
                self._port = server.instance.sockets[0].getsockname()[1]
            self._is_ready.set()
            await self._end.wait()
            await broker.shutdown()

    def _configuration(self, passwords: str) -> dict[str, Any]:
        if self._login is None:
            plugin: dict[str, Any] = {f"{_AUTHENTICATION}.AnonymousAuthPlugin": {"allow_anonymous": True}}
        else:
            from pwdlib.hashers.argon2 import Argon2Hasher

            user, password = self._login
            with open(os.open(passwords, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
                file.write(f"{user}:{Argon2Hasher().hash(password)}\n")
            plugin = {f"{_AUTHENTICATION}.FileAuthPlugin": {"password_file": passwords}}
        bind = f"{self._host}:{self._port}"
        return {"listeners": {"default": {"type": "tcp", "bind": bind}}, "plugins": plugin}
