"""The long run of a drill study: turns in budget over weeks in which servers stop by chance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from subsecond.engine.drills.long_run_words import DUE, cost_words, length_words, minutes_words, repair_words
from subsecond.engine.drills.reading import AvailabilityDoc, FailingDoc, RunDoc, availability_from
from subsecond.engine.findings import counted
from subsecond.tui.widgets.spans import Span
from subsecond.tui.widgets.table import Column, TableRow
from subsecond.tui.widgets.text import NOTHING

from .documents import decoded
from .study import Choice, Chosen, Detail, SpanPicture, Table
from .text import finite, share_words

__all__ = ["AvailabilityStudy", "study_of"]


@dataclass(frozen=True, slots=True)
class _Case:
    """A row: an agent kind on a pipeline."""

    key: str
    lane_name: str
    lane: FailingDoc
    kind_name: str
    run: RunDoc


@dataclass(frozen=True, slots=True)
class AvailabilityStudy:
    """What `subsecond drill --weeks` found."""

    found: AvailabilityDoc
    kind: str = "availability"
    about: str = (
        "How many turns stay in budget over weeks in which servers stop by chance. A bar is the share of turns in "
        "budget that failures take away. Enter shows what stops and how often, where that is known from, what an "
        "incident costs, and what would be if mtbf that are not public were otherwise."
    )
    problem: str = ""
    is_large: bool = False

    @property
    def headline(self) -> str:
        return f"long run · {self.found.scenario} · {self.found.weeks:g} weeks in which servers stop by chance"

    @property
    def state(self) -> str:
        return counted(len(self.found.pipelines), "pipeline")

    def choices(self, chosen: Chosen) -> Sequence[Choice]:
        return []

    def _cases(self) -> list[_Case]:
        return [
            _Case(f"{lane_name} {kind_name}", lane_name, lane, kind_name, run)
            for lane_name, lane in self.found.pipelines.items()
            for kind_name, run in lane.by_agents.items()
        ]

    def words(self, chosen: Chosen, key: int | str | None) -> Sequence[str]:
        case = next((case for case in self._cases() if case.key == key), None)
        told = [] if case is None else [_sentence(case, self.found.weeks)]
        return [*told, repair_words(self.found.repair_s)]

    def picture(self, chosen: Chosen, key: int | str | None) -> SpanPicture:
        cases = self._cases()
        most = max((abs(finite(case.run.long_run.lost) or 0.0) for case in cases), default=0.0)
        least = min((finite(case.run.long_run.lost) or 0.0 for case in cases), default=0.0)
        spans = tuple(
            Span(case.key, case.key, 0.0, finite(case.run.long_run.lost), _lost(case.run.long_run.lost))
            for case in cases
        )
        axis = (min(0.0, least), (most or 1.0) * 1.05)
        return SpanPicture("turns in budget lost to failures", spans, axis, _lost, empty="No agents were counted.")

    def table(self, chosen: Chosen) -> Table:
        columns = (
            Column("lane", "pipeline", 12, grow=True),
            Column("kind", "agents", 8),
            Column("calm", "no failures", 11, right=True, descending=True),
            Column("share", "with them", 9, right=True, descending=True),
            Column("lost", "lost", 9, right=True, descending=True),
            Column("nines", "nines", 5, right=True, descending=True),
            Column("incidents", "incidents", 9, right=True, descending=True),
            Column("below", "min below a week", 16, right=True, since=100),
        )
        return Table(columns, tuple(_row(case, self.found.weeks) for case in self._cases()), "No agents were counted.")

    def detail(self, chosen: Chosen, key: int | str) -> Detail:
        case = next((case for case in self._cases() if case.key == key), None)
        if case is None:
            return Detail("", ("There is no such row.",))
        return Detail(f"{case.lane_name}, {case.kind_name}", tuple(_lines(case, self.found.weeks)))


def _lost(share: float) -> str:
    """A share that may be far below one per cent."""
    return NOTHING if finite(share) is None else f"{100 * share:.2g} %"


def _nines(nines: float | None) -> str:
    return NOTHING if nines is None else f"{nines:.1f}"


def _row(case: _Case, weeks: float) -> TableRow:
    run, calm = case.run.long_run, case.run.without_failures
    cells = (
        case.lane_name,
        case.kind_name,
        share_words(calm.attainment),
        share_words(run.share),
        _lost(run.lost),
        _nines(run.nines),
        f"{run.incidents:.2g}",
        minutes_words(calm.below, run.below_s, weeks),
    )
    values = (
        case.lane_name,
        case.kind_name,
        calm.attainment,
        run.share,
        run.lost,
        run.nines,
        run.incidents,
        run.below_s,
    )
    return TableRow(case.key, cells, values)


def _sentence(case: _Case, weeks: float) -> str:
    run = case.run.long_run
    return (
        f"{case.lane_name}, {case.kind_name}: {share_words(run.share)} of the turns due are in budget, "
        f"{share_words(case.run.without_failures.attainment)} without failures; {run.incidents:.2g} incidents are "
        f"to be expected in {weeks:g} weeks, at least one with a probability of {100 * run.any_incident:.3g} %."
    )


def _lines(case: _Case, weeks: float) -> Iterator[str]:
    run = case.run
    yield _sentence(case, weeks)
    budget = run.budget
    yield f"Budget: {budget.name}, {budget.limit} for {budget.percentile:g} % of the turns."
    for part, cost in zip(case.lane.parts, run.incident_costs, strict=True):
        yield ""
        yield f"{part.servers} x {part.pool} ({part.each:g} {part.device}), {part.incidents_per_year:.2f} stops a year"
        yield f"  mtbf of one {part.mtbf_h:,.0f} h ({part.provenance}: {part.source})"
        yield f"  repair {length_words(part.mttr_s)}; an incident costs {cost_words(cost, part.pool)}"
    hours = {part.pool: part.mtbf_h for part in case.lane.parts}
    if run.sensitivity:
        yield ""
    for other in run.sensitivity:
        told = f"{other.mtbf_factor * hours.get(other.pool, 0.0):,.0f} h"
        yield f"If mtbf of one {other.pool} server were {told}: {_lost(other.lost)} lost, nines: {_nines(other.nines)}."
    if run.simulated is not None:
        calm, struck = run.simulated
        yield ""
        incidents = counted(case.lane.simulated_incidents or 0, "incident")
        yield f"Simulated turn by turn, {incidents}: {struck.met:,} turns in budget, {calm.met:,} without failures."
    yield ""
    yield DUE


def study_of(content: bytes, where: str) -> AvailabilityStudy:
    """The study of a document.

    Raises:
        InputError: it is not what it says.
    """
    return AvailabilityStudy(availability_from(decoded(content, dict[str, object], where), where))
