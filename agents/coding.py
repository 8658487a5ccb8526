"""Simulated coding agents: sessions of tasks, tasks of agent steps, each step one request.

A step ends for its user with the last token. Then its tools run (a few of them for very long), and the next step sends
the whole context again, grown by the output and the tool results. After the last step of a task the user reads and
thinks. A context that reaches its limit is compacted: the next prompt is short and shares only the system prompt with
what was cached. Some steps start sub-agents, child sessions with a context of their own; the parent waits for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.core.config import Workload
from subsecond.engine.workload.distributions import choices, geometric, stream
from subsecond.engine.workload.runs import offsets, ranks

from .parameters import Parameters, load_document, parse_parameters
from .population import PS_PER_US, Draw, sendable, session_starts

__all__ = ["coding_parameters", "draw_coding"]

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]
Bool = NDArray[np.bool_]

MAIN_GROUP, SUBAGENT_GROUP = 0, 1


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
) -> Workload:
    """Sessions of coding agents with their sub-agents.

    Args:
        parameters: from `coding_parameters`.
        sessions: root sessions, without sub-agents.
        seed: the same seed gives the same bytes.
        arrival_rate_per_s: Poisson starts; None: starts spread at random over `ramp_s`.
        max_turns: most steps of one root session; its sub-agents' come on top.
        duration_s: leave out what cannot be sent before this time.

    Raises:
        InputError: a value out of range.
    """
    draw = Draw("coding", sessions, seed, arrival_rate_per_s, ramp_s, max_turns, duration_s)
    starts = session_starts(draw)
    roots = _root_steps(parameters, draw, len(starts))
    if draw.duration_ps is not None:
        roots = roots.cut(sendable(starts, roots.lengths, roots.gap_ps, draw.duration_ps))
    steps, parents = _with_subagents(parameters, draw, roots)
    return _workload(parameters, draw, steps, starts, parents)


@dataclass(frozen=True, slots=True)
class _Steps:
    """Sessions' lengths [sessions] and columns over their steps."""

    lengths: Int64
    begins_task: Bool
    ends_task: Bool
    gap_ps: Int64

    def cut(self, lengths: Int64) -> _Steps:
        """The first `lengths` steps of each session."""
        if bool((lengths == self.lengths).all()):
            return self
        keep = ranks(self.lengths) < np.repeat(lengths, self.lengths)
        return _Steps(lengths, self.begins_task[keep], self.ends_task[keep], self.gap_ps[keep])


def _root_steps(parameters: Parameters, draw: Draw, sessions: int) -> _Steps:
    tasks = parameters.table("session.tasks").draw(stream(draw.seed, "coding.tasks"), sessions)
    steps_table = parameters.table("session.steps_per_task")
    task_steps = steps_table.draw(stream(draw.seed, "coding.steps"), int(tasks.sum()))
    ends = offsets(task_steps)
    begins_task = np.zeros(int(ends[-1]), np.bool_)
    begins_task[ends[:-1]] = True
    ends_task = np.zeros(len(begins_task), np.bool_)
    ends_task[ends[1:] - 1] = True
    lengths = np.diff(ends[offsets(tasks)])
    empty = np.zeros(len(begins_task), np.int64)
    steps = _Steps(lengths, begins_task, ends_task, empty)
    if draw.max_turns is not None:
        steps = steps.cut(np.minimum(lengths, draw.max_turns))
    gap = parameters.table("tools.time").draw(stream(draw.seed, "coding.tools"), len(steps.begins_task))
    at = np.flatnonzero(steps.begins_task)
    gap[at] = parameters.table("session.user_gap").draw(stream(draw.seed, "coding.users"), len(at))
    gap *= PS_PER_US
    return _Steps(steps.lengths, steps.begins_task, steps.ends_task, gap)


def _with_subagents(parameters: Parameters, draw: Draw, roots: _Steps) -> tuple[_Steps, Int64]:
    """All sessions' steps, roots first, and the parent request of each sub-agent."""
    generator = stream(draw.seed, "coding.subagents")
    total = len(roots.gap_ps)
    calls = choices(generator, total, parameters.number("subagents.share"))
    # a step that ends its task calls no tool, and the last one kept of a session has nothing that waits for it
    calls &= ~roots.ends_task
    calls[offsets(roots.lengths)[1:] - 1] = False
    at = np.flatnonzero(calls)
    together = geometric(generator, len(at), parameters.number("subagents.together"), 64)
    parents = np.repeat(at, together)
    table = parameters.table("subagents.steps")
    generator = stream(draw.seed, "coding.subagent_steps")
    lengths = table.draw(generator, len(parents))
    dispatch_ps = parameters.whole("subagents.dispatch") * PS_PER_US
    gap = parameters.table("tools.time").draw(generator, int(lengths.sum())) * PS_PER_US
    begins_at = offsets(lengths)
    gap[begins_at[:-1]] = dispatch_ps
    begins = np.zeros(len(gap), np.bool_)
    ends = np.zeros(len(gap), np.bool_)
    ends[begins_at[1:] - 1] = True
    gap_ps = np.concatenate((roots.gap_ps, gap))
    gap_ps[at + 1] = dispatch_ps
    steps = _Steps(
        np.concatenate((roots.lengths, lengths)),
        np.concatenate((roots.begins_task, begins)),
        np.concatenate((roots.ends_task, ends)),
        gap_ps,
    )
    return steps, parents


def _workload(parameters: Parameters, draw: Draw, steps: _Steps, starts: Int64, parents: Int64) -> Workload:
    first = offsets(steps.lengths)
    num_roots, num_sessions, total = len(starts), len(steps.lengths), int(first[-1])
    group = np.zeros(num_sessions, np.int64)
    group[num_roots:] = SUBAGENT_GROUP
    group_tokens = np.array(
        [parameters.whole("prompt.shared_prefix"), parameters.whole("subagents.shared_prefix")], np.int64
    )
    generator = stream(draw.seed, "coding.output")
    output = parameters.table("output.tool_use").draw(generator, total)
    last = np.flatnonzero(steps.ends_task)
    output[last] = parameters.table("output.end_of_task").draw(generator, len(last))
    growth = _growth(parameters, draw, steps, first)
    prompt, compacted = _prompts(parameters, draw, growth, first, group_tokens[group], num_roots)
    reuse = _reuse(parameters, draw, prompt, output, first, np.repeat(group_tokens[group], steps.lengths), compacted)
    out = output.astype(np.int32)
    return Workload(
        kinds=("coding",),
        num_contexts=num_sessions,
        session_start_ps=np.concatenate((starts, np.zeros(len(parents), np.int64))),
        session_first_request=first,
        session_parent_request=np.concatenate((np.full(num_roots, -1, np.int64), parents)),
        session_context=np.arange(num_sessions, dtype=np.int64),
        session_group=group,
        session_kind=np.zeros(num_sessions, np.int64),
        prompt_tokens=prompt.astype(np.int32),
        reuse_tokens=reuse.astype(np.int32),
        output_tokens=out,
        milestone_tokens=out,
        gap_ps=steps.gap_ps,
        hold_ps=np.zeros(total, np.int64),
        is_barge_in=np.zeros(total, np.bool_),
        turn=np.arange(total, dtype=np.int64),
        group_tokens=group_tokens,
    )


def _growth(parameters: Parameters, draw: Draw, steps: _Steps, first: Int64) -> Int64:
    """Tokens by which each prompt exceeds the one before; 0 for a session's first."""
    generator = stream(draw.seed, "coding.growth")
    growth = parameters.table("prompt.growth_after_tool").draw(generator, int(first[-1]))
    at = np.flatnonzero(steps.begins_task)
    growth[at] = parameters.table("prompt.growth_after_user").draw(generator, len(at))
    growth[first[:-1]] = 0
    return growth


def _prompts(
    parameters: Parameters, draw: Draw, growth: Int64, first: Int64, shared: Int64, num_roots: int
) -> tuple[Int64, Int64]:
    """Prompt of each request, and which requests come after a compaction.

    All sessions go through their n-th compaction together, so the loop runs as often as the session with the most
    compactions has them.
    """
    num_sessions = len(first) - 1
    generator = stream(draw.seed, "coding.compaction")
    limit = np.maximum(parameters.table("compaction.at").draw(generator, num_sessions), shared + 1)
    after = parameters.table("compaction.to")
    base = np.minimum(_first_prompts(parameters, draw, num_roots, num_sessions), limit)
    base = np.maximum(base, shared + 1)
    grown = np.cumsum(growth)
    session = np.arange(num_sessions)
    at = first[:-1]
    heads, shifts = [at], [base - grown[at]]
    while True:
        at = np.searchsorted(grown, grown[at] + limit[session] - base, side="right")
        open_ = at < first[session + 1]
        session, at = session[open_], at[open_]
        if not len(at):
            break
        base = np.clip(after.draw(generator, len(at)), shared[session] + 1, limit[session])
        heads.append(at)
        shifts.append(base - grown[at])
    head = np.concatenate(heads)
    order = np.argsort(head)
    head, shift = head[order], np.concatenate(shifts)[order]
    prompt = grown + np.repeat(shift, np.diff(np.append(head, len(grown))))
    compacted = np.concatenate(heads[1:]) if len(heads) > 1 else np.zeros(0, np.int64)
    return prompt, compacted


def _first_prompts(parameters: Parameters, draw: Draw, num_roots: int, num_sessions: int) -> Int64:
    generator = stream(draw.seed, "coding.first_prompt")
    fresh = parameters.table("prompt.fresh").draw(generator, num_roots)
    resumed = parameters.table("prompt.resumed").draw(generator, num_roots)
    is_resumed = choices(generator, num_roots, parameters.number("prompt.resumed_share"))
    children = parameters.table("subagents.first_prompt").draw(generator, num_sessions - num_roots)
    return np.concatenate((np.where(is_resumed, resumed, fresh), children))


def _reuse(
    parameters: Parameters, draw: Draw, prompt: Int64, output: Int64, first: Int64, shared: Int64, compacted: Int64
) -> Int64:
    """Leading tokens of each prompt that its context held after the request before.

    A prompt that grew by more than the previous output holds that output whole; else parts of it (thinking) were
    dropped, and it shares the previous prompt alone. Clients now and then change something earlier in the prompt: then
    what lies behind the change is lost.
    """
    reuse = np.zeros(len(prompt), np.int64)
    grew = np.diff(prompt)
    reuse[1:] = prompt[:-1] + np.where(grew > output[:-1], output[:-1], 0)
    generator = stream(draw.seed, "coding.breaks")
    at = np.flatnonzero(choices(generator, len(prompt), parameters.number("prompt.break_share")))
    behind = np.maximum(prompt[at - 1] - shared[at], 0)
    reuse[at] = shared[at] + (behind * generator.integers(0, 1 << 16, len(at)) >> 16)
    reuse[compacted] = shared[compacted]
    reuse[first[:-1]] = 0
    return np.minimum(reuse, prompt - 1)
