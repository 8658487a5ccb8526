"""A request's life for the user: its row of results, its stages, its end and what follows it."""

from __future__ import annotations

from .codes import (
    ARRIVAL,
    ARRIVE,
    CANCEL,
    DECODE_FIRST,
    DECODE_REST,
    FINISH,
    FIRST,
    IDLE,
    IN_GAP,
    IN_HOLD,
    IN_OUTPUT,
    IN_PROMPT,
    LOST,
    MILESTONE,
    PACKED,
    RETRY,
    ROUTING,
)
from .heap import push_event
from .jit import kernel
from .state import Global, Session

__all__ = [
    "close_stage",
    "end_request",
    "first_token",
    "forget_foreseen",
    "load_request",
    "new_attempt",
    "reach_milestone",
    "resume",
]

LOW = (1 << 32) - 1


@kernel
def load_request(g: Global, session: Session) -> None:
    """Read the next request of a session from its row, and make the row one of results."""
    row = session.request * g.columns
    session.row = row
    hold = g.rows[row + IN_HOLD]
    session.barge_in = 1 if hold < 0 else 0
    session.hold = -1 - hold if hold < 0 else hold
    word = g.rows[row + IN_PROMPT]
    session.prompt = word >> 32
    session.reuse = word & LOW
    word = g.rows[row + IN_OUTPUT]
    session.output = word >> 32
    session.milestone = word & LOW
    # What was read stood in these four columns; the stages' are still 0.
    g.rows[row + ARRIVAL] = session.arrive_at - g.network
    g.rows[row + FIRST] = -1
    g.rows[row + MILESTONE] = -1
    g.rows[row + FINISH] = -1
    g.rows[row + PACKED] = 1 << 4
    session.mark = session.arrive_at
    session.arrive_at = -1
    session.stage = ROUTING
    session.active = 1
    session.attempts = 0
    session.given = 0
    session.fallen = 0
    session.draws = 0
    session.late = 0
    session.paused = -1
    session.hit = 0
    session.server = -1
    session.decode_server = -1


@kernel
def close_stage(g: Global, session: Session, at: int, following: int) -> None:
    """Let the open stage end at `at` and another one start."""
    g.rows[session.row + session.stage] += at - session.mark
    session.mark = at
    session.stage = following


@kernel
def resume(session: Session, at: int) -> None:
    """The request makes tokens again after a loss."""
    if session.paused >= 0:
        session.late += at - session.paused
        session.paused = -1


@kernel
def first_token(g: Global, session: Session, at: int) -> None:
    """The user gets the first token, if it was not given before."""
    if g.rows[session.row + FIRST] < 0:
        g.rows[session.row + FIRST] = at
        close_stage(g, session, at, DECODE_REST)


@kernel
def forget_foreseen(g: Global, session: Session, at: int) -> None:
    """Take back a first token that was foreseen for a time after `at`: the iteration that makes it will not count."""
    row = session.row
    if g.rows[row + FIRST] <= at:
        return
    g.rows[row + FIRST] = -1
    session.mark -= g.rows[row + DECODE_FIRST]
    g.rows[row + DECODE_FIRST] = 0
    session.stage = DECODE_FIRST


@kernel
def reach_milestone(g: Global, session: Session, s: int, at: int) -> None:
    """Note the milestone, if its token has been given; a barge-in sets its CANCEL then."""
    if session.given < session.milestone or g.rows[session.row + MILESTONE] >= 0:
        return
    g.rows[session.row + MILESTONE] = at
    if session.barge_in == 1:
        session.cancel_due = at + session.hold
        push_event(g, session.cancel_due, CANCEL, 2 * s)


@kernel
def new_attempt(g: Global, session: Session, at: int) -> None:
    """All that was done for the request is lost: its stages become one, `lost`."""
    row = session.row
    session.given = 0
    g.rows[row + FIRST] = -1
    g.rows[row + MILESTONE] = -1
    session.cancel_due = -1
    lost = at - (g.rows[row + ARRIVAL] + g.network) - g.rows[row + RETRY] - session.late
    for column in range(ROUTING, RETRY):
        g.rows[row + column] = 0
    g.rows[row + LOST] = lost
    g.rows[row + RETRY] += session.late
    session.late = 0
    session.paused = -1
    session.stage = ROUTING
    session.mark = at


@kernel
def schedule_next(g: Global, s: int) -> None:
    """Set the arrival of the session's next request; its children have ended."""
    session = g.sessions[s]
    end = max(session.ended_at, session.children_end)
    session.arrive_at = end + g.rows[session.request * g.columns + IN_GAP] + g.network
    push_event(g, session.arrive_at, ARRIVE, s)


@kernel
def end_request(
    g: Global,
    s: int,
    at: int,
    status: int,
    counts_milestone: bool,
) -> None:
    """The present request of session `s` ends for the user; start its children, or set the next arrival.

    Args:
        counts_milestone: whether the end of the turn for the user follows the milestone; not so for a failure and for
            a cancel from outside.
    """
    session = g.sessions[s]
    row = session.row
    if session.stage == DECODE_REST:
        resume(session, at)
        g.rows[row + DECODE_REST] = at - g.rows[row + FIRST] - session.late
    elif session.mark > at:
        g.rows[row + RETRY] -= session.mark - at
    else:
        close_stage(g, session, at, session.stage)
    if session.late > 0:
        g.rows[row + RETRY] += session.late
    g.rows[row + FINISH] = at
    g.rows[row + PACKED] = (session.given << 40) | (session.hit << 16) | (session.attempts << 8) | (1 << 4) | status
    session.active = 0
    session.cancel_due = -1
    if session.leaving == 0:
        session.place = IDLE
    end = at + g.network
    reached = g.rows[row + MILESTONE]
    if counts_milestone and reached >= 0:
        spoken = reached + g.network + session.hold
        end = spoken if session.barge_in == 1 else max(end, spoken)
    session.ended_at = end
    session.children_end = end
    request = session.request
    session.request = request + 1
    child = session.next_child
    while child < g.num_sessions and g.sessions[child].parent_request == request:
        start = g.sessions[child]
        start.arrive_at = end + g.rows[start.request * g.columns + IN_GAP] + g.network
        push_event(g, start.arrive_at, ARRIVE, child)
        session.open_children += 1
        child += 1
    session.next_child = child
    if session.request < session.request_end:
        if session.open_children == 0:
            schedule_next(g, s)
    elif session.parent >= 0:
        parent = g.sessions[session.parent]
        parent.open_children -= 1
        parent.children_end = max(parent.children_end, end)
        if parent.open_children == 0 and parent.request < parent.request_end:
            schedule_next(g, session.parent)
