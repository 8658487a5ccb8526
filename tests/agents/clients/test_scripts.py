"""What outside agents will do: drawn as for simulated ones; their texts have the length that was wanted."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from subsecond.agents.clients.audio import BYTES_PER_S, FRAME_S, silence_frames, speech_frames
from subsecond.agents.clients.scripts import arrivals, calls, coding_sessions
from subsecond.agents.clients.text import words
from subsecond.agents.coding import coding_parameters, draw_coding
from subsecond.agents.tokens import default_counter


def test_coding_sessions_are_those_of_a_simulated_run() -> None:
    load = draw_coding(coding_parameters({"subagents.share": 0.0}), sessions=64, seed=5)
    first = load.session_first_request.tolist()
    for number, steps in enumerate(itertools.islice(coding_sessions(5), 64)):
        at = slice(first[number], first[number + 1])
        assert [step.prompt_tokens for step in steps] == load.prompt_tokens[at].tolist()
        assert [step.output_tokens for step in steps] == load.output_tokens[at].tolist()
        assert steps[0].is_fresh
        assert steps[0].begins_task


def test_a_step_begins_a_task_where_the_one_before_ended_it() -> None:
    for steps in itertools.islice(coding_sessions(1), 20):
        assert all(later.begins_task is step.ends_task for step, later in itertools.pairwise(steps))


def test_sessions_go_on_without_end() -> None:
    assert len(list(itertools.islice(coding_sessions(1), 130))) == 130
    assert len(list(itertools.islice(calls(1), 130))) == 130


def test_calls_have_speech_tools_and_interruptions_in_their_shares() -> None:
    turns = [turn for call in itertools.islice(calls(1), 300) for turn in call]
    assert all(turn.speaking_s > 0 for turn in turns)
    assert np.mean([bool(turn.tools_s) for turn in turns]) == pytest.approx(0.3155, abs=0.03)
    assert np.mean([turn.interrupted_s is not None for turn in turns]) == pytest.approx(0.15, abs=0.02)


def test_arrivals_have_their_rate_and_go_on() -> None:
    times = list(itertools.islice(arrivals("coding", 1, 10.0), 10_000))
    assert times == sorted(times)
    assert times[-1] == pytest.approx(1000, rel=0.05)


@pytest.mark.parametrize("tokens", [0, 1, 250, 15_000, 140_000])
def test_words_are_tokens(tokens: int) -> None:
    assert default_counter().count(words(tokens, 77)) == tokens


def test_texts_from_other_places_differ() -> None:
    assert len({words(50, place) for place in range(0, 60_000, 100)}) == 600


def test_frames_hold_sound_of_their_length() -> None:
    import base64
    import json

    for frames, least, most in ((speech_frames(), 3000, 12_000), (silence_frames(), 1, 100)):
        sounds = [base64.b64decode(json.loads(frame)["audio"]) for frame in frames]
        assert {len(sound) for sound in sounds} == {round(FRAME_S * BYTES_PER_S)}
        loudest = np.abs(np.frombuffer(b"".join(sounds), "<i2")).max()
        assert least < loudest < most
