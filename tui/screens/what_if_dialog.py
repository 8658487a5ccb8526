"""What a recording would have been with another value of a parameter, beside what it was."""

from __future__ import annotations

import asyncio
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from subsecond.engine.comparison.words import verdict
from subsecond.engine.errors import InputError
from subsecond.engine.feed import SetKnob
from subsecond.engine.scenario import setting
from subsecond.tui.screens.dialogs import Dialog
from subsecond.tui.what_if import WhatIf, what_if
from subsecond.tui.widgets.text import clean

__all__ = ["WhatIfDialog"]


class WhatIfDialog(Dialog):
    """Runs the recording again, in a thread, and shows what comes of it."""

    ABOUT = (
        "The sessions of the recording once more, on one pipeline with another value of a parameter: they begin when "
        "they began, agents wait as long after a reply as they did, faults strike at their times. The other pipelines "
        "are as they were. `subsecond rerun` shows more, and changes several parameters at a time."
    )

    def __init__(self, path: Path, knob: SetKnob) -> None:
        super().__init__()
        self._path = path
        self._knob = knob

    def compose(self) -> ComposeResult:
        knob = self._knob
        with Vertical() as box, VerticalScroll():
            box.border_title = f"What if {knob.lane}.{knob.key} were {setting(knob.value)}? (escape closes)"
            yield Static("Running the recording again…", id="outcome", markup=False)

    def on_mount(self) -> None:
        self.run_worker(self._find_out(), exit_on_error=False)

    async def _find_out(self) -> None:
        try:
            found = await asyncio.to_thread(what_if, self._path, self._knob)
        except InputError as error:
            self.query_one("#outcome", Static).update(clean(str(error)))
            return
        self.query_one("#outcome", Static).update(_words(found))


def _words(found: WhatIf) -> str:
    names = (f"{found.knob.lane} as it was", f"{found.knob.lane} with it")
    if found.comparison.is_same:
        sentences = ["Nothing would have been different."]
    else:
        sentences = [verdict(kind, names, found.main.get(kind.kind)) for kind in found.comparison.kinds]
    return "\n".join(map(clean, [*found.lines(), "", *sentences, *found.remarks]))
