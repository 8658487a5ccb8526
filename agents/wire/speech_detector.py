"""When somebody speaks: an energy detector on the time of the audio itself, not on a clock's.

This is our own detector, simple on purpose: a frame of 20 ms is voiced when it is louder than the noise by a margin.
The noise is the quietest frame of the last seconds, so that a microphone's hum or a fan is not taken for speech; a
louder noise that sets in is, until the quiet of before has been forgotten. It tells sound from silence, not speech from
other sounds. The detectors of real services are trained models and differ in what they take for speech, but report
it in the same words.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["FRAME_MS", "Sensitivity", "SpeechDetector", "SpeechEnd", "SpeechStart"]

Int16 = NDArray[np.int16]

FRAME_MS: Final = 20
MS_PER_S = 1000
#: Loudness of the loudest possible sound is 0 dB.
FULL_SCALE = 32768.0
#: The noise is taken to lie between these: digital silence is not quieter, and what is louder is no noise.
LEAST_NOISE_DB, MOST_NOISE_DB = -60.0, -35.0
#: A threshold of 0 to 1 stands for this margin above the noise: 9 dB at 0.5, the default of clients.
MARGIN_DB, MARGIN_PER_THRESHOLD_DB = 3.0, 12.0
#: Speech that has begun goes on down to so much below the margin.
HYSTERESIS_DB = 3.0
#: The noise is the least of so many blocks of so many frames: 3 s.
NOISE_BLOCKS, BLOCK_FRAMES = 15, 10
#: A beginning needs so many voiced frames in a row; a click has fewer.
ONSET_FRAMES = 3


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What a client asks of the detector.

    Attributes:
        threshold: 0 to 1; more needs louder speech.
        padding_ms: audio before the first voiced frame that still belongs to the speech.
        silence_ms: silence that ends it.
    """

    threshold: float = 0.5
    padding_ms: float = 300.0
    silence_ms: float = 500.0


@dataclass(frozen=True, slots=True)
class SpeechStart:
    """Somebody speaks; `at_ms` of audio time, the padding included."""

    at_ms: float


@dataclass(frozen=True, slots=True)
class SpeechEnd:
    """The silence has lasted long enough.

    Attributes:
        at_ms: of audio time, after the silence.
        speech_ms: from the first voiced frame to the last.
        silence_ms: that passed after it.
    """

    at_ms: float
    speech_ms: float
    silence_ms: float


class SpeechDetector:
    """Finds speech in audio that comes in pieces of any length.

    Args:
        rate: samples per second.
        start_ms: audio time at its first sample.
    """

    def __init__(self, rate: int, start_ms: float = 0.0) -> None:
        self._frame = rate * FRAME_MS // MS_PER_S
        self._rest = np.zeros(0, np.int16)
        self._at_ms = start_ms
        self._start_ms = start_ms
        self._quietest: deque[float] = deque(maxlen=NOISE_BLOCKS)
        self._block: list[float] = []
        self._num_voiced = 0
        self._first_ms: float | None = None
        self._last_ms = 0.0

    @property
    def is_speaking(self) -> bool:
        """Whether a speech has begun and not ended."""
        return self._first_ms is not None

    def forget(self) -> None:
        """The speech under way is of no interest any more."""
        self._first_ms, self._num_voiced = None, 0

    def feed(self, samples: Int16, sensitivity: Sensitivity) -> list[SpeechStart | SpeechEnd]:
        """More audio; what happened in it, in order."""
        samples = np.concatenate((self._rest, samples)) if len(self._rest) else samples
        whole = len(samples) // self._frame * self._frame
        self._rest = samples[whole:].copy()
        margin_db = MARGIN_DB + MARGIN_PER_THRESHOLD_DB * sensitivity.threshold
        found: list[SpeechStart | SpeechEnd] = []
        for level_db in self._levels_db(samples[:whole]):
            event = self._frame_heard(level_db, margin_db, sensitivity)
            if event is not None:
                found.append(event)
        return found

    def _levels_db(self, samples: Int16) -> list[float]:
        """Loudness of each frame."""
        frames = samples.astype(np.float32).reshape(-1, self._frame)
        power = np.einsum("ij,ij->i", frames, frames) / (self._frame * FULL_SCALE**2)
        levels: list[float] = (10 * np.log10(np.maximum(power, 1e-12))).tolist()
        return levels

    def _frame_heard(
        self, level_db: float, margin_db: float, sensitivity: Sensitivity
    ) -> SpeechStart | SpeechEnd | None:
        over_db = level_db - self._noise_db(level_db)
        begun_ms, self._at_ms = self._at_ms, self._at_ms + FRAME_MS
        if self._first_ms is None:
            self._num_voiced = self._num_voiced + 1 if over_db >= margin_db else 0
            if self._num_voiced < ONSET_FRAMES:
                return None
            self._first_ms = self._at_ms - self._num_voiced * FRAME_MS
            self._last_ms = self._at_ms
            return SpeechStart(max(self._start_ms, self._first_ms - sensitivity.padding_ms))
        if over_db >= margin_db - HYSTERESIS_DB:
            self._last_ms = self._at_ms
        elif self._at_ms - self._last_ms >= sensitivity.silence_ms:
            end = SpeechEnd(self._at_ms, self._last_ms - self._first_ms, self._at_ms - self._last_ms)
            self.forget()
            self._start_ms = begun_ms + FRAME_MS
            return end
        return None

    def _noise_db(self, level_db: float) -> float:
        """Loudness of the noise, with one more frame heard."""
        self._block.append(level_db)
        noise_db = min(self._block)
        if self._quietest:
            noise_db = min(noise_db, min(self._quietest))
        if len(self._block) == BLOCK_FRAMES:
            self._quietest.append(min(self._block))
            self._block.clear()
        return min(max(noise_db, LEAST_NOISE_DB), MOST_NOISE_DB)
