"""What an event did, in words and rows and lines: before it and since."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from subsecond.engine.drills.windows import FOREVER, NEAR
from subsecond.engine.feed import LaneInfo
from subsecond.tui.effects import Effect, KindEffect
from subsecond.tui.events import Event
from subsecond.tui.recovery import RecoverySoFar
from subsecond.tui.screens.fault_words import brief_fault_words
from subsecond.tui.screens.panel import columns_row, row
from subsecond.tui.snapshot import Snapshot
from subsecond.tui.stats import Points
from subsecond.tui.verdict import budget_words, clock_words
from subsecond.tui.widgets.canvas import Row
from subsecond.tui.widgets.chart import ChartLine
from subsecond.tui.widgets.text import NOTHING, count_text, fit, lane_mark, share_text, time_text

__all__ = ["effect_kinds", "effect_lines", "effect_rows", "effect_span", "effect_title", "event_words", "kept_lines"]

PS_PER_S = 10**12
#: Seconds that charts show since an event, the shortest that fits.
_SPANS_S = (60, 120, 180, 300, 600, 900, 1200)
#: Rows of lanes and agent kinds up to which all kinds are shown.
_MOST_ROWS = 8
#: Shares that differ by less are the same.
_POINT = 0.005
#: Turns before and since of which a difference is marked: one by itself says nothing.
_LEAST_TURNS = 5
_HEAD = ("", "", "p95", "since", "kept", "since", "lost", "late", "worst", "as before")


def event_words(event: Event, lanes: Sequence[LaneInfo]) -> str:
    """What happened: `decode 0 down on trn-cs3, server 0 down on gpu`."""
    if event.turned is not None:
        turned = event.turned
        anew = ", the run began anew" if event.is_restart else ""
        return f"{lanes[turned.lane].name}.{turned.key} is {turned.value}{anew}"
    struck: dict[str, list[str]] = {}
    for fault in event.faults:
        words = brief_fault_words(f"{fault.kind} {fault.target}", lanes[fault.lane])
        struck.setdefault(words, []).append(lanes[fault.lane].name)
    parts = [f"{words} on {' and '.join(dict.fromkeys(names))}" for words, names in struck.items()]
    return f"{event.drill}: {', '.join(parts)}" if event.drill else ", ".join(parts)


def effect_title(snapshot: Snapshot, effect: Effect) -> str:
    """Which event it is."""
    lanes = [lane.info for lane in snapshot.lanes]
    return f"Since {clock_words(effect.event.at_ps)}{_cut_words(effect, lanes)}: {event_words(effect.event, lanes)}"


def _cut_words(effect: Effect, lanes: Sequence[LaneInfo]) -> str:
    """Up to when its turns are counted, if another event has struck the same lanes since."""
    cuts = {lane: cut for lane, cut in enumerate(effect.cuts_ps) if cut is not None}
    if not cuts:
        return ""
    if len(cuts) == len(lanes) and len(set(cuts.values())) == 1:
        return f" to {clock_words(effect.since_ps)}, the next event"
    parts = [f"on {lanes[lane].name} to {clock_words(cut)}" for lane, cut in cuts.items()]
    return f" ({', '.join(parts)}, the next event)"


def effect_kinds(snapshot: Snapshot, agent: int, *, is_short: bool) -> list[int]:
    """The agent kinds that there is room for."""
    kinds = len(snapshot.hello.agents)
    return [agent] if is_short or len(snapshot.lanes) * kinds > _MOST_ROWS else list(range(kinds))


def effect_rows(snapshot: Snapshot, effect: Effect, kinds: Sequence[int], width: int) -> list[Row]:
    """What is compared with what, and a row for each lane and agent kind."""
    name = max(len(lane.info.name) for lane in snapshot.lanes) + 2
    agent = max(len(snapshot.hello.agents[kind]) for kind in kinds) if len(kinds) > 1 else 0
    widths = [min(name, 14), agent, -8, -8, -7, -7, -5, -5, -8, 12]
    shown = [place for place in range(len(widths)) if widths[place]]
    head = columns_row([(_HEAD[place], "header") for place in shown], [widths[place] for place in shown])
    rows = [row((fit(_span_words(effect), width), "quiet")), head]
    for kind in kinds:
        for lane in range(len(snapshot.lanes)):
            cells = list(_cells(snapshot, effect, lane, kind))
            rows.append(columns_row([cells[place] for place in shown], [widths[place] for place in shown]))
    budgets = [snapshot.budgets_of(kind) for kind in kinds]
    held = [f"{snapshot.hello.agents[k]} {budget_words(b[0][1])}" for k, b in zip(kinds, budgets, strict=True) if b]
    if held:
        rows.append(row((fit(f"kept, late: {'; '.join(held)}", width), "quiet")))
    return rows


def _span_words(effect: Effect) -> str:
    passed = clock_words(effect.since_ps - effect.event.at_ps)
    if effect.against.is_restart:
        length = clock_words(effect.to_ps - effect.from_ps)
        others = " (O: just before this one)" if effect.others else ""
        return f"{passed} since a cold start, against the last {length} of the run before: no marks{others}"
    before = f"{clock_words(effect.from_ps)}-{clock_words(effect.to_ps)}"
    if effect.others:
        first = f"before the first of {effect.others + 1} events (O: just before this one)"
        return f"{passed} since, against {before}, {first}"
    return f"{passed} since, against {before} just before it (o: another event)"


def _cells(snapshot: Snapshot, effect: Effect, lane: int, kind: int) -> Iterator[tuple[str, str]]:
    found = effect.kinds[lane][kind]
    before, since, is_struck = found.before, found.since, lane in effect.event.lanes
    is_cold = effect.against.is_restart  # caches fill and sessions come: everything differs from a run that is warm
    is_few = min(before.turns, since.turns) < _LEAST_TURNS
    is_marked = is_struck and not is_cold and not is_few
    is_slower = is_marked and _is_above(since.p95_ps, before.p95_ps)
    is_worse = is_marked and _is_below(since.share, before.share)
    yield f"{lane_mark(lane)} {snapshot.lanes[lane].info.name}", f"line{lane % 4}"
    yield snapshot.hello.agents[kind], "plain"
    yield _took(before.p95_ps), "quiet"
    yield f"{'!' if is_slower else ''}{_took(since.p95_ps)}", "bad" if is_slower else "plain"
    yield share_text(before.share), "quiet"
    yield f"{'!' if is_worse else ''}{share_text(since.share)}", "bad" if is_worse else "plain"
    yield count_text(since.failed), "bad" if since.failed else "plain"
    yield count_text(since.late), "plain"
    yield time_text(found.worst_ps) if found.worst_ps else NOTHING, "plain"
    if not is_struck:
        yield "not struck", "quiet"
    else:
        words, ink = _recovery(found.recovery, is_cut=effect.cuts_ps[lane] is not None)
        is_few = min(before.turns, since.turns + found.waiting) < _LEAST_TURNS
        yield (
            ("cold start", "quiet") if is_cold else ("few turns", "quiet") if is_few and ink == "bad" else (words, ink)
        )


def _is_above(since: int | None, before: int | None) -> bool:
    return since is not None and before is not None and since > NEAR * before


def _is_below(since: float | None, before: float | None) -> bool:
    return since is not None and before is not None and since < before - _POINT


def _took(ps: int | None) -> str:
    return "lost" if ps is not None and ps >= FOREVER else time_text(ps)


def _recovery(recovery: RecoverySoFar, *, is_cut: bool) -> tuple[str, str]:
    """How far p95 has come back."""
    if not recovery.width_ps or (not recovery.is_known and recovery.before_ps is not None):
        return NOTHING, "quiet"
    if recovery.before_ps is None:
        return "none before", "quiet"
    if recovery.after_ps is not None:
        return ("never left", "plain") if recovery.after_ps == 0 else (f"after {time_text(recovery.after_ps)}", "good")
    if not recovery.is_away:
        return "so far", "plain"
    if is_cut:
        return "!not by then", "bad"
    return ("!not any more" if recovery.is_over else "!not yet"), "bad"


# -- charts


def effect_span(effect: Effect) -> float:
    """Seconds that a chart shows since the event."""
    passed = (effect.since_ps - effect.event.at_ps) / PS_PER_S
    return next((span for span in _SPANS_S if span >= passed), _SPANS_S[-1])


def effect_lines(snapshot: Snapshot, effect: Effect, kind: int) -> list[ChartLine]:
    """p95 of a kind on every lane by seconds since the event, and what it was before, laid under it."""
    return _lines(snapshot, effect, kind, lambda points: [None if p < 0 else float(p) for p in points.p95_ps])


def kept_lines(snapshot: Snapshot, effect: Effect, kind: int) -> list[ChartLine]:
    """The share of the turns that kept the budget, likewise."""
    return _lines(snapshot, effect, kind, lambda points: [None if p < 0 else p for p in points.kept])


def _lines(
    snapshot: Snapshot, effect: Effect, kind: int, values: Callable[[Points], list[float | None]]
) -> list[ChartLine]:
    at_s, span = effect.event.at_ps / PS_PER_S, effect_span(effect)
    lines, ghosts = [], []
    for lane, view in enumerate(snapshot.lanes):
        found: KindEffect = effect.kinds[lane][kind]
        ys = values(found.since_line)
        xs = [found.since_line.first_s + place - at_s for place in range(len(ys))]
        lines.append(ChartLine(lane, view.info.name, xs, ys))
        was = values(found.before_line)[-round(span) :]
        ghosts.append(ChartLine(lane, view.info.name, range(len(was)), was, is_ghost=True))
    return [*lines, *ghosts]
