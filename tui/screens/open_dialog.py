"""Asks for the path of a recording, or of a study."""

from __future__ import annotations

import asyncio
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from subsecond.engine.errors import InputError
from subsecond.tui.screens.answer import Answer
from subsecond.tui.screens.dialogs import Dialog
from subsecond.tui.studies.opening import is_study, open_study

__all__ = ["OpenDialog"]


class OpenDialog(Dialog):
    """A path, typed."""

    ABOUT = (
        "The path of a recording, which is then shown on the same screens, of a document that a study wrote with "
        "--json, or of the folder of a sweep; a live run goes on meanwhile."
    )

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Show a recording or a study (enter opens it, escape closes)"
            yield Input(placeholder="the path of a recording, STUDY.json or the folder of a sweep", compact=True)
            yield Answer("A live run goes on meanwhile: N leads back to it, escape from a study.")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        text = event.value.strip()
        try:
            path = Path(text).expanduser()
        except RuntimeError:  # the home of a user that there is not
            path = Path(text)
        if text and is_study(path):
            self.run_worker(self._open_study(path), exclusive=True)
            return
        reason = self.dashboard.open_recording(path) if text else "Type a path."
        if reason:
            self.query_one(Answer).say(reason)
        else:
            self.dismiss()
            self.dashboard.action_view("race")

    async def _open_study(self, path: Path) -> None:
        """Read it in a thread, since it may be large."""
        self.query_one(Answer).update(f"Reading {path}…")
        try:
            opened = await asyncio.to_thread(open_study, path)
        except InputError as error:
            self.query_one(Answer).say(str(error))
            return
        dashboard = self.dashboard
        self.dismiss()
        dashboard.show_study(opened)
