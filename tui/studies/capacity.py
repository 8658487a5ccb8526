"""A capacity study: how many sessions, or arrivals a second, each pipeline carries while a budget holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from subsecond.engine.findings import counted
from subsecond.tui.widgets.chart import ChartLine
from subsecond.tui.widgets.spans import Span
from subsecond.tui.widgets.table import Column, TableRow
from subsecond.tui.widgets.text import NOTHING

from .documents import BudgetDoc, Doc, decoded
from .study import Choice, Chosen, Detail, LinePicture, Picture, SpanPicture, Table
from .text import finite, held_words, ms_text

__all__ = ["CapacityStudy", "study_of"]

_PICTURES = ("what is carried", "in time over load", "p95 over load")


class _Fullest(Doc, frozen=True):
    part: str
    share: float


class _Trial(Doc, frozen=True):
    load: float
    attainment: float
    low: float | None
    high: float | None
    runs: int
    turns: int
    p50_ms: float | None
    p95_ms: float | None
    in_time_per_s: float | None = None


class _Lane(Doc, frozen=True):
    lane: str
    capacity: float
    missed_at: float | None
    surely_kept: float
    surely_missed: float | None
    exceptions: list[float]
    fullest: _Fullest
    runs: int
    turns: int
    trials: list[_Trial]


class _Kind(Doc, frozen=True):
    agents: str
    unit: str
    budget: BudgetDoc
    others: str
    beside: dict[str, int]
    replicas: int
    confidence: float
    most: float
    lanes: list[_Lane]


class _Capacity(Doc, frozen=True):
    scenario: str
    title: str
    seed: int
    kinds: list[_Kind]


@dataclass(frozen=True, slots=True)
class CapacityStudy:
    """What `subsecond capacity` found."""

    found: _Capacity
    kind: str = "capacity"
    about: str = (
        "What each pipeline carries while the budget holds. The bar ends where the budget was kept last; ├─┤ goes from "
        "the load at which it is surely kept to the one at which it is surely missed. k chooses the kind of agents, p "
        "the picture: bars, or the share in time and p95 over the load. Enter shows every load that was tried."
    )
    problem: str = ""
    is_large: bool = False

    @property
    def headline(self) -> str:
        return f"capacity · {self.found.scenario} · seed {self.found.seed} · {self.found.title}"

    @property
    def state(self) -> str:
        return counted(sum(lane.runs for kind in self.found.kinds for lane in kind.lanes), "run")

    def _kind(self, chosen: Chosen) -> _Kind | None:
        kinds = self.found.kinds
        return kinds[min(chosen.get("k", 0), len(kinds) - 1)] if kinds else None

    def choices(self, chosen: Chosen) -> Sequence[Choice]:
        kinds = tuple(kind.agents for kind in self.found.kinds)
        return [Choice("p", _PICTURES), *([Choice("k", kinds)] if len(kinds) > 1 else [])]

    def words(self, chosen: Chosen, key: int | str | None) -> Sequence[str]:
        kind = self._kind(chosen)
        if kind is None:
            return []
        what = f"{kind.agents}: {_unit(kind)}, {kind.budget.words}"
        beside = ", ".join(f"{count:,} {name}" for name, count in kind.beside.items())
        lane = next((one for one in kind.lanes if one.lane == key), None)
        found = [what + (f"; beside them {beside}" if beside and kind.others != "scaled" else "")]
        return found if lane is None else [_sentence(kind, lane), *found]

    def picture(self, chosen: Chosen, key: int | str | None) -> Picture:
        kind, number = self._kind(chosen), min(chosen.get("p", 0), 2)
        if kind is None:
            return SpanPicture("", (), (0.0, 1.0), str, empty="No agents were counted.")
        return _bars(kind) if number == 0 else _lines(kind, number == 1)

    def table(self, chosen: Chosen) -> Table:
        columns = (
            Column("lane", "pipeline", 16, grow=True),
            Column("capacity", "carries", 9, right=True, descending=True),
            Column("kept", "surely kept", 11, right=True),
            Column("missed", "surely missed", 13, right=True),
            Column("share", "in time", 8, right=True),
            Column("p95", "p95", 7, right=True),
            Column("fullest", "used most", 14),
            Column("of", "of it", 7, right=True),
            Column("runs", "runs", 6, right=True, since=100),
            Column("turns", "turns", 9, right=True, since=100),
        )
        kind = self._kind(chosen)
        rows = () if kind is None else tuple(_row(kind, lane) for lane in kind.lanes)
        return Table(columns, rows, "No pipeline was asked about.")

    def detail(self, chosen: Chosen, key: int | str) -> Detail:
        kind = self._kind(chosen)
        lane = None if kind is None else next((one for one in kind.lanes if one.lane == key), None)
        if kind is None or lane is None:
            return Detail("", ("There is no such pipeline.",))
        return Detail(f"{lane.lane}: {_unit(kind)}", tuple(_detail(kind, lane)))


def _unit(kind: _Kind) -> str:
    return "sessions that arrive per second" if kind.unit == "arrivals_per_s" else "sessions at once"


def _amount(kind: _Kind, load: float | None) -> str:
    if load is None or finite(load) is None:
        return NOTHING
    return f"{load:,.3g}" if kind.unit == "arrivals_per_s" else f"{load:,.0f}"


def _carries(kind: _Kind, lane: _Lane) -> str:
    if lane.missed_at is None:
        return f"> {_amount(kind, lane.capacity)}"
    return _amount(kind, lane.capacity) if lane.capacity else "none"


def _bars(kind: _Kind) -> SpanPicture:
    ends = [v for lane in kind.lanes for v in (lane.capacity, lane.surely_missed or lane.missed_at or 0.0)]
    spans = tuple(
        Span(
            lane.lane,
            lane.lane,
            0.0,
            finite(lane.capacity),
            f"{_carries(kind, lane)} {'' if lane.surely_kept else '(not surely)'}".strip(),
            finite(lane.surely_kept),
            finite(lane.surely_missed) if lane.surely_missed is not None else finite(lane.missed_at),
            lane.missed_at is None,
            "good" if lane.surely_kept else "plain",
        )
        for lane in kind.lanes
    )
    return SpanPicture(f"{kind.agents} {_unit(kind)}", spans, (0.0, max([*ends, 1.0]) * 1.05), _text(kind))


def _text(kind: _Kind) -> Callable[[float], str]:
    return lambda value: _amount(kind, value)


def _lines(kind: _Kind, is_share: bool) -> LinePicture:
    loads = sorted({trial.load for lane in kind.lanes for trial in lane.trials})
    places = {load: float(place) for place, load in enumerate(loads)}
    lines = []
    for number, lane in enumerate(kind.lanes):
        trials = sorted(lane.trials, key=lambda trial: trial.load)
        ys = tuple(finite(trial.attainment if is_share else trial.p95_ms) for trial in trials)
        lines.append(ChartLine(number, lane.lane, tuple(places[trial.load] for trial in trials), ys))
    return LinePicture(
        title=f"{kind.agents}: {'in time' if is_share else 'p95'} over {_unit(kind)}",
        lines=tuple(lines),
        x_range=(0.0, float(max(1, len(loads) - 1))),
        ticks=tuple((places[load], _amount(kind, load)) for load in loads),
        y_text=held_words if is_share else ms_text,
        y_max=1.0 if is_share else None,
        budget=kind.budget.percentile / 100 if is_share else None,
        budget_word="asked for",
    )


def _at_capacity(lane: _Lane) -> _Trial | None:
    same = [trial for trial in lane.trials if trial.load == lane.capacity]
    return next(iter([*same, *lane.trials]), None)


def _row(kind: _Kind, lane: _Lane) -> TableRow:
    trial, asked = _at_capacity(lane), kind.budget.percentile / 100
    cells = (
        lane.lane,
        _carries(kind, lane),
        _amount(kind, lane.surely_kept) if lane.surely_kept else NOTHING,
        _amount(kind, lane.surely_missed),
        NOTHING if trial is None else held_words(trial.attainment, asked),
        NOTHING if trial is None else ms_text(trial.p95_ms),
        lane.fullest.part,
        held_words(lane.fullest.share),
        f"{lane.runs:,}",
        f"{lane.turns:,}",
    )
    values = (
        lane.lane,
        lane.capacity,
        lane.surely_kept,
        lane.surely_missed,
        None if trial is None else trial.attainment,
        None if trial is None else trial.p95_ms,
        lane.fullest.part,
        lane.fullest.share,
        lane.runs,
        lane.turns,
    )
    return TableRow(lane.lane, cells, values)


def _sentence(kind: _Kind, lane: _Lane) -> str:
    name, unit = kind.budget.name, _unit(kind)
    if lane.missed_at is None:
        return f"{lane.lane} keeps {name} with {_amount(kind, lane.capacity)} {unit}, the most that was asked about."
    if not lane.capacity:
        return f"{lane.lane} does not keep {name} with {_amount(kind, lane.missed_at)} {unit}."
    kept = f"surely kept up to {_amount(kind, lane.surely_kept)}" if lane.surely_kept else "not surely kept by any"
    missed = "" if lane.surely_missed is None else f", surely missed from {_amount(kind, lane.surely_missed)}"
    return (
        f"{lane.lane} keeps {name} with {_amount(kind, lane.capacity)} {unit} and misses it with "
        f"{_amount(kind, lane.missed_at)}; with {100 * kind.confidence:g} % confidence it is {kept}{missed}."
    )


def _detail(kind: _Kind, lane: _Lane) -> Iterator[str]:
    asked = kind.budget.percentile / 100
    yield _sentence(kind, lane)
    if lane.exceptions:
        yield f"Kept again at {', '.join(_amount(kind, load) for load in lane.exceptions[:12])}."
    yield f"Used most at what it carries: {lane.fullest.part}, {held_words(lane.fullest.share)}."
    yield ""
    yield f"{'load':>8} {'in time':>8} {'interval':>17} {'p95':>8} {'runs':>5} {'turns':>9}"
    for trial in sorted(lane.trials, key=lambda trial: trial.load):
        interval = (
            f"{held_words(trial.low, asked)} - {held_words(trial.high, asked)}" if trial.low is not None else NOTHING
        )
        yield (
            f"{_amount(kind, trial.load):>8} {held_words(trial.attainment, asked):>8} {interval:>17} "
            f"{ms_text(trial.p95_ms):>8} {trial.runs:>5} {trial.turns:>9,}"
        )


def study_of(content: bytes, where: str) -> CapacityStudy:
    """The study of a document.

    Raises:
        InputError: it is not what it says.
    """
    return CapacityStudy(decoded(content, _Capacity, where))
