"""Work that is lost, and what the orchestrator does about it."""

from __future__ import annotations

from .codes import (
    D_WAITING,
    DECODE_FIRST,
    DECODE_QUEUE,
    ENQUEUE,
    FALLBACK,
    FIRST,
    HANDOFF,
    HANDOFF_QUEUE,
    LOST,
    LOST_FOR_GOOD,
    POLICY_FAIL,
    POLICY_FALLBACK,
    POLICY_RETRY,
    RETRY,
    STAGED,
    TOO_LONG,
    WAITING,
)
from .depart import leave_prefill, release_decode
from .heap import push_event
from .jit import kernel
from .journal import ANEW, note
from .request import end_request, new_attempt
from .router import too_long
from .state import Global

__all__ = ["handoff_lost", "request_lost"]


@kernel
def request_lost(
    g: Global,
    s: int,
    at: int,
    policy: int,
) -> None:
    """A request, already taken off every server and with this attempt counted, goes on as the policy says, or fails."""
    session = g.sessions[s]
    has_tokens = g.rows[session.row + FIRST] >= 0
    if policy == POLICY_FAIL or session.attempts > g.max_attempts:
        if not has_tokens:
            new_attempt(g, session, at)
        end_request(g, s, at, LOST_FOR_GOOD, False)
        return
    wait = g.detect
    if policy == POLICY_RETRY:
        wait += g.retry
    if has_tokens and policy != POLICY_RETRY:
        if session.paused < 0:
            session.paused = at
    else:
        new_attempt(g, session, at)
        if g.log_limit > 0:
            note(g, ANEW, 0, at, session.request, 0, 0, 0)
        g.rows[session.row + RETRY] += wait
        session.mark = at + wait
    if policy == POLICY_FALLBACK and g.pools[FALLBACK].count > 0:
        session.fallen = 1
        if too_long(g, session, FALLBACK):
            end_request(g, s, at, TOO_LONG, False)
            return
    session.place = WAITING
    session.due = at + wait
    push_event(g, session.due, ENQUEUE, s)


@kernel
def handoff_lost(
    g: Global,
    s: int,
    at: int,
) -> None:
    """The KV of a request does not reach the decode server: send it again from the prefill server, or give that up."""
    session = g.sessions[s]
    session.attempts += 1
    release_decode(g, s, at)
    if g.handoff_lost != POLICY_RETRY or session.attempts > g.max_attempts:
        leave_prefill(g, s, at)
        request_lost(g, s, at, g.handoff_lost)
        return
    if session.place != STAGED:
        return  # it enters the decode queue when its prefill is done
    wait = g.detect + g.retry
    session.decode_place = D_WAITING
    session.due = at + wait
    push_event(g, session.due, ENQUEUE, s)
    row = session.row
    if g.rows[row + FIRST] < 0:
        g.rows[row + LOST] += (
            g.rows[row + DECODE_QUEUE] + g.rows[row + HANDOFF_QUEUE] + g.rows[row + HANDOFF] + at - session.mark
        )
        g.rows[row + DECODE_QUEUE] = 0
        g.rows[row + HANDOFF_QUEUE] = 0
        g.rows[row + HANDOFF] = 0
        g.rows[row + RETRY] += wait
        session.mark = at + wait
        if session.stage != DECODE_FIRST:
            session.stage = DECODE_QUEUE
