"""A turn on every pipeline: its stages on one time axis, what each waited for, and what would have met the budget."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from subsecond.engine.feed import OpenTurn, TurnEnd
from subsecond.engine.turns import TurnState
from subsecond.tui.open_turns import NO_STAGE
from subsecond.tui.screens.base import View
from subsecond.tui.screens.panel import Panel, row, wrapped
from subsecond.tui.snapshot import Snapshot
from subsecond.tui.turnlog import Field
from subsecond.tui.verdict import WAITS_FOR, budget_words, clock_words, remedy_words
from subsecond.tui.widgets.canvas import Row
from subsecond.tui.widgets.text import time_text
from subsecond.tui.widgets.waterfall import Waterfall, WaterfallLane

__all__ = ["StagesScroll", "TurnView", "latest_late", "waterfall_lanes"]

PS_PER_S = 10**12


class StagesScroll(VerticalScroll):
    """Where the stages of a turn stand, more of them than rows if need be."""

    help_text = (
        "The stages of the turn, each pipeline below the other, drawn to one scale from the moment the user began to "
        "wait: when each began, how long it took, and what it waited for. The upright line is the budget. Up and down "
        "scroll."
    )


class TurnView(View):
    """One turn.

    Args:
        turn: its number; None: the latest one that missed a budget.
    """

    TITLE_WORD = "Turn"
    ABOUT = (
        "One turn on every pipeline, from the moment the user begins to wait. Each stage stands where it happened, "
        "with its time and what the turn waited for. Below: by how much it missed its budgets, and which stages would "
        "have had to be shorter."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "Earlier turn", tooltip="The session's turn before this one"),
        Binding("right", "move(1)", "Later turn", tooltip="The session's turn after this one"),
        Binding("n", "latest", "Latest late", tooltip="The latest turn that missed a budget"),
        Binding("escape", "back", "Back", tooltip="The screen from which this one was opened"),
    ]
    DEFAULT_CSS = """
    TurnView {
        #turn-head { height: 3; border-top: none; padding: 0 1; }
        VerticalScroll { height: 1fr; border-top: solid $primary 40%; }
        Waterfall { height: auto; }
        #remedy { height: 8; border-title-color: $foreground; }
    }
    TurnView.-short #turn-head { height: 2; }
    TurnView.-short #remedy { height: 5; }
    """

    def __init__(self, turn: int | None = None) -> None:
        super().__init__()
        self.turn = turn
        #: Whether the turn was asked for, rather than being the latest late one.
        self._is_asked_for = turn is not None
        self._arrival: object = None

    def crumb(self) -> str:
        return "Turn" if self.turn is None else f"Turn {self.turn}"

    def panels(self) -> ComposeResult:
        yield Panel(
            id="turn-head",
            empty="No turn has missed its budget yet. Open one from the race or the sessions.",
            help="Which turn this is: its agent and session, its prompt and reply in tokens, and how long each took.",
        )
        with StagesScroll():
            yield Waterfall()
        yield Panel("Against the budget", id="remedy", empty="Nothing to say about it yet.", help=self.ABOUT)

    def paint(self, snapshot: Snapshot) -> None:
        if self._arrival != self.dashboard.arrival:  # another instant has another latest turn
            self._arrival = self.dashboard.arrival
            self.turn = self.turn if self._is_asked_for else None
        if self.turn is None:
            self.turn = latest_late(snapshot)
            self.show_header(snapshot)
        turn = self.turn
        if turn is None:
            return
        known = _known(snapshot, turn)
        self.query_one("#turn-head", Panel).show(lambda w, h: _head_rows(snapshot, turn, known, w, h))
        agent = known.agent if known is not None else 0
        limits = [b.turn_ps for _, b in snapshot.budgets_of(agent) if b.turn_ps is not None]
        self.query_one(Waterfall).update(
            waterfall_lanes(snapshot, turn), stages=snapshot.hello.stages, budget_ps=min(limits, default=None)
        )
        self.query_one("#remedy", Panel).show(lambda w, h: _remedy_rows(snapshot, turn, w, h))

    def action_move(self, by: int) -> None:
        """Go to the session's turn before or after this one."""
        snapshot, turn = self.dashboard.snapshot, self.turn
        if snapshot is None or turn is None:
            return
        other = _neighbour(snapshot, turn, by)
        if other is None:
            self.notify(f"The session has no {'earlier' if by < 0 else 'later'} turn here.", markup=False)
            return
        self.turn, self._is_asked_for = other, True
        self.dashboard.redraw()

    def action_latest(self) -> None:
        """Go to the latest turn that missed a budget."""
        self.turn, self._is_asked_for = None, False
        self.dashboard.redraw()

    def action_back(self) -> None:
        self.dashboard.go_back()


def latest_late(snapshot: Snapshot) -> int | None:
    """The turn that missed a budget last, on any lane; where none did, the one that ended last."""
    best: tuple[bool, int, int] | None = None
    for lane in snapshot.lanes:
        log = lane.log
        if not len(log):
            continue
        late = (log.met == 0).any(axis=0)
        pick = np.flatnonzero(late) if late.any() else np.arange(len(log))
        last = int(pick[np.argmax(log.end_ps[pick])])
        found = (bool(late.any()), int(log.end_ps[last]), int(log.of(Field.TURN)[last]))
        best = found if best is None else max(best, found)
    return None if best is None else best[2]


def _known(snapshot: Snapshot, turn: int) -> TurnEnd | OpenTurn | None:
    """The turn on the first lane that knows it."""
    return next((one for one in (*snapshot.ended(turn), *snapshot.open(turn)) if one is not None), None)


def _neighbour(snapshot: Snapshot, turn: int, by: int) -> int | None:
    known = _known(snapshot, turn)
    if known is None:
        return None
    for lane in snapshot.lanes:
        log = lane.log
        wanted = (log.of(Field.SESSION) == known.session) & (log.of(Field.INDEX) == known.index + by)
        rows = np.flatnonzero(wanted)
        if len(rows):
            return int(log.of(Field.TURN)[rows[-1]])
    return None


def _head_rows(snapshot: Snapshot, turn: int, known: TurnEnd | OpenTurn | None, width: int, height: int) -> list[Row]:
    if known is None:
        return [row((f"Turn {turn} ended too long ago to be looked into, or has not begun.", "quiet"))]
    kind = snapshot.hello.agents[known.agent]
    name = snapshot.agents.name_of(known.session)
    text = f"{kind} session {known.session}{f' of {name}' if name else ''}, turn {known.index + 1}"
    ended = next((one for one in snapshot.ended(turn) if one is not None), None)
    if ended is not None:
        requests = "1 request" if ended.requests == 1 else f"{ended.requests} requests"
        text += f": {ended.prompt_tokens:,} prompt tokens, {ended.output_tokens:,} output tokens, {requests}"
    begun = [
        f"{lane.info.name} began at {clock_words(one.start_ps)}"
        for lane, end, is_open in zip(snapshot.lanes, snapshot.ended(turn), snapshot.open(turn), strict=True)
        if (one := end or is_open) is not None
    ]
    lines = wrapped(text, width, 1) + wrapped("; ".join(begun), width, max(1, height - 1))
    return [row((line, "strong" if i == 0 else "quiet")) for i, line in enumerate(lines)][:height]


def waterfall_lanes(snapshot: Snapshot, turn: int) -> list[WaterfallLane]:
    """The turn on every lane."""
    found = []
    ends, opens = snapshot.ended(turn), snapshot.open(turn)
    for place, (lane, ended, is_open) in enumerate(zip(snapshot.lanes, ends, opens, strict=True)):
        name = lane.info.name
        if ended is not None:
            notes = [_note(stage, ended) for stage in snapshot.hello.stages]
            found.append(WaterfallLane(place, name, ended.stages_ps, None, ended.state, ended.met, notes))
        elif is_open is not None and lane.open is not None and is_open.stage == NO_STAGE:
            age = time_text(lane.open.at_ps - is_open.start_ps)
            words = f"open for {age}; a turn of several requests tells its stages when it ends"
            found.append(WaterfallLane(place, name, (), unknown=words))
        elif is_open is not None and lane.open is not None:
            spent = list(is_open.stages_ps)
            spent[is_open.stage] += max(0, lane.open.at_ps - is_open.since_ps)
            notes = [WAITS_FOR.get(stage, "") for stage in snapshot.hello.stages]
            found.append(WaterfallLane(place, name, spent, is_open.stage, TurnState.PENDING, (), notes))
        else:
            found.append(WaterfallLane(place, name, ()))
    return found


def _note(stage: str, turn: TurnEnd) -> str:
    """What a stage worked on or waited for."""
    if stage == "prefill":
        return f"{turn.prompt_tokens - turn.hit_tokens:,} tokens read, {turn.hit_tokens:,} from the cache"
    if stage == "decode_rest":
        return f"{turn.output_tokens:,} tokens, {time_text(turn.tpot_ps)} each"
    if stage in ("lost", "retry") and turn.attempts:
        return f"{turn.attempts} attempts lost or refused"
    return WAITS_FOR.get(stage, "")


def _remedy_rows(snapshot: Snapshot, turn: int, width: int, height: int) -> list[Row] | None:
    rows: list[Row] = []
    for lane, ended in zip(snapshot.lanes, snapshot.ended(turn), strict=True):
        if ended is None:
            continue
        sentences = list(remedy_words(snapshot, ended))
        met = [budget for place, budget in snapshot.budgets_of(ended.agent) if ended.met[place] == 1]
        if met:
            names = ", ".join(f"{budget.name} ({budget_words(budget)})" for budget in met)
            sentences.append(f"met {names}")
        for sentence in sentences or ["there is no budget for this kind of agents"]:
            is_bad = not sentence.startswith(("met ", "there "))
            for i, line in enumerate(wrapped(sentence, width - len(lane.info.name) - 2, 3)):
                name = f"{lane.info.name}: " if i == 0 else " " * (len(lane.info.name) + 2)
                rows.append(row((name, "strong"), (line, "bad" if is_bad and i == 0 else "plain")))
    return rows[:height] or None
