"""What the race screen's panels show, made of a snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from subsecond.tui.screens.fault_words import brief_fault_words
from subsecond.tui.screens.panel import columns_row, row, wrapped
from subsecond.tui.snapshot import LaneView, Snapshot
from subsecond.tui.stats import Kept, Stats
from subsecond.tui.turnlog import Field
from subsecond.tui.verdict import verdict
from subsecond.tui.widgets.canvas import Row
from subsecond.tui.widgets.chart import ChartLine
from subsecond.tui.widgets.lanes import LaneTurns
from subsecond.tui.widgets.table import TableRow
from subsecond.tui.widgets.text import count_text, fit, lane_mark, share_text, time_text

__all__ = ["chart_lines", "lane_turns", "score_height", "score_rows", "verdict_rows", "worst_rows"]

#: Narrowest column of a lane in the score, and that of a budget in it.
LEAST_LANE, LEAST_BUDGET = 36, 20


def verdict_rows(snapshot: Snapshot, width: int, height: int) -> list[Row]:
    """The verdict in words."""
    return [row((line, "strong")) for line in wrapped(verdict(snapshot), width, height)]


def _lanes_abreast(snapshot: Snapshot, width: int) -> int:
    return max(1, min(len(snapshot.lanes), width // LEAST_LANE))


def score_height(snapshot: Snapshot, width: int, *, is_short: bool) -> int:
    """Rows that `score_rows` needs."""
    if _lanes_abreast(snapshot, width) < len(snapshot.lanes):
        return 1 + len(snapshot.lanes)
    return 1 + len(snapshot.hello.agents) * (1 if is_short else 3)


def score_rows(snapshot: Snapshot, width: int, *, is_short: bool, rooms: Sequence[str] = ()) -> list[Row]:
    """How the lanes keep their budgets, side by side; `is_short`: a line per agent kind, over the window alone.

    Args:
        rooms: by lane, what is said of its room for more sessions; it is left out where there is none for it.
    """
    abreast = _lanes_abreast(snapshot, width)
    if abreast < len(snapshot.lanes):
        return _one_line_each(snapshot, width)
    each = (width - 2 * (abreast - 1)) // abreast
    blocks = [
        [
            _lane_head(place, lane, each, rooms[place] if rooms else ""),
            *_lane_block(snapshot, lane, each, is_short=is_short),
        ]
        for place, lane in enumerate(snapshot.lanes)
    ]
    rows: list[Row] = []
    for lines in zip(*blocks, strict=True):
        joined = list(lines[0])
        for line in lines[1:]:
            joined += [("  ", "plain"), *line]
        rows.append(tuple(joined))
    return rows


def _one_line_each(snapshot: Snapshot, width: int) -> list[Row]:
    """A line per lane, for more lanes than fit side by side: what the window says of each agent kind."""
    kinds = snapshot.hello.agents
    room = max(20, (width - 14) // max(1, len(kinds)) - 1)
    inner = [-8, -8, room - 18]
    rows = [columns_row([("", "plain"), *((kind, "strong") for kind in kinds)], [14, *(room for _ in kinds)])]
    for place, lane in enumerate(snapshot.lanes):
        line = list(columns_row([(f"{lane_mark(place)} {lane.info.name}", f"line{place % 4}")], [14]))
        for agent in range(len(kinds)):
            cells = _score(snapshot, "", "", lane.now[agent], has_all=False)[2:]
            line += [(" ", "plain"), *columns_row(cells, inner[: len(cells)])]
        rows.append(tuple(line))
    return rows


def _lane_block(snapshot: Snapshot, lane: LaneView, width: int, *, is_short: bool) -> list[Row]:
    rows = []
    for agent, kind in enumerate(snapshot.hello.agents):
        budgets = snapshot.budgets_of(agent)
        room = (width - 28) // max(1, len(budgets)) - 1
        has_all = room >= LEAST_BUDGET or len(budgets) < 2
        if is_short:
            cells = _score(snapshot, kind, "", lane.now[agent], has_all=False)
            rows.append(columns_row(cells, [6, 0, -7, -7, width - 24][: len(cells)]))
            continue
        widths = [6, 3, -8, -8, *([room] * len(budgets) if has_all else [width - 29])]
        heads = [(f"{b.name.removeprefix(kind + '-')} {_limit(b.turn_ps)}", "quiet") for _, b in budgets]
        if not has_all:
            heads = [("budget kept least", "quiet")]
        heads = [(kind, "strong"), ("", "quiet"), ("p50", "quiet"), ("p95", "quiet"), *heads]
        rows.append(columns_row(heads[: len(widths)], widths))
        for word, stats in (("now", lane.now[agent]), ("run", lane.whole[agent])):
            turns = count_text(stats.turns)
            rows.append(columns_row(_score(snapshot, turns, word, stats, has_all=has_all), widths))
    return rows


def _lane_head(place: int, lane: LaneView, width: int, room: str) -> Row:
    info, gauges = lane.info, lane.gauges
    name = f"{lane_mark(place)} {info.name}"
    faults = "" if gauges is None or not gauges.faults else f" FAULT: {_faults(lane)}"
    status = "" if info.status == "shipping" else f" [{info.status}]"
    rest = max(0, width - len(name) - len(faults))
    said = f"  {room}" if room and len(room) + 2 + len(status) <= rest else ""
    about = fit(f"{status} {info.label}", rest - len(said))
    return ((name, f"line{place % 4}"), (about, "quiet"), (said, "plain"), (faults, "bad"))


def _faults(lane: LaneView) -> str:
    """What is broken in a pipeline now."""
    return "" if lane.gauges is None else ", ".join(brief_fault_words(fault, lane.info) for fault in lane.gauges.faults)


def _limit(turn_ps: int | None) -> str:
    return "" if turn_ps is None else f"{turn_ps / 10**9:g} ms"


def _score(snapshot: Snapshot, first: str, span: str, stats: Stats, *, has_all: bool) -> list[tuple[str, str]]:
    kept = stats.kept
    if not has_all and kept:
        kept = (min(kept, key=lambda k: 2.0 if k.share is None else k.share),)
    ink = "quiet" if span else "strong"
    cells = [(first, ink), (span, "quiet"), (time_text(stats.p50_ps), "plain"), (time_text(stats.p95_ps), "plain")]
    if not kept:
        return cells
    return cells + [_kept_cell(snapshot, one, with_name=not has_all) for one in kept]


def _kept_cell(snapshot: Snapshot, kept: Kept, *, with_name: bool) -> tuple[str, str]:
    share = kept.share
    if share is None:
        return "no turn", "quiet"
    budget = snapshot.hello.budgets[kept.budget]
    is_kept = 100 * share >= budget.percentile
    words = f" {_limit(budget.turn_ps)}" if with_name else " kept" if is_kept else " missed"
    return (
        f"{share_text(share, budget.percentile / 100)} {'✓' if is_kept else '!'}{words}",
        "good" if is_kept else "bad",
    )


def lane_turns(snapshot: Snapshot) -> list[LaneTurns]:
    """Open turns of every lane."""
    found = []
    for place, lane in enumerate(snapshot.lanes):
        turns = lane.open
        if turns is not None:
            alert = _faults(lane)
            names = {turn.session: name for turn in turns.oldest if (name := snapshot.agents.name_of(turn.session))}
            found.append(LaneTurns(place, lane.info.name, turns.at_ps, turns.oldest, turns.num_open, alert, names))
    return found


def chart_lines(snapshot: Snapshot, agent: int) -> list[ChartLine]:
    """The p95 of one agent kind on every lane, second by second."""
    lines = []
    for place, lane in enumerate(snapshot.lanes):
        series = lane.series[agent]
        values = series.p95_ps.tolist()
        xs = range(series.first_s, series.first_s + len(values))
        lines.append(ChartLine(place, lane.info.name, xs, [None if value < 0 else value for value in values]))
    return lines


@dataclass(frozen=True, slots=True)
class _Worst:
    ratio: float
    lane: int
    session: int
    agent: int
    turn: int
    latency_ps: int


def _worst_sessions(snapshot: Snapshot, most: int) -> list[_Worst]:
    """Sessions by their worst turn in the window, relative to the strictest limit of its kind; the worst first."""
    found: dict[tuple[int, int], _Worst] = {}
    limits = np.array([snapshot.limit_ps(agent) or 10**12 for agent in range(len(snapshot.hello.agents))])
    for place, lane in enumerate(snapshot.lanes):
        log = lane.log
        recent = np.flatnonzero(log.end_ps > snapshot.at_ps - snapshot.window_ps)
        ratio = log.of(Field.LATENCY_PS)[recent] / limits[log.of(Field.AGENT)[recent]]
        worst = recent[np.argsort(-ratio, kind="stable")[: 4 * most]]
        fields = [log.of(field)[worst].tolist() for field in (Field.SESSION, Field.AGENT, Field.TURN, Field.LATENCY_PS)]
        for session, agent, turn, latency_ps in zip(*fields, strict=True):
            one = _Worst(latency_ps / float(limits[agent]), place, session, agent, turn, latency_ps)
            found.setdefault((place, session), one)
    return sorted(found.values(), key=lambda worst: -worst.ratio)[:most]


def worst_rows(snapshot: Snapshot, most: int) -> list[TableRow]:
    """The worst sessions; a row's key is `lane/session/turn`."""
    rows = []
    for worst in _worst_sessions(snapshot, most):
        lane = snapshot.lanes[worst.lane]
        limit = snapshot.limit_ps(worst.agent)
        is_late = limit is not None and worst.latency_ps > limit
        missed, turns = int(lane.sessions.missed[worst.session]), int(lane.sessions.turns[worst.session])
        cells = (
            f"{lane_mark(worst.lane)} {lane.info.name}",
            snapshot.agents.name_of(worst.session) or f"{snapshot.hello.agents[worst.agent]} {worst.session}",
            f"{time_text(worst.latency_ps)}{' !' if is_late else '  '}",
            f"{missed} of {turns}",
        )
        rows.append(TableRow(f"{worst.lane}/{worst.session}/{worst.turn}", cells, ink="bad" if is_late else "plain"))
    return rows
