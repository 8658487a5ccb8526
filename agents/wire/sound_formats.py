"""Audio as it travels in Realtime messages: PCM16 at 24 kHz, and the two companded formats of telephony at 8 kHz."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["PCM", "SOUND_FORMATS", "SoundFormat"]

Int16 = NDArray[np.int16]
MS_PER_S = 1000


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """A format of mono audio.

    Attributes:
        name: as clients call it, "audio/pcm".
        rate: samples per second.
        sample_bytes: length of one sample.
        decode: whole samples -> 16-bit ones.
        encode: the way back.
    """

    name: str
    rate: int
    sample_bytes: int
    decode: Callable[[bytes], Int16]
    encode: Callable[[Int16], bytes]

    def length_ms(self, num_bytes: int) -> float:
        """How long so many bytes sound."""
        return num_bytes // self.sample_bytes * MS_PER_S / self.rate

    @property
    def shown(self) -> dict[str, object]:
        """The format as a session's settings say it."""
        return {"type": self.name, "rate": self.rate} if self.name == "audio/pcm" else {"type": self.name}


def _ulaw_values() -> Int16:
    """The 256 values of G.711 mu-law."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    size = ((mantissa << 3) + 0x84 << exponent) - 0x84
    return np.where(code & 0x80, -size, size).astype(np.int16)


def _alaw_values() -> Int16:
    """The 256 values of G.711 A-law."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    size = np.where(exponent == 0, (mantissa << 4) + 8, (mantissa << 4) + 0x108 << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, size, -size).astype(np.int16)


@cache
def _nearest(law: Callable[[], Int16]) -> tuple[Int16, NDArray[np.float64], NDArray[np.uint8]]:
    """Values by code, and to find the code of the nearest value: the middles between values, and codes in order."""
    values = law()
    order = np.argsort(values, kind="stable")
    ascending = values[order].astype(np.float64)
    return values, (ascending[1:] + ascending[:-1]) / 2, order.astype(np.uint8)


def _companded(name: str, law: Callable[[], Int16]) -> SoundFormat:
    def decode(data: bytes) -> Int16:
        return _nearest(law)[0][np.frombuffer(data, np.uint8)]

    def encode(samples: Int16) -> bytes:
        _, middles, codes = _nearest(law)
        return codes[np.searchsorted(middles, samples)].tobytes()

    return SoundFormat(name, 8000, 1, decode, encode)


def _pcm_samples(data: bytes) -> Int16:
    return np.frombuffer(data, "<i2").astype(np.int16, copy=False)


def _pcm_bytes(samples: Int16) -> bytes:
    return samples.astype("<i2", copy=False).tobytes()


PCM: Final = SoundFormat("audio/pcm", 24000, 2, _pcm_samples, _pcm_bytes)
SOUND_FORMATS: Final = {
    sound.name: sound for sound in (PCM, _companded("audio/pcmu", _ulaw_values), _companded("audio/pcma", _alaw_values))
}
