"""`subsecond drill --weeks`: turns in budget over weeks in which servers stop by chance."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from subsecond.agents.plan_cache import PlanCache
from subsecond.agents.study.availability import LaneAvailability, Question, Reliability, long_run
from subsecond.agents.study.availability_document import document_of
from subsecond.agents.study.points import Base, Point, plan_point
from subsecond.engine.drills.availability import Part
from subsecond.engine.drills.long_run_words import (
    DUE,
    MINUTES_BELOW,
    cost_words,
    length_words,
    minutes_words,
    repair_words,
)
from subsecond.engine.drills.reliability import MTTR_S, POOLS
from subsecond.engine.errors import InputError
from subsecond.tui.instants import instant_ps
from subsecond.tui.widgets.text import clean, share_text

from .compare import main_budgets
from .grid import Grid, output_console, print_point
from .output import check_writable, write_json

__all__ = ["availability_command", "read_mtbf", "read_mttr"]

PS_PER_S = 10**12
_TIME = re.compile(r"(\d+(?:\.\d*)?|\.\d+) ?(h|d|w|y)", re.ASCII)
_HOURS: Final = {"h": 1.0, "d": 24.0, "w": 168.0, "y": 8766.0}
#: Most weeks: a century. Most that are simulated turn by turn.
_MOST_WEEKS, _MOST_DIRECT = 5218.0, 104.0


def read_mtbf(texts: Sequence[str]) -> dict[str, float]:
    """Mean times between failures in hours, by what stands before the sign.

    Raises:
        InputError: a text is not PART=TIME.
    """
    found = {}
    for text in texts:
        for one in text.split(","):
            part, sign, told = (word.strip() for word in one.partition("="))
            time = _TIME.fullmatch(told.lower())
            if not sign or time is None or part.rpartition(".")[2] not in POOLS or not float(time[1]):
                expected = "PART=TIME such as gpu=6330h or trn-cs3.decode=90d; parts are " + ", ".join(POOLS)
                raise InputError("--mtbf", "", one, expected)
            found[part] = float(time[1]) * _HOURS[time[2]]
    return found


def read_mttr(text: str | None) -> float:
    """Time to repair in seconds.

    Raises:
        InputError: it is none, or not from a second to a day.
    """
    if text is None:
        return MTTR_S
    try:
        seconds = instant_ps(text) / PS_PER_S
    except ValueError:
        seconds = 0.0
    if not 1.0 <= seconds <= 86_400.0:
        raise InputError("--mttr", "", text, "a time from 1 s to a day, such as 10m")
    return seconds


def availability_command(
    base: Base,
    *,
    weeks: float,
    mtbf: Sequence[str],
    mttr: str | None,
    direct: bool,
    replicas: int,
    budget: str | None,
    json_out: Path | None,
) -> None:
    """Reckon the long run and show it.

    Raises:
        InputError: an option or the scenario cannot be used.
    """
    if json_out is not None:
        check_writable(json_out)
    most = _MOST_DIRECT if direct else _MOST_WEEKS
    if not 1e-3 <= weeks <= most:
        raise InputError("--weeks", "", weeks, f"a number from 0.001 to {most:g}")
    question = Question(weeks, read_mtbf(mtbf), read_mttr(mttr), replicas, direct)
    plan = plan_point(base, Point())
    _check_parts(question.mtbf_h, list(plan.pipelines))
    main = main_budgets(plan.budgets, plan.workload.kinds, budget)
    lanes = long_run(base, question, main, cache=PlanCache())
    if json_out is not None:
        write_json(json_out, document_of(base.scenario.name, question, lanes))
    if str(json_out) != "-":
        console = output_console()
        _show(base.scenario.name, question, lanes, console)
        if base.scenario.faults:
            print_point(console, "The scenario's own faults are left out.")


def _check_parts(mtbf_h: Mapping[str, float], lanes: Sequence[str]) -> None:
    for part in mtbf_h:
        lane = part.rpartition(".")[0]
        if lane and lane not in lanes:
            raise InputError("--mtbf", "", part, "a pipeline of " + ", ".join(lanes))


def _show(name: str, asked: Question, lanes: Sequence[LaneAvailability], console: Console) -> None:
    title = f"{name} · turns in budget over {asked.weeks:g} weeks in which servers stop by chance"
    console.print(Text(clean(title), "bold"))
    for grid in (_parts(lanes), _outcomes(asked, lanes), _sensitivity(lanes)):
        grid.print(console)
    for text in _sentences(asked, lanes):
        print_point(console, text)


def _parts(lanes: Sequence[LaneAvailability]) -> Grid:
    """What can fail, a row per pool."""
    grid = Grid(["pipeline", "servers", "mtbf of one", "", "repair", "a year"], num_labels=2)
    for lane in lanes:
        for i, part in enumerate(lane.parts):
            what = f"{part.servers} x {part.pool} ({part.each:g} {part.device})"
            hours = f"{part.mtbf_h:,.0f} h"
            a_year = f"{part.incidents_per_s * 8766 * 3600:.2f}"
            row = (what, hours, part.provenance, length_words(part.mttr_s), a_year)
            grid.add("" if i else lane.lane, *row)
    return grid


def _outcomes(asked: Question, lanes: Sequence[LaneAvailability]) -> Grid:
    titles = [
        "in budget without\nfailures",
        "of turns due,\nwith them",
        "lost to\nfailures",
        "nines",
        "minutes below\na week",
    ]
    if asked.direct:
        titles += ["simulated:\nincidents", "lost"]
    grid = Grid(["agents", "pipeline", *titles], num_labels=2)
    for kind in dict.fromkeys(kind for lane in lanes for kind in lane.kinds):
        for i, lane in enumerate(own for own in lanes if kind in own.kinds):
            found = lane.kinds[kind]
            result = found.result
            cells = [
                _share(found.baseline.attainment),
                _share(result.share),
                _lost(result.lost),
                "-" if result.nines is None else f"{result.nines:.1f}",
                minutes_words(found.baseline.below, result.below_s, asked.weeks),
            ]
            if asked.direct and found.direct is not None:
                calm, struck = found.direct
                cells += [f"{lane.incidents:,}", _lost(1 - struck.met / calm.met) if calm.met else "-"]
            grid.add("" if i else kind, lane.lane, *cells)
        grid.end_section()
    return grid


def _share(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.3f} %"


def _lost(share: float) -> str:
    """A share that may be tiny, in per cent with two digits that count."""
    return "-" if share == 0 else f"{100 * share:.2g} %"


def _sensitivity(lanes: Sequence[LaneAvailability]) -> Grid:
    """What comes of it if an mtbf that is not public were ten times shorter or longer."""
    grid = Grid(["not public:", "mtbf of one", "agents", "lost to\nfailures", "nines"], num_labels=3)
    for lane in lanes:
        for found in lane.kinds.values():
            for (pool, factor), result in found.sensitivity.items():
                part = next(part for part in lane.parts if part.pool == pool)
                nines = "-" if result.nines is None else f"{result.nines:.1f}"
                hours = f"{factor * part.mtbf_h:,.0f} h"
                grid.add(f"{lane.lane} {pool}", hours, found.kind, _lost(result.lost), nines)
            if found.sensitivity:
                grid.end_section()
    return grid


def _sentences(asked: Question, lanes: Sequence[LaneAvailability]) -> Iterator[str]:
    for lane in lanes:
        if not lane.kinds:
            continue
        result = next(iter(lane.kinds.values())).result
        yield (
            f"{lane.lane}: {result.incidents:.2g} incidents to be expected in {asked.weeks:g} weeks, at least one with "
            f"a probability of {share_text(result.any_incident)}, and {100 * result.overlap:.2g} % meet another one."
        )
        for kind, found in lane.kinds.items():
            yield f"{lane.lane}, {kind}: an incident costs {_costs(lane.parts, found)}."
    for source in dict.fromkeys(f"{part.pool}, {part.device}: {part.source}" for lane in lanes for part in lane.parts):
        yield f"mtbf of {source}."
    yield repair_words(asked.mttr_s)
    yield DUE
    yield MINUTES_BELOW
    budgets = {found.budget.name: found.budget for lane in lanes for found in lane.kinds.values()}
    yield (
        "Budgets: "
        + "; ".join(f"{b.agents} {b.name}, {b.shown} for {b.percentile:g} %" for b in budgets.values())
        + "."
    )


def _costs(parts: Sequence[Part], found: Reliability) -> str:
    return ", ".join(cost_words(cost, part.pool) for part, cost in zip(parts, found.costs, strict=True))
