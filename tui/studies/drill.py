"""A study of drills: turns over time without a fault and with it, and what it did to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from subsecond.engine.drills.reading import HeldDoc, KindDoc, LaneDoc, StripDoc, StudyDoc, study_from
from subsecond.engine.findings import counted
from subsecond.tui.widgets.chart import ChartLine
from subsecond.tui.widgets.table import Column, TableRow
from subsecond.tui.widgets.text import NOTHING, clock_text, count_text

from .documents import decoded
from .study import Choice, Chosen, Detail, LinePicture, Table
from .text import finite, ms_text, share_words

__all__ = ["DrillsStudy", "study_of"]

_PICTURES = ("p95 over time", "in budget over time")
#: Of the lines without a fault and with it.
_SIGNS = ("○", "●")
#: What stands for the scenario's own policy.
_OWN = "as the scenario has it"


@dataclass(frozen=True, slots=True)
class _Case:
    """A row: a drill, a pipeline and an agent kind under a policy."""

    key: str
    drill: HeldDoc
    lane_name: str
    lane: LaneDoc
    kind_name: str
    kind: KindDoc


@dataclass(frozen=True, slots=True)
class DrillsStudy:
    """What `subsecond drill` found."""

    found: StudyDoc
    kind: str = "drill"
    about: str = (
        "The same sessions without a fault and with it. A row is a drill on a pipeline and a kind of agents; the "
        "picture shows its turns over time, by the window in which they began, ○ without the fault and ● "
        "with it, and │ is where it begins. p chooses p95 or the share in budget, o the policy. A line at the upper "
        "edge: a turn in twenty or more failed. Enter shows all of a row."
    )
    problem: str = ""
    is_large: bool = False
    policies: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        names = (policy.policy for policy in self.found.policies if policy.drills)
        object.__setattr__(self, "policies", (_OWN, *names))

    @property
    def headline(self) -> str:
        found = self.found
        titles = ", ".join(drill.title or drill.name for drill in found.drills)
        return f"drill · {found.scenario} · {titles}"

    @property
    def state(self) -> str:
        runs = max((len(drill.seeds) for drill in self.found.drills), default=0)
        return f"{counted(len(self.found.drills), 'drill')}, {counted(runs, 'run')} each"

    def choices(self, chosen: Chosen) -> Sequence[Choice]:
        return [Choice("p", _PICTURES), *([Choice("o", self.policies)] if len(self.policies) > 1 else [])]

    def _cases(self, chosen: Chosen) -> list[_Case]:
        number = min(chosen.get("o", 0), len(self.policies) - 1)
        policies = [policy.drills for policy in self.found.policies if policy.drills]
        drills = self.found.drills if number == 0 else policies[number - 1]
        return [
            _Case(f"{place} {lane_name} {kind_name}", drill, lane_name, lane, kind_name, kind)
            for place, drill in enumerate(drills)
            for lane_name, lane in drill.pipelines.items()
            for kind_name, kind in lane.by_agents.items()
        ]

    def _case(self, chosen: Chosen, key: int | str | None) -> _Case | None:
        cases = self._cases(chosen)
        return next((case for case in cases if case.key == key), cases[0] if cases else None)

    def words(self, chosen: Chosen, key: int | str | None) -> Sequence[str]:
        case = self._case(chosen, key)
        return [] if case is None else [*_sentences(case), *self.found.remarks]

    def picture(self, chosen: Chosen, key: int | str | None) -> LinePicture:
        case, number = self._case(chosen, key), min(chosen.get("p", 0), 1)
        if case is None:
            return LinePicture("", (), (0.0, 1.0), (), str, empty="No drill was run.")
        without, with_it = case.kind.over_time
        values = [v for strip in case.kind.over_time for v in strip.p95_ms if finite(v) is not None]
        top = max((v for v in values if v is not None), default=1.0) * 1.05
        lines = [
            _line(n, name, strip, number, top)
            for n, (name, strip) in enumerate((("without", without), ("with", with_it)))
        ]
        begins = without.begin_s or [0.0]
        budget = case.kind.budget
        limit = None if budget is None else budget.turn_ms if number == 0 else budget.percentile / 100
        every = max(1, len(begins) // 8)
        return LinePicture(
            title=f"{case.lane_name}, {case.kind_name}: {_PICTURES[number]}",
            lines=tuple(lines),
            x_range=(begins[0], max(begins[-1], begins[0] + 1.0)),
            ticks=tuple((begin, clock_text(begin)) for begin in begins[::every]),
            y_text=ms_text if number == 0 else share_words,
            y_max=top if number == 0 else 1.0,
            budget=limit if limit is None or number or limit <= top else None,
            mark_x=min((fault.begin_s for fault in case.lane.faults), default=None),
        )

    def table(self, chosen: Chosen) -> Table:
        columns = (
            Column("lane", "pipeline", 10, grow=True),
            Column("kind", "agents", 8),
            Column("turns", "turns", 6, right=True),
            Column("lost", "lost", 5, right=True, descending=True),
            Column("broken", "over", 5, right=True, descending=True),
            Column("share", "in budget", 17, right=True),
            Column("back", "back after", 10, right=True),
            Column("longest", "longest", 8, right=True, descending=True),
            Column("drill", "drill", 16),
            Column("put_off", "put off", 7, right=True, since=100),
            Column("silence", "silence", 8, right=True, since=100),
            Column("again", "computed again", 14, right=True, since=120),
        )
        return Table(columns, tuple(map(_row, self._cases(chosen))), "No drill was run.")

    def detail(self, chosen: Chosen, key: int | str) -> Detail:
        case = next((case for case in self._cases(chosen) if case.key == key), None)
        if case is None:
            return Detail("", ("There is no such row.",))
        title = f"{case.drill.name}: {case.lane_name}, {case.kind_name}"
        return Detail(title, (*_lines(case), *self._under_policies(case)))

    def _under_policies(self, case: _Case) -> Iterator[str]:
        if len(self.policies) < 2:
            return
        yield ""
        yield f"{'policy':<24} {'lost':>6} {'over':>6} {'in budget':>10} {'longest':>9} {'back after':>14}"
        for number, name in enumerate(self.policies):
            own = next((one for one in self._cases({"o": number}) if one.key == case.key), None)
            if own is not None:
                kind = own.kind
                yield (
                    f"{name:<24} {kind.lost:>6,} {kind.broken:>6,} {share_words(kind.attainment[1]):>10} "
                    f"{ms_text(kind.longest_turn_ms[1]):>9} {_back(kind):>14}"
                )


def _line(number: int, name: str, strip: StripDoc, picture: int, top: float) -> ChartLine:
    if picture:
        ys = tuple(map(finite, strip.met))
    else:
        pairs = zip(strip.p95_ms, strip.failed, strict=True)
        ys = tuple(top if has_failed else finite(value) for value, has_failed in pairs)
    return ChartLine(number, name, tuple(strip.begin_s), ys, sign=_SIGNS[number])


def _back(kind: KindDoc) -> str:
    recovery = kind.recovery
    if recovery.p95_before_ms is None:
        return "no turns"
    after = recovery.after_s
    return "not in run" if after is None else "never away" if after == 0 else f"{after:,.0f} s"


def _row(case: _Case) -> TableRow:
    kind, work = case.kind, case.lane.work
    before, after = kind.attainment
    again = None if work is None else work.computed_again_tokens
    put_off = kind.put_off - kind.brought_forward
    cells = (
        case.lane_name,
        case.kind_name,
        f"{kind.turns[0]:,}",
        f"{kind.lost:,}" if kind.lost else NOTHING,
        f"{kind.broken:,}" if kind.broken else NOTHING,
        f"{share_words(before)} > {share_words(after)}",
        _back(kind),
        ms_text(kind.longest_turn_ms[1]),
        case.drill.name,
        f"{put_off:,}" if put_off else NOTHING,
        ms_text(kind.longest_silence_ms[1]),
        NOTHING if not again else count_text(again),
    )
    values = (
        case.lane_name,
        case.kind_name,
        kind.turns[0],
        kind.lost,
        kind.broken,
        None if before is None or after is None else after - before,
        kind.recovery.after_s,
        kind.longest_turn_ms[1],
        case.drill.name,
        put_off,
        kind.longest_silence_ms[1],
        again,
    )
    return TableRow(case.key, cells, values)


def _sentences(case: _Case) -> Iterator[str]:
    lane, kind, recovery = case.lane, case.kind, case.kind.recovery
    if not lane.faults:
        yield f"{case.lane_name} is left alone: {lane.reason}"
        return
    faults = ", ".join(_fault(case, number) for number in range(min(3, len(lane.faults))))
    yield f"{case.drill.name} on {case.lane_name}: {faults}" + (f"; {lane.reason}" if lane.reason else "")
    worst = "failure" if recovery.worst_is_failure else ms_text(recovery.worst_p95_ms)
    yield (
        f"{counted(kind.lost, 'turn')} lost, {kind.broken:,} over budget because of it; p95 was "
        f"{ms_text(recovery.p95_before_ms)} before and {worst} at the worst, back after: {_back(kind)}"
    )


def _fault(case: _Case, number: int) -> str:
    fault = case.lane.faults[number]
    value = "" if fault.value is None else f" {fault.value}"
    end = "to the end" if fault.end_s is None else f"to {clock_text(fault.end_s)}"
    return f"{fault.kind}{value} {fault.target} from {clock_text(fault.begin_s)} {end}"


def _lines(case: _Case) -> Iterator[str]:
    kind, work, drill = case.kind, case.lane.work, case.drill
    yield from _sentences(case)
    yield ""
    if kind.budget is not None:
        yield f"Budget: {kind.budget.name}, {kind.budget.limit} for {kind.budget.percentile:g} %"
    pairs = (("turns", kind.turns), ("in budget", kind.met), ("over budget", kind.missed), ("failed", kind.failed))
    for name, pair in pairs:
        yield f"{name:<16} {pair[0]:>9,} without {pair[1]:>9,} with"
    for name, times in (("longest turn", kind.longest_turn_ms), ("longest silence", kind.longest_silence_ms)):
        yield f"{name:<16} {ms_text(times[0]):>9} without {ms_text(times[1]):>9} with"
    yield f"{kind.mended:,} met instead of missed, {kind.put_off:,} put off, {kind.brought_forward:,} brought forward"
    if work is not None:
        yield (
            f"Prompt tokens computed again {count_text(work.computed_again_tokens)}: cold caches "
            f"{count_text(work.cold_cache_tokens)}, lost work {count_text(work.repeated_tokens)}"
        )
        struck = work.struck_turns[1] - work.struck_turns[0]
        yield f"{struck:,} more turns struck, {work.attempts[1] - work.attempts[0]:,} more attempts lost"
    if drill.look_at:
        yield f"Look at {drill.look_at}"
    yield f"Durations: {drill.durations}"


def study_of(content: bytes, where: str) -> DrillsStudy:
    """The study of a document.

    Raises:
        InputError: it is not what it says.
    """
    return DrillsStudy(study_from(decoded(content, dict[str, object], where), where))
