"""What a `response.create`, or the body of `POST /v1/responses`, asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from subsecond.agents.tokens import TokenCounter

from .base import ModelRequest, Tool
from .conversation import Conversation
from .prompt import Prompt
from .reading import Refused, flag, mapping, metadata, sequence, shown, text, whole
from .tools import chosen, function_of

__all__ = ["ResponsesRequest", "Settings", "parse_response"]

_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the gateway knows of a client before it says anything.

    Attributes:
        agent: "coding" or "voice": which parameters a reply's length comes from.
        model: for requests that name none.
        is_exact: the client is a benchmark: a limit on a reply is its length.
    """

    agent: str = "coding"
    model: str = ""
    is_exact: bool = False


@dataclass(frozen=True, slots=True)
class ResponsesRequest:
    """A request of the Responses protocol.

    Attributes:
        conversation: all that was said up to and with this request.
        generates: a reply is wanted; else the server is to get ready for the next request.
        is_stored: other connections may go on from it.
        echo: fields of the response that repeat the request.
    """

    request: ModelRequest
    conversation: Conversation
    generates: bool
    is_stored: bool
    echo: Mapping[str, Any]


def parse_response(
    body: Mapping[str, Any],
    ident: str,
    counter: TokenCounter,
    settings: Settings,
    known: Callable[[str], Conversation | None],
) -> ResponsesRequest:
    """The request that a body is.

    Args:
        ident: id of the response.
        known: finds the conversation up to an earlier response.

    Raises:
        Refused: with the field and its value.
    """
    if flag(body, "background"):
        raise Refused("background: got True, expected False: it is not served", "background", "unsupported_value")
    previous = body.get("previous_response_id")
    conversation = _conversation(previous, counter, known)
    conversation.root = conversation.root or ident
    generates = flag(body, "generate", True)
    prompt = _instructed(body, counter)
    conversation.add(_input(body))
    segments = (*prompt.segments, *conversation.prompt.segments)
    if generates and not segments:
        raise Refused("input: got nothing, expected a text or items", "input", "missing_required_parameter")
    tools = _tools(body)
    word, left = chosen(body.get("tool_choice"), tools)
    most = whole(body, "max_output_tokens")
    request = ModelRequest(
        ident=ident,
        agent=settings.agent,
        model=text(body, "model", settings.model or None),
        segments=segments,
        last_text=conversation.prompt.last_text,
        has_tool_result=conversation.prompt.has_tool_result,
        tools=left,
        tool_choice=word,
        most_tokens=most,
        is_exact=most is not None and (settings.is_exact or flag(body, "ignore_eos")),
        answer_schema=_schema(body),
        metadata=metadata(body),
        conversation=conversation.root,
        replies=conversation.prompt.replies,
        tool_steps=conversation.prompt.tool_steps,
    )
    is_stored = flag(body, "store", True)
    echo = _echo(body, tools, word) | {"store": is_stored, "model": request.model}
    return ResponsesRequest(request, conversation, generates, is_stored, echo)


def _conversation(previous: object, counter: TokenCounter, known: Callable[[str], Conversation | None]) -> Conversation:
    if previous is None:
        return Conversation(counter)
    found = known(previous) if isinstance(previous, str) else None
    if found is None:
        raise Refused(
            f"Previous response with id {shown(previous)} not found.",
            "previous_response_id",
            "previous_response_not_found",
        )
    return found.copy()


def _instructed(body: Mapping[str, Any], counter: TokenCounter) -> Prompt:
    prompt = Prompt(counter)
    if tools := sequence(body, "tools"):
        prompt.instructions(msgspec.json.encode(tools).decode(), "tools")
    instructions = body.get("instructions")
    if isinstance(instructions, list):
        prompt.instructions(msgspec.json.encode(instructions).decode())
    else:
        prompt.instructions(text(body, "instructions", ""))
    return prompt


def _input(body: Mapping[str, Any]) -> list[Any]:
    given = body.get("input")
    if given is None:
        return []
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    if not isinstance(given, list):
        raise Refused(f"input: got {shown(given)}, expected a text or a list of items", "input", "invalid_type")
    return given


def _tools(body: Mapping[str, Any]) -> list[Tool]:
    """Those that can be called; others (web search, name spaces, any type not known) only count as tokens."""
    tools = []
    for i, entry in enumerate(sequence(body, "tools")):
        if not isinstance(entry, dict):
            raise Refused(f"tools[{i}]: got {shown(entry)}, expected an object", f"tools[{i}]", "invalid_type")
        if entry.get("type") in ("function", "custom"):
            tools.append(function_of(entry, f"tools[{i}]", entry["type"]))
    return tools


def _schema(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    form = mapping(mapping(body, "text"), "format")
    if form.get("type") == "json_object":
        return {"type": "object"}
    return mapping(form, "schema") if form.get("type") == "json_schema" else None


def _echo(body: Mapping[str, Any], tools: list[Tool], word: str) -> dict[str, Any]:
    """What strict clients check is made anew from what was understood, not repeated as it came."""
    effort = mapping(body, "reasoning").get("effort")
    instructions = body.get("instructions")
    named = next((tool for tool in tools if tool.name == word), None)
    return {
        "background": False,
        "instructions": instructions if isinstance(instructions, str) else None,
        "max_output_tokens": whole(body, "max_output_tokens"),
        "parallel_tool_calls": flag(body, "parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": {"effort": effort if effort in _EFFORTS else None, "summary": None},
        "temperature": _number(body, "temperature", 2.0),
        "text": {"format": _format(body)},
        "tool_choice": word if named is None else {"type": named.kind, "name": named.name},
        "tools": [_tool(tool) for tool in tools],
        "top_p": _number(body, "top_p", 1.0),
        "truncation": "auto" if body.get("truncation") == "auto" else "disabled",
    }


def _tool(tool: Tool) -> dict[str, Any]:
    fields: dict[str, Any] = {"type": tool.kind, "name": tool.name, "description": tool.description}
    if tool.kind == "function":
        fields |= {"parameters": tool.parameters, "strict": False}
    return fields


def _format(body: Mapping[str, Any]) -> dict[str, Any]:
    form = mapping(mapping(body, "text"), "format")
    if form.get("type") == "json_schema":
        name = form.get("name")
        return {
            "type": "json_schema",
            "name": name if isinstance(name, str) else "answer",
            "schema": mapping(form, "schema"),
            "strict": form.get("strict") is True,
        }
    return {"type": "json_object" if form.get("type") == "json_object" else "text"}


def _number(body: Mapping[str, Any], key: str, high: float) -> float:
    value = body.get(key)
    if value is None:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= high:
        raise Refused(f"{key}: got {shown(value)}, expected a number from 0 to {high:g}", key)
    return value
