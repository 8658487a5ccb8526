"""What a live run did that its scenario does not say: enough, with the scenario, to let the same sessions run again.

Not part of the feed: these go into recordings alone, and to a broker, for those that are made elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

__all__ = ["OutsideRequest", "Script", "SessionNote"]


class SessionNote(msgspec.Struct, frozen=True, tag="session"):
    """A session of the reserve begins on a lane, or one is to end with its present request."""

    at_ps: int
    lane: int
    session: int
    is_retired: bool = False


class OutsideRequest(msgspec.Struct, frozen=True, tag="request"):
    """A request of an agent from outside, as it went on the lane that served it.

    Attributes:
        at_ps: when it was sent.
        lane: that served it.
        slot: session that it had in the core; `session` is its number in the feed.
        agent: place of its kind in the run's agent kinds.
        gap_ps: from this lane's last reply in the session to sending it; -1: nothing came before.
        cancelled_ps: after which time the agent gave it up; -1: it did not.
        group, group_tokens: prefix group in the core, and its tokens; `prefix` tells the prefixes apart that have the
            number of a group one after the other.
        before_ps, after_ps: by stage, what its turn takes before it, and after its milestone.
        ends_turn: the next request begins a turn of its own.
    """

    at_ps: int
    lane: int
    slot: int
    session: int
    turn: int
    turn_index: int
    agent: int
    gap_ps: int
    cancelled_ps: int
    prompt_tokens: int
    reuse_tokens: int
    output_tokens: int
    milestone_tokens: int
    group: int
    group_tokens: int
    prefix: int
    ends_turn: bool
    before_ps: dict[str, int]
    after_ps: dict[str, int]


@dataclass(frozen=True, slots=True)
class Script:
    """All of a run, by time."""

    sessions: tuple[SessionNote, ...] = ()
    requests: tuple[OutsideRequest, ...] = ()
