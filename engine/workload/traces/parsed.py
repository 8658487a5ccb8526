"""What a reader gives: a file read, its sessions not chosen yet.

Sampling comes between reading and building, because what a request can reuse depends on which others are there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .prefix import Ids, reuse_of_blocks
from .sessions import Sessions, rows_of

__all__ = ["OpenLoop", "Parsed", "Recorded"]

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]


class Parsed(Protocol):
    """A trace file in memory."""

    @property
    def num_roots(self) -> int:
        """Sessions to choose from (requests, where the trace has no sessions)."""

    def sessions(self, keep: Int64 | None) -> Sessions:
        """The sessions with these numbers, ascending; None: all."""


@dataclass(frozen=True, slots=True, eq=False)
class OpenLoop:
    """Requests that arrive whatever happens to the others: one session each.

    Attributes:
        start_ns: [num_requests] ascending.
        offsets: [num_requests + 1] into `block_ids`; None: the trace knows no prefixes.
    """

    name: str
    kind: str
    start_ns: Int64
    prompt_tokens: Int32
    output_tokens: Int32
    offsets: Int64 | None = None
    block_ids: Ids | None = None
    block_tokens: int = 1

    @property
    def num_roots(self) -> int:
        return len(self.start_ns)

    def sessions(self, keep: Int64 | None) -> Sessions:
        rows: Int64 | slice = slice(None) if keep is None else keep
        prompt = self.prompt_tokens[rows]
        count = len(prompt)
        offsets, ids = self._blocks(keep)
        reuse = reuse_of_blocks(offsets, ids, prompt, self.block_tokens)
        return Sessions(
            name=self.name,
            kinds=(self.kind,),
            kind=np.broadcast_to(np.int64(0), count),
            start_ns=self.start_ns[rows],
            first_request=np.arange(count + 1, dtype=np.int64),
            parent_request=np.broadcast_to(np.int64(-1), count),
            context=reuse.context,
            num_contexts=reuse.num_contexts,
            group=reuse.group,
            group_tokens=reuse.group_tokens,
            prompt_tokens=prompt,
            reuse_tokens=reuse.reuse_tokens,
            output_tokens=self.output_tokens[rows],
            gap_ns=np.broadcast_to(np.int64(0), count),
        )

    def _blocks(self, keep: Int64 | None) -> tuple[Int64, Ids]:
        if self.offsets is None or self.block_ids is None:
            count = self.num_roots if keep is None else len(keep)
            return np.zeros(count + 1, np.int64), np.zeros(0, np.int64)
        if keep is None:
            return self.offsets, self.block_ids
        lengths = np.diff(self.offsets)[keep]
        return np.concatenate(([0], np.cumsum(lengths))), self.block_ids[rows_of(self.offsets, keep)]


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """Sessions with their own clients: closed loop."""

    whole: Sessions

    @property
    def num_roots(self) -> int:
        return int((self.whole.parent_request < 0).sum())

    def sessions(self, keep: Int64 | None) -> Sessions:
        """The chosen sessions with all their descendants."""
        if keep is None:
            return self.whole
        w = self.whole
        is_kept = np.zeros(w.num_sessions, bool)
        is_kept[np.flatnonzero(w.parent_request < 0)[keep]] = True
        owner = np.repeat(np.arange(w.num_sessions), np.diff(w.first_request))
        for child in np.flatnonzero(w.parent_request >= 0).tolist():
            is_kept[child] = is_kept[owner[w.parent_request[child]]]
        chosen = np.flatnonzero(is_kept)
        rows = rows_of(w.first_request, chosen)
        renumbered = np.full(w.num_requests + 1, -1, np.int64)
        renumbered[rows] = np.arange(len(rows))
        is_new = np.diff(w.turn_ids[rows], prepend=-1) != 0
        turns = w.turn_ids[rows][is_new]
        contexts, context = np.unique(w.context[chosen], return_inverse=True)
        return replace(
            w,
            kind=w.kind[chosen],
            start_ns=None if w.start_ns is None else w.start_ns[chosen],
            first_request=np.concatenate(([0], np.cumsum(np.diff(w.first_request)[chosen]))),
            parent_request=renumbered[w.parent_request[chosen]],
            context=context.astype(np.int64),
            num_contexts=len(contexts),
            group=w.group[chosen],
            prompt_tokens=w.prompt_tokens[rows],
            reuse_tokens=w.reuse_tokens[rows],
            output_tokens=w.output_tokens[rows],
            gap_ns=w.gap_ns[rows],
            milestone_tokens=None if w.milestone_tokens is None else w.milestone_tokens[rows],
            hold_ns=None if w.hold_ns is None else w.hold_ns[rows],
            is_barge_in=None if w.is_barge_in is None else w.is_barge_in[rows],
            turn=np.cumsum(is_new) - 1,
            before_ns={name: column[turns] for name, column in w.before_ns.items()},
            after_ns={name: column[turns] for name, column in w.after_ns.items()},
        )
