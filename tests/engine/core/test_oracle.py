"""The kernel against the plain simulator of `tests/oracle`: equal in every integer, on random scenarios.

A case has any mixture of the features of `docs/semantics.md`; hypothesis draws the cases, the same ones in each run.
SUBSECOND_ORACLE_CASES=100000 is the nightly switch: so many cases in each form of the kernel, in half an hour on
two cores. The default takes one to two minutes; xdist spreads the tests over cores.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from oracle.cases import Case, random_case
from oracle.compare import difference, run_engine, run_reference, slices_of
from oracle.features import features_of
from oracle.reference import Reference

from subsecond.engine.core.engine import Engine

#: Fewer than the default would not reach every rule.
NUM_CASES = max(3200, int(os.environ.get("SUBSECOND_ORACLE_CASES", "0")))
PARTS = range(8)

needs_numba = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba is not installed: there is no compiled form to compare"
)

#: The rules that the default cases must reach, in the words of `oracle.features` and of the reference.
EXPECTED = """
status FINISHED, status CANCELLED, status TOO_LONG, status THROTTLED, status LOST, status NO_SERVER
fault SERVER_DOWN, fault SERVER_UP, fault SERVER_SLOW, fault LINK_RATE, fault HANDOFF_LOSS, fault THROTTLE
fault STALL_UNTIL, stall ended early, step cost set
RETRY before the first token, RETRY after the first token
REPREFILL before the first token, REPREFILL after the first token
FALLBACK before the first token, FALLBACK after the first token
FAIL before the first token, FAIL after the first token
PREFILL pool, DECODE pool, COLOCATED pool, COLOCATED fallback, fallen back
chunked prefill, prefill beside decode, watermark, fixed units, long reply
speculation, speculation with a fraction of a token, several tokens computed per iteration, one token per iteration
context hit, group hit, child, context shared by sessions
evicted COLOCATED, evicted PREFILL, evicted DECODE, evicted to grow
preempted COLOCATED decode, preempted COLOCATED prefill, preempted DECODE decode
staging full, waits for the link, delta handoff, full handoff, overlap, handoff during prefill
returned, return replaced, return does not fit, KV not kept
barge-in, cancelled from outside, arrival put off
cancelled routing, cancelled parked, cancelled queued, cancelled prefilling, cancelled decoding
cancelled staged queued, cancelled staged flow, cancelled staged landing, cancelled staged parked
cancelled prefilling queued, cancelled prefilling flow, cancelled prefilling landing
cancelled remote landed, cancelled remote decoding
throttled, parked, parked for decode, taken off parking
lost prefilling, lost prefilling queued, lost prefilling flow, lost prefilling landing
lost staged queued, lost staged fifo, lost staged flow, lost staged landing, lost staged parked
lost landed, lost decoding, leaves a crashed server
link cut under a flow, handoff lost staged, handoff lost prefilling
"""


def _for_cases(part: int, check: Callable[[Case], None]) -> None:
    """Let `check` see the cases of a part; they depend on the part and on the number of cases alone."""

    @seed(part)
    @settings(
        max_examples=NUM_CASES // len(PARTS),
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**32 - 1).map(random_case))
    def run(case: Case) -> None:
        check(case)

    run()


@pytest.mark.parametrize("part", PARTS)
def test_interpreted_kernel_equals_the_reference(part: int) -> None:
    def check(case: Case) -> None:
        engine = run_engine(case, compiled=False, slices=slices_of(case))
        assert difference(case, run_reference(case), engine) == ""

    _for_cases(part, check)


@needs_numba
@pytest.mark.parametrize("part", PARTS)
def test_compiled_kernel_equals_the_reference_and_the_interpreted_one(part: int) -> None:
    def check(case: Case) -> None:
        engine = run_engine(case, compiled=True, slices=slices_of(case))
        assert difference(case, run_reference(case), engine) == ""
        assert engine.results().digest() == run_engine(case, compiled=False).results().digest()

    _for_cases(part, check)


@pytest.mark.parametrize("part", PARTS[:2])
def test_results_on_the_way_equal_those_of_the_reference_stopped_there(part: int) -> None:
    def check(case: Case) -> None:
        engine = Engine(case.pipeline, case.workload, case.faults, seed=case.seed, compiled=False)
        reference = Reference(case.pipeline, case.workload, case.faults, case.seed)
        for until in (0, 10, 50, 200, 500, 1000, 5000, 50_000):
            engine.run_until(until)
            reference.run(until)
            results = engine.results()
            came = sorted(reference.requests)
            seen = [reference.requests[r] for r in came]
            assert results.status[came].tolist() == [q.status for q in seen]
            assert results.arrival_ps[came].tolist() == [q.arrival for q in seen]
            assert results.first_ps[came].tolist() == [q.first for q in seen]
            assert results.milestone_ps[came].tolist() == [q.reached for q in seen]
            assert results.finish_ps[came].tolist() == [q.finish for q in seen]
            assert np.count_nonzero(results.arrival_ps >= 0) == len(came)

    _for_cases(part, check)


def test_cases_reach_every_rule() -> None:
    """A comparison says nothing about a rule that no case comes by."""
    reached: set[str] = set()
    for part in PARTS:
        _for_cases(
            part, lambda case: reached.update(feature.strip() for feature in features_of(case, run_reference(case)))
        )
    expected = {name.strip() for line in EXPECTED.strip().splitlines() for name in line.split(",")}
    assert expected - reached == set()


def test_comparison_sees_a_difference_of_one_picosecond() -> None:
    case = random_case(0)
    reference = run_reference(case)
    engine = run_engine(case, compiled=False)
    assert difference(case, reference, engine) == ""
    reference.requests[0].finish += 1
    assert "finish_ps" in difference(case, reference, engine)
