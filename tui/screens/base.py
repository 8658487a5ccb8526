"""What all screens have: a header with crumbs and clock, a footer with the keys, a message where there is no room."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.events import Resize
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Footer

from subsecond.tui.snapshot import Snapshot
from subsecond.tui.verdict import clock_words
from subsecond.tui.widgets.text import fit
from subsecond.tui.widgets.timeline import Timeline

if TYPE_CHECKING:
    from subsecond.tui.app import SubsecondApp

__all__ = ["MEDIUM", "SMALLEST", "WIDE", "HeaderLine", "TooSmall", "View"]

#: Columns from which there are two and three columns of panels; the smallest terminal.
MEDIUM, WIDE = 100, 160
SMALLEST = (60, 16)


class HeaderLine(Widget):
    """One line: where one is on the left, the state of the run on the right; what must be seen is in reverse."""

    DEFAULT_CSS = """
    HeaderLine { height: 1; dock: top; background: $panel; color: $foreground; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[str, str, str, str] = ("", "", "", "")

    def show(self, crumbs: str, title: str, alert: str, state: str) -> None:
        """Set the parts; the title is left out where there is no room. Nothing is drawn if all are as before."""
        if (crumbs, title, alert, state) != self._shown:
            self._shown = crumbs, title, alert, state
            self.refresh()

    def render_line(self, y: int) -> Strip:
        crumbs, title, alert, state = self._shown
        width, style = self.size.width, self.rich_style
        right = f" {state} "
        middle = fit(f" {alert} ", min(len(alert) + 2, width - 24)) if alert else ""
        room = max(0, width - len(right) - len(middle))
        crumbs = f" {crumbs}"
        left = fit(f"{crumbs}   {title}" if len(crumbs) + 3 + len(title) < room else crumbs, room)
        return Strip(
            [
                Segment(left, style + Style(bold=True)),
                Segment(middle, style + Style(bold=True, reverse=True)),
                Segment(right, style),
            ]
        ).crop_extend(0, width, style)


class TooSmall(Widget):
    """Stands in for everything else while the terminal is too small."""

    DEFAULT_CSS = """
    TooSmall {
        display: none; layer: above; width: 100%; height: 100%;
        background: $background; content-align: center middle; text-align: center;
    }
    """

    def render(self) -> str:
        columns, rows = SMALLEST
        size = self.app.size
        return (
            f"subsecond needs {columns}x{rows} cells,\nthis terminal has {size.width}x{size.height}.\n"
            "Make it larger, or press q."
        )


class View(Screen[None]):
    """A screen of the dashboard.

    A subclass composes its panels in `panels`, and draws them in `paint`, which gets every snapshot while the screen
    is the one that is seen.
    """

    DEFAULT_CSS = """
    View { layers: default above; }
    View.-too-small { overflow: hidden; }
    View.-too-small > TooSmall { display: block; }
    View Footer.-compact FooterKey.-command-palette { margin-right: 0; }
    View.-narrow FooterKey.-command-palette { display: none; }
    """
    AUTO_FOCUS: ClassVar[str | None] = "LiveTable"
    #: Name in the crumbs, what the screen is for.
    TITLE_WORD: ClassVar[str] = ""
    ABOUT: ClassVar[str] = ""
    #: Whether it changes without news.
    is_animated: ClassVar[bool] = False

    @property
    def dashboard(self) -> SubsecondApp:
        """The application, by its type."""
        return cast("SubsecondApp", self.app)

    def compose(self) -> ComposeResult:
        yield HeaderLine()
        yield from self.panels()
        yield TooSmall()
        yield Timeline()
        yield Footer(compact=True)

    def panels(self) -> ComposeResult:
        """The screen's own widgets."""
        yield from ()

    def paint(self, snapshot: Snapshot) -> None:
        """Draw a snapshot."""

    def crumb(self) -> str:
        """The screen's place in the crumbs."""
        return self.TITLE_WORD

    def show(self, snapshot: Snapshot | None) -> None:
        """Draw a snapshot, and the header around it."""
        self.show_header(snapshot)
        if not self.has_class("-too-small"):
            self.show_timeline(snapshot)
            if snapshot is not None:
                self.paint(snapshot)

    @property
    def has_room_for_timeline(self) -> bool:
        """A recording has its timeline at any size, a live run where there is room for it."""
        return self.dashboard.travel.replay is not None or not self.has_class("-short")

    def show_timeline(self, snapshot: Snapshot | None) -> None:
        """Show the whole run as a line, and the instant on it."""
        bar, data, replay = self.query_one(Timeline), self.dashboard.glance.data, self.dashboard.travel.replay
        bar.display = data is not None and snapshot is not None and self.has_room_for_timeline
        if bar.display and snapshot is not None:
            bar.update(data, snapshot.at_ps if replay is None else replay.asked_ps)

    def on_timeline_seek(self, event: Timeline.Seek) -> None:
        """Go to an instant of the line; its end is where the run is now."""
        data = self.dashboard.glance.data
        is_end = data is not None and event.at_ps >= data.end_ps
        self.dashboard.go_to(None if is_end else event.at_ps)

    @property
    def is_ready(self) -> bool:
        """Whether it has its widgets: a busy machine may ask before they are there, or while they go at the end."""
        return self.is_mounted and any(isinstance(child, HeaderLine) for child in self.children)

    def show_header(self, snapshot: Snapshot | None) -> None:
        """Say where one is, how late it is, and what stands still."""
        app = self.dashboard
        stack = [screen.crumb() for screen in app.screen_stack if isinstance(screen, View)]
        title = "" if snapshot is None else snapshot.hello.scenario
        without = "waiting for the service" if app.opened is None else "no run"
        state = without if snapshot is None else _state_words(snapshot)
        self.query_one(HeaderLine).show(" > ".join(["subsecond", *stack]), title, app.alert, state)

    def on_mount(self) -> None:
        self.query_one(Timeline).display = False
        self._fit()

    def on_screen_resume(self) -> None:
        """Shown again: what was drawn last may be long over."""
        self._fit()
        self.call_after_refresh(self.dashboard.redraw)

    def on_resize(self, event: Resize) -> None:
        self._fit()
        self.call_after_refresh(self.dashboard.redraw)

    def _fit(self) -> None:
        size = self.app.size
        self.set_class(size.width < SMALLEST[0] or size.height < SMALLEST[1], "-too-small")
        self.set_class(size.height < 30, "-short")
        self.query_one(TooSmall).refresh()
        self.dashboard.glance.look()


def _state_words(snapshot: Snapshot) -> str:
    clock = snapshot.clock
    parts = [clock_words(snapshot.at_ps)]
    if clock is not None:
        parts.append("paused" if clock.paused else f"{clock.speed:g}x")
        if clock.late_p99_ms > 50:
            parts.append(f"late {clock.late_p99_ms:.0f} ms")
    if snapshot.load is not None:
        parts.append(f"{sum(snapshot.load.sessions):,} sessions")
    outside = snapshot.agents.num_connected
    if outside:
        parts.append("1 agent" if outside == 1 else f"{outside:,} agents")
    return "  ".join(parts)
