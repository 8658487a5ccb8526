"""Delays of sessions that speak with real clients: medians of the voice profile."""

from __future__ import annotations

import pytest

from subsecond.agents.voice import voice_parameters
from subsecond.agents.voice_delays import voice_delays


def test_delays_are_the_medians_of_the_profile() -> None:
    parameters = voice_parameters()
    delays = voice_delays(parameters)
    assert delays.speech_to_text_ms == pytest.approx(247, rel=0.01)
    assert delays.text_to_speech_ms == pytest.approx(188, rel=0.01)
    assert delays.speech_tokens_per_s == parameters.number("reply.rate")
    assert [delays.patience_ms(eagerness) for eagerness in ("high", "auto", "medium", "low")] == [300, 500, 500, 800]


def test_other_profiles_and_settings_have_other_delays() -> None:
    fast = voice_delays(voice_parameters("fast"))
    assert fast.patience_ms("low") < 310
    set_by_hand = voice_delays(voice_parameters(overrides={"text_to_speech.time": 42, "reply.rate": 5}))
    assert (set_by_hand.text_to_speech_ms, set_by_hand.speech_tokens_per_s) == (42, 5)
