"""Turns of real runs: stages tile the latency, states follow the requests, times are those the user sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle.cases import random_case
from support.small import MS, US, colocated, disaggregated, workload

from subsecond.agents.voice import draw_voice, voice_parameters
from subsecond.engine.core.config import Fault, FaultKind, Pipeline, Policy, Status, Workload
from subsecond.engine.core.engine import simulate
from subsecond.engine.turns import TOOLS, Turns, TurnState, turns_of

QUICK = {"prompt.shared_prefix": 40, "tools.share": 0.5, "barge_in.share": 0.4, "tools.result_tokens": 20}


def calls(seed: int = 1, sessions: int = 5, **overrides: float) -> Workload:
    parameters = voice_parameters(None, {**QUICK, **overrides})
    return draw_voice(parameters, sessions=sessions, seed=seed, max_turns=4, ramp_s=1.0)


def run(pipeline: Pipeline, work: Workload, *faults: Fault, stop_ps: int | None = None) -> Turns:
    results = simulate(pipeline, work, faults, compiled=False, until_ps=stop_ps)
    return turns_of(work, results, stop_ps)


def assert_tiled(turns: Turns) -> None:
    answered = turns.state == TurnState.ANSWERED
    total = sum(turns.stage_ps(name) for name in turns.stage_names)
    assert (total[answered] == turns.latency_ps[answered]).all()
    for name in turns.stage_names:
        assert (turns.stage_ps(name)[answered] >= 0).all(), name


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.booleans())
def test_stages_of_voice_turns_tile_the_latency(seed: int, split: bool) -> None:
    turns = run(disaggregated() if split else colocated(), calls(seed))
    assert (turns.state == TurnState.ANSWERED).all()
    assert_tiled(turns)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 3000), st.sampled_from(list(Policy)))
def test_stages_tile_the_latency_when_servers_fail(seed: int, at_ms: int, policy: Policy) -> None:
    pipeline = replace(disaggregated(decoders=2), prefill_lost=policy, decode_lost=policy, detect_ps=5 * MS)
    faults = [Fault((at_ms + 400 * i) * MS, FaultKind.SERVER_DOWN, i % 4) for i in range(12)]
    faults += [Fault((at_ms + 400 * i + 90) * MS, FaultKind.SERVER_UP, i % 4) for i in range(12)]
    assert_tiled(run(pipeline, calls(seed), *sorted(faults, key=lambda fault: fault.at_ps)))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6))
def test_stages_tile_the_latency_in_random_scenarios(number: int) -> None:
    case = random_case(number)
    results = simulate(case.pipeline, case.workload, case.faults, seed=case.seed, compiled=False)
    assert_tiled(turns_of(case.workload, results))


def test_a_turn_begins_with_the_end_of_speech_and_ends_with_the_first_sound() -> None:
    work = calls()
    turns = run(colocated(), work)
    results = turns.results
    sent = results.arrival_ps[turns.first]
    heard = results.milestone_ps[turns.last] + results.network_ps
    assert (turns.start_ps == sent - sum(work.before_ps.values())).all()
    assert (turns.start_ps + turns.latency_ps == heard + sum(work.after_ps.values())).all()
    assert (turns.start_ps >= 0).all()


def test_the_next_turn_begins_after_the_user_has_spoken() -> None:
    """With no barge-in the gap holds pause and utterance: the user's turn to wait begins later than the reply's end."""
    work = calls(**{"barge_in.share": 0.0})
    turns = run(colocated(), work)
    first_of_session = np.searchsorted(turns.first, work.session_first_request[:-1])
    inner = np.setdiff1d(np.arange(1, work.num_turns), first_of_session)
    ends = turns.results.milestone_ps[turns.last] + turns.results.network_ps + work.hold_ps[turns.last]
    assert (turns.start_ps[inner] >= ends[inner - 1]).all()
    assert len(inner)


def test_tools_are_the_time_between_requests_of_a_turn() -> None:
    work = calls(**{"tools.time": 700})
    turns = run(colocated(), work)
    requests = turns.last - turns.first + 1
    assert (turns.stage_ps(TOOLS) == (requests - 1) * 700 * MS).all()
    assert (requests > 1).any()
    assert not turns.is_single


def test_turns_of_one_request_have_no_tools() -> None:
    turns = run(colocated(), workload())
    assert turns.is_single
    assert not turns.stage_ps(TOOLS).any()
    assert (turns.state == TurnState.ANSWERED).all()
    assert_tiled(turns)
    assert (
        turns.latency_ps
        == turns.results.finish_ps + 2 * turns.results.network_ps - turns.results.arrival_ps - turns.results.network_ps
    ).all()


def test_first_tokens_and_gaps_are_those_of_the_last_request() -> None:
    turns = run(colocated(), calls())
    results, last = turns.results, turns.last
    assert (turns.ttft_ps == results.first_ps[last] + results.network_ps - results.arrival_ps[last]).all()
    tokens = results.emitted_tokens[last]
    slow = tokens > 1
    gaps = (results.finish_ps[last] - results.first_ps[last])[slow] // (tokens[slow] - 1)
    assert (turns.tpot_ps[slow] == gaps).all()


def test_an_interrupted_reply_is_answered() -> None:
    slow_reader = calls(**{"barge_in.share": 1.0, "barge_in.listening": 0.0, "barge_in.yield": 0, "reply.tokens": 200})
    slow_reader = replace(slow_reader, hold_ps=np.where(slow_reader.hold_ps > 0, 1 * US, 0), after_ps={})
    turns = run(colocated(), slow_reader)
    assert (turns.results.status[turns.last] == Status.CANCELLED).any()
    assert (turns.state == TurnState.ANSWERED).all()
    assert_tiled(turns)


def test_a_run_that_stops_leaves_turns_pending() -> None:
    work = calls()
    stop = 9 * 1000 * MS
    turns = run(colocated(), work, stop_ps=stop)
    assert turns.stop_ps == stop
    pending = turns.state == TurnState.PENDING
    assert pending.any()
    assert (~pending).any()
    assert (turns.start_ps[turns.results.arrival_ps[turns.first] < 0] == -1).all()
    assert_tiled(turns)


def test_a_failed_request_fails_its_turn() -> None:
    work = calls()
    pipeline = replace(colocated(), prefill_lost=Policy.FAIL)
    turns = run(pipeline, work, Fault(0, FaultKind.SERVER_DOWN, 0))
    assert (turns.state == TurnState.FAILED).all()


def test_a_request_too_long_fails_its_turn_alone() -> None:
    work = workload(sessions=2, requests=2)
    prompt = work.prompt_tokens.copy()
    prompt[1] = 90_000
    turns = run(colocated(capacity=50_000), replace(work, prompt_tokens=prompt))
    assert list(turns.state) == [TurnState.ANSWERED, TurnState.FAILED, TurnState.ANSWERED, TurnState.ANSWERED]


def test_the_kind_of_a_turn_is_that_of_its_session() -> None:
    turns = run(colocated(), workload(sessions=4, requests=3, kinds=("coding", "voice")))
    assert list(turns.kind) == [0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1]
    assert turns.kinds == ("coding", "voice")


def test_no_such_stage() -> None:
    turns = run(colocated(), workload())
    with pytest.raises(KeyError):
        turns.stage_ps("daydreaming")
