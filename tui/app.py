"""The dashboard: watches a source, draws its snapshots ten times a second, and sends what the user asks for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import ClassVar, Final

from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.events import AppBlur, AppFocus
from textual.screen import Screen
from textual.timer import Timer

from subsecond.engine.commands import Annotate, Command, KeepRecording, Pause, Resume, SetKnob, SetSpeed, Step
from subsecond.engine.errors import InputError
from subsecond.tui.commands import alert_of, can_act, commands_of, help_of
from subsecond.tui.economics import Prices
from subsecond.tui.farewell import farewell_lines
from subsecond.tui.glance import Glance
from subsecond.tui.keys import BINDINGS, why_not
from subsecond.tui.model import Model
from subsecond.tui.overlay import Overlay
from subsecond.tui.room import Room
from subsecond.tui.room_search import Search
from subsecond.tui.screen_picture import SUFFIXES, picture_of, screen_text
from subsecond.tui.screens.agents import AgentsView
from subsecond.tui.screens.annotate import AnnotateDialog
from subsecond.tui.screens.base import MEDIUM, WIDE, View
from subsecond.tui.screens.drill_dialog import DrillDialog
from subsecond.tui.screens.economics import EconomicsView
from subsecond.tui.screens.feel import FeelView
from subsecond.tui.screens.load_dialog import LoadDialog
from subsecond.tui.screens.parameter_palette import ParameterPalette
from subsecond.tui.screens.picture_dialog import PictureDialog, free_name
from subsecond.tui.screens.pipelines import PipelinesView
from subsecond.tui.screens.race import RaceView
from subsecond.tui.screens.recordings import RecordingsView
from subsecond.tui.screens.seek import SeekDialog
from subsecond.tui.screens.sessions import SessionsView
from subsecond.tui.screens.study import StudyView
from subsecond.tui.screens.turn import TurnView
from subsecond.tui.screens.what_if_dialog import WhatIfDialog
from subsecond.tui.screens.without_faults_dialog import ask_without_faults
from subsecond.tui.snapshot import Snapshot
from subsecond.tui.source import Source
from subsecond.tui.studies.opening import OpenStudy
from subsecond.tui.travel import Travel
from subsecond.tui.watch import Word
from subsecond.tui.widgets.theme import THEMES

__all__ = ["SPEEDS", "SubsecondApp"]

PS_PER_S = 10**12
#: Frames per second, and while the terminal is not in focus.
FPS: Final = 10.0
UNFOCUSED_FPS: Final = 4.0
SPEEDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


class SubsecondApp(App[None]):
    """The dashboard.

    Args:
        source: where messages come from.
        fps: frames per second; None: a frame is drawn only when `draw` is called.
        restart: starts the service anew after it has gone; None: somebody else looks after it.
        monotonic: seconds of the wall clock, for what is played at its pace.
        search: finds room for more sessions; None: nobody does.
        waiting: what keeps the service from being ready at once; empty: nothing does.
    """

    TITLE = "subsecond"
    CSS_PATH = None
    ENABLE_COMMAND_PALETTE = True
    MODES: ClassVar = {
        "race": RaceView,
        "turn": TurnView,
        "sessions": SessionsView,
        "pipelines": PipelinesView,
        "feel": FeelView,
        "recordings": RecordingsView,
        "agents": AgentsView,
        "economics": EconomicsView,
    }
    DEFAULT_MODE = "race"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (MEDIUM, "-medium"), (WIDE, "-wide")]  # noqa: RUF012  # as Textual types it
    BINDINGS: ClassVar[list[BindingType]] = BINDINGS

    def __init__(
        self,
        source: Source,
        *,
        fps: float | None = FPS,
        restart: Callable[[], Awaitable[None]] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        waiting: str = "",
        search: Search | None = None,
    ) -> None:
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name
        self.monotonic = monotonic
        self.waiting = waiting[:1].upper() + waiting[1:]
        #: Lines of the last picture, if it shall stay on the terminal.
        self._left: list[str] = []
        self.travel = Travel(source, self._tell, lambda task: self.run_worker(task, group="watch"))
        self.glance = Glance(self.travel, self._has_room_for_timeline, self._glance_changed)
        #: Jump in time after which the snapshot was taken.
        self.arrival = self.travel.arrival
        self.snapshot: Snapshot | None = None
        #: Agent kind that the screens look at where they show one only.
        self.agent = 0
        self.room = Room(search, monotonic)
        #: What machines are taken to cost, beside what is published.
        self.prices = Prices()
        self.is_frozen = False
        #: Which event's effect is shown.
        self.overlay = Overlay()
        #: The study that it was started with, and folders in which there may be more to open.
        self.opened: OpenStudy | None = None
        self.places: list[Path] = []
        self._fps = fps
        self._restart = restart
        self._timer: Timer | None = None
        #: State that the hints of keys were last drawn for.
        self._hinted: tuple[object, ...] = ()

    @property
    def source(self) -> Source:
        """Where what is shown comes from."""
        return self.travel.shown.source

    @property
    def is_over(self) -> asyncio.Event:
        """Set when the source has nothing more to say."""
        return self.travel.home.is_over

    @property
    def gone(self) -> str:
        """Why there is no service; empty while there is one."""
        return self.travel.home.gone

    @property
    def has_frames(self) -> bool:
        """Whether time makes it draw; else somebody else does."""
        return self._fps is not None

    # -- watching

    def on_mount(self) -> None:
        self.travel.start()
        self.run_worker(self.glance.keep(), group="glance")
        self.run_worker(self.room.keep(), group="room")
        if self._fps is not None:
            self._pace(self._fps)

    def _pace(self, fps: float) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_interval(1 / fps, self.draw)

    def on_app_blur(self, _event: AppBlur) -> None:
        if self._fps is not None:
            self._pace(min(self._fps, UNFOCUSED_FPS))

    def on_app_focus(self, _event: AppFocus) -> None:
        if self._fps is not None:
            self._pace(self._fps)

    def _tell(self, word: Word) -> None:
        self.notify(word.text, title=word.title, severity=word.severity, markup=False)

    # -- drawing

    @property
    def view(self) -> View | None:
        """The screen that is seen, or lies under a dialog."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, View)), None)

    @property
    def alert(self) -> str:
        """What must be seen at once; empty most of the time."""
        return alert_of(self)

    @property
    def is_paused(self) -> bool:
        """Whether simulated time stands still."""
        return self.snapshot is not None and self.snapshot.clock is not None and self.snapshot.clock.paused

    def draw(self) -> None:
        """Take a snapshot if anything has come since the last one, and draw it."""
        watch, before = self.travel.shown, self._state()
        if watch.is_jumping:
            view = self.view
            if view is not None and view.is_ready:
                view.show_header(self.snapshot)  # says so
        elif watch.has_news:
            watch.has_news = False
            if watch.model is not None and not self.is_frozen:
                self.snapshot = self._look(watch.model)
                self.agent = min(self.agent, len(self.snapshot.hello.agents) - 1)  # a new run may have fewer kinds
                self.arrival = self.travel.arrival
            self.redraw()
        else:
            view = self.view
            if view is not None and view.is_animated and not self.is_frozen:
                self.redraw()
        if self._state() != before or before != self._hinted:
            self._hinted = self._state()
            self.refresh_bindings()

    def _look(self, model: Model) -> Snapshot:
        event = self.overlay.look(model.hello.run, model.events, model.at_ps)
        return model.snapshot(event, is_first=self.overlay.is_first)

    def _state(self) -> tuple[object, ...]:
        """What decides which keys are offered."""
        return self.is_paused, self.is_frozen, self.gone, self.travel.away is None, self.snapshot is None

    def _glance_changed(self) -> None:
        self.call_later(self.redraw)

    def _has_room_for_timeline(self) -> bool:
        return self.view is not None and self.view.has_room_for_timeline

    def redraw(self) -> None:
        """Draw the present snapshot again, as after a change of what the user looks at."""
        view = self.view
        if view is None or not view.is_ready:
            return
        with self.batch_update():
            view.show(self.snapshot)

    def farewell(self, *, is_running: bool = False) -> list[str]:
        """The last picture if it shall stay, and what the run at home came to.

        Args:
            is_running: whether the run goes on without the dashboard.
        """
        model, place = self.travel.home.model, self.travel.home_recording
        snapshot = None if model is None else model.snapshot()
        return [*self._left, *farewell_lines(snapshot, recording=place, is_running=is_running)]

    # -- what the user asks for

    def command(self, command: Command) -> None:
        """Send a command; say so if nobody takes it. A knob of a recording shows what would have been."""
        replay = self.travel.replay
        if isinstance(command, SetKnob) and replay is not None:
            at_ps = 0 if self.snapshot is None else self.snapshot.at_ps
            self.push_screen(WhatIfDialog(replay.path, command, at_ps))
            return
        self.run_worker(self._send(command), exit_on_error=False)

    async def _send(self, command: Command) -> None:
        watch = self.travel.home if isinstance(command, KeepRecording | Annotate) else self.travel.shown
        try:
            is_taken = await watch.source.send(command)
        except InputError as error:  # a recording that turns out to be damaged
            self.notify(str(error), severity="error", markup=False)
            return
        if not is_taken:
            self.notify("There is no service to do this.", severity="warning", markup=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Which keys mean something in the present state."""
        if (known := can_act(self, action)) is not None:
            return known
        if action == "why":
            return self.check_action(str(parameters[0]), ()) is False
        if action == "restart":
            return bool(self.gone) and self._restart is not None
        return super().check_action(action, parameters)

    def action_why(self, action: str) -> None:
        """Say why a key does nothing."""
        self.notify(why_not(action, is_past=self.travel.is_past), markup=False)

    def action_view(self, mode: str) -> None:
        self.switch_mode(mode)

    def action_what_if(self) -> None:
        """Choose a parameter, and its value; what would have been is shown then."""
        if self.snapshot is not None:
            self.push_screen(ParameterPalette())

    def action_pause(self) -> None:
        self.command(Pause())

    def action_resume(self) -> None:
        self.command(Resume())

    def action_step(self) -> None:
        self.command(Step())

    def action_freeze(self) -> None:
        self.is_frozen = True
        self._state_changed()

    def action_thaw(self) -> None:
        self.is_frozen = False
        self.travel.shown.has_news = True
        self.draw()
        self._state_changed()

    def action_faster(self) -> None:
        self._change_speed(1)

    def action_slower(self) -> None:
        self._change_speed(-1)

    def _change_speed(self, by: int) -> None:
        clock = None if self.snapshot is None else self.snapshot.clock
        speed = 1.0 if clock is None else clock.speed
        other = [s for s in SPEEDS if (s > speed * 1.001 if by > 0 else s < speed * 0.999)]
        if other:
            self.command(SetSpeed(other[0] if by > 0 else other[-1]))
        else:
            self.notify(f"{speed:g}x is the {'highest' if by > 0 else 'lowest'} speed.", markup=False)

    def action_seek(self, seconds: int) -> None:
        """Show the run some seconds before or after what is shown; a live run goes on meanwhile."""
        try:
            at, end = self.travel.at_ps, self.travel.end_ps
        except InputError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        if seconds > 0 and at >= end:
            self.notify("This is the end of the recording." if self.travel.replay else "This is now.", markup=False)
        elif seconds < 0 and at <= 0:
            self.notify("This is the start of the run.", markup=False)
        else:
            self.go_to(max(0, at + seconds * PS_PER_S))

    def action_seek_to(self) -> None:
        self.push_screen(SeekDialog())

    def go_to(self, at_ps: int | None) -> None:
        """Show an instant of the run; None: its end."""
        self._travel(lambda: self.travel.go(self.travel.end_ps if at_ps is None else at_ps))

    def open_recording(self, path: Path) -> str:
        """Show a recording; why it cannot be, empty if it is."""
        try:
            self.travel.open(path)
        except InputError as error:
            return str(error)
        self._arrived()
        return ""

    def show_study(self, opened: OpenStudy) -> None:
        """Show a study above what is seen."""
        self.places.append(opened.path.absolute().parent)
        self.push_screen(StudyView(opened))

    def show_recording(self, path: Path) -> None:
        """Show a recording on the first screen; say so if it cannot be read."""
        reason = self.open_recording(path)
        if reason:
            self.notify(reason, title="Cannot be shown", severity="error", markup=False)
        else:
            self.switch_mode("race")

    def action_now(self) -> None:
        """Leave the past, or another recording."""
        self._travel(self.travel.back)

    def _travel(self, how: Callable[[], object]) -> None:
        try:
            how()
        except InputError as error:
            self.notify(str(error), title="Cannot be shown", severity="error", markup=False)
        else:
            self._arrived()

    def _arrived(self) -> None:
        self.is_frozen = False
        self.glance.look()
        self._state_changed()

    def action_annotate(self) -> None:
        self.push_screen(AnnotateDialog())

    def action_keep(self) -> None:
        self.command(KeepRecording())

    def action_next_agent(self) -> None:
        if self.snapshot is not None:
            self.agent = (self.agent + 1) % len(self.snapshot.hello.agents)
            self.redraw()

    def action_drill(self) -> None:
        """Choose a drill for the run that goes on."""
        if self.snapshot is None:
            self.notify("There is no run to hold a drill on.", severity="warning", markup=False)
        else:
            self.push_screen(DrillDialog([lane.info for lane in self.snapshot.lanes]))

    def action_without_faults(self) -> None:
        """Run the recording that is shown again without its faults."""
        ask_without_faults(self)

    def action_next_event(self) -> None:
        """Show what another event did: the one before, none after the first, then the latest."""
        snapshot = self.snapshot
        if self._can_look_elsewhere() and snapshot is not None:
            self.overlay.turn(snapshot.events, None if snapshot.effect is None else snapshot.effect.event.number)
            self._look_again()

    def action_other_base(self) -> None:
        """Compare with what was before the event, or with what was before the first one."""
        if self._can_look_elsewhere():
            self.overlay.is_first = not self.overlay.is_first
            self._look_again()

    def _can_look_elsewhere(self) -> bool:
        events = () if self.snapshot is None else self.snapshot.events
        if not events:
            self.notify("No fault, no drill, no parameter turned since this dashboard watches.", markup=False)
        elif self.is_frozen:
            self.notify("The picture stands still: f lets it follow the run again.", markup=False)
        return bool(events) and not self.is_frozen

    def _look_again(self) -> None:
        self.travel.shown.has_news = True
        self.draw()

    def action_load(self) -> None:
        if self.snapshot is None:
            self.notify("There is no run to load.", severity="warning", markup=False)
        else:
            self.push_screen(LoadDialog(self.snapshot.hello.agents, self.snapshot.load))

    def action_quit_with_picture(self) -> None:
        """Leave; the screen stays on the terminal as text."""
        self.clear_notifications()
        self._left = screen_text(self).splitlines()
        self.exit()

    def action_save(self, suffix: str) -> None:
        """Ask where the picture of the screen goes, and write it there."""
        pictures = {known: picture_of(self, known) for known in SUFFIXES}
        seconds = 0 if self.snapshot is None else self.snapshot.at_ps // PS_PER_S
        name = free_name(f"subsecond-{self.current_mode}-{seconds:04}s", suffix)
        self.push_screen(PictureDialog(pictures, name))

    def set_prices(self, prices: Prices) -> None:
        """Reckon with other prices."""
        self.prices = prices
        self.redraw()

    def set_price(self, device: str, usd: float | None) -> None:
        """Reckon with a price of one's own per device-hour; None: with none."""
        self.set_prices(self.prices.with_own(device, usd))

    def action_theme(self) -> None:
        names = [theme.name for theme in THEMES]
        at = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(at + 1) % len(names)]

    def action_help(self) -> None:
        self.push_screen(help_of(self))

    def open_turn(self, turn: int) -> None:
        """Look into a turn."""
        self.push_screen(TurnView(turn))

    def go_back(self) -> None:
        """Leave a screen for the one it was opened from."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
        elif self.current_mode != "race":
            self.switch_mode("race")

    async def action_restart(self) -> None:
        if self._restart is not None:
            await self._restart()
            self.notify("A new run has begun as the scenario has it: what was turned is back.", markup=False)

    def _state_changed(self) -> None:
        self.refresh_bindings()
        self.redraw()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every command with its key, then Textual's own."""
        for command in commands_of(self, screen):
            yield SystemCommand(f"{command.title}  ({command.key})", command.words, command.run)
        if self.snapshot is not None:
            words = "Another value for a parameter, by its name: pipeline.parameter"
            yield SystemCommand("Set parameter…", words, lambda: self.push_screen(ParameterPalette()))
        if self.snapshot is not None and self.check_action("drill", ()):
            words = "Break parts on purpose, as a drill of the catalog has it"
            yield SystemCommand("Hold a drill…", words, self.action_drill)
        yield from (other for other in super().get_system_commands(screen) if other.title != "Quit")
