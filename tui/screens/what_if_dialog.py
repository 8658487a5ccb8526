"""What a recording would have been with another value of a parameter, beside what it was."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from subsecond.engine.commands import SetKnob
from subsecond.engine.comparison.words import verdict
from subsecond.engine.errors import InputError
from subsecond.engine.scenario import setting
from subsecond.tui.screens.dialogs import Dialog
from subsecond.tui.verdict import clock_words
from subsecond.tui.what_if import WhatIf, what_if
from subsecond.tui.widgets.text import clean

__all__ = ["WhatIfDialog"]

PS_PER_S = 10**12
#: Lengths of the window whose turns are compared; None: all of the recording.
WINDOWS_S = (None, 60, 300, 900)


class WhatIfDialog(Dialog):
    """Runs the recording again, in a thread, and shows what comes of it."""

    ABOUT = (
        "The sessions of the recording once more, on one pipeline with another value of a parameter: they begin when "
        "they began, agents wait as long after a reply as they did, faults strike at their times. The other pipelines "
        "are as they were. w chooses which turns are compared: all, or those of a window that ends at the instant "
        "shown. `subsecond rerun` shows more, and changes several parameters at a time."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "next_window", "Window", tooltip="Compare the turns of another window of the recording"),
    ]

    def __init__(self, path: Path, knob: SetKnob, at_ps: int) -> None:
        super().__init__()
        self._path = path
        self._knob = knob
        self._at_ps = at_ps
        self._window = 0

    def compose(self) -> ComposeResult:
        knob = self._knob
        with Vertical() as box, VerticalScroll():
            box.border_title = f"What if {knob.lane}.{knob.key} were {setting(knob.value)}? (escape closes)"
            yield Static(self._window_words(), id="window", markup=False)
            yield Static("Running the recording again…", id="outcome", markup=False)

    def on_mount(self) -> None:
        self.run_worker(self._find_out(), exit_on_error=False, exclusive=True)

    def action_next_window(self) -> None:
        self._window = (self._window + 1) % len(WINDOWS_S)
        self.query_one("#window", Static).update(self._window_words())
        self.run_worker(self._find_out(), exit_on_error=False, exclusive=True)

    def _span_ps(self) -> tuple[int | None, int | None]:
        """The window's begin and end."""
        length_s = WINDOWS_S[self._window]
        return (None, None) if length_s is None else (max(0, self._at_ps - length_s * PS_PER_S), self._at_ps)

    def _window_words(self) -> str:
        since_ps, until_ps = self._span_ps()
        if since_ps is None or until_ps is None:
            return "All turns of the recording (w: of a window before the instant shown)"
        return f"Turns that began from {clock_words(since_ps)} to {clock_words(until_ps)} (w: another window)"

    async def _find_out(self) -> None:
        try:
            found = await asyncio.to_thread(what_if, self._path, self._knob, *self._span_ps())
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
