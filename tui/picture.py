"""A picture of the dashboard without a terminal: SVG, or plain text."""

from __future__ import annotations

from pathlib import Path

from subsecond.engine.errors import InputError
from subsecond.engine.recording.reader import Recording
from subsecond.tui.app import SubsecondApp
from subsecond.tui.screen_picture import SUFFIXES, picture_of
from subsecond.tui.source import Item, ListSource

__all__ = ["save_picture"]


async def save_picture(recording: Path, at_ps: int | None, size: tuple[int, int], view: str, out: Path) -> None:
    """Draw one instant of a recording into a file whose ending says how: .svg or .txt.

    Raises:
        InputError: no recording, another ending, or a file that cannot be written.
    """
    if out.suffix not in SUFFIXES:
        raise InputError("--screenshot", "", str(out), "a name that ends in .svg or .txt")
    with Recording.open(recording) as file:
        items: list[Item] = [file.hello(), *file.messages(None, at_ps)]
    app = SubsecondApp(ListSource(items), fps=None)
    async with app.run_test(size=size) as pilot:
        await app.is_over.wait()
        app.clear_notifications()
        if view != "race":
            await app.run_action(f"view('{view}')")
        app.draw()
        await pilot.pause()
        text = picture_of(app, out.suffix)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError("--screenshot", "", str(out), f"a file that can be written ({error.strerror})") from None
