"""Asks for the path of a recording."""

from __future__ import annotations

from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from subsecond.tui.screens.answer import Answer
from subsecond.tui.screens.dialogs import Dialog

__all__ = ["OpenDialog"]


class OpenDialog(Dialog):
    """The path of a recording, typed."""

    ABOUT = "The path of a recording, which is then shown on the same screens; a live run goes on meanwhile."

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Show a recording (enter opens it, escape closes)"
            yield Input(placeholder="the path of a recording", compact=True)
            yield Answer("A live run goes on meanwhile: N leads back to it.")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        text = event.value.strip()
        try:
            path = Path(text).expanduser()
        except RuntimeError:  # the home of a user that there is not
            path = Path(text)
        reason = self.dashboard.open_recording(path) if text else "Type a path."
        if reason:
            self.query_one(Answer).say(reason)
        else:
            self.dismiss()
            self.dashboard.action_view("race")
