"""Plans made of small pipelines, and drivers whose wall clock a test moves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from subsecond.engine.budgets import Budget
from subsecond.engine.core.config import Pipeline, Workload
from subsecond.engine.faults import faults_of
from subsecond.engine.latency.pipelines import BuiltPipeline
from subsecond.engine.live.clock import PacedClock
from subsecond.engine.live.driver import LiveDriver
from subsecond.engine.run import Plan
from subsecond.engine.scenario import parse_scenario

from .small import MS, colocated, disaggregated, workload

__all__ = ["Hand", "driver", "plan", "tool_turns"]


class Hand:
    """A wall clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def tool_turns(work: Workload) -> Workload:
    """The same requests, two to a turn, with stages around them."""
    turn = np.arange(work.num_requests) // 2
    count = int(turn[-1]) + 1
    gap = work.gap_ps + np.where(np.arange(work.num_requests) % 2 == 0, 5 * MS, 0)
    hold = np.full(work.num_requests, 4 * MS)
    before = {"endpointing": np.full(count, 3 * MS), "speech_to_text": np.full(count, 2 * MS)}
    return replace(
        work,
        session_start_ps=work.session_start_ps + 5 * MS,
        turn=turn,
        gap_ps=gap,
        hold_ps=hold,
        before_ps=before,
        after_ps={"text_to_speech": np.full(count, 4 * MS)},
    )


def plan(work: Workload | None = None, cores: dict[str, Pipeline] | None = None, **tables: object) -> Plan:
    cores = cores or {"gpu": colocated(), "split": disaggregated()}
    scenario = {"pipelines": {n: {} for n in cores}, "agents": [{"kind": "coding", "sessions": 1}], **tables}
    read = parse_scenario(scenario, Path("small.toml"))
    work = work or tool_turns(workload(sessions=6, requests=4, kinds=("coding", "voice")))
    return Plan(
        scenario=read,
        workload=work,
        pipelines={n: BuiltPipeline(n, n, "tiny", "shipping", core, {}, {}) for n, core in cores.items()},
        faults=faults_of(read.faults, cores, "small.toml"),
        budgets=(Budget("own", "coding", 20 * MS, None, None, 95.0, "test"),),
    )


def driver(chosen: Plan, hand: Hand, speed: float = 20.0, *, keep: bool = False) -> LiveDriver:
    return LiveDriver(chosen, PacedClock(speed, hand), compiled=False, keep_population=keep)
