"""How room for more sessions is said: a line per pipeline, and a short form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from subsecond.tui.room import KindRoom
from subsecond.tui.screens.panel import row
from subsecond.tui.snapshot import LaneView, Snapshot
from subsecond.tui.widgets.canvas import Line, Row
from subsecond.tui.widgets.text import clock_text, lane_mark, width_of

__all__ = ["HELP", "room_brief", "room_rows", "room_title"]

HELP = (
    "Room for more: how many more sessions of a kind each pipeline would carry while the kind's first budget holds at "
    "its percentile, with the other kinds as they are and nothing broken. It is searched for beside the run, by "
    "simulating loads at the lowest priority, again when the load or a parameter changes: … says that a search is "
    "under way, and the time how old the answer is. Not even 1: a single session of the kind, beside the others, would "
    "miss the budget. In the past it is about the load that there was then. It is right to some per cent; subsecond "
    "capacity searches exactly."
)
_UNTOLD = "Not known here: this service or recording does not carry its scenario."


def room_title(snapshot: Snapshot, *, is_past: bool = False) -> str:
    """What is asked.

    Args:
        is_past: whether the snapshot is of a recording.
    """
    then = " then" if is_past else ""
    what = f"Room for more{then} while budgets hold"
    if any(map(_is_broken, snapshot.lanes)):
        what = f"Room{then} if nothing were broken"
    return f"{what}: {', '.join(_promises(snapshot))}"


def _is_broken(lane: LaneView) -> bool:
    """Whether something is broken in a pipeline: what would be without is searched for."""
    return lane.gauges is not None and bool(lane.gauges.faults)


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
    said = [_words(room, name) for room in rooms]
    if x + sum(width_of(words) + 3 for words, _ in said) - 3 > width:
        said = [_words(room, name, about="~", more="") for room in rooms]
    for words, ink in said:
        x = line.put(x, words, ink) + 3
    age_s = max((room.age_s for room in rooms if room.answer is not None), default=None)
    age = "" if age_s is None else f"{clock_text(age_s)} ago"
    if x - 1 + len(age) <= width:  # two blanks before it: the words go before it
        line.put_right(age, "quiet")
    return line.row()


def _words(room: KindRoom, lane: str, *, about: str = "about ", more: str = "more ") -> tuple[str, str]:
    """What is known of a kind on a lane, and its ink."""
    wait = " …" if room.is_searching else ""
    if room.answer is None:
        return f"{room.kind}{wait or ' -'}", "quiet"
    found = room.on(lane)
    if found is None:
        return f"{room.kind} not known{wait}", "quiet"
    left, about = found.most - room.sessions, "" if found.is_least else about
    if found.most == 0:
        words, ink = f"not even 1 {room.kind} !", "bad"
    elif left > 0:
        words, ink = f"room for {about}{left:,} {'or more ' if found.is_least else more}{room.kind}", "good"
    elif left == 0:
        words, ink = f"full with {room.sessions:,} {room.kind}", "plain"
    else:
        words, ink = f"{about}{-left:,} {room.kind} too many !", "bad"
    return f"{words}{wait}", "quiet" if room.is_searching else ink


def room_brief(rooms: Sequence[KindRoom], lane: LaneView) -> str:
    """The same in a few words, for answers that hold now; empty: there is none, or something is broken."""
    known = [(room, found) for room in rooms if not room.is_searching and (found := room.on(lane.info.name))]
    if not known or _is_broken(lane):
        return ""
    parts = [f"{_brief(found.most - room.sessions, found.is_least)} {room.kind}" for room, found in known]
    return f"room {', '.join(parts)}, {clock_text(max(room.age_s for room, _ in known))} ago"


def _brief(more: int, is_least: bool) -> str:
    return "0" if more <= 0 else f"{more:,}+" if is_least else f"~{more:,}"
