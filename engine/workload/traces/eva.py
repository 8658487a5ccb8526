"""Voice conversations of EVA (ServiceNow/eva): one session as an event list, and lengths of many conversations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from subsecond.engine.errors import InputError

from .builder import SessionBuilder
from .csvtable import csv_rows
from .jsonlines import MAX_TOKENS, Size, fault_of
from .parsed import Recorded
from .source import Source
from .voice import AGENT_TOKENS_PER_S, CALLER_TOKENS_PER_S, PAUSE_S, TOOL_S, Exchange, Step, add_call

__all__ = ["LENGTH_COLUMNS", "read_eva_lengths", "read_eva_session"]

Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]

LENGTH_COLUMNS = ("conversation", "event", "kind", "tokens", "words")


class Event(msgspec.Struct):
    """One event of a session; which fields it has depends on `event`."""

    t_s: Seconds
    event: str
    latency_s: Seconds = 0.0
    input_tokens_est: Annotated[int, msgspec.Meta(ge=1, le=MAX_TOKENS)] = 1
    output_tokens_est: Size = 1
    tools: list[str] = []


def read_eva_session(source: Source) -> Recorded:
    """One call with its recorded model calls; the first line is a header.

    The agent answers with the last model call before its speech, and with those before it that called tools. Other
    calls were begun too early, while the user still spoke, and thrown away; they are left out.

    Raises:
        InputError: a broken line, times that go back, no model call.
    """
    builder = SessionBuilder(source.name)
    add_call(builder, _exchanges(_events(source)))
    if not builder.num_requests:
        raise InputError(source.name, "", "no llm_call before agent_audio_start", "a call in which the agent answers")
    return Recorded(builder.build())


def _events(source: Source) -> list[Event]:
    decoder = msgspec.json.Decoder(Event)
    events: list[Event] = []
    for index, (number, line) in enumerate(source.lines()):
        try:
            event = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if not index and isinstance(error, msgspec.ValidationError):
                continue
            raise fault_of(source.at(number), line, error) from None
        if events and event.t_s < events[-1].t_s:
            expected = f"times that never go back ({events[-1].t_s:g} before)"
            raise InputError(source.at(number), "t_s", f"{event.t_s:g}", expected)
        events.append(event)
    return events


def _exchanges(events: Sequence[Event]) -> list[Exchange]:
    exchanges: list[Exchange] = []
    calls: list[Event] = []
    speech_ends: list[float] = []
    silent_s, begun_s = 0.0, 0.0
    for event in events:
        if event.event == "llm_call":
            calls.append(event)
        elif event.event == "user_audio_end":
            speech_ends.append(event.t_s)
        elif event.event == "agent_audio_start":
            begun_s = event.t_s
            chain = _chain(calls)
            if chain:
                # without a recorded end of speech the first call stands for it
                ends = [end for end in speech_ends if end <= chain[0].t_s] or [chain[0].t_s]
                exchanges.append(Exchange(0, max(0.0, ends[-1] - silent_s), _steps(chain)))
            calls, speech_ends = [], []
        elif event.event == "agent_audio_end" and exchanges:
            # before the first exchange the agent says its greeting, and the gap counts from the begin of the call
            exchanges[-1].playout_s = event.t_s - begun_s
            silent_s = event.t_s
    return exchanges


def _chain(calls: Sequence[Event]) -> Sequence[Event]:
    first = len(calls) - 1
    while first > 0 and calls[first - 1].tools:
        first -= 1
    return calls[max(first, 0) :]


def _steps(chain: Sequence[Event]) -> list[Step]:
    steps = []
    for index, call in enumerate(chain):
        after = chain[index + 1].t_s if index + 1 < len(chain) else call.t_s
        tool_s = max(0.0, after - call.t_s - call.latency_s)
        steps.append(Step(max(1, call.output_tokens_est), 0, tool_s, call.input_tokens_est))
    return steps


def read_eva_lengths(source: Source) -> Recorded:
    """Conversations by the lengths of what was said; times follow from speech rates (`voice.py`).

    Raises:
        InputError: a broken row, an unknown kind, no conversation with a reply.
    """
    conversations: dict[str, list[tuple[str, int]]] = {}
    for row in csv_rows(source, LENGTH_COLUMNS):
        kind = row.text("kind")
        if kind not in ("agent", "user", "tool_call", "tool_response"):
            raise row.error("kind", kind, "agent, user, tool_call or tool_response")
        conversations.setdefault(row.name("conversation"), []).append((kind, row.tokens("tokens")))
    builder = SessionBuilder(source.name)
    for events in conversations.values():
        _add_conversation(builder, events)
    if not builder.num_requests:
        raise InputError(source.name, "kind", "no reply to a user", "a conversation in which the agent answers")
    return Recorded(builder.build())


def _add_conversation(builder: SessionBuilder, events: Sequence[tuple[str, int]]) -> None:
    exchanges: list[Exchange] = []
    greeting = 0
    before = ""
    for kind, tokens in events:
        if kind == "user":
            exchanges.append(Exchange(tokens, PAUSE_S + tokens / CALLER_TOKENS_PER_S, is_spoken=False))
        elif not exchanges:
            greeting += tokens
        else:
            _add_event(exchanges[-1], kind, tokens, before)
        before = kind
    add_call(builder, exchanges, greeting)


def _add_event(exchange: Exchange, kind: str, tokens: int, before: str) -> None:
    """Calls one after the other without a result between them are one request, and so are replies."""
    steps = exchange.steps
    if kind == "tool_response":
        if steps:
            last = steps[-1]
            steps[-1] = Step(last.output, last.result + tokens, TOOL_S)
        return
    if kind == before and steps:
        steps[-1] = Step(steps[-1].output + tokens, steps[-1].result, steps[-1].tool_s)
    else:
        steps.append(Step(max(1, tokens)))
    if kind == "agent":
        exchange.is_spoken = True
        exchange.playout_s += tokens / AGENT_TOKENS_PER_S
