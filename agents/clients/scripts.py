"""What outside agents do, drawn from the parameters of the simulated ones (`docs/agents.md`).

The same draws as in a simulated run: a coding session's prompts, tool times and pauses, a caller's utterances, pauses
and interruptions. What the model says is the server's business.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from subsecond.agents.coding import coding_parameters, root_sessions
from subsecond.agents.population import Draw
from subsecond.agents.voice import voice_parameters
from subsecond.engine.workload.distributions import choices, poisson_arrivals, stream
from subsecond.engine.workload.runs import offsets

__all__ = ["CodingStep", "VoiceTurn", "arrivals", "calls", "coding_sessions"]

PS_PER_S: Final = 1e12
US_PER_S: Final = 1e6
#: Sessions and arrivals are drawn so many at a time, each batch from the seed after the last one's.
BATCH: Final = 64
ARRIVALS: Final = 4096


@dataclass(frozen=True, slots=True)
class CodingStep:
    """One request of a coding agent.

    Attributes:
        gap_s: before it, for the tools or the user.
        prompt_tokens: length of its whole prompt.
        output_tokens: of the reply in the data that the draws follow.
        begins_task: the user has said something; otherwise a tool has answered.
        ends_task: the reply is an answer to the user; otherwise it calls a tool.
        is_fresh: nothing but instructions and tools was sent before: a session's first step, or a compacted context.
    """

    gap_s: float
    prompt_tokens: int
    output_tokens: int
    begins_task: bool
    ends_task: bool
    is_fresh: bool


@dataclass(frozen=True, slots=True)
class VoiceTurn:
    """One turn of a caller.

    Attributes:
        pause_s: of the caller before speaking.
        speaking_s: length of the utterance.
        tools_s: run times of the tools that the agent calls before it replies, one after the other.
        interrupted_s: the caller speaks again so long after the first sound of the reply; None: listens to its end.
    """

    pause_s: float
    speaking_s: float
    tools_s: tuple[float, ...]
    interrupted_s: float | None


def coding_sessions(seed: int, overrides: Mapping[str, object] | None = None) -> Iterator[list[CodingStep]]:
    """Sessions of coding agents without end; sub-agents are left out.

    Args:
        overrides: see `Parameters.changed`.
    """
    parameters = coding_parameters({**(overrides or {}), "subagents.share": 0.0})
    shared = parameters.whole("prompt.shared_prefix")
    for batch in itertools.count(seed):
        sessions = root_sessions(parameters, Draw("coding", BATCH, batch))
        steps, contexts = sessions.steps, sessions.contexts
        first = offsets(steps.lengths)
        for begin, end in itertools.pairwise(first.tolist()):
            yield [
                CodingStep(
                    gap_s=float(steps.gap_ps[at] / PS_PER_S),
                    prompt_tokens=int(contexts.prompt[at]),
                    output_tokens=int(contexts.output[at]),
                    begins_task=bool(steps.begins_task[at]),
                    ends_task=bool(steps.ends_task[at]),
                    is_fresh=at == begin or int(contexts.reuse[at]) == shared,
                )
                for at in range(begin, end)
            ]


def calls(seed: int, overrides: Mapping[str, object] | None = None) -> Iterator[list[VoiceTurn]]:
    """Calls to voice agents without end.

    Args:
        overrides: see `Parameters.changed`.
    """
    parameters = voice_parameters(None, overrides)
    rate_per_s = parameters.number("utterance.rate")
    for batch in itertools.count(seed):
        lengths = parameters.table("session.turns").draw(stream(batch, "voice.turns"), BATCH)
        first = offsets(lengths)
        total = int(first[-1])

        def drawn(key: str, name: str, count: int = total, batch: int = batch) -> list[int]:
            values: list[int] = parameters.table(key).draw(stream(batch, f"voice.{name}"), count).tolist()
            return values

        pause, spoken = drawn("user.pause", "pause"), drawn("utterance.tokens", "utterance")
        listening = drawn("barge_in.listening", "listening")
        interrupts = choices(stream(batch, "voice.barge_in"), total, parameters.number("barge_in.share"))
        uses_tools = choices(stream(batch, "voice.requests"), total, parameters.number("tools.share"))
        num_tools = np.array(drawn("tools.calls", "tool_calls")) * uses_tools
        tools = [time / US_PER_S for time in drawn("tools.time", "tools", int(num_tools.sum()))]
        tool_first = offsets(num_tools)
        turns = [
            VoiceTurn(
                pause_s=pause[at] / US_PER_S,
                speaking_s=spoken[at] / rate_per_s,
                tools_s=tuple(tools[tool_first[at] : tool_first[at + 1]]),
                interrupted_s=listening[at] / US_PER_S if interrupts[at] else None,
            )
            for at in range(total)
        ]
        for begin, end in itertools.pairwise(first.tolist()):
            yield turns[begin:end]


def arrivals(kind: str, seed: int, rate_per_s: float) -> Iterator[float]:
    """Times in s from now on at which turns begin: a Poisson process without end.

    Args:
        kind: "coding" or "voice".
    """
    start_s = 0.0
    for batch in itertools.count(seed):
        times = poisson_arrivals(stream(batch, f"{kind}.arrivals"), ARRIVALS, rate_per_s) / PS_PER_S
        yield from (start_s + times).tolist()
        start_s += float(times[-1])
