"""Asks what shall be written down about the instant that is shown."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Label

from subsecond.engine.commands import Annotate
from subsecond.engine.errors import InputError
from subsecond.tui.screens.dialogs import Dialog
from subsecond.tui.verdict import clock_words

__all__ = ["AnnotateDialog"]

#: Characters that the service takes.
MOST: Final = 500


class AnnotateDialog(Dialog):
    """One line about an instant; everybody who watches gets it, and the recording keeps it."""

    ABOUT: ClassVar[str] = (
        "What you write stands in the recording at the instant that was shown when this opened, and everybody who "
        "watches reads it. The timeline marks it with A, `subsecond show` lists it."
    )
    DEFAULT_CSS = """
    AnnotateDialog Label { width: 100%; color: $text-muted; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._at_ps: int | None = None

    def compose(self) -> ComposeResult:
        travel = self.dashboard.travel
        with Vertical() as box:
            box.border_title = "Annotate the run (enter writes it down, escape closes)"
            try:
                self._at_ps = travel.at_ps
            except InputError as error:  # its recording is damaged
                yield Label(str(error), markup=False)
            else:
                yield Label(f"About {clock_words(self._at_ps)} of the run.", markup=False)
            yield Input(placeholder="what is to be seen here", max_length=MOST, compact=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss()
        if event.value.strip():
            self.dashboard.command(Annotate(event.value, self._at_ps))
