"""What outside agents measure: their own times, the server's decomposition of the same turns, and the difference."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from subsecond.engine.core.results import STAGES

from .events import ServerTimes

__all__ = ["LATE_MS", "Quantiles", "Report", "Sends", "Tally", "Turn"]

#: A turn that begins so much later than intended is a late send.
LATE_MS: Final = 5.0
#: Stages of a turn as they follow each other.
ORDER: Final = ("audio_in", "endpointing", "speech_to_text", *STAGES, "tools", "text_to_speech", "audio_out")
#: Turns that the picture while it runs is made of.
RECENT: Final = 2000


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn as its agent saw it.

    Attributes:
        due_s: when it was meant to be sent; for speech, when its end was meant to be.
        sent_s: when it was.
        first_s: the first token; None where none is seen (speech).
        end_s: the last token, or the first sound of the reply.
        is_interrupted: the caller spoke into the reply.
    """

    due_s: float
    sent_s: float
    first_s: float | None
    end_s: float
    server: ServerTimes | None
    output_tokens: int
    is_interrupted: bool = False


class Quantiles(msgspec.Struct, frozen=True):
    """Of times in ms."""

    count: int
    mean: float
    p50: float
    p95: float
    p99: float
    max: float


class Sends(msgspec.Struct, frozen=True):
    """How well turns began when they were meant to.

    Attributes:
        late: of them, more than `late_ms` behind the intended time.
        delay_ms: behind the intended time.
        unsent: their time had come and no session was free before the end.
        unfinished: under way at the end.
    """

    late_ms: float
    late: int
    delay_ms: Quantiles | None
    unsent: int
    unfinished: int


class Report(msgspec.Struct, frozen=True):
    """All that a run of outside agents came to; times are counted from the intended time of sending.

    Attributes:
        client, server, difference: by what was timed, `ttft_ms` and `latency_ms`; `difference` is client less server
            of the same turn.
        stages_ms: means of the server's stages.
        timer_ms: how late timers of this program fired, a measure of how busy it was.
        interruption_ms: from the caller's first word to the server's end of the reply.
    """

    schema: str
    agents: str
    url: str
    model: str
    sessions: int
    seed: int
    rate_per_s: float | None
    wall_s: float
    turns: int
    turns_per_s: float
    output_tokens: int
    client: dict[str, Quantiles | None]
    server: dict[str, Quantiles | None]
    difference: dict[str, Quantiles | None]
    stages_ms: dict[str, float]
    sends: Sends
    timer_ms: Quantiles | None
    interrupted: int
    interruption_ms: Quantiles | None
    reconnects: int
    errors: dict[str, int]


class Tally:
    """Counts turns as they end.

    Attributes:
        under_way: turns that have begun and not ended.
        errors: by kind, how often.
    """

    def __init__(self) -> None:
        self.turns = 0
        self.interrupted = 0
        self.output_tokens = 0
        self.under_way = 0
        self.errors: Counter[str] = Counter()
        self._ms: dict[str, array[float]] = {}
        self._stage_ms: dict[str, float] = {}
        self._decomposed = 0

    def add(self, turn: Turn) -> None:
        """A turn was answered."""
        self.turns += 1
        self.interrupted += turn.is_interrupted
        self.output_tokens += turn.output_tokens
        server = turn.server
        self._compare("latency_ms", (turn.end_s - turn.due_s) * 1e3, None if server is None else server.latency_ms)
        if turn.first_s is not None:
            self._compare("ttft_ms", (turn.first_s - turn.due_s) * 1e3, None if server is None else server.ttft_ms)
        if server is not None:
            self._decomposed += 1
            for name, ms in server.stages_ms.items():
                self._stage_ms[name] = self._stage_ms.get(name, 0.0) + ms

    def sent(self, due_s: float, sent_s: float) -> None:
        """A turn has begun."""
        self.time("delay_ms", max(0.0, sent_s - due_s) * 1e3)

    def time(self, name: str, ms: float) -> None:
        """One more duration of a kind."""
        self._ms.setdefault(name, array("d")).append(ms)

    def error(self, kind: str) -> None:
        """Something went wrong."""
        self.errors[kind] += 1

    def _compare(self, name: str, client_ms: float, server_ms: float | None) -> None:
        self.time(f"client {name}", client_ms)
        if server_ms is not None:
            self.time(f"server {name}", server_ms)
            self.time(f"difference {name}", client_ms - server_ms)

    def quantiles(self, name: str, recent: int | None = None) -> Quantiles | None:
        """Of one kind of duration, or of the latest `recent`; None: there are none."""
        times = self._ms.get(name)
        if not times:
            return None
        values = np.frombuffer(times[-recent:] if recent else times[:], dtype=np.float64)
        p50, p95, p99 = np.quantile(values, (0.5, 0.95, 0.99), method="inverted_cdf").tolist()
        return Quantiles(len(values), float(values.mean()), p50, p95, p99, float(values.max()))

    def both(self, side: str) -> dict[str, Quantiles | None]:
        """Of `client`, `server` or `difference`."""
        return {name: self.quantiles(f"{side} {name}") for name in ("ttft_ms", "latency_ms")}

    def late(self) -> int:
        """Turns that began late."""
        return sum(ms > LATE_MS for ms in self._ms.get("delay_ms", ()))

    def stage_means_ms(self) -> dict[str, float]:
        """Mean of each of the server's stages that took any time, in order."""
        names = sorted(self._stage_ms, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
        return {name: self._stage_ms[name] / self._decomposed for name in names if self._stage_ms[name] > 0}
