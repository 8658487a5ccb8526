"""Which rules a case came by: the random cases are worth as much as what they reach."""

from __future__ import annotations

from subsecond.engine.core.config import Role

from .cases import Case
from .reference import Reference


def features_of(case: Case, reference: Reference) -> set[str]:
    """Names of the rules that a run of the reference used, as noted on the way and as its results show."""
    pipeline = case.pipeline
    features = set(reference.features)
    features |= {f"status {q.status.name}" for q in reference.requests.values()}
    if len({q.context for q in reference.requests.values()}) < len({q.session for q in reference.requests.values()}):
        features.add("context shared by sessions")
    for server in reference.servers:
        role = server.role.name
        if server.counters["evictions"]:
            features.add(f"evicted {role}")
        if server.counters["preemptions"]:
            features.add(f"preempted {role}")
        if server.counters["iterations"] and server.role is not Role.PREFILL:
            pool = server.pool
            features.add("speculation" if pool.growth_units > pool.units_per_token else "one token per iteration")
            if pool.growth_units % pool.units_per_token:
                features.add("speculation with a fraction of a token")
            if pool.decode_width > 1:
                features.add("several tokens computed per iteration")
        if server.counters["iterations"]:
            features.add(f"{role} {'fallback' if server.side == 2 else 'pool'}")
            if server.pool.watermark_units:
                features.add("watermark")
            if server.pool.fixed_units:
                features.add("fixed units")
    if any(q.output > 150 and q.given > 150 for q in reference.requests.values()):
        features.add("long reply")
    if pipeline.link and pipeline.link.overlap:
        features.add("overlap")
    return features
