"""What a recording without gauges says of turns under way is what gauges would have said."""

from __future__ import annotations

from support.feeds import playground

from subsecond.engine.feed import Gauges, Hello, TurnEnd
from subsecond.engine.turns import TurnState
from subsecond.tui.open_turns import NO_STAGE, seen_from_their_end

MESSAGES = playground()
HELLO = MESSAGES[0]
assert isinstance(HELLO, Hello)


def test_open_turns_follow_from_their_ends() -> None:
    assert isinstance(HELLO, Hello)
    ends = [m for m in MESSAGES if isinstance(m, TurnEnd) and m.state == TurnState.ANSWERED]
    compared = unknown = 0
    for gauges in (m for m in MESSAGES if isinstance(m, Gauges)):
        under_way = [end for end in ends if end.start_ps <= gauges.at_ps < end.end_ps]
        derived = seen_from_their_end(under_way, HELLO, gauges.at_ps)[gauges.lane]
        told = {turn.turn: turn for turn in gauges.oldest}
        for turn in derived.oldest:
            if turn.turn not in told:  # live, nothing is seen of the way back, and of a call only the model's part
                assert HELLO.agents[turn.agent] == "voice" or HELLO.stages[turn.stage] == "network"
                continue
            assert turn.start_ps == told[turn.turn].start_ps
            if turn.stage == NO_STAGE:
                unknown += 1
            elif HELLO.agents[turn.agent] == "coding":  # a spoken reply is heard while it is still decoded
                assert turn == told[turn.turn]
                compared += 1
    assert compared > 100
    assert unknown > 0
