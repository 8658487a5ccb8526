"""A gap study: what every change by itself, and some together, do to the turns in time of a pipeline."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from subsecond.engine.findings import counted
from subsecond.tui.widgets.spans import Span, SpanMark
from subsecond.tui.widgets.table import Column, TableRow
from subsecond.tui.widgets.text import NOTHING

from .documents import BudgetDoc, Doc, decoded
from .study import Choice, Chosen, Detail, SpanPicture, Table
from .text import finite, held_words, ms_text, points_text, rate_text

__all__ = ["GapStudy", "study_of"]


class _Change(Doc, frozen=True):
    name: str
    effort: str
    role: str = "change"
    settings: dict[str, object] | list[object] | None = None
    stands_for: str = ""
    source: str = ""
    provenance: str = ""


class _Variant(Doc, frozen=True):
    name: str
    changes: list[_Change]
    problem: str = ""
    attainment: float | None = None
    low: float | None = None
    high: float | None = None
    effect: float | None = None
    is_kept: bool = False
    is_same: bool = False
    p50_ms: float | None = None
    p95_ms: float | None = None
    in_time_per_s: float | None = None
    turns: int = 0


class _Need(Doc, frozen=True):
    stage: str
    share: float | None
    mean_ms: float


class _Lane(Doc, frozen=True):
    lane: str
    plain: _Variant
    singles: list[_Variant]
    combined: list[_Variant]
    software: _Variant | None
    everything: _Variant | None
    is_kept: bool
    answer: _Variant | None
    best: _Variant
    needs: list[_Need] = msgspec.field(default_factory=list)


class _Gap(Doc, frozen=True):
    scenario: str
    title: str
    agents: str
    budget: BudgetDoc
    runs: int
    lanes: list[_Lane]


@dataclass(frozen=True, slots=True)
class GapStudy:
    """What `subsecond gap` found."""

    found: _Gap
    kind: str = "gap"
    about: str = (
        "What changes of software and hardware do to the share of turns in time, each by itself, then together. l "
        "chooses the pipeline. The line is the pipeline as it is: bars to its right are gains, to its left losses; the "
        "budget asks for as much as the second mark. Enter shows a change with what it stands for and its source."
    )
    problem: str = ""
    is_large: bool = False

    @property
    def headline(self) -> str:
        found = self.found
        return f"gap · {found.scenario} · {found.agents}, {found.budget.words} · {found.title}"

    @property
    def state(self) -> str:
        return counted(self.found.runs, "run")

    def _lane(self, chosen: Chosen) -> _Lane | None:
        lanes = self.found.lanes
        return lanes[min(chosen.get("l", 0), len(lanes) - 1)] if lanes else None

    def choices(self, chosen: Chosen) -> Sequence[Choice]:
        lanes = tuple(lane.lane for lane in self.found.lanes)
        return [Choice("l", lanes)] if len(lanes) > 1 else []

    def words(self, chosen: Chosen, key: int | str | None) -> Sequence[str]:
        lane = self._lane(chosen)
        return [] if lane is None else list(_sentences(lane, self.found.budget))

    def picture(self, chosen: Chosen, key: int | str | None) -> SpanPicture:
        lane = self._lane(chosen)
        if lane is None or lane.plain.attainment is None:
            return SpanPicture("", (), (0.0, 1.0), held_words, empty="No pipeline was tried.")
        plain, target = lane.plain.attainment, self.found.budget.percentile / 100
        spans = [_span(number, variant, plain, target) for number, variant in _rows(lane)]
        spans = [span for span in spans if span.value is not None]
        every = [span.value for span in spans if span.value is not None] + [plain, target]
        room = 0.05 * (max(every) - min(every)) + 1e-6
        low, high = max(0.0, min(every) - room), min(1.0, max(every) + room)
        marks = (SpanMark(plain, "│", "as it is"), SpanMark(target, "╎", "asked for", "budget"))
        return SpanPicture(f"{lane.lane}: turns in time", tuple(spans), (low, high), held_words, marks)

    def table(self, chosen: Chosen) -> Table:
        columns = (
            Column("name", "change", 24, grow=True),
            Column("share", "in time", 8, right=True, descending=True),
            Column("effect", "points", 6, right=True, descending=True),
            Column("p95", "p95", 7, right=True),
            Column("kept", "budget", 9),
            Column("effort", "effort", 14),
            Column("interval", "interval", 15, since=100),
            Column("provenance", "provenance", 10, since=110),
        )
        lane = self._lane(chosen)
        rows = (
            ()
            if lane is None
            else tuple(_row(number, variant, self.found.budget.percentile / 100) for number, variant in _rows(lane))
        )
        return Table(columns, rows, "No change was tried.")

    def detail(self, chosen: Chosen, key: int | str) -> Detail:
        lane = self._lane(chosen)
        variant = None if lane is None else dict(_rows(lane)).get(int(key)) if isinstance(key, int) else None
        if lane is None or variant is None:
            return Detail("", ("There is no such change.",))
        return Detail(f"{lane.lane}: {variant.name}", tuple(_detail(variant, self.found.budget.percentile / 100)))


def _rows(lane: _Lane) -> list[tuple[int, _Variant]]:
    """Singles by the size of their effect, what is tried together behind them."""
    singles = sorted(lane.singles, key=lambda variant: -abs(finite(variant.effect) or 0.0))
    together = [variant for variant in (lane.software, lane.everything) if variant is not None]
    return list(enumerate([lane.plain, *singles, *lane.combined, *together]))


def _span(number: int, variant: _Variant, plain: float, asked: float) -> Span:
    """Without its interval: the same sessions are behind both ends, so that it says little of their difference."""
    value, mark = finite(variant.attainment), " ✓" if variant.is_kept else ""
    ink = "good" if variant.is_kept else "plain"
    return Span(number, variant.name, plain, value, f"{held_words(value, asked)}{mark}", ink=ink)


def _row(number: int, variant: _Variant, asked: float) -> TableRow:
    share, effect = finite(variant.attainment), finite(variant.effect)
    effort = " + ".join(dict.fromkeys(change.effort for change in variant.changes)) or NOTHING
    provenance = ", ".join(dict.fromkeys(change.provenance for change in variant.changes)) or NOTHING
    low, high = finite(variant.low), finite(variant.high)
    if variant.problem:
        kept = "x cannot"
    elif variant.is_kept:
        kept = "✓ kept"
    else:
        kept = "= same" if variant.is_same and variant.changes else "! missed"
    cells = (
        variant.name,
        held_words(share, asked),
        NOTHING if effect is None else points_text(effect),
        ms_text(variant.p95_ms),
        kept,
        effort,
        NOTHING if low is None or high is None else f"{held_words(low, asked)}-{held_words(high, asked)}",
        provenance,
    )
    values = (variant.name, share, effect, variant.p95_ms, kept, effort, low, provenance)
    return TableRow(number, cells, values, "bad" if variant.problem else "good" if variant.is_kept else "plain")


def _sentences(lane: _Lane, budget: BudgetDoc) -> Iterator[str]:
    asked = budget.percentile / 100
    if lane.is_kept:
        yield f"{lane.lane} keeps {budget.name} as it is: {held_words(lane.plain.attainment, asked)} in time."
        return
    if lane.answer is not None:
        share = held_words(lane.answer.attainment, asked)
        yield f"The smallest change with which {lane.lane} keeps {budget.name} is {lane.answer.name}: {share} in time."
        return
    best = held_words(lane.best.attainment, asked)
    yield (
        f"None of these changes, alone or combined, lets {lane.lane} keep {budget.name}: the most is {best} in time, "
        f"with {lane.best.name}."
    )
    for need in lane.needs[:2]:
        stage = need.stage.replace("_", " ")
        mean = ms_text(need.mean_ms)
        if need.share is not None:
            yield f"With that, {stage} (mean {mean}) would still have to take {100 * need.share:.0f} % less."


def _detail(variant: _Variant, asked: float) -> Iterator[str]:
    if variant.problem:
        yield f"x cannot be built: {variant.problem}"
    else:
        yield (
            f"{held_words(variant.attainment, asked)} in time "
            f"({held_words(variant.low, asked)} to {held_words(variant.high, asked)}), "
            f"{'kept ✓' if variant.is_kept else 'not kept !'}"
        )
        rate = finite(variant.in_time_per_s)
        yield (
            f"p50 {ms_text(variant.p50_ms)}, p95 {ms_text(variant.p95_ms)}, {variant.turns:,} turns, "
            f"{NOTHING if rate is None else rate_text(rate)} in time per second"
        )
    for change in variant.changes:
        yield ""
        yield f"{change.name} ({change.effort}, {change.provenance})"
        if change.stands_for:
            yield f"  {change.stands_for}"
        yield from _settings(change.settings)
        if change.source:
            yield f"  source: {change.source}"


def _settings(settings: dict[str, object] | list[object] | None) -> Iterator[str]:
    pairs = settings.items() if isinstance(settings, dict) else enumerate(settings or [])
    for key, value in itertools.islice(pairs, 20):
        yield f"  {f'{key} = ' if isinstance(key, str) else ''}{value}"


def study_of(content: bytes, where: str) -> GapStudy:
    """The study of a document.

    Raises:
        InputError: it is not what it says.
    """
    return GapStudy(decoded(content, _Gap, where))
