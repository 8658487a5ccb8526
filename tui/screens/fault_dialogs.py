"""Breaking a part of a pipeline, and mending it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from subsecond.engine.commands import EndDrill, InjectFault, MendFault
from subsecond.engine.faults import FAULT_KINDS
from subsecond.engine.feed import LaneInfo
from subsecond.tui.screens.dialogs import Dialog
from subsecond.tui.screens.fault_words import fault_words

__all__ = ["DURATIONS_S", "VALUES", "FaultDialog", "MendDialog", "Mending", "fault_choices"]

#: Seconds for which a fault lasts, to choose from; None: for good.
DURATIONS_S: Final = (5.0, 10.0, 30.0, 60.0, 300.0, None)
#: Values to choose from, of the faults that have one, and the place of the first that is offered.
VALUES: Final = {
    "slow": ((1.5, 2.0, 4.0, 10.0, 50.0), 2),
    "link_degraded": ((0.5, 0.25, 0.1, 0.01), 1),
    "handoff_loss": ((0.01, 0.1, 0.5, 1.0), 1),
    "throttle": ((0.05, 0.2, 0.5, 1.0), 1),
}
#: Faults that must end.
_ENDING: Final = ("stall",)


def fault_choices(lanes: Sequence[LaneInfo]) -> list[InjectFault]:
    """Faults that the lanes' parts can have, each with the value that is offered first."""
    found = []
    for lane in lanes:
        roles = [server.role for server in lane.servers]
        for kind in FAULT_KINDS:
            values, first = VALUES.get(kind, ((None,), 0))
            found += [InjectFault(kind, lane.name, target, values[first]) for target in _targets(kind, roles)]
    return found


def _targets(kind: str, roles: Sequence[str]) -> range:
    """Places of the parts of a lane that a kind of fault can strike; one for faults without a part."""
    counts = {
        "prefill_down": roles.count("prefill"),
        "decode_down": roles.count("decode"),
        "gpu_down": roles.count("gpu"),
        "slow": len(roles),
        "link_cut": roles.count("decode"),
        "link_degraded": roles.count("decode"),
        "handoff_loss": min(1, roles.count("decode")),
    }
    return range(min(counts.get(kind, 1), 8))


class FaultDialog(Dialog):
    """Choose a fault, how bad it is, and how long it lasts."""

    ABOUT = (
        "Parts that can break, pipeline by pipeline. The line above says how long the fault lasts; left and right "
        "change how bad it is where that can be said. m on the pipelines screen mends it earlier."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "longer(1)", "Longer", tooltip="Let it last longer; after the longest comes the shortest"),
        Binding("D", "longer(-1)", "Shorter", tooltip="Let it last shorter"),
        Binding("right,v", "value(1)", "Next value", tooltip="Another value of a fault that has one"),
        Binding("left,V", "value(-1)", "Value before", tooltip="The value before it"),
    ]

    def __init__(self, lanes: Sequence[LaneInfo]) -> None:
        super().__init__()
        self._choices = fault_choices(lanes)
        self._lanes = {lane.name: lane for lane in lanes}
        self._places = [VALUES[fault.kind][1] if fault.kind in VALUES else 0 for fault in self._choices]
        self._duration = 1

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Break something"
            yield Static("", id="duration", markup=False)
            yield OptionList(*(Option(self._words(place)) for place in range(len(self._choices))), markup=False)

    def on_mount(self) -> None:
        self._say()

    def _value(self, place: int) -> float | None:
        kind = self._choices[place].kind
        return VALUES[kind][0][self._places[place]] if kind in VALUES else None

    def _words(self, place: int) -> str:
        fault = self._choices[place]
        lane = self._lanes.get(fault.lane or "")
        return f"{fault.lane}: {fault_words(fault.kind, fault.target, self._value(place), lane)}"

    @property
    def _chosen(self) -> int:
        return self.query_one(OptionList).highlighted or 0

    def _say(self) -> None:
        """What the keys would do with the fault that is chosen."""
        seconds = DURATIONS_S[self._duration]
        lasts = "It lasts for good" if seconds is None else f"It recovers after {seconds:g} s"
        has_value = bool(self._choices) and self._choices[self._chosen].kind in VALUES
        value = " Left, right: how bad." if has_value else ""
        self.query_one("#duration", Static).update(f"{lasts} (d: another time).{value} Enter breaks it, escape closes.")

    def action_longer(self, by: int) -> None:
        self._duration = (self._duration + by) % len(DURATIONS_S)
        self._say()

    def action_value(self, by: int) -> None:
        """Another value for the fault that is chosen."""
        place = self._chosen
        if self._choices and self._choices[place].kind in VALUES:
            count = len(VALUES[self._choices[place].kind][0])
            self._places[place] = min(max(self._places[place] + by, 0), count - 1)
            self.query_one(OptionList).replace_option_prompt_at_index(place, self._words(place))
        else:
            self.notify("This fault has no value: the part works or it does not.", markup=False)

    def on_option_list_option_highlighted(self, _event: OptionList.OptionHighlighted) -> None:
        self._say()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        fault, seconds = self._choices[event.option_index], DURATIONS_S[self._duration]
        if seconds is None and fault.kind in _ENDING:
            self.notify("This fault cannot last for good: d chooses how long.", severity="warning", markup=False)
            return
        value = self._value(event.option_index)
        self.dashboard.command(InjectFault(fault.kind, fault.lane, fault.target, value, seconds))
        self.dismiss()


@dataclass(frozen=True, slots=True)
class Mending:
    """Something that can be ended: what it is in words, and the command that ends it."""

    words: str
    command: MendFault | EndDrill


class MendDialog(Dialog):
    """Choose what ends: a fault in effect, one to come, or all of a drill."""

    ABOUT = "Faults in effect, faults of drills that are to come, and the drills; enter ends the chosen one now."

    def __init__(self, choices: Sequence[Mending]) -> None:
        super().__init__()
        self._choices = tuple(choices)

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Mend (enter mends, escape closes)"
            yield OptionList(*(Option(choice.words) for choice in self._choices), markup=False)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dashboard.command(self._choices[event.option_index].command)
        self.dismiss()
