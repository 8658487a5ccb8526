"""Sound that a detector takes for speech, as frames ready to be sent, and the microphone that sends them in real time.

24 kHz, 16 bit, one channel. The sound is a voice's fundamental with its harmonics, louder and softer four times a
second as syllables are, never silent; between utterances there is faint noise, as in any room.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from .clock import Clock
from .connection import Broken, Socket

__all__ = ["BYTES_PER_S", "FRAME_S", "Microphone", "Utterance"]

RATE_HZ: Final = 24_000
BYTES_PER_S: Final = 2 * RATE_HZ
#: Length of one frame.
FRAME_S: Final = 0.05
#: Of the sound that is drawn once and sent again and again.
TAPE_S: Final = 8.0
PITCH_HZ: Final = 130.0
SYLLABLES_HZ: Final = 4.0


@lru_cache(1)
def speech_frames() -> tuple[str, ...]:
    """Messages that append speech, a frame each."""
    t = np.arange(round(TAPE_S * RATE_HZ)) / RATE_HZ
    pitch = 2 * np.pi * PITCH_HZ * t + 2.0 * np.sin(2 * np.pi * 0.7 * t)
    voice = sum(np.sin(k * pitch) / k for k in range(1, 12))
    # down to the room's noise between two syllables, as speech is: detectors measure the noise there
    loudness = np.maximum(0.002, np.sin(np.pi * SYLLABLES_HZ * t) ** 2)
    sound = 9000.0 * loudness * voice / np.abs(voice).max()
    return _messages(sound)


@lru_cache(1)
def silence_frames() -> tuple[str, ...]:
    """Messages that append faint noise."""
    return _messages(np.random.Generator(np.random.PCG64(2)).normal(0.0, 8.0, round(TAPE_S * RATE_HZ)))


def _messages(sound: NDArray[np.float64]) -> tuple[str, ...]:
    samples = sound.astype("<i2").reshape(-1, round(FRAME_S * RATE_HZ))
    return tuple(
        msgspec.json.encode(
            {"type": "input_audio_buffer.append", "audio": base64.b64encode(frame.tobytes()).decode()}
        ).decode()
        for frame in samples
    )


@dataclass(slots=True)
class Utterance:
    """Speech of a caller.

    Attributes:
        begin_s, end_s: when its first frame begins, and when its last one is over and due to be sent.
        sent_s: when that was sent; before that as `end_s`.
    """

    frames: int
    begin_s: float
    end_s: float
    sent_s: float


class Microphone:
    """Sends a frame every `FRAME_S`, of speech or of silence, at times that do not drift."""

    def __init__(self, socket: Socket, clock: Clock) -> None:
        self._socket = socket
        self._clock = clock
        self._utterance: Utterance | None = None
        self._next_s = clock.now_s()
        self._task = asyncio.create_task(self._send())

    def speak(self, duration_s: float) -> Utterance:
        """Speech from the next frame on, rounded up to whole frames."""
        frames = max(1, -int(-duration_s // FRAME_S))
        end_s = self._next_s + frames * FRAME_S
        self._utterance = Utterance(frames, self._next_s, end_s, end_s)
        return self._utterance

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _send(self) -> None:
        speech, silence = speech_frames(), silence_frames()
        spoken = sent = 0
        try:
            while True:
                # a frame can be sent when the sound in it is over
                await self._clock.until(self._next_s + FRAME_S)
                self._next_s += FRAME_S
                utterance = self._utterance
                await self._socket.send_text((silence if utterance is None else speech)[sent % len(speech)])
                sent += 1
                if utterance is None:
                    continue
                spoken += 1
                if spoken == utterance.frames:
                    utterance.sent_s = self._clock.now_s()
                    self._utterance, spoken = None, 0
        except Broken:
            return  # whoever reads from the same connection finds out as well
