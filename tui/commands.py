"""What the state of the dashboard means: which commands make sense, with their keys, and what must be seen at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.screen import Screen

from subsecond.tui.replay import ReplaySource
from subsecond.tui.screens.base import View
from subsecond.tui.screens.dialogs import Dialog, HelpDialog
from subsecond.tui.screens.help_words import words_for
from subsecond.tui.widgets.timeline import Timeline

if TYPE_CHECKING:
    from subsecond.tui.app import SubsecondApp

__all__ = ["KeyCommand", "alert_of", "can_act", "commands_of", "help_of"]


@dataclass(frozen=True, slots=True)
class KeyCommand:
    """A command: its key, its name, what it does in words, and how to do it."""

    key: str
    title: str
    words: str
    run: Callable[[], Awaitable[bool]]


def commands_of(app: SubsecondApp, screen: Screen[object]) -> list[KeyCommand]:
    """Every command of ours that means something on a screen: what its footer shows, or what says what it is for."""
    found = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if (binding.show or binding.tooltip) and active.enabled and binding.action not in found:
            words = binding.tooltip or binding.description
            run = _runner(app, binding.action, active.node)
            found[binding.action] = KeyCommand(app.get_key_display(binding), binding.description, words, run)
    return list(found.values())


def _runner(app: SubsecondApp, action: str, node: object) -> Callable[[], Awaitable[bool]]:
    async def run() -> bool:
        return await app.run_action(action, node)  # type: ignore[arg-type]  # the node of an active binding

    return run


def help_of(app: SubsecondApp) -> HelpDialog:
    """What the screen and the widget in focus show, and every key that means something there."""
    focused, top = app.screen.focused, app.screen if isinstance(app.screen, Dialog) else app.view
    texts = [top.ABOUT] if top is not None and top.ABOUT else []
    line = top.query_one(Timeline) if isinstance(top, View) else None
    for about in (words_for(focused), words_for(line if line is not None and line.display else None)):
        if about and about not in texts:
            texts.append(about)
    return HelpDialog(texts, [(command.key, command.words) for command in commands_of(app, app.screen)])


def can_act(app: SubsecondApp, action: str) -> bool | None:
    """Whether an action of a run means something in its present state; None: it is none of these."""
    travel = app.travel
    if action in ("pause", "resume"):
        return app.is_paused == (action == "resume")
    if action in ("freeze", "thaw"):
        return app.is_frozen == (action == "thaw")
    if action == "step":
        return app.is_paused
    if action == "next_agent":
        return app.snapshot is None or len(app.snapshot.hello.agents) > 1
    if action in ("seek", "seek_to"):
        return travel.recording is not None
    if action == "now":
        return travel.away is not None
    if action in ("load", "drill", "fault", "mend"):
        return travel.replay is None
    if action in ("what_if", "without_faults"):
        return travel.replay is not None
    if action == "annotate":
        return travel.is_home_run
    if action == "keep":
        return not isinstance(travel.home.source, ReplaySource)
    return None


def alert_of(app: SubsecondApp) -> str:
    """What must be seen at once; empty most of the time."""
    travel, refused = app.travel, app.travel.shown.refused
    if travel.shown.gone:
        what = "SERVICE" if travel.replay is None else "RECORDING"
        offer = ", R starts it again" if app.check_action("restart", ()) else ""
        return f"NO {what}{offer}: {travel.shown.gone}"
    if refused:
        return f"{refused} messages not understood" if refused > 1 else "1 message not understood"
    if travel.away is not None:
        what = "THE PAST" if travel.is_past else "A RECORDING"
        return f"READING {what}" if travel.shown.is_jumping else f"{what}: N goes back to now"
    return "FROZEN" if app.is_frozen else "PAUSED" if app.is_paused else ""
