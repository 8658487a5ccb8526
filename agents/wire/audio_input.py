"""The input audio buffer of a Realtime session: what the client has sent and not committed, and who speaks in it.

The audio itself is not kept: what it weighs in a prompt is its length, and what it says cannot be known.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from .reading import Refused
from .sound_formats import PCM, SoundFormat
from .speech_detector import Sensitivity, SpeechDetector, SpeechEnd, SpeechStart

__all__ = ["LEAST_COMMIT_MS", "MOST_BUFFER_MS", "AudioInput", "Heard", "Spoken"]

#: A commit of less is refused, as by the real service.
LEAST_COMMIT_MS: Final = 100.0
#: Longest audio of one item: 15 min.
MOST_BUFFER_MS: Final = 900_000.0
MS_PER_S = 1000


@dataclass(frozen=True, slots=True)
class Spoken:
    """Audio that becomes an item.

    Attributes:
        end_ms: its end on audio time.
        audio_ms: its length.
        speech_ms: how much of it somebody speaks.
        silence_ms: after the speech.
        digest: equal for equal audio that came in equal pieces.
    """

    end_ms: float
    audio_ms: float
    speech_ms: float
    silence_ms: float
    digest: bytes


Heard = SpeechStart | Spoken


class AudioInput:
    """Takes audio in; times are milliseconds of all audio that was ever sent.

    Args:
        most_ms: longest audio without a commit.
    """

    def __init__(self, most_ms: float = MOST_BUFFER_MS) -> None:
        self._most_ms = most_ms
        self._format = PCM
        self._sensitivity: Sensitivity | None = None
        self._detector = SpeechDetector(PCM.rate)
        self._end_ms = 0.0
        self._start_ms = 0.0
        self._rest = b""
        self._hash = hashlib.blake2b(digest_size=16)

    def tune(self, sound: SoundFormat, sensitivity: Sensitivity | None) -> None:
        """What comes from here on, and what is listened for; None: the client commits itself."""
        if sound is not self._format or (sensitivity is None) != (self._sensitivity is None):
            self._detector = SpeechDetector(sound.rate, self._end_ms)
            self._rest = b""
        self._format, self._sensitivity = sound, sensitivity

    @property
    def is_speaking(self) -> bool:
        """Whether somebody has begun to speak and not ended."""
        return self._detector.is_speaking

    def append(self, data: bytes) -> list[Heard]:
        """More audio; what happened in it.

        Raises:
            Refused: there is too much that the client has not committed.
        """
        added_ms = self._format.length_ms(len(self._rest) + len(data))
        if self._sensitivity is None and self._end_ms - self._start_ms + added_ms > self._most_ms:
            raise Refused(
                f"the buffer holds at most {self._most_ms / MS_PER_S:g} s of audio: commit or clear it",
                "audio",
                "input_audio_buffer_full",
            )
        data = self._rest + data
        whole = len(data) // self._format.sample_bytes * self._format.sample_bytes
        data, self._rest = data[:whole], data[whole:]
        self._end_ms += added_ms
        self._hash.update(data)
        if self._sensitivity is None or not data:
            return []
        events = self._detector.feed(self._format.decode(data), self._sensitivity)
        heard = [self._heard(event) for event in events]
        if not self._detector.is_speaking:
            self._start_ms = max(self._start_ms, self._end_ms - self._most_ms)
        return heard

    def _heard(self, event: SpeechStart | SpeechEnd) -> Heard:
        if isinstance(event, SpeechStart):
            self._start_ms = max(self._start_ms, event.at_ms)
            return SpeechStart(self._start_ms)
        return self._taken(event.at_ms, event.speech_ms, event.silence_ms)

    def commit(self) -> Spoken:
        """All that is there becomes an item.

        Raises:
            Refused: there is next to nothing.
        """
        audio_ms = self._end_ms - self._start_ms
        if audio_ms < LEAST_COMMIT_MS:
            raise Refused(
                f"the buffer holds {audio_ms:.2f} ms of audio, a commit needs {LEAST_COMMIT_MS:g} ms",
                code="input_audio_buffer_commit_empty",
            )
        self._detector.forget()
        return self._taken(self._end_ms, audio_ms, 0.0)

    def clear(self) -> None:
        """What is there is of no interest any more."""
        self._detector.forget()
        self._taken(self._end_ms, 0.0, 0.0)
        self._rest = b""

    def _taken(self, end_ms: float, speech_ms: float, silence_ms: float) -> Spoken:
        spoken = Spoken(end_ms, end_ms - self._start_ms, speech_ms, silence_ms, self._hash.digest())
        self._start_ms = end_ms
        self._hash = hashlib.blake2b(digest_size=16)
        return spoken
