"""The dashboard: watches a source, draws its snapshots ten times a second, and sends what the user asks for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import ClassVar, Final

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.events import AppBlur, AppFocus
from textual.screen import Screen
from textual.timer import Timer

from subsecond.engine.errors import InputError
from subsecond.engine.feed import Command, Hello, KeepRecording, Notice, Pause, Resume, SetSpeed, Step
from subsecond.tui.model import Model
from subsecond.tui.replay import ReplaySource
from subsecond.tui.screens.base import MEDIUM, WIDE, View
from subsecond.tui.screens.dialogs import HelpDialog, LoadDialog
from subsecond.tui.screens.feel import FeelView
from subsecond.tui.screens.help_words import words_for
from subsecond.tui.screens.pipelines import PipelinesView
from subsecond.tui.screens.race import RaceView
from subsecond.tui.screens.sessions import SessionsView
from subsecond.tui.screens.turn import TurnView
from subsecond.tui.snapshot import Snapshot
from subsecond.tui.source import Gone, Item, Refused, Source
from subsecond.tui.widgets.theme import THEMES

__all__ = ["SPEEDS", "SubsecondApp"]

PS_PER_S = 10**12
#: Frames per second, and while the terminal is not in focus.
FPS: Final = 10.0
UNFOCUSED_FPS: Final = 4.0
SPEEDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
_SEVERITY: Final = {"warning": "warning", "error": "error"}


class SubsecondApp(App[None]):
    """The dashboard.

    Args:
        source: where messages come from.
        fps: frames per second; None: a frame is drawn only when `draw` is called.
        restart: starts the service anew after it has gone; None: somebody else looks after it.
        monotonic: seconds of the wall clock, for what is played at its pace.
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
    }
    DEFAULT_MODE = "race"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (MEDIUM, "-medium"), (WIDE, "-wide")]  # noqa: RUF012  # as Textual types it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "view('race')", "Race", tooltip="The pipelines side by side"),
        Binding("2", "view('turn')", "Turn", tooltip="The latest turn that missed a budget, stage by stage"),
        Binding("3", "view('sessions')", "Sessions", tooltip="All sessions: sort, filter, look into one"),
        Binding("4", "view('pipelines')", "Pipelines", tooltip="Servers, queues, memory, faults, parameters"),
        Binding("5", "view('feel')", "Feel", tooltip="A reply at each pipeline's own pace"),
        Binding("question_mark", "help", "Help", key_display="?", tooltip="What this screen shows, and its keys"),
        Binding("q", "quit", "Quit", tooltip="Leave the dashboard"),
        Binding("R", "restart", "Restart service", tooltip="Start the engine service again"),
        Binding("space", "pause", "Pause", tooltip="Let simulated time stand still"),
        Binding("space", "resume", "Resume", tooltip="Let simulated time go on"),
        Binding("full_stop", "step", "Step", key_display=".", tooltip="Let a paused run go on to its next event"),
        Binding("f", "freeze", "Freeze", tooltip="Let the picture stand still, not the run"),
        Binding("f", "thaw", "Unfreeze", tooltip="Follow the run again"),
        Binding("plus,equals_sign", "faster", "Faster", key_display="+", tooltip="Let simulated time pass faster"),
        Binding("minus", "slower", "Slower", key_display="-", tooltip="Let simulated time pass slower"),
        Binding("left_square_bracket", "seek(-10)", "Back 10 s", key_display="[", tooltip="Show what was 10 s before"),
        Binding("right_square_bracket", "seek(10)", "On 10 s", key_display="]", tooltip="Show what was 10 s later"),
        Binding("N", "now", "Now", tooltip="Back to the run as it goes on"),
        Binding("k", "next_agent", "Agents", tooltip="Look at the other kind of agents"),
        Binding("l", "load", "Load", tooltip="How many sessions are at work"),
        Binding("r", "keep", "Record", tooltip="Keep the recording of this run"),
        Binding("t", "theme", "Theme", tooltip="Light or dark"),
    ]

    def __init__(
        self,
        source: Source,
        *,
        fps: float | None = FPS,
        restart: Callable[[], Awaitable[None]] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name
        self.monotonic = monotonic
        self.source = source
        self.snapshot: Snapshot | None = None
        #: Agent kind that the screens look at where they show one only.
        self.agent = 0
        self.is_frozen = False
        #: Why there is no connection; empty while there is one.
        self.gone = ""
        #: How many messages were not understood.
        self.refused = 0
        self._fps = fps
        self._restart = restart
        self._model: Model | None = None
        self._has_news = False
        self._timer: Timer | None = None
        #: Where the run goes on while the past is looked at; None: nowhere else.
        self._present: Source | None = None
        #: Set when the source has nothing more to say.
        self.is_over = asyncio.Event()

    # -- watching

    def on_mount(self) -> None:
        self.run_worker(self._watch(), group="watch")
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

    async def _watch(self) -> None:
        """Take what the source says; nothing that it says ends the dashboard."""
        count = 0
        async for item in self.source.items():
            self._take(item)
            count += 1
            if count % 500 == 0:  # the past comes all at once: let keys and frames through
                await asyncio.sleep(0)
        self.is_over.set()

    def _take(self, item: Item) -> None:
        self._has_news = True
        if isinstance(item, Gone):
            if not self.gone:
                self.notify(item.reason, title="No service", severity="error", markup=False)
            self._set_gone(item.reason)
        elif isinstance(item, Refused):
            self._refuse(item.reason)
        elif isinstance(item, Hello):
            self._set_gone("")
            if self._model is not None and self._model.hello.run != item.run:
                self.notify("A new run begins.", markup=False)
            self._model = Model(item)
            self.agent = min(self.agent, len(item.agents) - 1)
        elif self._model is None:
            self._refuse("a message before the first one")
        else:
            if isinstance(item, Notice):
                self.notify(item.text, severity=_SEVERITY.get(item.level, "information"), markup=False)  # type: ignore[arg-type]  # one of its words
            try:
                self._model.add(item)
            except ValueError as error:
                self._refuse(str(error))

    def _set_gone(self, reason: str) -> None:
        if bool(reason) != bool(self.gone):
            self.call_later(self.refresh_bindings)
        self.gone = reason

    def _refuse(self, reason: str) -> None:
        self.refused += 1
        if self.refused == 1:  # the header counts the others
            self.notify(reason, title="A message was not understood", severity="warning", markup=False)

    # -- drawing

    @property
    def view(self) -> View | None:
        """The screen that is seen, or lies under a dialog."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, View)), None)

    @property
    def alert(self) -> str:
        """What must be seen at once; empty most of the time."""
        if self.gone:
            return f"NO SERVICE: {self.gone}"
        if self.refused:
            return f"{self.refused} messages not understood" if self.refused > 1 else "1 message not understood"
        if self._present is not None:
            return "THE PAST: N goes back to now"
        return "FROZEN" if self.is_frozen else "PAUSED" if self.is_paused else ""

    @property
    def is_paused(self) -> bool:
        """Whether simulated time stands still."""
        return self.snapshot is not None and self.snapshot.clock is not None and self.snapshot.clock.paused

    def draw(self) -> None:
        """Take a snapshot if anything has come since the last one, and draw it."""
        if not self._has_news:
            view = self.view
            if view is not None and view.is_animated and not self.is_frozen:
                self.redraw()
            return
        self._has_news = False
        was_paused = self.is_paused
        if self._model is not None and not self.is_frozen:
            self.snapshot = self._model.snapshot()
        self.redraw()
        if self.is_paused != was_paused:
            self.refresh_bindings()

    def redraw(self) -> None:
        """Draw the present snapshot again, as after a change of what the user looks at."""
        view = self.view
        if view is None or not view.is_mounted:
            return
        with self.batch_update():
            view.show(self.snapshot)

    # -- what the user asks for

    def command(self, command: Command) -> None:
        """Send a command; say so if nobody takes it."""
        self.run_worker(self._send(command), exit_on_error=False)

    async def _send(self, command: Command) -> None:
        if not await self.source.send(command):
            self.notify("There is no service to do this.", severity="warning", markup=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Which keys mean something in the present state."""
        if action in ("pause", "resume"):
            return self.is_paused == (action == "resume")
        if action in ("freeze", "thaw"):
            return self.is_frozen == (action == "thaw")
        if action == "step":
            return self.is_paused
        if action == "next_agent":
            return self.snapshot is None or len(self.snapshot.hello.agents) > 1
        if action == "seek":
            return self.can_seek
        if action == "now":
            return self._present is not None
        if action == "restart":
            return bool(self.gone) and self._restart is not None
        return super().check_action(action, parameters)

    def action_view(self, mode: str) -> None:
        self.switch_mode(mode)

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
        self._has_news = True
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

    @property
    def can_seek(self) -> bool:
        """Whether there is a recording to look back into."""
        if isinstance(self.source, ReplaySource):
            return True
        return self.snapshot is not None and Path(self.snapshot.hello.recording).is_file()

    def action_seek(self, seconds: int) -> None:
        """Show the run some seconds before or after what is shown; a live run goes on meanwhile."""
        if isinstance(self.source, ReplaySource):
            self.source.seek(self.source.at_ps + seconds * PS_PER_S)
            return
        if self.snapshot is None:
            return
        try:
            past = ReplaySource(
                Path(self.snapshot.hello.recording), at_ps=self.snapshot.at_ps + seconds * PS_PER_S, paused=True
            )
        except InputError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        self._present = self.source
        self._switch(past)

    def action_now(self) -> None:
        """Leave the past."""
        if self._present is not None:
            past, present = self.source, self._present
            self._present = None
            self._switch(present)
            if isinstance(past, ReplaySource):
                past.close()

    def _switch(self, source: Source) -> None:
        """Watch another source of the same run from now on."""
        self.source = source
        self.run_worker(self._watch(), group="watch", exclusive=True)
        self.refresh_bindings()

    def action_keep(self) -> None:
        self.command(KeepRecording())

    def action_next_agent(self) -> None:
        if self.snapshot is not None:
            self.agent = (self.agent + 1) % len(self.snapshot.hello.agents)
            self.redraw()

    def action_load(self) -> None:
        if self.snapshot is None:
            self.notify("There is no run to load.", severity="warning", markup=False)
        else:
            self.push_screen(LoadDialog(self.snapshot.hello.agents, self.snapshot.load))

    def action_theme(self) -> None:
        names = [theme.name for theme in THEMES]
        at = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(at + 1) % len(names)]

    def action_help(self) -> None:
        view, focused = self.view, self.screen.focused
        texts = [] if view is None else [view.ABOUT]
        about = words_for(focused)
        if about and about not in texts:
            texts.append(about)
        keys = [(key, words) for key, _, words, _ in self._commands(self.screen)]
        self.push_screen(HelpDialog(texts, keys))

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

    def _state_changed(self) -> None:
        self.refresh_bindings()
        self.redraw()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every command with its key, then Textual's own."""
        for key, title, words, run in self._commands(screen):
            yield SystemCommand(f"{title}  ({key})", words, run)
        yield from (command for command in super().get_system_commands(screen) if command.title != "Quit")

    def _commands(self, screen: Screen[object]) -> list[tuple[str, str, str, Callable[[], Awaitable[bool]]]]:
        """Key, name, what it does, and how to do it: of every command of ours that means something now."""
        found = {}
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.show and active.enabled and binding.action not in found:
                key = self.get_key_display(binding)
                run = self._runner(binding.action, active.node)
                found[binding.action] = key, binding.description, binding.tooltip or binding.description, run
        return list(found.values())

    def _runner(self, action: str, node: object) -> Callable[[], Awaitable[bool]]:
        async def run() -> bool:
            return await self.run_action(action, node)  # type: ignore[arg-type]  # the node of an active binding

        return run
