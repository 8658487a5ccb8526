"""Voice calls as requests: what a call's exchanges mean for prompts, milestones, playout and barge-in.

Recorded voice traces hold speech, not model calls. Everything they lack is assumed here, once, with its source; the
values are the medians of `agents/data/voice.toml`, where a distribution of each is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .builder import SessionBuilder

__all__ = [
    "AGENT_TOKENS_PER_S",
    "AGENT_TOKENS_PER_WORD",
    "CALLER_TOKENS_PER_S",
    "CALLER_TOKENS_PER_WORD",
    "MEDIAN_REPLY_TOKENS",
    "PAUSE_S",
    "SYSTEM_TOKENS",
    "TOOL_S",
    "Exchange",
    "Step",
    "add_call",
    "tokens_of",
]

KIND = "voice"

#: System prompt and tool schemas. EVA: first prompt of 3,423 tokens less greeting and utterance.
SYSTEM_TOKENS = 3400
#: Tokens until text-to-speech can begin: the first sentence. Assumption, about 11 words.
SENTENCE_TOKENS = 14
#: EVA session, 9 spoken replies.
AGENT_TOKENS_PER_S = 4.28
#: HarperValleyBank, callers speak 3.52 words/s, times EVA's tokens per word.
CALLER_TOKENS_PER_S = 4.47
#: EVA, o200k tokens per word of 662 agent and 572 user utterances.
AGENT_TOKENS_PER_WORD = 1.207
CALLER_TOKENS_PER_WORD = 1.269
#: EVA, median of 565 replies: how long an interrupted reply would have been, at least.
MEDIAN_REPLY_TOKENS = 76
#: HarperValleyBank, median pause of callers after the agent, n 35.
PAUSE_S = 1.46
#: Median run time of a tool. Assumption, as in `agents/data/voice.toml`.
TOOL_S = 0.5

#: Stages of a turn before its first request and after its milestone. Audio takes 35 ms each way (altersquare.io: WebRTC
#: 20 to 50 ms), endpointing 500 ms (300 to 800 ms; LiveKit's default); speech-to-text (Deepgram, 247 ms) runs beside
#: it and is done before; text-to-speech to the first audio takes 188 ms (Cartesia Sonic-3, Coval).
BEFORE_S = {"audio_in": 0.035, "endpointing": 0.5, "speech_to_text": 0.0}
AFTER_S = {"text_to_speech": 0.188, "audio_out": 0.035}


def tokens_of(amount: float, tokens_per_unit: float) -> int:
    """Tokens of so many seconds or words, at least 1."""
    return max(1, round(amount * tokens_per_unit))


@dataclass(frozen=True, slots=True)
class Step:
    """One model request of an exchange.

    Attributes:
        output: tokens it makes.
        result: tokens that its tool call brings into the context.
        tool_s: from its end to sending the next request of the exchange.
        prompt: tokens, where recorded; None: what was said so far.
    """

    output: int
    result: int = 0
    tool_s: float = 0.0
    prompt: int | None = None


@dataclass(slots=True)
class Exchange:
    """The user speaks and the agent answers: one turn.

    Attributes:
        user_tokens: tokens that the user's words bring into the context.
        gap_s: from the end of the turn before for the user to the end of the user's speech.
        steps: requests; the last one writes the reply, if `is_spoken`.
        playout_s: how long the reply is heard.
        heard_tokens: of the reply that were spoken before an interruption; None: all.
    """

    user_tokens: int
    gap_s: float
    steps: list[Step] = field(default_factory=list)
    playout_s: float = 0.0
    is_spoken: bool = True
    heard_tokens: int | None = None


def add_call(builder: SessionBuilder, exchanges: Sequence[Exchange], said_before: int = 0) -> None:
    """Add a call as a session; exchanges without a request only add what was said.

    Args:
        said_before: tokens of a greeting, which asks no model.
    """
    builder.session(KIND, group=(KIND,), shared=SYSTEM_TOKENS)
    context = SYSTEM_TOKENS + said_before
    held = 0
    waited_s = 0.0
    for exchange in exchanges:
        context += exchange.user_tokens
        waited_s += exchange.gap_s
        for index, step in enumerate(exchange.steps):
            is_last = index == len(exchange.steps) - 1
            speaks = is_last and exchange.is_spoken
            heard = exchange.heard_tokens if is_last else None
            prompt = context if step.prompt is None else step.prompt
            builder.request(
                prompt,
                step.output,
                reuse=min(held, prompt - 1),
                gap_s=exchange.steps[index - 1].tool_s if index else waited_s,
                milestone=min(SENTENCE_TOKENS, step.output) if speaks else None,
                hold_s=sum(AFTER_S.values()) + exchange.playout_s if speaks else 0.0,
                is_barge_in=speaks and heard is not None,
                same_turn=index > 0,
                before_s=BEFORE_S,
                after_s=AFTER_S if exchange.is_spoken else {},
            )
            waited_s = 0.0
            held = prompt + (step.output if heard is None else heard)
            context = held + step.result
