"""Small screens above the others: help, load, a fault, a parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from subsecond.engine.faults import FAULT_KINDS
from subsecond.engine.feed import InjectFault, LaneInfo, Load, ParameterInfo, SetKnob, SetLoad

if TYPE_CHECKING:
    from subsecond.tui.app import SubsecondApp

__all__ = ["Dialog", "FaultDialog", "HelpDialog", "KnobDialog", "LoadDialog", "fault_choices"]

#: Seconds for which a fault lasts, to choose from.
DURATIONS_S = (5, 10, 30, 60)
#: Values of faults that have one.
_VALUES = {"slow": 4.0, "link_degraded": 0.25, "handoff_loss": 0.1, "throttle": 0.2}
#: What a fault does, in words.
_WORDS = {
    "prefill_down": "prefill server {target} is down",
    "decode_down": "decode server {target} is down, and the KV of its sessions is lost",
    "gpu_down": "server {target} is down",
    "slow": "server {target} takes 4 times as long",
    "link_cut": "the link into decode server {target} is cut",
    "link_degraded": "the link into decode server {target} has a quarter of its rate",
    "handoff_loss": "1 of 10 handoffs is lost",
    "throttle": "1 of 5 requests is refused (429)",
    "stall": "the router forwards nothing",
}


class Dialog(ModalScreen[None]):
    """A box in the middle; escape closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close")]
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


class LoadDialog(Dialog):
    """How many sessions of each kind of agents shall be at work."""

    def __init__(self, agents: Sequence[str], load: Load | None) -> None:
        super().__init__()
        self._agents = agents
        self._load = load

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Sessions at work (enter sets, escape closes)"
            for place, kind in enumerate(self._agents):
                wanted = "" if self._load is None else str(self._load.wanted[place])
                at_work = "" if self._load is None else f", {self._load.sessions[place]} at work"
                yield Label(f"{kind}{at_work}", markup=False)
                yield Input(wanted, type="integer", id=f"load-{place}", compact=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        text = event.value.strip()
        if not text.isdecimal():
            self.notify(f"{text or 'nothing'} is no number of sessions.", severity="warning", markup=False)
            return
        place = int((event.input.id or "load-0").removeprefix("load-"))
        self.dashboard.command(SetLoad(self._agents[place], int(text)))
        self.dismiss()


def fault_choices(lanes: Sequence[LaneInfo]) -> list[tuple[InjectFault, str]]:
    """Faults that the lanes' parts can have, with what they do in words."""
    found = []
    for lane in lanes:
        roles = [server.role for server in lane.servers]
        for kind in FAULT_KINDS:
            for target in _targets(kind, roles):
                words = _WORDS[kind].format(target=target)
                found.append((InjectFault(kind, lane.name, target, _VALUES.get(kind)), f"{lane.name}: {words}"))
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
    """Choose a fault; it mends itself after a while that one chooses too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "longer", "Duration", tooltip="Let it last longer"),
    ]

    def __init__(self, lanes: Sequence[LaneInfo]) -> None:
        super().__init__()
        self._choices = fault_choices(lanes)
        self._duration = 1

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Break something"
            yield Label(self._words(), id="duration", markup=False)
            yield OptionList(*(Option(words) for _, words in self._choices), markup=False)

    def _words(self) -> str:
        return f"It recovers after {DURATIONS_S[self._duration]} s (d: another time). Enter breaks it, escape closes."

    def action_longer(self) -> None:
        self._duration = (self._duration + 1) % len(DURATIONS_S)
        self.query_one("#duration", Label).update(self._words())

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        fault, _ = self._choices[event.option_index]
        self.dashboard.command(
            InjectFault(fault.kind, fault.lane, fault.target, fault.value, float(DURATIONS_S[self._duration]))
        )
        self.dismiss()


class KnobDialog(Dialog):
    """Another value for a parameter."""

    def __init__(self, lane: str, parameter: ParameterInfo) -> None:
        super().__init__()
        self._lane = lane
        self._parameter = parameter

    def compose(self) -> ComposeResult:
        p = self._parameter
        with Vertical() as box:
            box.border_title = f"{self._lane}: {p.key}"
            yield Label(f"{p.value}  ({p.provenance})", markup=False)
            yield Label(p.source, markup=False)
            yield Input(_bare(p), compact=True)
            yield Label("Enter sets it; a change of more than step times begins a new run.", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        text = event.value.strip()
        if text:
            self.dashboard.command(SetKnob(self._lane, self._parameter.key, _value(text)))
            self.dismiss()


def _bare(parameter: ParameterInfo) -> str:
    """A parameter's value without its unit and digit groups."""
    first = parameter.value.removesuffix(f" {parameter.unit}") if parameter.unit else parameter.value
    return first.replace(",", "") if first[:1].isdigit() else first


def _value(text: str) -> float | str | bool:
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text
