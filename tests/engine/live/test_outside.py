"""Agents from outside on a live run: served by one lane, shadowed on the others, measured like any turn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.plans import Hand, driver, plan, tool_turns
from support.small import MS, S, workload

from subsecond.engine.core.config import Status, Submission
from subsecond.engine.feed import TurnEnd
from subsecond.engine.live.driver import LiveDriver
from subsecond.engine.live.outside import Conversation, Progress, Ticket
from subsecond.engine.run import Plan, run_plan
from subsecond.engine.turns import TurnState
from subsecond.engine.workload.assembly import merge
from subsecond.engine.workload.outside import outside_sessions, outside_workload

GPU, SPLIT = 0, 1
ASK = Submission(prompt_tokens=200, output_tokens=30)


def outside_plan(slots: int = 4, **tables: object) -> Plan:
    own = tool_turns(workload(sessions=2, requests=2, kinds=("coding", "voice")))
    stages = (("endpointing", "speech_to_text"), ("text_to_speech",))
    work = merge([own, outside_workload(slots, 2, ("coding", "voice"), *stages)])
    return replace(plan(work, **tables), outside=outside_sessions(work, slots))


class Live:
    """A run whose clock a test moves, and what was told on the way."""

    def __init__(self, chosen: Plan | None = None) -> None:
        self.hand = Hand()
        self.driver: LiveDriver = driver(chosen or outside_plan(), self.hand, speed=1.0)
        self.told: list[Progress] = []
        self.ends: list[TurnEnd] = []

    @property
    def now(self) -> int:
        return self.driver.now_ps

    def go(self, ms: float, step_ms: float = 0.5) -> None:
        for _ in range(round(ms / step_ms)):
            self.hand.now_s += step_ms / 1000
            self.driver.advance()
            self.told += self.driver.outside.look(self.now)
            self.ends += [turn for turn in self.driver.turn_ends() if turn.session >= 2 + 4]

    def until_replied(self, ticket: Ticket, step_ms: float = 0.5) -> Progress:
        for _ in range(2000):
            self.go(1, step_ms)
            found = [one for one in self.told if one.ticket is ticket and one.end is not None]
            if found:
                return found[0]
        raise AssertionError("no reply within two seconds")

    def open(self) -> Conversation:
        conversation = self.driver.outside.open()
        assert conversation is not None
        return conversation

    def submit(self, conversation: Conversation, lane: int = GPU, ask: Submission = ASK, **how: object) -> Ticket:
        return self.driver.outside.submit(conversation, lane, ask, self.now, agent=0, **how)  # type: ignore[arg-type]  # a test's own options


def test_a_request_goes_through_the_stages_and_its_tokens_come_one_by_one() -> None:
    live = Live()
    live.go(5)
    ticket = live.submit(live.open(), SPLIT)
    sent = live.now
    end = live.until_replied(ticket, step_ms=0.01)
    mine = [one for one in live.told if one.ticket is ticket]
    stages = [one.stage[0] for one in mine if one.stage is not None]
    assert stages[0] == "routing"
    assert stages[-1] == "decode_rest"
    assert "handoff" in stages
    given = [one.given for one in mine]
    assert given == sorted(given)
    assert given[-1] == 30
    assert len(set(given)) > 10
    assert end.status is Status.FINISHED
    assert end.end is not None
    assert end.end.start_ps == sent + 1
    assert sum(end.end.stages_ps) == end.end.latency_ps
    assert end.end.end_ps <= live.now
    assert end.end.output_tokens == 30


def test_the_turn_is_told_for_every_lane_with_one_number() -> None:
    live = Live()
    conversation = live.open()
    for index in range(3):
        live.until_replied(live.submit(conversation))
        live.go(40)
        ends = [turn for turn in live.ends if turn.index == index]
        assert sorted(turn.lane for turn in ends) == [GPU, SPLIT]
        assert len({(turn.turn, turn.session) for turn in ends}) == 1
    assert {turn.state for turn in live.ends} == {TurnState.ANSWERED}
    assert all(sum(turn.stages_ps) == turn.latency_ps for turn in live.ends)
    assert [live.driver.outside.latency_ps(turn.turn)[turn.lane] for turn in live.ends] == [
        turn.latency_ps for turn in live.ends
    ]


def test_a_slow_shadow_waits_for_its_own_replies_and_keeps_the_agents_gaps() -> None:
    slow = outside_plan(faults=[{"kind": "slow", "at_s": 0.0, "pipeline": "split", "target": 2, "value": 20.0}])
    live = Live(slow)
    live.go(5)
    conversation = live.open()
    for _ in range(3):
        live.until_replied(live.submit(conversation))
        live.go(7)
    live.go(1000)
    gpu, split = ([turn for turn in live.ends if turn.lane == lane] for lane in (GPU, SPLIT))
    assert [turn.index for turn in split] == [0, 1, 2]
    assert split[0].latency_ps > gpu[0].latency_ps
    for before, after in ((0, 1), (1, 2)):
        gaps = [turns[after].start_ps - turns[before].end_ps for turns in (gpu, split)]
        assert gaps[1] == pytest.approx(gaps[0], abs=2 * MS)


def test_an_agent_that_turns_to_another_lane_does_not_wait_for_its_shadow() -> None:
    slow = outside_plan(faults=[{"kind": "slow", "at_s": 0.0, "pipeline": "split", "target": 2, "value": 200.0}])
    live = Live(slow)
    live.go(5)
    conversation = live.open()
    live.until_replied(live.submit(conversation, GPU))
    assert [turn.lane for turn in live.ends] == [GPU]
    ticket = live.submit(conversation, SPLIT)
    live.go(20)
    assert [(turn.lane, turn.state) for turn in live.ends[1:2]] == [(SPLIT, TurnState.CANCELLED)]
    assert any(one.ticket is ticket and one.stage is not None for one in live.told)


def test_cancelling_ends_the_turn_on_every_lane_and_frees_its_memory() -> None:
    live = Live()
    live.go(300)  # the run's own sessions are over
    ticket = live.submit(live.open(), ask=replace(ASK, output_tokens=1000))
    live.go(12)
    live.driver.outside.cancel(ticket, live.now)
    end = live.until_replied(ticket)
    assert end.status is Status.CANCELLED
    assert 0 < end.given < 1000
    live.go(100)
    assert {(turn.lane, turn.state) for turn in live.ends} == {(lane, TurnState.CANCELLED) for lane in (GPU, SPLIT)}
    for gauge in live.driver.gauges():
        assert gauge.open_turns == 0
        assert [server.used_tokens for server in gauge.servers] == [0] * len(gauge.servers)


def test_a_request_can_be_cancelled_before_it_has_arrived() -> None:
    live = Live()
    ticket = live.submit(live.open())
    live.driver.outside.cancel(ticket, live.now)
    assert live.until_replied(ticket).status is Status.CANCELLED


def test_a_turn_of_several_requests_is_one_turn() -> None:
    live = Live()
    conversation = live.open()
    before, after = {"endpointing": 3 * MS, "speech_to_text": 2 * MS}, {"text_to_speech": 4 * MS}
    live.until_replied(live.submit(conversation, before_ps=before, ends_turn=False))
    live.go(9)
    assert live.ends == []
    live.until_replied(live.submit(conversation, after_ps=after, ask=replace(ASK, milestone_tokens=5)))
    live.go(50)
    stages = live.driver.lanes[0].stages
    for turn in live.ends:
        spent = dict(zip(stages, turn.stages_ps, strict=True))
        assert turn.requests == 2
        assert (spent["endpointing"], spent["speech_to_text"], spent["text_to_speech"]) == (3 * MS, 2 * MS, 4 * MS)
        assert spent["tools"] >= 9 * MS
        assert sum(turn.stages_ps) == turn.latency_ps
    assert sorted(turn.lane for turn in live.ends) == [GPU, SPLIT]


def test_open_turns_are_in_the_gauges_first_of_all() -> None:
    live = Live()
    live.go(300)
    conversation = live.open()
    live.submit(conversation, ask=replace(ASK, output_tokens=500), before_ps={"endpointing": 30 * MS})
    live.go(6)
    for gauge in live.driver.gauges():
        (turn,) = gauge.oldest
        assert gauge.open_turns == 1
        assert turn.session == conversation.number
        assert turn.start_ps <= turn.since_ps <= gauge.at_ps
        assert sum(turn.stages_ps) <= gauge.at_ps - turn.start_ps
        assert turn.stages_ps[live.driver.lanes[0].stages.index("endpointing")] == 30 * MS


def test_sessions_are_free_again_when_agents_have_gone() -> None:
    live = Live()
    opened = [live.driver.outside.open() for _ in range(5)]
    assert opened[4] is None
    tickets = [live.submit(one) for one in opened[:4] if one is not None]
    live.go(4)
    for one in opened[:4]:
        assert one is not None
        live.driver.outside.close(one, live.now)
    assert live.driver.outside.num_open == 0
    live.go(100)
    assert not live.driver.outside.is_busy
    again = [live.open() for _ in range(4)]
    assert len({one.number for one in [*again, *(o for o in opened[:4] if o)]}) == 8
    assert live.until_replied(live.submit(again[0])).status is Status.FINISHED
    with pytest.raises(ValueError, match="waits for a reply, or is over"):
        live.submit(tickets[0].conversation)


def test_the_place_of_an_idle_conversation_is_free_at_once() -> None:
    """Nobody looks while nothing is under way: whoever wants a place must not wait for that."""
    live = Live()
    opened = [live.open() for _ in range(4)]
    for one in opened:
        live.until_replied(live.submit(one))
    live.go(100)
    for one in opened:
        live.driver.outside.close(one, live.now)
        assert live.until_replied(live.submit(live.open())).status is Status.FINISHED
        live.go(100)


def test_a_run_without_outside_agents_is_untouched_by_their_places() -> None:
    own = tool_turns(workload(sessions=6, requests=4, kinds=("coding", "voice")))
    alone = run_plan(plan(own, duration_s=0.06), compiled=False)
    stages = (("endpointing", "speech_to_text"), ("text_to_speech",))
    work = merge([own, outside_workload(3, 2, ("coding", "voice"), *stages)])
    with_places = replace(plan(work, duration_s=0.06), outside=outside_sessions(work, 3))
    hand = Hand()
    live = driver(with_places, hand, keep=False)
    while not live.is_over:
        hand.now_s += 1e-4
        live.advance()
        live.turn_ends()
    for lane in live.lanes:
        first = lane.engine.results(np.arange(own.num_requests))
        assert first.finish_ps.tolist() == alone.lanes[lane.name].results.finish_ps.tolist()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["submit", "cancel", "close"]), st.integers(0, 3), st.integers(0, 1), st.integers(0, 30)
        ),
        max_size=40,
    )
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_whatever_agents_do_every_request_ends_once_and_nothing_is_left(steps: list[tuple[str, int, int, int]]) -> None:
    live = Live()
    conversations: list[Conversation | None] = [None] * 4
    tickets: list[Ticket] = []
    closed: set[int] = set()
    for what, place, lane, ms in steps:
        live.go(ms, step_ms=1)
        one = conversations[place]
        if what == "submit":
            if one is None:
                one = conversations[place] = live.driver.outside.open()
            if one is not None and one.present is None:
                tickets.append(live.submit(one, lane, replace(ASK, output_tokens=200)))
        elif one is not None and what == "cancel" and one.present is not None:
            live.driver.outside.cancel(one.present, live.now)
        elif one is not None and what == "close":
            closed.add(one.number)
            live.driver.outside.close(one, live.now)
            conversations[place] = None
    live.go(2000, step_ms=10)
    ended = [one.ticket for one in live.told if one.end is not None]
    assert len(ended) == len({id(ticket) for ticket in ended})
    for ticket in tickets:
        assert (ticket in ended) or ticket.conversation.number in closed
    for lane in (GPU, SPLIT):
        numbers = [turn.turn for turn in live.ends if turn.lane == lane]
        assert len(numbers) == len(set(numbers))
    assert live.driver.outside.num_open == 0
    assert not live.driver.outside.is_busy
    assert all(server.used_tokens == 0 for gauge in live.driver.gauges() for server in gauge.servers)
    assert all(
        turn.latency_ps < 10 * S and sum(turn.stages_ps) == turn.latency_ps
        for turn in live.ends
        if turn.state == TurnState.ANSWERED
    )
