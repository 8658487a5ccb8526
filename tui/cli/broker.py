"""`subsecond broker`: the embedded broker alone."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading

from subsecond.engine.errors import InputError
from subsecond.engine.telemetry.embedded import EmbeddedBroker

__all__ = ["broker_command"]


def broker_command(*, host: str, port: int, user: str | None) -> None:
    """Let the broker run until interrupted.

    Raises:
        InputError: an option cannot be used, or the broker is not installed or cannot listen.
    """
    if not 0 <= port <= 65535:
        raise InputError("--port", "", port, "a whole number from 0 to 65535")
    password = os.environ.get("SUBSECOND_MQTT_PASSWORD") or None
    if user is not None and password is None:
        raise InputError("--user", "", user, "its password in SUBSECOND_MQTT_PASSWORD")
    if user is not None and (":" in user or not user):
        raise InputError("--user", "", user, "a name without a colon")
    if user is None and host not in ("127.0.0.1", "localhost", "::1"):
        raise InputError("--host", "", host, "a loopback address, or a --user, since anybody could connect")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with EmbeddedBroker(host, port, user=user, password=password) as broker, contextlib.suppress(KeyboardInterrupt):
        sys.stderr.write(f"subsecond: broker at {broker.url}\n")
        sys.stderr.flush()
        stop.wait()
