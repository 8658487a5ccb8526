"""Runs of several lanes: determinism, the digest, the document, the findings."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from support.small import MS, S, colocated, disaggregated, workload

from subsecond.engine.budgets import Budget
from subsecond.engine.catalog import Value
from subsecond.engine.core.config import Fault, FaultKind, Pipeline, Policy, Workload
from subsecond.engine.document import SCHEMA, document_of
from subsecond.engine.findings import findings_of
from subsecond.engine.latency.pipelines import BuiltPipeline
from subsecond.engine.run import Plan, Run, run_plan
from subsecond.engine.scenario import parse_scenario
from subsecond.engine.turns import TurnState

BUDGETS = (
    Budget("own", "coding", 12 * MS, None, None, 95.0, "test"),
    Budget("talk", "voice", None, 3 * MS, MS, 50.0, "test"),
)


def built(name: str, core: Pipeline) -> BuiltPipeline:
    secret = Value(1.0, "ms", "nobody", "2026", "not public")
    return BuiltPipeline(name, name.upper(), "tiny", "shipping", core, {"router_ms": secret}, {})


def plan(
    cores: dict[str, Pipeline] | None = None,
    work: Workload | None = None,
    faults: dict[str, list[Fault]] | None = None,
    **changes: object,
) -> Plan:
    cores = cores or {"gpu": colocated(), "split": disaggregated()}
    tables = {"pipelines": {n: {} for n in cores}, "agents": [{"kind": "coding", "sessions": 1}], **changes}
    return Plan(
        scenario=parse_scenario(tables, Path("small.toml")),
        workload=work or workload(sessions=6, kinds=("coding", "voice")),
        pipelines={name: built(name, core) for name, core in cores.items()},
        faults={name: (faults or {}).get(name, []) for name in cores},
        budgets=BUDGETS,
    )


def run(**changes: object) -> Run:
    return run_plan(plan(**changes), compiled=False)  # type: ignore[arg-type]  # a test's own fields


def test_the_same_plan_gives_the_same_digest_and_document() -> None:
    first, second = run(), run()
    assert first.digest == second.digest
    assert msgspec.json.encode(document_of(first)) == msgspec.json.encode(document_of(second))


def test_the_digest_sees_a_picosecond_in_one_lane() -> None:
    usual = colocated()
    later = replace(usual, route_ps=usual.route_ps + 1)
    assert run(cores={"a": usual, "b": usual}).digest != run(cores={"a": usual, "b": later}).digest


def test_lanes_do_not_disturb_each_other() -> None:
    together = run()
    for name, core in (("gpu", colocated()), ("split", disaggregated())):
        alone = run(cores={name: core})
        assert alone.lanes[name].results.digest() == together.lanes[name].results.digest()


def test_a_run_stops_at_its_duration() -> None:
    short = run(duration_s=0.02)
    for lane in short.lanes.values():
        assert lane.results.end_ps <= S // 50
        assert lane.whole.unfinished > 0


def test_every_two_lanes_are_paired() -> None:
    cores = {"a": colocated(), "b": disaggregated(), "c": colocated(servers=2)}
    assert [paired.names for paired in run(cores=cores).paired] == [("a", "b"), ("a", "c"), ("b", "c")]


def test_the_document_has_what_it_promises() -> None:
    document = msgspec.json.decode(msgspec.json.encode(document_of(run())))
    assert document["schema"] == SCHEMA
    assert set(document) >= {"scenario", "seed", "digest", "pipelines", "paired", "budgets", "findings"}
    for lane in document["pipelines"].values():
        assert set(lane["latency_ms"]) == {"p50", "p90", "p95", "p99"}
        assert lane["turns"] == lane["answered"] + lane["failed"] + lane["cancelled"]
        assert sum(count for _, count in lane["latency_histogram_ms"]) == lane["answered"]
        for name in ("own", "talk"):
            budget = lane["budgets"][name]
            assert budget["attainment"] == budget["met"] / (budget["met"] + budget["missed"])
        assert sum(group["turns"] for group in lane["by_agents"].values()) == lane["turns"]
        assert sum(lane["requests"].values()) == document["requests"]
        assert lane["parameters"]["router_ms"]["provenance"] == "not public"
        assert 0 < lane["servers"][0]["peak_kv_share"] <= 1
    assert document["paired"]["gpu vs split"]["all"]["ties"] == 0


def test_a_run_in_which_nothing_is_answered_has_a_document() -> None:
    fault = {"gpu": [Fault(0, FaultKind.SERVER_DOWN, 0)]}
    failed = run(cores={"gpu": colocated(prefill_lost=Policy.FAIL)}, faults=fault)
    lane = document_of(failed)["pipelines"]["gpu"]
    assert lane["answered"] == 0
    assert lane["failed"] > 0
    assert lane["latency_ms"]["p50"] is None
    assert lane["budgets"]["own"]["attainment"] == 0
    assert findings_of(failed)


def test_findings_say_who_is_ahead_and_what_is_late() -> None:
    slow = replace(colocated(), route_ps=50 * MS)
    found = "\n".join(findings_of(run(cores={"quick": colocated(), "slow": slow})))
    assert "quick answers 100 % of the coding turns sooner than slow" in found
    assert "slow misses own in 100 % of 9 coding turns" in found


def test_findings_say_when_memory_ran_full() -> None:
    work = workload(sessions=12, kinds=("coding", "voice"), gap_ps=0)
    found = "\n".join(findings_of(run(cores={"split": disaggregated(capacity=420)}, work=work)))
    assert "decode KV memory holds 2 sessions" in found
    assert "ran full" in found


def test_findings_count_what_a_fault_cost() -> None:
    faults = {"split": [Fault(5 * MS, FaultKind.SERVER_DOWN, 2), Fault(900 * MS, FaultKind.SERVER_UP, 2)]}
    found = "\n".join(findings_of(run(faults=faults)))
    assert "split: the faults from 0.005 s to 0.9 s touch" in found


def test_findings_count_turns_that_a_fault_never_lets_go() -> None:
    faults = {"split": [Fault(5 * MS, FaultKind.SERVER_DOWN, 2)]}
    cores = {"split": disaggregated()}
    found = "\n".join(findings_of(run(cores=cores, faults=faults, duration_s=1.0)))
    assert "had no answer when the run stopped" in found
    assert "touch 0 turns" not in found


def test_findings_say_until_when_a_stall_and_an_unmended_fault_last() -> None:
    stall = {"split": [Fault(5 * MS, FaultKind.STALL_UNTIL, 0, 40 * MS)]}
    assert "from 0.005 s to 0.04 s" in "\n".join(findings_of(run(faults=stall)))
    both = [Fault(5 * MS, FaultKind.THROTTLE, 0, 1), Fault(9 * MS, FaultKind.LINK_RATE, 0, 128)]
    mended = [Fault(20 * MS, FaultKind.LINK_RATE, 0, 64)]
    outcome = run(faults={"split": [*both, *mended]})
    end_s = outcome.lanes["split"].turns.stop_ps / 10**12
    assert f"from 0.005 s to {end_s:g} s" in "\n".join(findings_of(outcome))


def test_progress_is_told_and_reaches_the_end() -> None:
    seen: list[tuple[str, int, int]] = []
    run_plan(plan(), compiled=False, progress=lambda *told: seen.append(told))
    assert {name for name, _, _ in seen} == {"gpu", "split"}
    assert seen[-1][1] == seen[-1][2]


def test_an_interrupt_reaches_the_caller() -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_plan(plan(), compiled=False, progress=interrupt)


def test_turns_that_wait_for_ever_count_as_missed_and_not_as_a_short_run() -> None:
    faults = {"split": [Fault(5 * MS, FaultKind.SERVER_DOWN, 2)]}
    lanes = run(faults=faults).lanes
    stuck, well = lanes["split"], lanes["gpu"]
    assert stuck.whole.unfinished > 0
    assert stuck.turns.stop_ps >= well.turns.stop_ps
    assert stuck.whole.goodput_per_s < well.whole.goodput_per_s
    waited = stuck.turns.stop_ps - stuck.turns.start_ps[stuck.turns.state == TurnState.PENDING]
    assert (waited >= 0).all()


def test_slow_turns_long_after_a_fault_are_not_its_backlog() -> None:
    """A reply every second; the router stalls for 3 s and again 7 s later, and the findings know of the first alone."""
    starts = np.arange(40, dtype=np.int64) * S
    work = replace(workload(sessions=40, requests=1, kinds=("coding", "voice")), session_start_ps=starts)
    stall = [Fault(25 * S, FaultKind.STALL_UNTIL, 0, 28 * S), Fault(35 * S, FaultKind.STALL_UNTIL, 0, 39 * S)]
    outcome = run(cores={"gpu": colocated()}, work=work, faults={"gpu": stall})
    lane = outcome.lanes["gpu"]
    only_first = replace(lane, faults=(stall[0],))
    found = "\n".join(findings_of(replace(outcome, lanes={"gpu": only_first})))
    match = re.search(r"usual time (\S+) s after", found)
    assert match
    assert 0 < float(match[1]) < 10
