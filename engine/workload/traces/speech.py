"""Who spoke when becomes exchanges: replies, overlaps and interruptions of a call with two speakers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .voice import MEDIAN_REPLY_TOKENS, Exchange, Step

__all__ = ["YIELD_S", "Speech", "exchanges_of"]

#: An agent that falls silent this soon after the user cuts in was interrupted; one that goes on heard a backchannel.
#: tau2-bench: voice systems yield after 0.92 s on average. The limit is an assumption: about twice that.
YIELD_S = 2.0


@dataclass(frozen=True, slots=True)
class Speech:
    """A stretch of speech of one side."""

    start_s: float
    end_s: float
    is_user: bool
    tokens: int


@dataclass(slots=True)
class _Reply:
    exchange: Exchange
    start_s: float
    end_s: float
    tokens: int
    is_interrupted: bool = False


@dataclass(slots=True)
class _Utterance:
    tokens: int
    end_s: float


def exchanges_of(speech: Iterable[Speech]) -> tuple[list[Exchange], int]:
    """The exchanges of a call, and the tokens that the agent said before the user's first word.

    Speech of the agent that lies wholly within the user's is a false start, and speech of the user wholly within the
    agent's a backchannel: neither is part of the conversation. Speech of one side without the other's in between is
    one utterance. What the user says last, without a reply, asks no model.
    """
    replies: list[_Reply] = []
    utterance: _Utterance | None = None
    greeting = 0
    for part in sorted(speech, key=lambda s: (s.start_s, not s.is_user)):
        reply = replies[-1] if replies else None
        if part.is_user:
            if reply is not None and utterance is None and part.start_s < reply.end_s:
                reply.is_interrupted = reply.end_s - part.start_s <= YIELD_S
                if not reply.is_interrupted and part.end_s <= reply.end_s:
                    continue
            if utterance is None:
                utterance = _Utterance(0, part.end_s)
            utterance.tokens += part.tokens
            utterance.end_s = max(utterance.end_s, part.end_s)
        elif utterance is not None:
            if part.end_s <= utterance.end_s:
                continue
            before_s = reply.end_s if reply is not None else 0.0
            gap_s = max(0.0, min(utterance.end_s, part.start_s) - before_s)
            replies.append(_Reply(Exchange(utterance.tokens, gap_s), part.start_s, part.end_s, part.tokens))
            utterance = None
        elif reply is not None:
            reply.end_s = max(reply.end_s, part.end_s)
            reply.tokens += part.tokens
        else:
            greeting += part.tokens
    return [_finished(reply) for reply in replies], greeting


def _finished(reply: _Reply) -> Exchange:
    exchange = reply.exchange
    exchange.playout_s = reply.end_s - reply.start_s
    if reply.is_interrupted:
        exchange.heard_tokens = reply.tokens
        exchange.steps = [Step(max(reply.tokens, MEDIAN_REPLY_TOKENS))]
    else:
        exchange.steps = [Step(reply.tokens)]
    return exchange
