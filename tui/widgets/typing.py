"""What a turn feels like: the same reply typed out at each pipeline's pace, a voice turn as speech and silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from subsecond.tui.widgets.canvas import Canvas, Row

__all__ = ["SpeechLane", "SpeechTimeline", "TypedLane", "TypedReplies"]


@dataclass(frozen=True, slots=True)
class TypedLane:
    """The pace of a pipeline.

    Attributes:
        ttft_ps: from sending to the first token; -1: none ever came.
        tpot_ps: between tokens.
        tokens: of the reply; the text is cut there, or said again.
    """

    lane: int
    name: str
    ttft_ps: int
    tpot_ps: int
    tokens: int


class TypedReplies(Canvas):
    """Replies side by side (one below the other where narrow), each with its wait, its pace and when it is done."""

    def __init__(
        self,
        *,
        empty: str = "No reply has ended. Wait for a turn, or press enter on one.",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(empty=empty, id=id, classes=classes)

    def update(self, lanes: Sequence[TypedLane], *, text: str, at_ps: int) -> None:
        """Show the replies `at_ps` after they were asked for; a token is a word's piece of at most four letters."""

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        return None


@dataclass(frozen=True, slots=True)
class SpeechLane:
    """A voice turn: after the user's last word, silence for the sum of the stages, then the reply for `reply_ps`."""

    lane: int
    name: str
    stages_ps: Sequence[int]
    reply_ps: int


class SpeechTimeline(Canvas):
    """Speech and silence per pipeline on one axis, 0 where the user ends; the stages fill the silence."""

    def __init__(
        self,
        *,
        empty: str = "No voice turn has ended. Wait for one, or press enter on one.",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(empty=empty, id=id, classes=classes)

    def update(
        self,
        lanes: Sequence[SpeechLane],
        *,
        stages: Sequence[str],
        budget_ps: int | None,
        at_ps: int | None = None,
        spoken_ps: int = 10**12,
    ) -> None:
        """Show a turn.

        Args:
            at_ps: play it up to here, 0 where the user ends, from `-spoken_ps` on; None: all of it.
            spoken_ps: how much of the user's speech is shown.
        """

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        return None
