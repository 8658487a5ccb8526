"""A study of drills as tables and pictures for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from subsecond.engine.drills.catalog import EACH, Drill, Step
from subsecond.engine.drills.impact import Impact
from subsecond.engine.drills.outcome import DrillOutcome, KindOutcome, LaneOutcome
from subsecond.engine.drills.study import DrillStudy
from subsecond.engine.drills.windows import FOREVER
from subsecond.engine.findings import counted
from subsecond.engine.shares import cut_share
from subsecond.tui.widgets.text import clean, count_text

from .drill_pictures import picture_of
from .grid import Grid, count_cell, print_point, time_cell

__all__ = ["show_drills", "show_study"]

PS_PER_S = 10**12
#: Share of turns in budget below which a budget is out of reach.
_HOPELESS = 0.05


def show_drills(drills: Sequence[Drill], console: Console) -> None:
    """Print drills, each with what it does to either design."""
    for drill in drills:
        console.print(Text(clean(drill.name), "bold"))
        for text in (
            drill.title,
            f"on prefill and decode apart: {_steps(drill, 'disaggregated')}",
            f"on servers that do both: {_steps(drill, 'colocated')}",
            f"look at: {drill.look}",
            f"durations: {drill.source}",
        ):
            console.print(Padding(Text(clean(text)), (0, 0, 0, 2)))


def _steps(drill: Drill, design: str) -> str:
    found = [_step(step, getattr(step, design)) for step in drill.steps if getattr(step, design)]
    return ", then ".join(found) if any(step.then for step in drill.steps) else " and ".join(found) or "nothing"


def _step(step: Step, kind: str) -> str:
    value = "" if step.value is None else f" {step.value:g}"
    target = f" {EACH}" if step.target == EACH else f" of server {step.target}" if step.target else ""
    length = "for ever" if step.duration_s is None else f"for {step.duration_s:g} s"
    return f"{kind}{value}{target} {length}"


def show_study(study: DrillStudy, console: Console, *, brief: bool = False) -> None:
    """Print a study: what was asked, and per drill what it does, over time, and under each policy.

    Args:
        brief: a row for each drill, and nothing of its own.
    """
    if brief or len(study.outcomes) > 1:
        console.print(Text(clean(_headline(study, study.outcomes[0])), "bold"))
        _summary(study).print(console)
    for outcome in () if brief else study.outcomes:
        _show_outcome(study, outcome, console)
    for place, outcome in enumerate(study.outcomes):
        if study.policies:
            console.print(Text(clean(f"{outcome.drill.name}: policies side by side"), "bold"))
            _policies(study, place).print(console)
    for text in study.remarks:
        print_point(console, text)


def _headline(study: DrillStudy, outcome: DrillOutcome) -> str:
    runs = len(outcome.seeds)
    models = ", ".join(dict.fromkeys(lane.pipeline.model for lane in outcome.lanes))
    seeds = f"seed {outcome.seeds[0]}" if runs == 1 else f"seeds {outcome.seeds[0]}-{outcome.seeds[-1]}"
    return f"{study.scenario} · {models} · {counted(runs, 'run')} of {outcome.stop_s:,.0f} s, {seeds}"


def _summary(study: DrillStudy) -> Grid:
    """A row per agent kind, drill and pipeline; what it leaves alone has no row."""
    titles = ("lost", "over\nbudget", "put off", "in budget, %\nwithout -> with", "longest\nturn", "back after")
    grid = Grid(["agents", "drill", "pipeline", *titles, "computed\nagain"], num_labels=3)
    for kind in dict.fromkeys(kind for outcome in study.outcomes for kind in _kinds(outcome)):
        label = kind
        for outcome in study.outcomes:
            rows = [lane for lane in outcome.lanes if kind in lane.kinds]
            for i, lane in enumerate(rows):
                found = lane.kinds[kind]
                cells = _policy_cells(lane, found)
                grid.add(
                    label,
                    "" if i else outcome.drill.name,
                    lane.lane,
                    *cells[:3],
                    _shares(found.impact),
                    cells[4],
                    *cells[6:],
                )
                label = ""
        grid.end_section()
    return grid


def _show_outcome(study: DrillStudy, outcome: DrillOutcome, console: Console) -> None:
    drill = outcome.drill
    console.print(Text(clean(f"{drill.name} · {drill.title}"), "bold"))
    told = f"{_headline(study, outcome)} · begins at {outcome.begin_s:g} s"
    console.print(Padding(Text(clean(told)), (0, 0, 1, 0)))
    _impacts(outcome).print(console)
    _work(outcome).print(console)
    for lane in outcome.lanes:
        for kind in lane.kinds.values():
            for line in picture_of(lane, kind):
                console.print(line)
            console.print()
    for text in _sentences(outcome):
        print_point(console, text)
    console.print()


def _impacts(outcome: DrillOutcome) -> Grid:
    """What happened to the turns, a row per agent kind and pipeline; counts of all runs together."""
    titles = ("turns", "lost", "over budget\nbecause of it", "met instead\nof missed", "put off")
    more = ("in budget, %\nwithout -> with", "longest turn", "longest\nsilence", "back after")
    grid = Grid(["agents", "pipeline", *titles, *more], num_labels=2)
    for kind in _kinds(outcome):
        rows = [(lane, lane.kinds[kind]) for lane in outcome.lanes if kind in lane.kinds]
        for i, (lane, found) in enumerate(rows):
            impact = found.impact
            grid.add(
                "" if i else kind,
                lane.lane,
                f"{impact.turns[0]:,}",
                count_cell(impact.lost),
                count_cell(impact.broken),
                count_cell(impact.mended),
                count_cell(impact.put_off - impact.brought_forward),
                _shares(impact),
                time_cell(impact.longest_ps[1]),
                time_cell(found.silence_ps[1]),
                _back(found),
            )
        grid.end_section()
    return grid


def _shares(impact: Impact) -> str:
    """Shares in budget without and with the fault, in per cent."""
    told = ["-" if share is None else cut_share(share).removesuffix(" %") for share in impact.attainment]
    return " -> ".join(told)


def _kinds(outcome: DrillOutcome) -> list[str]:
    return list(dict.fromkeys(kind for lane in outcome.lanes for kind in lane.kinds))


def _back(found: KindOutcome) -> str:
    after = found.recovery.after_ps
    if found.recovery.before_ps is None:
        return "no turns before"
    return "not in the run" if after is None else "never away" if after == 0 else f"{after / PS_PER_S:,.0f} s"


def _work(outcome: DrillOutcome) -> Grid:
    """What the servers did over again, a row per pipeline."""
    titles = ("computed\nagain", "cold\ncaches", "lost\nwork", "spared\ninstead", "turns\nstruck", "attempts\nlost")
    grid = Grid(["prompt tokens", *titles, "KV handed over\nwithout -> with"])
    for lane in outcome.lanes:
        work = lane.rework
        if work is None:
            continue
        sent = "-" if not any(work.sent) else " -> ".join(count_text(value) for value in work.sent)
        tokens = [_signed(value) for value in (work.again, work.cold, work.repeated, work.spared)]
        more = [_signed(pair[1] - pair[0]) for pair in (work.struck, work.attempts)]
        grid.add(lane.lane, *tokens, *more, sent)
    return grid


def _signed(value: int) -> str:
    return count_text(value) if value else "-"


def _sentences(outcome: DrillOutcome) -> Iterator[str]:
    for lane in outcome.lanes:
        if not lane.strike.spells:
            yield f"{lane.lane} is left alone: {lane.strike.reason}."
        elif lane.strike.reason:
            yield f"{lane.lane}: {lane.strike.reason}; the rest of the drill strikes it."
        for kind in lane.kinds.values():
            yield from _kind_sentences(lane, kind)
    yield from _hopeless(outcome)
    budgets = {k.budget.name: k.budget for lane in outcome.lanes for k in lane.kinds.values() if k.budget}
    yield "Budgets: " + "; ".join(f"{b.agents} {b.name}, {b.shown}" for b in budgets.values()) + "."
    if outcome.drill.look:
        yield f"To look at: {outcome.drill.look}."
    yield f"Durations: {outcome.drill.source}."


def _hopeless(outcome: DrillOutcome) -> Iterator[str]:
    """A budget that hardly any turn keeps anyway cannot show what a fault does."""
    for kind in _kinds(outcome):
        found = [lane.kinds[kind] for lane in outcome.lanes if kind in lane.kinds]
        shares = [own.impact.attainment[0] or 0.0 for own in found]
        budget = found[0].budget
        if budget is not None and max(shares) < _HOPELESS:
            others = ", ".join(found[0].others)
            ask = f"; --budget may name another: {others}" if others else ""
            yield f"{kind}: hardly a turn keeps {budget.name} even without the fault, so that it shows little{ask}."


def _kind_sentences(lane: LaneOutcome, found: KindOutcome) -> Iterator[str]:
    impact, recovery = found.impact, found.recovery
    parts = []
    if impact.broken:
        when = (
            (impact.broken_before, "began before it"),
            (impact.broken_during, "began while it lasted"),
            (impact.broken_after, "began after it was mended"),
        )
        told = ", ".join(f"{count:,} {words}" for count, words in when if count)
        parts.append(f"of the turns over budget because of it {told}")
    if recovery.worst_ps is not None and recovery.before_ps is not None and recovery.after_ps != 0:
        worst = "failure" if recovery.worst_ps >= FOREVER else time_cell(recovery.worst_ps)
        among = f"of the turns that begin in {recovery.width_ps / PS_PER_S:.3g} s"
        parts.append(f"p95 was {time_cell(recovery.before_ps)} before and {worst} at the worst ({among})")
    if parts:
        text = "; ".join(parts)
        yield f"{lane.lane}, {found.kind}: {text}."


def _policies(study: DrillStudy, place: int) -> Grid:
    """Each policy's outcome of one drill, a row per agent kind, pipeline and policy."""
    titles = ("lost", "over\nbudget", "put off", "in budget,\n% with it", "longest\nturn", "longest\nsilence")
    grid = Grid(["agents", "pipeline", "policy", *titles, "back after", "computed\nagain"], num_labels=3)
    outcome = study.outcomes[place]
    for kind in _kinds(outcome):
        for lane in outcome.lanes:
            if kind not in lane.kinds:
                continue
            for i, found in enumerate(study.policies):
                names = ("" if i else kind, "" if i else lane.lane, found.policy)
                held = found.outcomes[place].lanes if found.outcomes else ()
                own = next((other for other in held if other.lane == lane.lane and kind in other.kinds), None)
                cells = ["-"] * 8 if own is None else _policy_cells(own, own.kinds[kind])
                grid.add(*names, *cells)
            grid.end_section()
    return grid


def _policy_cells(lane: LaneOutcome, found: KindOutcome) -> list[str]:
    impact = found.impact
    return [
        count_cell(impact.lost),
        count_cell(impact.broken),
        count_cell(impact.put_off - impact.brought_forward),
        _shares(impact).rpartition(" ")[2],
        time_cell(impact.longest_ps[1]),
        time_cell(found.silence_ps[1]),
        _back(found),
        "-" if lane.rework is None else _signed(lane.rework.again),
    ]
