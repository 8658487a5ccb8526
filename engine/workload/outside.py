"""Sessions that stand ready for agents from outside: their requests come while the run goes on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from subsecond.engine.core.config import NOT_SCHEDULED, Workload

__all__ = ["outside_sessions", "outside_workload"]


def outside_workload(
    sessions: int, groups: int, kinds: Sequence[str], before: Sequence[str] = (), after: Sequence[str] = ()
) -> Workload:
    """Sessions of one request each that have no start: `Engine.submit` says what they ask, again and again.

    Args:
        groups: prefixes that their prompts may share at one time.
        kinds: agent kinds of those who may come; the run has them even if it has no other agents of the kind.
        before, after: names of stages that their turns may have before the first request and after the last one.
    """
    one = np.ones(sessions, np.int32)
    nothing = np.zeros(sessions, np.int64)
    return Workload(
        kinds=tuple(kinds),
        num_contexts=sessions,
        session_start_ps=np.full(sessions, NOT_SCHEDULED),
        session_first_request=np.arange(sessions + 1, dtype=np.int64),
        session_parent_request=nothing - 1,
        session_context=np.arange(sessions, dtype=np.int64),
        session_group=nothing - 1,
        session_kind=nothing,
        prompt_tokens=one,
        reuse_tokens=np.zeros(sessions, np.int32),
        output_tokens=one,
        milestone_tokens=one,
        gap_ps=nothing,
        hold_ps=nothing,
        is_barge_in=np.zeros(sessions, np.bool_),
        turn=np.arange(sessions, dtype=np.int64),
        group_tokens=np.zeros(groups, np.int64),
        before_ps=dict.fromkeys(before, nothing),
        after_ps=dict.fromkeys(after, nothing),
    )


def outside_sessions(workload: Workload, sessions: int) -> range:
    """Where the last so many root sessions stand: those of an outside workload that was merged in as the last one."""
    roots = int((workload.session_parent_request < 0).sum())
    return range(roots - sessions, roots)
