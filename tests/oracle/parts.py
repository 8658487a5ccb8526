"""What the plain simulator is made of: requests, servers with their KV memory, links."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from subsecond.engine.core.config import Pool, Role, Status, StepCost
from subsecond.engine.core.results import STAGES

Key = tuple[int, int]  # (context, side)


@dataclass(eq=False)
class Request:
    """One request and all that is known of it. `place` and `decode_place` say where it is on either side."""

    number: int
    session: int
    context: int
    group: int
    group_tokens: int
    prompt: int
    reuse: int
    output: int
    milestone: int
    hold: int
    is_barge_in: bool
    arrival: int = -1
    first: int = -1
    reached: int = -1
    finish: int = -1
    status: Status = Status.UNFINISHED
    given: int = 0
    hit: int = 0
    attempts: int = 0
    draws: int = 0
    has_fallen: bool = False
    stages: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STAGES, 0))
    mark: int = 0
    late: int = 0
    paused: int = -1
    routed_at: int = -1  # when the router forwards it, while that is to come
    was_taken: bool = False  # by a COLOCATED or PREFILL server in this attempt
    lost_its_place: bool = False  # preempted on DECODE before its first token
    place: str = "idle"
    decode_place: str = ""
    server: Server | None = None
    decode_server: Server | None = None
    total: int = 0
    position: int = 0
    need: int = 0
    sent: int = 0
    prefilled_at: int = -1
    target: int = 0
    given_at_join: int = 0
    steps: int = 0
    token_times: list[int] = field(default_factory=list)
    wait: object = None  # the event that it waits for
    barge_in: object = None

    @property
    def is_active(self) -> bool:
        """Arrived and not ended."""
        return self.arrival > -(1 << 62) and self.status is Status.UNFINISHED and self.place != "idle"

    def close(self, stage: str, at: int) -> None:
        """A stage closes, unless the first token was given or the request is past the stages."""
        if self.first >= 0 or self.lost_its_place:
            return
        self.stages[stage] += at - self.mark
        self.mark = at

    def resume(self, at: int) -> None:
        """It makes tokens again after a loss."""
        if self.paused >= 0:
            self.late += at - self.paused
            self.paused = -1

    def give(self, at: int) -> None:
        """Note the times of all tokens given by now."""
        while len(self.token_times) < self.given:
            self.token_times.append(at)


@dataclass(eq=False)
class Server:
    """A server, and the link that feeds it."""

    number: int
    side: int
    pool: Pool
    cost: StepCost
    is_up: bool = True
    is_dirty: bool = False
    slow: int = 64
    load: int = 0
    holdings: dict[Request, int] = field(default_factory=dict)
    entries: OrderedDict[Key, int] = field(default_factory=OrderedDict)
    warm: set[int] = field(default_factory=set)
    queue: list[Request] = field(default_factory=list)
    prefilling: list[Request] = field(default_factory=list)
    decoding: list[Request] = field(default_factory=list)
    landed: list[Request] = field(default_factory=list)
    leaving: list[Request] = field(default_factory=list)
    fifo: list[Request] = field(default_factory=list)
    flows: list[Request] = field(default_factory=list)
    iteration: tuple[int, object] | None = None  # start, END event
    chunks: dict[Request, int] = field(default_factory=dict)
    link_slow: int = 64
    served: int = 0
    served_at: int = 0
    link_event: object = None
    counters: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            (
                "busy_ps",
                "iterations",
                "sequence_steps",
                "preemptions",
                "evictions",
                "peak_used_units",
                "peak_seqs",
                "hit_tokens",
                "prefill_tokens",
                "transferred_units",
            ),
            0,
        )
    )

    @property
    def used(self) -> int:
        return sum(self.holdings.values())

    @property
    def retained(self) -> int:
        return sum(self.entries.values())

    @property
    def free(self) -> int:
        return self.pool.capacity_units - self.used - self.retained

    @property
    def is_reachable(self) -> bool:
        return self.is_up and self.link_slow > 0

    @property
    def num_admitted(self) -> int:
        """DECODE: reserved, in flow, landed or decoding."""
        return len(self.holdings)

    def note_peak(self) -> None:
        self.counters["peak_used_units"] = max(self.counters["peak_used_units"], self.used)

    def note_sequences(self, number: int) -> None:
        self.counters["peak_seqs"] = max(self.counters["peak_seqs"], number)

    def evict(self) -> bool:
        if not self.entries:
            return False
        self.entries.popitem(last=False)
        self.counters["evictions"] += 1
        return True

    def fits(self, need: int) -> bool:
        room = self.free + self.retained
        if self.role is Role.DECODE and need + (self.num_admitted + 1) * self.pool.growth_units > room:
            return False
        return need <= room and (need + self.pool.watermark_units <= room or self.used == 0)

    def take(self, request: Request, need: int) -> tuple[int, int]:
        """Admit a request; returns (kept units, hit tokens)."""
        unit, fixed = self.pool.units_per_token, self.pool.fixed_units
        key = (request.context, self.side)
        kept = hit = 0
        if key in self.entries:
            units = self.entries.pop(key)
            hit = min(request.reuse, (units - fixed) // unit)
            kept = min(units, hit * unit + fixed) if hit > 0 else 0
        # What is kept is part of what the request holds from here on.
        while self.free < need:
            assert self.evict()
        self.holdings[request] = need
        self.note_peak()
        return kept, hit

    def duration(self) -> int:
        """Of the iteration with the present chunks and decoding requests."""
        unit = self.pool.units_per_token
        tokens = len(self.decoding) * self.pool.decode_width + sum(self.chunks.values())
        kv = sum(self.holdings[r] for r in self.decoding)
        pair = sum(c * (2 * r.position + c) for r, c in self.chunks.items())
        span = sum(r.position + c for r, c in self.chunks.items())

        def slowed(value: int) -> int:
            return value * self.slow // 64

        compute = max(1, slowed(int(self.cost.compute_ps[tokens])))
        memory = max(1, slowed(int(self.cost.memory_ps[tokens])))
        return max(
            compute + slowed(self.cost.prefill_pair_ps) * pair + slowed(self.cost.decode_unit_ps) * kv,
            memory + slowed(self.cost.kv_unit_ps) * (kv + unit * span),
        )

    @property
    def role(self) -> Role:
        return self.pool.role
