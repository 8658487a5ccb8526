"""What is in a recording, in one document: the run, how it ended, and what each lane came to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from subsecond.engine.errors import InputError
from subsecond.engine.feed import Annotation, FaultNote, Hello, Notice, OutsideAgent
from subsecond.engine.metrics import quantiles_ps
from subsecond.engine.turns import TurnState

from .opening import reading
from .places import companions, writer_of
from .reader import Metadata, Recording
from .schema import met_columns

__all__ = ["BudgetSummary", "GroupSummary", "KnobSummary", "LaneSummary", "Summary", "end_of", "summarise"]

Int64 = NDArray[np.int64]


class BudgetSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A budget on a lane; `attainment` is the share of turns that met it, None without any.

    As in the results of a run: a turn that failed has missed it, one that was cancelled does not count, one that is
    open has missed it once it has waited longer than the limit.
    """

    name: str
    agents: str
    turn_ps: int | None
    ttft_ps: int | None
    tpot_ps: int | None
    percentile: float
    met: int
    missed: int
    attainment: float | None
    is_kept: bool


class GroupSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Turns of an agent kind on a lane; quantiles are over those that were answered, None without any."""

    agents: str
    turns: int
    answered: int
    failed: int
    cancelled: int
    pending: int
    p50_ps: int | None
    p95_ps: int | None


class LaneSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A lane; `not_public` are its parameters that nobody outside knows, of `parameters` in all."""

    name: str
    label: str
    model: str
    status: str
    servers: int
    parameters: int
    not_public: tuple[str, ...]
    agents: tuple[GroupSummary, ...]
    budgets: tuple[BudgetSummary, ...]


class KnobSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter that was changed while the run went on."""

    at_ps: int
    lane: str
    key: str
    value: float | str | bool


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A recording.

    Attributes:
        size_bytes: with the log that lies beside it while it is written.
        end: `finished`, `being written`, or `cut off`: its writer has died.
        duration_ps: time of the last thing that happened so far.
        settings: the scenario as read, with all that was set; turns that began before its `warm_up_s` are not counted.
        outside_agents: the latest about each.
        notices: warnings and errors.
        contents: how many texts of outside agents were recorded.
    """

    schema: str = "subsecond.recording/1"
    file: str
    size_bytes: int
    format: int
    run: str
    scenario: str
    title: str
    seed: int
    driver: str
    created_unix_s: float
    package_version: str
    catalog_digest: str
    digest: str | None
    end: str
    duration_ps: int
    dropped_gauges: int
    settings: dict[str, Any]
    lanes: tuple[LaneSummary, ...]
    faults: tuple[FaultNote, ...]
    knobs: tuple[KnobSummary, ...]
    annotations: tuple[Annotation, ...]
    notices: tuple[Notice, ...]
    outside_agents: tuple[OutsideAgent, ...]
    contents: int


def summarise(recording: Recording) -> Summary:
    """The document about a recording.

    Raises:
        InputError: the recording turns out to be damaged.
    """
    hello, meta, path = recording.hello(), recording.metadata(), recording.path
    return Summary(
        file=str(path),
        size_bytes=_size_bytes(path),
        format=meta.format,
        run=hello.run,
        scenario=hello.scenario,
        title=hello.title,
        seed=hello.seed,
        driver=meta.driver,
        created_unix_s=meta.created_unix_s,
        package_version=meta.package_version,
        catalog_digest=meta.catalog_digest,
        digest=meta.digest,
        end=end_of(meta, path),
        duration_ps=recording.duration_ps,
        dropped_gauges=meta.dropped_gauges,
        settings=meta.tables,
        lanes=tuple(_lane(recording, place, meta.warm_up_ps) for place in range(len(hello.lanes))),
        faults=tuple(recording.faults()),
        knobs=tuple(
            KnobSummary(at_ps=at_ps, lane=knob.lane, key=knob.key, value=knob.value)
            for at_ps, knob in recording.knobs()
        ),
        annotations=tuple(recording.annotations()),
        notices=tuple(notice for notice in recording.notices() if notice.level != "info"),
        outside_agents=tuple(recording.outside_agents()),
        contents=recording.num_contents,
    )


def end_of(meta: Metadata, path: Path) -> str:
    """How the run of a recording ended, in words."""
    if meta.is_finished:
        return "finished"
    return "cut off" if writer_of(path.absolute()) is None else "being written"


def _size_bytes(path: Path) -> int:
    try:
        log = companions(path)[0]
        return path.stat().st_size + (log.stat().st_size if log.exists() else 0)
    except OSError as error:
        raise InputError(str(path), "", error.strerror or "nothing", "a recording that can be read") from None


def _lane(recording: Recording, place: int, from_ps: int) -> LaneSummary:
    hello = recording.hello()
    info = hello.lanes[place]
    names = met_columns(hello)
    agent, state, latency, *met = recording.numbers(("agent", "state", "latency_ps", *names), place, from_ps)
    with reading(recording.path):
        if len(agent) and not (agent.min() >= 0 and agent.max() < len(hello.agents)):
            raise ValueError("a turn of an agent kind that there is not")
    return LaneSummary(
        name=info.name,
        label=info.label,
        model=info.model,
        status=info.status,
        servers=len(info.servers),
        parameters=len(info.parameters),
        not_public=tuple(parameter.key for parameter in info.parameters if parameter.provenance == "not public"),
        agents=tuple(
            _group(name, state[agent == kind], latency[agent == kind]) for kind, name in enumerate(hello.agents)
        ),
        budgets=_budgets(hello, state, met),
    )


def _group(name: str, state: Int64, latency_ps: Int64) -> GroupSummary:
    counts = {one: int(np.count_nonzero(state == one)) for one in TurnState}
    quantiles = quantiles_ps(latency_ps[state == TurnState.ANSWERED])
    return GroupSummary(
        agents=name,
        turns=len(state),
        answered=counts[TurnState.ANSWERED],
        failed=counts[TurnState.FAILED],
        cancelled=counts[TurnState.CANCELLED],
        pending=counts[TurnState.PENDING],
        p50_ps=quantiles.get("p50"),
        p95_ps=quantiles.get("p95"),
    )


def _budgets(hello: Hello, state: Int64, columns: list[Int64]) -> tuple[BudgetSummary, ...]:
    counting = state != TurnState.CANCELLED
    found = []
    for budget, column in zip(hello.budgets, columns, strict=True):
        met, missed = (int(np.count_nonzero((column == value) & counting)) for value in (1, 0))
        share = met / (met + missed) if met + missed else None
        found.append(
            BudgetSummary(
                name=budget.name,
                agents=budget.agents,
                turn_ps=budget.turn_ps,
                ttft_ps=budget.ttft_ps,
                tpot_ps=budget.tpot_ps,
                percentile=budget.percentile,
                met=met,
                missed=missed,
                attainment=share,
                is_kept=share is None or 100 * share >= budget.percentile,
            )
        )
    return tuple(found)
