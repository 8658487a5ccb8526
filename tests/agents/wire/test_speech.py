"""Speech in and out: the detector against noise, the sound of replies, its pace, and audio formats."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from subsecond.agents.wire.sound_formats import PCM, SOUND_FORMATS
from subsecond.agents.wire.speech_detector import Sensitivity, SpeechDetector, SpeechEnd, SpeechStart
from subsecond.agents.wire.speech_playing import Playing
from subsecond.agents.wire.speech_sound import spoken

RATE = 24000
SENTENCE = ["hello", "there", "I", "would", "like", "to", "book", "a", "table", "for", "two", "please"]
SPEECH = np.concatenate([spoken(word, RATE // 4, RATE) for word in SENTENCE])


def silence(seconds: float) -> NDArray[np.int16]:
    return np.zeros(round(seconds * RATE), np.int16)


def noisy(samples: NDArray[np.int16], noise_db: float, seed: int = 1) -> NDArray[np.int16]:
    """With white noise of this loudness."""
    noise = np.random.default_rng(seed).standard_normal(len(samples)) * 32768 * 10 ** (noise_db / 20)
    return np.clip(samples + noise, -32768, 32767).astype(np.int16)


def detected(samples: NDArray[np.int16], sensitivity: Sensitivity | None = None) -> list[SpeechStart | SpeechEnd]:
    detector, found = SpeechDetector(RATE), []
    for start in range(0, len(samples), 2400):
        found += detector.feed(samples[start : start + 2400], sensitivity or Sensitivity())
    return found


@pytest.mark.parametrize("noise_db", [-200.0, -60.0, -50.0, -40.0])
@pytest.mark.parametrize("gain_db", [0.0, -6.0])
def test_speech_is_found_in_the_noise_of_a_microphone(noise_db: float, gain_db: float) -> None:
    said = (SPEECH * 10 ** (gain_db / 20)).astype(np.int16)
    samples = np.concatenate([silence(1), said, silence(2), said, silence(1)])
    found = detected(noisy(samples, noise_db))
    assert [type(event) for event in found] == [SpeechStart, SpeechEnd] * 2
    first, end = found[0], found[1]
    assert isinstance(end, SpeechEnd)
    assert first.at_ms == pytest.approx(700, abs=60)
    assert end.at_ms == pytest.approx(1000 + len(said) / 24 + 500, abs=100)
    assert end.silence_ms == pytest.approx(500, abs=20)
    assert end.speech_ms == pytest.approx(len(said) / 24, abs=120)


@pytest.mark.parametrize("noise_db", [-200.0, -60.0, -45.0, -36.0])
def test_noise_alone_is_no_speech(noise_db: float) -> None:
    assert detected(noisy(silence(20), noise_db)) == []


def test_a_noise_that_sets_in_is_forgotten_after_a_while() -> None:
    found = detected(np.concatenate([silence(2), noisy(silence(10), -40)]))
    assert [type(event) for event in found] == [SpeechStart, SpeechEnd]
    assert found[1].at_ms < 2000 + 3000 + 500 + 300


def test_a_click_is_no_speech() -> None:
    samples = silence(3)
    samples[RATE : RATE + 700] = 20000
    assert detected(samples) == []


def test_speech_from_the_first_sample_on_is_found() -> None:
    found = detected(np.concatenate([SPEECH, silence(1)]))
    assert [type(event) for event in found] == [SpeechStart, SpeechEnd]
    assert found[0].at_ms == 0


def test_a_higher_threshold_needs_louder_speech() -> None:
    quiet = np.concatenate([silence(1), (SPEECH * 0.03).astype(np.int16), silence(1)])
    assert detected(noisy(quiet, -60), Sensitivity(threshold=0.0))
    assert not detected(noisy(quiet, -55), Sensitivity(threshold=1.0))


def test_pauses_shorter_than_the_silence_belong_to_the_speech() -> None:
    samples = np.concatenate([silence(1), SPEECH, silence(0.4), SPEECH, silence(1)])
    assert len(detected(samples)) == 2
    assert len(detected(samples, Sensitivity(silence_ms=200))) == 4


def test_padding_does_not_reach_into_the_speech_before() -> None:
    samples = np.concatenate([silence(1), SPEECH, silence(0.25), SPEECH, silence(1)])
    found = detected(samples, Sensitivity(padding_ms=900, silence_ms=200))
    starts = [event for event in found if isinstance(event, SpeechStart)]
    ends = [event for event in found if isinstance(event, SpeechEnd)]
    assert starts[0].at_ms == 100
    assert starts[1].at_ms == ends[0].at_ms


@pytest.mark.parametrize("rate", [8000, 24000])
@pytest.mark.parametrize("text", ["hello", " strength", "Übung", "42", "a" * 50, "\ud800b"])
def test_words_sound(text: str, rate: int) -> None:
    sound = spoken(text, rate // 4, rate)
    assert sound.dtype == np.int16
    assert len(sound) == rate // 4
    assert 3000 < abs(sound.astype(int)).max() < 20000
    assert abs(int(sound[0])) < 400
    assert abs(int(sound[-1])) < 400
    assert np.array_equal(sound, spoken.__wrapped__(text, rate // 4, rate))


@pytest.mark.parametrize("text", ["", " ", ".", "\n\n", "...?!"])
def test_what_has_no_letters_is_silent(text: str) -> None:
    assert not spoken(text, 1000, RATE).any()


@pytest.mark.parametrize("num_samples", [0, 1, 2, 7, 100])
def test_sounds_of_any_length(num_samples: int) -> None:
    assert len(spoken("beautiful", num_samples, RATE)) == num_samples


def test_vowels_differ_and_the_loud_part_of_speech_is_low() -> None:
    assert not np.array_equal(spoken("ma", 6000, RATE), spoken("mi", 6000, RATE))
    power = np.abs(np.fft.rfft(SPEECH.astype(float))) ** 2
    below_4_khz = power[: len(power) // 3].sum() / power.sum()
    assert below_4_khz > 0.9


@pytest.mark.parametrize("name", ["audio/pcmu", "audio/pcma"])
def test_companded_formats(name: str) -> None:
    sound = SOUND_FORMATS[name]
    every = bytes(range(256))
    values = sound.decode(every)
    assert np.array_equal(sound.decode(sound.encode(values)), values)
    ramp = np.arange(-32768, 32768, 7).astype(np.int16)
    back = sound.decode(sound.encode(ramp)).astype(int)
    inside = abs(ramp.astype(int)) < 30000
    assert (abs(back - ramp)[inside] <= np.maximum(abs(ramp.astype(int))[inside] / 16, 16)).all()
    assert sound.length_ms(800) == 100


def test_known_values_of_g711() -> None:
    ulaw, alaw = SOUND_FORMATS["audio/pcmu"], SOUND_FORMATS["audio/pcma"]
    assert ulaw.decode(bytes([0xFF, 0x7F, 0x80, 0x00])).tolist() == [0, 0, 32124, -32124]
    assert alaw.decode(bytes([0xD5, 0x55, 0xAA, 0x2A])).tolist() == [8, -8, 32256, -32256]


def played(playing: Playing, start_s: float, end_s: float) -> bytes:
    """All that goes out up to a time, by the clock of its own due times."""
    data, now_s = b"", start_s
    while (due_s := playing.due_s()) is not None and due_s <= end_s:
        now_s = max(now_s, due_s)
        data += playing.next_chunk(now_s)
    return data


@pytest.mark.parametrize("tokens_per_s", [0.5, 4.28, 7.0, 300.0])
def test_playing_gives_every_sample_once(tokens_per_s: float) -> None:
    pieces = tuple(f" {word}" for word in SENTENCE)
    playing = Playing(pieces, tokens_per_s, PCM)
    playing.written(len(pieces))
    assert playing.due_s() is None
    playing.ready_at(5.0)
    assert playing.due_s() == 5.0
    data = played(playing, 0.0, 1e9)
    assert playing.is_over
    assert len(data) // 2 == round(len(pieces) * RATE / tokens_per_s)
    length = int(np.ceil(RATE / tokens_per_s)) + 1
    samples = PCM.decode(data)
    edges = [round(number * RATE / tokens_per_s) for number in range(len(pieces) + 1)]
    for number, piece in enumerate(pieces):
        start, end = edges[number], edges[number + 1]
        assert np.array_equal(samples[start:end], spoken(piece, length, RATE)[: end - start])


def test_playing_waits_for_what_is_not_written_and_does_not_catch_up_in_a_burst() -> None:
    playing = Playing(("a",) * 8, 4.0, PCM)
    playing.written(2)
    playing.ready_at(0.0)
    assert len(played(playing, 0.0, 9.0)) // 48 == 500
    assert playing.due_s() is None
    playing.written(8)
    assert len(played(playing, 9.0, 9.0)) // 48 == 300
    assert playing.due_s() == pytest.approx(9.1)
    playing.end_early()
    playing.stop()
    assert playing.is_over
