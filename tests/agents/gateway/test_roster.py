"""What is counted of agents."""

from __future__ import annotations

from subsecond.agents.gateway.roster import Roster
from subsecond.engine.feed import TurnEnd
from subsecond.engine.turns import TurnState


def ended(lane: int, session: int, met: int) -> TurnEnd:
    return TurnEnd(lane, session, session, 0, 0, TurnState.ANSWERED, 0, 10, 5, 1, (10,), (met,), 1, 4, 0, 2, 0)


def test_turns_count_on_the_lane_that_serves_them_whatever_the_agent_did_since() -> None:
    roster = Roster()
    agent = roster.welcome("key", "load", "native", "127.0.0.1", 0, 0)
    roster.has_session(agent, 100, 0)
    roster.has_session(agent, 101, 1)
    roster.count([ended(0, 100, 0), ended(1, 100, 1), ended(0, 101, 0), ended(1, 101, 1)])
    assert (agent.turns, agent.missed) == (2, 1)
    roster.has_session(agent, 100, 1)  # it goes on elsewhere
    roster.count([ended(0, 100, 0), ended(1, 100, 1)])
    assert (agent.turns, agent.missed) == (3, 1)
