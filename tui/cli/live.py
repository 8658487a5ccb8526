"""`subsecond live`, and `subsecond` alone: the service and the dashboard together."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from subsecond.engine.core.execution import plan_execution
from subsecond.engine.errors import InputError
from subsecond.tui.cli.mqtt import MqttOptions
from subsecond.tui.owned import OwnedService

__all__ = ["live_command"]

#: Requests that a live run is laid out for, at least: enough that it waits for the core to be compiled.
MANY = 10**6


def live_command(
    *,
    scenario: str,
    speed: float,
    head_start_s: float,
    settings: Sequence[str],
    record: Path | None,
    record_content: bool,
    port: int | None,
    gateway: bool,
    token: str | None,
    mqtt: MqttOptions,
) -> None:
    """Run a scenario live and show it until the user leaves; then say where it stands.

    Args:
        port: where the service is; None: at the usual one, or any other if that is taken.
        record_content: record the texts of agents from outside.
        gateway: serve agents from outside, too.
        token: that everybody who connects must show; None: none.

    Raises:
        InputError: no terminal, or the scenario or an option cannot be used.
        SubsecondError: the service did not start.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("live", "standard output", "no terminal", "a terminal to draw on; `subsecond run` needs none")
    arguments = [scenario, "--speed", str(speed), "--head-start", str(head_start_s)]
    for setting in settings:
        arguments += ["--set", setting]
    if record_content:
        arguments.append("--record-content")
    if not gateway:
        arguments.append("--no-gateway")
    arguments += mqtt.arguments()
    waiting = plan_execution(MANY).notice  # asked before the service changes the answer
    with OwnedService(arguments, port=port, token=token, record=record) as service:
        service.begin()  # it gets ready while we load what the first frame needs, and while that is on the screen
        from subsecond.tui.app import SubsecondApp
        from subsecond.tui.room_search import ChildSearch
        from subsecond.tui.starting import StartingSource

        source = StartingSource(service, lambda: app.exit())
        app = SubsecondApp(source, restart=service.restart, waiting=waiting, search=ChildSearch())
        app.run()
    if source.failure is not None:
        raise source.failure
    if app.return_code:
        raise SystemExit(app.return_code)
    for line in app.farewell():
        print(line)
