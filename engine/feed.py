"""What the engine tells the world: typed messages, one JSON object each.

Observers get `Hello`, then messages as things happen; what they may ask of it are `commands`. Times are virtual
picoseconds unless the name says otherwise. `docs/feed.md` describes the protocol.
"""

from __future__ import annotations

from typing import Any

import msgspec

from .commands import Command

__all__ = [
    "VERSION",
    "Annotation",
    "BudgetInfo",
    "Clock",
    "FaultNote",
    "Gauges",
    "Hello",
    "HireInfo",
    "LaneInfo",
    "Load",
    "Message",
    "Notice",
    "OpenTurn",
    "OutsideAgent",
    "OwningInfo",
    "ParameterInfo",
    "PartInfo",
    "PriceInfo",
    "Scheduled",
    "ServerGauge",
    "ServerInfo",
    "ServiceInfo",
    "TurnEnd",
    "decode_message",
    "encode",
]

#: Goes up when a message changes its meaning; keys may be added without that.
VERSION = 1


class ParameterInfo(msgspec.Struct, frozen=True, array_like=True):
    """A visible parameter of a pipeline; `value` as people read it."""

    key: str
    value: str
    unit: str
    provenance: str
    source: str


class ServerInfo(msgspec.Struct, frozen=True, array_like=True):
    """A server of a lane; `role` is prefill, decode, gpu or fallback.

    `link_tokens_per_s`: KV tokens per second that the link into it carries at its full rate; 0: there is no link.
    """

    name: str
    role: str
    capacity_tokens: int
    max_seqs: int
    link_tokens_per_s: float = 0.0


class PriceInfo(msgspec.Struct, frozen=True, array_like=True):
    """A figure of a price, in its unit; `number`: None where nobody publishes one."""

    number: float | None
    unit: str
    provenance: str
    source: str
    date: str
    note: str = ""


class HireInfo(msgspec.Struct, frozen=True, array_like=True):
    """Price of one machine per hour where `asked` is the way of hire wanted, and `way` the one that is offered."""

    asked: str
    way: str
    price: PriceInfo


class OwningInfo(msgspec.Struct, frozen=True):
    """What owning a machine might come to, in USD per hour: an estimate, and what went into it."""

    low: float
    high: float
    formula: str
    inputs: tuple[tuple[str, PriceInfo], ...]


class PartInfo(msgspec.Struct, frozen=True):
    """Devices that serve one role of a lane, and what they cost.

    Attributes:
        pool: role of their servers.
        device: the catalog's name; `label` for people.
        groups, each: nodes or model copies, and devices of each.
        machine: what is hired, with `devices_per_machine` of the device.
        is_published: whether the device has a public price by any way of hire.
        hire: by the way that is asked for.
        owning: None: there is no estimate.
    """

    role: str
    pool: str
    device: str
    label: str
    groups: int
    each: int
    machine: str
    devices_per_machine: int
    is_published: bool
    hire: tuple[HireInfo, ...]
    owning: OwningInfo | None = None


class ServiceInfo(msgspec.Struct, frozen=True):
    """A published price list for a model of the run, per 1e6 tokens; `cached` is None where there is none for it."""

    provider: str
    label: str
    model: str
    input: PriceInfo
    output: PriceInfo
    cached: PriceInfo | None


class LaneInfo(msgspec.Struct, frozen=True):
    """One pipeline of the race. `status`: shipping, announced or cancelled; `parts`: what it is made of."""

    name: str
    label: str
    model: str
    status: str
    servers: tuple[ServerInfo, ...]
    parameters: tuple[ParameterInfo, ...]
    parts: tuple[PartInfo, ...] = ()


class BudgetInfo(msgspec.Struct, frozen=True):
    """Limits on the turns of one agent kind; None: no such limit."""

    name: str
    agents: str
    turn_ps: int | None
    ttft_ps: int | None
    tpot_ps: int | None
    percentile: float
    source: str


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """First message: what the run is made of. Other messages name lanes, agent kinds, stages and budgets by place.

    Attributes:
        run: id of the run.
        stages: names, in the order in which a turn passes them.
        recording: path of the recording on the service's machine.
        services: who sells the lanes' models by the token.
        tables: the scenario as read, with the settings that it was started with; without what models say.
    """

    version: int
    run: str
    scenario: str
    title: str
    seed: int
    agents: tuple[str, ...]
    stages: tuple[str, ...]
    lanes: tuple[LaneInfo, ...]
    budgets: tuple[BudgetInfo, ...]
    duration_ps: int | None
    recording: str
    services: tuple[ServiceInfo, ...] = ()
    tables: dict[str, Any] = {}


class TurnEnd(msgspec.Struct, frozen=True, tag="turn"):
    """A turn has ended.

    Attributes:
        turn: the same number on every lane.
        index: which turn of its session it is, from 0.
        state: `turns.TurnState`.
        ttft_ps: of its last request; -1: no token.
        stages_ps: by place in `Hello.stages`; their sum is `latency_ps` for an answered turn.
        met: by place in `Hello.budgets`: 1 met, 0 missed, -1 not meant for this agent kind.
        hit_tokens: of the prompts, found in a prefix cache.
        attempts: how often work of it was lost or refused.
    """

    lane: int
    turn: int
    session: int
    index: int
    agent: int
    state: int
    start_ps: int
    latency_ps: int
    ttft_ps: int
    tpot_ps: int
    stages_ps: tuple[int, ...]
    met: tuple[int, ...]
    requests: int
    prompt_tokens: int
    hit_tokens: int
    output_tokens: int
    attempts: int

    @property
    def end_ps(self) -> int:
        """When it ended for the user."""
        return self.start_ps + self.latency_ps


class OpenTurn(msgspec.Struct, frozen=True, array_like=True):
    """A turn under way: its open stage, and since when; `stages_ps` are those of its closed stages so far."""

    turn: int
    session: int
    index: int
    agent: int
    start_ps: int
    stage: int
    since_ps: int
    stages_ps: tuple[int, ...]


class ServerGauge(msgspec.Struct, frozen=True, array_like=True):
    """A server at a moment.

    Attributes:
        flows: transfers of KV under way into it.
        busy_ps, preemptions, evictions: counted from the start of the run, as what follows.
        received_tokens: KV tokens that its link has carried, up to the last time that a transfer began or ended.
        prefill_tokens, hit_tokens: tokens of prompts that it computed, and that it found in its prefix cache.
    """

    up: bool
    queued: int
    batch: int
    used_tokens: int
    retained_tokens: int
    busy_ps: int
    preemptions: int
    evictions: int
    flows: int = 0
    received_tokens: int = 0
    prefill_tokens: int = 0
    hit_tokens: int = 0


class Scheduled(msgspec.Struct, frozen=True, array_like=True):
    """A fault of a drill that is to come; the fields are those of `FaultNote`."""

    at_ps: int
    kind: str
    target: int
    value: float | None
    until_ps: int | None
    drill: str


class Gauges(msgspec.Struct, frozen=True, tag="gauges"):
    """A lane at a moment: how many turns are open, those open longest, its servers.

    Attributes:
        flows: transfers of KV under way, of all servers.
        faults: in effect, in words.
        scheduled: faults of drills that have not begun.
    """

    at_ps: int
    lane: int
    open_turns: int
    oldest: tuple[OpenTurn, ...]
    servers: tuple[ServerGauge, ...]
    flows: int
    faults: tuple[str, ...]
    scheduled: tuple[Scheduled, ...] = ()


class Clock(msgspec.Struct, frozen=True, tag="clock"):
    """Virtual time and how well the service keeps it; `late_*_ms`: how late core events were handled, wall time."""

    at_ps: int
    wall_s: float
    speed: float
    paused: bool
    late_p50_ms: float
    late_p99_ms: float


class Load(msgspec.Struct, frozen=True, tag="load"):
    """Sessions at work by agent kind, and how more come: either so many are kept at work, or they begin at a rate.

    Attributes:
        wanted: by agent kind, how many are kept at work; 0 for a kind that has a rate.
        arrivals_per_s: by agent kind, how many begin in a second of virtual time; 0 for a kind that has none.
    """

    at_ps: int
    sessions: tuple[int, ...]
    wanted: tuple[int, ...]
    arrivals_per_s: tuple[float, ...] = ()


class FaultNote(msgspec.Struct, frozen=True, tag="fault"):
    """A fault has begun; `until_ps`: None if it lasts.

    When it is mended early it is told once more, the same but for `until_ps`. `drill`: name of the drill that it
    belongs to; empty: of none.
    """

    at_ps: int
    lane: int
    kind: str
    target: int
    value: float | None
    until_ps: int | None
    drill: str = ""


class OutsideAgent(msgspec.Struct, frozen=True, tag="outside-agent"):
    """An agent that is connected from outside, or was; the latest message about one replaces the earlier ones.

    Attributes:
        agent: number of it.
        name: what it says of itself.
        protocol: realtime, responses, chat or native.
        address: of its machine.
        kind: place of its agent kind in `Hello.agents`.
        lane: the pipeline that served it last; -1: none has.
        is_connected: whether a connection stands, or one request has followed the other lately.
        since_ps: when it came.
        sessions: numbers of its sessions, the latest last, as turns have them; the last few.
        turns, missed: turns that its lane has ended, and those of them that missed a budget of their kind or failed.
        open_requests: that it waits for.
        stage: of the latest of these, in the run's word; "" if there is none.
        errors, last_error: messages of it that could not be taken, and what was wrong with the last one.
        lag_ms: how long its latest request was on its way, by its own clock; None: it does not say.
    """

    agent: int
    name: str
    protocol: str
    address: str
    kind: int
    lane: int
    is_connected: bool
    since_ps: int
    sessions: tuple[int, ...] = ()
    turns: int = 0
    missed: int = 0
    open_requests: int = 0
    stage: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    errors: int = 0
    last_error: str = ""
    lag_ms: float | None = None


class Annotation(msgspec.Struct, frozen=True, tag="annotation"):
    """Somebody who watches has written something down about an instant of the run."""

    at_ps: int
    text: str


class Notice(msgspec.Struct, frozen=True, tag="notice"):
    """Something that a person should read; `level` is info, warning or error; `dropped`: gauges that were left out.

    `at_ps`: when that is the case of which it tells; None: it does not say.
    """

    level: str
    text: str
    dropped: int = 0
    at_ps: int | None = None


Message = Hello | TurnEnd | Gauges | Clock | Load | FaultNote | OutsideAgent | Annotation | Notice
_encoder = msgspec.json.Encoder()
_messages = msgspec.json.Decoder(Message)


def encode(message: Message | Command) -> bytes:
    """A message or command as JSON."""
    return _encoder.encode(message)


def decode_message(data: bytes | str) -> Message:
    """A message from its JSON.

    Raises:
        msgspec.DecodeError: no JSON, or no message (`msgspec.ValidationError`).
    """
    message: Message = _messages.decode(data)
    return message
