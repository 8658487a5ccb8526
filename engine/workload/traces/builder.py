"""Sessions put together request by request, for traces with sessions of their own."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np

from .sessions import Sessions

__all__ = ["SessionBuilder", "common_prefix"]


def _nanoseconds(seconds: float) -> int:
    """Nearest nanosecond."""
    return round(seconds * 1e9)


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the common prefix."""
    least = min(len(a), len(b))
    if a[:least] == b[:least]:
        return least
    return next(index for index in range(least) if a[index] != b[index])


class SessionBuilder:
    """Collects sessions; call `session`, then `request` for each of its requests, then the next session.

    Times are seconds as recorded. A session that gets no request is left out by `build`.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._kinds: dict[str, int] = {}
        self._groups: dict[tuple[object, ...], int] = {}
        self._kind, self._parent, self._group, self._first = array("q"), array("q"), array("q"), array("q")
        self._start = array("q")
        self._group_tokens = array("q")
        self._prompt, self._reuse, self._output, self._milestone = (array("i") for _ in range(4))
        self._gap, self._hold, self._turn = array("q"), array("q"), array("q")
        self._barge_in = array("b")
        self._before: dict[str, array[int]] = {}
        self._after: dict[str, array[int]] = {}

    @property
    def num_requests(self) -> int:
        return len(self._prompt)

    def session(
        self,
        kind: str,
        *,
        start_s: float | None = None,
        parent: int = -1,
        group: tuple[object, ...] = (),
        shared: int = 0,
    ) -> None:
        """Begin a session.

        Args:
            start_s: on the file's clock; all or none of the root sessions of a file have one.
            parent: the request (by number) after which this sub-agent starts.
            group: what identifies the sessions that share their first `shared` tokens.
        """
        self._kind.append(self._kinds.setdefault(kind, len(self._kinds)))
        self._parent.append(parent)
        self._first.append(self.num_requests)
        if start_s is not None:
            self._start.append(_nanoseconds(start_s))
        elif parent >= 0:
            self._start.append(0)
        number = -1
        if shared > 0:
            number = self._groups.setdefault((*group, shared), len(self._groups))
            if number == len(self._group_tokens):
                self._group_tokens.append(shared)
        self._group.append(number)

    def request(
        self,
        prompt: int,
        output: int,
        *,
        reuse: int = 0,
        gap_s: float = 0.0,
        milestone: int | None = None,
        hold_s: float = 0.0,
        is_barge_in: bool = False,
        same_turn: bool = False,
        before_s: dict[str, float] | None = None,
        after_s: dict[str, float] | None = None,
    ) -> int:
        """Add a request to the session and return its number.

        Args:
            reuse: cut to what a prompt can reuse, all but its last token.
            milestone: tokens that the user waits for; None: all.
            same_turn: continues the turn of the request before.
            before_s, after_s: stages of the turn that this request begins.
        """
        number = self.num_requests
        self._prompt.append(prompt)
        self._reuse.append(min(reuse, prompt - 1))
        self._output.append(output)
        self._milestone.append(output if milestone is None else milestone)
        self._gap.append(_nanoseconds(gap_s))
        self._hold.append(_nanoseconds(hold_s))
        self._barge_in.append(is_barge_in)
        turns = self._turn[-1] + 1 if number else 0
        if same_turn and number > self._first[-1]:
            self._turn.append(turns - 1)
            return number
        self._turn.append(turns)
        _extend(self._before, before_s or {}, turns)
        _extend(self._after, after_s or {}, turns)
        return number

    def build(self) -> Sessions:
        """The sessions; the builder is not used afterwards."""
        offsets = np.array([*self._first, self.num_requests], np.int64)
        kept = np.diff(offsets) > 0
        turns = self._turn[-1] + 1
        for stages in (self._before, self._after):
            _extend(stages, {}, turns)
        starts = np.array(self._start, np.int64) if len(self._start) == len(self._kind) else None
        is_root = np.array(self._parent, np.int64)[kept] < 0
        has_clock = starts is not None and bool(is_root.any())
        return Sessions(
            name=self._name,
            kinds=tuple(self._kinds),
            kind=np.array(self._kind, np.int64)[kept],
            start_ns=starts[kept] if has_clock and starts is not None else None,
            first_request=np.concatenate((offsets[:-1][kept], offsets[-1:])),
            parent_request=np.array(self._parent, np.int64)[kept],
            context=np.arange(int(kept.sum()), dtype=np.int64),
            num_contexts=int(kept.sum()),
            group=np.array(self._group, np.int64)[kept],
            group_tokens=np.array(self._group_tokens, np.int64),
            prompt_tokens=np.array(self._prompt, np.int32),
            reuse_tokens=np.array(self._reuse, np.int32),
            output_tokens=np.array(self._output, np.int32),
            gap_ns=np.array(self._gap, np.int64),
            milestone_tokens=np.array(self._milestone, np.int32),
            hold_ns=np.array(self._hold, np.int64),
            is_barge_in=np.array(self._barge_in, bool),
            turn=np.array(self._turn, np.int64),
            before_ns={name: np.array(column, np.int64) for name, column in self._before.items()},
            after_ns={name: np.array(column, np.int64) for name, column in self._after.items()},
        )


def _extend(stages: dict[str, array[int]], values: dict[str, float], turn: int) -> None:
    """Fill all columns with zeros up to this turn and write the turn's own values."""
    for name in values:
        stages.setdefault(name, array("q"))
    for name, column in stages.items():
        column.extend([0] * (turn - len(column)))
        if name in values:
            column.append(_nanoseconds(values[name]))
