"""Text that is spoken: which sound goes out when, at the pace of playing, and never ahead of what is written."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Final

import numpy as np

from .sound_formats import SoundFormat
from .speech_sound import spoken

__all__ = ["CHUNK_MS", "LEAD_MS", "Playing"]

#: Sound goes out in pieces of this length; of what has gone out, the client has no more than so much left to play.
CHUNK_MS: Final = 100
LEAD_MS: Final = 300
MS_PER_S = 1000


class Playing:
    """Sound of a reply; every token of it takes the same time.

    Args:
        pieces: the text, a token each.
        tokens_per_s: how fast they are said, > 0.
        sound: format that is sent.
        is_paced: it goes out as it is played; else as soon as it is written.
    """

    def __init__(
        self, pieces: tuple[str, ...], tokens_per_s: float, sound: SoundFormat, *, is_paced: bool = True
    ) -> None:
        self._pieces = pieces
        self._lead_s = (LEAD_MS - CHUNK_MS) / MS_PER_S if is_paced else math.inf
        self._sound = sound
        self.piece_ms = MS_PER_S / tokens_per_s
        step = sound.rate / tokens_per_s
        self._edges = [round(number * step) for number in range(len(pieces) + 1)]
        self._step = math.ceil(step) + 1
        self._end = self._edges[-1]
        self._at = 0
        self._written = 0
        self._ready_s: float | None = None
        self._played_s = -math.inf

    @property
    def heard_ms(self) -> float:
        """Length of what has gone out."""
        return self._at * MS_PER_S / self._sound.rate

    @property
    def is_over(self) -> bool:
        """Whether all of it has gone out."""
        return self._at >= self._end

    @property
    def is_ready(self) -> bool:
        """Whether it is known when the first sound goes out."""
        return self._ready_s is not None

    def written(self, num_pieces: int) -> None:
        """So many tokens can be said by now."""
        self._written = min(num_pieces, len(self._pieces))

    def ready_at(self, at_s: float) -> None:
        """The first sound goes out at this time."""
        self._ready_s = at_s

    def end_early(self) -> None:
        """No more than what is written will be said."""
        self._end = max(self._at, min(self._end, self._edges[self._written]))

    def stop(self) -> None:
        """Not a sound more."""
        self._end = self._at

    def due_s(self) -> float | None:
        """When the next sound is to go out; None: not before more is written, or never."""
        if self._ready_s is None or self.is_over or self._needed(self._next()) > self._written:
            return None
        return max(self._ready_s, self._played_s - self._lead_s)

    def next_chunk(self, now_s: float) -> bytes:
        """The sound that is due, encoded."""
        first, last = self._at, self._next()
        self._at = last
        self._played_s = max(self._played_s, now_s) + (last - first) / self._sound.rate
        return self._sound.encode(self._samples(first, last))

    def _next(self) -> int:
        return min(self._at + self._sound.rate * CHUNK_MS // MS_PER_S, self._end)

    def _needed(self, last: int) -> int:
        """Tokens that are heard before this sample."""
        return bisect_left(self._edges, last)

    def _samples(self, first: int, last: int) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
        parts = []
        for number in range(bisect_left(self._edges, first + 1) - 1, self._needed(last)):
            start, end = self._edges[number], self._edges[number + 1]
            # one length for all tokens: the same word is found again wherever it stands
            sound = spoken(self._pieces[number], self._step, self._sound.rate)
            parts.append(sound[max(first, start) - start : min(last, end) - start])
        return np.concatenate(parts)
