"""From the formulas in seconds to the core's integer picoseconds, rounded once each.

Both tables of a `StepCost` hold everything that depends on the number of tokens; the two sides of its maximum then
differ by prefill attention only: computing pairs, or reading their KV. Decode reads its KV on both sides.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.core.config import StepCost
from subsecond.engine.latency.step import Deployment
from subsecond.engine.latency.wafer import WaferGroup

__all__ = ["PS_PER_S", "accelerator_cost", "picoseconds", "speculation_units", "wafer_cost"]

PS_PER_S = 1e12


def picoseconds(seconds: float) -> int:
    """Seconds to whole picoseconds."""
    return round(seconds * PS_PER_S)


def _table(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.maximum(np.rint(seconds * PS_PER_S), 1).astype(np.int64)


def speculation_units(kept_tokens: float) -> tuple[int, int]:
    """`(units_per_token, growth_units)` whose quotient is nearest to the tokens kept per step.

    Few units keep the cost per unit large against its rounding: the fewest of 1, 2, 4, 8, 16 within 1 %.
    """
    for units in (1, 2, 4, 8):
        growth = max(units, round(kept_tokens * units))
        if abs(growth / units / kept_tokens - 1.0) <= 0.01:
            return units, growth
    return 16, max(16, round(kept_tokens * 16))


def accelerator_cost(
    deployment: Deployment,
    max_tokens: int,
    *,
    units_per_token: int = 1,
    decode_width: int = 1,
    max_seqs: int = 0,
    draft_s: float = 0.0,
    chunk_tokens: int = 1,
) -> StepCost:
    """Cost tables of a GPU or Trainium server.

    Args:
        max_tokens: most tokens of an iteration.
        decode_width, max_seqs: tokens per decoding request and most requests; 0 requests: prefill only.
        draft_s: time of the draft model, in every iteration of a server that decodes.
        chunk_tokens: usual prefill chunk, which sets the speed of prefill attention.
    """
    tokens = np.arange(max_tokens + 1, dtype=np.float64)
    sequences = np.minimum(np.ceil(tokens / decode_width), max_seqs)
    table = _table(deployment.tokens_s(tokens) + sequences * deployment.stack.sequence_s + draft_s)
    read = picoseconds(deployment.kv_token_read_s / units_per_token)
    return StepCost(
        compute_ps=table,
        memory_ps=table,
        prefill_pair_ps=picoseconds(deployment.pair_s(chunk_tokens) / 2.0),
        decode_unit_ps=read,
        kv_unit_ps=read,
    )


def wafer_cost(group: WaferGroup, max_tokens: int, *, units_per_token: int = 1, prefills: bool = False) -> StepCost:
    """Cost tables of a wafer group; with `prefills`, tokens beyond the free slots are prompt tokens."""
    tokens = np.arange(max_tokens + 1, dtype=np.float64)
    extra = np.maximum(tokens - group.slots, 0.0) * (group.prefill_token_s if prefills else group.slot_s)
    table = _table(group.step_s + extra)
    read = math.ceil(group.kv_token_read_s * PS_PER_S / units_per_token)
    return StepCost(
        compute_ps=table,
        memory_ps=table,
        prefill_pair_ps=picoseconds(group.pair_s / 2.0),
        decode_unit_ps=read,
        kv_unit_ps=read,
    )
