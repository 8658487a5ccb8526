"""Where a number comes from, in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from subsecond.tui.screens.dialogs import Dialog

__all__ = ["SourceDialog"]


class SourceDialog(Dialog):
    """The formula of a figure and everything that went into it."""

    ABOUT: ClassVar[str] = (
        "Where the numbers of a line come from: formula, inputs, how far to trust each, who says so, and when."
    )

    def __init__(self, title: str, lines: Sequence[str]) -> None:
        super().__init__()
        self._title, self._lines = title, lines

    def compose(self) -> ComposeResult:
        with Vertical() as box, VerticalScroll():
            box.border_title = f"{self._title} (escape closes)"
            yield Static("\n\n".join(self._lines), markup=False)
