"""WEKA traces of Claude Code sessions (callanjfox/kv-cache-tester): the raw JSON files and the table made of them.

A session is a closed loop: each call is sent the recorded client time after the reply before it. A sub-agent is a child
session of the call that spawned it, and the main agent waits for it. Neither form has a clock common to sessions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from subsecond.engine.errors import InputError

from .builder import SessionBuilder, common_prefix
from .csvtable import Row, csv_rows
from .jsonlines import Prompt, Size, decode_document
from .parsed import Recorded
from .source import Source

__all__ = ["TABLE_COLUMNS", "read_weka_json", "read_weka_table"]

KIND = "coding"
MAIN = "main"

Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]


@dataclass(frozen=True, slots=True)
class Call:
    """One model call. `gap_s`: client time since the end of the call before; None: not recorded."""

    start_s: float
    api_s: float
    prompt: int
    output: int
    reuse: int
    gap_s: float | None

    @property
    def end_s(self) -> float:
        return self.start_s + self.api_s


@dataclass(slots=True)
class Agent:
    """One agent's calls. `group` and `shared`: what identifies its tool prompt, and its tokens."""

    calls: list[Call]
    group: tuple[object, ...]
    shared: int


def add_session(builder: SessionBuilder, agents: Sequence[Agent]) -> None:
    """Add the main agent (first) and its sub-agents.

    A sub-agent belongs to the last main call that began before it. The recorded gap before the next main call
    contains the sub-agents' run; what stays is the time since the last of them ended.
    """
    main, subs = agents[0], agents[1:]
    spawner = [_spawner(main.calls, sub.calls[0].start_s) for sub in subs]
    busy_until: dict[int, float] = {}
    for sub, index in zip(subs, spawner, strict=True):
        busy_until[index] = max(busy_until.get(index, 0.0), sub.calls[-1].end_s)
    first = builder.num_requests
    builder.session(KIND, group=main.group, shared=main.shared)
    for index, call in enumerate(main.calls):
        gap = _gap(main.calls, index)
        if index - 1 in busy_until:
            gap = max(0.0, call.start_s - max(main.calls[index - 1].end_s, busy_until[index - 1]))
        builder.request(call.prompt, call.output, reuse=call.reuse, gap_s=gap)
    for sub, index in zip(subs, spawner, strict=True):
        builder.session(KIND, parent=first + index, group=sub.group, shared=sub.shared)
        for number, call in enumerate(sub.calls):
            gap = _gap(sub.calls, number) if number else max(0.0, call.start_s - main.calls[index].end_s)
            builder.request(call.prompt, call.output, reuse=call.reuse, gap_s=gap)


def _spawner(calls: Sequence[Call], start_s: float) -> int:
    before = [index for index, call in enumerate(calls) if call.start_s <= start_s]
    return before[-1] if before else 0


def _gap(calls: Sequence[Call], index: int) -> float:
    gap = calls[index].gap_s
    if gap is not None or not index:
        return gap or 0.0
    return max(0.0, calls[index].start_s - calls[index - 1].end_s)


# The table.

TABLE_COLUMNS = (
    "session", "agent", "t_s", "model", "input_tokens", "output_tokens", "cached_prev_tokens", "api_time_s",
    "gap_before_s", "tool_prefix_tokens",
)  # fmt: skip


def read_weka_table(source: Source) -> Recorded:
    """Sessions of the table `agentic_weka_claude_code.csv`.

    Raises:
        InputError: a broken row, times that go back within an agent, a cached prefix longer than the input.
    """
    sessions: dict[str, dict[str, Agent]] = {}
    for row in csv_rows(source, TABLE_COLUMNS):
        agents = sessions.setdefault(row.name("session"), {})
        name = row.name("agent")
        agent = agents.get(name)
        if agent is None:
            shared = row.tokens("tool_prefix_tokens")
            agent = agents[name] = Agent([], (row.text("model"),), shared)
        agent.calls.append(_table_call(row, agent.calls))
    builder = SessionBuilder(source.name)
    for agents in sessions.values():
        ordered = sorted(agents.items(), key=lambda item: item[0] != MAIN)
        add_session(builder, [agent for _, agent in ordered])
    return Recorded(builder.build())


def _table_call(row: Row, before: Sequence[Call]) -> Call:
    start, prompt, reuse = row.seconds("t_s"), row.tokens("input_tokens", 1), row.tokens("cached_prev_tokens")
    if before and start < before[-1].start_s:
        raise row.error("t_s", row.text("t_s"), f"times that never go back ({before[-1].start_s:g} before)")
    if reuse > prompt:
        raise row.error("cached_prev_tokens", row.text("cached_prev_tokens"), f"at most input_tokens = {prompt}")
    gap = row.seconds("gap_before_s", -1.0)
    # interrupted calls are recorded with no output; the core makes at least one token
    output = max(1, row.tokens("output_tokens"))
    return Call(start, row.seconds("api_time_s", 0.0), prompt, output, reuse, None if gap < 0 else gap)


# Raw files.


class RawCall(msgspec.Struct, tag_field="type", tag="n", rename={"prompt": "in", "output": "out"}):
    """One call; other fields are passed over."""

    t: Seconds
    prompt: Prompt
    output: Size
    hash_ids: list[int]
    model: str = ""
    api_time: Seconds | None = None
    think_time: Seconds | None = None


class RawStreamed(RawCall, tag="s"):
    """A call that was streamed."""


class RawSubagent(msgspec.Struct, tag_field="type", tag="subagent"):
    """A run of a sub-agent; `t` is its end, the times of its calls count from its begin."""

    t: Seconds
    requests: list[RawCall | RawStreamed]
    duration_ms: Annotated[float, msgspec.Meta(ge=0, le=1e12)] = 0.0
    tool_tokens: Size = 0


class RawSession(msgspec.Struct):
    """A raw file."""

    requests: list[RawCall | RawStreamed | RawSubagent]
    block_size: Annotated[int, msgspec.Meta(ge=1, le=1 << 20)] = 64
    tool_tokens: Size = 0


def read_weka_json(sources: Iterable[Source]) -> Recorded:
    """Sessions of raw files, one each.

    Raises:
        InputError: a broken document, times that go back, a file without calls.
    """
    decoder = msgspec.json.Decoder(RawSession)
    builder: SessionBuilder | None = None
    for source in sources:
        builder = builder or SessionBuilder(source.name)
        session = decode_document(source, source.document(), decoder)
        add_session(builder, _raw_agents(source, session))
    assert builder is not None
    return Recorded(builder.build())


def _raw_agents(source: Source, session: RawSession) -> list[Agent]:
    block = session.block_size
    main_calls = [entry for entry in session.requests if isinstance(entry, RawCall)]
    if not main_calls:
        raise InputError(source.name, "requests", "no call", "at least one call of the main agent")
    agents = [_raw_agent(source, "requests", main_calls, 0.0, block, session.tool_tokens)]
    for entry in session.requests:
        if isinstance(entry, RawSubagent) and entry.requests:
            begin = max(0.0, entry.t - entry.duration_ms / 1000)
            agents.append(_raw_agent(source, "subagent", entry.requests, begin, block, entry.tool_tokens))
    return agents


def _raw_agent(
    source: Source, field: str, raw: Sequence[RawCall], begin_s: float, block: int, tool_tokens: int
) -> Agent:
    calls: list[Call] = []
    known: list[int] = []
    for index, call in enumerate(raw):
        start = begin_s + call.t
        if calls and start < calls[-1].start_s:
            where = f"{field}, call {index}, t"
            raise InputError(
                source.name, where, f"{call.t:g}", f"times that never go back ({raw[index - 1].t:g} before)"
            )
        if len(call.hash_ids) > call.prompt // block + 1:
            found = f"{len(call.hash_ids)} blocks for {call.prompt} tokens"
            raise InputError(source.name, f"{field}, call {index}, hash_ids", found, f"one per {block} tokens of `in`")
        reuse = common_prefix(known, call.hash_ids) * block
        known = call.hash_ids
        calls.append(Call(start, call.api_time or 0.0, call.prompt, max(1, call.output), reuse, call.think_time))
    return Agent(calls, (raw[0].model,), tool_tokens)
