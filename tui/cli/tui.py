"""`subsecond tui`: the dashboard on a service that runs somewhere else."""

from __future__ import annotations

import sys

from subsecond.agents.gateway.admission import check_token
from subsecond.engine.errors import InputError
from subsecond.tui.cli.mqtt import MqttOptions
from subsecond.tui.source import LiveSource

__all__ = ["tui_command"]


def tui_command(*, attach: str | None, token: str | None, mqtt: MqttOptions) -> None:
    """Watch the service at an address, or the engines on a broker, until the user leaves.

    Args:
        token: that the service asks for; None: it asks for none.

    Raises:
        InputError: no terminal, or the address is not that of a websocket.
    """
    if (attach is None) == (mqtt.url is None) or mqtt.is_embedded:
        given = "--attach and --mqtt" if attach is not None else mqtt.url or "neither"
        raise InputError("tui", "", given, "either --attach URL of a service or --mqtt URL of a broker")
    if attach is None:
        _watch_fleet(mqtt)
        return
    if token is not None:
        check_token(token)
    source = LiveSource(attach, token=token)
    _check_terminal()
    from subsecond.tui.app import SubsecondApp
    from subsecond.tui.room_search import ChildSearch

    app = SubsecondApp(source, search=ChildSearch())
    app.run()
    if app.return_code:
        raise SystemExit(app.return_code)
    for line in app.farewell(is_running=not app.gone):
        print(line)


def _watch_fleet(mqtt: MqttOptions) -> None:
    broker = mqtt.broker()
    _check_terminal()
    from subsecond.tui.fleet_app import FleetApp
    from subsecond.tui.room_search import ChildSearch

    app = FleetApp(broker, search=ChildSearch())
    app.run()
    if app.return_code:
        raise SystemExit(app.return_code)
    print(f"subsecond: {len(app.fleet.engines)} engines on {app.fleet.place}")


def _check_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("tui", "standard output", "no terminal", "a terminal to draw on; `run` needs none")
