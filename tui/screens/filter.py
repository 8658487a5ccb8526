"""A field for words that narrow a table."""

from __future__ import annotations

from textual.widgets import Input

from subsecond.tui.widgets.table import LiveTable

__all__ = ["FilterField"]


class FilterField(Input):
    """Below a table: hidden until it is opened, seen as long as it holds words.

    Args:
        table: which table of the screen, as a selector.
    """

    DEFAULT_CSS = """
    FilterField { display: none; height: 1; border: none; padding: 0 1; }
    FilterField:focus { border: none; }
    FilterField.-open { display: block; }
    """

    def __init__(self, table: str = "LiveTable") -> None:
        super().__init__(placeholder="words to look for; enter keeps the filter, escape drops it", compact=True)
        self._table = table

    @property
    def _tables(self) -> list[LiveTable]:
        return list(self.screen.query(self._table).results(LiveTable))

    def open(self) -> None:
        """Ask for words."""
        self.add_class("-open")
        self.focus()

    def drop(self) -> bool:
        """Show all rows again; False: the field was not open."""
        if not self.has_class("-open"):
            return False
        self.value = ""
        self._leave()
        return True

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        for table in self._tables:
            table.filter(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._leave()

    def _leave(self) -> None:
        self.set_class(bool(self.value), "-open")
        for table in self._tables:
            table.focus()
