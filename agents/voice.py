"""Simulated callers of voice agents: conversations of turns, each turn one or more model requests.

The user speaks. The agent's server hears the end of it one way of the audio later, waits until it believes that the
user has finished (endpointing) and that the transcript is final (speech-to-text, which runs meanwhile), and asks the
model. A tool turn asks it several times with a tool run in between. When the first sentence of the reply is written,
text-to-speech begins, and the first sound reaches the user one way of the audio after that: here the turn's latency
ends. The user listens until the reply is said, or interrupts it, and speaks again. The next prompt holds what was
said on both sides; of an interrupted reply, what was heard.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.catalog import Catalog
from subsecond.engine.core.config import Workload
from subsecond.engine.workload.distributions import choices, stream
from subsecond.engine.workload.runs import gather, heads, offsets

from .parameters import Parameters, load_document, parse_parameters
from .population import (
    PS_PER_US,
    Draw,
    check_size,
    context_limit,
    grown_prompts,
    sendable,
    session_starts,
)
from .voice_stages import with_profile

__all__ = ["DEFAULT_PROFILE", "draw_voice", "voice_parameters"]

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]
Bool = NDArray[np.bool_]

DEFAULT_PROFILE = "typical"


def voice_parameters(
    profile: str | None = None, overrides: Mapping[str, object] | None = None, facts: Catalog | None = None
) -> Parameters:
    """Parameters of callers and voice agents.

    Args:
        profile: stages by name (`docs/agents.md`): `typical`, `fast`, `fast+stt-azure`...; None: `typical`.
        overrides: see `Parameters.changed`; they go over the profile.
        facts: the catalog that holds the vendors; None: as shipped.

    Raises:
        InputError: an unknown profile, or an override that cannot be used.
    """
    document = load_document("subsecond.agents", "data/voice.toml")
    tables = {key: table for key, table in document.items() if key not in ("stages", "profiles")}
    base = parse_parameters("voice", tables, "voice.toml")
    return with_profile(base, document, profile or DEFAULT_PROFILE, facts).changed(overrides or {})


def draw_voice(
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
    """Conversations with a voice agent.

    Args:
        parameters: from `voice_parameters`.
        sessions: calls.
        seed: the same seed gives the same bytes.
        arrival_rate_per_s: calls begin in a Poisson process; None: they begin at random over `ramp_s`.
        max_turns: most turns of one call.
        duration_s: leave out what cannot be sent before this time.
        max_context: most tokens of prompt and output together; a call that would exceed it loses its older half.
        at_once: all start at 0, in the order in which they are drawn.

    Raises:
        InputError: a value out of range.
    """
    draw = Draw("voice", sessions, seed, arrival_rate_per_s, ramp_s, max_turns, duration_s, max_context, at_once)
    calls = session_starts(draw)
    lengths = parameters.table("session.turns").draw(stream(seed, "voice.turns"), len(calls))
    if draw.max_turns is not None:
        lengths = np.minimum(lengths, draw.max_turns)
    check_size(draw, int(lengths.sum()))
    turns = _draw_turns(parameters, draw, lengths)
    check_size(draw, int(turns.num_requests.sum()))
    tools = _draw_tools(parameters, draw, int(turns.num_requests.sum()))
    # all is drawn call by call; the workload's order is that of first requests, which come after the first utterance
    starts = calls if at_once else calls + turns.gap_ps[offsets(lengths)[:-1]]
    order = np.argsort(starts, kind="stable")
    starts, at = starts[order], gather(lengths, order)
    lengths = lengths[order]
    if draw.duration_ps is not None:
        kept = sendable(starts, lengths, _least_waits(turns)[at], draw.duration_ps)
        at, lengths = at[heads(lengths, kept)], kept
    tools = _Tools(*_taken(tools, gather(turns.num_requests, at)))
    return _workload(parameters, draw, starts, lengths, _Turns(*_taken(turns, at)), tools)


def _taken(columns: _Turns | _Tools, at: Int64) -> list[NDArray[Any]]:
    """All columns at these positions."""
    return [getattr(columns, field.name)[at] for field in fields(columns)]


@dataclass(frozen=True, slots=True)
class _Turns:
    """Columns over turns; times in ps.

    Attributes:
        gap_ps: from the end of the turn before to sending the first request.
        hold_ps: from the milestone to the end of the turn.
        heard_tokens: of the reply; less than all of it after a barge-in.
        num_requests: of the turn: one for the reply, and one for each tool call before it.
    """

    utterance_tokens: Int64
    reply_tokens: Int64
    sentence_tokens: Int64
    heard_tokens: Int64
    num_requests: Int64
    gap_ps: Int64
    hold_ps: Int64
    is_barge_in: Bool
    uplink_ps: Int64
    endpointing_ps: Int64
    speech_to_text_ps: Int64
    text_to_speech_ps: Int64
    downlink_ps: Int64


@dataclass(frozen=True, slots=True)
class _Tools:
    """Columns over requests: the request as one that calls a tool, and the tool run before it. Time in us."""

    call_tokens: Int64
    result_tokens: Int64
    time_us: Int64


def _draw_turns(parameters: Parameters, draw: Draw, lengths: Int64) -> _Turns:
    first = offsets(lengths)
    total = int(first[-1])

    def drawn(key: str, name: str) -> Int64:
        return parameters.table(key).draw(stream(draw.seed, f"voice.{name}"), total)

    def said_us(tokens: Int64, key: str) -> Int64:
        # tokens per 1000 s: integers from here on, the same on every machine
        return tokens * 10**9 // round(parameters.number(key) * 1000)

    uplink, downlink = drawn("audio.one_way", "network"), drawn("audio.one_way", "downlink")
    endpointing = drawn("endpointing.time", "endpointing")
    # both begin when the agent's server has the end of the speech
    transcript = np.maximum(drawn("speech_to_text.time", "speech_to_text") - endpointing, 0)
    text_to_speech = drawn("text_to_speech.time", "text_to_speech")
    utterance, reply = drawn("utterance.tokens", "utterance"), drawn("reply.tokens", "reply")
    playout = said_us(reply, "reply.rate")
    is_barge_in = choices(stream(draw.seed, "voice.barge_in"), total, parameters.number("barge_in.share"))
    listening = np.minimum(drawn("barge_in.listening", "listening"), playout)
    # from the user's first word to the silence of the agent both speak
    both = np.where(is_barge_in, drawn("barge_in.yield", "yield"), 0)
    heard = np.minimum(listening * round(parameters.number("reply.rate") * 1000) // 10**9, reply)
    hold = text_to_speech + downlink + np.where(is_barge_in, listening + both, playout)
    speaking = said_us(utterance, "utterance.rate")
    after_pause = drawn("user.pause", "pause") + speaking
    gap = after_pause.copy()
    # who interrupted is speaking when the turn ends
    gap[1:] = np.where(is_barge_in[:-1], np.maximum(speaking[1:] - both[:-1], 0), after_pause[1:])
    gap[first[:-1]] = after_pause[first[:-1]]
    gap += uplink + endpointing + transcript
    tool_calls = drawn("tools.calls", "tool_calls")
    tool_calls *= choices(stream(draw.seed, "voice.requests"), total, parameters.number("tools.share"))
    return _Turns(
        utterance_tokens=utterance,
        reply_tokens=reply,
        sentence_tokens=np.minimum(drawn("reply.first_sentence", "first_sentence"), reply),
        heard_tokens=np.where(is_barge_in, heard, reply),
        num_requests=tool_calls + 1,
        gap_ps=gap * PS_PER_US,
        hold_ps=hold * PS_PER_US,
        is_barge_in=is_barge_in,
        uplink_ps=uplink * PS_PER_US,
        endpointing_ps=endpointing * PS_PER_US,
        speech_to_text_ps=transcript * PS_PER_US,
        text_to_speech_ps=text_to_speech * PS_PER_US,
        downlink_ps=downlink * PS_PER_US,
    )


def _draw_tools(parameters: Parameters, draw: Draw, total: int) -> _Tools:
    def drawn(key: str, name: str) -> Int64:
        return parameters.table(key).draw(stream(draw.seed, f"voice.{name}"), total)

    return _Tools(
        call_tokens=drawn("tools.call_tokens", "tool_call_tokens"),
        result_tokens=drawn("tools.result_tokens", "tool_result"),
        time_us=drawn("tools.time", "tools"),
    )


def _least_waits(turns: _Turns) -> Int64:
    """Least time from sending the first request of the turn before to sending each turn's, across calls too."""
    waits = turns.gap_ps.copy()
    waits[1:] += turns.hold_ps[:-1]
    return waits


def _workload(
    parameters: Parameters, draw: Draw, starts: Int64, lengths: Int64, turns: _Turns, tools: _Tools
) -> Workload:
    turn_first = offsets(turns.num_requests)
    first = turn_first[offsets(lengths)]
    total, ends = int(turn_first[-1]), turn_first[1:] - 1
    output = tools.call_tokens.copy()
    output[ends] = turns.reply_tokens
    shared = parameters.whole("prompt.shared_prefix")
    prompt, reuse = _prompts(draw, shared, turns, tools.result_tokens, turn_first, first, output)
    if draw.max_context is not None:
        output = np.minimum(output, draw.max_context - prompt)
    milestone = output.copy()
    milestone[ends] = np.minimum(turns.sentence_tokens, output[ends])
    gap = tools.time_us * PS_PER_US
    gap[turn_first[:-1]] = turns.gap_ps
    hold = np.zeros(total, np.int64)
    hold[ends] = turns.hold_ps
    is_barge_in = np.zeros(total, np.bool_)
    is_barge_in[ends] = turns.is_barge_in
    num_sessions = len(lengths)
    return Workload(
        kinds=("voice",),
        num_contexts=num_sessions,
        session_start_ps=starts,
        session_first_request=first,
        session_parent_request=np.full(num_sessions, -1, np.int64),
        session_context=np.arange(num_sessions, dtype=np.int64),
        session_group=np.zeros(num_sessions, np.int64),
        session_kind=np.zeros(num_sessions, np.int64),
        prompt_tokens=prompt.astype(np.int32),
        reuse_tokens=reuse.astype(np.int32),
        output_tokens=output.astype(np.int32),
        milestone_tokens=milestone.astype(np.int32),
        gap_ps=gap,
        hold_ps=hold,
        is_barge_in=is_barge_in,
        turn=np.repeat(np.arange(len(turns.num_requests), dtype=np.int64), turns.num_requests),
        group_tokens=np.array([shared], np.int64),
        before_ps={
            "audio_in": turns.uplink_ps,
            "endpointing": turns.endpointing_ps,
            "speech_to_text": turns.speech_to_text_ps,
        },
        after_ps={"text_to_speech": turns.text_to_speech_ps, "audio_out": turns.downlink_ps},
    )


def _prompts(
    draw: Draw, shared: int, turns: _Turns, results: Int64, turn_first: Int64, first: Int64, output: Int64
) -> tuple[Int64, Int64]:
    """Prompt and reuse of each request: all of the prompt before, what followed it, and what is new."""
    added = results.copy()
    added[turn_first[:-1]] = turns.utterance_tokens
    kept = output.copy()
    kept[turn_first[1:] - 1] = turns.heard_tokens
    growth = added.copy()
    growth[1:] += kept[:-1]
    longest = context_limit(draw, shared)
    limit = np.full(len(first) - 1, 1 << 30 if longest is None else longest, np.int64)
    base = np.minimum(shared + added[first[:-1]], limit)
    restart = np.full(len(output), shared + (int(limit[0]) - shared) // 2, np.int64)
    prompt, restarted = grown_prompts(growth, first, base, limit, restart)
    reuse = np.zeros(len(prompt), np.int64)
    reuse[1:] = prompt[:-1] + kept[:-1]
    reuse[restarted] = shared
    reuse[first[:-1]] = 0
    return prompt, np.minimum(reuse, prompt - 1)
