"""Where a request's time went, in the shapes that clients get it; and errors for requests that ended badly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from .base import End, Outcome
from .reading import MOST_KEYS, Refused

__all__ = ["decomposition", "headers_of", "metadata_of", "refusal_of"]

#: Longest value of a key of `metadata`.
LONGEST_VALUE: Final = 512


def decomposition(outcome: Outcome) -> dict[str, Any]:
    """The whole of it, for `usage.subsecond`."""
    return {
        "pipeline": outcome.pipeline,
        "ttft_ms": None if outcome.ttft_ms is None else round(outcome.ttft_ms, 3),
        "latency_ms": round(outcome.latency_ms, 3),
        "stages_ms": _rounded(outcome.stages_ms),
        "other_pipelines_ms": _rounded(outcome.other_ms),
    }


def metadata_of(outcome: Outcome, own: Mapping[str, str]) -> dict[str, str]:
    """The client's own keys and, as far as there is room, ours: `subsecond_...`, all of them texts."""
    values = {
        "subsecond_pipeline": outcome.pipeline,
        "subsecond_ttft_ms": "" if outcome.ttft_ms is None else f"{outcome.ttft_ms:.3f}",
        "subsecond_latency_ms": f"{outcome.latency_ms:.3f}",
        "subsecond_stages_ms": _json(outcome.stages_ms),
        "subsecond_other_pipelines_ms": _json(outcome.other_ms),
    }
    result = dict(own)
    for key, value in values.items():
        if len(result) < MOST_KEYS and value:
            result[key] = value
    return result


def headers_of(outcome: Outcome) -> dict[str, str]:
    """The same as headers of HTTP."""
    return {
        key.replace("_", "-"): value
        for key, value in metadata_of(outcome, {}).items()
        if value.isascii() and value.isprintable()
    }


def refusal_of(outcome: Outcome) -> Refused:
    """What a client is told of a request that was not answered."""
    reason = outcome.reason
    if outcome.end is End.THROTTLED:
        return Refused(reason or "the pipeline takes no more requests", code="rate_limit_exceeded", status=429)
    if outcome.end is End.TOO_LONG:
        return Refused(reason or "the context does not fit the pipeline", code="context_length_exceeded")
    if outcome.end is End.NO_PIPELINE:
        return Refused(reason or "there is no such pipeline", "model", "model_not_found", 404)
    if outcome.end is End.CANCELLED:
        return Refused(reason or "the request was cancelled", code="request_cancelled", status=499)
    status = 500 if outcome.given else 503
    return Refused(reason or "the pipeline lost the request", code="server_error", status=status)


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in values.items()}


def _json(values: Mapping[str, float]) -> str:
    """Values that are not zero as JSON, the largest ones if there is no room for all."""
    kept = {name: round(value, 3) for name, value in values.items() if round(value, 3)}
    while kept:
        text = msgspec.json.encode(kept).decode()
        if len(text) <= LONGEST_VALUE:
            return text
        del kept[min(kept, key=lambda name: kept[name])]
    return ""
