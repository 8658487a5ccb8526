"""`subsecond replay`: a recording or a study on the dashboard, or a picture of it."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from subsecond.engine.errors import InputError
from subsecond.tui.instants import instant_ps
from subsecond.tui.studies.opening import is_study, open_study

__all__ = ["replay_command"]

VIEWS = ("race", "turn", "sessions", "pipelines", "feel", "agents", "economics")


def replay_command(
    *, recording: Path, at: str | None, size: str, view: str, screenshot: Path | None, paused: bool
) -> None:
    """Show a recording, or a study.

    Raises:
        InputError: neither, an option that cannot be used, or no terminal and no `--screenshot`.
    """
    if is_study(recording):
        for option, is_given in (("--at", at is not None), ("--paused", paused), ("--view", view != "race")):
            if is_given:
                raise InputError(option, "", str(recording), "a recording: a study has one screen and no time")
        _show_study(recording, size, screenshot)
        return
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


def _show_study(path: Path, size: str, screenshot: Path | None) -> None:
    opened = open_study(path)
    if screenshot is not None:
        from subsecond.tui.picture import save_study_picture

        asyncio.run(save_study_picture(opened, _size(size), screenshot))
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("replay", "standard output", "no terminal", "a terminal to draw on, or --screenshot")
    from subsecond.tui.study_app import StudyApp

    app = StudyApp(opened)
    app.run()
    app.travel.close()
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
