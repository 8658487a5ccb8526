"""What the body of `POST /v1/chat/completions` asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from subsecond.agents.tokens import TokenCounter

from .base import ModelRequest, Tool
from .prompt import Prompt, content_of
from .reading import MOST_TOKENS, Refused, flag, mapping, metadata, sequence, shown, text, whole
from .tools import chosen, function_of

__all__ = ["ChatRequest", "parse_chat"]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A chat request.

    Attributes:
        is_streamed: chunks are wanted.
        has_usage: a chunk with usage follows the last one.
        has_running_usage: every chunk has one (vLLM's `continuous_usage_stats`).
        is_legacy: tools came as `functions`; calls go back as `function_call`.
    """

    request: ModelRequest
    is_streamed: bool
    has_usage: bool
    has_running_usage: bool
    is_legacy: bool


def parse_chat(body: Mapping[str, Any], counter: TokenCounter, *, agent: str, is_exact: bool) -> ChatRequest:
    """The request that a body is.

    Args:
        agent: "coding" or "voice".
        is_exact: the caller is a benchmark: a limit on the reply is its length.

    Raises:
        Refused: with the field and its value.
    """
    if (number := whole(body, "n", 1, MOST_TOKENS)) not in (None, 1):
        raise Refused(f"n: got {number}, expected 1: more than one choice is not served", "n", "unsupported_value")
    model = text(body, "model")
    tools, is_legacy = _tools(body)
    choice = body.get("function_call") if is_legacy else body.get("tool_choice")
    if is_legacy and isinstance(choice, dict):
        choice = {"type": "function", **choice}
    word, left = chosen(choice, tools)
    prompt = _prompt(body, counter)
    most = next((n for n in (whole(body, "max_completion_tokens"), whole(body, "max_tokens")) if n is not None), None)
    options = mapping(body, "stream_options")
    is_streamed = flag(body, "stream")
    least = whole(body, "min_tokens", 0) or 1
    request = ModelRequest(
        ident="chat",
        agent=agent,
        model=model,
        segments=tuple(prompt.segments),
        last_text=prompt.last_text,
        has_tool_result=prompt.has_tool_result,
        tools=left,
        tool_choice=word,
        most_tokens=most,
        least_tokens=least if most is None else min(least, most),
        is_exact=most is not None and (is_exact or flag(body, "ignore_eos")),
        answer_schema=_schema(body),
        metadata=metadata(body),
        replies=prompt.replies,
        tool_steps=prompt.tool_steps,
    )
    return ChatRequest(
        request,
        is_streamed,
        is_streamed and flag(options, "include_usage"),
        is_streamed and flag(options, "continuous_usage_stats"),
        is_legacy,
    )


def _tools(body: Mapping[str, Any]) -> tuple[list[Tool], bool]:
    tools = []
    for i, entry in enumerate(sequence(body, "tools")):
        where = f"tools[{i}]"
        if not isinstance(entry, dict):
            raise Refused(f"{where}: got {shown(entry)}, expected an object", where, "invalid_type")
        kind = entry.get("type", "function")
        if kind in ("function", "custom"):
            tools.append(function_of(mapping(entry, kind), f"{where}.{kind}", kind))
    if tools or not body.get("functions"):
        return tools, False
    functions = sequence(body, "functions")
    return [
        function_of(entry if isinstance(entry, dict) else {}, f"functions[{i}]") for i, entry in enumerate(functions)
    ], True


def _schema(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    form = mapping(body, "response_format")
    if form.get("type") == "json_object":
        return {"type": "object"}
    return mapping(mapping(form, "json_schema"), "schema") if form.get("type") == "json_schema" else None


def _prompt(body: Mapping[str, Any], counter: TokenCounter) -> Prompt:
    prompt = Prompt(counter)
    for key in ("tools", "functions"):
        if body.get(key):
            prompt.instructions(msgspec.json.encode(body[key]).decode(), "tools")
    messages = sequence(body, "messages")
    if not messages:
        raise Refused("messages: got none, expected at least one", "messages")
    for i, message in enumerate(messages):
        if not isinstance(message, dict):
            raise Refused(f"messages[{i}]: got {shown(message)}, expected an object", f"messages[{i}]", "invalid_type")
        _add(prompt, message, f"messages[{i}]")
    return prompt


def _add(prompt: Prompt, message: Mapping[str, Any], where: str) -> None:
    role, content = message.get("role"), content_of(message.get("content"))
    if role in ("system", "developer"):
        prompt.instructions(content.text)
    elif role == "user":
        prompt.user(content)
    elif role in ("tool", "function"):
        prompt.tool(content)
    elif role == "assistant":
        for thought in (message.get("reasoning_content"), message.get("reasoning")):
            if isinstance(thought, str) and thought:
                prompt.model(content_of(thought))
        if content.text or content.extra_tokens or not (message.get("tool_calls") or message.get("function_call")):
            prompt.model(content)
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else [message.get("function_call")]:
            _add_call(prompt, call)
    else:
        expected = "system, developer, user, assistant, tool or function"
        raise Refused(f"{where}.role: got {shown(role)}, expected {expected}", f"{where}.role")


def _add_call(prompt: Prompt, call: object) -> None:
    if isinstance(call, dict):
        inner = call.get("function", call.get("custom", call))
        fields = inner if isinstance(inner, dict) else call
        prompt.call(str(fields.get("name", "")), str(fields.get("arguments", fields.get("input", ""))))
