"""`subsecond record`: recordings of engines that tell a broker."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path
from typing import Final

from subsecond.engine.errors import InputError, SubsecondError
from subsecond.engine.telemetry.broker import Broker
from subsecond.engine.telemetry.listener import Away, Back, Event, Listener
from subsecond.engine.telemetry.recording import FleetRecorder
from subsecond.tui.cli.mqtt import MqttOptions

__all__ = ["record_command"]

#: Seconds between two looks whether runs are over.
LOOK_S: Final = 1.0


def record_command(*, mqtt: MqttOptions, out: Path, run: str | None, is_folder: bool) -> None:
    """Record until interrupted.

    Args:
        is_folder: `out` is to be a folder, whether it exists or not.

    Raises:
        InputError: an option cannot be used.
        SubsecondError: the broker does not let us in.
    """
    if mqtt.is_embedded:
        raise InputError("--mqtt", "", "embedded", "the address of a broker that engines tell")
    broker = mqtt.broker()
    assert broker is not None  # typer asks for an address
    recorder = FleetRecorder(out, only=run, say=_say, is_folder=is_folder)
    with recorder, contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_record(broker, recorder, run))
    _say(f"{recorder.turns:,} turns in {len(recorder.files)} recordings")


async def _record(broker: Broker, recorder: FleetRecorder, run: str | None) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # where loops know no signals, Ctrl-C still interrupts
            loop.add_signal_handler(name, stop.set)
    teller = _Teller(recorder)
    listening = asyncio.create_task(Listener(broker, teller.take, only=run, past_batches=None, has_script=True).run())
    try:
        while not stop.is_set() and teller.refusal is None and not listening.done():
            recorder.finish_ended()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await stop.wait()
        if teller.refusal is not None:
            raise SubsecondError(teller.refusal)
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening


class _Teller:
    """Says what a person at the terminal should know, once each.

    Attributes:
        refusal: why the broker does not let us in, if it never has.
    """

    def __init__(self, recorder: FleetRecorder) -> None:
        self._recorder = recorder
        self._is_away: bool | None = None
        self.refusal: str | None = None

    def take(self, event: Event) -> None:
        """Take an event."""
        self._recorder.take(event)
        if isinstance(event, Back):
            if self._is_away:
                _say("the broker is there")
            elif self._is_away is None:
                _say("listening; a file begins when an engine is heard of")
            self._is_away = False
        elif isinstance(event, Away):
            if self._is_away is None and event.is_refused:
                self.refusal = event.reason
            elif not self._is_away:
                _say(f"{event.reason}; waiting for it")
            self._is_away = True


def _say(text: str) -> None:
    sys.stderr.write(f"subsecond: {text}\n")
    sys.stderr.flush()
