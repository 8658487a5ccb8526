"""How room for more sessions is said: a line per pipeline, and a short form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from subsecond.tui.room import KindRoom
from subsecond.tui.screens.panel import row
from subsecond.tui.snapshot import Snapshot
from subsecond.tui.widgets.canvas import Line, Row
from subsecond.tui.widgets.text import clock_text, lane_mark

__all__ = ["HELP", "room_brief", "room_rows", "room_title"]

HELP = (
    "Room for more: how many more sessions of a kind each pipeline would carry while the kind's first budget holds at "
    "its percentile, with the other kinds as they are and nothing broken. It is searched for beside the run, by "
    "simulating loads at the lowest priority, again when the load or a parameter changes: … says that a search is "
    "under way, and the time how old the answer is. It is right to some per cent; subsecond capacity searches exactly."
)
_UNTOLD = "Not known here: this service or recording does not carry its scenario."


def room_title(snapshot: Snapshot) -> str:
    """What is asked."""
    return "Room for more while budgets hold: " + ", ".join(_promises(snapshot))


def _promises(snapshot: Snapshot) -> Iterator[str]:
    for agent, kind in enumerate(snapshot.hello.agents):
        budgets = snapshot.budgets_of(agent)
        if budgets:
            budget = budgets[0][1]
            limits = (("", budget.turn_ps), ("first token ", budget.ttft_ps), ("token ", budget.tpot_ps))
            said = " and ".join(f"{word}<= {ps / 10**9:g} ms" for word, ps in limits if ps is not None)
            yield f"{kind} {said} for {budget.percentile:g} %"


def room_rows(snapshot: Snapshot, rooms: Sequence[KindRoom], width: int) -> list[Row]:
    """A row per pipeline, or one that says why nothing is known."""
    if not snapshot.hello.tables:
        return [row((_UNTOLD, "quiet"))]
    if not rooms:
        return [row(("No session is at work." if snapshot.load is not None else "Waiting for the load…", "quiet"))]
    errors = [room.answer.error for room in rooms if room.answer is not None and room.answer.error]
    if len(errors) == len(rooms):
        return [row((f"Not known here: {errors[0]}", "quiet"))]
    name_width = max(len(lane.info.name) for lane in snapshot.lanes)
    return [_row(place, lane.info.name, name_width, rooms, width) for place, lane in enumerate(snapshot.lanes)]


def _row(place: int, name: str, name_width: int, rooms: Sequence[KindRoom], width: int) -> Row:
    line = Line(width)
    line.put(0, f"{lane_mark(place)} {name}", f"line{place % 4}")
    x = 4 + name_width
    for room in rooms:
        words, ink = _words(room, name)
        x = line.put(x, words, ink) + 3
    age_s = max((room.age_s for room in rooms if room.answer is not None), default=None)
    if age_s is not None:
        line.put_right(f"  {clock_text(age_s)} ago", "quiet")
    return line.row()


def _words(room: KindRoom, lane: str) -> tuple[str, str]:
    """What is known of a kind on a lane, and its ink."""
    wait = " …" if room.is_searching else ""
    if room.answer is None:
        return f"{room.kind}{wait or ' -'}", "quiet"
    found = room.on(lane)
    if found is None:
        return f"{room.kind} not known{wait}", "quiet"
    more = found.most - room.sessions
    if found.most == 0:
        words, ink = f"not even 1 {room.kind} session !", "bad"
    elif more > 0:
        words, ink = f"room for {more:,}{' or' if found.is_least else ''} more {room.kind}", "good"
    elif more == 0:
        words, ink = f"full with {room.sessions:,} {room.kind}", "plain"
    else:
        words, ink = f"{-more:,} {room.kind} too many !", "bad"
    return f"{words}{wait}", "quiet" if room.is_searching else ink


def room_brief(rooms: Sequence[KindRoom], lane: str) -> str:
    """The same in a few words, for answers that hold now; empty: there is none."""
    known = [(room, room.on(lane)) for room in rooms if not room.is_searching]
    parts = [f"{max(0, found.most - room.sessions):,} {room.kind}" for room, found in known if found is not None]
    return f"room {', '.join(parts)}" if parts else ""
