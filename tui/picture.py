"""A picture of the dashboard without a terminal: SVG, or plain text."""

from __future__ import annotations

from pathlib import Path

from subsecond.engine.errors import InputError
from subsecond.engine.recording.reader import Recording
from subsecond.tui.app import SubsecondApp
from subsecond.tui.screen_picture import SUFFIXES, picture_of
from subsecond.tui.source import Item, ListSource
from subsecond.tui.studies.opening import OpenStudy
from subsecond.tui.study_app import StudyApp

__all__ = ["save_picture", "save_study_picture"]


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
    _write(out, text)


async def save_study_picture(opened: OpenStudy, size: tuple[int, int], out: Path) -> None:
    """Draw a study into a file whose ending says how: .svg or .txt; of a sweep's folder all that lies there.

    Raises:
        InputError: another ending, or a file that cannot be written.
    """
    if out.suffix not in SUFFIXES:
        raise InputError("--screenshot", "", str(out), "a name that ends in .svg or .txt")
    while opened.look():
        pass
    app = StudyApp(opened, fps=None)
    async with app.run_test(size=size) as pilot:
        for worker in [worker for worker in app.workers if worker.group in ("look", "table")]:
            await worker.wait()
        app.redraw()
        await pilot.pause()
        text = picture_of(app, out.suffix)
    _write(out, text)


def _write(out: Path, text: str) -> None:
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError("--screenshot", "", str(out), f"a file that can be written ({error.strerror})") from None
