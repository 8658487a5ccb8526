"""Holding a drill on the run that goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from subsecond.engine.commands import RunDrill
from subsecond.engine.drills.striking import Strike
from subsecond.engine.faults import Spell
from subsecond.engine.feed import LaneInfo
from subsecond.tui.drills import Outlook, outlooks
from subsecond.tui.screens.dialogs import Dialog
from subsecond.tui.screens.fault_words import brief_fault_words
from subsecond.tui.widgets.text import clock_text, fit

__all__ = ["DrillDialog", "outlook_lines"]

PS_PER_S = 10**12
#: Faults of a lane that are told one by one.
_MOST_FAULTS = 3
#: Cells of a line of the list, beside a scroll bar.
_LINE = 68


class DrillDialog(Dialog):
    """Choose a drill; what it would do to each pipeline stands below the list."""

    ABOUT = (
        "Drills: faults at their times, as `subsecond drill` has them. Below the list stands what the chosen one "
        "does to each pipeline, when, and what to look at; times are virtual and count from now. Enter holds it: "
        "all its faults are taken at once, those to come stand among the faults as scheduled, and m ends or calls "
        "off any of them or the whole drill. What it does is shown since it began, against what was before."
    )
    DEFAULT_CSS = """
    DrillDialog OptionList { max-height: 12; }
    DrillDialog #outlook { margin: 1 0 0 0; height: auto; max-height: 12; }
    """

    def __init__(self, lanes: Sequence[LaneInfo]) -> None:
        super().__init__()
        self._lanes = tuple(lanes)
        self._outlooks = outlooks(lanes)

    def compose(self) -> ComposeResult:
        name = max(len(outlook.drill.name) for outlook in self._outlooks) + 2
        with Vertical() as box:
            box.border_title = "Hold a drill (enter holds it, escape closes)"
            yield OptionList(
                *(Option(_line(outlook, name), disabled=not outlook.spells) for outlook in self._outlooks),
                markup=False,
            )
            yield Static("", id="outlook", markup=False)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        lines = outlook_lines(self._outlooks[event.option_index], self._lanes)
        self.query_one("#outlook", Static).update("\n".join(lines))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dashboard.command(RunDrill(self._outlooks[event.option_index].drill.name))
        self.dismiss()


def _line(outlook: Outlook, width: int) -> str:
    """A drill's name and title, in one line of the box."""
    return f"{outlook.drill.name:{width}}{fit(outlook.drill.title, _LINE - width)}"


def outlook_lines(outlook: Outlook, lanes: Sequence[LaneInfo]) -> Iterator[str]:
    """What happens in a drill, what it would do to each pipeline, how long it lasts, and what to look at."""
    width = max(len(lane.name) for lane in lanes) + 2
    yield f"{outlook.drill.title}."
    for lane in lanes:
        yield fit(lane.name, width) + _strike_words(outlook.strikes[lane.name], lane)
    length = outlook.length_s
    yield "It is never mended." if length is None else f"Everything is mended after {clock_text(length)}."
    if outlook.drill.look:
        yield f"Look at {outlook.drill.look}."


def _strike_words(found: Strike | None, lane: LaneInfo) -> str:
    if found is None:
        return "the service says what it does to it"
    told = ", ".join(_spell_words(spell, lane) for spell in found.spells[:_MOST_FAULTS])
    more = len(found.spells) - _MOST_FAULTS
    words = f"{told}, and {more} more" if more > 0 else told
    return "; ".join(part for part in (words, f"left alone: {found.reason}" if not words else found.reason) if part)


def _spell_words(spell: Spell, lane: LaneInfo) -> str:
    words = brief_fault_words(f"{spell.name} {spell.part}", lane)
    begin = "" if not spell.begin_ps else f"at {clock_text(spell.begin_ps / PS_PER_S)} "
    value = "" if spell.shown is None else f" ({spell.shown:g})"
    length = "for good" if spell.end_ps is None else f"for {(spell.end_ps - spell.begin_ps) / PS_PER_S:g} s"
    return f"{begin}{words}{value} {length}"
