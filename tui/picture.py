"""A picture of the dashboard without a terminal: SVG, or plain text."""

from __future__ import annotations

import re
from pathlib import Path

from subsecond.engine.errors import InputError
from subsecond.engine.recording.reader import Recording
from subsecond.tui.app import SubsecondApp
from subsecond.tui.source import Item, ListSource

__all__ = ["save_picture", "screen_text"]


def screen_text(app: SubsecondApp) -> str:
    """What the screen shows, line by line, without colours."""
    lines = app.screen._compositor.render_strips()  # what Textual itself exports from
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines) + "\n"


def _svg(app: SubsecondApp) -> str:
    """The screen as SVG that loads nothing from anywhere: the reader's own monospace font will do."""
    svg = re.sub(r"\s*@font-face \{.*?\}", "", app.export_screenshot(title="subsecond"), flags=re.DOTALL)
    return svg.replace("Fira Code", "monospace")


async def save_picture(recording: Path, at_ps: int | None, size: tuple[int, int], view: str, out: Path) -> None:
    """Draw one instant of a recording into a file whose ending says how: .svg or .txt.

    Raises:
        InputError: no recording, another ending, or a file that cannot be written.
    """
    if out.suffix not in (".svg", ".txt"):
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
        text = _svg(app) if out.suffix == ".svg" else screen_text(app)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError("--screenshot", "", str(out), f"a file that can be written ({error.strerror})") from None
