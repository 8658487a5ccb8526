"""What documents of studies say of turns that were counted: the share in time, and how long they took."""

from __future__ import annotations

from subsecond.engine.confidence import Share
from subsecond.engine.outcome import Outcome

__all__ = ["PS_PER_MS", "share_fields", "time_fields"]

PS_PER_MS = 10**9


def share_fields(share: Share) -> dict[str, float | None]:
    """A share of turns that met a budget, with its interval."""
    return {"attainment": share.value, "low": share.low, "high": share.high}


def time_fields(group: Outcome) -> dict[str, float | None]:
    """Quantiles of the latency of answered turns in ms; None: no turn was answered."""
    return {f"{name}_ms": group.latency_ps[name] / PS_PER_MS if group.latency_ps else None for name in ("p50", "p95")}
