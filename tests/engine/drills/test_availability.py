"""The long run from what incidents cost, against reckoning by hand; drawn breakdowns against their law."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from subsecond.engine.catalog import catalog
from subsecond.engine.drills.availability import (
    Availability,
    Baseline,
    Cost,
    Part,
    availability_of,
    breakdowns,
    cost_of,
)
from subsecond.engine.drills.reliability import parts_of_pipeline
from subsecond.engine.errors import InputError
from subsecond.engine.latency.pipelines import build_pipeline

HOUR = 3600.0
PART = Part("gpu", "h100-sxm", 8, 2, "gpu_down", 100.0, 600.0, "derived", "test")
CALM = Baseline(met_per_s=0.9, judged_per_s=1.0, below=0.0)
#: Everything stands still until it is repaired, and nothing is made up for.
STILL = Cost(met=0.9 * 600, judged=600, below_s=600, met_error=0.0, judged_error=0.0, runs=1)


def test_one_server_that_everything_waits_for() -> None:
    part = replace(PART, servers=1)
    found = availability_of(CALM, [(part, STILL)], 100 * HOUR, 600.0)
    down = 600.0 / (100 * HOUR + 600.0)
    assert found.share == pytest.approx(0.9 * (1 - down))
    assert found.of_asked == pytest.approx(0.9)  # of the turns asked for nothing changes
    assert found.lost == pytest.approx(down)
    assert found.nines == pytest.approx(-math.log10(down))
    assert found.incidents == pytest.approx(100 * HOUR / (100 * HOUR + 600.0))
    assert found.any_incident == pytest.approx(1 - math.exp(-found.incidents))
    assert found.below_s == pytest.approx(600 * found.incidents)
    assert found.error == 0


def test_parts_and_servers_add_up() -> None:
    one = availability_of(CALM, [(replace(PART, servers=1), STILL)], HOUR, 600.0)
    two = availability_of(CALM, [(PART, STILL)], HOUR, 600.0)
    both = availability_of(CALM, [(replace(PART, servers=1), STILL)] * 2, HOUR, 600.0)
    assert two == both
    assert two.incidents == pytest.approx(2 * one.incidents)
    assert two.lost == pytest.approx(2 * one.lost)


def test_nothing_fails_nothing_is_lost() -> None:
    none = availability_of(CALM, [], HOUR, 600.0)
    assert (none.share, none.lost, none.incidents, none.nines) == (0.9, 0.0, 0.0, None)
    rare = availability_of(CALM, [(replace(PART, mtbf_h=1e12), STILL)], HOUR, 600.0)
    assert rare.share == pytest.approx(0.9)
    assert availability_of(Baseline(0.0, 0.0, 0.0), [(PART, STILL)], HOUR, 600.0).share is None


def test_a_longer_mtbf_is_never_worse() -> None:
    shares = [
        availability_of(CALM, [(replace(PART, mtbf_h=hours), STILL)], HOUR, 600.0).share for hours in (1, 10, 100, 1e4)
    ]
    assert shares == sorted(shares, key=lambda share: share or 0.0)
    assert len(set(shares)) == 4


def test_costs_have_a_mean_and_its_error() -> None:
    cost = cost_of([1.0, 2.0, 3.0], [2.0, 2.0, 2.0], [0.0, 60.0, 0.0])
    assert (cost.met, cost.judged, cost.below_s, cost.judged_error, cost.runs) == (2.0, 2.0, 20.0, 0.0, 3)
    assert cost.met_error == pytest.approx(1.0 / math.sqrt(3))
    assert cost_of([5.0], [5.0], [0.0]).met_error == 0.0
    found: Availability = availability_of(CALM, [(PART, cost)], HOUR, 600.0)
    assert found.error == pytest.approx(PART.incidents_per_s * cost.met_error)


def test_breakdowns_follow_their_law() -> None:
    span = 2_000_000 * HOUR
    found = [breakdowns(PART, server, span, seed=1) for server in range(2)]
    assert found[0] != found[1]  # a stream of its own for each server
    assert breakdowns(PART, 0, span, seed=1) == found[0]
    assert breakdowns(PART, 0, span, seed=2) != found[0]
    assert breakdowns(replace(PART, pool="decode"), 0, span, seed=1) != found[0]
    for own in found:
        ups = np.diff([0.0, *(begin for begin, _ in own)]) - np.array([0.0, *[600.0] * (len(own) - 1)])
        n = len(own)
        assert n == pytest.approx(span / (100 * HOUR + 600.0), abs=5 * math.sqrt(span / (100 * HOUR)))
        assert ups.min() >= -1e-3  # not down twice at a time
        assert ups.mean() == pytest.approx(100 * HOUR, rel=5 / math.sqrt(n))
        # an exponential law: a share of 1/e lasts longer than the mean
        assert np.mean(ups > 100 * HOUR) == pytest.approx(math.exp(-1), abs=5 * 0.5 / math.sqrt(n))
    assert breakdowns(PART, 0, 0.0, seed=1) == []


def test_what_is_known_is_told_from_what_is_assumed() -> None:
    facts = catalog()
    (node,) = parts_of_pipeline("gpu", build_pipeline("gpu"), facts, {}, 600.0)
    assert (node.pool, node.servers, node.each, node.provenance) == ("gpu", 1, 8, "assumed")
    assert node.mtbf_h == pytest.approx(50_677 / 8)
    prefill, decode = parts_of_pipeline("trn-cs3", build_pipeline("trn-cs3"), facts, {}, 600.0)
    assert (prefill.provenance, decode.provenance) == ("not public", "not public")
    assert prefill.mtbf_h == decode.mtbf_h == node.mtbf_h
    assert "nothing is published about wse-3" in decode.source
    halves = build_pipeline("gpu", overrides={"replicas": 2, "tensor_parallel": 4})
    (half,) = parts_of_pipeline("gpu", halves, facts, {}, 600.0)
    assert half.servers * half.each == 16
    assert half.mtbf_h == pytest.approx(50_677 / half.each)


def test_what_is_asked_for_counts_for_the_pool_or_the_pipeline() -> None:
    facts, built = catalog(), build_pipeline("trn-cs3")
    told = {"decode": 1000.0, "mine.decode": 50.0, "prefill": 2000.0}
    assert [p.mtbf_h for p in parts_of_pipeline("mine", built, facts, told, 600.0)] == [2000.0, 50.0]
    assert [p.mtbf_h for p in parts_of_pipeline("other", built, facts, told, 600.0)] == [2000.0, 1000.0]
    with pytest.raises(InputError, match=r"--mtbf: decode: got '0\.0', expected a time above 0"):
        parts_of_pipeline("other", built, facts, {"decode": 0.0}, 600.0)


@pytest.mark.parametrize("name", catalog().names("pipelines"))
def test_every_pipeline_that_ships_has_parts_that_fail(name: str) -> None:
    built = build_pipeline(name)
    parts = parts_of_pipeline(name, built, catalog(), {}, 600.0)
    core = built.core
    assert sum(p.servers for p in parts) == core.entry.num_servers + (core.decode.num_servers if core.decode else 0)
    assert all(part.mtbf_h > 100 for part in parts)
