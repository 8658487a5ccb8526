"""How many sessions are at work, or how often one begins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Label, Static

from subsecond.engine.commands import SetLoad
from subsecond.engine.feed import Load
from subsecond.engine.latency.parameters import Domain
from subsecond.tui.screens.dialogs import Dialog
from subsecond.tui.steps import steps_of

__all__ = ["LoadDialog", "LoadField"]

_SESSIONS = Domain(0, 1e5, is_whole=True)
_ARRIVALS = Domain(0, 1e3)
_HINT = "Up and down change it. s: sessions kept at work, a: sessions that begin per second. Enter sets, escape closes."


class LoadField(Input):
    """The load of one kind of agents: sessions kept at work, or sessions that begin per second.

    Args:
        wanted, arrivals_per_s: what is in force; a rate of 0: sessions are kept at work. None: not known.
    """

    class Measured(Message):
        """The field holds the other measure."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "change(1)", "More", tooltip="The next round number"),
        Binding("down", "change(-1)", "Less", tooltip="The round number before"),
        # Ahead of typing: the field takes figures only.
        Binding("s", "measure(False)", "Sessions", tooltip="Keep so many sessions at work", priority=True),
        Binding("a", "measure(True)", "Arrivals", tooltip="Let so many sessions begin per second", priority=True),
    ]

    def __init__(self, kind: str, wanted: int | None, arrivals_per_s: float | None, *, id: str) -> None:
        self.kind = kind
        self._known = ("" if wanted is None else str(wanted), f"{arrivals_per_s:g}" if arrivals_per_s else "")
        #: Whether the field holds sessions per second.
        self.is_rate = bool(arrivals_per_s)
        super().__init__(self._known[self.is_rate], type="number", id=id, compact=True, select_on_focus=False)

    @property
    def measure(self) -> str:
        """What the value counts, in words."""
        return "sessions begin per second" if self.is_rate else "sessions kept at work"

    def action_measure(self, is_rate: bool) -> None:
        """Hold the other of the two measures."""
        if is_rate != self.is_rate:
            self.is_rate = is_rate
            self.value = self._known[is_rate]
            self.cursor_position = len(self.value)
            self.post_message(self.Measured())

    def action_change(self, by: int) -> None:
        """Go to the round number beside the value."""
        value = self.number or 0.0
        unit, domain = ("1/s", _ARRIVALS) if self.is_rate else ("", _SESSIONS)
        value = min(value, domain.most)
        steps = steps_of(value, value, unit, domain)
        place = min(max(steps.index(value) + by, 0), len(steps) - 1)
        self.value = f"{steps[place]:.12g}"
        self.cursor_position = len(self.value)

    @property
    def number(self) -> float | None:
        """What the field holds; None: nothing that can be a load."""
        try:
            number = float(self.value)
        except ValueError:
            return None
        is_load = math.isfinite(number) and number >= 0 and (self.is_rate or number % 1 == 0)
        return number if is_load else None

    def command(self) -> SetLoad | None:
        """What sets the load; None: the value cannot be one."""
        number = self.number
        if number is None:
            return None
        if self.is_rate:
            return SetLoad(self.kind, arrivals_per_s=number)
        return SetLoad(self.kind, sessions=round(number))


class LoadDialog(Dialog):
    """How many sessions of each kind of agents shall be at work, or at which rate they begin."""

    ABOUT = (
        "The load of each kind of agents. Either so many sessions are kept at work, and one that ends is replaced; or "
        "sessions begin at a rate, whatever became of those before. The line above a field says which is in force."
    )
    DEFAULT_CSS = """
    LoadDialog Horizontal { height: 1; }
    LoadDialog LoadField { width: 14; margin: 0 1 0 0; }
    """

    def __init__(self, agents: Sequence[str], load: Load | None) -> None:
        super().__init__()
        self._agents = agents
        self._load = load

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Load"
            for place, kind in enumerate(self._agents):
                yield Label(self._in_force(place), markup=False)
                wanted = None if self._load is None else self._load.wanted[place]
                with Horizontal():
                    field = LoadField(kind, wanted, self._rate(place), id=f"load-{place}")
                    yield field
                    yield Label(field.measure, id=f"measure-{place}")
            yield Static(_HINT, markup=False)

    def on_load_field_measured(self) -> None:
        for place in range(len(self._agents)):
            self.query_one(f"#measure-{place}", Label).update(self.query_one(f"#load-{place}", LoadField).measure)

    def _rate(self, place: int) -> float:
        rates = () if self._load is None else self._load.arrivals_per_s
        return rates[place] if rates else 0.0

    def _in_force(self, place: int) -> str:
        kind, load, rate = self._agents[place], self._load, self._rate(place)
        if load is None:
            return f"{kind}: not known yet"
        how = f"{rate:g} begin per second" if rate else f"{load.wanted[place]} kept at work"
        return f"{kind}: {load.sessions[place]} at work; in force: {how}"

    def on_input_submitted(self, event: Input.Submitted) -> None:
        field = event.input
        assert isinstance(field, LoadField)
        command = field.command()
        if command is None:
            what = "rate" if field.is_rate else "number of sessions"
            self.notify(f"{field.value.strip() or 'nothing'} is no {what}.", severity="warning", markup=False)
            return
        self.dashboard.command(command)
        self.dismiss()
