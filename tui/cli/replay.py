"""`subsecond replay`: a recording on the dashboard, or one instant of it as a picture."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from subsecond.engine.errors import InputError
from subsecond.tui.instants import instant_ps

__all__ = ["replay_command"]

VIEWS = ("race", "turn", "sessions", "pipelines", "feel", "agents", "economics")


def replay_command(
    *, recording: Path, at: str | None, size: str, view: str, screenshot: Path | None, paused: bool
) -> None:
    """Show a recording.

    Raises:
        InputError: no recording, an option that cannot be used, or no terminal and no `--screenshot`.
    """
    at_ps = None if at is None else _instant(at)
    if screenshot is not None:
        from subsecond.tui.picture import save_picture

        asyncio.run(save_picture(recording, at_ps, _size(size), _view(view), screenshot))
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("replay", "standard output", "no terminal", "a terminal to draw on, or --screenshot")
    from subsecond.tui.app import SubsecondApp
    from subsecond.tui.replay import ReplaySource
    from subsecond.tui.room_search import ChildSearch

    source = ReplaySource(recording, at_ps=at_ps, paused=paused)
    app = SubsecondApp(source, search=ChildSearch())
    app.run()
    app.travel.close()
    source.close()
    if app.return_code:
        raise SystemExit(app.return_code)
    for line in app.farewell():
        print(line)


def _instant(text: str) -> int:
    """Picoseconds of `90`, `90s`, `1.5m` or `1:30`."""
    try:
        return instant_ps(text)
    except ValueError:
        raise InputError("--at", "", text, "an instant within 1,000,000 s, such as 90s, 1.5m or 1:30") from None


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text)
    if not found or not (20 <= int(found[1]) <= 500 and 5 <= int(found[2]) <= 300):
        raise InputError("--size", "", text, "COLUMNSxROWS such as 120x40, from 20x5 to 500x300")
    return int(found[1]), int(found[2])


def _view(name: str) -> str:
    if name not in VIEWS:
        raise InputError("--view", "", name, "one of " + ", ".join(VIEWS))
    return name
