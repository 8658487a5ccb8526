"""The search for a capacity: runs and time, against a scan of all numbers, which must say the same.

python benchmarks/capacity.py [--most 130] [--replicas 8]

Coding agents on trn-cs3 (95 of 100 turns in time) and on gpu (75 of 100), without other agents, on one thread.
"""

from __future__ import annotations

import argparse
import time

from subsecond.agents.plan_cache import PlanCache
from subsecond.agents.study.attainment import attainment, runs_for
from subsecond.agents.study.capacity import Question, capacity_study
from subsecond.agents.study.points import Point, lane_turns, load_base, plan_point
from subsecond.engine.outcome import lane_outcome


def compare(pipeline: str, percentile: float, most: int, replicas: int) -> None:
    base = load_base("playground", pipelines=[pipeline])
    question = Question(
        kind="coding", percentile=percentile, others="none", replicas=replicas, most=most, precision=0.0
    )
    capacity_study(base, Question(kind="coding", replicas=1, most=1))  # compiled, and read
    begin = time.perf_counter()
    study = capacity_study(base, question, threads=1)
    took = time.perf_counter() - begin
    (lane,) = study.lanes
    found = lane.boundary
    print(
        f"{pipeline}, {percentile:g} %: {found.load} sessions, surely kept {found.surely_kept}, "
        f"surely missed {found.surely_missed}"
    )
    print(f"  search: {len(found.trials)} numbers, {lane.runs} runs, {lane.turns:,} turns, {took:.1f} s")
    begin = time.perf_counter()
    cache, runs, kept = PlanCache(), 0, {}
    for load in range(1, most + 1):
        outcomes = []
        for seed in range(1, 1 + runs_for(load, replicas)):
            plan = plan_point(study.base, Point((f"coding.sessions={load}",), seed), cache)
            outcomes.append(lane_outcome(pipeline, plan.pipelines[pipeline], lane_turns(plan, pipeline), plan.budgets))
        share = attainment(outcomes, study.budget, 0.95)
        kept[load] = share is not None and 100 * share.value >= percentile
        runs += len(outcomes)
    took = time.perf_counter() - begin
    crossings = [load for load in range(1, most) if kept[load] and not kept[load + 1]]
    print(f"  scan: {most} numbers, {runs} runs, {took:.1f} s; kept and missed with one more: {crossings}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=130)
    parser.add_argument("--replicas", type=int, default=8)
    options = parser.parse_args()
    compare("trn-cs3", 95, options.most, options.replicas)
    compare("gpu", 75, options.most, options.replicas)


if __name__ == "__main__":
    main()
