"""The effect of an event on a screen: a table, and two charts with what was before laid under what is since."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content

from subsecond.tui.effects import LEAD_S
from subsecond.tui.screens import effect_rows
from subsecond.tui.screens.panel import Panel
from subsecond.tui.snapshot import Snapshot
from subsecond.tui.widgets.chart import LineChart
from subsecond.tui.widgets.text import clock_text

__all__ = ["EffectPanel"]

_HELP = (
    "What the last fault, drill or change of a parameter did: for each pipeline the turns that ended before it (three "
    "minutes at most, and not before the event in front of it) beside those that have ended since, whenever they "
    "began, up to the next event that strikes the same pipeline. p95 counts failed turns as ones that never end; kept: "
    "the share that kept the first budget of their kind; lost: failed since; late: answered beyond that budget since; "
    "worst: the longest wait since, of open turns too. As before: how long after the event p95 was back within 10 % "
    "and stayed there, by the turns that begin in a sliding window over two widths, as `subsecond drill` has it; of "
    "few turns p95 swings by itself, and that takes long. This is before and after, not with and without: a live run "
    "has no twin in which nothing happened, and what the load does by itself is in it. `subsecond drill` has that "
    "twin, and a recording has it too: W, in the past or in a recording, runs it again without its faults. o shows "
    "another event, then none; O compares with what was before the first one. A run that began anew starts cold: "
    "nothing is marked beside the end of the run before. Dotted lines with small letters: what was before."
)


class EffectPanel(Vertical):
    """Hidden while no event is looked at."""

    DEFAULT_CSS = """
    EffectPanel { height: auto; display: none; }
    EffectPanel #effect { height: 7; }
    EffectPanel #effect-charts { height: 9; }
    EffectPanel #effect-charts > * { width: 1fr; border-top: solid $primary 40%; border-title-style: bold; }
    EffectPanel #effect-kept { margin-left: 1; }
    """

    def compose(self) -> ComposeResult:
        yield Panel(id="effect", help=_HELP)
        with Horizontal(id="effect-charts"):
            yield LineChart("p95", id="effect-p95", x_text=_since)
            yield LineChart("kept", id="effect-kept", x_text=_since, y_text=lambda share: f"{share:.0%}")

    def paint(self, snapshot: Snapshot, agent: int, *, is_short: bool) -> None:
        """Draw the effect that a snapshot has, if it has one."""
        effect = snapshot.effect
        self.display = effect is not None
        if effect is None:
            return
        kinds = effect_rows.effect_kinds(snapshot, agent, is_short=is_short)
        panel, charts = self.query_one("#effect", Panel), self.query_one("#effect-charts")
        rows = effect_rows.effect_rows(snapshot, effect, kinds, self.app.size.width)
        wanted = 1 + len(rows) - is_short
        if panel.styles.height is None or panel.styles.height.value != wanted:
            panel.styles.height = wanted
        title = effect_rows.effect_title(snapshot, effect)
        if len(kinds) < len(snapshot.hello.agents):
            title = f"{snapshot.hello.agents[agent]} (k: other)  {title}"
        panel.show(lambda _width, height: rows[:height], title=title)
        charts.display = not is_short
        if is_short:
            return
        window = (-float(LEAD_S), effect_rows.effect_span(effect))
        p95, kept = self.query_one("#effect-p95", LineChart), self.query_one("#effect-kept", LineChart)
        name = snapshot.hello.agents[agent]
        p95.border_title = Content(f"p95 over 10 s since the event, {name}")
        p95.update(
            effect_rows.effect_lines(snapshot, effect, agent),
            x_range=window,
            budget=snapshot.limit_ps(agent),
            mark_x=0.0,
        )
        kept.border_title = Content(f"Kept the budget, {name}")
        kept.update(effect_rows.kept_lines(snapshot, effect, agent), x_range=window, y_max=1.0, mark_x=0.0)


def _since(seconds: float) -> str:
    return f"+{clock_text(seconds)}" if seconds > 0 else clock_text(seconds)
