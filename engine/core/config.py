"""What a run is made of, in the core's own integer units.

Times are picoseconds, KV memory is counted in units (`units_per_token` to a token), costs are integers per token or
per unit. `docs/semantics.md` says what the core does with each field; `engine/latency` fills them from hardware
facts. Everything is checked here once and trusted afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MAX_PS",
    "NOT_SCHEDULED",
    "Fault",
    "FaultKind",
    "Link",
    "Pipeline",
    "Policy",
    "Pool",
    "Role",
    "Status",
    "StepCost",
    "Submission",
    "Workload",
]

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]

#: Largest horizon and largest product that the core's int64 arithmetic is checked for.
MAX_PS = 1 << 60
#: Start of a root session that waits for `Engine.start_session`.
NOT_SCHEDULED = MAX_PS

#: What the packed columns of results hold: a request's attempts, its tokens in all, and its output tokens.
MAX_ATTEMPTS = 100
MAX_TOKENS = (1 << 24) - 1
MAX_OUTPUT_TOKENS = (1 << 23) - 1


class Role(IntEnum):
    """What a server does with a request."""

    COLOCATED = 0
    PREFILL = 1
    DECODE = 2


class Policy(IntEnum):
    """What the orchestrator does with a request whose work was lost."""

    RETRY = 0
    REPREFILL = 1
    FALLBACK = 2
    FAIL = 3


class FaultKind(IntEnum):
    """What happens to the pipeline at a fault's time; `target` and `value` per kind in brackets."""

    SERVER_DOWN = 0  # [server, -]
    SERVER_UP = 1  # [server, -]
    SERVER_SLOW = 2  # [server, factor in 1/64; 64 is normal]
    LINK_RATE = 3  # [link, slowness in 1/64; 64 is normal, 128 half the rate, 0 is cut]
    HANDOFF_LOSS = 4  # [-, probability in 1/2^31]
    THROTTLE = 5  # [-, probability in 1/2^31]
    STALL_UNTIL = 6  # [-, end of the stall in ps]


class Status(IntEnum):
    """How a request ended. UNFINISHED: the run stopped before."""

    UNFINISHED = 0
    FINISHED = 1
    CANCELLED = 2
    TOO_LONG = 3
    THROTTLED = 4
    LOST = 5
    NO_SERVER = 6


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


@dataclass(frozen=True, slots=True)
class StepCost:
    """Duration of one iteration of a server, in ps.

    `max(compute_ps[k] + prefill_pair_ps * sum(C*(2p+C)) + decode_unit_ps * K, memory_ps[k] + kv_unit_ps * KV)`
    for `k` tokens in the iteration, prefill chunks of `C` tokens at position `p`, `K` units of KV under decode and
    `KV` units read in all.

    Attributes:
        compute_ps, memory_ps: [max_tokens + 1], one entry per number of tokens in the iteration, each >= 1. All that
            depends on the number of tokens alone belongs here: launch floors, GEMMs, padding, collectives, experts.
        prefill_pair_ps: per half pair of (query token, key token) of a prefill chunk.
        decode_unit_ps: computing per unit of KV that a decode step attends to.
        kv_unit_ps: reading one unit of KV.
    """

    compute_ps: Int64
    memory_ps: Int64
    prefill_pair_ps: int = 0
    decode_unit_ps: int = 0
    kv_unit_ps: int = 0

    def __post_init__(self) -> None:
        _require(
            self.compute_ps.shape == self.memory_ps.shape and self.compute_ps.ndim == 1,
            f"cost tables must be vectors of one length, got {self.compute_ps.shape} and {self.memory_ps.shape}",
        )
        _require(
            bool((self.compute_ps >= 1).all() and (self.memory_ps >= 1).all()), "cost table entries must be >= 1 ps"
        )
        _require(
            min(self.prefill_pair_ps, self.decode_unit_ps, self.kv_unit_ps) >= 0,
            "cost coefficients must not be negative",
        )


@dataclass(frozen=True, slots=True)
class Pool:
    """Equal servers with one role.

    Attributes:
        num_servers: replicas; each is one model copy (a tensor-parallel group, a wafer group).
        capacity_units: KV memory of one server.
        max_seqs: sequences in a batch.
        token_budget: tokens of one iteration (unused by DECODE).
        watermark_units: KV kept free when a request is admitted.
        fixed_units: KV of a sequence that does not grow.
        units_per_token, growth_units, decode_width: speculation. A decode iteration computes `decode_width` tokens
            per request and keeps `growth_units / units_per_token` of them on average. All pools of a pipeline share
            `units_per_token` and `fixed_units`.
        affinity: prefer the server that holds the session's KV, unless its load exceeds the least by more than
            `affinity_slack` requests.
        keeps_kv: leave the KV of a request that ends or moves on to its context's next request, until it is evicted:
            the prefix cache of a COLOCATED or PREFILL server, the residency of sessions on a DECODE server.
    """

    role: Role
    cost: StepCost
    num_servers: int
    capacity_units: int
    max_seqs: int
    token_budget: int = 0
    watermark_units: int = 0
    fixed_units: int = 0
    units_per_token: int = 1
    growth_units: int = 1
    decode_width: int = 1
    affinity: bool = True
    affinity_slack: int = 1 << 30
    keeps_kv: bool = True

    def __post_init__(self) -> None:
        _require(self.num_servers >= 1, f"num_servers must be >= 1, got {self.num_servers}")
        _require(self.capacity_units >= 1, f"capacity_units must be >= 1, got {self.capacity_units}")
        _require(self.max_seqs >= 1, f"max_seqs must be >= 1, got {self.max_seqs}")
        _require(min(self.watermark_units, self.fixed_units, self.affinity_slack) >= 0, "negative reserve or slack")
        _require(
            self.growth_units >= self.units_per_token >= 1,
            f"a decode step must make >= 1 token, got {self.growth_units}/{self.units_per_token}",
        )
        _require(self.decode_width >= 1, f"decode_width must be >= 1, got {self.decode_width}")
        most = self.max_seqs * self.decode_width
        if self.role is Role.DECODE:
            need = most
        elif self.role is Role.PREFILL:
            need = self.token_budget
            _require(self.token_budget >= 1, f"token_budget must be >= 1, got {self.token_budget}")
        else:
            need = self.token_budget
            _require(
                self.token_budget > most,
                f"token_budget must exceed max_seqs * decode_width = {most}, got {self.token_budget}",
            )
        _require(
            len(self.cost.compute_ps) > need, f"cost tables need {need + 1} entries, got {len(self.cost.compute_ps)}"
        )


@dataclass(frozen=True, slots=True)
class Link:
    """The way from the prefill pool into one decode server.

    Attributes:
        unit_ps: time to move one KV unit at the link's full rate.
        t0_ps: fixed delay of a transfer.
        fill_quarters: quarters of flows needed to fill the link: 4 if one flow can use it all, 8 if one gets half.
        max_flows: flows at a time, 0 for no limit.
        layers: with overlap, the last of this many layers is sent after the prefill.
        overlap: stream KV layer by layer while the prefill runs.
        kv_return: send generated KV back to the prefill server's prefix cache after a reply.
        staging_units: KV that the prefill pool may hold for requests whose KV has not landed yet; a full decode
            side then stops prefill.
    """

    unit_ps: int
    t0_ps: int = 0
    fill_quarters: int = 4
    max_flows: int = 0
    layers: int = 1
    overlap: bool = False
    kv_return: bool = False
    staging_units: int = 1 << 60

    def __post_init__(self) -> None:
        _require(min(self.unit_ps, self.t0_ps, self.max_flows) >= 0, "link figures must not be negative")
        _require(self.fill_quarters >= 4, f"fill_quarters must be >= 4, got {self.fill_quarters}")
        _require(self.layers >= 1, f"layers must be >= 1, got {self.layers}")
        _require(self.staging_units >= 1, f"staging_units must be >= 1, got {self.staging_units}")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """All that the core needs to know about one pipeline."""

    entry: Pool
    decode: Pool | None = None
    link: Link | None = None
    fallback: Pool | None = None
    network_ps: int = 0
    route_ps: int = 0
    detect_ps: int = 0
    retry_ps: int = 0
    max_attempts: int = 3
    prefill_lost: Policy = Policy.REPREFILL
    decode_lost: Policy = Policy.REPREFILL
    handoff_lost: Policy = Policy.RETRY

    def __post_init__(self) -> None:
        disaggregated = self.entry.role is Role.PREFILL
        _require(self.entry.role is not Role.DECODE, "the entry pool must be COLOCATED or PREFILL")
        _require(
            disaggregated == (self.decode is not None) == (self.link is not None),
            "a PREFILL entry pool needs a decode pool and a link, a COLOCATED one has neither",
        )
        _require(self.decode is None or self.decode.role is Role.DECODE, "the decode pool must have role DECODE")
        _require(
            self.fallback is None or self.fallback.role is Role.COLOCATED, "the fallback pool must have role COLOCATED"
        )
        for pool in (self.decode, self.fallback):
            _require(
                pool is None
                or (pool.units_per_token, pool.fixed_units) == (self.entry.units_per_token, self.entry.fixed_units),
                "all pools of a pipeline share units_per_token and fixed_units",
            )
        _require(
            min(self.network_ps, self.route_ps, self.detect_ps, self.retry_ps, self.max_attempts) >= 0,
            "delays and max_attempts must not be negative",
        )
        _require(self.max_attempts <= MAX_ATTEMPTS, f"max_attempts must be <= {MAX_ATTEMPTS}, got {self.max_attempts}")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens to a pipeline at a time."""

    at_ps: int
    kind: FaultKind
    target: int = 0
    value: int = 0


@dataclass(frozen=True, slots=True)
class Workload:
    """Sessions and their requests as columns; drawn before the run, never changed by it.

    Sessions are sorted: roots first by start (ties by position), and requests lie session by session.

    Session columns [num_sessions]:
        session_start_ps: when a root session's first request is sent, `NOT_SCHEDULED` if only `Engine.start_session`
            says when; for a child session unused (0).
        session_first_request: [num_sessions + 1] offsets into the request columns; no session is empty.
        session_parent_request: -1 for a root; for a child (sub-agent) the request after which it starts. Children of
            one session are sorted by parent request, and stand together.
        session_context: id of the KV context, 0 <= id < num_contexts.
        session_group: id of the shared-prefix group or -1.
        session_kind: index into `kinds`.
    Request columns [num_requests]:
        prompt_tokens >= 1, reuse_tokens in [0, prompt_tokens), output_tokens >= 1, milestone_tokens in [1, output].
        gap_ps: from the end of the previous turn for the user (or the parent's) to sending this request; for the first
            request of a root session unused.
        hold_ps: from the milestone to the end of the turn for the user: playout of speech, or the barge-in. 0: the
            turn ends with the reply.
        is_barge_in: the user interrupts `hold_ps` after the milestone.
        turn: id of the turn this request belongs to; turns are consecutive runs of requests of one session, 0, 1, ...
    Turn columns [num_turns], in ps: time of the turn before its first request is sent, after its last one's milestone.
        before_ps: stage name -> column, e.g. endpointing, speech_to_text.
        after_ps: stage name -> column, e.g. text_to_speech.
        The gap_ps of the first request of a turn contains before_ps; hold_ps contains after_ps.
    group_tokens: [num_groups] leading tokens that all sessions of a group share.
    """

    kinds: tuple[str, ...]
    num_contexts: int
    session_start_ps: Int64
    session_first_request: Int64
    session_parent_request: Int64
    session_context: Int64
    session_group: Int64
    session_kind: Int64
    prompt_tokens: Int32
    reuse_tokens: Int32
    output_tokens: Int32
    milestone_tokens: Int32
    gap_ps: Int64
    hold_ps: Int64
    is_barge_in: NDArray[np.bool_]
    turn: Int64
    group_tokens: Int64
    before_ps: dict[str, Int64] = field(default_factory=dict)
    after_ps: dict[str, Int64] = field(default_factory=dict)

    @property
    def num_sessions(self) -> int:
        return len(self.session_start_ps)

    @property
    def num_requests(self) -> int:
        return len(self.prompt_tokens)

    @property
    def num_turns(self) -> int:
        return int(self.turn[-1]) + 1 if len(self.turn) else 0

    def __post_init__(self) -> None:
        _check_sessions(self)
        _check_requests(self)


@dataclass(frozen=True, slots=True)
class Submission:
    """A request that comes from outside while the run goes on; fields as in `Workload`.

    Attributes:
        group, group_tokens: prefix group that its session belongs to from now on, and the leading tokens that are
            computed if the group is cold and found if it is warm.
    """

    prompt_tokens: int
    output_tokens: int
    reuse_tokens: int = 0
    milestone_tokens: int = 0
    group: int = -1
    group_tokens: int = 0

    def __post_init__(self) -> None:
        _require(self.prompt_tokens >= 1, f"prompt_tokens must be >= 1, got {self.prompt_tokens}")
        _require(
            1 <= self.output_tokens <= MAX_OUTPUT_TOKENS,
            f"output_tokens must be in 1..{MAX_OUTPUT_TOKENS}, got {self.output_tokens}",
        )
        _require(
            self.prompt_tokens + self.output_tokens <= MAX_TOKENS,
            f"prompt and output together must be <= {MAX_TOKENS} tokens, got {self.prompt_tokens + self.output_tokens}",
        )
        _require(
            0 <= self.reuse_tokens < self.prompt_tokens,
            f"reuse_tokens must be in 0..{self.prompt_tokens - 1}, got {self.reuse_tokens}",
        )
        _require(
            0 <= self.milestone_tokens <= self.output_tokens,
            f"milestone_tokens must be in 0..{self.output_tokens} (0: the last one), got {self.milestone_tokens}",
        )


def _check_sessions(w: Workload) -> None:
    n, first = w.num_sessions, w.session_first_request
    _require(n >= 1, "a workload needs at least one session")
    _require(
        len(first) == n + 1 and first[0] == 0 and first[-1] == w.num_requests,
        "session_first_request must cover all requests",
    )
    _require(bool((np.diff(first) >= 1).all()), "every session needs at least one request")
    roots = w.session_parent_request < 0
    num_roots = int(roots.sum())
    _require(num_roots >= 1 and bool(roots[:num_roots].all()), "root sessions must come before children")
    start = w.session_start_ps[:num_roots]
    _require(bool((start >= 0).all() and (np.diff(start) >= 0).all()), "session_start_ps must be sorted and >= 0")
    parent = w.session_parent_request[num_roots:]
    _require(bool((np.diff(parent) >= 0).all()), "children must be sorted by parent request")
    if len(parent):
        _require(int(parent[-1]) < w.num_requests, "a child's parent request does not exist")
        own = np.searchsorted(first, parent, side="right") - 1
        _require(bool((own < np.arange(num_roots, n)).all()), "a child must come after its parent's session")
    context, group = w.session_context, w.session_group
    _require(bool((context >= 0).all() and (context < w.num_contexts).all()), "session_context out of range")
    _require(bool((group >= -1).all() and (group < len(w.group_tokens)).all()), "session_group out of range")
    _require(bool((w.session_kind >= 0).all() and (w.session_kind < len(w.kinds)).all()), "session_kind out of range")


def _check_requests(w: Workload) -> None:
    _require(bool((w.prompt_tokens >= 1).all()), "prompt_tokens must be >= 1")
    _require(bool((w.output_tokens >= 1).all()), "output_tokens must be >= 1")
    _require(bool((w.output_tokens <= MAX_OUTPUT_TOKENS).all()), f"output_tokens must be <= {MAX_OUTPUT_TOKENS}")
    _require(
        bool((w.prompt_tokens <= MAX_TOKENS - w.output_tokens).all()),
        f"prompt_tokens and output_tokens together must be <= {MAX_TOKENS}",
    )
    _require(
        bool((w.reuse_tokens >= 0).all() and (w.reuse_tokens < w.prompt_tokens).all()),
        "reuse_tokens must be in [0, prompt_tokens)",
    )
    _require(
        bool((w.milestone_tokens >= 1).all() and (w.milestone_tokens <= w.output_tokens).all()),
        "milestone_tokens must be in [1, output_tokens]",
    )
    _require(bool((w.gap_ps >= 0).all() and (w.hold_ps >= 0).all()), "gap_ps and hold_ps must not be negative")
    steps = np.diff(w.turn)
    _require(bool(w.turn[0] == 0 and ((steps == 0) | (steps == 1)).all()), "turn ids must count up from 0")
    starts = w.session_first_request[1:-1]
    _require(bool((steps[starts - 1] == 1).all()) if len(starts) else True, "a turn must not cross sessions")
    for name, column in (*w.before_ps.items(), *w.after_ps.items()):
        _require(len(column) == w.num_turns and bool((column >= 0).all()), f"stage {name} needs a value >= 0 per turn")
