"""Another value for a parameter: a slider for numbers, a list for words and switches, and a field to type one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from subsecond.engine.commands import SetKnob
from subsecond.engine.errors import InputError
from subsecond.engine.feed import LaneInfo, ParameterInfo
from subsecond.tui.knobs import default_of, knobs_of, number_of, shown, typed_value
from subsecond.tui.screens.value_dialog import ValueDialog
from subsecond.tui.steps import steps_of
from subsecond.tui.what_if import prepare
from subsecond.tui.widgets.slider import Slider

__all__ = ["KnobDialog"]

_SWITCH = ("off", "on")
_HINT = "Enter sets it; d: back to the default; or type a value. Escape closes."


class KnobDialog(ValueDialog):
    """What a parameter is, where that comes from, and what another value would do."""

    ABOUT = (
        "A parameter of a pipeline: its value now, the catalog's default, and where both come from. The bold line says "
        "what the chosen value does to the run: some changes act at once, others start the run anew, and some cannot "
        "be. Figures and letters begin a value of one's own."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "default", "Default", tooltip="Choose the catalog's value"),
    ]
    DEFAULT_CSS = """
    KnobDialog OptionList { max-height: 8; margin: 1 0 0 0; }
    """

    def __init__(self, lane: LaneInfo, parameter: ParameterInfo) -> None:
        super().__init__()
        self._lane = lane
        self._parameter = parameter
        self._knobs = knobs_of(lane)
        self._default = default_of(lane, parameter)
        self._number = number_of(parameter)
        self._domain = None if self._knobs is None else self._knobs.domain(parameter.key)
        self._is_switch = self._domain is not None and self._domain.is_switch
        self._choices = self._words_to_choose()

    def _words_to_choose(self) -> tuple[str, ...]:
        if self._is_switch:
            return _SWITCH
        if self._domain is None or (self._default is not None and self._default.number is not None):
            return ()
        now = self._parameter.value
        return self._domain.choices if now in self._domain.choices else (*self._domain.choices, now)

    def compose(self) -> ComposeResult:
        with Vertical() as box, VerticalScroll(can_focus=False):
            box.border_title = f"{self._lane.name}.{self._parameter.key}"
            yield Static(self._about(), markup=False)
            chooser = self._chooser()
            if chooser is not None:
                yield chooser
            yield Input(_bare(self._parameter), compact=True, select_on_focus=False)
            yield Static("", id="effect", markup=False)
            yield Static(_HINT, markup=False)

    def _about(self) -> str:
        p, default = self._parameter, self._default
        lines = [f"Now {self._said(p.value)} ({p.provenance}): {p.source}"]
        if default is not None and default.shown != p.value:
            lines.append(f"Default {self._said(default.shown)} ({default.provenance}): {default.source}")
        if default is not None and default.note:
            lines.append(default.note)
        return "\n".join(lines)

    def _said(self, value: str) -> str:
        return f"{value} ({_SWITCH[value == '1']})" if self._is_switch and value in ("0", "1") else value

    def _chooser(self) -> Widget | None:
        """What the value is chosen with; None: it can only be typed."""
        if self._choices:
            return OptionList(*(Option(words) for words in self._marked()), markup=False, compact=True)
        return Slider() if self._number is not None and self._domain is not None else None

    def _marked(self) -> Iterator[str]:
        now, default = (self._place(value) for value in (self._parameter.value, self._shown_default()))
        for place, word in enumerate(self._choices):
            marks = [name for name, at in (("now", now), ("default", default)) if at == place]
            yield f"{word}  ({', '.join(marks)})" if marks else word

    def _shown_default(self) -> str:
        return "" if self._default is None else self._default.shown

    def _place(self, value: str) -> int | None:
        if self._is_switch:
            return {"0": 0, "1": 1}.get(value)
        return self._choices.index(value) if value in self._choices else None

    def on_mount(self) -> None:
        for slider in self.query(Slider):
            self._fill(slider)
            slider.focus()
        for options in self.query(OptionList):
            options.highlighted = self._place(self._parameter.value)
            options.focus()
        self.tell()
        if self.dashboard.travel.replay is not None:  # while a value is chosen, what its outcome takes is loaded
            self.run_worker(asyncio.to_thread(prepare), group="prepare", exit_on_error=False)

    def _fill(self, slider: Slider) -> None:
        assert self._number is not None
        assert self._domain is not None
        unit = self._parameter.unit
        default = None if self._default is None else self._default.number
        steps = steps_of(self._number if default is None else default, self._number, unit, self._domain)
        slider.update(steps, self._number, words=lambda value: shown(value, unit), default=default)

    # -- choosing

    def begins(self, letter: str) -> bool:
        return (letter.isalnum() or letter in (".", "-")) and letter != "d"

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        self.write(self._choices[event.option_index])

    def on_input_changed(self, event: Input.Changed) -> None:
        """Move the slider to a number that was typed."""
        value = typed_value(event.value.strip())
        if isinstance(value, float) and abs(value) < 1e18:
            for slider in self.query(Slider):
                slider.set_value(value)
        self.tell()

    def action_default(self) -> None:
        """Choose the catalog's value; enter sets it."""
        if self._default is None:
            self.notify("The catalog here does not know this pipeline's default.", severity="warning", markup=False)
            return
        place = self._place(self._default.shown)
        if self._choices and place is not None:
            self.query_one(OptionList).highlighted = place
            self.write(self._choices[place])
        elif self._default.number is not None:
            for slider in self.query(Slider):
                slider.set_value(self._default.number)
            self.write(f"{self._default.number:.12g}")
        else:
            self.write(self._default.text)

    # -- what it does

    def _given(self, text: str) -> float | str | bool:
        return text == "on" if self._is_switch and text in _SWITCH else typed_value(text)

    def effect(self, text: str) -> str:
        """What setting a value does, as far as it can be known here."""
        if not text:
            return "Nothing is set."
        if self._knobs is None:
            return "If it changes step times alone the run goes on, else it starts anew."
        try:
            at_once = self._knobs.acts_at_once(self._parameter.key, self._given(text))
        except InputError as error:
            return f"Not possible: {error.expected} is expected."
        if self._is_now(text):
            return "This is the value now."
        if self.dashboard.travel.replay is not None:
            return "Shows what this recording would have been with it."
        return "The run goes on with it at once." if at_once else "It starts the run anew."

    def _is_now(self, text: str) -> bool:
        given = self._given(text)
        if isinstance(given, str):
            return given.lower() == self._parameter.value
        return self._number is not None and float(given) == self._number

    def on_option_list_option_selected(self, _event: OptionList.OptionSelected) -> None:
        self.take()

    def take(self) -> None:
        text = self.typed
        effect = self.effect(text)
        if not text or effect.startswith("Not possible"):
            self.notify(effect, severity="warning", markup=False)
            return
        dashboard = self.dashboard
        self.dismiss()
        if not self._is_now(text):
            dashboard.command(SetKnob(self._lane.name, self._parameter.key, self._given(text)))


def _bare(parameter: ParameterInfo) -> str:
    """A parameter's value without its unit and digit groups."""
    number = number_of(parameter)
    return parameter.value if number is None else f"{number:.12g}"
