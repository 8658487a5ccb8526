"""What is said on a broker: topics, and payloads, each one JSON object made of the feed's messages.

`docs/mqtt.md` describes both. Below `PREFIX/RUN/`, what is worth keeping comes in numbered batches, so that nobody
takes one twice or misses one unknowingly; of the rest the latest message counts, and the broker retains it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from subsecond.engine.feed import (
    VERSION,
    Annotation,
    Clock,
    FaultNote,
    Gauges,
    Hello,
    Load,
    Notice,
    OutsideAgent,
    TurnEnd,
)
from subsecond.engine.script import OutsideRequest, SessionNote

__all__ = [
    "KINDS",
    "RETAINED",
    "SCRIPT",
    "Again",
    "Agents",
    "Batch",
    "Forget",
    "Gone",
    "Kept",
    "KnobTurned",
    "ScenarioTables",
    "Status",
    "Told",
    "encode",
    "kind_of",
    "read_again",
    "read_told",
    "topic_level",
]

#: Longest payload that is read, in bytes.
MAX_PAYLOAD: Final = 16 * 1024 * 1024


class KnobTurned(msgspec.Struct, frozen=True, tag="knob"):
    """A parameter of a lane has another value from a moment on."""

    at_ps: int
    lane: str
    key: str
    value: float | str | bool


#: What comes in batches -> its topic.
KINDS: Final = {
    TurnEnd: "turns",
    FaultNote: "faults",
    Notice: "notices",
    KnobTurned: "knobs",
    Annotation: "annotations",
    SessionNote: "population",
    OutsideRequest: "requests",
}
#: Topics that only those need who want to run a run again.
SCRIPT: Final = frozenset((KINDS[SessionNote], KINDS[OutsideRequest]))
#: Topics of which the broker retains the latest, besides `status` and the gauges of every lane.
RETAINED: Final = ("hello", "scenario", "clock", "load", "outside-agents")
_RUN = re.compile(r"[\w.-]{1,64}")

Kept = TurnEnd | FaultNote | Notice | KnobTurned | Annotation | SessionNote | OutsideRequest


class Status(msgspec.Struct, frozen=True, tag="status"):
    """Whether a run is there; retained, and the last will says for it that it is not.

    Attributes:
        online: whether its engine is connected.
        reason: why it is not: `lost` (its connection broke), `ended`, `replaced` (a run of the same engine began).
        engine: id of the process; it stays the same when a run starts anew.
        lanes: names of the pipelines.
        since_unix_s: when the run began.
        takes_commands: whether it obeys on the topic `control`.
        dropped: turns and notes that were dropped because the broker was away for too long.
        batches: topic -> number of its last batch so far.
    """

    online: bool
    run: str
    engine: str
    scenario: str
    title: str
    lanes: tuple[str, ...]
    host: str
    since_unix_s: float
    takes_commands: bool
    reason: str = ""
    dropped: int = 0
    batches: dict[str, int] = {}  # a default of msgspec, which copies it
    version: int = VERSION


class ScenarioTables(msgspec.Struct, frozen=True, tag="scenario"):
    """The scenario of a run as its file has it, and what else it takes to draw its sessions again, for recordings.

    Attributes:
        folder: where relative paths of the scenario start, on the engine's machine.
        reserve: what was asked for beyond the scenario's sessions, as in `engine.run.Reserve`.
    """

    tables: dict[str, Any]
    folder: str = "."
    reserve: dict[str, float] = {}  # a default of msgspec, which copies it


class Agents(msgspec.Struct, frozen=True, tag="outside-agents"):
    """All agents from outside that are worth a line."""

    agents: tuple[OutsideAgent, ...]


class Batch(msgspec.Struct, frozen=True, tag="batch"):
    """Messages in order; `number` counts the batches of a topic from 1."""

    kind: str
    number: int
    messages: tuple[Kept, ...]


class Gone(msgspec.Struct, frozen=True, tag="gone"):
    """Batches that somebody has asked for and that nobody has any more; both ends belong to them."""

    kind: str
    first: int
    last: int


class Again(msgspec.Struct, frozen=True, tag="again"):
    """Asks for batches that have been missed; they come on the topic `past/CLIENT`."""

    client: str
    kind: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Forget:
    """The broker is to forget the status of a run, and with it the run."""


Told = Status | Hello | ScenarioTables | Clock | Load | Gauges | Agents | Batch | Gone

_encoder = msgspec.json.Encoder()
_again = msgspec.json.Decoder(Again)
_told = msgspec.json.Decoder(Told)


def encode(payload: Told | Again) -> bytes:
    """A payload as JSON."""
    return _encoder.encode(payload)


def kind_of(message: Kept) -> str:
    """The topic that a message worth keeping goes to."""
    return KINDS[type(message)]


def topic_level(name: str) -> str:
    """A name as one level of a topic."""
    return re.sub(r"[+#/\0\s]", "-", name) or "-"


def read_told(topic: str, payload: bytes) -> tuple[str, Told | Forget | None]:
    """Which run says something, and what: None if the broker is to forget what it retains there.

    Args:
        topic: without the prefix.

    Raises:
        ValueError: not one of our topics, or a payload of another kind; `msgspec.DecodeError` is one.
    """
    run, _, kind = topic.partition("/")
    if not _RUN.fullmatch(run):
        raise ValueError(f"{topic[:80]!r} is the topic of no run")
    if not payload:
        if kind == "status":
            return run, Forget()
        if kind in RETAINED or kind.startswith("gauges/"):
            return run, None
        raise ValueError(f"nothing on {topic[:80]!r}")
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"{len(payload)} bytes on {topic[:80]!r}")
    try:
        told: Told = _told.decode(payload)
    except RecursionError:
        raise ValueError(f"a payload nested too deep on {topic[:80]!r}") from None
    if isinstance(told, Status | Hello) and told.version != VERSION:
        raise ValueError(f"version {told.version} of the feed, this program reads {VERSION}")
    if isinstance(told, Status | Hello) and told.run != run:
        raise ValueError(f"run {told.run[:80]!r} on the topic of {run!r}")
    if isinstance(told, Batch) and (told.number < 1 or any(kind_of(one) != told.kind for one in told.messages)):
        raise ValueError(f"batch {told.number} of {told.kind[:80]!r} holds something else")
    return run, told


def read_again(payload: bytes) -> Again:
    """A request for batches.

    Raises:
        ValueError: it is none.
    """
    again: Again = _again.decode(payload[:10_000])
    if not _RUN.fullmatch(again.client) or again.kind not in KINDS.values() or not 1 <= again.first <= again.last:
        raise ValueError("a request for nothing that there is")
    return again
