"""Compiles the core before anybody waits for it: `python -m subsecond.engine.core.ahead`."""

from __future__ import annotations

import numpy as np

from .config import Pipeline, Pool, Role, StepCost, Workload
from .engine import simulate
from .execution import plan_execution

__all__ = ["compile_ahead"]


def compile_ahead() -> None:
    """Put the core's machine code into its cache, unless it is there or numba is not installed."""
    plan = plan_execution(1, None)
    if plan.compiled or "numba" in plan.notice:
        return
    ones = np.ones(2, np.int64)
    zero = np.zeros(1, np.int64)
    one = np.ones(1, np.int32)
    request = Workload(
        kinds=("none",),
        num_contexts=1,
        session_start_ps=zero,
        session_first_request=np.arange(2, dtype=np.int64),
        session_parent_request=zero - 1,
        session_context=zero,
        session_group=zero - 1,
        session_kind=zero,
        prompt_tokens=one,
        reuse_tokens=one - 1,
        output_tokens=one,
        milestone_tokens=one,
        gap_ps=zero,
        hold_ps=zero,
        is_barge_in=zero > 0,
        turn=zero,
        group_tokens=zero[:0],
    )
    pool = Pool(Role.COLOCATED, StepCost(np.tile(ones, 2), np.tile(ones, 2)), 1, 8, 1, token_budget=2)
    simulate(Pipeline(entry=pool), request, compiled=True)


if __name__ == "__main__":
    compile_ahead()
