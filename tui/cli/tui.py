"""`subsecond tui`: the dashboard on a service that runs somewhere else."""

from __future__ import annotations

import sys

from subsecond.agents.gateway.admission import check_token
from subsecond.engine.errors import InputError
from subsecond.tui.source import LiveSource

__all__ = ["tui_command"]


def tui_command(*, attach: str, token: str | None) -> None:
    """Watch the service at an address until the user leaves.

    Args:
        token: that the service asks for; None: it asks for none.

    Raises:
        InputError: no terminal, or the address is not that of a websocket.
    """
    if token is not None:
        check_token(token)
    source = LiveSource(attach, token=token)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("tui", "standard output", "no terminal", "a terminal to draw on; `run` needs none")
    from subsecond.tui.app import SubsecondApp

    app = SubsecondApp(source)
    app.run()
    if app.return_code:
        raise SystemExit(app.return_code)
    for line in app.farewell(is_running=not app.gone):
        print(line)
