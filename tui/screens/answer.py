"""The line below a field: what may be typed, and what was wrong with what has been."""

from __future__ import annotations

from textual.widgets import Label

__all__ = ["Answer"]


class Answer(Label):
    """Quiet at first, plain to see once something is wrong."""

    DEFAULT_CSS = """
    Answer { width: 100%; color: $text-muted; }
    Answer.-wrong { color: $error; text-style: bold; }
    """

    def __init__(self, words: str) -> None:
        super().__init__(words, markup=False)

    def say(self, words: str) -> None:
        """Say what is wrong."""
        self.update(words)
        self.add_class("-wrong")
