"""`subsecond serve`: the engine service alone."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import ssl
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from subsecond.agents.gateway.admission import check_token
from subsecond.agents.gateway.limits import read_limits
from subsecond.agents.plan import plan_run
from subsecond.agents.service import Access, Service
from subsecond.engine.errors import InputError
from subsecond.engine.live.clock import MAX_SPEED, MIN_SPEED
from subsecond.engine.recording.places import check_target
from subsecond.engine.run import Plan
from subsecond.engine.scenario import apply_settings, load_tables, parse_scenario
from subsecond.engine.telemetry.broker import Broker
from subsecond.tui.cli.mqtt import MqttOptions

__all__ = ["serve_command"]

#: Seconds after which the thread that paces tokens gets the interpreter back from the one that records.
SWITCH_S = 0.0005
#: Sessions of each kind of agents that may come on top of the scenario's while it runs, at least, and the virtual hours
#: for which those that end are to be replaced.
RESERVE, RESERVE_HOURS = 400, 10
#: Conversations of agents from outside that may go on at a time.
OUTSIDE = 1024
#: Files that are open beside the connections of agents: those who watch, recordings, libraries.
OTHER_FILES = 512


def serve_command(
    *,
    scenario: str,
    host: str,
    port: int,
    speed: float,
    head_start_s: float,
    settings: list[str],
    record: Path | None,
    record_content: bool,
    gateway: bool,
    token: str | None,
    limits: Sequence[str],
    tls_cert: Path | None,
    tls_key: Path | None,
    mqtt: MqttOptions,
    owned: bool,
    or_any: bool,
) -> None:
    """Serve until interrupted.

    Args:
        record_content: record the texts of agents from outside.
        gateway: serve agents from outside, too.
        token: that everybody who connects must show.
        limits: what clients may take, as NAME=VALUE.
        tls_cert, tls_key: certificate and key as PEM files.
        mqtt: the broker that is told of the run, too.
        owned: say the address as one JSON line on standard output, and end when standard input does: whoever started
            the service holds its other end, and nothing is left behind when that process is gone.
        or_any: take another port if that one is taken.

    Raises:
        InputError: the scenario or an option cannot be used.
    """
    if not 0 <= port <= 65535:
        raise InputError("--port", "", port, "a whole number from 0 to 65535")
    if not MIN_SPEED <= speed <= MAX_SPEED:
        raise InputError("--speed", "", speed, f"a number from {MIN_SPEED:g} to {MAX_SPEED:g}")
    if not 0 <= head_start_s <= 1e5:
        raise InputError("--head-start", "", head_start_s, "a number of seconds from 0 to 100000")

    if token is not None:
        check_token(token)
    access = Access(token=token or None, tls=_tls(tls_cert, tls_key), has_gateway=gateway, limits=read_limits(limits))
    _allow_files(access.limits.connections)
    if record is not None:
        check_target(record, "--record")

    def make_plan(more: Sequence[str]) -> Plan:
        tables, path = load_tables(scenario)
        tables.pop("duration_s", None)  # live runs end when somebody ends them
        apply_settings(tables, [*settings, *more])
        return plan_run(
            parse_scenario(tables, path),
            reserve=RESERVE,
            reserve_hours=RESERVE_HOURS,
            outside=OUTSIDE if gateway else 0,
        )

    with contextlib.ExitStack() as stack:
        broker = _broker(mqtt, stack)
        service = Service(
            make_plan,
            speed=speed,
            head_start_s=head_start_s,
            record=record,
            access=access,
            on_trouble=_warn,
            broker=broker,
            broker_may_steer=mqtt.control,
            record_content=record_content,
        )
        _leave_alone_what_stays()
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(service, host, port, owned=owned, or_any=or_any))


def _broker(mqtt: MqttOptions, stack: contextlib.ExitStack) -> Broker | None:
    """The broker that is meant; one of our own lives until the stack is closed."""
    if not mqtt.is_embedded:
        return mqtt.broker()
    from subsecond.engine.telemetry.embedded import EmbeddedBroker

    broker = mqtt.broker(stack.enter_context(EmbeddedBroker()).url)
    assert broker is not None
    _warn(f"broker at {broker.url}")
    return broker


def _tls(cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """The server's side of TLS.

    Raises:
        InputError: a file that cannot be read, or is no certificate or key.
    """
    if cert is None:
        if key is not None:
            raise InputError("--tls-key", "", str(key), "a certificate beside it (--tls-cert)")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:  # the latter is one of the former, with other words
        why = error.strerror or str(error)
        raise InputError("--tls-cert", "", str(cert), f"a certificate and its key as PEM ({why})") from None
    return context


def _leave_alone_what_stays() -> None:
    """Keep the garbage collector away from all that was made at the start: going through it takes 80 ms, in which
    nobody gets a token.
    """
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH_S)


def _allow_files(connections: int) -> None:
    """Every connection is an open file, and many systems allow few of them unless asked."""
    if sys.platform == "win32":
        return
    import resource

    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHER_FILES
    if most != resource.RLIM_INFINITY:
        wanted = min(wanted, most)
    if allowed != resource.RLIM_INFINITY and wanted > allowed:
        with contextlib.suppress(OSError, ValueError):  # some systems allow fewer than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


async def _serve(service: Service, host: str, port: int, *, owned: bool, or_any: bool) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # where loops know no signals, Ctrl-C still interrupts
            loop.add_signal_handler(name, stop.set)
    if owned:

        def watch() -> None:
            with contextlib.suppress(OSError, ValueError):
                while os.read(0, 4096):  # sys.stdin has a lock, held while it waits: the interpreter could not end
                    pass
            loop.call_soon_threadsafe(stop.set)

        threading.Thread(target=watch, daemon=True).start()
    serving = asyncio.create_task(service.run(host, port, lambda url: _say(url, owned=owned), or_any=or_any))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not serving.done():
        serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def _warn(text: str) -> None:
    sys.stderr.write(f"subsecond: {text}\n")


def _say(url: str, *, owned: bool) -> None:
    if owned:
        print(msgspec.json.encode({"url": url}).decode(), flush=True)
    else:
        sys.stderr.write(f"subsecond: serving {url}\n")
