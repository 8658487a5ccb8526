"""Whether a message can be of a run: it names what the run has, and no number is beyond what any run has."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from subsecond.engine.commands import SetKnob
from subsecond.engine.feed import (
    Annotation,
    Clock,
    FaultNote,
    Gauges,
    Hello,
    Load,
    Message,
    Notice,
    OutsideAgent,
    TurnEnd,
)
from subsecond.engine.turns import TurnState

__all__ = ["LIMIT", "MAX_SESSIONS", "check"]

#: Sessions that a session's number may name: beyond, the feed is not of this program.
MAX_SESSIONS: Final = 1 << 22
#: Numbers that fit everywhere, with room for sums.
LIMIT: Final = 1 << 60


def check(hello: Hello, message: Message | SetKnob) -> None:
    """Check a message of a run.

    Raises:
        ValueError: it names a lane, an agent kind, a stage or a number that the run does not have, or begins a run.
    """
    match message:
        case TurnEnd():
            _check_turn(hello, message)
        case Gauges():
            _check_gauges(hello, message)
        case Clock():
            if not 0 <= message.at_ps < LIMIT or not message.speed > 0:
                raise ValueError(f"a clock at {message.at_ps} ps that runs at {message.speed}")
        case Load():
            _check_load(hello, message)
        case FaultNote():
            _check_fault(hello, message)
        case OutsideAgent():
            _check_agent(hello, message)
        case Notice():
            if not (abs(message.dropped) < LIMIT and 0 <= (message.at_ps or 0) < LIMIT):
                raise ValueError("a notice of a number that no run has")
        case Annotation():
            if not 0 <= message.at_ps < LIMIT:
                raise ValueError(f"an annotation at {str(message.at_ps)[:40]} ps")
        case SetKnob():
            if message.lane not in {lane.name for lane in hello.lanes}:
                raise ValueError(f"lane {message.lane[:80]!r}")
        case Hello():
            raise ValueError("a run has begun: it needs a model of its own")


def _check_lane(hello: Hello, lane: int) -> None:
    if not 0 <= lane < len(hello.lanes):
        raise ValueError(f"lane {lane} of {len(hello.lanes)}")


def _check_turn(hello: Hello, turn: TurnEnd) -> None:
    _check_lane(hello, turn.lane)
    if not 0 <= turn.agent < len(hello.agents):
        raise ValueError(f"agent kind {turn.agent} of {len(hello.agents)}")
    if len(turn.stages_ps) != len(hello.stages) or len(turn.met) != len(hello.budgets):
        raise ValueError(f"a turn of {len(turn.stages_ps)} stages and {len(turn.met)} budgets")
    if not TurnState.ANSWERED <= turn.state <= TurnState.CANCELLED:
        raise ValueError(f"an ended turn in state {turn.state}")
    if not 0 <= turn.session < MAX_SESSIONS or not 0 <= turn.start_ps < LIMIT:
        raise ValueError(f"turn {turn.turn} of session {turn.session} begins at {turn.start_ps} ps")
    if not all(-LIMIT < value < LIMIT for value in _turn_numbers(turn)):
        raise ValueError(f"turn {turn.turn} has a number that no run has")
    if turn.state == TurnState.ANSWERED and turn.latency_ps < 0:
        raise ValueError(f"turn {turn.turn} ends before it begins")


def _turn_numbers(turn: TurnEnd) -> Iterator[int]:
    yield from (turn.turn, turn.index, turn.latency_ps, turn.ttft_ps, turn.tpot_ps, turn.requests, turn.prompt_tokens)
    yield from (turn.hit_tokens, turn.output_tokens, turn.attempts)
    yield from turn.stages_ps
    yield from turn.met


def _check_gauges(hello: Hello, gauges: Gauges) -> None:
    _check_lane(hello, gauges.lane)
    lane = hello.lanes[gauges.lane]
    if len(gauges.servers) != len(lane.servers):
        raise ValueError(f"gauges of {len(gauges.servers)} servers, {lane.name} has {len(lane.servers)}")
    if any(not 0 <= t.stage < len(hello.stages) or len(t.stages_ps) != len(hello.stages) for t in gauges.oldest):
        raise ValueError("an open turn in a stage that the run does not have")
    if any(not 0 <= t.agent < len(hello.agents) for t in gauges.oldest):
        raise ValueError("an open turn of an agent kind that the run does not have")
    if not all(math.isfinite(fault.value or 0.0) for fault in gauges.scheduled):
        raise ValueError("a fault to come with a value that no fault has")
    if not all(-LIMIT < value < LIMIT for value in _gauge_numbers(gauges)):
        raise ValueError("gauges with a number that no run has")


def _gauge_numbers(gauges: Gauges) -> Iterator[int]:
    yield from (gauges.at_ps, gauges.open_turns, gauges.flows)
    for turn in gauges.oldest:
        yield from (turn.turn, turn.session, turn.index, turn.start_ps, turn.since_ps, *turn.stages_ps)
    for server in gauges.servers:
        yield from (server.queued, server.batch, server.used_tokens, server.retained_tokens, server.busy_ps)
        yield from (server.flows, server.received_tokens, server.prefill_tokens, server.hit_tokens)
        yield from (server.preemptions, server.evictions)
    for fault in gauges.scheduled:
        yield from (fault.at_ps, fault.target, fault.until_ps or 0)


def _check_load(hello: Hello, load: Load) -> None:
    kinds = len(hello.agents)
    if not len(load.sessions) == len(load.wanted) == kinds or len(load.arrivals_per_s) not in (0, kinds):
        raise ValueError("a load of other agent kinds than the run's")
    if not all(abs(count) < LIMIT for count in (load.at_ps, *load.sessions, *load.wanted)):
        raise ValueError("a load of a number of sessions that no run has")
    if not all(math.isfinite(rate) and rate >= 0 for rate in load.arrivals_per_s):
        raise ValueError("sessions that begin at a rate that no run has")


def _check_fault(hello: Hello, fault: FaultNote) -> None:
    _check_lane(hello, fault.lane)
    if not all(0 <= at < LIMIT for at in (fault.at_ps, fault.until_ps or 0)):
        raise ValueError(f"a fault at {fault.at_ps} ps")
    if not (abs(fault.target) < LIMIT and math.isfinite(fault.value or 0.0)):
        raise ValueError(f"a fault of part {fault.target} with value {fault.value}")


def _check_agent(hello: Hello, agent: OutsideAgent) -> None:
    if not 0 <= agent.kind < len(hello.agents) or not -1 <= agent.lane < len(hello.lanes):
        raise ValueError(f"an agent of kind {agent.kind} on lane {agent.lane}")
    numbers = (agent.agent, agent.since_ps, agent.turns, agent.missed, agent.open_requests)
    if not all(abs(value) < LIMIT for value in (*numbers, agent.bytes_in, agent.bytes_out, agent.errors)):
        raise ValueError(f"agent {str(agent.agent)[:40]} has a number that no run has")
