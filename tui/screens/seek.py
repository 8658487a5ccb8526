"""Asks for an instant to show."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Label

from subsecond.engine.errors import InputError
from subsecond.tui.instants import EXPECTED, instant_ps
from subsecond.tui.screens.answer import Answer
from subsecond.tui.screens.dialogs import Dialog
from subsecond.tui.verdict import clock_words

__all__ = ["SeekDialog"]


class SeekDialog(Dialog):
    """An instant of the run that is shown, typed."""

    ABOUT = f"The instant that all screens show: {EXPECTED}. N leads back to a live run as it goes on."

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Show another instant (enter goes there, escape closes)"
            yield Label(self._range(), markup=False)
            yield Input(placeholder="an instant", compact=True)
            yield Answer(EXPECTED)

    def _range(self) -> str:
        travel = self.dashboard.travel
        try:
            return f"{clock_words(travel.at_ps)} is shown; the run goes from 0 to {clock_words(travel.end_ps)}."
        except InputError as error:
            return str(error)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        travel = self.dashboard.travel
        try:
            end = travel.end_ps
            at = instant_ps(event.value, shown_ps=travel.at_ps, end_ps=end)
        except ValueError as error:
            self.query_one(Answer).say(f"{error}. Try {EXPECTED}.")
            return
        except InputError as error:
            self.query_one(Answer).say(str(error))
            return
        if at > end:
            self.query_one(Answer).say(f"{clock_words(at)} has not come: the run goes to {clock_words(end)}.")
            return
        self.dismiss()
        self.dashboard.go_to(at)
