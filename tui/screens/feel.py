"""What a turn feels like: the same reply typed out at each pipeline's pace, a voice turn as speech and silence."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from subsecond.engine.feed import TurnEnd
from subsecond.engine.turns import TurnState
from subsecond.tui.screens.base import View
from subsecond.tui.screens.panel import Panel, row, wrapped
from subsecond.tui.snapshot import Snapshot
from subsecond.tui.turnlog import Field
from subsecond.tui.widgets.canvas import Row
from subsecond.tui.widgets.typing import SpeechLane, SpeechTimeline, TypedLane, TypedReplies

__all__ = ["REPLY", "FeelView", "is_voice", "latest_answered"]

PS_PER_S = 10**12
#: What the simulated reply says; only its timing means anything.
REPLY = (
    "I found the cause. The worker takes the lock before it reads the queue, so a slow reader keeps every writer "
    "waiting. I moved the read in front of the lock, copied the batch, and kept the order of writes as it was. The two "
    "tests that failed pass, and I added one that holds the lock for a second to show that writers go on. Next I would "
    "look at the retry loop in the client: it sleeps a full second after the first failure, which is what your users "
    "notice. "
)
#: Stages that only a spoken turn has.
_SPOKEN = ("endpointing", "speech_to_text", "text_to_speech")
#: Words spoken per second, tokens per word: how long a reply is heard.
_TOKENS_PER_S = 3.3
#: Turns among which the one with the longest reply is shown: short replies are over before one sees them.
_CHOICE = 8
#: Seconds of silence between two showings, the longest showing, how much of a spoken reply is heard.
_REST_S, _LONGEST_S, _HEARD_S = 2.0, 60.0, 4.0


class FeelView(View):
    """A reply at its own pace, over and over."""

    TITLE_WORD = "Feel"
    ABOUT = (
        "One turn as its user lives it, at the pace of the wall clock whatever the speed of the simulation: the wait, "
        "then tokens as each pipeline sends them; for a voice turn the silence until the first sound. n takes another "
        "turn, k the other kind of agents. The words are made up, their timing is the turn's."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "n", "next_turn", "Another turn", tooltip="Show one of the latest turns that every pipeline has answered"
        ),
    ]
    DEFAULT_CSS = """
    FeelView {
        #feel-head { height: 3; border-top: none; padding: 0 1; }
        TypedReplies { height: 1fr; border-top: solid $primary 40%; }
        SpeechTimeline { height: 1fr; border-top: solid $primary 40%; }
    }
    FeelView.-voice TypedReplies { display: none; }
    FeelView.-text SpeechTimeline { display: none; }
    """
    is_animated: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self._turn: int | None = None
        self._agent = -1
        self._arrival: object = None
        self._begun_s = 0.0

    def panels(self) -> ComposeResult:
        yield Panel(id="feel-head", empty="Waiting for a turn that every pipeline has answered…", help=self.ABOUT)
        yield TypedReplies()
        yield SpeechTimeline()

    def paint(self, snapshot: Snapshot) -> None:
        app = self.dashboard
        if (self._agent, self._arrival) != (app.agent, app.arrival):
            self._agent, self._arrival, self._turn = app.agent, app.arrival, None
        ends = _answered(snapshot, self._turn)
        if not ends:
            self._begin(latest_answered(snapshot, self._agent))
            ends = _answered(snapshot, self._turn)
        voice = is_voice(snapshot, self._agent)
        self.set_class(voice, "-voice")
        self.set_class(not voice, "-text")
        if not ends:
            return
        elapsed_s = app.monotonic() - self._begun_s
        if elapsed_s > _length_s(snapshot, ends, voice=voice) + _REST_S:
            self._begin(self._turn)
            elapsed_s = 0.0
        self.query_one("#feel-head", Panel).show(lambda w, h: _head_rows(snapshot, ends, w, h))
        elapsed_ps = round(elapsed_s * PS_PER_S)
        if voice:
            self.query_one(SpeechTimeline).update(
                [SpeechLane(end.lane, _name(snapshot, end), end.stages_ps, _heard_ps(end)) for end in ends],
                stages=snapshot.hello.stages,
                budget_ps=snapshot.limit_ps(self._agent),
                at_ps=elapsed_ps - PS_PER_S,
            )
        else:
            self.query_one(TypedReplies).update(
                [
                    TypedLane(end.lane, _name(snapshot, end), end.ttft_ps, end.tpot_ps, end.output_tokens)
                    for end in ends
                ],
                text=REPLY,
                at_ps=elapsed_ps,
            )

    def _begin(self, turn: int | None) -> None:
        self._turn = turn
        self._begun_s = self.dashboard.monotonic()

    def action_next_turn(self) -> None:
        snapshot = self.dashboard.snapshot
        if snapshot is None:
            return
        turn = latest_answered(snapshot, self._agent)
        if turn == self._turn:
            self.notify("Of the latest turns, this one still has the longest reply.", markup=False)
        self._begin(turn)
        self.dashboard.redraw()


def is_voice(snapshot: Snapshot, agent: int) -> bool:
    """Whether turns of an agent kind have stages that only speech has."""
    spoken = [snapshot.hello.stages.index(stage) for stage in _SPOKEN if stage in snapshot.hello.stages]
    return any(
        sum(lane.whole[agent].stages_ps[place] for place in spoken) > 0
        for lane in snapshot.lanes
        if lane.whole[agent].stages_ps
    )


def latest_answered(snapshot: Snapshot, agent: int) -> int | None:
    """Of the latest turns of an agent kind that every lane has answered, the one with the longest reply."""
    common: set[int] | None = None
    for lane in snapshot.lanes:
        log = lane.log
        pick = (
            (log.of(Field.AGENT) == agent) & (log.of(Field.STATE) == TurnState.ANSWERED) & (log.of(Field.TTFT_PS) >= 0)
        )
        turns = set(log.of(Field.TURN)[pick].tolist())
        common = turns if common is None else common & turns
    if not common:
        return None
    log = snapshot.lanes[0].log
    latest = [row for row in np.argsort(-log.end_ps, kind="stable").tolist() if int(log.of(Field.TURN)[row]) in common]
    longest = max(latest[:_CHOICE], key=lambda row: int(log.of(Field.OUTPUT_TOKENS)[row]))
    return int(log.of(Field.TURN)[longest])


def _answered(snapshot: Snapshot, turn: int | None) -> list[TurnEnd]:
    return [] if turn is None else [end for end in snapshot.ended(turn) if end is not None and end.ttft_ps >= 0]


def _name(snapshot: Snapshot, end: TurnEnd) -> str:
    return snapshot.hello.lanes[end.lane].name


def _heard_ps(end: TurnEnd) -> int:
    return round(min(_HEARD_S, max(1.0, end.output_tokens / _TOKENS_PER_S)) * PS_PER_S)


def _length_s(snapshot: Snapshot, ends: list[TurnEnd], *, voice: bool) -> float:
    if voice:
        longest = 1.0 + max(end.latency_ps + _heard_ps(end) for end in ends) / PS_PER_S
    else:
        longest = max(end.ttft_ps + end.tpot_ps * end.output_tokens for end in ends) / PS_PER_S
    return min(longest, _LONGEST_S)


def _head_rows(snapshot: Snapshot, ends: list[TurnEnd], width: int, height: int) -> list[Row]:
    end = ends[0]
    kind = snapshot.hello.agents[end.agent]
    text = f"{kind} session {end.session}, turn {end.index + 1}: {end.prompt_tokens:,} prompt tokens, "
    text += f"{end.output_tokens:,} output tokens, at the pace of the wall clock. "
    text += "The words are made up, their timing is not."
    return [row((line, "plain")) for line in wrapped(text, width, height)]
