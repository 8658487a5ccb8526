"""Agents from outside for tests of the dashboard: what they add to the recorded minute of `feeds.playground`.

Recorded once from a run of the same scenario with three agents: their turns on every pipeline, what is told of them,
and gauges at the end, where two of them wait for a reply. `python -m support.outside_agents`, in `tests`, records anew.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from subsecond.agents.gateway.roster import AgentEntry, Roster
from subsecond.agents.plan import plan_run
from subsecond.engine.core.config import Submission
from subsecond.engine.feed import Gauges, Message, OutsideAgent, TurnEnd, decode_message, encode
from subsecond.engine.live.driver import LiveDriver
from subsecond.engine.live.outside import Conversation
from subsecond.engine.scenario import load_tables, parse_scenario

from .feeds import HandClock, playground

__all__ = ["outside_agents", "with_agents"]

PS_PER_S = 10**12
PS_PER_MS = 10**9
SECONDS = 60
RECORDED = Path(__file__).with_name("outside-agents.jsonl.gz")


@cache
def outside_agents() -> tuple[Message, ...]:
    """The recorded messages: turns of agents from outside, notes on them, the last gauges of every lane."""
    return tuple(decode_message(line) for line in gzip.decompress(RECORDED.read_bytes()).splitlines())


@cache
def with_agents() -> tuple[Message, ...]:
    """The recorded minute, and the agents' messages after it."""
    return (*playground(), *outside_agents())


@dataclass(frozen=True)
class _Asks:
    """An agent's request: from when on, in which of its conversations, how much."""

    at_s: float
    agent: int
    conversation: int
    prompt_tokens: int
    output_tokens: int


def _script() -> Iterator[_Asks]:
    for turn in range(9):  # a coding agent: one long task, and a second one
        yield _Asks(2 + 4 * turn, 0, int(turn >= 6), 9_000 + 2_500 * (turn % 6), 180 + 90 * (turn % 3))
    for turn in range(5):  # a caller
        yield _Asks(4 + 9 * turn, 1, 0, 600 + 150 * turn, 70)
    yield _Asks(9, 2, 0, 400, 40)
    yield _Asks(59.2, 0, 1, 60_000, 900)
    yield _Asks(59.97, 1, 0, 1_600, 90)


_WAYS = (
    ("my-coder", "responses", "127.0.0.1", 0, "gpu"),
    ("pipecat 1.14 #1", "realtime", "127.0.0.1", 1, "trn-cs3"),
    ("curl/8.5.0", "chat", "::1", 0, "gpu"),
)


def _record() -> list[Message]:
    tables, path = load_tables("playground")
    tables.pop("duration_s", None)
    plan = plan_run(parse_scenario(tables, path), outside=16)
    clock, roster = HandClock(), Roster()
    driver = LiveDriver(plan, clock, compiled=False)  # type: ignore[arg-type]  # as good as the real clock
    lanes = [lane.name for lane in driver.lanes]
    script = sorted(_script(), key=lambda asks: asks.at_s)
    entries: dict[int, AgentEntry] = {}
    conversations: dict[tuple[int, int], Conversation] = {}
    messages: list[Message] = []
    for hundredth in range(1, 100 * SECONDS + 1):
        clock.at_ps = hundredth * PS_PER_S // 100
        driver.advance()
        driver.outside.look(driver.now_ps)
        while script and script[0].at_s * PS_PER_S <= clock.at_ps:
            asks = script.pop(0)
            name, protocol, address, kind, lane = _WAYS[asks.agent]
            entry = entries.get(asks.agent) or roster.welcome(name, name, protocol, address, kind, driver.now_ps)
            entries[asks.agent] = entry
            entry.seen_ps, entry.is_changed = driver.now_ps, True
            key = (asks.agent, asks.conversation)
            if key not in conversations:
                found = driver.outside.open()
                assert found is not None
                conversations[key] = found
            _submit(driver, conversations[key], asks, kind, lanes.index(lane))
            roster.has_session(entry, conversations[key].number, lanes.index(lane))
            entry.bytes_in += 4 * asks.prompt_tokens
        ends = [turn for turn in driver.turn_ends() if turn.session >= plan.workload.num_sessions]
        for turn in ends:
            entry = next(entries[a] for (a, _), one in conversations.items() if one.number == turn.session)
            entry.bytes_out += 250 * turn.output_tokens * (turn.lane == entry.lane)
        roster.count(ends)
        messages += ends
    entries[0].lag_ms, entries[0].open_requests, entries[0].stage = 2.4, 1, "prefill"
    entries[1].open_requests, entries[1].connections = 1, 1
    entries[2].complain("model: the model 'gpt-5' does not exist")
    entries[2].seen_ps = -(PS_PER_S**2)  # long gone
    return [*messages, *roster.news(driver.now_ps), *driver.gauges()]


def _submit(driver: LiveDriver, conversation: Conversation, asks: _Asks, kind: int, lane: int) -> None:
    before = {"endpointing": 500 * PS_PER_MS, "speech_to_text": 40 * PS_PER_MS} if kind else {}
    after = {"text_to_speech": 190 * PS_PER_MS} if kind else {}
    milestone = 20 if kind else 0
    reuse = asks.prompt_tokens - 2_000 if asks.prompt_tokens > 10_000 else 0
    work = Submission(asks.prompt_tokens, asks.output_tokens, reuse, milestone)
    driver.outside.submit(conversation, lane, work, driver.now_ps, agent=kind, before_ps=before, after_ps=after)


if __name__ == "__main__":
    RECORDED.write_bytes(gzip.compress(b"\n".join(encode(message) for message in _record()), mtime=0))
    for message in outside_agents():
        if isinstance(message, OutsideAgent | TurnEnd):
            print(message)
        assert isinstance(message, OutsideAgent | TurnEnd | Gauges)
