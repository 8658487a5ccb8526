"""Agents from outside in the model: the latest word holds, memory is bounded, nobody's words reach a terminal raw."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.feeds import playground
from support.outside_agents import outside_agents, with_agents
from support.recordings import hello, turn

from subsecond.engine.feed import Hello, Message, OutsideAgent, TurnEnd
from subsecond.tui import outside
from subsecond.tui.model import Model
from subsecond.tui.outside import MARK, AgentTurns

AGENT = OutsideAgent(
    agent=3,
    name="mine",
    protocol="chat",
    address="127.0.0.1",
    kind=0,
    lane=1,
    is_connected=True,
    since_ps=0,
    sessions=(2,),
)


def changed(**fields: object) -> OutsideAgent:
    return msgspec.structs.replace(AGENT, **fields)


def model(*messages: Message) -> Model:
    made = Model(hello())
    for message in messages:
        made.add(message)
    return made


def test_the_latest_word_about_an_agent_holds_and_its_sessions_add_up() -> None:
    table = model(AGENT, changed(turns=7, sessions=(4, 5)), changed(agent=1, sessions=())).snapshot().agents
    assert [agent.agent for agent in table] == [3, 1]
    assert table.agents[3].turns == 7
    assert table.agents[3].sessions == (2, 4, 5)
    assert [table.name_of(session) for session in (2, 3, 5)] == [f"{MARK}mine", "", f"{MARK}mine"]
    assert table.num_connected == 2


def test_a_snapshot_stays_as_it_is() -> None:
    made = model(AGENT)
    before = made.snapshot().agents
    made.add(changed(is_connected=False, sessions=(9,)))
    made.add(changed(agent=8))
    assert before.agents == {3: AGENT}
    assert dict(before.by_session) == {2: 3}
    with pytest.raises(TypeError):
        before.agents[9] = AGENT  # type: ignore[index]  # that is the test
    after = made.snapshot().agents
    assert after is made.snapshot().agents, "nothing has changed"
    assert after.agents[3].sessions == (2, 9)


def test_of_too_many_those_that_have_gone_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "KEEP", 4)
    monkeypatch.setattr(outside, "KEEP_SESSIONS", 3)
    made = model(*(changed(agent=n, is_connected=n != 2, sessions=(10 * n,)) for n in range(5)))
    assert list(made.snapshot().agents.agents) == [0, 1, 3, 4]
    for n in range(5, 40):
        made.add(changed(agent=n, sessions=tuple(range(10 * n, 10 * n + 7))))
    table = made.snapshot().agents
    assert list(table.agents) == [36, 37, 38, 39]
    assert sorted(table.by_session) == [s for n in range(36, 40) for s in range(10 * n + 4, 10 * n + 7)]


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": 2},
        {"kind": -1},
        {"lane": 2},
        {"lane": -2},
        {"agent": -1},
        {"agent": 1 << 70},
        {"since_ps": 1 << 61},
        {"turns": -4},
        {"missed": 1 << 63},
        {"open_requests": -1},
        {"bytes_in": -1},
        {"bytes_out": 1 << 62},
        {"errors": -1},
        {"sessions": (3, -1)},
        {"sessions": (1 << 40,)},
        {"lag_ms": math.nan},
        {"lag_ms": math.inf},
    ],
    ids=str,
)
def test_what_no_agent_is_is_refused_and_changes_nothing(fields: dict[str, object]) -> None:
    made = model(AGENT)
    with pytest.raises(ValueError, match="agent"):
        made.add(changed(**fields))
    assert made.snapshot().agents.agents == {3: AGENT}


@given(st.text(), st.text(), st.text())
def test_words_of_strangers_are_made_safe(name: str, error: str, stage: str) -> None:
    agent = model(changed(name=name, last_error=error, stage=stage)).snapshot().agents.agents[3]
    assert agent.name.strip()
    for words in (agent.name, agent.last_error, agent.stage):
        assert words.isprintable()
        assert "\x1b" not in words


def test_endless_words_are_cut() -> None:
    agent = model(changed(name="x" * 10**6, last_error="y" * 10**6)).snapshot().agents.agents[3]
    assert len(agent.name) <= outside.LONGEST_NAME
    assert len(agent.last_error) <= outside.LONGEST_WORDS


def test_turns_are_those_of_the_agents_sessions_on_each_lane() -> None:
    made = Model(hello())
    for message in [turn(n, lane, latency_ps=(n + 1) * 10**9) for n in range(40) for lane in (0, 1)]:
        made.add(message)
    made.add(changed(sessions=(2, 4)))
    made.add(changed(agent=5, sessions=(77,)))
    snapshot = made.snapshot()
    own = sorted(n + 1 for n in range(40) if n % 5 in (2, 4))
    kept = sum(n % 2 == 0 for n in range(40) if n % 5 in (2, 4)) / len(own)
    p50, p95 = own[math.ceil(0.5 * len(own)) - 1], own[math.ceil(0.95 * len(own)) - 1]
    for lane in snapshot.lanes:
        assert snapshot.agents.turns(lane.log) == {3: AgentTurns(len(own), p50 * 10**9, p95 * 10**9, kept)}


def test_the_recorded_agents_have_turns_on_every_pipeline() -> None:
    first, *rest = with_agents()
    assert isinstance(first, Hello)
    made = Model(first)
    for message in rest:
        made.add(message)
    snapshot = made.snapshot()
    told = {m.agent: m for m in outside_agents() if isinstance(m, OutsideAgent)}
    for agent in snapshot.agents:
        for place, lane in enumerate(snapshot.lanes):
            ends = [
                m
                for m in outside_agents()
                if isinstance(m, TurnEnd) and m.lane == place and m.session in told[agent.agent].sessions
            ]
            assert snapshot.agents.turns(lane.log)[agent.agent].turns == len(ends)
            if place == agent.lane:
                assert agent.turns == len(ends)
    assert not set(snapshot.agents.by_session) & {m.session for m in playground() if isinstance(m, TurnEnd)}
