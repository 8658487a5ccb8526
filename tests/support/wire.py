"""Plays the gateway for a protocol session: takes its effects, gives tokens at a steady pace in virtual time."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from subsecond.agents.replies import ReplyWriter
from subsecond.agents.tokens import TokenCounter, estimated_pieces
from subsecond.agents.wire.base import (
    Cancel,
    Close,
    Effect,
    End,
    ModelRequest,
    Outcome,
    Reply,
    Send,
    Submit,
    WireSession,
)
from subsecond.agents.wire.stamps import Stamps

#: The estimate is the same everywhere: tests count on it.
COUNTER = TokenCounter("estimate", estimated_pieces)
STAGES_MS = {"network": 10.0, "prefill": 40.0, "decode": 50.0}


def stamps() -> Stamps:
    """Ids 1, 2, 3 and a calendar that stands still."""
    numbers = itertools.count(1)
    return Stamps(lambda: str(next(numbers)), lambda: 1_750_000_000.0)


def outcome(end: End, given: int, reason: str = "", **changes: Any) -> Outcome:
    fields = {"ttft_ms": 50.0 if given else None, "other_ms": {"gpu": 300.0}, "cached_tokens": 3} | changes
    return Outcome(
        end=end, given=given, latency_ms=100.0, stages_ms=STAGES_MS, pipeline="trn-cs3", reason=reason, **fields
    )


class Gateway:
    """One connection.

    Attributes:
        frames: messages for the client, in order.
        requests: those that were submitted, by ident.
        running: replies that are being given, by ident.
    """

    def __init__(
        self, session: WireSession, *, script: Iterable[Reply] = (), writer: ReplyWriter | None = None
    ) -> None:
        self.session = session
        self.now_s = 100.0
        self.frames: list[Send] = []
        self.closed: Close | None = None
        self.requests: dict[str, ModelRequest] = {}
        self.running: dict[str, Reply] = {}
        self.given: dict[str, int] = {}
        self._script = list(script)
        self._writer = writer or ReplyWriter(COUNTER)
        self._do(session.opened())

    def send(self, message: Mapping[str, Any] | str | bytes) -> list[Send]:
        """The client sends a message; what is sent back at once."""
        data = message if isinstance(message, str | bytes) else json.dumps(message)
        return self._do(self.session.received(data, self.now_s))

    def start(self, ident: str) -> list[Send]:
        """The pipeline takes a request."""
        self.running[ident] = self._script.pop(0) if self._script else self._writer.write(self.requests[ident])
        self.given[ident] = 0
        return self._do(self.session.started(ident, self.running[ident], "trn-cs3"))

    def give(self, ident: str, tokens: int) -> list[Send]:
        """So many more tokens of a reply."""
        self.now_s += 0.005
        self.given[ident] = min(self.given[ident] + tokens, self.running[ident].output_tokens)
        return self._do(self.session.tokens(ident, self.given[ident], self.now_s))

    def end(self, ident: str, end: End = End.DONE, **changes: Any) -> list[Send]:
        """A request is over; DONE: the rest of its tokens has been given."""
        reply = self.running.pop(ident, None)
        given = self.given.get(ident, 0) if end is not End.DONE or reply is None else reply.output_tokens
        return self._do(self.session.ended(ident, outcome(end, given, **changes), self.now_s))

    def serve(self, *, step: int = 7) -> list[Send]:
        """Everything that waits, to its end; what was sent on the way."""
        before = len(self.frames)
        while waiting := [ident for ident in self.requests if ident not in self.given]:
            for ident in waiting:
                self.start(ident)
            while self.running:
                for ident in list(self.running):
                    self.give(ident, step)
                    if self.given[ident] >= self.running[ident].output_tokens:
                        self.end(ident)
        return self.frames[before:]

    def _do(self, effects: Sequence[Effect]) -> list[Send]:
        sent = []
        for effect in effects:
            if isinstance(effect, Send):
                json.dumps(effect.message, allow_nan=False)
                sent.append(effect)
                self.frames.append(effect)
            elif isinstance(effect, Submit):
                assert effect.request.ident not in self.requests
                self.requests[effect.request.ident] = effect.request
            elif isinstance(effect, Cancel):
                if effect.ident not in self.given:
                    self.given[effect.ident] = 0
                sent += self.end(effect.ident, End.CANCELLED)
            else:
                self.closed = effect
        return sent


def types(frames: Iterable[Send]) -> list[str]:
    """Types of events."""
    return [str(frame.message.get("type")) for frame in frames]
