"""Runs a case on the kernel and on the plain simulator and finds the first difference."""

from __future__ import annotations

import random

from subsecond.engine.core.engine import Engine
from subsecond.engine.core.results import STAGES, Results

from .cases import Case
from .reference import Reference

COUNTERS = (
    "busy_ps",
    "iterations",
    "sequence_steps",
    "preemptions",
    "evictions",
    "peak_used_units",
    "peak_seqs",
    "hit_tokens",
    "prefill_tokens",
    "transferred_units",
)


def run_engine(case: Case, *, compiled: bool, slices: tuple[int, ...] = ()) -> Engine:
    """The engine, run to the end of the case, stopping at the times `slices` on the way."""
    engine = Engine(
        case.pipeline,
        case.workload,
        case.faults,
        seed=case.seed,
        compiled=compiled,
        keep_journal=True,
        can_fail=bool(case.externals),
    )
    for external in case.externals:
        if external[1] == "cancel":
            engine.cancel(external[2], external[0])
        else:
            engine.set_step_cost(external[2], external[3], external[0])
    for until in slices:
        engine.run_until(until)
    engine.run()
    return engine


def run_reference(case: Case) -> Reference:
    """The plain simulator, run to the end of the case."""
    reference = Reference(case.pipeline, case.workload, case.faults, case.seed, case.externals)
    reference.run()
    return reference


def difference(case: Case, reference: Reference, engine: Engine) -> str:
    """Where the two differ first, or an empty string."""
    results = engine.results()
    for r in range(case.workload.num_requests):
        q = reference.requests.get(r)
        if q is None:
            if results.arrival_ps[r] != -1 or results.status[r] != 0:
                return f"case {case.number}: request {r} did not start in the reference"
            continue
        expected = {
            "status": int(q.status),
            "arrival_ps": q.arrival,
            "first_ps": q.first,
            "milestone_ps": q.reached,
            "finish_ps": q.finish,
            "emitted_tokens": q.given,
            "hit_tokens": q.hit,
            "attempts": q.attempts,
        }
        for name, value in expected.items():
            if value != getattr(results, name)[r]:
                return f"case {case.number}: request {r} {name}: reference {value}, engine {getattr(results, name)[r]}"
        for stage in STAGES:
            if q.stages[stage] != results.stages[stage][r]:
                return (
                    f"case {case.number}: request {r} stage {stage}: "
                    f"reference {q.stages[stage]}, engine {results.stages[stage][r]}"
                )
    return _server_difference(case, reference, results) or _token_difference(case, reference, engine)


def _server_difference(case: Case, reference: Reference, results: Results) -> str:
    for server, counters in zip(reference.servers, results.servers, strict=True):
        for name in COUNTERS:
            if server.counters[name] != getattr(counters, name):
                return (
                    f"case {case.number}: {counters.name} {name}: "
                    f"reference {server.counters[name]}, engine {getattr(counters, name)}"
                )
    return ""


def _token_difference(case: Case, reference: Reference, engine: Engine) -> str:
    times = engine.token_times()
    for r, q in reference.requests.items():
        expected = [] if q.status == 0 else q.token_times[: q.given]
        if q.status != 0 and expected != times[r].tolist():
            return f"case {case.number}: request {r} tokens: reference {expected}, engine {times[r].tolist()}"
    return ""


def slices_of(case: Case) -> tuple[int, ...]:
    """Times at which to stop the engine on its way through a case; none for some cases."""
    rng = random.Random(-case.number - 1)
    return tuple(sorted(rng.randrange(1, 3000) for _ in range(rng.choice((0, 0, 5)))))


def first_difference(case: Case, *, compiled: bool) -> str:
    """Difference between kernel and plain simulator in a case, or an empty string."""
    return difference(case, run_reference(case), run_engine(case, compiled=compiled, slices=slices_of(case)))
