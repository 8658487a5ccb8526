"""The long run from what an incident costs, against all incidents simulated one after the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.courses import BUDGET, S, course
from support.plans import plan
from support.small import MS, colocated, disaggregated, workload

from subsecond.agents.study.availability import Question, counts_of, incident_costs, long_run, run_course
from subsecond.agents.study.points import load_base
from subsecond.engine.budgets import Budget
from subsecond.engine.core.config import Pipeline
from subsecond.engine.drills.availability import Baseline, Part, availability_of, breakdowns
from subsecond.engine.errors import InputError
from subsecond.engine.run import Plan
from subsecond.engine.scenario import FaultTable

OWN = Budget("own", "coding", 20 * MS, None, None, 90.0, "test")
HOUR = 3600.0
GPU = Part("gpu", "h100", 8, 1, "gpu_down", 4.0 / HOUR, 0.15, "assumed", "test")
DECODE = Part("decode", "wse-3", 4, 1, "decode_down", 4.0 / HOUR, 0.15, "assumed", "test")


def endless(core: Pipeline, seconds: float, seed: int) -> Plan:
    """Sessions whose pauses are drawn, so that an incident meets another moment in each run."""
    work = workload(sessions=6, requests=round(seconds * 24), prompt=40, output=10)
    generator = np.random.default_rng(seed)
    pauses = generator.integers(20 * MS, 80 * MS, len(work.gap_ps))
    prompts = generator.integers(20, 400, len(work.gap_ps)).astype(np.int32)
    work = replace(work, gap_ps=pauses, prompt_tokens=prompts, reuse_tokens=np.zeros_like(prompts))
    return plan(work, {"lane": core}, duration_s=seconds, seed=seed, warm_up_s=0.2)


@pytest.mark.parametrize(
    ("core", "part"),
    [
        (replace(colocated(), detect_ps=30 * MS), GPU),
        (replace(disaggregated(), detect_ps=30 * MS), DECODE),
    ],
)
def test_the_shortcut_agrees_with_all_incidents_simulated(core: Pipeline, part: Part) -> None:
    span = 300.0
    # directly: every breakdown of one long run
    long = endless(core, span, seed=1)
    downs = [(server, d) for server in range(part.servers) for d in breakdowns(part, server, span - 1.0, 7)]
    assert len(downs) > 40
    faults = [FaultTable(part.fault, begin, end - begin, None, server) for server, (begin, end) in downs]
    calm = counts_of(run_course(long, "lane", (), None), "coding", OWN)
    direct = counts_of(run_course(long, "lane", faults, None), "coding", OWN)
    # by what an incident costs, in short runs of other sessions
    plans = [endless(core, 2.2, seed) for seed in range(100, 124)]
    counts, costs = incident_costs(plans, "lane", [part], 1.0, {"coding": OWN})
    short = counts["coding"]
    baseline = Baseline(short.met / short.span_s, short.judged / short.span_s, 0.0)
    assert baseline.attainment == pytest.approx(calm.met / calm.judged, abs=0.02)
    per_incident, (cost,) = (calm.met - direct.met) / len(downs), costs["coding"]
    # breakdowns are as many as they happened to be; what each costs is what is held against the shortcut
    assert cost.met == pytest.approx(per_incident, abs=4 * cost.met_error + 0.05 * abs(per_incident))
    assert abs(per_incident) > 4 * cost.met_error > 0
    found = availability_of(baseline, [(part, cost)], span, 0.3)
    assert found.share is not None
    expected = (direct.met / calm.judged) / (calm.met / calm.judged)
    assert 1 - found.lost == pytest.approx(expected, abs=0.02)
    assert found.lost > 0.005
    assert found.incidents == pytest.approx(len(downs), rel=0.35)


def test_minutes_below_the_percentile_are_counted() -> None:
    # a minute in budget, one out of it, one without turns, one in budget
    start = [float(s) for s in [*range(60), *range(60, 120), *range(180, 240)]]
    took = [0.5] * 60 + [0.5] * 56 + [2.0] * 4 + [0.5] * 60
    found = counts_of(course(start, took, stop_s=240.0), "coding", BUDGET)
    assert (found.met, found.judged, found.below_s, found.span_s) == (176, 180, 120.0, 240.0)
    assert counts_of(course([], [], stop_s=60.0), "coding", BUDGET).judged == 0


def test_weeks_of_a_scenario() -> None:
    base = load_base("playground", settings=["coding.sessions=4", "voice.sessions=6", "gpu.replicas=2"])
    main = {kind: Budget("own", kind, 3 * S, None, None, 90.0, "test") for kind in ("coding", "voice")}
    question = Question(weeks=0.02, mtbf_h={"gpu": 1.0, "decode": 1.0}, mttr_s=300.0, replicas=2, direct=True)
    lanes = {lane.lane: lane for lane in long_run(base, question, main)}
    again = {lane.lane: lane for lane in long_run(base, question, main, threads=1)}
    for name, lane in lanes.items():
        assert lane.kinds == again[name].kinds
        assert lane.incidents == again[name].incidents
        assert lane.incidents
        for found in lane.kinds.values():
            assert found.result.share is not None
            assert found.direct is not None
            calm, struck = found.direct
            assert calm.span_s == struck.span_s == pytest.approx(0.02 * 7 * 86_400)
            assert found.result.lost > -0.05
    assert {key[0] for key in lanes["trn-cs3"].kinds["voice"].sensitivity} == {"prefill"}
    assert lanes["gpu"].kinds["voice"].sensitivity == {}
    # one of two nodes down is less than all of the only decode group down
    assert lanes["gpu"].kinds["voice"].costs[0].judged < lanes["trn-cs3"].kinds["voice"].costs[1].judged


def test_a_trace_has_no_long_run() -> None:
    base = load_base("playground", settings=["agents.0.arrival_rate_per_s=0.5"])
    with pytest.raises(InputError, match="rate"):
        long_run(base, Question(1.0, {}, 600.0), {"coding": OWN})
