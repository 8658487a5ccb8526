"""Puts numbered batches in order: each is given out once, whatever comes twice, late, or never."""

from __future__ import annotations

from typing import Final

from .topics import Batch

__all__ = ["Sequence"]

#: Batches that may wait for an earlier one, and how far ahead a number may be: beyond, it is nobody's.
MOST_WAITING: Final = 5_000
FARTHEST: Final = 1_000_000


class Sequence:
    """The batches of one topic of one run.

    Args:
        past: how many batches are wanted, if anybody still has them, from before the first that is heard of; None: all,
            and one that is not there is lost.
    """

    def __init__(self, *, past: int | None) -> None:
        self._next: int | None = 1 if past is None else None
        self._past = past or 0
        #: Number of the first batch that counts as lost if nobody has it.
        self._owed = 1
        self._waiting: dict[int, Batch] = {}
        self._last = 0

    @property
    def missing(self) -> tuple[int, int] | None:
        """First and last of the batches that the others wait for; None: none is missing."""
        if self._next is None:
            return None
        last = min(self._waiting) - 1 if self._waiting else self._last
        return (self._next, last) if self._next <= last else None

    def take(self, batch: Batch) -> list[Batch]:
        """Take a batch; gives those whose turn it is.

        Raises:
            ValueError: a number that no batch has.
        """
        if self._next is None:
            self._begin(batch.number, self._past)
        assert self._next is not None  # it has begun
        if batch.number > self._next + FARTHEST:
            raise ValueError(f"batch {str(batch.number)[:40]} after batch {self._next - 1}")
        if batch.number >= self._next:
            self._waiting[batch.number] = batch
            self._last = max(self._last, batch.number)
        if len(self._waiting) > MOST_WAITING:
            self._next = min(self._waiting)
        return self._ready()

    def expect(self, last: int, *, is_there: bool = True) -> None:
        """So many batches there are by now, as their engine says, which answers if it `is_there`."""
        if self._next is None:
            self._begin(last + 1, self._past if is_there else 0)
        assert self._next is not None  # it has begun
        if last <= self._next + FARTHEST:
            self._last = max(self._last, last)

    def _begin(self, number: int, past: int) -> None:
        self._owed = number
        self._next = max(1, number - past)

    def give_up(self, last: int) -> tuple[int, list[Batch]]:
        """Nobody has the batches up to `last`: how many those are, and what has waited for them."""
        assert self._next is not None  # something was missing
        last = min(last, self._last)
        first = max(self._next, self._owed)
        lost = max(0, last + 1 - first) - sum(first <= number <= last for number in self._waiting)
        kept = [self._waiting.pop(number) for number in sorted(self._waiting) if number <= last]
        self._next = max(self._next, last + 1)
        return lost, [*kept, *self._ready()]

    def _ready(self) -> list[Batch]:
        assert self._next is not None  # a batch has come
        ready = []
        while (batch := self._waiting.pop(self._next, None)) is not None:
            ready.append(batch)
            self._next += 1
        return ready
