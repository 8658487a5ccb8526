"""The keys that mean the same on every screen, and why one of them may do nothing."""

from __future__ import annotations

from typing import Final

from textual.binding import Binding, BindingType

__all__ = ["BINDINGS", "WHY_NOT", "why_not"]

#: In the footer's order: what leads to all the rest comes first, for 80 columns have room for few. What it does not
#: show is in the help and in the palette if it has a tooltip.
BINDINGS: Final[list[BindingType]] = [
    Binding("question_mark", "help", "Help", key_display="?", tooltip="What this screen shows, and its keys"),
    Binding("q", "quit", "Quit", tooltip="Leave the dashboard"),
    Binding("1", "view('race')", "Race", tooltip="The pipelines side by side"),
    Binding("2", "view('turn')", "Turn", tooltip="The latest turn that missed a budget, stage by stage"),
    Binding("3", "view('sessions')", "Sessions", tooltip="All sessions: sort, filter, look into one"),
    Binding("4", "view('pipelines')", "Pipelines", tooltip="Servers, queues, memory, faults, parameters"),
    Binding("5", "view('feel')", "Feel", tooltip="A reply at each pipeline's own pace"),
    Binding("6", "view('recordings')", "Recordings", tooltip="What has been recorded, to be looked at"),
    Binding("7", "view('agents')", "Agents", tooltip="Agents from outside: live turns, sessions, how to connect"),
    Binding("8", "view('economics')", "Economics", tooltip="What the pipelines cost, and break-even prices"),
    Binding(
        "Q",
        "quit_with_picture",
        "Quit, keep the picture",
        show=False,
        tooltip="Leave, with this screen as text on the terminal",
    ),
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
    Binding("S", "seek_to", "Seek", tooltip="Show another instant"),
    Binding("N", "now", "Now", tooltip="Back to the run as it goes on"),
    Binding("k", "next_agent", "Kind", tooltip="Look at the other kind of agents"),
    Binding("l", "load", "Load", tooltip="How many sessions are at work, or begin per second"),
    Binding("w", "what_if", "What if", show=False, tooltip="What this recording would be with another parameter"),
    Binding("r", "keep", "Record", tooltip="Keep the recording of this run"),
    Binding("A", "annotate", "Annotate", show=False, tooltip="Write down what is to be seen here"),
    Binding("e", "save('.txt')", "Save as text", show=False, tooltip="Write this screen to a text file"),
    Binding("E", "save('.svg')", "Save as SVG", show=False, tooltip="Write this screen to an SVG file"),
    Binding("t", "theme", "Theme", tooltip="Light or dark"),
    # The same keys while they cannot act.
    Binding("left_square_bracket,right_square_bracket", "why('seek')", show=False),
    Binding("S", "why('seek_to')", show=False),
    Binding("N", "why('now')", show=False),
    Binding("full_stop", "why('step')", show=False),
    Binding("R", "why('restart')", show=False),
    Binding("k", "why('next_agent')", show=False),
    Binding("r", "why('keep')", show=False),
    Binding("l", "why('load')", show=False),
    Binding("w", "why('what_if')", show=False),
    Binding("A", "why('annotate')", show=False),
]

#: Why a key cannot act, by its action.
WHY_NOT: Final = {
    "step": "Only a run that stands still can step: space pauses it.",
    "next_agent": "There is one kind of agents only.",
    "seek": "There is no recording of this run on this machine to look back into.",
    "seek_to": "There is no recording of this run on this machine to look back into.",
    "now": "This is the run as it goes on: nothing else is shown.",
    "restart": "The service is there, or somebody else looks after it.",
    "keep": "This is a recording already.",
    "annotate": "This is a recording: reading it changes nothing, so that nothing can be written into it.",
    "what_if": "This is a live run: 4 shows its parameters, and enter changes one. Back in time, w asks what if.",
    "load": "This is a recording: nothing about it can be changed.",
    "fault": "This is a recording: nothing breaks in it any more. W runs it again without its faults.",
    "mend": "This is a recording: what broke in it stays broken. W runs it again without its faults.",
    "drill": "This is a recording: nothing breaks in it any more. W runs it again without its faults.",
    "without_faults": "A live run has no twin without its faults: look back with [, then W runs it again without them.",
}

#: The same where the past of a live run is shown.
_WHY_NOT_IN_THE_PAST: Final = {
    "load": "This is the past: its load cannot be changed. N goes back to now.",
    "fault": "This is the past: nothing can be broken in it. N goes back to now.",
    "mend": "This is the past: nothing can be mended in it. N goes back to now.",
    "drill": "This is the past: no drill can be held in it. N goes back to now.",
}


def why_not(action: str, *, is_past: bool) -> str:
    """Why a key cannot act.

    Args:
        is_past: whether the past of a live run is shown.
    """
    return _WHY_NOT_IN_THE_PAST.get(action, WHY_NOT[action]) if is_past else WHY_NOT[action]
