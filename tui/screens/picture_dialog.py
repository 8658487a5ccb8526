"""Saves the screen as text or SVG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from subsecond.engine.errors import InputError
from subsecond.tui.screen_picture import write_picture
from subsecond.tui.screens.answer import Answer
from subsecond.tui.screens.dialogs import Dialog

__all__ = ["PictureDialog", "free_name"]


def free_name(stem: str, suffix: str) -> str:
    """A name in the present folder that no file has."""
    name, number = f"{stem}{suffix}", 2
    while Path(name).exists():
        name, number = f"{stem}-{number}{suffix}", number + 1
    return name


class PictureDialog(Dialog):
    """Where a picture goes.

    Args:
        pictures: the screen by ending of the file's name.
        name: what is offered.
    """

    ABOUT = "Where the picture of the screen goes; a name that ends in .txt gets text, one in .svg a drawing."

    def __init__(self, pictures: Mapping[str, str], name: str) -> None:
        super().__init__()
        self._pictures = pictures
        self._name = name
        #: A file that is there already, which enter replaces if it is pressed again.
        self._replaced = ""

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Save this screen (enter saves, escape closes)"
            yield Input(self._name, compact=True, select_on_focus=False)
            yield Answer(f"In {Path.cwd()}; .txt for text, .svg for a drawing.")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        text = event.value.strip()
        try:
            out = write_picture(self._pictures, text, may_replace=text == self._replaced)
        except FileExistsError:
            self._replaced = text
            self.query_one(Answer).say(f"{text} is there already: enter once more replaces it.")
        except InputError as error:
            self.query_one(Answer).say(str(error))
        else:
            self.dismiss()
            self.notify(f"The screen is in {out}", markup=False)
