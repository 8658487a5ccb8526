"""What an engine has told and has yet to tell: numbered batches, kept until there are too many."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from .topics import KINDS, Batch, Gone, Kept, encode, kind_of

__all__ = ["Entry", "Journal"]

#: Messages that are kept, delivered or not: an hour of a small run, a quarter of one at fifty turns a second.
LIMIT = 50_000
#: Messages in one batch: some 80 KB.
BATCH = 256


@dataclass(slots=True, eq=False)
class Entry:
    """A batch as it is sent.

    Attributes:
        size: messages in it.
        is_delivered: the broker has it.
        is_dropped: it has been given up.
    """

    kind: str
    number: int
    size: int
    payload: bytes
    is_delivered: bool = False
    is_dropped: bool = False


@dataclass(slots=True)
class _Topic:
    waiting: list[Kept] = field(default_factory=list)
    number: int = 0


class Journal:
    """The batches of one run, in order.

    Args:
        limit: messages that are kept; beyond, the oldest batches are given up.

    Attributes:
        dropped: messages that were given up before the broker had them.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._topics = {kind: _Topic() for kind in KINDS.values()}
        self._entries: deque[Entry] = deque()
        self._unsent: deque[Entry] = deque()
        self._size = 0
        self.dropped = 0

    @property
    def batches(self) -> dict[str, int]:
        """Topic -> number of its last batch."""
        return {kind: topic.number for kind, topic in self._topics.items() if topic.number}

    @property
    def is_delivered(self) -> bool:
        """Whether nothing is left to be sent or confirmed."""
        waits = any(topic.waiting for topic in self._topics.values())
        return not waits and all(entry.is_delivered for entry in self._entries)

    def add(self, message: Kept) -> None:
        """Something is to be told."""
        topic = self._topics[kind_of(message)]
        topic.waiting.append(message)
        if len(topic.waiting) >= BATCH:
            self._close(kind_of(message), topic)

    def _close(self, kind: str, topic: _Topic) -> None:
        topic.number += 1
        batch = Batch(kind, topic.number, tuple(topic.waiting))
        topic.waiting = []
        entry = Entry(kind, topic.number, len(batch.messages), encode(batch))
        self._entries.append(entry)
        self._unsent.append(entry)
        self._size += entry.size
        while self._size > self._limit and len(self._entries) > 1:
            self._drop(self._entries.popleft())

    def _drop(self, entry: Entry) -> None:
        self._size -= entry.size
        entry.is_dropped = True
        if not entry.is_delivered:
            self.dropped += entry.size

    def unsent(self) -> Iterator[Entry]:
        """What is to be sent, each batch once; `Entry.is_delivered` is for the caller to set."""
        for kind, topic in self._topics.items():
            if topic.waiting:
                self._close(kind, topic)
        while self._unsent:
            entry = self._unsent.popleft()
            if not entry.is_dropped:
                yield entry

    def begin_again(self) -> None:
        """After the connection broke: what the broker has not confirmed is to be sent once more."""
        self._unsent = deque(entry for entry in self._entries if not entry.is_delivered)

    def again(self, kind: str, first: int, last: int) -> tuple[list[Entry], Gone | None]:
        """Batches that somebody has missed, and those of them that are not kept any more."""
        found = [entry for entry in self._entries if entry.kind == kind and first <= entry.number <= last]
        oldest = next((entry.number for entry in self._entries if entry.kind == kind), self._topics[kind].number + 1)
        gone = Gone(kind, first, min(last, oldest - 1)) if first < oldest else None
        return [entry for entry in found if entry.is_delivered], gone
