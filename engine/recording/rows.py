"""Messages as rows of a recording's tables, and back."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from subsecond.engine.commands import SetKnob
from subsecond.engine.feed import (
    Annotation,
    Clock,
    FaultNote,
    Gauges,
    Hello,
    Load,
    Message,
    Notice,
    OpenTurn,
    OutsideAgent,
    ServerGauge,
    TurnEnd,
)
from subsecond.engine.script import OutsideRequest, SessionNote

from .content import Content
from .schema import FIXED_COLUMNS, met_columns, stage_columns, turn_columns

__all__ = [
    "READERS",
    "TABLES",
    "Row",
    "columns_there",
    "inserts",
    "read_content",
    "read_knob",
    "read_note",
    "read_request",
    "row_of",
    "turn_of",
    "turn_row",
]

Row = tuple[Any, ...]

#: zlib's level: higher ones take twice the time for a tenth less.
_QUICK = 1

_json = msgspec.json.Encoder()
_servers = msgspec.json.Decoder(tuple[ServerGauge, ...])
_oldest = msgspec.json.Decoder(tuple[OpenTurn, ...])
_words = msgspec.json.Decoder(tuple[str, ...])
_counts = msgspec.json.Decoder(tuple[int, ...])
_rates = msgspec.json.Decoder(tuple[float, ...])
_stages = msgspec.json.Decoder(dict[str, int])
_GAP, _CANCELLED = (OutsideRequest.__struct_fields__.index(name) for name in ("gap_ps", "cancelled_ps"))
_value = msgspec.json.Decoder(float | str | bool)
_LANE, _IS_CONNECTED, _SESSIONS = (
    OutsideAgent.__struct_fields__.index(name) for name in ("lane", "is_connected", "sessions")
)

#: Table -> its columns in the order of `row_of`, without those of `turns`, which depend on the run.
TABLES = {
    "gauges": "seq, at_ps, lane, open_turns, flows, servers, oldest, faults",
    "clocks": "seq, at_ps, wall_s, speed, paused, late_p50_ms, late_p99_ms",
    "loads": "seq, at_ps, sessions, wanted, arrivals_per_s",
    "faults": "seq, at_ps, lane, kind, target, value, until_ps, drill",
    "knobs": "seq, at_ps, lane, key, value",
    "notices": "seq, at_ps, level, text, dropped",
    "annotations": "seq, at_ps, text",
    "population": "seq, at_ps, lane, session, is_retired",
    "requests": "seq, at_ps, lane, slot, session, turn, turn_index, agent, gap_ps, cancelled_ps, prompt_tokens, "
    "reuse_tokens, output_tokens, milestone_tokens, prefix_group, group_tokens, prefix, ends_turn, before_ps, after_ps",
    "contents": "seq, at_ps, lane, turn, role, text",
    "outside_agents": "seq, at_ps, agent, name, protocol, address, kind, lane, is_connected, since_ps, sessions, "
    "turns, missed, open_requests, stage, bytes_in, bytes_out, errors, last_error, lag_ms",
}


def columns_there(connection: sqlite3.Connection, table: str) -> str:
    """The columns of a table for a SELECT, in the order of `row_of`; NULL for those that an older file lacks.

    "" if it lacks the table.
    """
    there = {name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")}
    if not there:
        return ""
    return ", ".join(name if name in there else f"NULL AS {name}" for name in TABLES[table].split(", "))


def inserts(hello: Hello) -> dict[str, str]:
    """Table -> statement that inserts a row."""
    tables = {"turns": turn_columns(hello), **TABLES}
    widths = {name: columns.count(", ") + 1 for name, columns in TABLES.items()}
    widths["turns"] = len(FIXED_COLUMNS) + len(stage_columns(hello)) + len(met_columns(hello))
    return {
        name: f"INSERT INTO {name} ({columns}) VALUES ({', '.join('?' * widths[name])})"
        for name, columns in tables.items()
    }


def turn_row(seq: int, t: TurnEnd) -> Row:
    """Row of `turns`. What does not exist is NULL, so that SQL leaves it out of means."""
    return (
        seq,
        t.lane,
        t.turn,
        t.session,
        t.index,
        t.agent,
        t.state,
        t.start_ps,
        t.start_ps + t.latency_ps,
        t.latency_ps,
        None if t.ttft_ps < 0 else t.ttft_ps,
        t.tpot_ps,
        t.requests,
        t.prompt_tokens,
        t.hit_tokens,
        t.output_tokens,
        t.attempts,
        *t.stages_ps,
        *[None if met < 0 else met for met in t.met],
    )


def turn_of(row: Sequence[Any], num_stages: int) -> TurnEnd:
    """The message of a row of `turns`."""
    stages_end = len(FIXED_COLUMNS) + num_stages
    _, lane, turn, session, index, agent, state, start, _, latency, ttft, tpot, *counts = row[: len(FIXED_COLUMNS)]
    requests, prompt_tokens, hit_tokens, output_tokens, attempts = counts
    return TurnEnd(
        lane,
        turn,
        session,
        index,
        agent,
        state,
        start,
        latency,
        -1 if ttft is None else ttft,
        tpot,
        tuple(row[len(FIXED_COLUMNS) : stages_end]),
        tuple([-1 if met is None else met for met in row[stages_end:]]),
        requests,
        prompt_tokens,
        hit_tokens,
        output_tokens,
        attempts,
    )


def row_of(
    seq: int, m: Message | SetKnob | SessionNote | OutsideRequest | Content, now_ps: int
) -> tuple[str, Row] | None:
    """Table and row of a message that is no turn; None for what a recording does not hold row by row.

    Args:
        now_ps: for what has no time of its own.
    """
    if isinstance(m, Gauges):
        servers, faults = (_json.encode(part).decode() for part in (m.servers, m.faults))
        oldest = zlib.compress(_json.encode(m.oldest), _QUICK)
        return "gauges", (seq, m.at_ps, m.lane, m.open_turns, m.flows, servers, oldest, faults)
    if isinstance(m, Clock):
        return "clocks", (seq, m.at_ps, m.wall_s, m.speed, int(m.paused), m.late_p50_ms, m.late_p99_ms)
    if isinstance(m, Load):
        columns = (m.sessions, m.wanted, m.arrivals_per_s)
        return "loads", (seq, m.at_ps, *(_json.encode(column).decode() for column in columns))
    if isinstance(m, FaultNote):
        return "faults", (seq, m.at_ps, m.lane, m.kind, m.target, m.value, m.until_ps, m.drill or None)
    if isinstance(m, SetKnob):
        return "knobs", (seq, now_ps, m.lane, m.key, _json.encode(m.value).decode())
    if isinstance(m, Notice):
        return "notices", (seq, now_ps if m.at_ps is None else m.at_ps, m.level, m.text, m.dropped)
    if isinstance(m, Content):
        return "contents", (seq, *msgspec.structs.astuple(m))
    if isinstance(m, Annotation):
        return "annotations", (seq, m.at_ps, m.text)
    if isinstance(m, OutsideAgent):
        return "outside_agents", _agent_row(seq, m, now_ps)
    if isinstance(m, SessionNote):
        return "population", (seq, m.at_ps, m.lane, m.session, int(m.is_retired))
    if isinstance(m, OutsideRequest):
        return "requests", _request_row(seq, m)
    return None


def _agent_row(seq: int, m: OutsideAgent, now_ps: int) -> Row:
    values = list(msgspec.structs.astuple(m))
    values[_SESSIONS] = _json.encode(m.sessions).decode()
    values[_LANE] = None if m.lane < 0 else m.lane
    return (seq, now_ps, *values)


def _request_row(seq: int, m: OutsideRequest) -> Row:
    values = list(msgspec.structs.astuple(m))
    for place in (_GAP, _CANCELLED):
        values[place] = None if values[place] < 0 else values[place]
    values[-3:] = int(m.ends_turn), *(_json.encode(stages).decode() for stages in (m.before_ps, m.after_ps))
    return (seq, *values)


def read_note(row: Row) -> SessionNote:
    """The note of a row of `population`."""
    return SessionNote(row[1], row[2], row[3], bool(row[4]))


def read_request(row: Row) -> OutsideRequest:
    """The request of a row of `requests`."""
    values = list(row[1:])
    for place in (_GAP, _CANCELLED):
        values[place] = -1 if values[place] is None else values[place]
    values[-3:] = bool(values[-3]), *(_stages.decode(stages) for stages in values[-2:])
    return OutsideRequest(*values)


def _agent(row: Row) -> OutsideAgent:
    values = list(row[2:])
    values[_SESSIONS] = _counts.decode(values[_SESSIONS])
    values[_LANE] = -1 if values[_LANE] is None else values[_LANE]
    values[_IS_CONNECTED] = bool(values[_IS_CONNECTED])
    return OutsideAgent(*values)


def _gauges(row: Row) -> Gauges:
    oldest = _oldest.decode(zlib.decompress(row[6]))
    return Gauges(row[1], row[2], row[3], oldest, _servers.decode(row[5]), row[4], _words.decode(row[7]))


def _clock(row: Row) -> Clock:
    return Clock(row[1], row[2], row[3], bool(row[4]), row[5], row[6])


def _load(row: Row) -> Load:
    return Load(row[1], _counts.decode(row[2]), _counts.decode(row[3]), _rates.decode(row[4] or "[]"))


def _fault(row: Row) -> FaultNote:
    return FaultNote(row[1], row[2], row[3], row[4], row[5], row[6], row[7] or "")


def _notice(row: Row) -> Notice:
    return Notice(row[2], row[3], row[4], row[1])


def _annotation(row: Row) -> Annotation:
    return Annotation(row[1], row[2])


def read_knob(row: Row) -> SetKnob:
    """The command of a row of `knobs`."""
    return SetKnob(row[2], row[3], _value.decode(row[4]))


def read_content(row: Row) -> Content:
    """The text of a row of `contents`."""
    return Content(*row[1:])


#: Table -> message of a row, for the tables whose rows are messages of the feed.
READERS: dict[str, Callable[[Row], Message]] = {
    "gauges": _gauges,
    "clocks": _clock,
    "loads": _load,
    "faults": _fault,
    "notices": _notice,
    "annotations": _annotation,
    "outside_agents": _agent,
}
