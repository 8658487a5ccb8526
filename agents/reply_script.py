"""Replies that a scenario writes down: the `[[replies]]` tables of its file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from subsecond.agents.wire.base import ModelRequest
from subsecond.engine.errors import InputError
from subsecond.engine.workload.distributions import Table, quantiles

from .parameters import probability_of

__all__ = ["CallTable", "ReplyTable", "read_replies"]

#: Most tokens of a scripted reply, and most letters of its text.
MOST_TOKENS = 1_000_000


class CallTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tool that a scripted reply calls. It is called as it stands: whoever writes it knows what it does."""

    tool: str
    #: None: arguments are made up, harmless ones.
    arguments: dict[str, Any] | None = None
    #: For a tool that takes text instead of arguments.
    input: str | None = None


class ReplyTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A scripted reply. The first table that fits a request is used; a table without conditions fits every one.

    Attributes:
        match: must occur in what the user or the tool said last, in capital or small letters.
        agents: "coding" or "voice"; None: both.
        order: the reply's number in its conversation, from 1; None: any.
        text: what it says; None: made up, as many tokens as `tokens` says.
        tokens: a number, or quantiles such as { p50 = 80, p99 = 900 }; None: as the agents' parameters have it.
        calls: tools that it calls. Those that the client does not offer are left out.
        reasoning_tokens: given before the text and not shown.
    """

    match: str = ""
    agents: str | None = None
    order: int | None = None
    text: str | None = None
    tokens: int | dict[str, float] | None = None
    calls: list[CallTable] = []
    reasoning_tokens: int = 0

    def fits(self, request: ModelRequest) -> bool:
        """Whether it is meant for this request."""
        return (
            self.agents in (None, request.agent)
            and self.order in (None, request.replies + 1)
            and self.match.casefold() in request.last_text.casefold()
        )

    def table(self) -> Table | None:
        """Distribution of its tokens."""
        if self.tokens is None:
            return None
        points = {"p50": float(self.tokens)} if isinstance(self.tokens, int) else self.tokens
        return quantiles(sorted((probability_of(label, "", ""), value) for label, value in points.items()))


def read_replies(tables: object, where: str) -> tuple[ReplyTable, ...]:
    """Check the `[[replies]]` tables of a scenario file.

    Args:
        tables: as TOML has them: a list of tables.
        where: the file, for messages.

    Raises:
        InputError: a key that does not exist, a wrong type, or a value out of range.
    """
    try:
        replies = msgspec.convert(tables, list[ReplyTable])
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        field = "replies" + place.strip("`").replace("[", ".").replace("]", "")
        raise InputError(where, field, message, "a table of " + ", ".join(ReplyTable.__struct_fields__)) from None
    for i, reply in enumerate(replies):
        _check(reply, where, f"replies.{i}")
    return tuple(replies)


def _check(reply: ReplyTable, where: str, field: str) -> None:
    if reply.agents not in (None, "coding", "voice"):
        raise InputError(where, f"{field}.agents", reply.agents, "coding or voice")
    if reply.order is not None and not 1 <= reply.order <= MOST_TOKENS:
        raise InputError(where, f"{field}.order", reply.order, "a whole number from 1")
    if not 0 <= reply.reasoning_tokens <= MOST_TOKENS:
        raise InputError(
            where, f"{field}.reasoning_tokens", reply.reasoning_tokens, f"a whole number from 0 to {MOST_TOKENS}"
        )
    if reply.text is not None and (reply.tokens is not None or not 0 < len(reply.text) <= MOST_TOKENS):
        expected = f"1 to {MOST_TOKENS} letters, and no tokens beside it"
        raise InputError(where, f"{field}.text", reply.text, expected)
    _check_tokens(reply, where, f"{field}.tokens")
    for i, call in enumerate(reply.calls):
        if not call.tool or (call.arguments is not None and call.input is not None):
            raise InputError(
                where, f"{field}.calls.{i}", call.tool, "the name of a tool, with either arguments or input"
            )


def _check_tokens(reply: ReplyTable, where: str, field: str) -> None:
    points: Mapping[str, float] = (
        reply.tokens if isinstance(reply.tokens, dict) else {"p50": 1 if reply.tokens is None else reply.tokens}
    )
    if not points:
        raise InputError(where, field, points, "quantiles such as { p50 = 80, p99 = 900 }")
    curve = sorted((probability_of(label, where, field), label, value) for label, value in points.items())
    before = (-1.0, 1.0)
    for probability, label, value in curve:
        if probability == before[0] or not before[1] <= value <= MOST_TOKENS:
            expected = f"quantiles that ascend, each once, from 1 to {MOST_TOKENS} tokens"
            raise InputError(where, f"{field}.{label}", value, expected)
        before = (probability, value)
