"""Whether what a run keeps can be of it, also what is not part of the feed."""

from __future__ import annotations

from subsecond.engine.commands import SetKnob
from subsecond.engine.feed import Hello
from subsecond.engine.feed_check import LIMIT, MAX_SESSIONS, check
from subsecond.engine.script import OutsideRequest, SessionNote

from .topics import Kept, KnobTurned

__all__ = ["check_kept"]


def check_kept(hello: Hello, message: Kept) -> None:
    """Check a message of a run.

    Raises:
        ValueError: it names a lane, an agent kind, a stage or a number that the run does not have.
    """
    match message:
        case KnobTurned(at_ps, lane, key, value):
            check(hello, SetKnob(lane, key, value))
            _check_place(hello, at_ps, 0, 0)
        case SessionNote(at_ps, lane, session):
            _check_place(hello, at_ps, lane, session)
        case OutsideRequest():
            _check_request(hello, message)
        case _:
            check(hello, message)


def _check_place(hello: Hello, at_ps: int, lane: int, session: int) -> None:
    if not (0 <= at_ps < LIMIT and 0 <= lane < len(hello.lanes) and 0 <= session < MAX_SESSIONS):
        raise ValueError(f"session {str(session)[:40]} on lane {str(lane)[:40]} at {str(at_ps)[:40]} ps")


def _check_request(hello: Hello, one: OutsideRequest) -> None:
    _check_place(hello, one.at_ps, one.lane, one.slot)
    _check_place(hello, one.at_ps, one.lane, one.session)
    if not 0 <= one.agent < len(hello.agents) or not {*one.before_ps, *one.after_ps} <= set(hello.stages):
        raise ValueError(f"a request of agent kind {str(one.agent)[:40]}, or in stages that the run does not have")
    tokens = (one.prompt_tokens, one.reuse_tokens, one.output_tokens, one.milestone_tokens, one.group_tokens)
    places = (one.turn, one.turn_index, *one.before_ps.values(), *one.after_ps.values())
    if not all(0 <= value < LIMIT for value in (*tokens, *places)):
        raise ValueError("a request with a number that no run has")
    if not all(-1 <= value < LIMIT for value in (one.gap_ps, one.cancelled_ps, one.group, one.prefix)):
        raise ValueError("a request with a number that no run has")
