"""What the help says of each kind of widget."""

from __future__ import annotations

from textual.widget import Widget

from subsecond.tui.screens.filter import FilterField
from subsecond.tui.screens.load_dialog import LoadField
from subsecond.tui.screens.panel import Panel
from subsecond.tui.screens.study import StudyLines
from subsecond.tui.screens.turn import StagesScroll
from subsecond.tui.widgets.heat import HeatMap
from subsecond.tui.widgets.slider import Slider
from subsecond.tui.widgets.snippets import Snippets
from subsecond.tui.widgets.spans import SpanBars
from subsecond.tui.widgets.table import LiveTable
from subsecond.tui.widgets.timeline import Timeline

__all__ = ["words_for"]

_TABLE = (
    "The table in focus: arrows, page up and down, home and end move; enter opens a row; < and > choose the column to "
    "sort by, i turns the order around. A click on a title sorts, a click on the row under the cursor opens it."
)


_SLIDER = (
    "The slider in focus: left and right go one step, with shift five; home and end go to the ends of its range; a "
    "click or a drag on the track goes there; enter takes the value. ┼ on the track is the default."
)
_SNIPPETS = (
    "The lines in focus connect an agent to this service: up and down choose a client, page up and page down scroll, c "
    "copies. The pipeline behind the @ of the model serves the agent."
)
_FILTER = "The field in focus: rows with all its words are shown; enter keeps the filter, escape drops it."
_LOAD = (
    "The field in focus: type a number, or up and down for round ones; s and a choose what it counts; enter sets it, "
    "tab goes to the other kind of agents."
)


def words_for(widget: Widget | None) -> str:
    """What a widget shows and how it is used; empty where there is nothing to say."""
    if isinstance(widget, LiveTable):
        return _TABLE
    if isinstance(widget, Snippets):
        return _SNIPPETS
    if isinstance(widget, Slider):
        return _SLIDER
    if isinstance(widget, FilterField):
        return _FILTER
    if isinstance(widget, LoadField):
        return _LOAD
    own = Panel | Timeline | StagesScroll | StudyLines | HeatMap | SpanBars
    return widget.help_text if isinstance(widget, own) else ""
