"""Recorded calls as speech: full-duplex ticks of tau2-bench, and transcripts of HarperValleyBank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from subsecond.engine.errors import InputError

from .builder import SessionBuilder
from .csvtable import csv_rows
from .jsonlines import json_rows
from .parsed import Recorded
from .source import Source
from .speech import Speech, exchanges_of
from .voice import (
    AGENT_TOKENS_PER_S,
    AGENT_TOKENS_PER_WORD,
    CALLER_TOKENS_PER_S,
    CALLER_TOKENS_PER_WORD,
    add_call,
    tokens_of,
)

__all__ = ["HARPERVALLEY_COLUMNS", "read_harpervalley", "read_tau2_ticks"]

HARPERVALLEY_COLUMNS = ("call", "role", "start_s", "duration_s", "words")

Flag = Annotated[int, msgspec.Meta(ge=0, le=1)]


class TickRow(msgspec.Struct):
    """One call; a tick is [user speaks, agent speaks, what the simulated user does]."""

    tick_s: Annotated[float, msgspec.Meta(gt=0, le=60)]
    ticks: list[tuple[Flag, Flag, str]]


def read_tau2_ticks(source: Source) -> Recorded:
    """Calls of tau2-bench's full-duplex simulations; tokens follow from speaking time.

    Raises:
        InputError: a broken line, or no call in which the agent answers.
    """
    builder = SessionBuilder(source.name)
    for _, row in json_rows(source, msgspec.json.Decoder(TickRow)):
        speech = [
            *_stretches([user for user, _, _ in row.ticks], row.tick_s, True, CALLER_TOKENS_PER_S),
            *_stretches([agent for _, agent, _ in row.ticks], row.tick_s, False, AGENT_TOKENS_PER_S),
        ]
        add_call(builder, *exchanges_of(speech))
    return _finished(source, builder)


def _stretches(flags: Sequence[int], tick_s: float, is_user: bool, tokens_per_s: float) -> list[Speech]:
    found: list[Speech] = []
    start: int | None = None
    for index, flag in enumerate([*flags, 0]):
        if flag and start is None:
            start = index
        elif not flag and start is not None:
            length = (index - start) * tick_s
            found.append(Speech(start * tick_s, index * tick_s, is_user, tokens_of(length, tokens_per_s)))
            start = None
    return found


def read_harpervalley(source: Source) -> Recorded:
    """Calls of HarperValleyBank with the human agent's part played by the model; tokens follow from words.

    Raises:
        InputError: a broken row, a role other than `agent` and `caller`, times that go back within a call.
    """
    calls: dict[str, list[Speech]] = {}
    for row in csv_rows(source, HARPERVALLEY_COLUMNS):
        speech = calls.setdefault(row.name("call"), [])
        role = row.text("role")
        if role not in ("agent", "caller"):
            raise row.error("role", role, "agent or caller")
        start, words = row.seconds("start_s"), row.tokens("words")
        if speech and start < speech[-1].start_s:
            raise row.error("start_s", row.text("start_s"), f"times that never go back ({speech[-1].start_s:g} before)")
        is_user = role == "caller"
        tokens = tokens_of(words, CALLER_TOKENS_PER_WORD if is_user else AGENT_TOKENS_PER_WORD)
        speech.append(Speech(start, start + row.seconds("duration_s"), is_user, tokens))
    builder = SessionBuilder(source.name)
    for speech in calls.values():
        add_call(builder, *exchanges_of(speech))
    return _finished(source, builder)


def _finished(source: Source, builder: SessionBuilder) -> Recorded:
    if not builder.num_requests:
        raise InputError(source.name, "", "no reply of the agent", "a call in which the agent answers the user")
    return Recorded(builder.build())
