"""The facade of the core: build a run, move its time, change it while it runs, read its results."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .arguments import ArrayForm, Form, ObjectForm
from .boundaries import boundaries_by
from .config import MAX_PS, NOT_SCHEDULED, Fault, FaultKind, Pipeline, Pool, StepCost, Submission, Workload
from .execution import load_kernel, plan_execution
from .kernel import codes
from .layout import cost_table, fault_table, lay_out, server_names
from .results import Results, ServerCounters, ServerLoad, SessionColumns, results_of
from .tokens import token_times

__all__ = ["Engine", "simulate"]

#: Events between two looks at the outside (progress, interrupts): tens of milliseconds of machine code, or a second
#: of the interpreter.
_SLICE = {True: 1 << 18, False: 1 << 15}

#: Fields of a server's record that `Engine.loads` reads, and those of `ServerCounters`, in order.
_LOAD = (
    *("up", "busy", "start", "busy_ps", "load", "num_decoding", "num_prefilling", "capacity", "used", "retained"),
    *("free", "flows", "carried", "prefill_tokens", "hit_tokens", "preemptions", "evictions"),
)
_COUNTERS = (
    *("busy_ps", "iterations", "segments", "sequence_steps", "prefill_tokens", "hit_tokens", "preemptions"),
    *("evictions", "capacity", "peak_used", "peak_seqs", "transferred"),
)

#: Places of a queue that are counted.
FAR_BACK = 10_000

Int64 = NDArray[np.int64]
Progress = Callable[[int, int], None]


class Engine:
    """One pipeline working on one workload.

    Engines share no state: several run in one process, in any order of calls. Time moves in `run_until` and `run`
    alone. What is asked for from outside (`cancel`, `inject`, `set_step_cost`) has a time of its own, which must lie
    after the time the engine has reached.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        workload: Workload,
        faults: Sequence[Fault] = (),
        *,
        seed: int = 0,
        compiled: bool | None = None,
        keep_journal: bool = False,
        can_fail: bool = False,
    ) -> None:
        """Lay the run out; nothing happens yet.

        Args:
            seed: of the draws for throttling and handoff loss.
            compiled: machine code or interpreter; None chooses (`execution.plan_execution`).
            keep_journal: keep what `token_times` needs, about 56 bytes per segment and request.
            can_fail: whether `inject` may be used, even if there are no `faults`.

        Raises:
            ValueError: a fault has a target that the pipeline does not have, or an impossible time or value.
        """
        for fault in faults:
            _check_fault(fault, pipeline)
        self.pipeline = pipeline
        self.workload = workload
        self.compiled = plan_execution(workload.num_requests, compiled).compiled
        self._can_fail = can_fail or bool(faults)
        self._faults = [(f.at_ps, int(f.kind), f.target, f.value) for f in faults]
        memory = lay_out(pipeline, workload, seed, can_fail=self._can_fail)
        self._names = server_names(pipeline)
        self._columns = int(memory.state["columns"][0])
        self._rows = memory.rows
        self._cost = memory.cost
        self._reached_ps = 0
        self._margin = 64 + 2 * workload.num_sessions + len(faults)
        self._journal_margin = 64 + 2 * workload.num_sessions + 2 * len(memory.servers) if keep_journal else 0
        self._kernel = load_kernel(self.compiled)
        fault_rows = fault_table(self._faults)
        self._form: Form
        if self.compiled:
            self._form = ArrayForm(memory, fault_rows, self._margin, self._journal_margin)
        else:
            self._form = ObjectForm(memory, fault_rows)
        self._form.put("log_limit", int(keep_journal))
        for i, fault in enumerate(faults):
            self._push(fault.at_ps, codes.FAULT, i)
        if memory.starts[0] < NOT_SCHEDULED:
            self._send(0, int(memory.starts[0]))

    @property
    def now_ps(self) -> int:
        """Time of the event handled last."""
        return self._form.get("now")

    @property
    def reached_ps(self) -> int:
        """Time up to which everything has been handled; not before `now_ps`."""
        return max(self._reached_ps, self.now_ps)

    @property
    def num_events(self) -> int:
        """Events handled so far."""
        return self._form.get("events_handled")

    def run(self, progress: Progress | None = None) -> None:
        """Run to the end of the workload. `progress` is called with (requests ended, requests) now and then."""
        self.run_until(MAX_PS, progress)

    def run_until(
        self, until_ps: int, progress: Progress | None = None, pulse: Callable[[], None] | None = None
    ) -> bool:
        """Handle everything up to and including `until_ps`.

        Args:
            progress: called with (requests ended, requests) now and then; counting them takes a while.
            pulse: called as often; what it raises ends the run.

        Returns:
            Whether nothing is left to happen at all.
        """
        while True:
            room, journal_room = self._form.make_room(self._margin, self._journal_margin)
            answer = self._kernel.advance(self._form.handle(), until_ps, _SLICE[self.compiled], room, journal_room)
            is_over = bool(answer == codes.DONE)
            if answer == codes.REACHED:
                self._reached_ps = max(self._reached_ps, until_ps)
            if progress is not None:
                progress(self._num_ended(), self.workload.num_requests)
            if pulse is not None:
                pulse()
            if is_over or answer == codes.REACHED:
                return is_over

    def _num_ended(self) -> int:
        packed = self._rows.reshape(-1, self._columns)[:, codes.PACKED]
        return int(np.count_nonzero(packed & 15))

    def _push(self, at_ps: int, kind: int, ident: int) -> None:
        if self.num_events and at_ps <= self.now_ps:
            raise ValueError(f"the time {at_ps} ps has passed: the engine is at {self.now_ps} ps")
        self._form.make_room(self._margin, self._journal_margin)
        self._kernel.push(self._form.handle(), at_ps, kind, ident)

    def _send(self, session: int, at_ps: int) -> None:
        """Let the session's next request be sent at a time."""
        arrival = at_ps + self.pipeline.network_ps
        self._push(arrival, codes.ARRIVE, session)
        self._form.put_session(session, "arrive_at", arrival)

    @property
    def next_event_ps(self) -> int | None:
        """Time of the next event; None if there is none left. A server that is to begin does so at `now_ps`."""
        if self._form.get("dirty") >= 0:
            return self.now_ps
        at = int(self._kernel.next_at(self._form.handle()))
        return None if at == codes.NEVER else at

    def start_session(self, session: int, at_ps: int) -> None:
        """Let a root session that is not scheduled send its first request at `at_ps` (client time).

        Raises:
            ValueError: the time has passed, or the session is no such one, or has been started.
        """
        work = self.workload
        if not 0 <= session < work.num_sessions or work.session_start_ps[session] != NOT_SCHEDULED:
            raise ValueError(f"session {session} is not one that waits for its start")
        begun = self._form.get_session(session, "request") > work.session_first_request[session]
        if begun or self._form.get_session(session, "active") or self._form.get_session(session, "arrive_at") >= 0:
            raise ValueError(f"session {session} has been started")
        self._send(session, at_ps)

    def submit(self, session: int, at_ps: int, submission: Submission) -> None:
        """Let an outside session send a request at `at_ps` (client time); its row of results begins anew.

        An outside session is a root session of one request that waits for its start. It may send again and again, when
        its previous request has ended; read that one's results before.

        Raises:
            ValueError: the time has passed, the session is no such one or has a request under way, or there is no such
                group.
        """
        work, form = self.workload, self._form
        row = int(work.session_first_request[session]) if 0 <= session < work.num_sessions else -1
        if (
            row < 0
            or work.session_start_ps[session] != NOT_SCHEDULED
            or work.session_first_request[session + 1] != row + 1
        ):
            raise ValueError(f"session {session} is not one that requests can be submitted to")
        if form.get_session(session, "active") or form.get_session(session, "arrive_at") >= 0:
            raise ValueError(f"session {session} has a request under way")
        if not -1 <= submission.group < len(work.group_tokens):
            raise ValueError(f"group must be in -1..{len(work.group_tokens) - 1}, got {submission.group}")
        if self.num_events and at_ps + self.pipeline.network_ps <= self.now_ps:
            raise ValueError(f"the time {at_ps} ps has passed: the engine is at {self.now_ps} ps")
        values = self._rows.reshape(-1, self._columns)[row]
        values[:] = 0
        values[codes.IN_PROMPT] = submission.prompt_tokens << 32 | submission.reuse_tokens
        milestone = submission.milestone_tokens or submission.output_tokens
        values[codes.IN_OUTPUT] = submission.output_tokens << 32 | milestone
        form.put_session(session, "repeat", form.get_session(session, "repeat") + 1)
        form.put_session(session, "request", row)
        form.put_session(session, "request_end", row + 1)
        form.put_session(session, "group", submission.group)
        form.put_session(session, "group_tokens", submission.group_tokens)
        self._send(session, at_ps)

    def given(self, sessions: Int64) -> Int64:
        """Tokens that the users of some sessions have been given of their present or last request, [len(sessions)].

        As of the time reached; at the server, so that the client has them `network_ps` later.
        """
        held = ("active", "place", "decode_place", "server", "decode_server", "arrive_at")
        counted = ("given", "given_at_join", "join_step", "output")
        active, place, decode_place, server, decode_server, arrive_at = self._form.fields_of(sessions, held)
        given, at_join, join_step, output = self._form.fields_of(sessions, counted)
        given[arrive_at >= 0] = 0  # a request that has been sent and has not arrived
        decodes = np.flatnonzero((active == 1) & ((place == codes.RUNNING) | (decode_place == codes.D_RUNNING)))
        if len(decodes):
            where = np.where(decode_place == codes.D_RUNNING, decode_server, server)[decodes]
            step, growth, boundaries = self._boundaries(where)
            made = (step + boundaries - join_step[decodes]) * growth // self.pipeline.entry.units_per_token
            given[decodes] = np.minimum(output[decodes], at_join[decodes] + made)
        return given

    def computed_under_way(self) -> int:
        """Prompt tokens computed for requests under way since each was last taken for prefill, all together."""
        active, place, position, hit = self._form.sessions(("active", "place", "position", "hit"))
        taken = (active == 1) & (place >= codes.PREFILLING)
        return int((position - hit)[taken].sum())

    def _boundaries(self, servers: Int64) -> tuple[Int64, Int64, Int64]:
        """Of some servers: iterations before the present segment, growth, and iterations of it that have ended."""
        names = ("step", "growth", "busy", "start", "base", "slope", "count")
        numbers, where = np.unique(servers, return_inverse=True)
        step, growth, busy, start, base, slope, count = self._form.fields_of(numbers, names, "servers")
        ended = boundaries_by(self.reached_ps, start, base, slope, np.where(busy == 1, count, 0))
        return step[where], growth[where], ended[where]

    def are_over(self, sessions: Int64) -> NDArray[np.bool_]:
        """Whether sessions have no request left to send or under way, [len(sessions)]."""
        request, end = self._form.fields_of(sessions, ("request", "request_end"))
        over: NDArray[np.bool_] = request >= end
        return over

    def queue_position(self, session: int) -> int | None:
        """How many requests stand before that of a session in its server's queue; None: it is in none, or far back."""
        names = ("active", "place", "decode_place", "server", "decode_server")
        columns = self._form.fields_of(np.array([session]), names)
        active, place, decode_place, server, decode_server = (int(column[0]) for column in columns)
        if active and decode_place == codes.D_QUEUED:
            node, server = self._form.get("decode_nodes") + session, decode_server
        elif active and place == codes.QUEUED:
            node = session
        else:
            return None
        sentinel = self._form.get("sentinels") + server * codes.NUM_LISTS + codes.QUEUE
        for position in range(FAR_BACK):
            node = self._form.before(node)
            if node == sentinel:
                return position
        return None

    def forget_group(self, group: int) -> None:
        """Let a prefix group be cold on every server: its number is to stand for another prefix.

        Raises:
            ValueError: there is no such group.
        """
        if not 0 <= group < len(self.workload.group_tokens):
            raise ValueError(f"group must be in 0..{len(self.workload.group_tokens) - 1}, got {group}")
        servers = len(server_names(self.pipeline))
        self._form.cool(group * servers, (group + 1) * servers)

    def retire(self, session: int) -> None:
        """Let a session end with its present request, or at once if it is between two; its sub-agents go on.

        Raises:
            ValueError: there is no such session.
        """
        if not 0 <= session < self.workload.num_sessions:
            raise ValueError(f"session must be in 0..{self.workload.num_sessions - 1}, got {session}")
        form = self._form
        form.put_session(
            session, "request_end", form.get_session(session, "request") + form.get_session(session, "active")
        )
        form.put_session(session, "arrive_at", -1)
        form.put_session(session, "put_off", 0)

    def sessions(self, only: Int64 | None = None) -> SessionColumns:
        """Where each session is at the time reached.

        Args:
            only: these sessions, in their order; None: all.
        """
        names = ("request", "request_end", "active", "stage", "mark", "arrive_at")
        columns = self._form.sessions(names) if only is None else self._form.fields_of(only, names)
        request, end, active, stage, mark, arrive_at = columns
        return SessionColumns(request, end, active == 1, stage, mark, arrive_at)

    def cancel(self, session: int, at_ps: int) -> None:
        """The user of `session` hangs up: its present request, if it has one at `at_ps` (server time), ends there.

        Raises:
            ValueError: the time has passed, or there is no such session.
        """
        if not 0 <= session < self.workload.num_sessions:
            raise ValueError(f"session must be in 0..{self.workload.num_sessions - 1}, got {session}")
        self._push(at_ps, codes.CANCEL, 2 * session + 1)

    def inject(self, fault: Fault) -> None:
        """Add a fault while the engine runs.

        Raises:
            ValueError: its time has passed, its target or value is impossible, or the engine was built without
                `can_fail`.
        """
        if not self._can_fail:
            raise ValueError("this engine was built without faults: build it with can_fail=True")
        _check_fault(fault, self.pipeline)
        self._add_fault(fault.at_ps, int(fault.kind), fault.target, fault.value)

    def set_step_cost(self, server: int, cost: StepCost, at_ps: int) -> None:
        """Let server number `server` have other step times from its first begin at or after `at_ps`.

        Raises:
            ValueError: no such server, tables too short for its pool, or the time has passed.
        """
        pool = _pool_of(self.pipeline, server)
        if len(cost.compute_ps) < len(pool.cost.compute_ps):
            raise ValueError(f"cost tables need {len(pool.cost.compute_ps)} entries, got {len(cost.compute_ps)}")
        start = len(self._cost) + 3
        self._cost = np.concatenate([self._cost, cost_table(cost)])
        self._form.set_column("cost", self._cost)
        self._add_fault(at_ps, codes.STEP_COST, server, start)

    def _add_fault(self, at_ps: int, kind: int, target: int, value: int) -> None:
        self._push(at_ps, codes.FAULT, len(self._faults))
        self._faults.append((at_ps, kind, target, value))
        self._form.set_column("faults", fault_table(self._faults))

    def results(self, requests: Int64 | None = None, *, is_last: bool = False) -> Results:
        """Results up to the time reached; the engine may run on, and does not change them.

        Args:
            requests: only these, in their order, and without counters of servers; None: all.
            is_last: nothing is asked of the engine any more, so that its memory can become the results.
        """
        rows = self._rows.reshape(-1, self._columns)
        if requests is not None or self._num_ended() < len(rows):
            if requests is not None:
                rows = rows[requests]
            elif not is_last:
                rows = rows.copy()
            if self.pipeline.decode is not None:
                foreseen = rows[:, codes.FIRST] > self.reached_ps
                rows[foreseen, codes.FIRST] = -1
                rows[foreseen, codes.DECODE_FIRST] = 0
        counters = self.counters() if requests is None else ()
        return results_of(rows, self.pipeline.network_ps, counters, self.num_events)

    def arrivals_ps(self, requests: Int64) -> Int64:
        """When the client sent each of some requests that have been sent."""
        arrivals: Int64 = self._rows.reshape(-1, self._columns)[requests, codes.ARRIVAL]
        return arrivals

    def loads(self) -> tuple[ServerLoad, ...]:
        """What each server holds at the time reached, in the order of the servers."""
        reached = self.reached_ps
        return tuple(
            ServerLoad(
                name=name,
                is_up=up == 1,
                is_busy=busy == 1,
                num_requests=load,
                num_decoding=num_decoding,
                num_prefilling=num_prefilling,
                capacity_units=capacity,
                used_units=used,
                retained_units=retained,
                free_units=free,
                num_flows=flows,
                carried_ps=carried,
                busy_ps=busy_ps + (max(0, reached - start) if busy else 0),
                prefill_tokens=prefill_tokens,
                hit_tokens=hit_tokens,
                preemptions=preemptions,
                evictions=evictions,
            )
            for name, (
                up,
                busy,
                start,
                busy_ps,
                load,
                num_decoding,
                num_prefilling,
                capacity,
                used,
                retained,
                free,
                flows,
                carried,
                prefill_tokens,
                hit_tokens,
                preemptions,
                evictions,
            ) in zip(self._names, self._form.records("servers", names=_LOAD), strict=True)
        )

    def counters(self) -> tuple[ServerCounters, ...]:
        """What each server has counted so far, in the order of the servers."""
        rows = self._form.records("servers", names=_COUNTERS)
        return tuple(ServerCounters(name, *row) for name, row in zip(self._names, rows, strict=True))

    def token_times(self, requests: Int64 | None = None) -> list[NDArray[np.int64]]:
        """Per request, the time at which each of its tokens was given at the server, [emitted_tokens] ps.

        Args:
            requests: only these, in their order; None: all.

        Raises:
            ValueError: no journal was kept.
        """
        if not self._journal_margin:
            raise ValueError("token times need an engine with keep_journal=True")
        journal = self._form.records("journal", self._form.get("log_size"))
        return token_times(journal, self.pipeline, self.results(), requests)


def simulate(
    pipeline: Pipeline,
    workload: Workload,
    faults: Sequence[Fault] = (),
    seed: int = 0,
    compiled: bool | None = None,
    until_ps: int | None = None,
    progress: Progress | None = None,
    pulse: Callable[[], None] | None = None,
) -> Results:
    """Run a workload on a pipeline, to its end or to `until_ps`. See `Engine` for the arguments and errors."""
    engine = Engine(pipeline, workload, faults, seed=seed, compiled=compiled)
    engine.run_until(MAX_PS if until_ps is None else until_ps, progress, pulse)
    return engine.results(is_last=True)


def _pool_of(pipeline: Pipeline, server: int) -> Pool:
    left = server
    for pool in (pipeline.entry, pipeline.decode, pipeline.fallback):
        if pool is not None:
            if 0 <= left < pool.num_servers:
                return pool
            left -= pool.num_servers
    raise ValueError(f"server must be in 0..{len(server_names(pipeline)) - 1}, got {server}")


def _check_fault(fault: Fault, pipeline: Pipeline) -> None:
    kind = fault.kind
    if not 0 <= fault.at_ps <= MAX_PS:
        raise ValueError(f"a fault's time must be in 0..2^60 ps, got {fault.at_ps}")
    if kind in (FaultKind.SERVER_DOWN, FaultKind.SERVER_UP, FaultKind.SERVER_SLOW):
        _pool_of(pipeline, fault.target)
    if kind == FaultKind.LINK_RATE:
        links = pipeline.decode.num_servers if pipeline.decode else 0
        if not 0 <= fault.target < links:
            raise ValueError(f"the pipeline has {links} links, got link {fault.target}")
    low, high = {
        FaultKind.SERVER_SLOW: (1, 1 << 20),
        FaultKind.LINK_RATE: (0, 1 << 20),
        FaultKind.HANDOFF_LOSS: (0, 1 << 31),
        FaultKind.THROTTLE: (0, 1 << 31),
        FaultKind.STALL_UNTIL: (0, MAX_PS),
    }.get(kind, (fault.value, fault.value))
    if not low <= fault.value <= high:
        raise ValueError(f"the value of {kind.name} must be in {low}..{high}, got {fault.value}")
