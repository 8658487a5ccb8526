"""Voice traces: calls become turns with utterance gaps, playout and barge-in."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np

from subsecond.engine.core.config import Workload
from subsecond.engine.workload.traces import read_traces, sample_path
from subsecond.engine.workload.traces.speech import YIELD_S, Speech, exchanges_of
from subsecond.engine.workload.traces.voice import (
    AFTER_S,
    AGENT_TOKENS_PER_S,
    BEFORE_S,
    MEDIAN_REPLY_TOKENS,
    SENTENCE_TOKENS,
    SYSTEM_TOKENS,
)

BEFORE_PS = round(sum(BEFORE_S.values()) * 1e12)
AFTER_PS = round(sum(AFTER_S.values()) * 1e12)


def user(start: float, end: float, tokens: int = 5) -> Speech:
    return Speech(start, end, True, tokens)


def agent(start: float, end: float, tokens: int = 20) -> Speech:
    return Speech(start, end, False, tokens)


def near(a: float, b: float) -> bool:
    return abs(a - b) < 1e-9


def test_a_turn_is_an_utterance_and_its_reply() -> None:
    exchanges, greeting = exchanges_of([agent(0, 2, 9), user(3, 5), agent(6, 9), user(10, 14, 8), agent(15, 16, 4)])
    assert greeting == 9
    assert [e.gap_s for e in exchanges] == [5, 5]
    assert [e.playout_s for e in exchanges] == [3, 1]
    assert [e.user_tokens for e in exchanges] == [5, 8]
    assert [e.steps[0].output for e in exchanges] == [20, 4]
    assert [e.heard_tokens for e in exchanges] == [None, None]


def test_pauses_of_one_side_do_not_end_its_turn() -> None:
    exchanges, _ = exchanges_of([user(0, 1), user(2, 3), agent(4, 5), agent(7, 9)])
    assert len(exchanges) == 1
    assert (exchanges[0].gap_s, exchanges[0].user_tokens) == (3, 10)
    assert (exchanges[0].playout_s, exchanges[0].steps[0].output) == (5, 40)


def test_who_falls_silent_was_interrupted() -> None:
    exchanges, _ = exchanges_of([user(0, 1), agent(2, 10, 34), user(9.5, 13), agent(14, 15)])
    assert exchanges[0].heard_tokens == 34
    assert exchanges[0].steps[0].output == MEDIAN_REPLY_TOKENS
    assert exchanges[0].playout_s == 8
    # what the user says after the agent's silence is the next gap
    assert exchanges[1].gap_s == 3


def test_an_interrupted_long_reply_is_as_long_as_what_was_heard() -> None:
    exchanges, _ = exchanges_of([user(0, 1), agent(2, 60, 250), user(59, 61), agent(62, 63)])
    assert exchanges[0].steps[0].output == exchanges[0].heard_tokens == 250


def test_a_backchannel_interrupts_nobody() -> None:
    exchanges, _ = exchanges_of([user(0, 1), agent(2, 10), user(5, 5.5), user(12, 13), agent(14, 15)])
    assert exchanges[0].heard_tokens is None
    assert exchanges[1].user_tokens == 5
    assert near(exchanges[1].gap_s, 3)


def test_who_talks_on_over_the_agent_s_end_speaks_next() -> None:
    exchanges, _ = exchanges_of([user(0, 1), agent(2, 10), user(9 - YIELD_S, 12), agent(13, 15)])
    assert exchanges[0].heard_tokens is None
    assert exchanges[1].gap_s == 2


def test_a_false_start_of_the_agent_is_no_reply() -> None:
    exchanges, _ = exchanges_of([user(0, 10), agent(3, 3.6), agent(11, 12)])
    assert len(exchanges) == 1
    assert exchanges[0].gap_s == 10
    assert exchanges[0].playout_s == 1


def test_last_words_without_a_reply_ask_no_model() -> None:
    assert exchanges_of([user(0, 1)]) == ([], 0)


def check_voice_laws(workload: Workload) -> None:
    assert workload.kinds == ("voice",)
    ends = np.flatnonzero(np.diff(workload.turn, append=workload.num_turns))
    begins = np.flatnonzero(np.diff(workload.turn, prepend=-1))
    assert (workload.gap_ps[begins] >= BEFORE_PS).all()
    assert sum(int(column[0]) for column in workload.before_ps.values()) == BEFORE_PS
    after = sum(workload.after_ps.values())
    assert (workload.hold_ps[ends] >= after).all()
    inner = np.setdiff1d(np.arange(workload.num_requests), ends)
    assert not workload.hold_ps[inner].any()
    assert not workload.is_barge_in[inner].any()
    assert workload.group_tokens.tolist() == [SYSTEM_TOKENS]
    roots = workload.session_first_request[:-1]
    assert (workload.session_start_ps >= workload.gap_ps[roots]).all()
    same = np.setdiff1d(np.arange(workload.num_requests), roots)
    assert (workload.reuse_tokens[same] > 0).all()


def flags(name: str) -> list[list[list[object]]]:
    with gzip.open(sample_path(name), "rt") as file:
        return [json.loads(line)["ticks"] for line in file]


def test_tau2_calls_keep_the_agent_s_speaking_time() -> None:
    workload = read_traces([sample_path("tau2-ticks")])
    check_voice_laws(workload)
    assert workload.num_sessions == 2
    # counted by hand in the two calls: two and three false starts of the agent, and last words without a reply
    assert sorted(np.diff(workload.session_first_request).tolist()) == [10, 15]
    # of a plain reply the tokens follow from the time with the agent's flag up, and all flags are in some reply
    plain = ~workload.is_barge_in
    spoken_s = 0.2 * sum(tick[1] for call in flags("tau2-ticks") for tick in call)  # type: ignore[misc]  # flags are ints
    playout_s = (workload.hold_ps - AFTER_PS) / 1e12
    assert (workload.output_tokens[plain] <= np.ceil(playout_s[plain] * AGENT_TOKENS_PER_S) + 1).all()
    assert playout_s.sum() >= 0.95 * spoken_s
    assert 0.3 < workload.is_barge_in.mean() < 0.8
    assert (workload.milestone_tokens == np.minimum(SENTENCE_TOKENS, workload.output_tokens)).all()


def test_harpervalley_tokens_follow_from_words() -> None:
    workload = read_traces([sample_path("harpervalley")])
    check_voice_laws(workload)
    with sample_path("harpervalley").open() as file:
        rows = list(csv.DictReader(file))
    calls = list(dict.fromkeys(row["call"] for row in rows))
    assert workload.num_sessions <= len(calls) == 8
    words = sum(int(row["words"]) for row in rows if row["role"] == "agent")
    plain = workload.output_tokens[~workload.is_barge_in].sum()
    assert plain <= 1.3 * words


def test_first_call_of_harpervalley_by_hand(tmp_path: Path) -> None:
    lines = sample_path("harpervalley").read_text().splitlines()
    head = [lines[0], *(line for line in lines if line.startswith("0002f70f7386445b"))]
    (tmp_path / "a.csv").write_text("\n".join(head))
    workload = read_traces([tmp_path / "a.csv"])
    # caller 12.89-20.0, agent 23.59-25.42, caller 27.82-29.81, agent 31.62-32.76, caller 34.09-36.09, agent
    # 38.19-40.59, caller 42.49-44.32, agent 45.69-47.55; the last words are not answered
    assert workload.num_requests == 4
    gaps_s = [20.0, 29.81 - 25.42, 36.09 - 32.76, 44.32 - 40.59]
    assert np.abs(workload.gap_ps - BEFORE_PS - np.array(gaps_s) * 1e12).max() < 1e4
    holds_s = [25.42 - 23.59, 32.76 - 31.62, 40.59 - 38.19, 47.55 - 45.69]
    assert np.abs(workload.hold_ps - AFTER_PS - np.array(holds_s) * 1e12).max() < 1e4
    assert workload.output_tokens.tolist() == [round(1.207 * words) for words in (7, 5, 10, 8)]
    assert workload.session_start_ps.tolist() == [workload.gap_ps[0]]


def test_eva_session_takes_the_calls_that_were_answered_with() -> None:
    with gzip.open(sample_path("eva"), "rt") as file:
        events = [json.loads(line) for line in file][1:]
    workload = read_traces([sample_path("eva")])
    check_voice_laws(workload)
    assert workload.num_turns == sum(event["event"] == "agent_audio_start" for event in events) - 1 == 9
    # by hand: of 19 calls five were thrown away while the user still spoke
    sizes = [1860, 1908, 1977, 2309, 2423, 4479, 4646, 4843, 6903, 7069, 7157, 7699, 7870, 8000]
    assert workload.prompt_tokens.tolist() == sizes
    assert workload.turn.tolist() == [0, 1, 2, 2, 3, 3, 4, 5, 5, 6, 7, 7, 7, 8]
    assert abs(int(workload.gap_ps[0]) - BEFORE_PS - 6.721e12) < 1e4
    assert abs(int(workload.gap_ps[1]) - BEFORE_PS - (24.787 - 15.044) * 1e12) < 1e4
    # the tool ran from the end of the call to the next one
    assert abs(int(workload.gap_ps[3]) - (48.999 - 47.187 - 1.809) * 1e12) < 1e4
    assert abs(int(workload.hold_ps[0]) - AFTER_PS - (15.044 - 8.687) * 1e12) < 1e4


def test_eva_lengths_become_requests_and_contexts() -> None:
    with gzip.open(sample_path("eva-lengths"), "rt") as file:
        rows = list(csv.DictReader(file))
    workload = read_traces([sample_path("eva-lengths")])
    check_voice_laws(workload)
    # conversation 1: greeting 9, user 28, agent 34, user 18, call 38, result 325, call 41, result 279, agent 88, ...
    assert [row["tokens"] for row in rows[:6]] == ["9", "28", "34", "18", "38", "325"]
    prompt = SYSTEM_TOKENS + 9 + 28
    prompts = [prompt]
    for output, added in ((34, 18), (38, 325), (41, 279), (88, 54)):
        prompt += output + added
        prompts.append(prompt)
    assert workload.prompt_tokens[:5].tolist() == prompts
    assert workload.reuse_tokens[:3].tolist() == [0, prompts[0] + 34, prompts[1] + 38]
    assert workload.turn[:5].tolist() == [0, 1, 1, 1, 2]
    assert workload.milestone_tokens[:3].tolist() == [SENTENCE_TOKENS, 38, 41]
