"""Drills on small pipelines: turns are conserved, and what nothing touches does not change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.plans import plan, tool_turns
from support.small import MS, colocated, disaggregated, workload

from subsecond.agents.study.drilling import (
    BEFORE_S,
    Stage,
    drill_of_scenario,
    pairs_of,
    run_drills,
    set_stage,
)
from subsecond.agents.study.points import Point, load_base, plan_point
from subsecond.engine.comparison.sides import sides_of
from subsecond.engine.core.config import Policy
from subsecond.engine.core.engine import Engine, simulate
from subsecond.engine.drills.catalog import Drill, Step, drill_named, own_drill, shipped_drills
from subsecond.engine.drills.course import Fate, course_of, course_of_side, fates, paired
from subsecond.engine.drills.impact import Impact, impact_of
from subsecond.engine.drills.outcome import Pair
from subsecond.engine.drills.silence import longest_silence_ps
from subsecond.engine.drills.striking import strike
from subsecond.engine.drills.windows import spans_of, strip_of
from subsecond.engine.drills.work import repeated_tokens, rework_of
from subsecond.engine.errors import InputError
from subsecond.engine.faults import FAULT_KINDS, changes
from subsecond.engine.hello import hello_of
from subsecond.engine.recording.from_run import turn_table
from subsecond.engine.run import Plan, run_plan
from subsecond.engine.turns import TurnState, turns_of

S = 10**12
CORES = {
    f"{name}-{policy.name.lower()}": replace(
        core, prefill_lost=policy, decode_lost=policy, handoff_lost=policy, detect_ps=2 * MS, retry_ps=MS
    )
    for name, core in (("gpu", colocated(servers=2)), ("split", disaggregated(decoders=2)))
    for policy in (Policy.RETRY, Policy.REPREFILL, Policy.FAIL)
}
CORES["split-fallback"] = replace(
    CORES["split-retry"],
    fallback=colocated().entry,
    **dict.fromkeys(("prefill_lost", "decode_lost", "handoff_lost"), Policy.FALLBACK),
)
KINDS = (
    "prefill_down",
    "decode_down",
    "gpu_down",
    "link_cut",
    "link_degraded",
    "handoff_loss",
    "throttle",
    "stall",
    "slow",
)
VALUES = {"link_degraded": 0.25, "handoff_loss": 0.5, "throttle": 0.5, "slow": 4.0}

steps_drawn = st.lists(
    st.builds(
        lambda kind, at, length, target: Step(
            kind, kind, None, at / 1000, length / 1000, VALUES.get(kind), target, "all"
        ),
        st.sampled_from(FAULT_KINDS),
        st.integers(1, 80),
        st.integers(1, 60),
        st.integers(0, 1),
    ),
    min_size=1,
    max_size=4,
)


def small_plan(sessions: int = 6, seed: int = 1) -> Plan:
    work = tool_turns(workload(sessions=sessions, requests=6, kinds=("coding", "voice")))
    return plan(work, CORES, duration_s=0.15, seed=seed)


def held(chosen: Plan, steps: list[Step], lane: str) -> Pair | None:
    drill = own_drill("test", steps)
    begin = drill.begin_s or 0.0
    found = strike(drill, {lane: CORES[lane]}, begin, "test")[lane]
    (pair,) = pairs_of(chosen, lane, [found], compiled=False)
    return pair


def impact(chosen: Plan, pair: Pair, kind: str, begin_ps: int = 0) -> Impact:
    return impact_of(pair.without, pair.with_fault, kind, chosen.budgets, begin_ps, None)


@settings(derandomize=True, database=None, deadline=None, max_examples=60)
@given(steps_drawn, st.sampled_from(list(CORES)), st.integers(1, 5))
def test_drills_conserve_turns(steps: list[Step], lane: str, seed: int) -> None:
    chosen = small_plan(seed=seed)
    pair = held(chosen, steps, lane)
    if pair is None:
        return
    begin = min(step.after_s for step in steps)
    begin_ps = round(begin * S)
    total = 0
    for kind in chosen.workload.kinds:
        found = impact(chosen, pair, kind, begin_ps)
        total += int(found.table.sum())
        # each turn of the workload is there without and with the fault, and has one end in each
        assert found.turns[0] == np.count_nonzero(pair.without.of_kind(kind) & pair.without.counted)
        assert found.turns[1] == np.count_nonzero(pair.with_fault.of_kind(kind) & pair.with_fault.counted)
    assert total == chosen.workload.num_turns
    # what has ended when the fault strikes has ended in the same way
    ended = pair.without.counted & (pair.without.start_ps + pair.without.latency_ps < begin_ps)
    ended &= pair.without.state != 0
    for name in ("state", "start_ps", "latency_ps", "ttft_ps"):
        assert (getattr(pair.without, name)[ended] == getattr(pair.with_fault, name)[ended]).all()
    early = pair.without.counted & (pair.without.start_ps < begin_ps)
    assert (pair.with_fault.start_ps[early] == pair.without.start_ps[early]).all()
    assert pair.rework.struck[1] <= chosen.workload.num_turns
    assert pair.rework.attempts[0] == 0
    if not pair.rework.attempts[1] and not any(pair.rework.preemptions):
        assert pair.rework.repeated == 0
    work = pair.rework
    assert min(work.cold, work.repeated, work.spared) >= 0
    assert work.again == work.cold + work.repeated


@settings(derandomize=True, database=None, deadline=None, max_examples=40)
@given(st.sampled_from(list(CORES)), st.integers(1, 150), st.integers(1, 5))
def test_without_losses_no_token_is_computed_twice(lane: str, stop_ms: int, seed: int) -> None:
    chosen = small_plan(seed=seed)
    engine = Engine(CORES[lane], chosen.workload, compiled=False)
    engine.run_until(stop_ms * MS)
    results = engine.results()
    assume(not any(server.preemptions for server in results.servers))
    turns = turns_of(chosen.workload, results, stop_ms * MS)
    assert repeated_tokens(turns, engine.computed_under_way()) == 0


@pytest.mark.parametrize("lane", CORES)
@pytest.mark.parametrize(
    "step",
    [
        Step("stall", "stall", after_s=0.149, duration_s=5.0),  # after the last turn has ended
        Step("handoff_loss", "throttle", after_s=0.02, duration_s=0.05, value=0.0),
        Step("slow", "slow", after_s=0.02, duration_s=0.05, value=1.0),
        Step("link_degraded", "slow", after_s=0.02, duration_s=0.05, value=1.0),
    ],
)
def test_a_fault_that_touches_nothing_changes_nothing(step: Step, lane: str) -> None:
    chosen = small_plan(sessions=2)
    pair = held(chosen, [step], lane)
    assert pair is not None
    for kind in chosen.workload.kinds:
        found = impact(chosen, pair, kind)
        assert found.table.sum() == np.trace(found.table) > 0
        assert found.slower_ps == 0
        assert found.longest_ps[0] == found.longest_ps[1]
        assert pair.silence_ps[kind][0] == pair.silence_ps[kind][1] > 0
    work = pair.rework
    assert (work.again, work.cold, work.repeated, work.spared) == (0, 0, 0, 0)
    assert work.computed[0] == work.computed[1]


def test_a_longer_stall_is_never_better() -> None:
    """A stall holds everything back, so that the turns it finds at work end no sooner if it lasts longer."""
    chosen = small_plan(sessions=1)
    before = 0
    for length in (1, 5, 20, 60):
        pair = held(chosen, [Step("stall", "stall", after_s=0.02, duration_s=length / 1000)], "gpu-retry")
        assert pair is not None
        took = pair.with_fault.latency_ps[pair.with_fault.state == 1]
        assert int(took.max()) >= before
        before = int(took.max())
    assert before >= 50 * MS


def test_all_requests_refused_are_all_lost_turns() -> None:
    chosen = small_plan()
    step = Step("throttle", "throttle", after_s=0.0, duration_s=1.0, value=1.0)
    pair = held(chosen, [step], "gpu-fail")
    assert pair is not None
    found = impact(chosen, pair, "coding")
    assert found.met[1] == 0
    assert found.lost > 0
    assert found.table[:, Fate.FAILED].sum() == found.failed[1] == found.lost


def test_lost_caches_are_computed_again() -> None:
    chosen = plan(workload(sessions=4, requests=6, gap_ps=10 * MS), CORES, duration_s=1.0)
    pair = held(chosen, [Step("gpu_down", "gpu_down", after_s=0.03, duration_s=0.001)], "gpu-reprefill")
    assert pair is not None
    assert pair.rework.cold > 0
    more = pair.rework.computed[1] - pair.rework.computed[0]
    assert pair.rework.again - pair.rework.spared == more  # nothing is open at the end, so that all of it is told apart


def test_what_one_run_computes_again_the_other_way_round_is_spared() -> None:
    core = CORES["gpu-reprefill"]
    work = workload(sessions=4, requests=6, gap_ps=10 * MS)
    drill = own_drill("t", [Step("gpu_down", "gpu_down", after_s=0.035, duration_s=0.01)])
    spells = strike(drill, {"gpu": core}, 0.035, "test")["gpu"].spells
    runs = [turns_of(work, simulate(core, work, changes(found), compiled=False)) for found in ((), spells)]
    there, back = rework_of(core, runs[0], runs[1]), rework_of(core, runs[1], runs[0])
    assert there.cold > 0
    assert there.repeated > 0
    assert (back.again, back.spared) == (there.spared, there.again)


@settings(derandomize=True, database=None, deadline=None, max_examples=40)
@given(steps_drawn, st.sampled_from([lane for lane in CORES if "fail" not in lane]), st.integers(1, 5))
def test_where_everybody_is_answered_the_work_adds_up(steps: list[Step], lane: str, seed: int) -> None:
    work = tool_turns(workload(sessions=6, requests=6, kinds=("coding", "voice")))
    chosen = plan(work, CORES, duration_s=5.0, seed=seed)
    pair = held(chosen, steps, lane)
    assume(pair is not None)
    assert pair is not None
    for course in (pair.without, pair.with_fault):
        assume(bool((course.state == TurnState.ANSWERED).all()))
    rework = pair.rework
    assert rework.again - rework.spared == rework.computed[1] - rework.computed[0]
    assert rework.cold + rework.repeated == rework.again >= 0
    assert rework.spared >= 0


@pytest.mark.parametrize("lane", CORES)
def test_the_longest_silence_is_that_of_every_token(lane: str) -> None:
    work = workload(sessions=5, requests=3, output=40)
    found = strike(
        own_drill("t", [Step("decode_down", "gpu_down", after_s=0.004, duration_s=0.03, target=0)]),
        {lane: CORES[lane]},
        0.004,
        "test",
    )[lane]
    engine = Engine(CORES[lane], work, changes(found.spells), compiled=False, keep_journal=True)
    engine.run()
    results = engine.results()
    longest = 0
    for request, times in enumerate(engine.token_times()):
        heard = [results.arrival_ps[request], *(times + MS), results.finish_ps[request] + MS]
        longest = max(longest, *np.diff(heard))
    every = np.ones(work.num_requests, bool)
    assert longest_silence_ps(engine, every, results.end_ps) == longest
    some = np.array([3, 1])
    for got, want in zip(engine.token_times(some), [engine.token_times()[i] for i in some], strict=True):
        assert (got == want).all()


@pytest.fixture(scope="module")
def stage() -> Stage:
    base = load_base("playground", settings=["coding.sessions=6", "voice.sessions=6", "model='gpt-oss-20b'"])
    return set_stage(base, [drill_named("server-lost")])


def test_the_stage_has_a_constant_load_and_room_for_the_drill(stage: Stage) -> None:
    assert stage.is_steady
    scenario = stage.base.scenario
    assert all(agents.steady for agents in scenario.agents)
    assert stage.begin_s == scenario.warm_up_s + BEFORE_S
    assert scenario.duration_s is not None
    assert scenario.duration_s >= stage.begin_s + 60 + 600


def test_drills_are_the_same_whoever_runs_them_when(stage: Stage) -> None:
    names = ("server-lost", "router-stall")
    both = run_drills(stage, [drill_named(name) for name in names], [1, 2], threads=2)
    for place, name in enumerate(names):
        (alone,) = run_drills(stage, [drill_named(name)], [1, 2], threads=1)
        for a, b in zip(both[place].lanes, alone.lanes, strict=True):
            assert a.rework == b.rework
            for kind in a.kinds:
                assert (a.kinds[kind].impact.table == b.kinds[kind].impact.table).all()
                assert a.kinds[kind].recovery == b.kinds[kind].recovery
                assert a.kinds[kind].strips == b.kinds[kind].strips
                assert a.kinds[kind].silence_ps == b.kinds[kind].silence_ps


@pytest.mark.parametrize("seeds", [[1], [1, 2, 3]])
def test_a_lost_server_is_felt_and_got_over(stage: Stage, seeds: list[int]) -> None:
    (outcome,) = run_drills(stage, [drill_named("server-lost")], seeds)
    for lane in outcome.lanes:
        for kind in lane.kinds.values():
            assert kind.silence_ps[0] < 10 * S < kind.silence_ps[1]
            assert kind.impact.longest_ps[1] > 20 * S
            assert kind.strips[0].p95_ps != kind.strips[1].p95_ps
            assert kind.recovery.width_ps <= 120 * S
            # it is the only server: nobody is served for a minute
            assert kind.recovery.after_ps is None or kind.recovery.after_ps >= 60 * S


@pytest.mark.parametrize(
    "pipeline", ["cs3-alone", "gpu-b200", "gpu-disagg", "rubin-lpx", "rubin-cpx", "trn-cs3", "gpu"]
)
def test_every_drill_runs_on_every_pipeline_that_ships(pipeline: str) -> None:
    base = load_base("playground", pipelines=[pipeline], settings=["coding.sessions=1", "voice.sessions=2"])
    drills = list(shipped_drills().values())
    for outcome in run_drills(set_stage(base, drills), drills, [1]):
        (lane,) = outcome.lanes
        assert bool(lane.kinds) == bool(lane.strike.spells)
        assert lane.kinds or lane.strike.reason
        for kind in lane.kinds.values():
            assert kind.impact.table.sum() > 0


def test_the_faults_of_a_scenario_are_a_drill() -> None:
    base, drill = drill_of_scenario(load_base("wafer-down"))
    assert drill is not None
    assert drill.begin_s == 400.0
    assert [step.pipeline for step in drill.steps] == ["trn-cs3", "gpu"]
    assert base.scenario.faults == ()
    assert drill_of_scenario(load_base("playground"))[1] is None


def test_a_drill_after_the_end_is_refused() -> None:
    base = load_base("playground", settings=["duration_s=200"])
    late = own_drill("late", [Step("stall", "stall", after_s=300.0, duration_s=5.0)])
    with pytest.raises(InputError, match="got '300 s', expected a drill that begins between warm_up_s = 120"):
        set_stage(base, [late], keeps_length=True)
    early = Drill("early", (Step("stall", "stall", duration_s=5.0),), begin_s=3.0)
    with pytest.raises(InputError, match="got '3 s'"):
        set_stage(base, [early])


def test_a_recording_says_what_the_run_says() -> None:
    """What drills measure is the same of a run and of its recording: recordings can be held against each other."""
    base = load_base("wafer-down", settings=["coding.sessions=5", "voice.sessions=5", "warm_up_s=60"])
    run = run_plan(plan_point(base, Point()))
    hello = hello_of(run.plan, "run", "")
    tables = [turn_table(number, lane.turns, run.plan.budgets) for number, lane in enumerate(run.lanes.values())]
    for lane, side in zip(run.lanes.values(), sides_of(tables, hello, "run", 900 * S, None, None), strict=True):
        whole, recorded = course_of(lane.turns), course_of_side(side, from_ps=60 * S, stop_ps=lane.turns.stop_ps)
        budgets = [budget for budget in run.plan.budgets if budget.agents == "coding"]
        begun = whole.counted
        assert np.count_nonzero(begun) == np.count_nonzero(recorded.counted) > 0
        first, second = paired(whole, recorded)
        for name in ("kind", "state", "start_ps", "latency_ps"):
            assert (getattr(whole, name)[first] == getattr(recorded, name)[second])[begun[first]].all(), name
        assert (fates(whole, budgets)[first] == fates(recorded, budgets)[second]).all()
        same = impact_of(whole, recorded, "coding", budgets, 400 * S, 460 * S)
        assert same.table.sum() - same.table[Fate.ABSENT, Fate.ABSENT] == np.trace(same.table[1:, 1:])
        kinds = [spans_of([course], "coding", budgets) for course in (whole, recorded)]
        assert strip_of(kinds[0], 30 * S) == strip_of(kinds[1], 30 * S)
