"""All of a row of a study, and the command that runs it again, to be copied."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from subsecond.tui.screens.dialogs import Dialog
from subsecond.tui.studies.study import Detail
from subsecond.tui.widgets.text import clean

__all__ = ["DetailDialog"]


class DetailDialog(Dialog):
    """A box with lines; c copies the command."""

    ABOUT = "All that the study says of a row, and the command that runs it again: c copies that."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "copy", "Copy", tooltip="Copy the command that runs this again"),
        Binding("enter", "close", "Close", show=False),
    ]
    DEFAULT_CSS = """
    DetailDialog > Vertical { width: 100; }
    DetailDialog #again { padding-top: 1; text-style: bold; }
    """

    def __init__(self, detail: Detail) -> None:
        super().__init__()
        self._detail = detail

    def compose(self) -> ComposeResult:
        detail = self._detail
        with Vertical() as box, VerticalScroll():
            copies = ", c copies the command" if detail.command else ""
            box.border_title = Content(clean(f"{detail.title} (escape closes{copies})"))
            yield Static("\n".join(map(clean, detail.lines)), markup=False)
            if detail.command:
                yield Static(clean(detail.command), id="again", markup=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return bool(self._detail.command) if action == "copy" else super().check_action(action, parameters)

    def action_copy(self) -> None:
        """To the clipboard, by way of the terminal."""
        self.app.copy_to_clipboard(clean(self._detail.command))
        self.notify("The command is in the clipboard, if the terminal lets it there.", markup=False)
