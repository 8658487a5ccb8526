"""A sound like speech for text that a simulated agent says: syllables with vowels and consonants, no words.

It can be heard, measured and interrupted like speech. Every vowel of the text is one syllable: a buzz with the
resonances of that vowel, a hiss before it, and an envelope that rises and falls. What has no letter is silence.
"""

from __future__ import annotations

import re
import zlib
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["spoken"]

Int16 = NDArray[np.int16]
Float32 = NDArray[np.float32]

#: Pieces of text whose sound is kept: 11 KiB each, and replies are made of the same words again and again.
REMEMBERED: Final = 512
VOWELS: Final = re.compile(r"[aeiouyäöüáéíóúàèìòù]+")
#: First three resonances in Hz of a man's vowels; textbook averages (Peterson and Barney 1952), rounded.
RESONANCES_HZ: Final = {
    "a": (730, 1090, 2440),
    "e": (530, 1840, 2480),
    "i": (270, 2290, 3010),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
}
#: Width and strength of each.
WIDTHS_HZ, STRENGTHS = (90.0, 110.0, 170.0), (1.0, 0.5, 0.25)
#: The pitch of a syllable lies between these.
LOW_HZ, HIGH_HZ = 100.0, 140.0
#: The voice ends below both this and half the sampling rate.
TOP_HZ = 3400.0
#: Share of a syllable that is consonant; loudness of vowel and consonant, 1 being the loudest possible.
CONSONANT_SHARE, VOWEL_PEAK, CONSONANT_PEAK = 0.25, 0.4, 0.06


@lru_cache(REMEMBERED)
def spoken(text: str, num_samples: int, rate: int) -> Int16:
    """Sound of a word or a part of one; the same text sounds the same.

    Args:
        num_samples: its length.
        rate: samples per second.

    Returns:
        [num_samples], not to be written to.
    """
    sound = np.zeros(num_samples, np.float32)
    letters = "".join(letter for letter in text.lower() if letter.isalnum())
    if letters:
        vowels = [group[0] for group in VOWELS.findall(letters)] or ["e"]
        random = np.random.default_rng(zlib.crc32(text.encode(errors="replace")))
        edges = np.linspace(0, num_samples, len(vowels) + 1).astype(int)
        for vowel, first, last in zip(vowels, edges[:-1], edges[1:], strict=True):
            sound[first:last] = _syllable(vowel, int(last - first), rate, random)
    samples = (sound * 32767).astype(np.int16)
    samples.flags.writeable = False
    return samples


def _syllable(vowel: str, num_samples: int, rate: int, random: np.random.Generator) -> Float32:
    """[num_samples], silent at both ends."""
    voice = np.resize(_period(vowel, random.uniform(LOW_HZ, HIGH_HZ), rate), num_samples)
    sound: Float32 = voice * _hump(num_samples) * np.float32(VOWEL_PEAK)
    hiss = random.standard_normal(int(num_samples * CONSONANT_SHARE), np.float32)
    sound[: len(hiss)] += np.diff(hiss, prepend=np.float32(0)) * _hump(len(hiss)) * np.float32(CONSONANT_PEAK)
    return np.clip(sound, -1, 1)


def _hump(num_samples: int) -> Float32:
    """From 0 up to 1 and down again, smoothly."""
    rise = np.abs(np.sin(np.linspace(0, np.pi, num_samples, dtype=np.float32)))  # the last rounds to just below 0
    hump: Float32 = np.sqrt(rise).astype(np.float32)
    return hump


def _period(vowel: str, pitch_hz: float, rate: int) -> Float32:
    """One oscillation of the voice, its loudest sample 1: harmonics, each as loud as the resonances let it be."""
    length = round(rate / pitch_hz)
    hz = np.arange(1, int(min(TOP_HZ, rate / 2) / pitch_hz) + 1)[:, None] * pitch_hz
    centres = np.array(RESONANCES_HZ.get(vowel, RESONANCES_HZ["e"]))
    loudness = (np.array(STRENGTHS) / (1 + ((hz - centres) / np.array(WIDTHS_HZ)) ** 2)).sum(axis=1)
    phases = 2 * np.pi * np.arange(1, len(hz) + 1)[:, None] * np.arange(length) / length
    wave = loudness @ np.sin(phases)
    period: Float32 = (wave / np.abs(wave).max()).astype(np.float32)
    return period
