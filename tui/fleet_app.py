"""The dashboard of a fleet: all engines on a broker, and the race of any of them on the same screens as ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType

from subsecond.engine.commands import Command
from subsecond.engine.telemetry.broker import Broker
from subsecond.engine.telemetry.listener import Listener
from subsecond.tui.app import FPS, SubsecondApp
from subsecond.tui.fleet import Engine, Fleet
from subsecond.tui.keys import WHY_NOT
from subsecond.tui.room_search import Search
from subsecond.tui.screens.fleet import FleetView
from subsecond.tui.source import ListSource
from subsecond.tui.widgets.text import clean

__all__ = ["FleetApp"]

#: Batches of every topic from before the dashboard came: those of a minute at least, since ten a second are the most.
PAST_BATCHES = 600
#: What keys that are about one run say while none is looked at.
_CHOOSE = "Choose an engine first: enter opens its race."
#: Actions about one run.
_OF_RUN = frozenset(
    (
        *WHY_NOT,
        *("pause", "resume", "freeze", "thaw", "faster", "slower", "seek", "restart", "annotate", "why"),
    )
)


class FleetApp(SubsecondApp):
    """Watches a broker instead of a service.

    Args:
        broker: None: there is none, and whoever made the app hands the fleet what it hears.
        fps, search: as for the dashboard.
        now_s: seconds of the wall clock.
    """

    MODES: ClassVar = {**SubsecondApp.MODES, "fleet": FleetView}
    DEFAULT_MODE = "fleet"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("0", "fleet", "Fleet", tooltip="All engines on the broker"),
        Binding("escape", "fleet", "Fleet", show=False),
    ]

    def __init__(
        self,
        broker: Broker | None,
        *,
        fps: float | None = FPS,
        place: str = "",
        now_s: Callable[[], float] = time.monotonic,
        search: Search | None = None,
    ) -> None:
        super().__init__(ListSource([]), fps=fps, monotonic=now_s, search=search)
        self.fleet = Fleet(place if broker is None else broker.url, self._carry, self._tell, now_s)
        self._listener = None if broker is None else Listener(broker, self.fleet.take, past_batches=PAST_BATCHES)
        self._engine: Engine | None = None

    def _carry(self, run: str, command: Command) -> asyncio.Future[bool]:
        if self._listener is None:
            nobody: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            nobody.set_result(False)
            return nobody
        return asyncio.ensure_future(self._listener.send(run, command))

    def on_mount(self) -> None:  # Textual calls that of the dashboard, too
        if self._listener is not None:
            self.run_worker(self._listener.run(), group="fleet")

    @property
    def is_in_fleet(self) -> bool:
        """Whether the list of engines is what is seen."""
        return self.current_mode == "fleet"

    def open_engine(self, engine_id: str) -> None:
        """Show the race of an engine."""
        engine = self.fleet.engines.get(engine_id)
        if engine is None:
            return
        if engine.watch.model is None:
            self.notify("This engine has not said what it runs.", severity="warning", markup=False)
            return
        if self._engine is not engine:
            self._leave()
            self._engine = engine
            self.notify("What was long before this dashboard came is not here.", title=engine.status.host, markup=False)
        engine.is_shown = True
        self.travel.back()
        self.travel.home = engine.watch
        self.snapshot, self.agent = None, 0
        engine.watch.has_news = True
        self.glance.look()
        self.switch_mode("race")
        self.draw()

    async def forget_engine(self, engine_id: str) -> None:
        """Let the broker forget an engine that is not there any more, so that nobody has its line."""
        engine = self.fleet.engines.get(engine_id)
        if engine is None or self._listener is None:
            return
        if engine.status.online:
            self.notify(f"{clean(engine.status.host)} is there again, and stays.", markup=False)
        elif not await self._listener.forget(engine.status.run):
            words = "The broker has not taken it: it is away, or does not let us write there."
            self.notify(words, severity="error", markup=False)

    def _leave(self) -> None:
        if self._engine is not None:
            self._engine.is_shown = False

    def go_back(self) -> None:
        """From the race back to the fleet; otherwise as ever."""
        if self.current_mode == "race" and len(self.screen_stack) == 1:
            self.action_fleet()
        else:
            super().go_back()

    def action_fleet(self) -> None:
        """Show the list of engines."""
        self._leave()
        self.switch_mode("fleet")

    def draw(self) -> None:
        if self.is_in_fleet:
            if self.fleet.has_news:
                self.fleet.has_news = False
            self.redraw()
            if not self._hinted or self._hinted[0] != "fleet":
                self._hinted = ("fleet",)
                self.refresh_bindings()
            return
        super().draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "fleet":
            return not self.is_in_fleet
        if self.is_in_fleet and action in _OF_RUN:
            return False
        return super().check_action(action, parameters)

    def action_view(self, mode: str) -> None:
        if self._engine is None:
            self.notify(_CHOOSE, markup=False)
        else:
            self._engine.is_shown = True
            super().action_view(mode)
