"""What dialogs for one value have in common: a slider, a field to type in, and a line on what the value does."""

from __future__ import annotations

from textual.events import Key
from textual.widgets import Input, Static

from subsecond.tui.screens.dialogs import Dialog
from subsecond.tui.widgets.slider import Slider

__all__ = ["ValueDialog"]


class ValueDialog(Dialog):
    """A value to choose; a subclass composes an `Input`, a `Static` with the id `effect` and, if it can, a `Slider`."""

    DEFAULT_CSS = """
    ValueDialog Slider { height: 3; margin: 1 0 0 0; }
    ValueDialog #effect { text-style: bold; }
    """

    def begins(self, letter: str) -> bool:
        """Whether a letter begins a value in the field, wherever the focus is."""
        raise NotImplementedError  # each dialog has its own; Textual's metaclass rules out ABC

    def effect(self, text: str) -> str:
        """What the value in the field does."""
        raise NotImplementedError  # as above

    def take(self) -> None:
        """Take the value in the field, or say why not."""
        raise NotImplementedError  # as above

    @property
    def typed(self) -> str:
        """What is in the field."""
        return self.query_one(Input).value.strip()

    def on_key(self, event: Key) -> None:
        """A letter or figure that means nothing else begins a value in the field."""
        field, letter = self.query_one(Input), event.character or ""
        if not self.begins(letter):
            return
        event.stop()
        if self.focused is not field:
            field.clear()
            self.set_focus(field)
        field.insert_text_at_cursor(letter)  # also one that was on its way here when the focus moved

    def write(self, text: str) -> None:
        """Put a value into the field, and say what it does."""
        field = self.query_one(Input)
        with field.prevent(Input.Changed):
            field.value = text
        self.tell()

    def tell(self) -> None:
        """Say what the value in the field does."""
        self.query_one("#effect", Static).update(self.effect(self.typed))

    def on_slider_changed(self, event: Slider.Changed) -> None:
        self.write(f"{event.value:.12g}")

    def on_slider_taken(self, _event: Slider.Taken) -> None:
        self.take()

    def on_input_submitted(self, _event: Input.Submitted) -> None:
        self.take()
