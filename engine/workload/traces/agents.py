"""Recorded runs of text agents: OpenHands, TraceLab rounds, tau-bench conversations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from subsecond.engine.errors import InputError

from .builder import SessionBuilder
from .csvtable import Row, csv_rows
from .jsonlines import Size, json_rows
from .parsed import Recorded
from .source import Source

__all__ = ["OPENHANDS_COLUMNS", "TAUBENCH_COLUMNS", "read_openhands", "read_taubench", "read_tracelab"]

OPENHANDS_COLUMNS = ("session", "t_action_s", "input_tokens", "output_tokens", "llm_latency_s")
TAUBENCH_COLUMNS = ("session", "role", "context_tokens_before", "content_tokens", "tool_call_tokens")

#: Time that a customer takes to read a reply and to write the next message. Assumption: the trace has no times, and no
#: published figure for support chats was found.
CUSTOMER_S = 15.0
#: Run time of a tool of a support agent. Assumption, as for voice agents (`agents/data/voice.toml`).
TOOL_S = 0.5


def read_openhands(source: Source) -> Recorded:
    """Sessions of OpenHands: one row per action, with the model call that asked for it.

    A call is sent its latency before the action; the gap before it is what is left since the action before (its tool
    and the agent's own time). The history only grows, so that a prompt shares the one before unless it is shorter.

    Raises:
        InputError: a broken row, times that go back.
    """
    sessions: dict[str, list[Row]] = {}
    for row in csv_rows(source, OPENHANDS_COLUMNS):
        rows = sessions.setdefault(row.name("session"), [])
        if rows and row.seconds("t_action_s") < rows[-1].seconds("t_action_s"):
            before = rows[-1].text("t_action_s")
            raise row.error("t_action_s", row.text("t_action_s"), f"times that never go back ({before} before)")
        rows.append(row)
    builder = SessionBuilder(source.name)
    for rows in sessions.values():
        builder.session("coding")
        held, before_s = 0, None
        for row in rows:
            prompt, output = row.tokens("input_tokens", 1), row.tokens("output_tokens", 1)
            end_s = row.seconds("t_action_s")
            start_s = end_s - row.seconds("llm_latency_s", 0.0)
            gap_s = 0.0 if before_s is None else max(0.0, start_s - before_s)
            builder.request(prompt, output, reuse=held if held <= prompt else 0, gap_s=gap_s)
            held, before_s = prompt, end_s
    return Recorded(builder.build())


class TimingEvent(msgspec.Struct):
    """Something that happened in a round."""

    event_type: str
    timestamp: str


class Round(msgspec.Struct):
    """One model call of TraceLab; other fields are passed over."""

    session_id: str
    round_index: int
    prefix_tokens: Size
    newly_append_tokens: Size
    output_tokens: Size
    timing_events: list[TimingEvent]
    provider: str = ""
    model: str | None = None


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INPUT_EVENTS = ("user_message", "tool_result")
OUTPUT_EVENTS = ("reasoning", "text", "tool_call")


@dataclass(frozen=True, slots=True)
class _TimedRound:
    round: Round
    prompt: int
    start_us: int
    end_us: int


def read_tracelab(source: Source) -> Recorded:
    """Sessions of TraceLab.

    A round is sent when its last input is there and ends with its last output. What its provider found cached is what
    it reuses; what the first round found was left by other sessions and counts as a prefix they share. The sessions
    were collected over months, so that their starts are drawn like those of traces without a clock.

    Raises:
        InputError: a broken line or time, a round without events, times that go back, an empty prompt.
    """
    sessions: dict[str, list[_TimedRound]] = {}
    for number, row in json_rows(source, msgspec.json.Decoder(Round)):
        rounds = sessions.setdefault(row.session_id, [])
        timed = _timed(source.at(number), row)
        if rounds and timed.start_us < rounds[-1].start_us:
            raise InputError(
                source.at(number), "timing_events", row.timing_events[0].timestamp, "times that never go back"
            )
        rounds.append(timed)
    builder = SessionBuilder(source.name)
    for rounds in sessions.values():
        first = rounds[0]
        shared = min(first.round.prefix_tokens, first.prompt - 1)
        group = (first.round.provider, first.round.model)
        builder.session("coding", group=group, shared=shared)
        before_us = first.start_us
        for index, timed in enumerate(rounds):
            builder.request(
                timed.prompt,
                max(1, timed.round.output_tokens),
                reuse=timed.round.prefix_tokens if index else 0,
                gap_s=max(0, timed.start_us - before_us) / 1e6,
            )
            before_us = timed.end_us
    return Recorded(builder.build())


def _timed(where: str, row: Round) -> _TimedRound:
    try:
        times = [(event.event_type, _microseconds(event.timestamp)) for event in row.timing_events]
    except ValueError:
        stamps = ", ".join(event.timestamp for event in row.timing_events)
        raise InputError(where, "timing_events", stamps, "times like 2026-06-01T05:40:20.151Z") from None
    if not times:
        raise InputError(where, "timing_events", "no event", "at least one event with a time")
    inputs = [time for kind, time in times if kind in INPUT_EVENTS] or [times[0][1]]
    outputs = [time for kind, time in times if kind in OUTPUT_EVENTS] or [times[-1][1]]
    prompt = row.prefix_tokens + row.newly_append_tokens
    if not prompt:
        raise InputError(where, "newly_append_tokens", 0, "a prompt of at least 1 token with prefix_tokens")
    return _TimedRound(row, prompt, max(inputs), max(outputs))


def _microseconds(stamp: str) -> int:
    """Microseconds since 1970; a time without a zone is UTC."""
    time = datetime.fromisoformat(stamp)
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - EPOCH) // timedelta(microseconds=1)


def read_taubench(source: Source) -> Recorded:
    """Support chats of tau-bench by token counts: every message of the assistant is a request.

    A turn is all requests from a message of the user to the next. The trace has no times (`CUSTOMER_S`, `TOOL_S`).

    Raises:
        InputError: a broken row, an unknown role, no message of an assistant.
    """
    sessions: dict[str, list[Row]] = {}
    for row in csv_rows(source, TAUBENCH_COLUMNS):
        if row.text("role") not in ("system", "user", "assistant", "tool"):
            raise row.error("role", row.text("role"), "system, user, assistant or tool")
        sessions.setdefault(row.name("session"), []).append(row)
    builder = SessionBuilder(source.name)
    for rows in sessions.values():
        _add_chat(builder, rows)
    if not builder.num_requests:
        raise InputError(source.name, "role", "no message of an assistant", "a conversation with replies")
    return Recorded(builder.build())


def _add_chat(builder: SessionBuilder, rows: Sequence[Row]) -> None:
    system = rows[0].tokens("content_tokens") if rows[0].text("role") == "system" else 0
    builder.session("chat", group=("system",), shared=system)
    held, before, is_first = 0, "", True
    for row in rows:
        role = row.text("role")
        if role == "assistant":
            prompt = row.tokens("context_tokens_before", 1)
            output = row.tokens("content_tokens") + row.tokens("tool_call_tokens")
            if output < 1:
                raise row.error("content_tokens", 0, "at least 1 token of content or tool call")
            answers_user = before in ("user", "system", "")
            gap_s = 0.0 if is_first else CUSTOMER_S if answers_user else TOOL_S
            builder.request(prompt, output, reuse=min(held, prompt), gap_s=gap_s, same_turn=not answers_user)
            held, is_first = prompt + output, False
        before = role
