"""Where the answer flips: who keeps a budget, over the length of contexts and the sessions at work at once."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from subsecond.agents.plan_cache import PlanCache
from subsecond.engine.budgets import Budget
from subsecond.engine.catalog import Catalog, catalog
from subsecond.engine.confidence import Share
from subsecond.engine.errors import InputError
from subsecond.engine.outcome import LaneOutcome, merged

from .attainment import attainment_or_refusal, runs_for
from .choice import Choice, choose
from .contexts import scaled_parameters
from .points import Base, Point, run_point, side_by_side, steadied
from .single import single_out

__all__ = ["DEFAULT_CONTEXTS", "DEFAULT_SESSIONS", "Cell", "FlipMap", "MapQuestion", "Side", "flip_map"]

DEFAULT_CONTEXTS = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
DEFAULT_SESSIONS = (1, 16, 64, 128, 256, 512)
#: Most cells of a map.
MOST_CELLS = 10_000

#: Called with the runs done so far.
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class MapQuestion:
    """What is asked.

    Attributes:
        contexts: factors on the contexts of the agents in question, ascending.
        sessions: of these agents, at work all the time, ascending.
        others: the scenario's other agents: `held` or `none`.
        replicas: runs of each cell, at least, each with other sessions; all cells get the same ones.
        duration_s, warm_up_s: of each run; None: as `steadied` chooses.
    """

    kind: str | None = None
    budget: str | None = None
    percentile: float | None = None
    contexts: tuple[float, ...] = DEFAULT_CONTEXTS
    sessions: tuple[int, ...] = DEFAULT_SESSIONS
    others: str = "held"
    replicas: int = 4
    confidence: float = 0.95
    duration_s: float | None = None
    warm_up_s: float | None = None

    def __post_init__(self) -> None:
        for option, values, least, most in (
            ("--contexts", self.contexts, 0.001, 100.0),
            ("--sessions", self.sessions, 1, 100_000),
        ):
            is_ascending = all(low < high for low, high in itertools.pairwise(values))
            if not values or not is_ascending or not least <= values[0] <= values[-1] <= most:
                shown = ",".join(f"{value:g}" for value in values)
                raise InputError(option, "", shown, f"numbers from {least:g} to {most:g} that ascend")
        if len(self.contexts) * len(self.sessions) > MOST_CELLS:
            raise InputError("--sessions", "", len(self.sessions), f"at most {MOST_CELLS:,} cells in all")
        if not 1 <= self.replicas <= 1000:
            raise InputError("--replicas", "", self.replicas, "a whole number from 1 to 1000")
        if self.others not in ("held", "none"):
            raise InputError("--others", "", self.others, "held or none")


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One pipeline in one cell, all runs together."""

    share: Share
    outcome: LaneOutcome
    target: float

    @property
    def is_kept(self) -> bool:
        return self.share.value >= self.target

    @property
    def is_sure(self) -> bool:
        """Whether the whole interval says the same."""
        low, high = self.share.low, self.share.high
        return low is not None and high is not None and (low >= self.target or high < self.target)


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """Both pipelines at one length of contexts and one number of sessions."""

    first: Side
    second: Side
    kind: str

    @property
    def who(self) -> str:
        """Who keeps the budget: `both`, `first`, `second` or `neither`."""
        if self.first.is_kept:
            return "both" if self.second.is_kept else "first"
        return "second" if self.second.is_kept else "neither"

    @property
    def is_sure(self) -> bool:
        return self.first.is_sure and self.second.is_sure

    @property
    def ratio(self) -> float | None:
        """The second pipeline's p95 over the first one's; None where one answered nothing."""
        first, second = (side.outcome.groups[self.kind].latency_ps.get("p95") for side in (self.first, self.second))
        return None if not first or not second else second / first


@dataclass(frozen=True, slots=True, eq=False)
class FlipMap:
    """The map of two pipelines.

    Attributes:
        mean_prompts: mean prompt in tokens of the requests of each row, as measured.
        cells: rows by context, columns by sessions.
        runs: of the scenario, on both pipelines.
    """

    question: MapQuestion
    base: Base
    budget: Budget
    lanes: tuple[str, str]
    mean_prompts: tuple[float, ...]
    cells: tuple[tuple[Cell, ...], ...]
    runs: int


def flip_map(
    base: Base, question: MapQuestion, *, threads: int | None = None, progress: Progress | None = None
) -> FlipMap:
    """Draw the map of a base with two pipelines.

    Args:
        threads: runs side by side; None: one for every processor. The result does not depend on it.

    Raises:
        InputError: not two pipelines, or something in the scenario or the question cannot be used.
    """
    cache = PlanCache()
    names = list(base.scenario.pipelines)
    if len(names) != 2:
        raise InputError("--pipelines", "", ", ".join(names), "two pipelines, to hold one against the other")
    choice = choose(base, kind=question.kind, budget=question.budget, percentile=question.percentile, cache=cache)
    own, place = single_out(choice.base, choice.kind, alone=question.others == "none")
    field = steadied(own, duration_s=question.duration_s, warm_up_s=question.warm_up_s)
    rows = [_with_contexts(field, place, factor) for factor in question.contexts]
    first = field.scenario.seed
    jobs = [
        (row, sessions, seed)
        for row in rows
        for sessions in question.sessions
        for seed in range(first, first + runs_for(sessions, question.replicas))
    ]

    def run(job: tuple[Base, int, int]) -> list[LaneOutcome]:
        row, sessions, seed = job
        return run_point(row, Point((f"agents.{place}.sessions={sessions}",), seed), cache=cache)

    found: list[list[LaneOutcome]] = []
    for outcomes in side_by_side(run, jobs, threads):
        found.append(outcomes)
        if progress is not None:
            progress(len(found))
    ends = iter(found)
    cells = tuple(
        tuple(
            _cell([next(ends) for _ in range(runs_for(sessions, question.replicas))], choice, question, field)
            for sessions in question.sessions
        )
        for _ in rows
    )
    prompts = tuple(_mean_prompt(row, choice.kind) for row in cells)
    return FlipMap(question, field, choice.budget, (names[0], names[1]), prompts, cells, len(found))


def _with_contexts(base: Base, place: int, factor: float) -> Base:
    scenario = base.scenario
    facts = Catalog(scenario.catalog, scenario.where) if scenario.catalog else catalog()
    tables = copy.deepcopy(base.tables)
    tables["agents"][place]["parameters"] = scaled_parameters(scenario.agents[place], factor, facts)
    return replace(base, tables=tables)


def _cell(runs: Sequence[Sequence[LaneOutcome]], choice: Choice, question: MapQuestion, field: Base) -> Cell:
    sides, budget, scenario = [], choice.budget, field.scenario
    for lane in zip(*runs, strict=True):
        share = attainment_or_refusal(lane, budget, question.confidence, scenario)
        sides.append(Side(share, merged(lane), choice.target))
    return Cell(sides[0], sides[1], budget.agents)


def _mean_prompt(row: Sequence[Cell], kind: str) -> float:
    groups = [side.outcome.groups[kind] for cell in row for side in (cell.first, cell.second)]
    requests = sum(group.requests for group in groups)
    return sum(group.prompt_tokens for group in groups) / requests if requests else 0.0
