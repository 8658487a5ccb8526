"""Small screens above the others: help, load, a fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

if TYPE_CHECKING:
    from subsecond.tui.app import SubsecondApp

__all__ = ["Dialog", "HelpDialog"]


class Dialog(ModalScreen[None]):
    """A box in the middle; escape closes it."""

    #: What it is for, for the help screen.
    ABOUT: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", tooltip="Leave everything as it is"),
        Binding("question_mark", "help", "Help", key_display="?", tooltip="What this is for, and its keys"),
    ]
    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog > Vertical {
        width: 76; max-width: 96%; height: auto; max-height: 90%;
        border: round $primary; background: $surface; padding: 0 1;
    }
    Dialog Input { border: none; height: 1; background: $panel; }
    Dialog OptionList { height: auto; max-height: 16; border: none; padding: 0; &:focus { border: none; } }
    Dialog VerticalScroll { height: auto; max-height: 100%; }
    """

    @property
    def dashboard(self) -> SubsecondApp:
        """The application, by its type."""
        return cast("SubsecondApp", self.app)

    def action_help(self) -> None:
        self.dashboard.action_help()

    def action_close(self) -> None:
        self.dismiss()


class HelpDialog(Dialog):
    """What the screen and the widget in focus show, and every key that means something there."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark,q", "close", "Close")]

    def __init__(self, texts: Sequence[str], keys: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._texts = texts
        self._keys = keys

    def compose(self) -> ComposeResult:
        width = max((len(key) for key, _ in self._keys), default=0)
        keys = "\n".join(f"{key:>{width}}  {words}" for key, words in self._keys)
        with Vertical() as box, VerticalScroll():
            box.border_title = "Help (escape closes)"
            yield Static("\n\n".join([*self._texts, keys]), markup=False)
