"""Simulated coding agents: sessions of tasks, tasks of agent steps, each step one request.

A step ends for its user with the last token. Then its tools run (a few of them for very long), and the next step sends
the whole context again, grown by the output and the tool results. After the last step of a task the user reads and
thinks. When a context reaches its limit, the user ends the session, or it is compacted: then the next prompt is short
and shares only the system prompt with what was cached. Some steps start sub-agents, child sessions with a context of
their own; the parent waits for them.

Every draw has a stream of its own and takes one value per item, in order, so that more sessions leave the scripts of
the earlier ones as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.core.config import Workload
from subsecond.engine.errors import InputError
from subsecond.engine.workload.distributions import choices, draw_mixture, geometric, raw_bits, stream
from subsecond.engine.workload.runs import heads, offsets, ranks

from .parameters import Parameters, load_document, parse_parameters
from .population import PS_PER_US, Draw, check_size, context_limit, grown_prompts, sendable, session_starts

__all__ = ["Contexts", "RootSessions", "Steps", "coding_parameters", "draw_coding", "root_sessions"]

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]
Bool = NDArray[np.bool_]

#: Kinds of tools, `tools.KIND.share` and `tools.KIND.time`.
TOOLS = ("execute", "edit", "read", "web")


def coding_parameters(overrides: Mapping[str, object] | None = None) -> Parameters:
    """Parameters of coding agents.

    Args:
        overrides: see `Parameters.changed`.

    Raises:
        InputError: an override that cannot be used.
    """
    document = load_document("subsecond.agents", "data/coding.toml")
    return parse_parameters("coding", document, "coding.toml").changed(overrides or {})


def draw_coding(
    parameters: Parameters,
    *,
    sessions: int,
    seed: int,
    arrival_rate_per_s: float | None = None,
    ramp_s: float = 0.0,
    max_turns: int | None = None,
    duration_s: float | None = None,
    max_context: int | None = None,
    at_once: bool = False,
) -> Workload:
    """Sessions of coding agents with their sub-agents.

    Args:
        parameters: from `coding_parameters`.
        sessions: root sessions, without sub-agents.
        seed: the same seed gives the same bytes.
        arrival_rate_per_s: Poisson starts; None: starts spread at random over `ramp_s`.
        max_turns: most steps of one root session; its sub-agents' come on top.
        duration_s: leave out what cannot be sent before this time.
        max_context: most tokens of prompt and output together. Below `window.tokens` contexts are compacted earlier,
            in proportion.
        at_once: all start at 0, in the order in which they are drawn.

    Raises:
        InputError: a value out of range.
    """
    draw = Draw("coding", sessions, seed, arrival_rate_per_s, ramp_s, max_turns, duration_s, max_context, at_once)
    roots = root_sessions(parameters, draw)
    parents, children = _subagent_steps(parameters, draw, roots.steps)
    check_size(draw, len(roots.steps.gap_ps) + len(children.gap_ps))
    sub, _ = _contexts(parameters, draw, children, "subagent")
    return _workload(roots.starts_ps, parents, (roots.steps, children), (roots.contexts, sub))


def root_sessions(parameters: Parameters, draw: Draw) -> RootSessions:
    """Sessions without their sub-agents."""
    starts = session_starts(draw)
    steps = _root_steps(parameters, draw, len(starts))
    main, compacted = _contexts(parameters, draw, steps, "coding")
    lengths = _until_given_up(parameters, draw, steps.lengths, compacted)
    if draw.max_turns is not None:
        lengths = np.minimum(lengths, draw.max_turns)
    if draw.duration_ps is not None:
        lengths = np.minimum(lengths, sendable(starts, steps.lengths, steps.gap_ps, draw.duration_ps))
    return RootSessions(starts, steps.cut(lengths), main.cut(steps.lengths, lengths))


@dataclass(frozen=True, slots=True)
class Steps:
    """Sessions' lengths [sessions] and columns over their steps."""

    lengths: Int64
    begins_task: Bool
    ends_task: Bool
    starts_subagents: Bool
    gap_ps: Int64

    def cut(self, lengths: Int64) -> Steps:
        """The first `lengths` steps of each session."""
        at = heads(self.lengths, lengths)
        return Steps(lengths, self.begins_task[at], self.ends_task[at], self.starts_subagents[at], self.gap_ps[at])


@dataclass(frozen=True, slots=True)
class Contexts:
    """Tokens of requests; `shared` leading ones of every prompt are the same for all."""

    shared: int
    prompt: Int64
    reuse: Int64
    output: Int64

    def cut(self, lengths: Int64, kept: Int64) -> Contexts:
        """The first `kept` requests of sessions of these lengths."""
        at = heads(lengths, kept)
        return Contexts(self.shared, self.prompt[at], self.reuse[at], self.output[at])


@dataclass(frozen=True, slots=True)
class RootSessions:
    """When sessions start [sessions], and columns over their steps."""

    starts_ps: Int64
    steps: Steps
    contexts: Contexts


def _root_steps(parameters: Parameters, draw: Draw, sessions: int) -> Steps:
    fresh = parameters.table("session.steps").draw(stream(draw.seed, "coding.session_steps"), sessions)
    resumed = parameters.table("session.resumed_steps").draw(stream(draw.seed, "coding.resumed_steps"), sessions)
    lengths = np.where(_is_resumed(parameters, draw, sessions), resumed, fresh)
    check_size(draw, int(lengths.sum()))
    begins = _task_begins(parameters, draw, lengths)
    ends = np.append(begins[1:], True)
    gap = _tool_times(parameters, draw, len(begins), "coding")
    at = np.flatnonzero(begins)
    gap[at] = parameters.table("session.user_gap").draw(stream(draw.seed, "coding.users"), len(at))
    # a step that ends its task calls no tool, so that the one after a call belongs to the same session
    calls = choices(stream(draw.seed, "coding.subagents"), len(begins), parameters.number("subagents.share")) & ~ends
    gap[np.flatnonzero(calls) + 1] = parameters.whole("subagents.dispatch")
    return Steps(lengths, begins, ends, calls, gap * PS_PER_US)


def _until_given_up(parameters: Parameters, draw: Draw, lengths: Int64, compacted: Int64) -> Int64:
    """Steps of each session up to the full context that its user does not compact: there the next session begins."""
    first = offsets(lengths)
    goes_on = choices(stream(draw.seed, "coding.goes_on"), int(first[-1]), parameters.number("compaction.share"))
    at = np.sort(compacted[~goes_on[compacted]])
    session = np.searchsorted(first, at, side="right") - 1
    session, begins = np.unique(session, return_index=True)
    kept = lengths.copy()
    kept[session] = at[begins] - first[session]
    return kept


def _is_resumed(parameters: Parameters, draw: Draw, sessions: int) -> Bool:
    """Which root sessions begin with the long prompt of earlier work."""
    return choices(stream(draw.seed, "coding.resumed"), sessions, parameters.number("prompt.resumed_share"))


def _task_begins(parameters: Parameters, draw: Draw, lengths: Int64) -> Bool:
    """Which steps begin a task. All sessions go through their n-th task together."""
    first = offsets(lengths)
    total = int(first[-1])
    task_steps = parameters.table("session.steps_per_task").draw(stream(draw.seed, "coding.task_steps"), total)
    begins = np.zeros(total, np.bool_)
    at, end = first[:-1], first[1:]
    while len(at):
        begins[at] = True
        at = at + np.maximum(task_steps[at], 1)
        inside = at < end
        at, end = at[inside], end[inside]
    return begins


def _tool_times(parameters: Parameters, draw: Draw, steps: int, name: str) -> Int64:
    """Time in us that the tools take before each step: a mixture over the kinds of tools."""
    shares = [parameters.number(f"tools.{tool}.share") for tool in TOOLS]
    if not sum(shares):
        raise InputError("coding parameters", "tools", "shares of 0 for all", "one kind of tool with a share above 0")
    edges = [round(sum(shares[: i + 1]) / sum(shares) * (1 << 32)) for i in range(len(TOOLS))]
    draws = raw_bits(stream(draw.seed, f"{name}.tool_kind"), steps)
    kind = np.searchsorted(np.array(edges[:-1], np.int64), draws.astype(np.int64), side="right")
    # one set of random bits for all kinds: a step keeps its luck when the shares change
    tables = [parameters.table(f"tools.{tool}.time") for tool in TOOLS]
    return draw_mixture(tables, kind, stream(draw.seed, f"{name}.tools"))


def _subagent_steps(parameters: Parameters, draw: Draw, roots: Steps) -> tuple[Int64, Steps]:
    """Parent request of each sub-agent, and their steps. The parents' next steps begin when all are back."""
    calls = roots.starts_subagents.copy()
    # where a session was cut, nothing waits for sub-agents of its last step
    calls[offsets(roots.lengths)[1:] - 1] = False
    at = np.flatnonzero(calls)
    together = geometric(
        stream(draw.seed, "coding.subagents_together"), len(at), parameters.number("subagents.together"), 64
    )
    parents = np.repeat(at, together)
    lengths = parameters.table("subagents.steps").draw(stream(draw.seed, "subagent.steps"), len(parents))
    first = offsets(lengths)
    check_size(draw, int(first[-1]))
    gap = _tool_times(parameters, draw, int(first[-1]), "subagent")
    gap[first[:-1]] = parameters.whole("subagents.dispatch")
    begins, ends = np.zeros(len(gap), np.bool_), np.zeros(len(gap), np.bool_)
    begins[first[:-1]] = True
    ends[first[1:] - 1] = True
    return parents, Steps(lengths, begins, ends, np.zeros(len(gap), np.bool_), gap * PS_PER_US)


def _contexts(parameters: Parameters, draw: Draw, steps: Steps, name: str) -> tuple[Contexts, Int64]:
    """Tokens of root sessions (`coding`) or sub-agents (`subagent`), and the requests that follow a compaction."""
    first = offsets(steps.lengths)
    total = int(first[-1])

    def drawn(key: str, what: str, count: int = total) -> Int64:
        return parameters.table(key).draw(stream(draw.seed, f"{name}.{what}"), count)

    is_root = name == "coding"
    shared = parameters.whole("prompt.shared_prefix" if is_root else "subagents.shared_prefix")
    longest = context_limit(draw, shared)
    window = parameters.whole("window.tokens")

    def fitted(tokens: Int64) -> Int64:
        """In proportion to the model's window, where that is the smaller one."""
        if draw.max_context is None or draw.max_context >= window:
            return tokens
        return tokens * draw.max_context // window

    output = drawn("output.tool_use", "output")
    last = np.flatnonzero(steps.ends_task)
    output[last] = drawn("output.end_of_task", "task_output", len(last))
    growth = drawn("prompt.growth_after_tool", "growth")
    if is_root:
        fresh = ~_is_resumed(parameters, draw, len(steps.lengths))
        is_start = ranks(steps.lengths) <= parameters.whole("prompt.start_steps")
        at = np.flatnonzero(is_start & np.repeat(fresh, steps.lengths))
        growth[at] = drawn("prompt.growth_at_start", "start_growth", len(at))
        at = np.flatnonzero(steps.begins_task)
        growth[at] = drawn("prompt.growth_after_user", "user_growth", len(at))
    limit = np.maximum(fitted(drawn("compaction.at", "compaction", len(steps.lengths))), shared + 1)
    if longest is not None:
        limit = np.minimum(limit, longest)
    base = (
        _first_prompts(parameters, draw, len(steps.lengths))
        if is_root
        else drawn("subagents.first_prompt", "first_prompt", len(steps.lengths))
    )
    base = np.clip(base, shared + 1, limit)
    restart = np.maximum(fitted(drawn("compaction.to", "compacted_prompt")), shared + 1)
    prompt, compacted = grown_prompts(growth, first, base, limit, restart)
    if draw.max_context is not None:
        output = np.minimum(output, draw.max_context - prompt)
    breaks = choices(stream(draw.seed, f"{name}.breaks"), total, parameters.number("prompt.break_share"))
    points = raw_bits(stream(draw.seed, f"{name}.break_point"), total) >> 16
    reuse = _reuse(prompt, output, shared, np.flatnonzero(breaks), points.astype(np.int64))
    reuse[compacted] = shared
    reuse[first[:-1]] = 0
    return Contexts(shared, prompt, np.minimum(reuse, prompt - 1), output), compacted


def _first_prompts(parameters: Parameters, draw: Draw, sessions: int) -> Int64:
    fresh = parameters.table("prompt.fresh").draw(stream(draw.seed, "coding.first_prompt"), sessions)
    resumed = parameters.table("prompt.resumed").draw(stream(draw.seed, "coding.resumed_prompt"), sessions)
    return np.where(_is_resumed(parameters, draw, sessions), resumed, fresh)


def _reuse(prompt: Int64, output: Int64, shared: int, breaks: Int64, points: Int64) -> Int64:
    """Leading tokens of each prompt that its context held after the request before.

    A prompt that grew by more than the previous output holds that output whole; else parts of it (thinking) were
    dropped, and it shares the previous prompt alone. Clients now and then change something earlier in the prompt: then
    what lies behind the change is lost.

    Args:
        breaks: requests before which the prompt was changed.
        points: where, in 1/2^16 of what lies behind the shared prefix.
    """
    reuse = np.zeros(len(prompt), np.int64)
    reuse[1:] = prompt[:-1] + np.where(np.diff(prompt) > output[:-1], output[:-1], 0)
    behind = np.maximum(prompt[breaks - 1] - shared, 0)
    reuse[breaks] = shared + (behind * points[breaks] >> 16)
    return reuse


def _workload(
    starts: Int64,
    parents: Int64,
    steps: tuple[Steps, Steps],
    contexts: tuple[Contexts, Contexts],
) -> Workload:
    """Root sessions (first of each pair), then sub-agents."""

    def both(name: str, of: tuple[object, object] = contexts) -> Int64:
        return np.concatenate([getattr(part, name) for part in of])

    lengths = both("lengths", steps)
    num_roots, num_sessions = len(starts), len(lengths)
    output = both("output").astype(np.int32)
    total = len(output)
    return Workload(
        kinds=("coding",),
        num_contexts=num_sessions,
        session_start_ps=np.concatenate((starts, np.zeros(len(parents), np.int64))),
        session_first_request=offsets(lengths),
        session_parent_request=np.concatenate((np.full(num_roots, -1, np.int64), parents)),
        session_context=np.arange(num_sessions, dtype=np.int64),
        session_group=np.repeat(np.array([0, 1], np.int64), [num_roots, len(parents)]),
        session_kind=np.zeros(num_sessions, np.int64),
        prompt_tokens=both("prompt").astype(np.int32),
        reuse_tokens=both("reuse").astype(np.int32),
        output_tokens=output,
        milestone_tokens=output,
        gap_ps=both("gap_ps", steps),
        hold_ps=np.zeros(total, np.int64),
        is_barge_in=np.zeros(total, np.bool_),
        turn=np.arange(total, dtype=np.int64),
        group_tokens=np.array([part.shared for part in contexts], np.int64),
    )
