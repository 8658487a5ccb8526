"""What the agents' screen shows, made of a snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from subsecond.engine.feed import OpenTurn, OutsideAgent
from subsecond.tui.outside import MARK, AgentTurns
from subsecond.tui.screens.panel import columns_row, row, wrapped
from subsecond.tui.snapshot import Snapshot
from subsecond.tui.verdict import clock_words
from subsecond.tui.widgets.canvas import Row
from subsecond.tui.widgets.lanes import turn_bar
from subsecond.tui.widgets.table import Cell, Column, SortValue, TableRow
from subsecond.tui.widgets.text import (
    NOTHING,
    clean,
    count_text,
    fit,
    lane_mark,
    round_above,
    share_text,
    stage_looks,
    time_text,
    width_of,
)

__all__ = ["Seen", "agent_columns", "agent_rows", "bytes_text", "detail_rows", "seen"]

#: Widths of the live turn from which it is a bar; below, it is its stage in words.
_WORDS_CELLS, _BAR_CELLS, _WIDE_BAR_CELLS = 16, 22, 38
#: Columns of the terminal from which the bar is drawn, and drawn wide.
_MEDIUM, _WIDE = 100, 160


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What is known of agents beside what they say: their turns, by lane.

    Attributes:
        ended: by lane, by agent.
        open: by lane, by agent, its turn that is open longest.
    """

    ended: tuple[Mapping[int, AgentTurns], ...]
    open: tuple[Mapping[int, OpenTurn], ...]


def seen(snapshot: Snapshot) -> Seen:
    """Turns of agents from outside."""
    agents = snapshot.agents
    open_turns: list[dict[int, OpenTurn]] = []
    for lane in snapshot.lanes:
        found: dict[int, OpenTurn] = {}
        for turn in () if lane.open is None or not len(agents) else lane.open.oldest:
            owner = agents.by_session.get(turn.session)
            if owner is not None:
                found.setdefault(owner, turn)
        open_turns.append(found)
    return Seen(tuple(agents.turns(lane.log) for lane in snapshot.lanes), tuple(open_turns))


def _live_cells(width: int) -> int:
    return _WIDE_BAR_CELLS if width >= _WIDE else _BAR_CELLS if width >= _MEDIUM else _WORDS_CELLS


def agent_columns(snapshot: Snapshot, width: int) -> list[Column]:
    """The table's columns on a terminal so wide; those that do not fit are left out from the right."""
    marks = [(place, lane_mark(place)) for place in range(len(snapshot.lanes))]
    return [
        Column("name", "agent", 16, grow=True),
        Column("protocol", "protocol", 9, since=100),
        Column("state", "state", 11),
        Column("lane", "served by", 10, since=100),
        Column("live", "live turn", _live_cells(width), descending=True),
        *(Column(f"p50-{i}", f"{mark} p50", 8, right=True, descending=True) for i, mark in marks),
        *(Column(f"p95-{i}", f"{mark} p95", 8, right=True, since=140, descending=True) for i, mark in marks),
        Column("turns", "turns", 6, right=True, descending=True),
        Column("kept", "in time", 8, right=True),
        Column("errors", "errors", 6, right=True, since=90, descending=True),
        Column("lag", "lag", 8, right=True, since=130, descending=True),
        Column("in", "in", 8, right=True, since=150, descending=True),
        Column("out", "out", 8, right=True, since=150, descending=True),
        Column("address", "address", 15, since=160),
    ]


def agent_rows(snapshot: Snapshot, known: Seen, width: int) -> list[TableRow]:
    """A row per agent: those that are connected first, of these the latest."""
    agents = sorted(snapshot.agents, key=lambda agent: (not agent.is_connected, -agent.agent))
    return [_row(snapshot, known, agent, _live_cells(width)) for agent in agents]


def _row(snapshot: Snapshot, known: Seen, agent: OutsideAgent, live_cells: int) -> TableRow:
    ended = [lane.get(agent.agent) for lane in known.ended]
    served = ended[agent.lane] if agent.lane >= 0 else None
    lane = f"{lane_mark(agent.lane)} {snapshot.lanes[agent.lane].info.name}" if agent.lane >= 0 else NOTHING
    state = "● connected" if agent.is_connected else "○ gone"
    live, age_ps = _live(snapshot, known, agent, live_cells)
    p50s = [None if one is None else one.p50_ps for one in ended]
    p95s = [None if one is None else one.p95_ps for one in ended]
    kept = None if served is None else served.kept
    turns = max(agent.turns, 0 if served is None else served.turns)  # notes on agents come later than their turns
    errors: Cell = ((f"{count_text(agent.errors):>6}", "bad"),) if agent.errors else f"{0:>6}"
    cells: list[Cell] = [f"{MARK}{agent.name}", agent.protocol, state, lane, live]
    cells += [time_text(value) for value in (*p50s, *p95s)]
    cells += [count_text(turns), share_text(kept), errors, lag_text(agent.lag_ms)]
    cells += [bytes_text(agent.bytes_in), bytes_text(agent.bytes_out), agent.address]
    sort: list[SortValue] = [agent.name, agent.protocol, state, lane, age_ps, *p50s, *p95s, turns, kept]
    sort += [agent.errors, agent.lag_ms, agent.bytes_in, agent.bytes_out, agent.address]
    return TableRow(agent.agent, tuple(cells), tuple(sort), "plain" if agent.is_connected else "quiet")


def _live(snapshot: Snapshot, known: Seen, agent: OutsideAgent, cells: int) -> tuple[Cell, int | None]:
    """The turn that the agent waits for, and how long it has lasted."""
    turn = known.open[agent.lane].get(agent.agent) if agent.lane >= 0 else None
    if turn is None:
        words = _stage_label(agent.stage) if agent.open_requests else NOTHING
        return ((fit(words, min(cells, width_of(words))), "quiet"),), None
    open_turns = snapshot.lanes[agent.lane].open
    at_ps = snapshot.at_ps if open_turns is None else open_turns.at_ps
    age_ps = max(0, at_ps - turn.start_ps)
    limit = snapshot.limit_ps(turn.agent)
    is_late = limit is not None and age_ps > limit
    looks = stage_looks(snapshot.hello.stages)
    if cells >= _BAR_CELLS:
        end_ps = 2 * limit if limit else round_above(age_ps)
        time_cells = 10
        bar = turn_bar(turn, at_ps, looks=looks, budget_ps=limit, end_ps=end_ps, width=cells - time_cells)
        age = fit(time_text(age_ps), time_cells - 2, right=True)
        return (*bar, (f"{age}{' !' if is_late else '  '}", "bad" if is_late else "plain")), age_ps
    look = looks[turn.stage] if 0 <= turn.stage < len(looks) else None
    age = f" {time_text(age_ps)}{'!' if is_late else ''}"
    words = fit("open" if look is None else look.label, max(0, cells - width_of(age))).rstrip()
    return ((words, "plain" if look is None else look.ink), (age, "bad" if is_late else "plain")), age_ps


def _stage_label(stage: str) -> str:
    return stage_looks((stage,))[0].label if stage else "waiting"


def lag_text(lag_ms: float | None) -> str:
    """How long a request was on its way; clocks that disagree may make it less than nothing."""
    return NOTHING if lag_ms is None else time_text(round(lag_ms * 1e9))


def bytes_text(count: int) -> str:
    """A number of bytes: `950 B`, `1.2 kB`, `34 MB`."""
    text = count_text(count)
    return f"{text[:-1]} {text[-1]}B" if text[-1:].isalpha() else f"{text} B"


def detail_rows(snapshot: Snapshot, known: Seen, agent: OutsideAgent, width: int, height: int) -> list[Row]:
    """One agent: a line per pipeline with its turns there, then what it sent and what was wrong with it."""
    rows = _lane_rows(snapshot, known, agent, width)
    words = [
        f"{snapshot.hello.agents[agent.kind]} over {agent.protocol} from {agent.address or 'somewhere'}",
        f"since {clock_words(agent.since_ps)}",
        f"{count_text(agent.open_requests)} open" if agent.open_requests else "between requests",
        f"{bytes_text(agent.bytes_in)} in, {bytes_text(agent.bytes_out)} out",
        "lag not told" if agent.lag_ms is None else f"lag {lag_text(agent.lag_ms)}",
    ]
    room = max(1, height - len(rows))
    lines = [(line, "quiet") for line in wrapped(" · ".join(words), width, 1 if room < 3 else 2)]
    if agent.errors:
        errors = "1 error" if agent.errors == 1 else f"{count_text(agent.errors)} errors"
        last = f"! {errors}; the last: {agent.last_error or 'no words'}"
        lines += [(line, "bad") for line in wrapped(last, width, max(1, room - len(lines)))]
    return [*rows, *(row(line) for line in lines)][:height]


def _lane_rows(snapshot: Snapshot, known: Seen, agent: OutsideAgent, width: int) -> list[Row]:
    names = max(width_of(clean(lane.info.name)) for lane in snapshot.lanes) + 2
    widths = [min(names, 16), 8, -12, -12, -11, -14]
    bar_cells = width - sum(map(abs, widths)) - len(widths)
    looks = stage_looks(snapshot.hello.stages)
    rows = []
    for place, lane in enumerate(snapshot.lanes):
        turns, turn = known.ended[place].get(agent.agent), known.open[place].get(agent.agent)
        cells = [
            (f"{lane_mark(place)} {lane.info.name}", f"line{place % 4}"),
            ("serves" if place == agent.lane else "shadows", "strong" if place == agent.lane else "quiet"),
            *_turn_cells(turns),
        ]
        line = list(columns_row(cells, widths))
        if turn is not None and lane.open is not None and bar_cells >= 12:
            limit = snapshot.limit_ps(turn.agent)
            at_ps = lane.open.at_ps
            end_ps = 2 * limit if limit else round_above(max(0, at_ps - turn.start_ps))
            bar = turn_bar(turn, at_ps, looks=looks, budget_ps=limit, end_ps=end_ps, width=min(60, bar_cells))
            line += [("  ", "plain"), *bar]
        rows.append(tuple(line))
    return rows


def _turn_cells(turns: AgentTurns | None) -> Sequence[tuple[str, str]]:
    if turns is None:
        return [("no turn yet", "quiet"), ("", "quiet"), ("", "quiet"), ("", "quiet")]
    return [
        (f"p50 {time_text(turns.p50_ps)}", "strong"),
        (f"p95 {time_text(turns.p95_ps)}", "plain"),
        ("1 turn" if turns.turns == 1 else f"{count_text(turns.turns)} turns", "quiet"),
        ("no budget", "quiet") if turns.kept is None else (f"{share_text(turns.kept)} in time", "plain"),
    ]
