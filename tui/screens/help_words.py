"""What the help says of each kind of widget."""

from __future__ import annotations

from textual.widget import Widget

from subsecond.tui.screens.panel import Panel
from subsecond.tui.widgets.table import LiveTable

__all__ = ["words_for"]

_TABLE = (
    "The table in focus: arrows, page up and down, home and end move; enter opens a row; < and > choose the column to "
    "sort by, i turns the order around. A click on a title sorts, a click on the row under the cursor opens it."
)


def words_for(widget: Widget | None) -> str:
    """What a widget shows and how it is used; empty where there is nothing to say."""
    if isinstance(widget, LiveTable):
        return _TABLE
    return widget.help_text if isinstance(widget, Panel) else ""
