"""Tools that a client offers, and which of them it wants to be called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .base import Tool
from .reading import Refused, shown

__all__ = ["chosen", "function_of"]


def function_of(fields: Mapping[str, Any], where: str, kind: str = "function") -> Tool:
    """A tool from the object that holds its name, description and parameters.

    Raises:
        Refused: it has no name, or parameters that are no object.
    """
    name, parameters, description = fields.get("name"), fields.get("parameters"), fields.get("description")
    if not isinstance(name, str) or not name:
        raise Refused(f"{where}.name: got {shown(name)}, expected the name of a tool", f"{where}.name")
    if parameters is not None and not isinstance(parameters, dict):
        raise Refused(f"{where}.parameters: got {shown(parameters)}, expected a schema", f"{where}.parameters")
    return Tool(name, parameters or {}, description if isinstance(description, str) else "", kind)


def chosen(choice: object, tools: Sequence[Tool]) -> tuple[str, tuple[Tool, ...]]:
    """What `tool_choice` comes to: auto, none, required or a tool's name, and the tools it leaves.

    The forms of both protocols: a word, `{"type": "function", "name": ...}`, the same with the name one level
    below, and `allowed_tools`. Other types of tools mean what cannot be called here: they leave it to the model.

    Raises:
        Refused: another word, a tool that is not offered, or none to be required.
    """
    if choice is None:
        return "auto", tuple(tools)
    if isinstance(choice, str):
        if choice not in ("auto", "none", "required"):
            expected = "auto, none, required or an object that names a tool"
            raise Refused(f"tool_choice: got {shown(choice)}, expected {expected}", "tool_choice")
        if choice == "required" and not tools:
            raise Refused("tool_choice: got 'required', expected tools beside it", "tool_choice")
        return choice, tuple(tools)
    if not isinstance(choice, dict):
        raise Refused(f"tool_choice: got {shown(choice)}, expected a word or an object", "tool_choice", "invalid_type")
    kind = choice.get("type")
    inner = choice.get(kind) if isinstance(kind, str) else None
    fields = inner if isinstance(inner, dict) else choice
    if kind == "allowed_tools":
        return _allowed(fields, tools)
    name = fields.get("name")
    if isinstance(name, str) and any(tool.name == name for tool in tools):
        return name, tuple(tools)
    if kind in ("function", "custom"):
        raise Refused(f"tool_choice: got {shown(name)}, expected the name of one of the tools", "tool_choice")
    return "auto", tuple(tools)


def _allowed(fields: Mapping[str, Any], tools: Sequence[Tool]) -> tuple[str, tuple[Tool, ...]]:
    listed = fields.get("tools")
    names = set(_names(listed)) if isinstance(listed, list) else set()
    left = tuple(tool for tool in tools if tool.name in names)
    if fields.get("mode") == "required":
        return chosen("required", left)
    return "auto", left


def _names(entries: Iterable[object]) -> Iterable[str]:
    for entry in entries:
        if isinstance(entry, dict):
            inner = entry.get("function", entry)
            name = inner.get("name") if isinstance(inner, dict) else None
            if isinstance(name, str):
                yield name
