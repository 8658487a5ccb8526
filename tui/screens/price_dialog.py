"""A price of one's own for an hour of a device: a slider, a field, and who is cheaper then."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Input, Static

from subsecond.engine.latency.parameters import Domain
from subsecond.tui.economics import Pair, Prices, moneys_of, pairs_of
from subsecond.tui.knobs import typed_value
from subsecond.tui.money import usd_text
from subsecond.tui.screens import economics_rows
from subsecond.tui.screens.value_dialog import ValueDialog
from subsecond.tui.snapshot import Snapshot
from subsecond.tui.steps import steps_of
from subsecond.tui.widgets.slider import Slider

__all__ = ["PriceDialog", "PriceQuestion"]

#: Dearest price of a device-hour that is taken for one, in USD.
MOST_USD = 1e6
_HINT = "Enter sets it; d: no price of your own; or type one. Escape closes."


@dataclass(frozen=True, slots=True)
class PriceQuestion:
    """The price that is asked for, at the load of a moment.

    Attributes:
        device: the catalog's name; `name`: for people.
        about: where its present price comes from.
        listed, break_even: USD per device-hour; None: there is none.
    """

    device: str
    name: str
    about: str
    listed: float | None
    break_even: float | None


class PriceDialog(ValueDialog):
    """What an hour of a device is said to cost, and what another price would make of the comparison.

    Args:
        question: as it is on opening; `look` gives it a later one.
        place: of the pair that is compared.
    """

    ABOUT = (
        "A price of your own for an hour of a device, such as one that nobody publishes. The bold lines say who is "
        "cheaper per turn in time with it and before it, at the load of the last minute. It counts on this dashboard "
        "alone: nothing is told to the service or written into a recording."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "default", "As listed", tooltip="Have no price of your own"),
    ]

    def __init__(self, question: PriceQuestion, *, place: int) -> None:
        super().__init__()
        self._question, self._device, self._place = question, question.device, place
        #: What is in the field while no price was chosen.
        self._offered = ""

    def compose(self) -> ComposeResult:
        with Vertical() as box, VerticalScroll(can_focus=False):
            box.border_title = f"USD per {self._question.name}-hour"
            yield Static(self._question.about, id="about", markup=False)
            yield Slider()
            yield Input(compact=True, select_on_focus=False)
            yield Static("", id="effect", markup=False)
            yield Static(_HINT, markup=False)

    def on_mount(self) -> None:
        self._offer()
        self.query_one(Slider).focus()

    def _offer(self) -> None:
        """Begin with one's own price, the listed one or the break-even."""
        own, listed = self.dashboard.prices.own.get(self._device), self._question.listed
        known = [price for price in (own, listed, self._question.break_even) if price]
        value = _rounded(known[0]) if known else 10.0
        steps = steps_of(value if listed is None else listed, value, "USD/h", Domain(0.0, MOST_USD))
        slider = self.query_one(Slider)
        slider.update(steps, value, words=lambda usd: f"{usd_text(usd)} USD", default=listed)
        self._offered = f"{value:.12g}"
        self.write(self._offered)

    def look(self, question: PriceQuestion) -> None:
        """Say what holds at a later moment; a price that was chosen stays."""
        if question.device != self._device or not self._offered:
            return
        if question != self._question:
            self._question = question
            self.query_one("#about", Static).update(question.about)
            if self.typed == self._offered:
                self._offer()
        self.tell()

    # -- choosing

    def begins(self, letter: str) -> bool:
        return letter.isdigit() or letter == "."

    def on_input_changed(self, _event: Input.Changed) -> None:
        """Move the slider to a price that was typed."""
        price = _price_of(self.typed)
        if price is not None:
            self.query_one(Slider).set_value(price)
        self.tell()

    # -- what it does

    def effect(self, text: str) -> str:
        price, snapshot = _price_of(text), self.dashboard.snapshot
        if price is None:
            return f"Not possible: a number from 0 to {MOST_USD:,.0f} is expected."
        prices = self.dashboard.prices
        before, after = self._pair(snapshot, prices), self._pair(snapshot, prices.with_own(self._device, price))
        if before is None or after is None:
            return "There is nothing to compare it with."
        words = [economics_rows.standing(pair) for pair in (after, before)]
        return f"With it: {words[0] or 'not known'}.\nBefore: {words[1] or 'not known, a price is not public'}."

    def _pair(self, snapshot: Snapshot | None, prices: Prices) -> Pair | None:
        """The pair that is compared, at some prices."""
        if snapshot is None:
            return None
        pairs = pairs_of(moneys_of(snapshot, prices))
        return pairs[self._place % len(pairs)] if pairs else None

    def take(self) -> None:
        price = _price_of(self.typed)
        if price is None:
            self.notify(self.effect(self.typed), severity="warning", markup=False)
            return
        self.dismiss()
        self.dashboard.set_price(self._device, price)

    def action_default(self) -> None:
        """Go without a price of one's own."""
        self.dismiss()
        self.dashboard.set_price(self._device, None)


def _price_of(text: str) -> float | None:
    """A price that was typed; None: it is none."""
    value = typed_value(text)
    return value if isinstance(value, float) and 0 <= value <= MOST_USD else None


def _rounded(price: float) -> float:
    """A price to three figures, as one would say it."""
    return float(f"{price:.3g}") if math.isfinite(price) else 0.0
