"""What a run leaves: flat columns, one value per request, and counters per server."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from .kernel import codes

__all__ = ["STAGES", "Results", "ServerCounters", "ServerLoad", "SessionColumns", "open_stage"]

Int64 = NDArray[np.int64]

#: Stages of a request in order; their sum is `finish_ps + network_ps - arrival_ps`.
STAGES = (
    "network",
    "routing",
    "prefill_queue",
    "prefill",
    "decode_queue",
    "handoff_queue",
    "handoff",
    "decode_first",
    "decode_rest",
    "lost",
    "retry",
)

_COLUMN = {
    "routing": codes.ROUTING,
    "prefill_queue": codes.PREFILL_QUEUE,
    "prefill": codes.PREFILL,
    "decode_queue": codes.DECODE_QUEUE,
    "handoff_queue": codes.HANDOFF_QUEUE,
    "handoff": codes.HANDOFF,
    "decode_first": codes.DECODE_FIRST,
    "decode_rest": codes.DECODE_REST,
    "lost": codes.LOST,
    "retry": codes.RETRY,
}
_NAME = {code: name for name, code in _COLUMN.items()}


@dataclass(frozen=True, slots=True)
class ServerCounters:
    """Counters of one server over the run; `units` are KV units.

    Attributes:
        name: pool and number, as `prefill[0]`.
        busy_ps: time in iterations.
        sequence_steps: sum over iterations of the requests that decode in them.
        transferred_units: KV sent over the server's link (DECODE).
    """

    name: str
    busy_ps: int
    iterations: int
    segments: int
    sequence_steps: int
    prefill_tokens: int
    hit_tokens: int
    preemptions: int
    evictions: int
    capacity_units: int
    peak_used_units: int
    peak_seqs: int
    transferred_units: int


@dataclass(frozen=True, slots=True, eq=False)
class SessionColumns:
    """Where sessions are at a moment, [num_sessions] each.

    Attributes:
        request: index of the present request, or of the next one.
        request_end: the session ends before this request.
        is_active: the present request has been sent and has not ended.
        stage: code of its open stage; `open_stage` names it.
        mark_ps: when that stage began.
        arrive_ps: when the next request reaches the router; -1: not known yet, or none.
    """

    request: Int64
    request_end: Int64
    is_active: NDArray[np.bool_]
    stage: Int64
    mark_ps: Int64
    arrive_ps: Int64


def open_stage(code: int) -> str:
    """Name of a stage by its code in `SessionColumns.stage`."""
    return _NAME[code]


@dataclass(frozen=True, slots=True)
class ServerLoad:
    """What a server holds at a moment. KV units are those of the first of the equal iterations that it is in.

    Attributes:
        is_busy: in an iteration.
        num_requests: given to it that have not left it, queued ones included.
        num_decoding, num_prefilling: in the batch.
        used_units, retained_units, free_units: of requests, of contexts' entries, and the rest of `capacity_units`.
        num_flows: transfers under way on its link (DECODE).
        carried_ps: what its link has moved so far, in ps of its full rate; of flows under way up to the link's last
            event.
        busy_ps: time in iterations so far, the one under way included.
        prefill_tokens, hit_tokens, preemptions, evictions: as in `ServerCounters`.
    """

    name: str
    is_up: bool
    is_busy: bool
    num_requests: int
    num_decoding: int
    num_prefilling: int
    capacity_units: int
    used_units: int
    retained_units: int
    free_units: int
    num_flows: int
    carried_ps: int
    busy_ps: int
    prefill_tokens: int
    hit_tokens: int
    preemptions: int
    evictions: int


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """Columns over the requests of the workload, [num_requests], in ps unless named otherwise.

    Attributes:
        status: `config.Status`.
        arrival_ps: when the client sent the request; -1: not sent before the run stopped.
        first_ps, milestone_ps, finish_ps: at the server; the client sees them `network_ps` later. -1: not reached.
        emitted_tokens: tokens given to the user.
        hit_tokens: prompt tokens found in a prefix cache when the request was last taken for prefill.
        attempts: how often the work or its handoff was lost, or the request throttled.
        stages: by name (`STAGES`); 0 for a stage that the pipeline lacks. They tile the request once it has ended.
        servers: counters, in the order of the servers.
        network_ps: one way, of the pipeline.
        events: how many events the kernel handled.
    """

    status: NDArray[np.int8]
    arrival_ps: Int64
    first_ps: Int64
    milestone_ps: Int64
    finish_ps: Int64
    emitted_tokens: NDArray[np.int32]
    hit_tokens: NDArray[np.int32]
    attempts: NDArray[np.int8]
    stages: dict[str, Int64]
    servers: tuple[ServerCounters, ...]
    network_ps: int
    events: int

    @property
    def end_ps(self) -> int:
        """When the last request ended; 0 if none did."""
        return max(0, int(self.finish_ps.max()))

    def digest(self) -> str:
        """Hash over every column and counter of the servers: it changes if any request changes by a picosecond."""
        digest = hashlib.blake2b(digest_size=16)
        for column in (
            self.status,
            self.arrival_ps,
            self.first_ps,
            self.milestone_ps,
            self.finish_ps,
            self.emitted_tokens,
            self.hit_tokens,
            self.attempts,
        ):
            digest.update(column.tobytes())
        for name in STAGES:
            column = self.stages[name]
            # A stage that the pipeline lacks and one that nobody was in are the same.
            is_constant = column.strides[0] == 0 or not column.any()
            digest.update(column[:1].tobytes() if is_constant else column.tobytes())
        for server in self.servers:
            # Segments are the kernel's own affair: a run in slices may have more of them.
            values = [getattr(server, f.name) for f in fields(server) if f.name != "segments"]
            digest.update(repr(values).encode())
        return digest.hexdigest()


def results_of(rows: Int64, network_ps: int, servers: tuple[ServerCounters, ...], events: int) -> Results:
    """Results from the kernel's rows [num_requests, columns]; rows of requests that did not start become empty."""
    packed = rows[:, codes.PACKED]
    waiting = (packed >> 4 & 1) == 0
    if waiting.any():
        rows[waiting] = 0
        rows[waiting, : codes.FINISH + 1] = -1
    nothing = np.broadcast_to(np.int64(0), len(rows))
    stages: dict[str, Int64] = {"network": np.broadcast_to(np.int64(2 * network_ps), len(rows))}
    for name, column in _COLUMN.items():
        stages[name] = rows[:, column] if column < rows.shape[1] else nothing
    return Results(
        status=(packed & 15).astype(np.int8),
        arrival_ps=rows[:, codes.ARRIVAL],
        first_ps=rows[:, codes.FIRST],
        milestone_ps=rows[:, codes.MILESTONE],
        finish_ps=rows[:, codes.FINISH],
        emitted_tokens=(packed >> 40).astype(np.int32),
        hit_tokens=(packed >> 16 & 0xFFFFFF).astype(np.int32),
        attempts=(packed >> 8 & 0xFF).astype(np.int8),
        stages=stages,
        servers=servers,
        network_ps=network_ps,
        events=events,
    )
