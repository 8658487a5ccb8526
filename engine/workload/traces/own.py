"""Subsecond's own trace format: JSON lines, one request each. `docs/traces.md` has the schema and an example."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from subsecond.engine.core.results import STAGES
from subsecond.engine.errors import InputError

from .builder import SessionBuilder, common_prefix
from .jsonlines import MAX_TOKENS, Output, Prompt, Size, json_rows
from .parsed import Recorded
from .sessions import Sessions
from .source import Source

__all__ = ["read_own"]

Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Name = Annotated[str, msgspec.Meta(min_length=1)]
Stages = dict[Name, Seconds]

DEFAULT_KIND = "request"
#: Results know these by name: stages of the pipeline and between requests, and all kinds together.
RESERVED_STAGES = frozenset((*STAGES, "tools"))
RESERVED_KIND = "all"
#: Most agent kinds and most stages of one file; each is a table of its own, or a column of every turn.
MAX_KINDS = MAX_STAGES = 64
MAX_NAME = 40
#: Fields that describe the session and stand in its first line.
SESSION_FIELDS = ("kind", "start_s", "parent", "shared_prefix", "shared_prefix_tokens")


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """One request."""

    session: Name
    prompt_tokens: Prompt
    output_tokens: Output
    kind: Name | None = None
    start_s: Seconds | None = None
    parent: Name | None = None
    shared_prefix: Name | None = None
    shared_prefix_tokens: Annotated[int, msgspec.Meta(ge=1, le=MAX_TOKENS)] | None = None
    gap_s: Seconds = 0.0
    reuse_tokens: Size | None = None
    hash_ids: list[int] | None = None
    block_tokens: Annotated[int, msgspec.Meta(ge=1, le=MAX_TOKENS)] = 64
    milestone_tokens: Annotated[int, msgspec.Meta(ge=1, le=MAX_TOKENS)] | None = None
    hold_s: Seconds = 0.0
    barge_in: bool = False
    same_turn: bool = False
    before_s: Stages = {}
    after_s: Stages = {}


def read_own(source: Source) -> Recorded:
    """Sessions of an own trace.

    Raises:
        InputError: a broken line or one that contradicts others.
    """
    sessions: dict[str, list[Line]] = {}
    # requests of the parent that came before the child's first line
    spawned: dict[str, int] = {}
    prefixes: dict[str, int] = {}
    numbers: dict[str, list[int]] = {}
    clocked: bool | None = None
    names = _Names()
    for number, line in json_rows(source, msgspec.json.Decoder(Line)):
        where = source.at(number)
        lines = sessions.setdefault(line.session, [])
        if lines:
            _check_later(where, line)
        elif line.parent is not None:
            if line.parent not in sessions or line.parent == line.session:
                raise InputError(where, "parent", line.parent, "a session with a request above this line")
            if line.start_s is not None:
                raise InputError(where, "start_s", line.start_s, "nothing: a child follows its parent")
            spawned[line.session] = len(sessions[line.parent]) - 1
        else:
            has_clock = line.start_s is not None
            if clocked is not None and clocked != has_clock:
                raise InputError(where, "start_s", line.start_s, "a start in all sessions without a parent, or in none")
            clocked = has_clock
        _check_line(where, line, prefixes)
        names.check(where, line)
        lines.append(line)
        numbers.setdefault(line.session, []).append(number)
    for name, lines in sessions.items():
        _check_turns(source, numbers[name], lines)
    return Recorded(_built(source, sessions, spawned))


class _Names:
    """Names of agent kinds and stages in a file: what they may be, and that there are not too many."""

    def __init__(self) -> None:
        self.kinds: set[str] = set()
        self.stages: dict[str, str] = {}

    def check(self, where: str, line: Line) -> None:
        if line.kind is not None and line.kind not in self.kinds:
            if line.kind == RESERVED_KIND or not _is_name(line.kind):
                expected = f"up to {MAX_NAME} printable characters, but not {RESERVED_KIND!r}"
                raise InputError(where, "kind", line.kind, expected)
            self.kinds.add(line.kind)
            if len(self.kinds) > MAX_KINDS:
                raise InputError(where, "kind", line.kind, f"at most {MAX_KINDS} kinds of agents")
        for field, stages in (("before_s", line.before_s), ("after_s", line.after_s)):
            for stage in stages:
                if self.stages.get(stage) != field:
                    self._add(where, field, stage)

    def _add(self, where: str, field: str, stage: str) -> None:
        if stage in RESERVED_STAGES or not _is_name(stage):
            taken = ", ".join(sorted(RESERVED_STAGES))
            raise InputError(where, field, stage, f"up to {MAX_NAME} printable characters, none of {taken}")
        if stage in self.stages:
            raise InputError(where, field, stage, f"another name: it is a stage of {self.stages[stage]} above")
        self.stages[stage] = field
        if len(self.stages) > MAX_STAGES:
            raise InputError(where, field, stage, f"at most {MAX_STAGES} stages")


def _is_name(name: str) -> bool:
    return len(name) <= MAX_NAME and name.isprintable()


def _check_later(where: str, line: Line) -> None:
    """Fields of a session stand in its first line."""
    for field in SESSION_FIELDS:
        value = getattr(line, field)
        if value is not None:
            raise InputError(where, field, value, "nothing: it belongs into the session's first line")


def _check_line(where: str, line: Line, prefixes: dict[str, int]) -> None:
    if line.reuse_tokens is not None:
        if line.hash_ids is not None:
            raise InputError(where, "reuse_tokens", line.reuse_tokens, "either reuse_tokens or hash_ids")
        if line.reuse_tokens >= line.prompt_tokens:
            raise InputError(
                where, "reuse_tokens", line.reuse_tokens, f"less than prompt_tokens = {line.prompt_tokens}"
            )
    if line.milestone_tokens is not None and line.milestone_tokens > line.output_tokens:
        expected = f"at most output_tokens = {line.output_tokens}"
        raise InputError(where, "milestone_tokens", line.milestone_tokens, expected)
    if line.hash_ids is not None and (len(line.hash_ids) - 1) * line.block_tokens >= line.prompt_tokens:
        found = f"{len(line.hash_ids)} blocks of {line.block_tokens} for {line.prompt_tokens} tokens"
        raise InputError(where, "hash_ids", found, "at most one block per block_tokens of the prompt")
    if line.same_turn and (line.before_s or line.after_s):
        raise InputError(where, "same_turn", True, "the turn's stages in the line that begins it")
    if (line.shared_prefix is None) != (line.shared_prefix_tokens is None):
        raise InputError(where, "shared_prefix", line.shared_prefix, "shared_prefix and shared_prefix_tokens together")
    if line.shared_prefix is not None and line.shared_prefix_tokens is not None:
        known = prefixes.setdefault(line.shared_prefix, line.shared_prefix_tokens)
        if known != line.shared_prefix_tokens:
            raise InputError(where, "shared_prefix_tokens", line.shared_prefix_tokens, f"{known}, as above")


def _check_turns(source: Source, numbers: Sequence[int], lines: Sequence[Line]) -> None:
    """That a turn's stages after its milestone lie within the time that its last request holds."""
    after_s = 0.0
    for index, line in enumerate(lines):
        if not (line.same_turn and index):
            after_s = sum(line.after_s.values())
        is_last = index + 1 == len(lines) or not lines[index + 1].same_turn
        if is_last and after_s > line.hold_s:
            expected = f"at least the turn's after_s, {after_s:g}"
            raise InputError(source.at(numbers[index]), "hold_s", line.hold_s, expected)


def _built(source: Source, sessions: dict[str, list[Line]], spawned: dict[str, int]) -> Sessions:
    """Sessions in the order of their first lines, so that parents come before their children."""
    builder = SessionBuilder(source.name)
    first_request: dict[str, int] = {}
    for name, lines in sessions.items():
        head = lines[0]
        first_request[name] = builder.num_requests
        builder.session(
            head.kind or DEFAULT_KIND,
            start_s=head.start_s,
            parent=-1 if head.parent is None else first_request[head.parent] + spawned[name],
            group=(head.shared_prefix,),
            shared=head.shared_prefix_tokens or 0,
        )
        known: list[int] = []
        for line in lines:
            reuse = line.reuse_tokens or 0
            if line.hash_ids is not None:
                reuse = common_prefix(known, line.hash_ids) * line.block_tokens
                known = line.hash_ids
            builder.request(
                line.prompt_tokens,
                line.output_tokens,
                reuse=reuse,
                gap_s=line.gap_s,
                milestone=line.milestone_tokens,
                hold_s=line.hold_s,
                is_barge_in=line.barge_in,
                same_turn=line.same_turn,
                before_s=line.before_s,
                after_s=line.after_s,
            )
    return builder.build()
