"""What the pipelines cost at this load, and the price at which one beats another."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import DescendantFocus

from subsecond.tui.economics import BreakEvenLine, LaneMoney, Pair, moneys_of, pairs_of
from subsecond.tui.model import WORK_S
from subsecond.tui.money import device_name, symbols_of, usd_text, way_words
from subsecond.tui.screens import economics_rows as rows
from subsecond.tui.screens.base import View
from subsecond.tui.screens.panel import Panel, row, wrapped
from subsecond.tui.screens.price_dialog import PriceDialog, PriceQuestion
from subsecond.tui.screens.source_dialog import SourceDialog
from subsecond.tui.snapshot import Snapshot
from subsecond.tui.widgets.canvas import Row
from subsecond.tui.widgets.chart import ChartLine, LineChart
from subsecond.tui.widgets.table import LiveTable

__all__ = ["EconomicsView"]

PS_PER_S = 10**12
_UNTOLD = (
    "This service or recording does not say what its pipelines are made of and what that costs: it is an older one."
)
_LINE = "The line begins with turns in time."
_SOURCE = "Where the number under the cursor comes from, and how far to trust it; o shows all of it."


class EconomicsView(View):
    """Costs of machines, turns and tokens, and break-even prices."""

    TITLE_WORD = "Economics"
    AUTO_FOCUS = "#machines"
    ABOUT = (
        "What each pipeline costs at the load that it has. On top who is cheaper per turn in time (one that met every "
        "budget), and below which price of a part that has no public price one pipeline beats the other. Machines: "
        "enter sets a price of your own per device-hour, L drops them all, h asks for another way of hire (* marks one "
        "that stands in). Costs: b chooses the budgets that a turn in time has met; now is the last minute; what hangs "
        "on an unknown price has a letter. The line follows the break-even; beside it stand published prices by the "
        "token: < and > say whether this load costs less or more there than the break-even. Tab goes from table to "
        "table; the lines at the bottom say where the number under the cursor comes from, o and enter in full. "
        "Machines alone are counted: no people, storage or network."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h", "hire", "Hire", tooltip="Another way of hire: on demand, capacity block, spot"),
        Binding(
            "b", "basis", "Budgets", tooltip="Which budgets a turn in time has met: every one, or one of each kind"
        ),
        Binding("p", "next_pair", "Next pair", tooltip="Compare the next two pipelines"),
        Binding("o", "source", "Source", tooltip="Where the numbers of the line under the cursor come from, in full"),
        Binding("L", "listed", "As listed", show=False, tooltip="Drop all prices of your own"),
        Binding("escape", "back", "Back", tooltip="Go back", show=False),
    ]
    DEFAULT_CSS = """
    EconomicsView {
        #headline { height: 3; border-top: none; padding: 0 1; }
        #machines { height: 5; }
        #figures { height: 1fr; min-height: 4; }
        #source { height: 5; }
        #bottom { height: 12; }
        #bottom > * { border-top: solid $primary 40%; border-title-color: $foreground; border-title-style: bold; }
        #bottom > *:focus { border-top: heavy $primary; }
        #break-even { width: 3fr; }
        #tokens { width: 2fr; margin-left: 1; }
        LiveTable { border-top: solid $primary 40%; border-title-style: bold; }
        LiveTable:focus { border-top: heavy $primary; }
    }
    EconomicsView.-wide #bottom { height: 20; }
    EconomicsView.-wide #source { height: 7; }
    EconomicsView.-short #headline { height: 3; }
    EconomicsView.-short #source { height: 3; }
    EconomicsView.-short #bottom { height: 5; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._pair = 0
        self._line = BreakEvenLine()
        #: The table whose cursor the source is of.
        self._looked_at = "machines"

    def panels(self) -> ComposeResult:
        waiting = self.dashboard.waiting or "Waiting for the service…"
        yield Panel(id="headline", empty=waiting, help=self.ABOUT)
        yield LiveTable(rows.MACHINES, id="machines", empty="No machine is known.")
        yield LiveTable(rows.FIGURES, id="figures", empty="No cost is known.")
        with Horizontal(id="bottom"):
            yield LineChart("break-even", id="break-even", y_text=usd_text, empty=_LINE)
            yield LiveTable(rows.TOKENS, id="tokens", empty="No price of this model by the token is known.")
        yield Panel("Source", id="source", empty=_SOURCE, help=_SOURCE)

    # -- drawing

    def paint(self, snapshot: Snapshot) -> None:
        prices = self.dashboard.prices
        moneys = moneys_of(snapshot, prices)
        symbols, pair = symbols_of(moneys), self._chosen(moneys)
        self._paint_words("#headline", [_UNTOLD if not moneys else rows.headline(pair)], ink="strong")
        machines, figures = self.query_one("#machines", LiveTable), self.query_one("#figures", LiveTable)
        machines.border_title = f"Machines, hired {way_words(prices.way)}{_more('h', 'other ways of hire')}"
        machines.update(rows.machine_rows(moneys, symbols, snapshot.window_ps // PS_PER_S))
        self._fit_machines(sum(len(money.cost.parts) for money in moneys))
        letters = rows.symbol_words(symbols, moneys)
        basis = rows.basis_words(snapshot, prices.basis)
        about = [f"now: last {snapshot.window_ps // PS_PER_S} s", f"in time: {basis} (b)", letters]
        figures.border_title = f"Costs; {'; '.join(words for words in about if words)}"
        figures.update(rows.cost_rows(moneys, symbols))
        self._paint_bottom(snapshot, pair, len(pairs_of(moneys)))
        self._paint_words("#source", list(self._source(snapshot)))
        dialog = self.app.screen
        if isinstance(dialog, PriceDialog):  # above this screen: it says what holds now
            question = self._price_question(snapshot)
            if question is not None:
                dialog.look(question)

    def _fit_machines(self, parts: int) -> None:
        """Room for every part, as long as the costs keep some."""
        table = self.query_one("#machines", LiveTable)
        wanted = 2 + max(1, min(parts, 3 if self.has_class("-short") else 8))
        if table.styles.height is None or table.styles.height.value != wanted:
            table.styles.height = wanted

    def _paint_words(self, which: str, lines: list[str], ink: str = "plain") -> None:
        def draw(width: int, height: int) -> list[Row] | None:
            found = [(text, ink if place == 0 else "quiet") for place, text in enumerate(lines)]
            broken = [(part, own) for text, own in found for part in wrapped(text, width, height)]
            return [row(one) for one in broken[:height]] or None

        self.query_one(which, Panel).show(draw)

    def _paint_bottom(self, snapshot: Snapshot, pair: Pair | None, pairs: int) -> None:
        chart, tokens = self.query_one("#break-even", LineChart), self.query_one("#tokens", LiveTable)
        more = _more("p", "next pair") if pairs > 1 else ""
        tokens.update(rows.service_rows(snapshot, pair))
        if pair is None or pair.device is None:
            chart.border_title, chart.empty = f"{_why_none(snapshot, pair)}: no break-even{more}", "There is none."
            chart.update([], x_range=(0, 1))
            tokens.border_title = "USD per 1e6 tokens"
            return
        chart.empty = _LINE
        name = device_name(pair.a.listed, pair.device)
        chart.border_title = f"USD per {name}-hour at which {pair.a.name} costs as {pair.b.name}{more}"
        tokens.border_title = f"{pair.a.lane.info.model} by the token, USD per 1e6"
        seconds, values = self._line.points(pair)
        now, now_s = pair.break_even(*pair.now).usd_per_device_hour, snapshot.at_ps / PS_PER_S
        chart.update(
            [ChartLine(pair.a.place, f"{name}-hour", [*seconds, now_s], [*values, now])],
            x_range=(max(0.0, now_s - WORK_S), max(now_s, 20.0)),
            budget=self.dashboard.prices.own.get(pair.device),
            budget_word="yours",
        )

    def _chosen(self, moneys: tuple[LaneMoney, ...]) -> Pair | None:
        pairs = pairs_of(moneys)
        return pairs[self._pair % len(pairs)] if pairs else None

    # -- sources

    def _source(self, snapshot: Snapshot) -> list[str]:
        """Where the number under the cursor comes from; empty: there is none."""
        key = self.query_one(f"#{self._looked_at}", LiveTable).cursor_key
        moneys = moneys_of(snapshot, self.dashboard.prices)
        if not isinstance(key, str):
            return []
        if self._looked_at == "tokens":
            pair = self._chosen(moneys)
            return [] if pair is None else list(rows.service_source(snapshot, pair, key))
        first, _, second = key.partition("/")
        if self._looked_at == "machines":
            money = _of(moneys, int(first))
            place = int(second)
            return list(rows.part_source(money, money.cost.parts[place], money.lane.info.parts[place]))
        return list(rows.cost_source(_of(moneys, int(second)), first, symbols_of(moneys)))

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """The source is that of the table in focus."""
        if isinstance(event.widget, LiveTable) and event.widget.id:
            self._looked_at = event.widget.id
            self.dashboard.redraw()

    def on_live_table_highlighted(self, _event: LiveTable.Highlighted) -> None:
        self.dashboard.redraw()

    # -- what the user asks for

    def on_live_table_selected(self, event: LiveTable.Selected) -> None:
        """Set the price of a machine's devices, or show a source in full."""
        snapshot = self.dashboard.snapshot
        if snapshot is None or event.table.id is None:
            return
        self._looked_at = event.table.id
        question = self._price_question(snapshot) if event.table.id == "machines" else None
        if question is not None:
            self.app.push_screen(PriceDialog(question, place=self._pair))
        else:
            self.action_source()

    def _price_question(self, snapshot: Snapshot) -> PriceQuestion | None:
        """What is asked of the machine under the cursor, at the load of a snapshot; None: there is no machine."""
        key = self.query_one("#machines", LiveTable).cursor_key
        if not isinstance(key, str):
            return None
        lane, _, place = key.partition("/")
        moneys = moneys_of(snapshot, self.dashboard.prices)
        money = _of(moneys, int(lane))
        listed, told = money.listed.parts[int(place)], money.lane.info.parts[int(place)]
        about = list(rows.part_source(money, money.cost.parts[int(place)], told))
        pair = self._chosen(moneys)
        is_asked = pair is not None and pair.device == told.device
        found = pair.break_even(*pair.now).usd_per_device_hour if pair is not None and is_asked else None
        words = [told.label, *about[: -1 if told.owning is not None else None]]  # the inputs of an estimate are many
        if found is not None and pair is not None:
            words.append(f"{pair.a.name} costs as much per turn in time as {pair.b.name} at {usd_text(found)} USD")
        name = device_name(money.listed, told.device)
        return PriceQuestion(told.device, name, "\n".join(words), listed.rate.usd_per_device_hour, found)

    def action_source(self) -> None:
        """Show where the numbers under the cursor come from, in full."""
        snapshot = self.dashboard.snapshot
        lines = [] if snapshot is None else self._source(snapshot)
        if lines:
            self.app.push_screen(SourceDialog("Source", lines))
        else:
            self.notify("There is no number under the cursor yet.", severity="warning", markup=False)

    def action_hire(self) -> None:
        self.dashboard.set_prices(self.dashboard.prices.next_way())

    def action_basis(self) -> None:
        snapshot = self.dashboard.snapshot
        if snapshot is None or len(snapshot.lanes[0].works) < 2:
            self.notify("No kind of agents has several budgets.", severity="warning", markup=False)
        else:
            self.dashboard.set_prices(self.dashboard.prices.next_basis(snapshot))

    def action_next_pair(self) -> None:
        snapshot = self.dashboard.snapshot
        pairs = [] if snapshot is None else pairs_of(moneys_of(snapshot, self.dashboard.prices))
        if len(pairs) < 2:
            what = "There is only one pair of pipelines." if pairs else "There are no two pipelines to compare."
            self.notify(what, severity="warning", markup=False)
            return
        self._pair += 1
        self.dashboard.redraw()

    def action_listed(self) -> None:
        """Drop all prices of one's own."""
        prices = self.dashboard.prices
        if not prices.own:
            self.notify("No price here is your own.", severity="warning", markup=False)
        for device in prices.own:
            self.dashboard.set_price(device, None)

    def action_back(self) -> None:
        self.dashboard.go_back()


def _of(moneys: tuple[LaneMoney, ...], place: int) -> LaneMoney:
    """The lane of a place."""
    return next(money for money in moneys if money.place == place)


def _why_none(snapshot: Snapshot, pair: Pair | None) -> str:
    """Why there is no price at which two pipelines cost the same."""
    if not all(lane.info.parts for lane in snapshot.lanes):
        return "Parts and prices are not told"
    return "One pipeline alone" if pair is None else "Every price is public"


def _more(key: str, words: str) -> str:
    return f"  ({key}: {words})"
